//! The JSON API, `/api/v1/…`: snapshots for programs. Ids are text, because many readers of JSON round large numbers;
//! everything that is counted or measured is a number, and what is not known is `null`.

mod change;
mod collector;
mod member;
mod pool;
mod query;
mod service;
mod worker;

use std::time::Duration;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::published::Published;

pub use change::Change;
pub use collector::Collector;
pub use pool::Pool;
pub use query::{Query, QueryError};
pub use service::{Instance, Service};
pub use worker::Worker;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Pools of workers.
    Pools,
    /// Workers.
    Workers,
    /// Plain NATS services, by endpoint, with their instances.
    Services,
    /// All of it, and the last changes.
    Snapshot,
}

impl Resource {
    /// All resources.
    pub const ALL: [Self; 4] = [Self::Pools, Self::Workers, Self::Services, Self::Snapshot];

    /// The last part of its path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pools => "pools",
            Self::Workers => "workers",
            Self::Services => "services",
            Self::Snapshot => "snapshot",
        }
    }

    /// The resource of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.name() == name)
    }

    /// The JSON of a snapshot, in the order of its pools.
    pub fn write(self, published: &Published, round_limit: Duration, query: &Query) -> Vec<u8> {
        let collector = Collector::new(published, round_limit);
        let snapshot = &published.snapshot;
        let pools = || pool::all(snapshot, query);
        let workers = || worker::all(snapshot, query);
        let services = || service::all(snapshot, query);
        match self {
            Self::Pools => json(&Pools {
                collector,
                pools: pools(),
            }),
            Self::Workers => {
                let (workers, total) = workers();
                json(&Workers {
                    collector,
                    total,
                    workers,
                })
            }
            Self::Services => json(&Services {
                collector,
                services: services(),
            }),
            Self::Snapshot => json(&Everything {
                collector,
                pools: pools(),
                workers: workers().0,
                services: services(),
                changes: change::all(snapshot, query),
            }),
        }
    }

    /// The JSON Schema of its answers.
    pub fn schema(self) -> Schema {
        match self {
            Self::Pools => schema_of::<Pools<'_>>(),
            Self::Workers => schema_of::<Workers<'_>>(),
            Self::Services => schema_of::<Services<'_>>(),
            Self::Snapshot => schema_of::<Everything<'_>>(),
        }
    }
}

fn json(answer: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec(answer).expect("every key of an answer is text");
    json.push(b'\n');
    json
}

fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>()
}

/// Pools of workers.
#[derive(Debug, Serialize, JsonSchema)]
struct Pools<'a> {
    collector: Collector,
    /// In the order of the configuration; pools of a glob by their names.
    pools: Vec<Pool<'a>>,
}

/// Workers of all pools.
#[derive(Debug, Serialize, JsonSchema)]
struct Workers<'a> {
    collector: Collector,
    /// Workers that the query selects, without its `limit` and `offset`.
    total: usize,
    /// By pool, and by id within a pool.
    workers: Vec<Worker<'a>>,
}

/// Plain NATS services.
#[derive(Debug, Serialize, JsonSchema)]
struct Services<'a> {
    collector: Collector,
    /// One for each endpoint of a service.
    services: Vec<Service<'a>>,
}

/// A whole snapshot.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Snapshot")]
struct Everything<'a> {
    collector: Collector,
    /// In the order of the configuration; pools of a glob by their names.
    pools: Vec<Pool<'a>>,
    /// By pool, and by id within a pool.
    workers: Vec<Worker<'a>>,
    /// One for each endpoint of a service.
    services: Vec<Service<'a>>,
    /// The last changes of workers, the oldest first; at most 256.
    changes: Vec<Change<'a>>,
}

#[cfg(test)]
mod tests;
