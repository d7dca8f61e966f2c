//! [`WhyScreen`]: why a worker that should be there is not seen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Header;

/// What is on NATS, what of it is watched, and what nearly is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhyScreen {
    /// The collector, and whether the figures are current.
    pub header: Header,
    /// How the last round went, in words.
    pub round: String,
    /// What is to be watched, with what is wrong; what has no workers is first.
    pub watched: Vec<Watched>,
    /// Pools of workers that are on NATS, watched or not.
    pub found: Vec<FoundPool>,
    /// Plain services that are on NATS.
    pub services: Vec<FoundService>,
    /// Ids that several instances report.
    pub duplicates: Vec<Shared>,
    /// What workers report and the collector refuses.
    pub refused: Vec<Refused>,
    /// Permissions that NATS denied, with the remedy.
    pub denied: Vec<String>,
}

/// Something that is to be watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watched {
    /// A path, or a service.
    pub name: String,
    /// How many workers or instances it has.
    pub workers: usize,
    /// What is so, in words.
    pub text: String,
    /// What nearly belongs to it.
    pub near_misses: Vec<NearMiss>,
    /// A command to copy.
    pub command: Option<String>,
}

/// Endpoints that nearly belong to a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NearMiss {
    /// How many.
    pub count: usize,
    /// What they are of.
    pub of: String,
    /// Why they do not belong to it.
    pub reason: String,
    /// What to type or to mend.
    pub remedy: Option<String>,
    /// A subject of one of them.
    pub example: Option<String>,
}

/// A pool of workers that is on NATS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundPool {
    /// `namespace/component/endpoint`.
    pub path: String,
    /// How many workers it has.
    pub workers: usize,
    /// Whether it is watched.
    pub is_watched: bool,
    /// The command that watches it.
    pub command: String,
}

/// A plain service that is on NATS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundService {
    /// Its name.
    pub name: String,
    /// How many instances it has.
    pub instances: usize,
    /// Whether it is watched.
    pub is_watched: bool,
    /// The command that watches it.
    pub command: String,
}

/// A worker id that several instances report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shared {
    /// The pool.
    pub pool: String,
    /// The worker's id.
    pub worker: String,
    /// The instance whose numbers are shown.
    pub shown: String,
    /// The one whose numbers are not.
    pub left_out: String,
}

/// Something that a worker reports and the collector refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// The pool.
    pub pool: String,
    /// What is wrong, with the field.
    pub reason: String,
    /// Workers of which this is so.
    pub count: usize,
    /// The subject of one of them.
    pub example: String,
}
