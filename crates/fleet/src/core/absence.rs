//! Why a pool has no workers, as far as what answered shows, and what to type.

use protocol::{Description, EndpointPath};

use super::Core;
use super::report::AfterRound;
use crate::advice::{NearMissCount, describe_misses, flags_to_check};
use crate::matching::{NearMiss, Outcome, Reason, Target};
use crate::roster::{PoolKey, Route};
use crate::voice::Standing;
use crate::{Finish, Now};

/// Up to Dynamo 1.3 the load of a worker is published for its namespace as a whole.
const EVENTS_HINT: &str = ". Events about unknown workers come in this namespace, and do not name a component; from Dynamo 1.1 on, workers that are started with DYN_FORWARDPASS_METRIC_PORT publish some that do";

/// Kinds of near misses that are counted apart for one pool.
const MAX_NEAR_MISSES: usize = 64;

/// Endpoints that are compared with a pool's path to find near misses.
const MAX_COMPARED: usize = 2000;

/// What answered instead of a pool's workers.
#[derive(Debug, Default)]
struct Others {
    misses: Vec<NearMissCount>,
    /// Service instances of other watched pools, of paths that the user excludes, and of nothing similar.
    watched: usize,
    excluded: usize,
    foreign: usize,
}

impl Core {
    /// Why a pool has no workers.
    pub(super) fn absence(&self, key: PoolKey, finish: Finish, after: &AfterRound, now: Now) -> Standing {
        let pool = &self.pools[key];
        let name = &pool.name;
        let [one, _] = name.members();
        let others = pool
            .target
            .as_ref()
            .map_or_else(Others::default, |target| self.others(key, target));
        let described = pool.target.as_ref().map(|target| &target.path);
        let described = described.filter(|_| !others.misses.is_empty());
        let described = described.map(|path| describe_misses(path, self.plan.form_of(path), &others.misses));
        let is_own = |miss: &NearMissCount| matches!(miss.miss.reason, Reason::DataUndecodable { .. });
        let because = |key: &str, why: String| Standing::Absent {
            key: key.to_owned(),
            text: format!("no {one} of {name} answered; {why}"),
        };
        if self.voice.has_late_replies(key) {
            return because(
                "late",
                "its replies come later than a round lasts: raise --poll-interval, and --round-timeout if you set it".to_owned(),
            );
        }
        if let Some(lost) = self.lost(key, now).filter(|_| !others.misses.iter().any(is_own)) {
            let (mut key, mut text) = self.around(finish, after);
            if let Some((misses, advice)) = described {
                key.push_str(&misses);
                text = format!("{text}; {advice}");
            }
            return Standing::Absent {
                key,
                text: format!("{lost}; {text}"),
            };
        }
        if pool.target.is_none() {
            let (key, why) = self.absence_of_service(key, finish, after.replies);
            return because(&key, why);
        }
        let has_events =
            pool.workers.is_empty() && others.misses.is_empty() && self.voice.has_unknown_workers(key);
        let hint = if has_events { EVENTS_HINT } else { "" };
        let because = |key: &str, why: String| because(&format!("{key}{hint}"), format!("{why}{hint}"));
        if finish == Finish::NoResponders {
            return because(
                "no responders",
                format!(
                    "no service answered at all, and no event of its workers came: none on this NATS server (in this account) listens on {}. Start a worker, or check {}. Dynamo 1.3 and later is silent on NATS unless it is started with DYN_EVENT_PLANE=nats and NATS_SERVER",
                    self.service_prefix.stats(),
                    flags_to_check(&self.service_prefix)
                ),
            );
        }
        if after.replies == 0 {
            return because(
                "silence",
                format!(
                    "a service listens on {}, but no reply came in time. The services may hang, or may not be allowed to reply",
                    self.service_prefix.stats()
                ),
            );
        }
        match described {
            Some((key, text)) => because(&key, text),
            None => because("others", self.answered_instead(&others)),
        }
    }

    /// What is nearly a target's.
    pub(super) fn near_misses(&self, key: PoolKey, target: &Target) -> Vec<NearMissCount> {
        self.others(key, target).misses
    }

    /// That a pool had workers, and until when.
    fn lost(&self, key: PoolKey, now: Now) -> Option<String> {
        let presence = self.pools[key].presence?;
        let seconds = now.mono.saturating_sub(presence.until).as_secs_f64();
        let verb = match (presence.answered, presence.workers) {
            (true, _) => "answered",
            (false, 1) => "was heard",
            (false, _) => "were heard",
        };
        let workers = presence.workers;
        let [_, many] = self.pools[key].name.members();
        Some(format!(
            "all {many} gone ({workers} {verb} until {seconds:.0} s ago)"
        ))
    }

    /// What there is apart from a pool whose workers are gone: whether the fault is its own or that of more. With a key
    /// that is the same for all that is the same to a reader.
    fn around(&self, finish: Finish, after: &AfterRound) -> (String, String) {
        let none = format!(
            "no service answers at all: none on this NATS server (in this account) listens on {}",
            self.service_prefix.stats()
        );
        let (key, text) = match (finish, after) {
            (
                _,
                AfterRound {
                    pools_answer: true, ..
                },
            ) => ("pools", "other pools answer, so NATS is fine"),
            (
                _,
                AfterRound {
                    pools_are_heard: true,
                    ..
                },
            ) => ("heard", "other pools are heard, so NATS is fine"),
            (Finish::NoResponders, _) => ("none", &*none),
            (_, AfterRound { replies: 0, .. }) => ("silence", "nothing else answers either"),
            _ => ("services", "other services answer, so NATS is fine"),
        };
        (format!("lost {key}"), text.to_owned())
    }

    fn answered_instead(&self, others: &Others) -> String {
        let counted = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {many}")),
        };
        let unreadable = self
            .voice
            .has_unreadable()
            .then(|| "the replies cannot be read".to_owned());
        let texts: Vec<String> = [
            unreadable,
            counted(
                others.watched,
                "service of other watched pools did",
                "services of other watched pools did",
            ),
            counted(
                others.excluded,
                "service that --exclude leaves out did",
                "services that --exclude leaves out did",
            ),
            counted(
                others.foreign,
                "other service did, but its name is not similar. `metrics list` shows it",
                "other services did, but none has a similar name. `metrics list` shows them",
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        match texts.is_empty() {
            true => "only services without endpoints did".to_owned(),
            false => texts.join("; "),
        }
    }

    /// What answered the last round, and what of it is nearly the target's. A path that is watched already, or excluded, is
    /// never advised.
    fn others(&self, key: PoolKey, target: &Target) -> Others {
        let number = self.round.as_ref().map_or(0, |round| round.number);
        let mut others = Others::default();
        let mut compared = 0;
        let answered = self
            .roster
            .instances()
            .filter(|(_, instance)| instance.answered_in == number);
        for (_, instance) in answered {
            if compared >= MAX_COMPARED {
                break;
            }
            let hint = || self.description_of(&instance.service);
            let description = instance.description().or_else(hint);
            if instance.slots.is_empty() && target.services().any(|service| *service == *instance.service) {
                others.note(NearMiss {
                    reason: Reason::NoEndpoint,
                    part: None,
                    found: None,
                });
            }
            let (mut is_near, mut is_watched, mut is_excluded) = (false, false, false);
            for slot in instance.slots.iter().filter_map(|slot| self.roster.slot(*slot)) {
                compared += 1;
                match &slot.route {
                    Route::Member { pool, .. } if *pool == key => {
                        if let Some(why) = &slot.complaint {
                            is_near = true;
                            others.note(undecodable(&target.path, why));
                        }
                    }
                    Route::Member { .. } => is_watched = true,
                    Route::Rejected(_) | Route::Foreign => {
                        let Outcome::NearMiss(miss) = target.classify(&slot.subject, description) else {
                            continue;
                        };
                        let found = miss.found.as_ref().filter(|found| **found != target.path);
                        match found {
                            Some(found) if self.router.is_excluded(found) => is_excluded = true,
                            Some(found) if self.router.selects(found) => is_watched = true,
                            _ => {
                                is_near = true;
                                others.note(miss);
                            }
                        }
                    }
                }
            }
            match (is_near, is_watched, is_excluded) {
                (true, _, _) => {}
                (false, true, _) => others.watched += 1,
                (false, false, true) => others.excluded += 1,
                (false, false, false) => others.foreign += usize::from(!instance.slots.is_empty()),
            }
        }
        others.misses.sort_by(|a, b| a.miss.cmp(&b.miss));
        others
    }

    /// What another instance of the same service says about itself.
    fn description_of(&self, service: &str) -> Option<&Description> {
        self.hints
            .get(service)
            .and_then(|key| self.roster.instance(*key)?.description())
    }
}

impl Others {
    fn note(&mut self, miss: NearMiss) {
        match self.misses.iter().position(|known| known.miss == miss) {
            Some(known) => self.misses[known].count += 1,
            None if self.misses.len() < MAX_NEAR_MISSES => self.misses.push(NearMissCount { miss, count: 1 }),
            None => {}
        }
    }
}

fn undecodable(path: &EndpointPath, why: &str) -> NearMiss {
    NearMiss {
        reason: Reason::DataUndecodable { why: why.to_owned() },
        part: None,
        found: Some(path.clone()),
    }
}
