//! Descriptions: what instances say about themselves overrules what their subjects look like, whenever it comes.

use std::sync::Arc;

use protocol::{Description, InfoReply};

use super::Core;
use crate::Now;
use crate::changes::Detail;
use crate::roster::{Answer, InstanceKey, PoolKey, Route, WorkerIdx};

/// Services of other names of which one instance is asked in one round, to explain why a pool is empty.
const MAX_HINTS_AT_ONCE: usize = 64;

/// Descriptions of which one copy is kept.
const MAX_DESCRIPTIONS: usize = 10_000;

/// Services of other names that are asked at all.
const MAX_HINTS: usize = 4096;

impl Core {
    pub(super) fn described(&mut self, asked: Option<(&str, &str)>, payload: &[u8], now: Now) {
        let reply = InfoReply::read(payload).unwrap_or_default();
        let (service, id) = asked.unwrap_or((&reply.service, &reply.id));
        let profile = self.profile(service, &reply);
        let answer = match reply.worker() {
            Some(description) => Answer::Described(self.one_copy(description)),
            None => Answer::Nondescript,
        };
        let Some(key) = self.roster.find(service, id) else {
            // An instance that answers for the first time here has room even where there is none for others.
            if matches!(answer, Answer::Described(_)) && !id.is_empty() {
                let service = self.word(service);
                let heard_in = self.aging.rounds();
                if let Some(key) = self.roster.add(service, Arc::from(id), answer) {
                    let instance = self.roster.instance_mut(key);
                    (instance.heard_in, instance.profile) = (heard_in, profile);
                }
            }
            return;
        };
        self.set_profile(key, profile, now);
        if self
            .roster
            .instance(key)
            .is_some_and(|known| known.answer == answer)
        {
            return;
        }
        self.asker.answered(service, now.mono);
        self.roster.set_answer(key, answer);
        self.route_again(key, now);
        self.judge_held(key, now);
        self.dirty(now);
    }

    /// One copy of a description that many instances have.
    fn one_copy(&mut self, description: Description) -> Arc<Description> {
        if let Some(known) = self.descriptions.get(&description) {
            return known.clone();
        }
        if self.descriptions.len() >= MAX_DESCRIPTIONS {
            self.descriptions.clear();
        }
        let known = Arc::new(description);
        self.descriptions.insert(known.clone());
        known
    }

    pub(super) fn undescribed(&mut self, service: &str, instance: Option<&str>, now: Now) {
        let keys: Vec<InstanceKey> = match instance {
            Some(id) => self.roster.find(service, id).into_iter().collect(),
            None => self
                .roster
                .instances()
                .filter(|(_, instance)| *instance.service == *service)
                .map(|(key, _)| key)
                .collect(),
        };
        for key in keys {
            self.stop_waiting(key, now);
        }
    }

    pub(super) fn stop_waiting_for_descriptions(&mut self, now: Now) {
        while let Some((until, key)) = self.awaiting.first().copied()
            && until <= now.mono
        {
            self.awaiting.pop_first();
            self.stop_waiting(key, now);
        }
    }

    /// The instance is judged by its subjects until it describes itself.
    fn stop_waiting(&mut self, key: InstanceKey, now: Now) {
        let is_awaited = |key| {
            let instance = self.roster.instance(key)?;
            matches!(instance.answer, Answer::Awaited { .. }).then_some(())
        };
        if is_awaited(key).is_some() {
            self.roster.set_answer(key, Answer::Silent);
            self.judge_held(key, now);
        }
    }

    /// Where the endpoints of an instance belong, now that more is known of it or something else is watched.
    pub(super) fn route_again(&mut self, key: InstanceKey, now: Now) {
        let Some(instance) = self.roster.instance(key) else {
            return;
        };
        for slot_key in instance.slots.clone() {
            let Some(slot) = self.roster.slot(slot_key) else {
                continue;
            };
            let (name, subject) = (slot.name.clone(), slot.subject.clone());
            let route = self.route(key, &name, &subject);
            let slot = self.roster.slot_mut(slot_key);
            let before = std::mem::replace(&mut slot.route, route);
            let Route::Member {
                pool, key, worker, ..
            } = before
            else {
                continue;
            };
            let stays = matches!(
                &slot.route,
                Route::Member { pool: new_pool, key: new_key, .. } if *new_pool == pool && *new_key == key
            );
            let is_holder = |pool: &crate::pool::Pool| {
                pool.workers
                    .get(worker)
                    .is_some_and(|worker| worker.holder.slot == slot_key)
            };
            if !stays && self.pools.get(pool).is_some_and(is_holder) {
                self.remove_worker(pool, worker, now);
            }
        }
    }

    /// Removes a worker that belongs elsewhere now, for which the round does not wait any longer.
    fn remove_worker(&mut self, pool: PoolKey, worker: WorkerIdx, now: Now) {
        let pool = &mut self.pools[pool];
        let Some(worker) = pool.remove(worker, Detail::Elsewhere, now) else {
            return;
        };
        self.departures.gone(&pool.name, &worker);
        if let Some(round) = self.round.as_mut().filter(|round| round.is_open)
            && worker.expected_in == round.number
        {
            let answered = usize::from(worker.answered_in >= round.number);
            pool.expected -= 1;
            pool.answered -= answered;
            pool.refreshed = pool.refreshed.saturating_sub(answered);
            round.expected -= 1;
            round.answered -= answered;
        }
    }

    /// Asks an instance whose description decides something under a new plan.
    pub(super) fn want_description_again(&mut self, key: InstanceKey) {
        let Some(instance) = self.roster.instance(key) else {
            return;
        };
        let subjects = instance.slots.iter().filter_map(|slot| self.roster.slot(*slot));
        let is_decisive = subjects
            .map(|slot| &slot.subject)
            .any(|subject| self.router.wants_description(&instance.service, subject));
        if instance.answer == Answer::Unasked && is_decisive {
            let service = instance.service.clone();
            self.roster.set_answer(key, Answer::Silent);
            self.asker.want(&service, key);
        }
    }

    /// Asks one instance of each service of another name for its description, to explain why a pool is empty.
    pub(super) fn ask_for_hints(&mut self) {
        let number = self.round.as_ref().map_or(0, |round| round.number);
        let mut wanted: Vec<InstanceKey> = Vec::new();
        for (key, instance) in self.roster.instances() {
            let is_new = instance.answered_in == number
                && instance.answer == Answer::Unasked
                && !self.hints.contains_key(&instance.service);
            let has_room = wanted.len() < MAX_HINTS_AT_ONCE && self.hints.len() < MAX_HINTS;
            if is_new && has_room {
                self.hints.insert(instance.service.clone(), key);
                wanted.push(key);
            }
        }
        for key in wanted {
            self.roster.set_answer(key, Answer::Silent);
            let service = self.roster.instance_mut(key).service.clone();
            self.asker.want(&service, key);
        }
    }
}
