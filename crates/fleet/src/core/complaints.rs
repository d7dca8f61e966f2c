//! What is wrong with replies, in words, and that it is said.

use protocol::{EndpointLoad, LoadError, StatsError, StatsRefusal};

use super::Core;
use super::replies::Context;
use crate::Now;
use crate::notice::{About, Level, Notice};
use crate::outcome::ReplyResult;
use crate::roster::{InstanceKey, PoolKey, Route, SlotKey, WorkerIdx};

impl Core {
    /// A worker whose reply misses its round is named, with what would help.
    pub(super) fn too_late(
        &mut self,
        context: &Context<'_, '_>,
        slot: SlotKey,
        pool_key: PoolKey,
        worker: WorkerIdx,
        known: bool,
    ) {
        let aging = self.aging;
        let pool = &mut self.pools[pool_key];
        if known {
            pool.workers[worker].seen.answered_late(&aging);
            pool.changed();
        }
        let key = match self.roster.slot(slot).map(|slot| &slot.route) {
            Some(Route::Member { key, .. }) => key.to_string(),
            _ => return,
        };
        self.voice.late(pool_key);
        let name = self.pools[pool_key].name.to_string();
        let latency = self.latency_of(context.round, context.now).unwrap_or_default();
        self.say_seldom(About::Pool, &format!("late in {name}"), context.now, || {
            let seconds = latency.as_secs_f64();
            let text = format!(
                "a worker answers after {seconds:.1} s, later than a round lasts: raise --poll-interval, and --round-timeout if you set it"
            );
            Notice::new(Level::Warn, text)
                .with("target", name)
                .with("worker", key)
        });
    }

    /// Another instance reports a worker's id.
    pub(super) fn duplicate(
        &mut self,
        context: &Context<'_, '_>,
        pool_key: PoolKey,
        worker: WorkerIdx,
        other: InstanceKey,
    ) {
        let Some(other) = self.roster.instance(other).map(|instance| instance.id.clone()) else {
            return;
        };
        let pool = &mut self.pools[pool_key];
        let name = pool.name.to_string();
        let worker = &mut pool.workers[worker];
        worker.doubled(&other, context.round);
        let identity = worker.identity.clone();
        let key = format!("duplicates of {name} {}", identity.worker_id);
        self.say_seldom(About::Worker, &key, context.now, || {
            let text = format!(
                "reply rejected: two instances answer for one worker id; {} is shown, which is the younger, and {other} is not",
                identity.service_id
            );
            Notice::new(Level::Warn, text)
                .with("target", name)
                .with("worker", &identity.worker_id)
        });
    }

    /// What is wrong with a worker's reply is reported once a minute for each worker. Returns it where that is a change: nothing
    /// was wrong with the reply before, and there was no such change within a minute.
    pub(super) fn complain(
        &mut self,
        slot_key: SlotKey,
        pool: PoolKey,
        endpoint: &EndpointLoad<'_>,
        now: Now,
    ) -> Option<String> {
        let complaint = complaint(endpoint)?;
        let slot = self.roster.slot_mut(slot_key);
        let Route::Member { key, .. } = &slot.route else {
            return None;
        };
        let worker = key.to_string();
        let is_new = slot.complaint.replace(complaint.clone().into()).is_none();
        let name = self.pools[pool].name.to_string();
        let change = format!("change of {name} {worker}");
        self.say_seldom(About::Worker, &format!("data of {name} {worker}"), now, || {
            Notice::new(Level::Warn, "reply rejected, in whole or in part")
                .with("target", name)
                .with("worker", worker)
                .with("reason", &complaint)
        });
        let is_change = is_new && self.limiter.is_due(About::Worker, &change, now.mono);
        is_change.then_some(complaint)
    }

    /// Data in which no load field is known is not wrong, but is hardly meant so.
    pub(super) fn say_unknown_fields(&mut self, pool: PoolKey, endpoint: &EndpointLoad<'_>, now: Now) {
        let Ok(reading) = &endpoint.load else { return };
        if reading.other_fields.is_empty() || !self.pools[pool].mappings.is_empty() {
            return;
        }
        let name = self.pools[pool].name.to_string();
        self.say_seldom(About::Pool, &format!("fields of {name}"), now, || {
            let text =
                "the data of workers has no field that is known as load; see docs/protocol.md for the names";
            Notice::new(Level::Warn, text)
                .with("target", name)
                .with("fields", reading.other_fields.join(", "))
        });
    }

    pub(super) fn say_rejected(&mut self, route: &Route, now: Now) {
        let Route::Rejected(misses) = route else { return };
        for (pool, miss) in misses.iter().filter(|(_, miss)| miss.is_about_the_id()) {
            let name = self.pools[*pool].name.to_string();
            self.say_seldom(About::Pool, &format!("subject of {name}"), now, || {
                Notice::new(Level::Warn, "reply rejected: invalid subject")
                    .with("target", name)
                    .with("reason", miss)
            });
        }
    }
}

/// What a reply with this endpoint is, if it is neither late nor a duplicate.
pub(super) fn result_of(endpoint: &EndpointLoad<'_>) -> ReplyResult {
    let by_load = match &endpoint.load {
        Ok(reading) => refusal(&reading.refused),
        Err(LoadError::Stats(StatsRefusal::NothingUsable(errors))) => refusal(errors),
        Err(_) => ReplyResult::Malformed,
    };
    by_load.max(refusal(&endpoint.refused))
}

/// What a reply with these faults is.
fn refusal(errors: &[StatsError]) -> ReplyResult {
    if errors.is_empty() {
        return ReplyResult::Ok;
    }
    match errors.iter().all(|error| error.fault.is_out_of_range()) {
        true => ReplyResult::OutOfRange,
        false => ReplyResult::Malformed,
    }
}

/// What is wrong with what an endpoint reports, in words.
pub(super) fn complaint(endpoint: &EndpointLoad<'_>) -> Option<String> {
    let refused = match &endpoint.load {
        Ok(reading) => reading.refused.as_slice(),
        Err(reason) => return Some(reason.to_string()),
    };
    let faults: Vec<String> = refused
        .iter()
        .chain(&endpoint.refused)
        .map(ToString::to_string)
        .collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}
