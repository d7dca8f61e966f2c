//! Events: to whom they belong, and those that come before their worker is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use protocol::{EndpointPath, KvMetrics, LoadSource, WorkerId, subject};
use smallvec::SmallVec;

use super::{Core, Effect};
use crate::events::{EventBatch, SubjectId, Topic};
use crate::outcome::EventResult;
use crate::roster::{PoolKey, WorkerIdx};
use crate::snapshot::{PoolName, WorkerKey};
use crate::{EventCounts, Now};

/// Load events of workers not yet found that are kept, and for how many rounds.
const MAX_EARLY: usize = 4096;
const EARLY_ROUNDS: u32 = 2;

/// The subjects that are listened to, and the pools that each may concern.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    by_subject: BTreeMap<(Arc<str>, Topic), SubjectId>,
    pools: HashMap<SubjectId, SmallVec<[PoolKey; 2]>>,
    last: SubjectId,
}

/// Load that was reported by workers that no round has found yet: they report it when they start, and then not again
/// until it changes.
#[derive(Debug, Default)]
pub(super) struct Early(HashMap<(PoolKey, WorkerId), Vec<EarlyLoad>>);

/// The event, when it came, and how many rounds ago.
type EarlyLoad = (KvMetrics, Now, u32);

#[cfg(test)]
impl Listeners {
    /// Panics where a subject leads to a pool that is not there, or to none.
    pub(super) fn assert_lead_to(&self, is_there: impl Fn(PoolKey) -> bool) {
        assert_eq!(self.by_subject.len(), self.pools.len());
        for pools in self.pools.values() {
            assert!(!pools.is_empty() && pools.iter().all(|pool| is_there(*pool)));
        }
    }
}

impl Early {
    pub(super) fn grow_old(&mut self) {
        self.0.retain(|_, events| {
            events.retain_mut(|(_, _, age)| {
                *age += 1;
                *age < EARLY_ROUNDS
            });
            !events.is_empty()
        });
    }

    fn keep(&mut self, pool: PoolKey, event: &KvMetrics, now: Now) {
        let key = (pool, event.worker_id);
        let is_same = |known: &KvMetrics| known.dp_rank == event.dp_rank && known.source == event.source;
        if self.0.len() >= MAX_EARLY && !self.0.contains_key(&key) {
            return;
        }
        let events = self.0.entry(key).or_default();
        events.retain(|(known, _, _)| !is_same(known));
        if events.len() < 64 {
            events.push((event.clone(), now, 0));
        }
    }
}

impl Core {
    /// Listens to every subject at which an event about the workers of a path may be published.
    pub(super) fn listen(&mut self, pool: PoolKey, path: &EndpointPath) {
        for topic in Topic::ALL {
            for subject in subject::events_of(path, topic.as_str()) {
                let subject: Arc<str> = subject.into();
                let key = (subject.clone(), topic);
                let id = match self.listeners.by_subject.get(&key) {
                    Some(&id) => id,
                    None => {
                        self.listeners.last += 1;
                        let id = self.listeners.last;
                        self.listeners.by_subject.insert(key, id);
                        self.effects.push(Effect::Listen { id, subject, topic });
                        id
                    }
                };
                let pools = self.listeners.pools.entry(id).or_default();
                if !pools.contains(&pool) {
                    pools.push(pool);
                }
            }
        }
    }

    /// Ceases to listen for a pool that is dropped.
    pub(super) fn unlisten(&mut self, pool: PoolKey) {
        let Listeners {
            by_subject, pools, ..
        } = &mut self.listeners;
        let effects = &mut self.effects;
        by_subject.retain(|_, id| {
            let Some(of_subject) = pools.get_mut(id) else {
                return false;
            };
            of_subject.retain(|known| *known != pool);
            let is_used = !of_subject.is_empty();
            if !is_used {
                pools.remove(id);
                effects.push(Effect::Unlisten { id: *id });
            }
            is_used
        });
        self.early.0.retain(|(known, _), _| *known != pool);
    }

    /// Takes in events. An event about a worker of one pool is no unknown worker's for another.
    pub(super) fn events(&mut self, batch: EventBatch, now: Now) {
        let mut hits: Vec<_> = batch.hits.iter().collect();
        // Sums of ratios depend on the order in which they are added.
        hits.sort_unstable_by_key(|(key, _)| **key);
        for ((subject, worker), hits) in hits {
            let mut results = EventCounts::default();
            match self.worker_of(*subject, *worker) {
                Some((pool, worker)) => {
                    let pool = &mut self.pools[pool];
                    pool.workers[worker].count_hits(hits.lookup_blocks, hits.hit_blocks);
                    pool.books.hit_ratios.merge(&hits.ratios);
                    pool.books.events[EventResult::Ok] += hits.events;
                    pool.changed();
                }
                None => {
                    results[EventResult::UnknownWorker] = hits.events;
                    self.count_events(*subject, &results);
                }
            }
        }
        let mut loads: Vec<_> = batch.loads.into_iter().collect();
        // Of one worker's rank, the most trustworthy source comes last.
        loads.sort_unstable_by_key(|(key, _)| *key);
        for ((subject, worker, _, _), load) in &loads {
            self.load_event(*subject, *worker, &load.event, &load.results, now);
        }
        for (subject, results) in &batch.refused {
            self.count_events(*subject, results);
        }
        self.dirty(now);
    }

    fn load_event(
        &mut self,
        subject: SubjectId,
        worker: WorkerId,
        event: &KvMetrics,
        results: &EventCounts,
        now: Now,
    ) {
        let (epoch, settings) = (self.aging.link_epoch, self.settings());
        match self.worker_of(subject, worker) {
            Some((pool, worker)) => {
                let pool = &mut self.pools[pool];
                pool.workers[worker].take_in_event(event, now, epoch, &settings);
                for result in EventResult::ALL {
                    pool.books.events[*result] += results[*result];
                }
                pool.changed();
            }
            None => {
                for pool in self.listeners.pools.get(&subject).into_iter().flatten() {
                    self.early.keep(*pool, event, now);
                }
                let mut unknown = EventCounts::default();
                unknown[EventResult::UnknownWorker] = results.total();
                self.count_events(subject, &unknown);
            }
        }
    }

    /// Counts events that are no known worker's for every pool that they may concern.
    fn count_events(&mut self, subject: SubjectId, results: &EventCounts) {
        for key in self.listeners.pools.get(&subject).into_iter().flatten() {
            let Some(pool) = self.pools.get_mut(*key) else {
                continue;
            };
            for result in EventResult::ALL {
                pool.books.events[*result] += results[*result];
            }
            if results[EventResult::UnknownWorker] > 0 {
                self.voice.unknown_worker(*key);
            }
            pool.changed();
        }
    }

    fn worker_of(&self, subject: SubjectId, worker: WorkerId) -> Option<(PoolKey, WorkerIdx)> {
        let key = WorkerKey::Id(worker);
        let mut pools = self.listeners.pools.get(&subject)?.iter();
        pools.find_map(|pool| Some((*pool, *self.pools.get(*pool)?.by_key.get(&key)?)))
    }

    /// Load that was reported before the worker was found.
    pub(super) fn apply_early(&mut self, pool_key: PoolKey, worker: WorkerIdx) {
        let (epoch, settings) = (self.aging.link_epoch, self.settings());
        let pool = &mut self.pools[pool_key];
        let WorkerKey::Id(id) = pool.workers[worker].identity.key else {
            return;
        };
        let mut events = self.early.0.remove(&(pool_key, id)).unwrap_or_default();
        events.sort_by_key(|(event, _, _)| event.source);
        for (event, at, _) in &events {
            pool.workers[worker].take_in_event(event, *at, epoch, &settings);
        }
    }

    /// The sources of load that a pool may listen to.
    pub(super) fn listens(&self, name: &PoolName) -> Option<EndpointPath> {
        match name {
            PoolName::Workers(path) => Some(path.clone()),
            PoolName::Service { .. } => None,
        }
    }
}

const _: () = {
    // Sorting by key puts the most trustworthy source last.
    assert!((LoadSource::Router as u8) < (LoadSource::Worker as u8));
    assert!((LoadSource::Worker as u8) < (LoadSource::Engine as u8));
};
