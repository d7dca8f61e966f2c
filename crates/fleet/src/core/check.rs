//! What tests look at: whether the tables of the state machine agree with each other.

use std::sync::Arc;

use super::Core;
use crate::pool::Pool;
use crate::roster::{Answer, PoolKey, Route};
use crate::snapshot::PoolName;
use crate::worker::Worker;

impl Core {
    /// The replies that each pool has counted, under the key that no two pools ever share.
    pub(crate) fn counted(&self) -> Vec<(PoolKey, u64)> {
        let count = |pool: &Pool| pool.books.replies(&self.common).total();
        self.pools.iter().map(|(key, pool)| (key, count(pool))).collect()
    }

    /// Replies that wait for a description.
    pub(crate) fn held(&self) -> u64 {
        let held = self.roster.instances().map(|(_, instance)| instance.held.len());
        held.sum::<usize>() as u64
    }

    /// How many endpoints are remembered.
    pub(crate) fn slots(&self) -> usize {
        self.roster
            .instances()
            .map(|(_, instance)| instance.slots.len())
            .sum()
    }

    /// The tables that hold anything about instances, and how much.
    pub(crate) fn memory(&self) -> Vec<(&'static str, usize)> {
        let sizes = [
            ("instances", self.roster.len()),
            ("hints", self.hints.len()),
            ("turns", self.turns.len()),
            ("awaiting", self.awaiting.len()),
            ("questions", usize::from(self.asker.wake_at().is_some())),
        ];
        sizes.into_iter().filter(|(_, size)| *size > 0).collect()
    }

    /// Fills the roster with silent instances of a service.
    pub(crate) fn fill_roster(&mut self, service: &str) {
        let service: Arc<str> = service.into();
        let heard_in = self.aging.rounds();
        for n in 0.. {
            let id: Arc<str> = format!("claimed-{n}").into();
            let Some(key) = self.roster.add(service.clone(), id, Answer::Silent) else {
                break;
            };
            self.roster.instance_mut(key).heard_in = heard_in;
        }
    }

    /// Panics where one table holds what another has given up.
    pub(crate) fn assert_consistent(&self) {
        self.roster.assert_consistent();
        for (_, instance) in self.roster.instances() {
            for slot in &instance.slots {
                let slot = self.roster.slot(*slot).expect("an instance's slot is there");
                match &slot.route {
                    Route::Member { pool, .. } => {
                        assert!(
                            self.pools.contains_key(*pool),
                            "{} leads to no pool",
                            slot.subject
                        );
                    }
                    Route::Rejected(misses) => {
                        let are_there = misses.iter().all(|(pool, _)| self.pools.contains_key(*pool));
                        assert!(are_there, "{} was rejected by a pool that is gone", slot.subject);
                    }
                    Route::Foreign => {}
                }
            }
        }
        assert_eq!(self.pool_of.len(), self.pools.len());
        let selected: Vec<_> = self
            .router
            .targets()
            .iter()
            .map(|target| target.path.clone())
            .collect();
        for (key, pool) in &self.pools {
            assert_eq!(self.pool_of.get(&pool.name), Some(&key));
            assert_eq!(pool.by_key.len(), pool.workers.len());
            let is_target = matches!(&pool.name, PoolName::Workers(path) if selected.contains(path));
            assert_eq!(pool.target.is_some(), is_target, "{}", pool.name);
            for (idx, worker) in &pool.workers {
                assert_eq!(pool.by_key.get(&worker.identity.key), Some(&idx));
                self.assert_held(pool.name.clone(), key, worker);
            }
        }
        self.places.assert_lead_to(|pool| self.pools.contains_key(pool));
    }

    fn assert_held(&self, name: PoolName, key: PoolKey, worker: &Worker) {
        let Some(slot) = self.roster.slot(worker.holder.slot) else {
            return;
        };
        let leads_here = matches!(&slot.route, Route::Member { pool, key: of, .. }
            if *pool == key && *of == worker.identity.key);
        assert!(
            leads_here,
            "{name} has a worker whose subject {} leads elsewhere",
            slot.subject
        );
    }
}
