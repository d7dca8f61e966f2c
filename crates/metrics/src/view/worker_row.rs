//! [`WorkerRow`]: a worker in a line, and in a cell of the heat strip.

use std::sync::Arc;

use fleet::{PoolView, WorkerState, WorkerView};
use protocol::WorkerStats;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::level::NEW_SECONDS;
use super::{Figure, Level, Moment, rounded};
use crate::history::WorkerPast;

/// A worker, or an instance of a plain service, in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerRow {
    /// The id in decimal; `static-` and the instance for a worker without an id; of a plain service, the instance.
    pub id: String,
    /// The id in hexadecimal; empty without one.
    pub hex: String,
    /// Where it runs, if its metadata says so: the value of `host`, `node`, `hostname` or `pod`.
    pub host: Option<String>,
    /// The worst of its figures; `stale` where it does not answer in time.
    pub level: Level,
    /// `fresh`, `stale` or `late`.
    pub state: String,
    /// KV-cache use, as a ratio.
    pub kv: Option<Figure>,
    /// Queued requests.
    pub waiting: Option<Figure>,
    /// Running requests.
    pub running: Option<u64>,
    /// Requests that can run at once.
    pub capacity: Option<u64>,
    /// Use of slots, as a ratio.
    pub slots: Option<Figure>,
    /// The largest of its figures as a share of its target.
    pub saturation: Option<f64>,
    /// Requests per second.
    pub requests_per_second: Option<f64>,
    /// Failed requests by requests.
    pub error_ratio: Option<f64>,
    /// Blocks found in the prefix cache by blocks looked up.
    pub hit_ratio: Option<f64>,
    /// Time since it was last heard, in whole seconds.
    pub last_seen_seconds: Option<u64>,
    /// When the instance started, in Unix seconds.
    pub started_seconds: Option<f64>,
    /// How often it restarted.
    pub restarts: u64,
}

/// Keys of metadata that say where a worker runs, the best first.
pub(crate) const HOST_KEYS: [&str; 5] = ["host", "hostname", "node", "pod", "pod_name"];

impl WorkerRow {
    pub(super) fn new(
        worker: &WorkerView,
        pool: &PoolView,
        past: Option<&WorkerPast>,
        moment: &Moment<'_>,
    ) -> Self {
        let settings = &pool.settings;
        let identity = &*worker.identity;
        let load = worker.load.as_ref();
        let kv = load.and_then(|load| {
            let (active, capacity) = (load.kv_blocks_active(), load.kv_blocks_capacity());
            let counted = active.zip(capacity).filter(|(_, capacity)| *capacity > 0);
            counted
                .map(|(active, capacity)| active as f64 / capacity as f64)
                .or(load.kv_usage_ratio())
        });
        let waiting = load.and_then(WorkerStats::requests_waiting);
        let running = load.and_then(WorkerStats::request_slots_active);
        let capacity = load.and_then(WorkerStats::request_slots_capacity);
        let slots = running
            .zip(capacity)
            .filter(|(_, capacity)| *capacity > 0)
            .map(|(running, capacity)| running as f64 / capacity as f64);
        let saturation = worker.saturation(settings);
        let rates = past.map_or_else(Default::default, WorkerPast::rates);
        let taken = moment.taken();
        let heard = worker.events.iter().flat_map(|events| events.topics).flatten();
        let last_seen = heard.chain(worker.last_seen).reduce(f64::max);
        let is_new = worker
            .started
            .is_some_and(|started| taken - started < NEW_SECONDS)
            || past.is_some_and(|past| past.is_new(moment.history));
        Self {
            id: identity.worker_id.to_string(),
            hex: identity.worker_hex.to_string(),
            host: host(worker, &moment.published.snapshot.metadata),
            level: match worker.state {
                WorkerState::Stale | WorkerState::Late => Level::Stale,
                WorkerState::Fresh => match saturation.map_or(Level::None, Level::of) {
                    Level::None | Level::Ok if is_new => Level::New,
                    Level::None => Level::Ok,
                    level => level,
                },
            },
            state: worker.state.as_str().to_owned(),
            kv: kv.map(|kv| Figure::new(kv, settings.kv_target)),
            waiting: waiting.map(|waiting| Figure::new(waiting as f64, settings.queue_target)),
            running,
            capacity,
            slots: slots.map(|slots| Figure::new(slots, 1.0)),
            saturation: saturation.map(rounded),
            requests_per_second: rates.requests.map(rounded),
            error_ratio: rates.errors.map(rounded),
            hit_ratio: (rates.hits)
                .or_else(|| load.and_then(WorkerStats::prefix_cache_hit_ratio))
                .map(rounded),
            last_seen_seconds: last_seen.map(|seen| (taken - seen).max(0.0) as u64),
            started_seconds: worker.started.map(rounded),
            restarts: worker.restarts,
        }
    }
}

fn host(worker: &WorkerView, shown: &[Arc<str>]) -> Option<String> {
    let profile = worker.identity.profile.as_deref()?;
    let value = |key: &&str| {
        let is_it = |label: &&Arc<str>| label.strip_prefix("meta_").unwrap_or(label) == *key;
        let value = profile.value(shown.iter().find(is_it)?);
        (!value.is_empty()).then(|| value.to_owned())
    };
    HOST_KEYS.iter().find_map(value)
}
