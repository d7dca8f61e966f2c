//! Opt-in topics: what caches store, and requests as routers assign them.

use std::time::Duration;

use protocol::events::Topic;

use super::Core;
use super::events::{Sender, taken};
use super::places::Place;
use crate::Now;
use crate::events::opt_in::OptIn;

/// Requests of all workers that are remembered.
const MAX_REQUESTS: usize = 1_000_000;

/// How often requests of which nothing more is heard are looked for.
const CHECK: Duration = Duration::from_secs(10);

/// How many requests are remembered, and when they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// At most so many; they are counted exactly when they are looked at.
    count: usize,
    checked: Duration,
    is_any: bool,
}

impl Requests {
    /// When they are looked at next.
    pub(super) fn checked_at(&self) -> Option<Duration> {
        self.is_any.then(|| self.checked + CHECK)
    }
}

impl Core {
    /// Takes in what caches stored and removed. Only workers themselves report that.
    pub(super) fn cache_events<'a>(&mut self, batch: &OptIn, place: impl Fn(&u32) -> &'a Place, now: Now) {
        let mut caches: Vec<_> = batch.caches.iter().collect();
        caches.sort_unstable_by_key(|(key, _)| **key);
        for ((subject, worker, rank), sum) in caches {
            let sender = Sender {
                place: place(subject),
                topic: Topic::KvEvents,
                worker: *worker,
                is_own: true,
            };
            if let Some((pool, worker)) = self.sender(&sender, &taken(sum.messages), now) {
                self.pools[pool].workers[worker].heard().cache(*rank, sum);
            }
        }
    }

    /// Takes in what happened to requests. What routers report of a worker is no sign of its life.
    pub(super) fn sequence_events<'a>(&mut self, batch: &OptIn, place: impl Fn(&u32) -> &'a Place, now: Now) {
        let mut sequences: Vec<_> = batch.sequences.iter().collect();
        sequences.sort_unstable_by_key(|(key, _)| **key);
        for ((subject, worker), of_worker) in sequences {
            let sender = Sender {
                place: place(subject),
                topic: Topic::ActiveSequences,
                worker: *worker,
                is_own: of_worker.is_own,
            };
            let results = taken(of_worker.steps.len() as u64);
            let Some((pool, worker)) = self.sender(&sender, &results, now) else {
                continue;
            };
            let heard = self.pools[pool].workers[worker].heard();
            let known = heard.sequences.get_or_insert_default();
            let before = MAX_REQUESTS.saturating_sub(self.requests.count);
            let mut room = before;
            let epoch = self.aging.link_epoch;
            let turned_away = known.take_in(&of_worker.steps, now, epoch, &mut room);
            self.requests.count += before - room;
            self.hearing.unassigned.over_limit += turned_away;
            if !std::mem::replace(&mut self.requests.is_any, true) {
                self.requests.checked = now.mono;
            }
        }
    }

    /// Forgets requests whose end was lost.
    pub(super) fn expire_requests(&mut self, now: Now) {
        if self.requests.checked_at().is_none_or(|at| now.mono < at) {
            return;
        }
        let (mut count, mut is_any, mut is_dirty) = (0, false, false);
        for pool in self.pools.values_mut() {
            let mut has_changed = false;
            let heard = pool
                .workers
                .values_mut()
                .filter_map(|worker| worker.heard.as_mut());
            for known in heard.filter_map(|heard| heard.sequences.as_mut()) {
                has_changed |= known.expire(now);
                count += known.len();
                is_any |= !known.is_idle();
            }
            if has_changed {
                pool.changed();
                is_dirty = true;
            }
        }
        self.requests = Requests {
            count,
            checked: now.mono,
            is_any,
        };
        if is_dirty {
            self.dirty(now);
        }
    }
}
