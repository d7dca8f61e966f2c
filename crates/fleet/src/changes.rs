//! [`Changes`]: what changes in the lives of a pool's workers: counted, kept for the log, and the last of it for people.
//!
//! That a worker joins or leaves, or reports what is refused, is noted when it happens. All else is a difference between two views of the worker, so it
//! does not depend on the order of replies between them, and never disagrees with what the views show.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::outcome::{Change, ChangeCounts, WorkerState};
use crate::remembered::Remembered;
use crate::snapshot::{Identity, PoolName};
use crate::worker::Worker;
use crate::{Now, notice::REPEAT_AFTER};

/// Changes that are remembered, over all pools.
pub const RECENT_CHANGES: usize = 256;

/// Characters of a reason that are remembered.
const REASON: usize = 200;

/// Workers that one message names.
const NAMED_WORKERS: usize = 10;

/// Pools whose counts outlive them.
const MAX_DROPPED: usize = 10_000;

/// One change.
#[derive(Debug, Clone)]
pub struct WorkerChange {
    /// When it was noticed, in Unix time.
    pub at: Duration,
    /// The worker's pool.
    pub pool: Arc<PoolName>,
    /// The worker as it is since, or as it last was.
    pub worker: Arc<Identity>,
    /// What has changed.
    pub change: Change,
    /// More of it.
    pub detail: Detail,
}

/// What else is known of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    None,
    /// It left because it was silent for too long.
    Silent,
    /// It left because it belongs to another pool, or to none that is watched.
    Elsewhere,
    /// Before, this instance spoke for it.
    InPlaceOf(Arc<str>),
    /// This is wrong with what it reports.
    Wrong(Arc<str>),
}

/// The changes of one pool.
#[derive(Debug)]
pub(crate) struct Changes {
    pool: Arc<PoolName>,
    pub(crate) counts: ChangeCounts,
    recent: VecDeque<WorkerChange>,
    unsaid: [Unsaid; Change::ALL.len()],
    has_left_now: bool,
}

/// Changes of one kind that the log does not have yet.
#[derive(Debug, Default)]
struct Unsaid {
    count: usize,
    named: Vec<String>,
    said: Option<Duration>,
}

/// What of a worker the last view showed.
#[derive(Debug)]
pub(crate) struct Counted {
    identity: Arc<Identity>,
    restarts: u64,
    is_fresh: bool,
}

impl Counted {
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_fresh
    }
}

impl Changes {
    pub(crate) fn new(pool: PoolName, counts: ChangeCounts) -> Self {
        Self {
            pool: pool.into(),
            counts,
            recent: VecDeque::new(),
            unsaid: Default::default(),
            has_left_now: false,
        }
    }

    pub(crate) fn joined(&mut self, worker: &Worker, now: Now) {
        self.note(Change::Joined, &worker.identity, Detail::None, now);
    }

    pub(crate) fn left(&mut self, worker: &Worker, why: Detail, now: Now) {
        self.has_left_now = true;
        self.note(Change::Left, &worker.identity, why, now);
    }

    /// A worker reports what cannot be used, after it did not. The log has that already.
    pub(crate) fn refused(&mut self, worker: &Worker, why: &str, now: Now) {
        let end = why.char_indices().nth(REASON).map_or(why.len(), |(end, _)| end);
        self.note(
            Change::Refused,
            &worker.identity,
            Detail::Wrong(why[..end].into()),
            now,
        );
    }

    /// Notes in what a worker differs from its last view.
    pub(crate) fn viewed(&mut self, worker: &mut Worker, state: WorkerState, now: Now) {
        let (is_fresh, restarts) = (state == WorkerState::Fresh, worker.restarts());
        let Some(counted) = &mut worker.counted else {
            worker.counted = Some(Counted {
                identity: worker.identity.clone(),
                restarts,
                is_fresh,
            });
            return;
        };
        let mut began_anew = restarts.saturating_sub(std::mem::replace(&mut counted.restarts, restarts));
        if !Arc::ptr_eq(&counted.identity, &worker.identity) {
            let before = std::mem::replace(&mut counted.identity, worker.identity.clone());
            let instance = &before.service_id;
            if !instance.is_empty() && *instance != worker.identity.service_id {
                began_anew = began_anew.saturating_sub(1);
                let detail = Detail::InPlaceOf(instance.clone());
                self.note(Change::Replaced, &worker.identity, detail, now);
            }
        }
        if began_anew > 0 {
            self.note(Change::Restarted, &worker.identity, Detail::None, now);
            self.counts[Change::Restarted] += began_anew - 1;
        }
        match (std::mem::replace(&mut counted.is_fresh, is_fresh), is_fresh) {
            (true, false) => self.note(Change::Stale, &worker.identity, Detail::None, now),
            (false, true) => self.note(Change::Recovered, &worker.identity, Detail::None, now),
            _ => {}
        }
    }

    fn note(&mut self, change: Change, worker: &Arc<Identity>, detail: Detail, now: Now) {
        self.counts[change] += 1;
        let unsaid = &mut self.unsaid[change as usize];
        unsaid.count += 1;
        if unsaid.named.len() < NAMED_WORKERS {
            unsaid.named.push(match &detail {
                Detail::None | Detail::Wrong(_) => worker.worker_id.to_string(),
                Detail::InPlaceOf(_) => format!("{} ({} {detail})", worker.worker_id, worker.service_id),
                Detail::Silent | Detail::Elsewhere => format!("{} ({detail})", worker.worker_id),
            });
        }
        if self.recent.len() >= RECENT_CHANGES {
            self.recent.pop_front();
        }
        self.recent.push_back(WorkerChange {
            at: now.unix,
            pool: self.pool.clone(),
            worker: worker.clone(),
            change,
            detail,
        });
    }

    /// The last changes that were not taken yet.
    pub(crate) fn take_recent(&mut self) -> impl Iterator<Item = WorkerChange> {
        self.recent.drain(..)
    }

    pub(crate) fn has_recent(&self) -> bool {
        !self.recent.is_empty()
    }

    /// Whether a worker has left since this was last asked.
    pub(crate) fn take_has_left(&mut self) -> bool {
        std::mem::take(&mut self.has_left_now)
    }

    pub(crate) fn has_unsaid(&self, change: Change) -> bool {
        self.unsaid[change as usize].count > 0
    }

    /// The log has what these changes have come to.
    pub(crate) fn forget_unsaid(&mut self, change: Change) {
        let unsaid = &mut self.unsaid[change as usize];
        unsaid.count = 0;
        unsaid.named.clear();
    }

    /// How many workers have changed so, and which, if that is to be said: at most once a minute.
    pub(crate) fn take_unsaid(&mut self, change: Change, now: Duration) -> Option<(usize, String)> {
        let unsaid = &mut self.unsaid[change as usize];
        let is_due = unsaid.said.is_none_or(|at| now - at >= REPEAT_AFTER);
        if unsaid.count == 0 || !is_due {
            return None;
        }
        unsaid.said = Some(now);
        let count = std::mem::take(&mut unsaid.count);
        Some((count, named(&std::mem::take(&mut unsaid.named), count)))
    }
}

/// Some of `count` workers by name.
pub(crate) fn named(workers: &[String], count: usize) -> String {
    let shown = workers[..workers.len().min(NAMED_WORKERS)].join(", ");
    match count.checked_sub(NAMED_WORKERS) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

fn keep_last(changes: &mut Vec<WorkerChange>) {
    changes.sort_by_key(|change| change.at);
    changes.drain(..changes.len().saturating_sub(RECENT_CHANGES));
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Silent => f.write_str("silent for too long"),
            Self::Elsewhere => f.write_str("no longer in this pool"),
            Self::InPlaceOf(instance) => write!(f, "in place of {instance}"),
            Self::Wrong(why) => f.write_str(why),
        }
    }
}

/// The last changes of all pools, the oldest first, and the counts of pools that were dropped: they go on when the pool
/// comes back, so that no counter runs backwards.
#[derive(Debug, Default)]
pub(crate) struct ChangeLog {
    recent: Arc<Vec<WorkerChange>>,
    dropped: Remembered<PoolName, ChangeCounts>,
}

impl ChangeLog {
    /// Takes what is new of these pools.
    pub(crate) fn take_in<'a>(&mut self, pools: impl Iterator<Item = &'a mut Changes>) {
        let mut new: Vec<WorkerChange> = Vec::new();
        for changes in pools.filter(|changes| changes.has_recent()) {
            new.extend(changes.take_recent());
            if new.len() > 8 * RECENT_CHANGES {
                keep_last(&mut new);
            }
        }
        if new.is_empty() {
            return;
        }
        // A reply that waited for a description counts from when it came.
        new.splice(0..0, self.recent.iter().cloned());
        keep_last(&mut new);
        self.recent = Arc::new(new);
    }

    pub(crate) fn recent(&self) -> Arc<Vec<WorkerChange>> {
        self.recent.clone()
    }

    /// A pool is dropped. Of very many pools, those that were dropped first are forgotten.
    pub(crate) fn dropped(&mut self, name: PoolName, counts: ChangeCounts) {
        self.dropped.put(name, counts, MAX_DROPPED);
    }

    /// What was counted of a pool that comes back.
    pub(crate) fn back(&mut self, name: &PoolName) -> ChangeCounts {
        self.dropped.take(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_workers_are_counted_and_some_named() {
        let workers: Vec<String> = (0..12).map(|id| id.to_string()).collect();
        assert_eq!(named(&workers, 12), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
        assert_eq!(named(&workers[..2], 2), "0, 1");
    }

    #[test]
    fn of_very_many_dropped_pools_the_oldest_counts_are_forgotten() {
        let name = |n: usize| PoolName::Workers(format!("a/b{n}/c").parse().expect("a path"));
        let mut counts = ChangeCounts::default();
        counts[Change::Joined] = 1;
        let mut log = ChangeLog::default();
        for n in 0..3 * MAX_DROPPED {
            log.dropped(name(n), counts);
            assert!(log.dropped.len() <= MAX_DROPPED);
        }
        assert_eq!(log.back(&name(3 * MAX_DROPPED - 1)), counts);
        assert_eq!(log.back(&name(0)), ChangeCounts::default());
    }
}
