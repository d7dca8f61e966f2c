//! Doubles: instances that report the id of a worker for which another one speaks.
//!
//! Such a reply counts as a duplicate, unless the instance that speaks for the worker gives it up in the same round. So it
//! waits for that instance's reply, or for the end of the round, and its result does not depend on which comes first.

use super::Core;
use super::replies::{Context, Timing};
use crate::Now;
use crate::roster::{InstanceKey, Route};

impl Core {
    /// The instance that speaks for a worker of this reply and has not answered the round yet.
    pub(super) fn waits_for(&mut self, context: &Context<'_, '_>) -> Option<InstanceKey> {
        let is_double = self.roster.instance(context.instance)?.is_double;
        if !is_double || context.timing != Timing::InRound {
            return None;
        }
        let endpoints = || context.reply.endpoints.iter().enumerate();
        let holders = endpoints().filter_map(|(place, endpoint)| {
            let slot = self.roster.slot_of(context.instance, &endpoint.subject, place)?;
            let Route::Member { pool, key, .. } = &self.roster.slot(slot)?.route else {
                return None;
            };
            let pool = self.pools.get(*pool)?;
            let holder = pool.workers.get(*pool.by_key.get(key)?)?.holder;
            (holder.instance != context.instance && !holder.gave_up).then_some(holder.instance)
        });
        let holders: Vec<InstanceKey> = holders.collect();
        if holders.is_empty() {
            self.roster.instance_mut(context.instance).is_double = false;
        }
        let is_to_come = |key: &InstanceKey| {
            let instance = self.roster.instance(*key);
            instance.is_some_and(|instance| instance.answered_in < context.round)
        };
        holders.into_iter().find(is_to_come)
    }

    /// Judges what has waited for this instance's reply.
    pub(super) fn judge_waiting_for(&mut self, holder: InstanceKey, now: Now) {
        if self.waiting.is_empty() {
            return;
        }
        for instance in self.waiting.remove(&holder).unwrap_or_default() {
            self.judge_held(instance, now);
        }
    }

    /// Judges what still waits when the round ends.
    pub(super) fn judge_waiting(&mut self, now: Now) {
        let mut waiting: Vec<InstanceKey> = self
            .waiting
            .drain()
            .flat_map(|(_, instances)| instances)
            .collect();
        waiting.sort_unstable();
        for instance in waiting {
            self.judge_held(instance, now);
        }
    }
}
