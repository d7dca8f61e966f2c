//! [`Pool`]: the workers of one path or service, and the books about its rounds, replies and events.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use slotmap::SlotMap;

use crate::aging::Aging;
use crate::changes::{Changes, Counted, Detail};
use crate::histogram::{PASS_BUCKETS, RATIO_BUCKETS, ROUND_BUCKETS};
use crate::mapped::Active;
use crate::matching::Target;
use crate::outcome::{
    ChangeCounts, EventCounts, EventResult, Finish, FinishCounts, ReplyCounts, ReplyResult, WorkerState,
};
use crate::plan::Capacity;
use crate::registry::Registered;
use crate::requests::RequestBooks;
use crate::roster::WorkerIdx;
use crate::snapshot::{Duplicate, PoolName, PoolView, WorkerKey, WorkerView};
use crate::sums::Sums;
use crate::worker::{Capacities, Worker};
use crate::{Histogram, Now, Settings};

/// Workers of one pool that are kept at most; twice the largest fleet.
pub(crate) const MAX_WORKERS: usize = 200_000;

/// Workers of one pool whose second instance is named.
const MAX_DUPLICATES: usize = 64;

/// One pool.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: PoolName,
    /// The exact path that is watched; `None` for a pool that a glob found, which is dropped with its last worker.
    pub(crate) target: Option<Arc<Target>>,
    /// Whether a service is watched by its exact name, so that it is reported even while it has no instances.
    pub(crate) is_named: bool,
    /// The place of the target in the plan.
    pub(crate) place: Option<usize>,
    /// What its workers can hold, where that is configured.
    pub(crate) capacity: Option<Capacity>,
    /// Labels that its operator gives it.
    pub(crate) labels: Arc<[(String, String)]>,
    /// What is mapped of its workers' data.
    pub(crate) mappings: Vec<Active>,
    pub(crate) workers: SlotMap<WorkerIdx, Worker>,
    pub(crate) by_key: HashMap<WorkerKey, WorkerIdx>,
    /// The workers in the order of their keys.
    order: Vec<WorkerIdx>,
    is_ordered: bool,
    /// What this round waits for, and what it has brought.
    pub(crate) expected: usize,
    pub(crate) answered: usize,
    pub(crate) refreshed: usize,
    /// Every worker has answered the last round, so that all are fresh and none is gone.
    pub(crate) all_answered: bool,
    pub(crate) books: Books,
    /// What instances of a plain service have counted that are gone.
    pub(crate) departed: Sums,
    /// What all of them have counted, as it was last shown.
    pub(crate) sums: Sums,
    pub(crate) changes: Changes,
    /// The workers that were last there.
    pub(crate) presence: Option<Presence>,
    pub(crate) up: bool,
    pub(crate) missing: u64,
    pub(crate) round_ended: Option<Duration>,
    view: Option<(Arc<PoolView>, Common)>,
    /// Whether a worker has changed since, or what is counted.
    workers_changed: bool,
    books_changed: bool,
    /// When a worker of the view becomes too old for what it shows.
    view_until: Duration,
}

/// The workers that a pool last had, for when it has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Presence {
    pub(crate) workers: usize,
    /// When one of them last gave a sign of life.
    pub(crate) until: Duration,
    /// Whether any of them answered requests.
    pub(crate) answered: bool,
    is_over: bool,
}

/// What is counted.
#[derive(Debug, Clone)]
pub(crate) struct Books {
    pub(crate) rounds: FinishCounts,
    pub(crate) round_seconds: Histogram,
    /// Replies that belong to this pool, by result.
    pub(crate) replies: ReplyCounts,
    /// What the collector had counted when the pool was made.
    since: Common,
    pub(crate) events: EventCounts,
    pub(crate) hit_ratios: Histogram,
    pub(crate) pass_seconds: Histogram,
    pub(crate) requests: Option<Box<RequestBooks>>,
    pub(crate) ignored: u64,
}

/// What is counted once for all pools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Common {
    /// All replies that have been counted; those below, and each pool's own, are a part of them.
    pub(crate) replies: u64,
    /// Replies that cannot be read; they may be of any pool.
    pub(crate) unreadable: u64,
    /// Replies that were not read.
    pub(crate) over_limit: u64,
}

impl Pool {
    /// A pool without workers, and what was counted of its workers when there last was one of this name.
    pub(crate) fn new(name: PoolName, changes: ChangeCounts, common: Common) -> Self {
        Self {
            changes: Changes::new(name.clone(), changes),
            name,
            target: None,
            is_named: false,
            place: None,
            capacity: None,
            labels: Arc::default(),
            mappings: Vec::new(),
            workers: SlotMap::with_key(),
            by_key: HashMap::new(),
            order: Vec::new(),
            is_ordered: true,
            expected: 0,
            answered: 0,
            refreshed: 0,
            all_answered: false,
            books: Books {
                rounds: FinishCounts::default(),
                round_seconds: Histogram::new(ROUND_BUCKETS),
                replies: ReplyCounts::default(),
                since: common,
                events: EventCounts::default(),
                hit_ratios: Histogram::new(RATIO_BUCKETS),
                pass_seconds: Histogram::new(PASS_BUCKETS),
                requests: None,
                ignored: 0,
            },
            departed: Sums::default(),
            sums: Sums::default(),
            presence: None,
            up: false,
            missing: 0,
            round_ended: None,
            view: None,
            workers_changed: false,
            books_changed: false,
            view_until: Duration::ZERO,
        }
    }

    /// Takes other mappings. What those before found is forgotten until the next reply.
    pub(crate) fn map_anew(&mut self, mappings: Vec<Active>) {
        if mappings
            .iter()
            .map(|active| &active.mapping)
            .eq(self.mappings.iter().map(|active| &active.mapping))
        {
            return;
        }
        self.mappings = mappings;
        for worker in self.workers.values_mut() {
            worker.found = None;
        }
    }

    /// Something that the pool's view shows has changed, perhaps of a worker.
    pub(crate) fn changed(&mut self) {
        self.workers_changed = true;
    }

    /// Something that is counted has changed, and no worker.
    pub(crate) fn books_changed(&mut self) {
        self.books_changed = true;
    }

    pub(crate) fn add(&mut self, worker: Worker, now: Now) -> WorkerIdx {
        self.changes.joined(&worker, now);
        let key = worker.identity.key.clone();
        let idx = self.workers.insert(worker);
        self.by_key.insert(key, idx);
        self.order.push(idx);
        self.is_ordered = false;
        self.changed();
        idx
    }

    pub(crate) fn remove(&mut self, idx: WorkerIdx, why: Detail, now: Now) -> Option<Worker> {
        let mut worker = self.workers.remove(idx)?;
        let state = match worker.counted.as_ref().is_some_and(Counted::is_fresh) {
            true => WorkerState::Fresh,
            false => WorkerState::Stale,
        };
        self.changes.viewed(&mut worker, state, now);
        self.changes.left(&worker, why, now);
        self.by_key.remove(&worker.identity.key);
        worker.add_to(&mut self.departed);
        self.changed();
        Some(worker)
    }

    /// Forgets the workers that are known by their events alone.
    pub(crate) fn forget_senders(&mut self, now: Now) {
        let alone = |(idx, worker): (WorkerIdx, &Worker)| (!worker.seen.has_answered()).then_some(idx);
        for idx in self.workers.iter().filter_map(alone).collect::<Vec<_>>() {
            self.remove(idx, Detail::Elsewhere, now);
        }
    }

    /// Whether the view shows something that is too old by now.
    pub(crate) fn is_outdated(&self, now: Now) -> bool {
        self.view.is_some() && now.mono > self.view_until
    }

    /// Marks the workers that the round of this number waits for: all that are fresh.
    pub(crate) fn begin_round(&mut self, number: u64, aging: &Aging, now: Now, settings: &Settings) {
        (self.expected, self.answered, self.refreshed) = (0, 0, 0);
        for worker in self.workers.values_mut() {
            if worker.double.is_some() {
                worker.forget_double(number, settings.gone_after);
            }
            if worker.seen.state(aging, now, settings) == WorkerState::Fresh {
                worker.expected_in = number;
                self.expected += 1;
            }
        }
    }

    /// Ends a round for this pool. One that ended for another pool's sake is complete for this one if all of its own
    /// workers answered.
    pub(crate) fn end_round(&mut self, finish: Finish, duration: Duration, now: Now) -> Finish {
        let is_complete = self.expected > 0 && self.answered >= self.expected;
        let finish = match finish {
            Finish::Stall | Finish::Deadline if is_complete => Finish::Complete,
            other => other,
        };
        self.books.rounds[finish] += 1;
        self.books.round_seconds.observe(duration.as_secs_f64());
        self.missing = self.expected.saturating_sub(self.refreshed) as u64;
        if finish != Finish::Error {
            self.round_ended = Some(now.unix);
        }
        self.all_answered = finish != Finish::Error && self.refreshed == self.workers.len();
        self.changed();
        finish
    }

    /// What all instances of a plain service's endpoint have counted.
    pub(crate) fn sums(&mut self) -> Option<Sums> {
        if matches!(self.name, PoolName::Workers(_)) {
            return None;
        }
        let mut sums = self.departed;
        self.workers.values().for_each(|worker| worker.add_to(&mut sums));
        self.sums = self.sums.max(sums);
        Some(self.sums)
    }

    /// How many workers are fresh at the end of a round.
    pub(crate) fn fresh(&self, aging: &Aging, now: Now, settings: &Settings) -> usize {
        if self.all_answered {
            return self.workers.len();
        }
        self.workers
            .values()
            .filter(|worker| worker.state(aging, now, settings) == WorkerState::Fresh)
            .count()
    }

    /// Whether all workers that the round waited for have missed this round and those before it, `rounds` in all, and none
    /// is heard.
    pub(crate) fn is_silent_for(&self, rounds: u32, aging: &Aging, now: Now, settings: &Settings) -> bool {
        let is_silent = |worker: &Worker| worker.is_silent_for(rounds, aging, now, settings);
        self.expected > 0 && self.answered == 0 && self.workers.values().all(is_silent)
    }

    /// Remembers the workers that are there after a round, or, where there are none, until when there were.
    pub(crate) fn note_presence(&mut self, present: usize, now: Now) {
        let answered = || self.workers.values().any(|worker| worker.seen.has_answered());
        if present > 0 {
            let answered = self.answered > 0 || answered();
            self.presence = Some(Presence {
                workers: present,
                until: now.mono,
                answered,
                is_over: false,
            });
            return;
        }
        let known = self.workers.len();
        let Some(until) = self.workers.values().filter_map(Worker::last_sign).max() else {
            return;
        };
        let answered = answered();
        let before = self.presence.filter(|presence| presence.is_over);
        self.presence = Some(Presence {
            workers: before.map_or(known, |before| before.workers.max(known)),
            until: before.map_or(until, |before| before.until.max(until)),
            answered: answered || before.is_some_and(|before| before.answered),
            is_over: true,
        });
    }

    /// The pool as everything else sees it; the same as before where nothing has changed.
    pub(crate) fn view(
        &mut self,
        common: &Common,
        aging: &Aging,
        now: Now,
        settings: &Settings,
        registered: Option<&Registered>,
    ) -> Arc<PoolView> {
        let is_current = !self.workers_changed && now.mono <= self.view_until;
        let known = self.view.as_ref().filter(|_| is_current);
        let has_same_books = |(_, counted): &&(_, Common)| counted == common && !self.books_changed;
        if let Some((view, _)) = known.filter(has_same_books) {
            return view.clone();
        }
        // Replies that other pools received change what is counted here, and no worker.
        let (workers, duplicates, totals) = match known {
            Some((view, _)) => (view.workers.clone(), view.duplicates.clone(), view.totals.clone()),
            None => {
                let (workers, duplicates) = self.workers_view(aging, now, settings, registered);
                (workers, duplicates, Arc::default())
            }
        };
        let view = Arc::new(PoolView {
            name: self.name.clone(),
            labels: self.labels.clone(),
            settings: *settings,
            workers,
            sums: self.sums(),
            duplicates,
            up: self.up,
            missing: self.missing,
            round_ended: self.round_ended,
            rounds: self.books.rounds,
            round_seconds: self.books.round_seconds.clone(),
            replies: self.books.replies(common),
            events: self.books.events,
            hit_ratios: self.books.hit_ratios.clone(),
            pass_seconds: self.books.pass_seconds.clone(),
            requests: self.books.requests.clone(),
            ignored: self.books.ignored,
            changes: self.changes.counts,
            totals,
        });
        self.view = Some((view.clone(), *common));
        self.books_changed = false;
        view
    }

    /// All workers as they are seen now, in the order of their keys.
    fn workers_view(
        &mut self,
        aging: &Aging,
        now: Now,
        settings: &Settings,
        registered: Option<&Registered>,
    ) -> (Arc<Vec<WorkerView>>, Arc<[Duplicate]>) {
        if !self.is_ordered || self.order.len() != self.workers.len() {
            let workers = &self.workers;
            self.order.retain(|idx| workers.contains_key(*idx));
            let key = |idx: &WorkerIdx| &workers[*idx].identity.key;
            self.order.sort_unstable_by(|a, b| key(a).cmp(key(b)));
            self.is_ordered = true;
        }
        let mut view_until = Duration::MAX;
        let changes = &mut self.changes;
        let mut duplicates = Vec::new();
        let shown = |idx: &WorkerIdx| {
            let worker = &mut self.workers[*idx];
            if let Some(until) = worker.holds_until(now, settings) {
                view_until = view_until.min(until);
            }
            let limits = Capacities {
                configured: self.capacity.as_ref(),
                registered: registered.and_then(|known| known.get(&worker.identity.key.id()?)),
            };
            if let Some(double) = worker
                .double
                .as_ref()
                .filter(|_| duplicates.len() < MAX_DUPLICATES)
            {
                duplicates.push(Duplicate {
                    worker: worker.identity.clone(),
                    other: double.instance.clone(),
                });
            }
            let view = worker.view(aging, now, settings, limits);
            changes.viewed(worker, view.state, now);
            view
        };
        let mut workers = Vec::with_capacity(room_for(self.order.len()));
        workers.extend(self.order.iter().map(shown));
        (self.workers_changed, self.view_until) = (false, view_until);
        (workers.into(), duplicates.into())
    }
}

/// Room for the view of so many workers. A large view is allocated by itself, so that its memory goes back to the system
/// when the next view replaces it; of the room, only what is written is taken.
fn room_for(workers: usize) -> usize {
    const LARGE_FLEET: usize = 2_000;
    const OWN_MAPPING: usize = (33 << 20) / size_of::<WorkerView>();
    match workers {
        0..LARGE_FLEET => workers,
        _ => workers.max(OWN_MAPPING),
    }
}

impl Books {
    pub(crate) fn count_events(&mut self, results: &EventCounts) {
        for result in EventResult::ALL {
            self.events[*result] += results[*result];
        }
    }

    /// Every reply has one result for every pool: what is no pool's own is foreign, and what cannot be read may be its own.
    pub(crate) fn replies(&self, common: &Common) -> ReplyCounts {
        let mut replies = self.replies;
        let since = &self.since;
        let unreadable = common.unreadable - since.unreadable;
        let over_limit = common.over_limit - since.over_limit;
        let readable = common.replies - since.replies - unreadable - over_limit;
        replies[ReplyResult::Foreign] += readable - self.replies.total();
        replies[ReplyResult::Malformed] += unreadable;
        replies[ReplyResult::OverLimit] += over_limit;
        replies
    }
}
