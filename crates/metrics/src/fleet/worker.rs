//! One worker: what it last said, and counters that outlive its restarts.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::SystemTime;

use protocol::{KvHitRate, KvMetrics, LoadSource, StatsShape, WorkerStats};

use super::{FleetSettings, WorkerState, WorkerView};
use crate::intake::{ServiceInstance, Sighting};

/// Ranks of a data-parallel group whose load is kept; a real group has a few dozen.
const MAX_RANKS: usize = 1024;

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) instance: ServiceInstance,
    pub(super) subject: Arc<str>,
    layout: String,
    last_seen: SystemTime,
    /// Rounds since it last answered.
    pub(super) missed: u32,
    reported: Option<WorkerStats>,
    shape: Option<StatsShape>,
    /// Load told by events, for each rank; used where the statistics carry none.
    by_event: BTreeMap<u64, (LoadSource, WorkerStats)>,
    requests: Accumulated,
    errors: Accumulated,
    processing_seconds: Option<Accumulated>,
    restarts: u64,
    lookup_blocks: u64,
    hit_blocks: u64,
}

/// A counter of the worker's that begins again at zero when it restarts, added up so that it never runs backwards.
#[derive(Debug, Clone, Copy, Default)]
struct Accumulated {
    before: f64,
    current: f64,
}

impl Accumulated {
    /// What is not told is zero after a restart, which some clients leave out, and else what it was.
    fn advance(&mut self, current: Option<f64>, restarted: bool) {
        if restarted {
            self.before += self.current;
            self.current = 0.0;
        }
        self.current = current.unwrap_or(self.current);
    }

    fn total(self) -> f64 {
        self.before + self.current
    }
}

impl Worker {
    pub(super) fn new(sighting: &Sighting, now: SystemTime) -> Self {
        let mut worker = Self {
            instance: sighting.instance.clone(),
            subject: Arc::from(sighting.subject.as_str()),
            layout: sighting.layout.to_string(),
            last_seen: now,
            missed: 0,
            reported: None,
            shape: None,
            by_event: BTreeMap::new(),
            requests: Accumulated::default(),
            errors: Accumulated::default(),
            processing_seconds: None,
            restarts: 0,
            lookup_blocks: 0,
            hit_blocks: 0,
        };
        worker.update(sighting, now);
        worker
    }

    /// Takes in what the worker says now; the caller has made sure that its load can be used.
    pub(super) fn update(&mut self, sighting: &Sighting, now: SystemTime) {
        let restarted = self.has_restarted(sighting);
        if restarted {
            self.restarts += 1;
            self.by_event.clear();
        }
        let started = match self.instance.id == sighting.instance.id {
            true => sighting.instance.started.or(self.instance.started),
            false => sighting.instance.started,
        };
        self.instance = ServiceInstance {
            started,
            ..sighting.instance.clone()
        };
        if *self.subject != *sighting.subject {
            self.subject = Arc::from(sighting.subject.as_str());
        }
        self.layout = sighting.layout.to_string();
        self.last_seen = now;
        self.missed = 0;
        self.requests
            .advance(sighting.requests.map(|n| n as f64), restarted);
        self.errors.advance(sighting.errors.map(|n| n as f64), restarted);
        if let Some(seconds) = sighting.processing_seconds {
            self.processing_seconds
                .get_or_insert_default()
                .advance(Some(seconds), restarted);
        }
        if let Ok(reading) = &sighting.load {
            self.reported.clone_from(&reading.stats);
            self.shape = reading.shape;
        }
    }

    /// A new service id is a restart, unless that instance started earlier: then it is a second one that goes on. With
    /// the same id, only another *known* start time is a restart: a reply that leaves the time out, or writes it
    /// unreadably, says nothing about it.
    fn has_restarted(&self, sighting: &Sighting) -> bool {
        let (old, new) = (&self.instance, &sighting.instance);
        let began_anew =
            old.id != new.id || matches!((old.started, new.started), (Some(old), Some(new)) if old != new);
        let count = |count: Option<u64>| count.map(|n| n as f64);
        let seconds = self.processing_seconds.map_or(0.0, |seconds| seconds.current);
        let went_back = [
            (count(sighting.requests), self.requests.current),
            (count(sighting.errors), self.errors.current),
            (sighting.processing_seconds, seconds),
        ]
        .into_iter()
        .any(|(now, then)| now.is_some_and(|now| now < then));
        let began_earlier = matches!((old.started, new.started), (Some(old), Some(new)) if new < old);
        (began_anew && !began_earlier) || went_back
    }

    /// Whether `other` may not speak for this worker: a second instance with the same worker id, which started before
    /// the one that is known, or at the same time under a smaller id.
    ///
    /// It holds as long as the known instance is remembered, so a younger instance that misses a round does not make
    /// the two alternate.
    pub(super) fn outranks(&self, other: &ServiceInstance) -> bool {
        let known = &self.instance;
        known.id != other.id && rank(known) > rank(other)
    }

    pub(super) fn count_hits(&mut self, event: &KvHitRate) {
        self.lookup_blocks = self.lookup_blocks.saturating_add(event.isl_blocks());
        self.hit_blocks = self.hit_blocks.saturating_add(event.overlap_blocks());
    }

    pub(super) fn update_by_event(&mut self, event: &KvMetrics) {
        if self.by_event.len() >= MAX_RANKS && !self.by_event.contains_key(&event.dp_rank) {
            return;
        }
        let told = (event.source, event.stats.clone());
        match self.by_event.entry(event.dp_rank) {
            Entry::Vacant(entry) => {
                entry.insert(told);
            }
            Entry::Occupied(mut entry) => match event.source.cmp(&entry.get().0) {
                // A router's estimate does not overrule what the worker has said itself.
                Ordering::Less => {}
                Ordering::Equal => {
                    let (_, load) = entry.get_mut();
                    *load = load.updated_by(&event.stats);
                }
                Ordering::Greater => {
                    entry.insert(told);
                }
            },
        }
    }

    pub(super) fn state(&self, settings: &FleetSettings) -> WorkerState {
        if self.missed < settings.stale_after {
            WorkerState::Fresh
        } else {
            WorkerState::Stale
        }
    }

    pub(super) fn view(&self, worker_id: String, worker_hex: String, settings: &FleetSettings) -> WorkerView {
        let state = self.state(settings);
        // Old values are never presented as current: a stale worker has no load.
        let stats = match state {
            WorkerState::Fresh => self.load(),
            WorkerState::Stale => None,
        };
        WorkerView {
            worker_id,
            worker_hex,
            service_id: self.instance.id.clone(),
            version: self.instance.version.clone(),
            layout: self.layout.clone(),
            subject: self.subject.clone(),
            schema: self.schema(),
            saturation: stats.as_ref().and_then(|stats| saturation(stats, settings)),
            state,
            stats,
            last_seen: self.last_seen,
            started: self.instance.started,
            requests: self.requests.total(),
            errors: self.errors.total(),
            processing_seconds: self.processing_seconds.map(Accumulated::total),
            restarts: self.restarts,
            lookup_blocks: self.lookup_blocks,
            hit_blocks: self.hit_blocks,
        }
    }

    fn load(&self) -> Option<WorkerStats> {
        match (&self.reported, self.by_event.len()) {
            (Some(stats), _) => Some(stats.clone()),
            (None, 0) => None,
            (None, _) => Some(WorkerStats::of_ranks(
                self.by_event.values().map(|(_, load)| load),
            )),
        }
    }

    fn schema(&self) -> &'static str {
        match (self.shape, self.by_event.is_empty()) {
            (Some(shape), _) => shape.as_str(),
            (None, false) => "event",
            (None, true) => "none",
        }
    }
}

/// By which of two instances with one worker id the younger wins; ids decide only between equals, so that the order
/// of replies does not.
pub(super) fn rank(instance: &ServiceInstance) -> (Option<time::OffsetDateTime>, &str) {
    (instance.started, &instance.id)
}

/// `max(waiting / queue target, KV use / KV target)`; 1 and above is saturated.
fn saturation(stats: &WorkerStats, settings: &FleetSettings) -> Option<f64> {
    let queue = stats
        .requests_waiting()
        .map(|waiting| waiting as f64 / settings.queue_target);
    let kv = kv_use(stats).map(|ratio| ratio / settings.kv_target);
    [queue, kv].into_iter().flatten().reduce(f64::max)
}

/// Share of KV blocks in use: by the block counts, else as reported.
pub(super) fn kv_use(stats: &WorkerStats) -> Option<f64> {
    ratio(stats.kv_blocks_active(), stats.kv_blocks_capacity()).or(stats.kv_usage_ratio())
}

/// `active / capacity`, or `None` where either is unknown or there is no capacity.
pub(super) fn ratio(active: Option<u64>, capacity: Option<u64>) -> Option<f64> {
    match (active, capacity) {
        (Some(active), Some(capacity @ 1..)) => Some(active as f64 / capacity as f64),
        _ => None,
    }
}
