//! The fleet as everyone but its owner sees it: immutable, complete, cheap to share.

use std::sync::Arc;
use std::time::SystemTime;

use protocol::WorkerStats;
use time::OffsetDateTime;

use super::spread::{self, Resource, Spread};
use super::{Counts, EventResult, NearMissCount};
use crate::gather::Finish;
use crate::intake::ReplyResult;
use crate::matching::Target;

/// All targets at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// One view per target, in the order in which they were asked for.
    pub pools: Vec<PoolView>,
    /// The connection.
    pub link: LinkView,
}

/// The connection to NATS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkView {
    /// Whether it stands.
    pub connected: bool,
    /// How often it was made again.
    pub reconnects: u64,
    /// How often the server refused a publish or a subscription.
    pub permission_violations: u64,
}

/// One target.
#[derive(Debug, Clone)]
pub struct PoolView {
    /// What was asked for.
    pub target: Arc<Target>,
    /// Its workers, by id.
    pub workers: Vec<WorkerView>,
    /// Whether the last round got an answer, or a definite "nobody".
    pub up: bool,
    /// Workers that were expected in the last round and did not answer.
    pub missing: u64,
    /// When the last round ended that did not fail.
    pub snapshot_at: Option<SystemTime>,
    /// Rounds by the reason why they ended.
    pub rounds: Counts<Finish>,
    /// Their durations.
    pub round_seconds: Histogram,
    /// Replies by result.
    pub replies: Counts<ReplyResult>,
    /// Events by result.
    pub events: Counts<EventResult>,
    /// The hit ratio of each event.
    pub hit_ratios: Histogram,
    /// Workers left out because there are too many.
    pub ignored: u64,
    /// What nearly matched in the last round.
    pub near_misses: Vec<NearMissCount>,
    /// Replies of the last round that have nothing to do with the target.
    pub foreign: u64,
    /// Replies of the last round of which nothing can be read.
    pub unreadable: u64,
}

/// One worker.
#[derive(Debug, Clone)]
pub struct WorkerView {
    /// The id in decimal, or `static-` and the service instance.
    pub worker_id: String,
    /// The id in hexadecimal, empty for a static worker.
    pub worker_hex: String,
    /// The id of the service instance.
    pub service_id: Arc<str>,
    /// The service's version.
    pub version: String,
    /// How the subject is written.
    pub layout: String,
    /// The subject.
    pub subject: Arc<str>,
    /// Where the load comes from: `flat`, `nested`, `event` or `none`.
    pub schema: &'static str,
    /// Whether it answers.
    pub state: WorkerState,
    /// Its load, if it is fresh and has told any.
    pub stats: Option<WorkerStats>,
    /// `max(waiting / queue target, KV use / KV target)`.
    pub saturation: Option<f64>,
    /// When it last answered.
    pub last_seen: SystemTime,
    /// When the instance started.
    pub started: Option<OffsetDateTime>,
    /// Requests, over all restarts.
    pub requests: f64,
    /// Failed requests, over all restarts.
    pub errors: f64,
    /// Time spent on requests, over all restarts.
    pub processing_seconds: Option<f64>,
    /// How often it restarted.
    pub restarts: u64,
    /// Blocks looked up, by events.
    pub lookup_blocks: u64,
    /// Blocks found, by events.
    pub hit_blocks: u64,
}

/// Whether a worker answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerState {
    /// It answered lately.
    Fresh,
    /// It missed several rounds.
    Stale,
}

/// A cumulative histogram.
#[derive(Debug, Clone)]
pub struct Histogram {
    /// Upper bounds, ascending, without infinity.
    pub bounds: &'static [f64],
    /// Observations in each bucket, with one more for those above all bounds.
    pub counts: Vec<u64>,
    /// Sum of all observations.
    pub sum: f64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    pub(super) fn observe(&mut self, value: f64) {
        let bucket = self
            .bounds
            .iter()
            .position(|bound| value <= *bound)
            .unwrap_or(self.bounds.len());
        self.counts[bucket] += 1;
        self.sum += value;
    }
}

impl WorkerState {
    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
        }
    }
}

impl PoolView {
    /// How many workers are in a state.
    pub fn count(&self, state: WorkerState) -> usize {
        self.workers.iter().filter(|worker| worker.state == state).count()
    }

    /// The sum of a count over all fresh workers that tell it.
    pub fn sum(&self, value: fn(&WorkerStats) -> Option<u64>) -> Option<u64> {
        self.loads().filter_map(value).reduce(u64::saturating_add)
    }

    /// `Σ active / Σ capacity` over all fresh workers that tell both.
    pub fn utilization(&self, resource: Resource) -> Option<f64> {
        let pairs = || self.loads().filter_map(|stats| spread::pair(resource, stats));
        let capacity: f64 = pairs().map(|(_, capacity)| capacity as f64).sum();
        let active: f64 = pairs().map(|(active, _)| active as f64).sum();
        (capacity > 0.0).then(|| active / capacity)
    }

    /// How a resource's use is spread over the fresh workers, or `None` where none tells it.
    pub fn spread(&self, resource: Resource) -> Option<Spread> {
        let fresh = self
            .workers
            .iter()
            .filter(|worker| worker.state == WorkerState::Fresh);
        Spread::of(
            fresh
                .filter_map(|worker| spread::value(resource, worker))
                .collect(),
        )
    }

    /// The spread of active KV blocks, absolute, which upstream called *load*.
    pub fn load_spread(&self) -> Option<Spread> {
        Spread::of(
            self.loads()
                .filter_map(WorkerStats::kv_blocks_active)
                .map(|n| n as f64)
                .collect(),
        )
    }

    /// How many workers are at or above their saturation point, or `None` where none tells.
    pub fn saturated(&self) -> Option<usize> {
        let told: Vec<f64> = self
            .workers
            .iter()
            .filter_map(|worker| worker.saturation)
            .collect();
        (!told.is_empty()).then(|| told.into_iter().filter(|saturation| *saturation >= 1.0).count())
    }

    fn loads(&self) -> impl Iterator<Item = &WorkerStats> {
        self.workers.iter().filter_map(|worker| worker.stats.as_ref())
    }
}
