//! Plans: which pools there are, and what a new plan changes.

use std::collections::BTreeSet;

use super::Core;
use crate::plan::Capacity;
use crate::pool::Pool;
use crate::roster::{PoolKey, Route, Slot};
use crate::router::Router;
use crate::voice::Standing;
use crate::{Now, Plan, PoolName};

impl Core {
    /// Makes the pools that are reported even while they have no workers.
    pub(super) fn make_target_pools(&mut self) {
        let targets = self.router.targets().to_vec();
        for (place, target) in targets.into_iter().enumerate() {
            let key = self.pool(PoolName::Workers(target.path.clone()));
            self.pools[key].target = Some(target);
            self.pools[key].place = Some(place);
        }
    }

    /// The pool of this name, which is made where it is not there.
    pub(super) fn pool(&mut self, name: PoolName) -> PoolKey {
        if let Some(pool) = self.pool_of.get(&name) {
            return *pool;
        }
        let mut pool = Pool::new(name.clone(), self.changes.back(&name), self.common);
        pool.up = self.up;
        pool.is_named = self.is_named(&name);
        pool.departed = self.departures.pool_back(&name);
        pool.capacity = self.capacity_of(&name);
        self.service_pools += usize::from(matches!(name, PoolName::Service { .. }));
        pool.labels = self.plan.labels_of(&name);
        pool.mappings = self.mappings_of(&name);
        let key = self.pools.insert(pool);
        self.places.forget();
        self.pool_of.insert(name, key);
        key
    }

    fn capacity_of(&self, name: &PoolName) -> Option<Capacity> {
        let PoolName::Workers(path) = name else {
            return None;
        };
        let mut known = self.plan.capacities.iter();
        known.find(|known| known.pools.matches(path)).cloned()
    }

    /// Removes a pool; it leaves nothing behind.
    pub(super) fn drop_pool(&mut self, key: PoolKey, now: Now) {
        // That its last workers were given up is news.
        self.say_news(key, Standing::Unknown, now);
        let Some(mut pool) = self.pools.remove(key) else {
            return;
        };
        self.changes.take_in([&mut pool.changes].into_iter());
        self.changes.dropped(pool.name.clone(), pool.changes.counts);
        self.pool_of.remove(&pool.name);
        if let Some(sums) = pool.sums() {
            self.service_pools -= 1;
            self.departures.pool_gone(&pool.name, sums);
        }
        self.early.forget(key);
        self.places.forget();
        self.voice.forget(key);
        self.dirty(now);
    }

    /// Drops pools that no exact path asks for and that have no workers. A pool stays while endpoints of it answer, even if
    /// no load of theirs can be used: it would be made anew by the next reply.
    pub(super) fn drop_empty_pools(&mut self, now: Now) {
        let answering = self.answering_services();
        let is_empty = |pool: &Pool| {
            pool.target.is_none() && pool.workers.is_empty() && !self.stays_empty(pool, &answering)
        };
        let empty = self.pools.iter().filter(|(_, pool)| is_empty(pool));
        let mut empty: BTreeSet<PoolKey> = empty.map(|(key, _)| key).collect();
        if empty.is_empty() {
            return;
        }
        let (rounds, gone_after) = (self.aging.rounds(), u64::from(self.plan.settings.gone_after));
        for (_, instance) in self
            .roster
            .instances()
            .filter(|(_, instance)| instance.heard_in + gone_after > rounds)
        {
            let slots = instance.slots.iter().filter_map(|slot| self.roster.slot(*slot));
            for slot in slots.filter(|slot| slot.answered_in >= instance.answered_in) {
                if let Route::Member { pool, .. } = &slot.route {
                    empty.remove(pool);
                }
            }
        }
        // An endpoint that answers again is new, and finds its pool again.
        let leads_there =
            |slot: &Slot| matches!(&slot.route, Route::Member { pool, .. } if empty.contains(pool));
        let instances: Vec<_> = self.roster.instances().map(|(key, _)| key).collect();
        for key in instances {
            self.roster.retain_slots(key, |slot| !leads_there(slot));
        }
        for key in empty {
            self.drop_pool(key, now);
        }
    }

    /// Takes another plan. Pools that both plans have keep their workers and their books.
    pub(super) fn take_plan(&mut self, plan: Plan, now: Now) {
        if plan == self.plan {
            return;
        }
        self.router = Router::new(&plan);
        self.plan = plan;
        self.next_tick = self.next_tick.min(now.mono + self.plan.settings.poll_interval);
        self.frontends.books.set_buckets(&self.plan.buckets);
        let shows_other_metadata = self.show_metadata();
        self.activate_mappings();
        for key in self.pools.keys().collect::<Vec<_>>() {
            let name = &self.pools[key].name;
            let (capacity, labels) = (self.capacity_of(name), self.plan.labels_of(name));
            let (mappings, is_named) = (self.mappings_of(name), self.is_named(name));
            let pool = &mut self.pools[key];
            (pool.target, pool.place, pool.capacity) = (None, None, capacity);
            if let Some(books) = &mut pool.books.requests {
                books.set_buckets(&self.plan.buckets);
            }
            (pool.labels, pool.is_named) = (labels, is_named);
            pool.map_anew(mappings);
            let is_selected = match &pool.name {
                PoolName::Workers(path) => self.router.selects(path),
                PoolName::Service { .. } => true,
            };
            if !is_selected {
                pool.forget_senders(now);
            }
            pool.changed();
        }
        self.make_target_pools();
        self.listen();
        self.hints.clear();
        self.nameless.clear();
        let instances: Vec<_> = self.roster.instances().map(|(key, _)| key).collect();
        for key in instances {
            self.want_description_again(key);
            self.route_again(key, now);
            if shows_other_metadata {
                self.want_profile_again(key);
            }
        }
        self.make_named_services();
        self.drop_empty_pools(now);
        self.publish(now);
    }
}
