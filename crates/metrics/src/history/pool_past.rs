//! [`PoolPast`] and [`WorkerPast`]: what is remembered of a pool and of each of its workers.

use std::time::Duration;

use fleet::{Change, Measure, PoolView, ReplyResult, Source, WorkerKey, WorkerView};
use protocol::WorkerStats;

use super::counters::{Counters, Meter, Rates};
use super::ring::{FIGURES, Point, Ring};
use super::tally::Tally;
use super::{Clock, History};

/// A worker is new for so long.
const NEW: Duration = Duration::from_secs(60);

/// Results of replies that a worker is to blame for.
const REFUSALS: [ReplyResult; 4] = [
    ReplyResult::Malformed,
    ReplyResult::OutOfRange,
    ReplyResult::InvalidSubject,
    ReplyResult::OverLimit,
];

/// What is remembered of a pool.
#[derive(Debug)]
pub struct PoolPast {
    seen_in: u64,
    first_seen: Duration,
    meter: Option<Meter>,
    /// What its workers have counted since the history began, also those that are gone: the sum of differences.
    counted: Counters,
    ring: Option<Ring>,
    /// In the order of the snapshot, which is that of the keys.
    workers: Vec<WorkerPast>,
    changes: Tally,
    /// Workers that joined in the first minute, as all of them do, and first answers of those that joined late in a round.
    arrivals: u64,
    restarts: Tally,
    /// By [`REFUSALS`].
    refused: [Tally; REFUSALS.len()],
}

/// What is remembered of a worker.
#[derive(Debug)]
pub struct WorkerPast {
    key: WorkerKey,
    first_seen: Duration,
    /// Whether the pool was there for longer when it joined.
    has_joined: bool,
    last: Counters,
    meter: Meter,
    ring: Option<Ring>,
}

impl PoolPast {
    pub(super) fn new(has_ring: bool, clock: Clock) -> Self {
        Self {
            seen_in: 0,
            first_seen: clock.now,
            meter: None,
            counted: Counters::default(),
            ring: has_ring.then(|| Ring::new(clock.point)),
            workers: Vec::new(),
            changes: Tally::of(60),
            arrivals: 0,
            restarts: Tally::of(15),
            refused: REFUSALS.map(|_| Tally::of(5)),
        }
    }

    pub(super) fn take_in(
        &mut self,
        pool: &PoolView,
        clock: Clock,
        sequence: u64,
        rings: &mut usize,
        max_rings: usize,
    ) {
        self.seen_in = sequence;
        let has_joined = clock.now.saturating_sub(self.first_seen) >= NEW;
        self.match_workers(pool, clock, has_joined, rings, max_rings);
        for (past, worker) in self.workers.iter_mut().zip(pool.workers.iter()) {
            let difference = past.take_in(worker, clock);
            self.counted.add(&difference);
        }
        let counted = match (&pool.sums, &pool.requests) {
            (Some(sums), _) => Counters {
                requests: Some(sums.requests),
                errors: sums.errors,
                processing_seconds: sums.processing_seconds,
                ..Counters::default()
            },
            // Workers that answer no request count none; their frontends may.
            (None, Some(books)) if self.counted.requests.is_none() => Counters {
                requests: Some(books.measures[Measure::Duration as usize].count() as f64),
                ..self.counted
            },
            _ => self.counted,
        };
        let meter = self.meter.get_or_insert_with(|| Meter::new(clock.now, counted));
        let rates = meter.take_in(clock.now, counted);
        if !has_joined {
            let changes = &pool.changes;
            let first_answers = changes[Change::Recovered].saturating_sub(changes[Change::Stale]);
            self.arrivals = changes[Change::Joined] + first_answers;
        }
        let changes = pool.changes.total().saturating_sub(self.arrivals);
        self.changes.take_in(clock.now, changes);
        self.restarts.take_in(clock.now, pool.changes[Change::Restarted]);
        for (tally, result) in self.refused.iter_mut().zip(REFUSALS) {
            tally.take_in(clock.now, pool.replies[result]);
        }
        if let Some(ring) = &mut self.ring {
            let totals = pool.totals();
            let [slots, kv] = totals.utilization;
            let mean_kv = || totals.spreads[1].map(|spread| spread.mean);
            let waiting = totals.waiting.map(|waiting| waiting as f64);
            let point = [
                kv.or_else(mean_kv),
                waiting,
                slots,
                rates.requests,
                rates.errors,
                rates.hits,
            ];
            ring.put(clock.point, pack(point));
        }
    }

    /// Makes the list of workers that of the snapshot. Both are in the order of their keys.
    fn match_workers(
        &mut self,
        pool: &PoolView,
        clock: Clock,
        has_joined: bool,
        rings: &mut usize,
        max_rings: usize,
    ) {
        let keys = pool.workers.iter().map(|worker| &worker.identity.key);
        if self.workers.iter().map(|past| &past.key).eq(keys) {
            return;
        }
        let mut known = std::mem::take(&mut self.workers).into_iter().peekable();
        self.workers.reserve(pool.workers.len());
        for worker in pool.workers.iter() {
            let key = &worker.identity.key;
            while let Some(gone) = known.next_if(|past| past.key < *key) {
                *rings -= usize::from(gone.ring.is_some());
            }
            let past = known.next_if(|past| past.key == *key).unwrap_or_else(|| {
                let has_ring = *rings < max_rings;
                *rings += usize::from(has_ring);
                WorkerPast::new(worker, clock, has_joined, has_ring)
            });
            self.workers.push(past);
        }
        *rings -= known.filter(|gone| gone.ring.is_some()).count();
    }

    /// Its rates.
    pub fn rates(&self) -> Rates {
        self.meter.as_ref().map_or_else(Rates::default, Meter::rates)
    }

    /// Changes of its workers in the last hour, without those that joined in the first minute.
    pub fn changes_last_hour(&self) -> u64 {
        self.changes.grown()
    }

    /// Restarts of its workers in the last 15 minutes.
    pub fn restarts(&self) -> u64 {
        self.restarts.grown()
    }

    /// Replies that were refused in the last five minutes, by result.
    pub fn refused(&self) -> [(ReplyResult, u64); REFUSALS.len()] {
        let mut refused = REFUSALS.map(|result| (result, 0));
        for ((_, count), tally) in refused.iter_mut().zip(&self.refused) {
            *count = tally.grown();
        }
        refused
    }

    /// What is remembered of one of its workers.
    pub fn worker(&self, key: &WorkerKey) -> Option<&WorkerPast> {
        let place = self.workers.binary_search_by(|past| past.key.cmp(key)).ok()?;
        Some(&self.workers[place])
    }

    pub(super) fn seen_in(&self) -> u64 {
        self.seen_in
    }

    pub(super) fn has_ring(&self) -> bool {
        self.ring.is_some()
    }

    pub(super) fn rings(&self) -> usize {
        self.workers.iter().filter(|past| past.ring.is_some()).count()
    }

    pub(super) fn workers(&self) -> usize {
        self.workers.len()
    }

    pub(super) fn ring(&self) -> Option<&Ring> {
        self.ring.as_ref()
    }
}

impl WorkerPast {
    fn new(worker: &WorkerView, clock: Clock, has_joined: bool, has_ring: bool) -> Self {
        let counters = counters(worker);
        Self {
            key: worker.identity.key.clone(),
            first_seen: clock.now,
            has_joined,
            last: counters,
            meter: Meter::new(clock.now, counters),
            ring: has_ring.then(|| Ring::new(clock.point)),
        }
    }

    /// Takes in a view and returns what was counted since the one before.
    fn take_in(&mut self, worker: &WorkerView, clock: Clock) -> Counters {
        let now = counters(worker);
        let difference = now.after(&self.last);
        self.last = now;
        let rates = self.meter.take_in(clock.now, now);
        if let Some(ring) = &mut self.ring {
            ring.put(clock.point, point(worker, rates));
        }
        difference
    }

    /// Its rates.
    pub fn rates(&self) -> Rates {
        self.meter.rates()
    }

    /// Whether it joined a pool that was there before, less than a minute ago.
    pub fn is_new(&self, history: &History) -> bool {
        self.has_joined && history.clock.now.saturating_sub(self.first_seen) < NEW
    }

    pub(super) fn ring(&self) -> Option<&Ring> {
        self.ring.as_ref()
    }
}

impl Counters {
    /// What was counted since `before`; nothing of what began anew.
    fn after(&self, before: &Self) -> Self {
        let requests = self
            .requests
            .map(|requests| (requests - before.requests.unwrap_or(requests)).max(0.0));
        Self {
            requests,
            errors: (self.errors - before.errors).max(0.0),
            processing_seconds: (self.processing_seconds - before.processing_seconds).max(0.0),
            lookups: (self.lookups - before.lookups).max(0.0),
            hits: (self.hits - before.hits).max(0.0),
        }
    }
}

/// What a worker has counted. One that answers no request counts none.
fn counters(worker: &WorkerView) -> Counters {
    Counters {
        requests: (worker.source() != Source::Events).then_some(worker.requests),
        errors: worker.errors,
        processing_seconds: worker.processing_seconds.unwrap_or_default(),
        lookups: worker.lookup_blocks as f64,
        hits: worker.hit_blocks as f64,
    }
}

fn point(worker: &WorkerView, rates: Rates) -> Point {
    let load = worker.load.as_ref();
    let ratio = |pair: Option<(u64, u64)>| {
        let (active, capacity) = pair.filter(|(_, capacity)| *capacity > 0)?;
        Some(active as f64 / capacity as f64)
    };
    let kv = load.and_then(|load| {
        ratio(load.kv_blocks_active().zip(load.kv_blocks_capacity())).or(load.kv_usage_ratio())
    });
    let slots = load.and_then(|load| ratio(load.request_slots_active().zip(load.request_slots_capacity())));
    let waiting = load
        .and_then(WorkerStats::requests_waiting)
        .map(|waiting| waiting as f64);
    let hits = rates
        .hits
        .or_else(|| load.and_then(WorkerStats::prefix_cache_hit_ratio));
    match load {
        Some(_) => pack([kv, waiting, slots, rates.requests, rates.errors, hits]),
        // What is stale has no rates: its counters only stand still.
        None if worker.state != fleet::WorkerState::Fresh => super::ring::UNKNOWN,
        None => pack([None, None, None, rates.requests, rates.errors, hits]),
    }
}

fn pack(values: [Option<f64>; FIGURES]) -> Point {
    values.map(|value| value.map_or(f32::NAN, |value| value as f32))
}
