//! [`Change`]: what changed in the life of a worker.

use fleet::{Snapshot, WorkerChange};
use schemars::JsonSchema;
use serde::Serialize;

use super::Query;

/// A change in the life of a worker or of an instance of a plain service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Change<'a> {
    /// When it was noticed, in Unix seconds.
    at_seconds: f64,
    /// The pool, as its name is written elsewhere.
    pool: String,
    /// In decimal; `static-` and the instance for a worker without an id; of a plain service, the instance.
    worker_id: &'a str,
    /// The NATS service instance.
    instance_id: &'a str,
    /// `joined`, `left`, `stale`, `recovered`, `restarted`, `replaced` or `refused`.
    change: &'static str,
    /// More about it in words; empty where there is no more.
    detail: String,
}

/// The last changes in the pools that a query selects, the oldest first.
pub(super) fn all<'a>(snapshot: &'a Snapshot, query: &Query) -> Vec<Change<'a>> {
    let changes = snapshot.changes.iter();
    changes
        .filter(|change| query.selects_pool(&change.pool))
        .map(Change::new)
        .collect()
}

impl<'a> Change<'a> {
    fn new(change: &'a WorkerChange) -> Self {
        Self {
            at_seconds: change.at.as_secs_f64(),
            pool: change.pool.to_string(),
            worker_id: &change.worker.worker_id,
            instance_id: &change.worker.service_id,
            change: change.change.as_str(),
            detail: change.detail.to_string(),
        }
    }
}
