//! What a round's end is worth saying, for each pool.

use protocol::{Description, EndpointPath, subject};

use super::Core;
use crate::advice::{NearMissCount, describe_misses};
use crate::matching::{NearMiss, Outcome, Reason, Target};
use crate::notice::{Level, Notice};
use crate::roster::{PoolKey, Route};
use crate::voice::{News, Standing};
use crate::{Finish, Now, WorkerState};

/// Up to Dynamo 1.3 the load of a worker is published for its namespace as a whole.
const EVENTS_HINT: &str = ". Events about unknown workers come in this namespace, and do not name a component; from Dynamo 1.1 on, workers that are started with DYN_FORWARDPASS_METRIC_PORT publish some that do";

/// Kinds of near misses that are counted apart for one pool.
const MAX_NEAR_MISSES: usize = 64;

/// Endpoints that are compared with a pool's path to find near misses.
const MAX_COMPARED: usize = 2000;

/// Pools for which near misses are looked for after one round.
const MAX_EXPLAINED: usize = 16;

/// Why a pool has no workers, as far as the endpoints that answered show.
#[derive(Debug, Default)]
struct Absence {
    misses: Vec<NearMissCount>,
    foreign: usize,
}

impl Core {
    pub(super) fn report(&mut self, finishes: &[(PoolKey, Finish)], replies: u64, now: Now) {
        let mut explained = 0;
        let turn = self.voice.turn.take().unwrap_or(0).min(finishes.len());
        let (others, first) = finishes.split_at(turn);
        for (place, (key, finish)) in first.iter().chain(others).enumerate() {
            let Some(pool) = self.pools.get(*key) else {
                continue;
            };
            let settings = &self.plan.settings;
            let fresh = pool.fresh(&self.aging, now, settings);
            let standing = match (fresh, finish) {
                (1.., _) => Standing::Present {
                    fresh,
                    missing: self.missing(*key, now),
                },
                (0, Finish::Error) => Standing::Unknown,
                (0, _) if pool.target.is_none() && !pool.is_named => Standing::Unknown,
                (0, _) => {
                    let is_wanted = self.voice.wants_reason(*key);
                    if explained >= MAX_EXPLAINED || !is_wanted {
                        if is_wanted {
                            let next = (turn + place) % finishes.len();
                            self.voice.turn.get_or_insert(next);
                        }
                        self.voice.still_absent(*key);
                        continue;
                    }
                    explained += 1;
                    self.absence(*key, *finish, replies)
                }
            };
            self.say_news(*key, standing, now);
        }
        let lacks_workers = |pool: &crate::pool::Pool| pool.target.is_some() && pool.workers.is_empty();
        if self.pools.values().any(lacks_workers) {
            self.ask_for_hints();
        }
        self.say_too_many_pools(now);
        self.voice.round_ended();
    }

    pub(super) fn say_news(&mut self, key: PoolKey, standing: Standing, now: Now) {
        let pool = &self.pools[key];
        let name = pool.name.to_string();
        let [one, many] = pool.name.members();
        let answers = pool.workers.values().any(|worker| worker.seen.has_answered());
        for news in self.voice.news(key, standing, now.mono) {
            let (level, text) = match news {
                News::Appeared(1) if answers => (Level::Info, format!("1 {one} answers now")),
                News::Appeared(count) if answers => (Level::Info, format!("{count} {many} answer now")),
                News::Appeared(1) => (Level::Info, "1 worker is heard now, by its events".to_owned()),
                News::Appeared(count) => (
                    Level::Info,
                    format!("{count} workers are heard now, by their events"),
                ),
                News::Absent(text) => (Level::Warn, format!("no {one} of {name} answered; {text}")),
                News::Lost(text) => (Level::Warn, text),
                News::Whole(count) => (Level::Info, format!("all {count} {many} answer again")),
                News::Gone(workers) => (
                    Level::Info,
                    format!("{many} were given up after --gone-after missed rounds: {workers}"),
                ),
            };
            self.say(Notice::new(level, text).with("target", &name));
        }
    }

    /// The workers of a pool that are known and not fresh.
    fn missing(&self, key: PoolKey, now: Now) -> Vec<String> {
        let pool = &self.pools[key];
        if pool.all_answered {
            return Vec::new();
        }
        let mut missing: Vec<_> = pool
            .workers
            .values()
            .filter(|worker| self.state_of(worker, now) == WorkerState::Stale)
            .map(|worker| &worker.identity)
            .collect();
        missing.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        missing
            .into_iter()
            .map(|identity| identity.worker_id.to_string())
            .collect()
    }

    /// Why a pool has no fresh workers.
    fn absence(&self, key: PoolKey, finish: Finish, replies: u64) -> Standing {
        let pool = &self.pools[key];
        let Some(target) = &pool.target else {
            return self.absence_of_service(key, finish, replies);
        };
        let absence = self.near_misses(key, target);
        let has_events =
            pool.workers.is_empty() && absence.misses.is_empty() && self.voice.has_unknown_workers(key);
        let hint = if has_events { EVENTS_HINT } else { "" };
        let because = |key: &str, why: String| Standing::Absent {
            key: format!("{key}{hint}"),
            text: format!("{why}{hint}"),
        };
        if finish == Finish::NoResponders {
            return because(
                "no responders",
                format!(
                    "no service answered at all, and no event of its workers came: none on this NATS server (in this account) listens on {}. Start a worker, or check --server. Dynamo 1.3 and later is silent on NATS unless it is started with DYN_EVENT_PLANE=nats and NATS_SERVER",
                    subject::STATS
                ),
            );
        }
        if self.voice.has_late_replies(key) {
            return because(
                "late",
                "its replies come later than a round lasts: raise --poll-interval, and --round-timeout if you set it".to_owned(),
            );
        }
        if replies == 0 {
            return because(
                "silence",
                format!(
                    "there was silence: a service listens on {}, but no reply came in time. The services may hang, or may not be allowed to reply",
                    subject::STATS
                ),
            );
        }
        if !absence.misses.is_empty() {
            let form = self.plan.form_of(&target.path);
            let (key, text) = describe_misses(&target.path, form, &absence.misses);
            return because(&key, text);
        }
        if !pool.workers.is_empty() {
            return because(
                "lost",
                format!("{} answered before, and no longer do", pool.workers.len()),
            );
        }
        because("foreign", self.others(absence.foreign))
    }

    fn others(&self, foreign: usize) -> String {
        let unreadable = self
            .voice
            .has_unreadable()
            .then_some("replies came that cannot be read");
        let foreign = match foreign {
            0 => None,
            1 => Some("1 other service did, and is not similar. `metrics list` shows it".to_owned()),
            n => Some(format!(
                "{n} other services did, and none is similar. `metrics list` shows them"
            )),
        };
        let texts: Vec<String> = unreadable.map(str::to_owned).into_iter().chain(foreign).collect();
        match texts.is_empty() {
            true => "only services without endpoints did".to_owned(),
            false => texts.join("; "),
        }
    }

    /// The endpoints that answered the last round and are nearly the target's.
    fn near_misses(&self, key: PoolKey, target: &Target) -> Absence {
        let number = self.round.as_ref().map_or(0, |round| round.number);
        let mut absence = Absence::default();
        let mut note = |miss: NearMiss| {
            let misses = &mut absence.misses;
            match misses.iter().position(|known| known.miss == miss) {
                Some(known) => misses[known].count += 1,
                None if misses.len() < MAX_NEAR_MISSES => misses.push(NearMissCount { miss, count: 1 }),
                None => {}
            }
        };
        let mut foreign = 0;
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
                note(NearMiss {
                    reason: Reason::NoEndpoint,
                    part: None,
                    found: None,
                });
            }
            let mut is_near = false;
            for slot in instance.slots.iter().filter_map(|slot| self.roster.slot(*slot)) {
                compared += 1;
                match &slot.route {
                    Route::Member { pool, .. } if *pool == key => {
                        if let Some(why) = &slot.complaint {
                            is_near = true;
                            note(undecodable(&target.path, why));
                        }
                    }
                    _ => {
                        if let Outcome::NearMiss(miss) = target.classify(&slot.subject, description) {
                            is_near = true;
                            note(miss);
                        }
                    }
                }
            }
            foreign += usize::from(!is_near && !instance.slots.is_empty());
        }
        absence.foreign = foreign;
        absence.misses.sort_by(|a, b| a.miss.cmp(&b.miss));
        absence
    }

    /// What another instance of the same service says about itself.
    fn description_of(&self, service: &str) -> Option<&Description> {
        self.hints
            .get(service)
            .and_then(|key| self.roster.instance(*key)?.description())
    }
}

fn undecodable(path: &EndpointPath, why: &str) -> NearMiss {
    NearMiss {
        reason: Reason::DataUndecodable { why: why.to_owned() },
        part: None,
        found: Some(path.clone()),
    }
}
