//! [`Worker`]: one member of a pool. What it last reported, when, and counters that outlive its restarts.

use std::sync::Arc;
use std::time::Duration;

use protocol::{EndpointLoad, KvMetrics, LoadSource, StatsShape, WorkerStats};
use time::OffsetDateTime;

use crate::aging::{Aging, Seen};
use crate::roster::{InstanceKey, SlotKey};
use crate::snapshot::{Identity, WorkerView};
use crate::{Now, Settings, WorkerState};

/// Ranks of a data-parallel group whose load is kept; a real group has a few dozen.
const MAX_RANKS: usize = 1024;

/// One worker of a pool.
#[derive(Debug)]
pub(crate) struct Worker {
    /// What does not change from round to round.
    pub(crate) identity: Arc<Identity>,
    /// Which endpoint of which instance speaks for it.
    pub(crate) holder: Holder,
    /// When it answered.
    pub(crate) seen: Seen,
    /// The round that waits for it, and the one that it answered last.
    pub(crate) expected_in: u64,
    pub(crate) answered_in: u64,
    counters: Counters,
    before: Before,
    step: Step,
    load: Option<WorkerStats>,
    shape: Option<StatsShape>,
    /// Load that events reported, for each rank; used where the statistics carry none.
    ranks: Vec<RankLoad>,
    lookup_blocks: u64,
    hit_blocks: u64,
}

/// Which endpoint of which instance speaks for a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) slot: SlotKey,
    pub(crate) instance: InstanceKey,
    pub(crate) started: Option<OffsetDateTime>,
    /// The instance has answered without this endpoint, so that another one may take the worker over.
    pub(crate) gave_up: bool,
}

/// A round, and how many snapshots there were: replies within one step are one change, whatever their order.
pub(crate) type Step = (u64, u64);

/// The worker's counters as its instances reported them, added up over restarts.
#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    requests: Accumulated,
    errors: Accumulated,
    seconds: Option<Accumulated>,
    restarts: u64,
}

/// The state before the current step, to which a younger instance's reply goes back.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    counters: Counters,
    instance: Option<InstanceKey>,
    started: Option<OffsetDateTime>,
}

/// A counter that begins again at zero when the worker restarts, added up so that it never runs backwards.
#[derive(Debug, Clone, Copy, Default)]
struct Accumulated {
    before: f64,
    current: f64,
}

/// What events reported about one rank.
#[derive(Debug)]
struct RankLoad {
    rank: u64,
    source: LoadSource,
    load: WorkerStats,
    at: Now,
    link_epoch: u32,
}

impl Holder {
    /// Whether `other` may not speak for the worker: a second instance with the same worker id, which started before this
    /// one, or at the same time under a smaller id, or under the same id of a service with a smaller name. It holds as long
    /// as this one is remembered, so that a younger instance which misses a round does not make the two alternate.
    pub(crate) fn outranks<'a>(
        &self,
        other: &Self,
        name_of: impl Fn(InstanceKey) -> Option<(&'a str, &'a str)>,
    ) -> bool {
        if self.instance == other.instance || self.gave_up {
            return false;
        }
        let by_age = self.started.cmp(&other.started);
        by_age
            .then_with(|| name_of(self.instance).cmp(&name_of(other.instance)))
            .is_gt()
    }
}

impl Accumulated {
    /// A count that is not reported is zero after a restart, because some clients leave zero out, and else what it was.
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

impl Before {
    /// A new instance is a restart, unless it started earlier: then it is a second one that goes on. With the same
    /// instance, only another *known* start time is a restart, because a reply that leaves the time out, or writes it
    /// unreadably, does not contradict. A counter that went back always is one.
    fn is_followed_by_restart(&self, holder: &Holder, reported: &EndpointLoad<'_>) -> bool {
        let Some(instance) = self.instance else {
            return false;
        };
        let (was, is) = (self.started, holder.started);
        let began_anew =
            instance != holder.instance || matches!((was, is), (Some(was), Some(is)) if was != is);
        let began_earlier = matches!((was, is), (Some(was), Some(is)) if is < was);
        let counters = &self.counters;
        let count = |count: Option<u64>| count.map(|n| n as f64);
        let went_back = [
            (count(reported.requests), counters.requests.current),
            (count(reported.errors), counters.errors.current),
            (
                reported.processing_seconds,
                counters.seconds.map_or(0.0, |seconds| seconds.current),
            ),
        ]
        .into_iter()
        .any(|(now, then)| now.is_some_and(|now| now < then));
        (began_anew && !began_earlier) || went_back
    }
}

impl Worker {
    /// A worker that has not been taken in yet.
    pub(crate) fn new(identity: Arc<Identity>, holder: Holder, seen: Seen) -> Self {
        Self {
            identity,
            holder,
            seen,
            expected_in: 0,
            answered_in: 0,
            counters: Counters::default(),
            before: Before::default(),
            step: (0, 0),
            load: None,
            shape: None,
            ranks: Vec::new(),
            lookup_blocks: 0,
            hit_blocks: 0,
        }
    }

    /// Takes in what an instance reports now; the caller has made sure that it may speak for the worker, and that its load
    /// can be used.
    pub(crate) fn take_in(&mut self, step: Step, holder: Holder, reported: &EndpointLoad<'_>) {
        if self.step == step {
            // A younger instance's reply replaces one that came before it in the same step, as if it had come alone.
            self.counters = self.before.counters;
        } else {
            let is_new = self.step == (0, 0);
            self.before = Before {
                counters: self.counters,
                instance: (!is_new).then_some(self.holder.instance),
                started: self.holder.started,
            };
            self.step = step;
        }
        let restarted = self.before.is_followed_by_restart(&holder, reported);
        if restarted {
            self.counters.restarts += 1;
            self.ranks.clear();
        }
        // The start time of an instance is known once it has been reported.
        let is_same = self.holder.instance == holder.instance;
        let started = holder.started.or(self.holder.started.filter(|_| is_same));
        self.holder = Holder { started, ..holder };
        let counters = &mut self.counters;
        let count = |count: Option<u64>| count.map(|n| n as f64);
        counters.requests.advance(count(reported.requests), restarted);
        counters.errors.advance(count(reported.errors), restarted);
        if reported.processing_seconds.is_some() || counters.seconds.is_some() {
            let seconds = counters.seconds.get_or_insert_default();
            seconds.advance(reported.processing_seconds, restarted);
        }
        if let Ok(reading) = &reported.load {
            self.load.clone_from(&reading.stats);
            self.shape = reading.shape;
        }
    }

    /// Reads a little from all over the worker, so that it is in the processor's cache. The result means nothing.
    pub(crate) fn touch(&self) -> u64 {
        let load = self.load.as_ref().and_then(WorkerStats::kv_blocks_active);
        let step = self.answered_in ^ self.step.0 ^ self.hit_blocks ^ self.counters.restarts;
        step ^ load.unwrap_or_default() ^ self.before.counters.restarts
    }

    /// Adds what hit-rate events counted.
    pub(crate) fn count_hits(&mut self, lookup_blocks: u64, hit_blocks: u64) {
        self.lookup_blocks = self.lookup_blocks.saturating_add(lookup_blocks);
        self.hit_blocks = self.hit_blocks.saturating_add(hit_blocks);
    }

    /// Takes in load that an event reports. A router's estimate does not overrule what the worker reports itself, as long
    /// as that is current.
    pub(crate) fn take_in_event(
        &mut self,
        event: &KvMetrics,
        now: Now,
        link_epoch: u32,
        settings: &Settings,
    ) {
        let Some(known) = self.ranks.iter_mut().find(|known| known.rank == event.dp_rank) else {
            self.ranks
                .retain(|rank| rank.is_current(now, link_epoch, settings));
            if self.ranks.len() < MAX_RANKS {
                self.ranks.push(RankLoad {
                    rank: event.dp_rank,
                    source: event.source,
                    load: event.stats.clone(),
                    at: now,
                    link_epoch,
                });
            }
            return;
        };
        let is_current = known.is_current(now, link_epoch, settings);
        if is_current && event.source < known.source {
            return;
        }
        known.load = match is_current && event.source == known.source {
            true => known.load.updated_by(&event.stats),
            false => event.stats.clone(),
        };
        (known.source, known.at, known.link_epoch) = (event.source, now, link_epoch);
    }

    /// Until when the view of a fresh worker holds, if nothing happens.
    pub(crate) fn holds_until(&self, now: Now, settings: &Settings) -> Option<Duration> {
        let ranks = self
            .ranks
            .iter()
            .map(|rank| rank.at.mono + settings.event_max_age);
        let ranks = ranks.filter(|until| now.mono <= *until);
        self.seen.fresh_until(settings).into_iter().chain(ranks).min()
    }

    /// The worker as everything else sees it.
    pub(crate) fn view(
        &self,
        state: WorkerState,
        aging: &Aging,
        now: Now,
        settings: &Settings,
    ) -> WorkerView {
        let current = || {
            self.ranks
                .iter()
                .filter(|rank| rank.is_current(now, aging.link_epoch, settings))
        };
        // Old values are never shown as current: a worker that is not fresh has no load.
        let load = match (state, &self.load) {
            (WorkerState::Fresh, Some(load)) => Some(load.clone()),
            (WorkerState::Fresh, None) if current().next().is_some() => {
                Some(WorkerStats::of_ranks(current().map(|rank| &rank.load)))
            }
            _ => None,
        };
        WorkerView {
            identity: self.identity.clone(),
            state,
            schema: match self.shape {
                Some(shape) => shape.as_str(),
                None if self.ranks.is_empty() => "none",
                None => "event",
            },
            load,
            last_seen: self.seen.unix().as_secs_f64(),
            started: self
                .holder
                .started
                .map(|started| started.unix_timestamp_nanos() as f64 / 1e9),
            requests: self.counters.requests.total(),
            errors: self.counters.errors.total(),
            processing_seconds: self.counters.seconds.map(Accumulated::total),
            restarts: self.counters.restarts,
            lookup_blocks: self.lookup_blocks,
            hit_blocks: self.hit_blocks,
            load_event: self
                .ranks
                .iter()
                .map(|rank| rank.at.unix)
                .max()
                .map(|at: Duration| at.as_secs_f64()),
        }
    }
}

impl RankLoad {
    /// What was reported before the link was lost, or too long ago, is unknown until it is reported again.
    fn is_current(&self, now: Now, link_epoch: u32, settings: &Settings) -> bool {
        self.link_epoch == link_epoch && now.mono.saturating_sub(self.at.mono) <= settings.event_max_age
    }
}
