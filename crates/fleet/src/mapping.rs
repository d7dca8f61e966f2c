//! [`Mapping`]: a number in the `data` of some endpoints, and the metric that it becomes.

use std::sync::Arc;

use protocol::mapping::{Pointer, Range};

use crate::{NameGlob, PathGlob, PoolName};

/// A number in the `data` of some endpoints, and the metric that it becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Whose data.
    pub scope: Scope,
    /// Where in the data.
    pub pointer: Pointer,
    /// What it becomes.
    pub metric: Arc<MappedMetric>,
    /// The number is multiplied by this.
    pub scale: f64,
    /// Which numbers it may be, before that.
    pub range: Range,
    /// Whether it is a truth value, which becomes 1 or 0, and not a number.
    pub is_boolean: bool,
    /// Whether it may be absent without an error.
    pub is_optional: bool,
    /// The most series that it has over all instances.
    pub max_series: u64,
}

/// Whose data a mapping is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// That of workers.
    Workers(PathGlob),
    /// That of the endpoints of plain services.
    Services {
        /// Which services.
        service: NameGlob,
        /// Which of their endpoints.
        endpoint: NameGlob,
    },
}

/// What values of one name are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedMetric {
    /// The name of the family: of a counter without `_total`.
    pub name: String,
    /// The type.
    pub kind: MappedKind,
    /// The unit, which is the end of the name.
    pub unit: Option<String>,
    /// What it means.
    pub help: String,
    /// The names of the labels whose values are the keys that each `*` of the pointer finds.
    pub labels: Vec<String>,
    /// Labels that are always the same.
    pub const_labels: Vec<(String, String)>,
}

/// The type of a mapped metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappedKind {
    /// Goes up and down; shown while the instance answers.
    Gauge,
    /// Only goes up, except when its instance begins anew.
    Counter,
}

impl Scope {
    /// Whether the mapping is about the members of this pool.
    pub fn covers(&self, pool: &PoolName) -> bool {
        match (self, pool) {
            (Self::Workers(glob), PoolName::Workers(path)) => glob.matches(path),
            (
                Self::Services { service, endpoint },
                PoolName::Service {
                    service: name,
                    endpoint: of,
                },
            ) => service.matches(name) && endpoint.matches(of),
            _ => false,
        }
    }
}
