//! [`Heard`]: what events report of a worker, whether it answers requests or not.

use std::time::Duration;

use protocol::events::Topic;
use protocol::{KvMetrics, LoadSource, WorkerStats};

use crate::aging::Aging;
use crate::caches::{Cache, CacheSum};
use crate::passes::{EngineLoad, HEARTBEAT, PassCounts, PassSum, RankPasses};
use crate::sequences::Sequences;
use crate::snapshot::{EventScope, EventsView};
use crate::{Now, Settings};

/// Ranks of a data-parallel group whose load is kept; a real group has a few dozen.
pub(crate) const MAX_RANKS: usize = 1024;

/// Heartbeats that may be missed before a worker that sends them is stale, with half a one for delays.
const PATIENCE: Duration = HEARTBEAT
    .saturating_mul(7)
    .checked_div(2)
    .expect("two is not zero");

/// The ranks of an engine begin anew within this time of each other.
const RANKS_BEGIN_WITHIN: Duration = Duration::from_secs(30);

/// What events report of one worker.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// When the worker itself last published something, and in which epoch of the link.
    last: Option<(Now, u32)>,
    /// Whether it reports its passes, and with them a heartbeat.
    has_passes: bool,
    /// What the subjects of its own events say.
    scope: Option<EventScope>,
    /// When something about it last came, in Unix time.
    topics: [Option<Duration>; Topic::ALL.len()],
    /// Load by `kv_metrics`, for each rank.
    loads: Vec<RankLoad>,
    /// Prompt tokens that routers have assigned and the worker has not computed, for each rank.
    assigned: Vec<(u64, Stamped<u64>)>,
    passes: Vec<RankPasses>,
    counts: PassCounts,
    /// When its engine last began anew.
    began_anew: Option<Duration>,
    cache: Option<Box<Cache>>,
    pub(crate) sequences: Option<Box<Sequences>>,
    lost: [u64; Topic::ALL.len()],
}

/// What was reported, and when.
#[derive(Debug, Clone, Copy)]
struct Stamped<T> {
    value: T,
    at: Now,
    link_epoch: u32,
}

/// What `kv_metrics` events reported about one rank.
#[derive(Debug)]
struct RankLoad {
    rank: u64,
    source: LoadSource,
    load: WorkerStats,
    at: Now,
    link_epoch: u32,
}

impl Heard {
    /// Notes that an event about the worker came. One that the worker itself published, in this `scope`, shows that it
    /// lives.
    pub(crate) fn note(&mut self, topic: Topic, own: Option<EventScope>, now: Now, link_epoch: u32) {
        self.topics[topic as usize] = Some(now.unix);
        if own.is_some() {
            self.last = Some((now, link_epoch));
            self.scope = self.scope.max(own);
        }
    }

    /// Forgets the load of an engine that has been replaced.
    pub(crate) fn restarted(&mut self) {
        self.loads.clear();
        self.assigned.clear();
        self.passes.clear();
        if let Some(cache) = &mut self.cache {
            cache.restarted();
        }
        if let Some(sequences) = &mut self.sequences {
            sequences.forget();
        }
    }

    /// Takes in load that an event reports. A router's estimate does not overrule what the worker reports itself, as long
    /// as that is current.
    pub(crate) fn load(&mut self, event: &KvMetrics, now: Now, link_epoch: u32, settings: &Settings) {
        if let Some(value) = event.active_prefill_tokens {
            let estimate = Stamped {
                value,
                at: now,
                link_epoch,
            };
            let ranks = self.assigned.len();
            match self.assigned.iter_mut().find(|(rank, _)| *rank == event.dp_rank) {
                Some((_, known)) => *known = estimate,
                None if ranks < MAX_RANKS => self.assigned.push((event.dp_rank, estimate)),
                None => {}
            }
        }
        let Some(known) = self.loads.iter_mut().find(|known| known.rank == event.dp_rank) else {
            self.loads
                .retain(|rank| rank.is_current(now, link_epoch, settings));
            if self.loads.len() < MAX_RANKS {
                self.loads.push(RankLoad {
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

    /// Takes in passes of one rank. Returns whether they show that the engine has begun anew; all its ranks do so together.
    pub(crate) fn passes(
        &mut self,
        rank: u64,
        sum: &PassSum,
        now: Now,
        aging: &Aging,
        settings: &Settings,
    ) -> bool {
        self.has_passes = true;
        self.counts.add(&sum.counts);
        let place = match self.passes.iter().position(|known| known.rank == rank) {
            Some(place) => place,
            None => {
                let limit = patience(settings);
                self.passes
                    .retain(|rank| rank.is_current(now, aging.link_epoch, limit));
                if self.passes.len() >= MAX_RANKS {
                    return false;
                }
                self.passes.push(RankPasses::new(rank, sum));
                self.passes.len() - 1
            }
        };
        let is_recent = |at: Duration| now.mono.saturating_sub(at) < RANKS_BEGIN_WITHIN;
        let begins_anew = self.passes[place].begins_anew(sum, now) && !self.began_anew.is_some_and(is_recent);
        if begins_anew {
            self.began_anew = Some(now.mono);
        }
        let lost = sum.lost + self.passes[place].take_in(sum, now, aging.link_epoch);
        self.lost(Topic::ForwardPass, lost);
        begins_anew
    }

    /// Takes in what one rank's cache stored and removed.
    pub(crate) fn cache(&mut self, rank: u64, sum: &CacheSum) {
        let lost = self.cache.get_or_insert_default().take_in(rank, sum);
        self.lost(Topic::KvEvents, lost);
    }

    /// Counts messages that did not come.
    pub(crate) fn lost(&mut self, topic: Topic, count: u64) {
        let lost = &mut self.lost[topic as usize];
        *lost = lost.saturating_add(count);
    }

    /// Whether the worker has published something itself, recently enough to show that it lives. One that `answers`
    /// requests, or sends heartbeats, is known to be silent much sooner than one that only reports changes.
    pub(crate) fn is_fresh(&self, answers: bool, aging: &Aging, now: Now, settings: &Settings) -> bool {
        self.last.is_some_and(|(last, link_epoch)| {
            let limit = self.fresh_for(answers, settings);
            link_epoch == aging.link_epoch && now.mono.saturating_sub(last.mono) <= limit
        })
    }

    /// When the worker itself last published something.
    pub(crate) fn last(&self) -> Option<Duration> {
        self.last.map(|(last, _)| last.mono)
    }

    /// Whether it has been silent for so long that it is gone. Time without a link does not count.
    pub(crate) fn is_gone(&self, answers: bool, aging: &Aging, now: Now, settings: &Settings) -> bool {
        let limit = match self.is_regular(answers) {
            true => settings.event_gone_after,
            false => settings.event_idle_gone_after,
        };
        self.last
            .is_none_or(|(last, _)| aging.listened_since(last.mono, now) > limit)
    }

    /// Until when what it shows holds, if nothing more is heard.
    pub(crate) fn holds_until(
        &self,
        answers: bool,
        now: Now,
        settings: &Settings,
    ) -> impl Iterator<Item = Duration> {
        let fresh = self
            .last
            .map(|(last, _)| last.mono + self.fresh_for(answers, settings));
        let loads = self
            .loads
            .iter()
            .map(|rank| rank.at.mono + settings.event_max_age);
        let limit = patience(settings);
        let passes = self.passes.iter().map(move |rank| rank.holds_until(limit));
        fresh
            .into_iter()
            .chain(loads)
            .chain(passes)
            .filter(move |until| now.mono <= *until)
    }

    /// The load that events report, if it is current.
    pub(crate) fn current_load(&self, aging: &Aging, now: Now, settings: &Settings) -> Option<WorkerStats> {
        let current = |rank: &&RankLoad| rank.is_current(now, aging.link_epoch, settings);
        let has_loads = self.loads.iter().any(|rank| current(&rank));
        let engine = self.engine_load(aging, now, settings);
        if !has_loads && engine.is_none() {
            return None;
        }
        let stats = WorkerStats::of_ranks(self.loads.iter().filter(current).map(|rank| &rank.load));
        Some(match engine {
            Some(engine) => {
                let total = |phases: [u64; 2]| phases[0].saturating_add(phases[1]);
                stats.with_requests(total(engine.running), total(engine.queued))
            }
            None => stats,
        })
    }

    pub(crate) fn has_load(&self) -> bool {
        !self.loads.is_empty() || self.has_passes
    }

    fn engine_load(&self, aging: &Aging, now: Now, settings: &Settings) -> Option<EngineLoad> {
        let limit = patience(settings);
        let current = |rank: &&RankPasses| rank.is_current(now, aging.link_epoch, limit);
        EngineLoad::of(self.passes.iter().filter(current))
    }

    pub(crate) fn view(&self, aging: &Aging, now: Now, settings: &Settings) -> EventsView {
        let is_current = |estimate: &Stamped<u64>| {
            estimate.link_epoch == aging.link_epoch
                && now.mono.saturating_sub(estimate.at.mono) <= settings.event_max_age
        };
        let assigned = self.assigned.iter().map(|(_, estimate)| estimate);
        EventsView {
            is_heard: self.last.is_some(),
            scope: self.scope,
            topics: self.topics.map(|at| at.map(|at| at.as_secs_f64())),
            engine: self.engine_load(aging, now, settings),
            passes: self.has_passes.then_some(self.counts),
            prefill_load_tokens: assigned
                .filter(|estimate| is_current(estimate))
                .map(|estimate| estimate.value)
                .reduce(u64::saturating_add),
            cache: self.cache.as_ref().map(|cache| Box::new(cache.counts)),
            sequences: (self.sequences.as_ref()).map(|known| Box::new(known.view(aging.link_epoch))),
            lost: self.lost,
        }
    }

    fn fresh_for(&self, answers: bool, settings: &Settings) -> Duration {
        match self.is_regular(answers) {
            true => patience(settings),
            false => settings.event_max_age,
        }
    }

    fn is_regular(&self, answers: bool) -> bool {
        answers || self.has_passes
    }
}

/// How long a worker that reports its passes may be silent before nothing that it reported is current.
fn patience(settings: &Settings) -> Duration {
    PATIENCE.min(settings.event_gone_after)
}

impl RankLoad {
    /// What was reported before the link was lost, or too long ago, is unknown until it is reported again.
    fn is_current(&self, now: Now, link_epoch: u32, settings: &Settings) -> bool {
        self.link_epoch == link_epoch && now.mono.saturating_sub(self.at.mono) <= settings.event_max_age
    }
}
