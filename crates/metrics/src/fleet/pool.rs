//! One target's workers and the books about its rounds, replies and events.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use protocol::{EventError, KvHitRate, KvMetrics, WorkerId};
use tracing::{debug, warn};

use super::complaints::Complaints;
use super::settle::settle;
use super::snapshot::{Histogram, PoolView};
use super::worker::Worker;
use super::{Arrival, Counts, FleetSettings, Misses, RoundSummary, WorkerState, Workers};
use crate::gather::{Expected, Finish};
use crate::intake::{Judgement, ReplyResult, Sighting, WorkerKey};
use crate::matching::{NearMiss, Target};

/// Workers of one target that are kept at most; far above the largest fleet, it bounds what a hostile service costs.
const MAX_WORKERS: usize = 200_000;

/// Kinds of near misses that are kept for explanations.
const MAX_NEAR_MISSES: usize = 64;

/// Load events of workers not yet found that are kept, and for how many rounds.
const MAX_EARLY: usize = 4096;
const EARLY_ROUNDS: u32 = 2;

/// Upper bounds of the buckets for the duration of a round, in seconds.
const ROUND_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Upper bounds of the buckets for hit ratios.
const RATIO_BUCKETS: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// What became of an event; every event has exactly one result per target of its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventResult {
    /// It was taken in.
    Ok,
    /// It cannot be read.
    Malformed,
    /// A value in it is impossible.
    OutOfRange,
    /// No worker of the target has its id.
    UnknownWorker,
}

/// How many endpoints miss the target in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMissCount {
    /// In which way.
    pub miss: NearMiss,
    /// How many.
    pub count: u64,
}

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) target: Arc<Target>,
    pub(super) workers: Workers,
    up: bool,
    missing: u64,
    snapshot_at: Option<SystemTime>,
    rounds: Counts<Finish>,
    round_seconds: Histogram,
    replies: Counts<ReplyResult>,
    events: Counts<EventResult>,
    hit_ratios: Histogram,
    ignored: u64,
    near_misses: Counts<NearMiss>,
    foreign: u64,
    unreadable: u64,
    /// The last load events of workers that no round has found yet, by worker and rank, with their age in rounds.
    early: BTreeMap<(WorkerId, u64), (KvMetrics, u32)>,
    complaints: Complaints,
}

impl EventResult {
    /// All results.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Malformed, Self::OutOfRange, Self::UnknownWorker];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Malformed => "malformed",
            Self::OutOfRange => "out_of_range",
            Self::UnknownWorker => "unknown_worker",
        }
    }
}

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target: Arc::new(target),
            workers: Workers::new(),
            up: false,
            missing: 0,
            snapshot_at: None,
            rounds: Counts::new(),
            round_seconds: Histogram::new(&ROUND_BUCKETS),
            replies: Counts::new(),
            events: Counts::new(),
            hit_ratios: Histogram::new(&RATIO_BUCKETS),
            ignored: 0,
            near_misses: Counts::new(),
            foreign: 0,
            unreadable: 0,
            early: BTreeMap::new(),
            complaints: Complaints::default(),
        }
    }

    pub(super) fn expected(&self, settings: &FleetSettings) -> impl Iterator<Item = Expected> {
        let is_fresh = |worker: &&Worker| worker.state(settings) == WorkerState::Fresh;
        let key = |worker: &Worker| (worker.instance.id.clone(), worker.subject.clone());
        self.workers.values().filter(is_fresh).map(key)
    }

    /// A round that ended for another target's sake was complete for this one if all of its own workers answered.
    pub(super) fn finish(
        &self,
        round: Finish,
        answered: &HashSet<(&str, &str)>,
        settings: &FleetSettings,
    ) -> Finish {
        if !matches!(round, Finish::Stall | Finish::Deadline) {
            return round;
        }
        let mut expected = self.expected(settings).peekable();
        let knew_somebody = expected.peek().is_some();
        if knew_somebody && expected.all(|(id, subject)| answered.contains(&(&*id, &*subject))) {
            Finish::Complete
        } else {
            round
        }
    }

    pub(super) fn apply_round(
        &mut self,
        judged: &[Judgement],
        finish: Finish,
        summary: RoundSummary,
        misses: Misses,
        settings: &FleetSettings,
    ) {
        *self.rounds.entry(finish).or_default() += 1;
        self.round_seconds.observe(summary.duration.as_secs_f64());
        self.near_misses.clear();
        self.foreign = 0;
        self.unreadable = 0;

        let speaking: HashSet<&str> = judged
            .iter()
            .flat_map(|judgement| &judgement.sightings)
            .map(|sighting| &*sighting.instance.id)
            .collect();
        let (winners, results) = settle(judged, |sighting| self.is_outranked(sighting, &speaking));
        for (judgement, result) in judged.iter().zip(&results) {
            self.count_reply(judgement, *result, summary.now);
        }
        let mut was_fresh = 0_u64;
        let mut came_back = 0_u64;
        let mut seen = HashSet::new();
        for (key, sighting) in winners {
            if self.take_in(&key, sighting, summary.now, settings) {
                seen.insert(key);
            }
        }
        for (key, worker) in &mut self.workers {
            let fresh = worker.state(settings) == WorkerState::Fresh;
            if fresh {
                was_fresh += 1;
            }
            if seen.contains(key) {
                came_back += u64::from(fresh);
            } else {
                match misses {
                    Misses::Counted => worker.missed += 1,
                    Misses::Forgiven => {}
                    Misses::UntilStale => {
                        worker.missed = worker.missed.max((worker.missed + 1).min(settings.stale_after));
                    }
                }
                debug!(target = %self.target.path, worker = %key, missed = worker.missed, "worker did not answer");
            }
        }
        self.workers
            .retain(|_, worker| worker.missed < settings.gone_after);
        self.early.retain(|_, (_, age)| {
            *age += 1;
            *age < EARLY_ROUNDS
        });
        self.missing = was_fresh - came_back;
        let readable = judged.iter().any(|j| j.result != ReplyResult::Malformed);
        self.up = finish != Finish::Error && (readable || finish == Finish::NoResponders);
        if finish != Finish::Error {
            self.snapshot_at = Some(summary.now);
        }
    }

    pub(super) fn apply_between_rounds(
        &mut self,
        judgement: &Judgement,
        arrival: Arrival,
        now: SystemTime,
        settings: &FleetSettings,
    ) {
        let has_workers = !judgement.sightings.is_empty();
        match arrival {
            Arrival::Late if has_workers => return self.count_reply(judgement, ReplyResult::Late, now),
            Arrival::Repeated if has_workers => {
                return self.count_reply(judgement, ReplyResult::Duplicate, now);
            }
            _ => {}
        }
        let mut result = judgement.result;
        for sighting in &judgement.sightings {
            if self.is_outranked(sighting, &HashSet::new()) {
                result = ReplyResult::Duplicate;
            } else {
                self.take_in(&sighting.key, sighting, now, settings);
            }
        }
        self.count_reply(judgement, result, now);
    }

    /// Whether a younger instance holds the sighting's worker id. One of those that are `speaking`, and not for this
    /// id or it would win anyway, has given the id up.
    fn is_outranked(&self, sighting: &Sighting, speaking: &HashSet<&str>) -> bool {
        self.workers.get(&sighting.key).is_some_and(|holder| {
            holder.outranks(&sighting.instance) && !speaking.contains(&*holder.instance.id)
        })
    }

    pub(super) fn link_lost(&mut self, settings: &FleetSettings) {
        self.up = false;
        for worker in self.workers.values_mut() {
            worker.missed = worker.missed.max(settings.stale_after);
        }
    }

    pub(super) fn apply_hit_rate(&mut self, event: &Result<KvHitRate, EventError>) {
        let result = match event {
            Ok(event) => match self.workers.get_mut(&WorkerKey::Id(event.worker_id())) {
                Some(worker) => {
                    worker.count_hits(event);
                    if let Some(ratio) = event.hit_ratio() {
                        self.hit_ratios.observe(ratio);
                    }
                    EventResult::Ok
                }
                None => self.unknown(event.worker_id()),
            },
            Err(error) => self.refused(error),
        };
        *self.events.entry(result).or_default() += 1;
    }

    pub(super) fn apply_metrics(&mut self, event: &Result<KvMetrics, EventError>) {
        let result = match event {
            Ok(event) => match self.workers.get_mut(&WorkerKey::Id(event.worker_id)) {
                Some(worker) => {
                    worker.update_by_event(event);
                    match event.refused.iter().all(|error| error.fault.is_out_of_range()) {
                        _ if event.refused.is_empty() => EventResult::Ok,
                        true => EventResult::OutOfRange,
                        false => EventResult::Malformed,
                    }
                }
                None => {
                    self.keep_early(event);
                    self.unknown(event.worker_id)
                }
            },
            Err(error) => self.refused(error),
        };
        *self.events.entry(result).or_default() += 1;
    }

    /// A new worker may tell its load before a round finds it, and then not again until it changes.
    fn keep_early(&mut self, event: &KvMetrics) {
        let key = (event.worker_id, event.dp_rank);
        let has_room = self.early.len() < MAX_EARLY || self.early.contains_key(&key);
        let overrules = self
            .early
            .get(&key)
            .is_none_or(|(known, _)| event.source >= known.source);
        if has_room && overrules {
            self.early.insert(key, (event.clone(), 0));
        }
    }

    fn unknown(&self, worker: WorkerId) -> EventResult {
        debug!(target = %self.target.path, %worker, "event of an unknown worker");
        EventResult::UnknownWorker
    }

    fn refused(&self, error: &EventError) -> EventResult {
        debug!(target = %self.target.path, %error, "event refused");
        if error.is_out_of_range() {
            EventResult::OutOfRange
        } else {
            EventResult::Malformed
        }
    }

    fn count_reply(&mut self, judgement: &Judgement, result: ReplyResult, now: SystemTime) {
        self.complain(judgement, result, now);
        *self.replies.entry(result).or_default() += 1;
        if judgement.sightings.is_empty() && judgement.near_misses.is_empty() {
            let unreadable = judgement.result == ReplyResult::Malformed;
            *(if unreadable {
                &mut self.unreadable
            } else {
                &mut self.foreign
            }) += 1;
        }
        for miss in &judgement.near_misses {
            if let Some(count) = self.near_misses.get_mut(miss) {
                *count += 1;
            } else if self.near_misses.len() < MAX_NEAR_MISSES {
                self.near_misses.insert(miss.clone(), 1);
            }
        }
    }

    fn complain(&mut self, judgement: &Judgement, result: ReplyResult, now: SystemTime) {
        let target = &self.target.path;
        if let (ReplyResult::Duplicate, Some(Sighting { key, instance, .. })) =
            (result, judgement.sightings.first())
            && self.complaints.are_due(format!("duplicates of {key}"), now)
        {
            let service = &instance.id;
            warn!(%target, worker = %key, %service, "reply rejected: another one has come for the same worker");
        }
        for miss in judgement.near_misses.iter().filter(|miss| miss.is_about_the_id()) {
            if self.complaints.are_due(miss.to_string(), now) {
                warn!(%target, reason = %miss, "reply rejected: invalid subject");
            }
        }
    }

    /// Whether the worker counts as seen: a load of which nothing can be used refreshes nobody.
    fn take_in(
        &mut self,
        key: &WorkerKey,
        sighting: &Sighting,
        now: SystemTime,
        settings: &FleetSettings,
    ) -> bool {
        if let Some(reason) = sighting.complaint()
            && self.complaints.are_due(format!("data of {key}"), now)
        {
            warn!(target = %self.target.path, worker = %key, %reason, "reply rejected, in whole or in part");
        }
        if sighting.load.is_err() {
            return false;
        }
        if let Some(worker) = self.workers.get_mut(key) {
            if worker.state(settings) == WorkerState::Stale {
                debug!(target = %self.target.path, worker = %key, "stale worker answers again");
            }
            worker.update(sighting, now);
            return true;
        }
        if self.workers.len() >= MAX_WORKERS {
            self.ignored += 1;
            return false;
        }
        debug!(target = %self.target.path, worker = %key, layout = %sighting.layout, "new worker");
        let mut worker = Worker::new(sighting, now);
        if let WorkerKey::Id(id) = key {
            let ranks = self.early.range((*id, 0)..=(*id, u64::MAX));
            for told in ranks.map(|(told, _)| *told).collect::<Vec<_>>() {
                if let Some((event, _)) = self.early.remove(&told) {
                    worker.update_by_event(&event);
                }
            }
        }
        self.workers.insert(key.clone(), worker);
        true
    }

    pub(super) fn view(&self, settings: &FleetSettings) -> PoolView {
        let mut workers: Vec<_> = self.workers.iter().collect();
        workers.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let workers = workers
            .into_iter()
            .map(|(key, worker)| {
                let hex = if let WorkerKey::Id(id) = key {
                    format!("{id:x}")
                } else {
                    String::new()
                };
                worker.view(key.to_string(), hex, settings)
            })
            .collect();
        PoolView {
            target: self.target.clone(),
            workers,
            up: self.up,
            missing: self.missing,
            snapshot_at: self.snapshot_at,
            rounds: self.rounds.clone(),
            round_seconds: self.round_seconds.clone(),
            replies: self.replies.clone(),
            events: self.events.clone(),
            hit_ratios: self.hit_ratios.clone(),
            ignored: self.ignored,
            near_misses: self
                .near_misses
                .iter()
                .map(|(miss, &count)| NearMissCount {
                    miss: miss.clone(),
                    count,
                })
                .collect(),
            foreign: self.foreign,
            unreadable: self.unreadable,
        }
    }
}
