//! [`Screen`]: any of the screens, and what has changed of it from one snapshot to the next.

use std::collections::HashMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{
    Ask, CollectorScreen, Header, Moment, Overview, PoolScreen, Sort, WhyScreen, WorkerScreen, filter_matches,
};

/// Which screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Problems and pools.
    Overview,
    /// One pool.
    Pool,
    /// One worker.
    Worker,
    /// Why a worker is not seen.
    Why,
    /// The collector.
    Collector,
}

/// A screen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Screen {
    /// Problems and pools.
    Overview(Box<Overview>),
    /// One pool.
    Pool(Box<PoolScreen>),
    /// One worker.
    Worker(Box<WorkerScreen>),
    /// Why a worker is not seen.
    Why(Box<WhyScreen>),
    /// The collector.
    Collector(Box<CollectorScreen>),
}

/// What has changed of a screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Delta<S> {
    /// The number of the snapshot of the screen that it changes.
    pub since: u64,
    /// Rows that are there no more: names of pools and services, or ids of workers.
    pub gone: Vec<String>,
    /// The screen, of whose `pools` and `services`, or `workers`, it has only those that changed or are new.
    pub screen: S,
}

impl Kind {
    /// All screens.
    pub const ALL: [Self; 5] = [
        Self::Overview,
        Self::Pool,
        Self::Worker,
        Self::Why,
        Self::Collector,
    ];

    /// The last part of its path in the JSON API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Pool => "pool",
            Self::Worker => "worker",
            Self::Why => "why",
            Self::Collector => "collector",
        }
    }

    /// The screen of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The parameters that its address may have.
    pub(super) const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Overview => &["filter", "top"],
            Self::Pool => &["pool", "sort", "filter", "key", "top"],
            Self::Worker => &["pool", "worker", "sort", "filter", "key", "top"],
            Self::Why | Self::Collector => &[],
        }
    }

    /// The JSON Schema of its answers.
    pub fn schema(self) -> Schema {
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        match self {
            Self::Overview => generator.into_root_schema_for::<Overview>(),
            Self::Pool => generator.into_root_schema_for::<PoolScreen>(),
            Self::Worker => generator.into_root_schema_for::<WorkerScreen>(),
            Self::Why => generator.into_root_schema_for::<WhyScreen>(),
            Self::Collector => generator.into_root_schema_for::<CollectorScreen>(),
        }
    }
}

impl Screen {
    /// The number of its snapshot.
    pub fn snapshot(&self) -> u64 {
        self.header().snapshot
    }

    /// What it begins with.
    pub fn header(&self) -> &Header {
        match self {
            Self::Overview(screen) => &screen.header,
            Self::Pool(screen) => &screen.header,
            Self::Worker(screen) => &screen.header,
            Self::Why(screen) => &screen.header,
            Self::Collector(screen) => &screen.header,
        }
    }

    /// Puts rows in the order that is asked for, and leaves out what is filtered and what is beyond the top.
    pub fn arrange(&mut self, ask: &Ask) {
        let top = ask.top.unwrap_or(usize::MAX);
        match self {
            Self::Overview(screen) => {
                if !ask.filter.is_empty() {
                    let filter = ask.filter.to_lowercase();
                    let has = |name: &str| name.to_lowercase().contains(&filter);
                    screen.pools.retain(|row| has(&row.name));
                    screen.services.retain(|row| has(&row.name));
                }
                screen.pools.truncate(top);
                screen.services.truncate(top);
            }
            Self::Pool(screen) => {
                if !ask.filter.is_empty() {
                    screen.workers.retain(|row| filter_matches(&ask.filter, row));
                }
                if ask.sort != Sort::default() {
                    ask.sort.apply(&mut screen.workers);
                }
                screen.matching = screen.workers.len();
                screen.workers.truncate(top);
            }
            Self::Worker(_) | Self::Why(_) | Self::Collector(_) => {}
        }
    }

    /// What is to be sent to those that have the screen `before`.
    pub fn since(&self, before: &Self) -> Delta<Self> {
        let mut gone = Vec::new();
        let screen = match (self, before) {
            (Self::Overview(now), Self::Overview(before)) => {
                let pools = changed(&now.pools, &before.pools, |row| &row.name, &mut gone);
                let services = changed(&now.services, &before.services, |row| &row.name, &mut gone);
                Self::Overview(Box::new(Overview {
                    header: now.header.clone(),
                    problems: now.problems.clone(),
                    pools,
                    services,
                }))
            }
            (Self::Pool(now), Self::Pool(before)) => {
                let workers = changed(&now.workers, &before.workers, |row| &row.id, &mut gone);
                Self::Pool(Box::new(now.with_workers(workers)))
            }
            _ => self.clone(),
        };
        Delta {
            since: before.snapshot(),
            gone,
            screen,
        }
    }
}

impl Ask {
    /// The screen of a moment with all its rows, in their usual order; `None` where it is about what is not there. The
    /// screens that need more than a moment are made elsewhere.
    pub(crate) fn screen(&self, moment: &Moment<'_>) -> Option<Screen> {
        Some(match self.kind {
            Kind::Overview => Screen::Overview(Box::new(Overview::new(moment))),
            Kind::Pool => Screen::Pool(Box::new(PoolScreen::new(&self.pool, moment)?)),
            Kind::Worker => Screen::Worker(Box::new(WorkerScreen::new(&self.pool, &self.worker, moment)?)),
            Kind::Why | Kind::Collector => return None,
        })
    }
}

/// Rows that are new or differ from before.
fn changed<R: Clone + PartialEq>(
    now: &[R],
    before: &[R],
    name: impl Fn(&R) -> &String,
    gone: &mut Vec<String>,
) -> Vec<R> {
    let mut known: HashMap<&str, &R> = before.iter().map(|row| (name(row).as_str(), row)).collect();
    let is_changed = |row: &&R| known.remove(name(row).as_str()) != Some(*row);
    let changed = now.iter().filter(is_changed).cloned().collect();
    gone.extend(known.into_keys().map(str::to_owned));
    changed
}
