//! What a round's end is worth saying, for each pool.

use super::Core;
use crate::notice::{Level, Notice};
use crate::outcome::Change;
use crate::roster::PoolKey;
use crate::voice::{News, SURE_AFTER, Standing};
use crate::{Finish, Now, WorkerState};

/// Pools for which near misses are looked for after one round.
const MAX_EXPLAINED: usize = 16;

/// What a round has shown of all pools.
pub(super) struct AfterRound {
    /// Each pool, why its round ended, and how many of its workers are there.
    pools: Vec<(PoolKey, Finish, usize)>,
    pub(super) replies: u64,
    /// Whether workers of some pool answered, or some are heard.
    pub(super) pools_answer: bool,
    pub(super) pools_are_heard: bool,
}

impl AfterRound {
    /// As far as a census needs it.
    pub(super) fn of_census(replies: u64, pools_answer: bool) -> Self {
        Self {
            pools: Vec::new(),
            replies,
            pools_answer,
            pools_are_heard: false,
        }
    }
}

impl Core {
    pub(super) fn report(&mut self, finishes: &[(PoolKey, Finish)], replies: u64, now: Now) {
        let after = self.after_round(finishes, replies, now);
        let mut explained = 0;
        let turn = self.voice.turn.take().unwrap_or(0).min(after.pools.len());
        let (others, first) = after.pools.split_at(turn);
        for (place, (key, finish, present)) in first.iter().chain(others).enumerate() {
            let pool = &self.pools[*key];
            let has_lost = pool.presence.is_some();
            let standing = match (*present, finish) {
                (fresh @ 1.., _) => Standing::Present {
                    fresh,
                    missing: self.missing(*key, now),
                },
                (0, Finish::Error) => Standing::Unknown,
                (0, _) if pool.target.is_none() && !pool.is_named && !has_lost => Standing::Unknown,
                (0, _) => {
                    let is_wanted = self.voice.wants_reason(*key);
                    if explained >= MAX_EXPLAINED || !is_wanted {
                        if is_wanted {
                            let next = (turn + place) % after.pools.len();
                            self.voice.turn.get_or_insert(next);
                        }
                        self.voice.still_absent(*key);
                        continue;
                    }
                    explained += 1;
                    self.absence(*key, *finish, &after, now)
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

    /// How many workers of each pool are there after a round.
    fn after_round(&mut self, finishes: &[(PoolKey, Finish)], replies: u64, now: Now) -> AfterRound {
        let mut after = AfterRound {
            pools: Vec::with_capacity(finishes.len()),
            replies,
            pools_answer: false,
            pools_are_heard: false,
        };
        let (aging, settings) = (self.aging, self.settings());
        for (key, finish) in finishes {
            let Some(pool) = self.pools.get_mut(*key) else {
                continue;
            };
            let fresh = pool.fresh(&aging, now, &settings);
            // A worker may miss a round and be fresh still, but where all of them miss several, that is no coincidence.
            let is_silent =
                *finish != Finish::Error && pool.is_silent_for(SURE_AFTER, &aging, now, &settings);
            if is_silent {
                self.voice.surely_absent(*key);
            }
            let present = if is_silent { 0 } else { fresh };
            pool.note_presence(present, now);
            match (present, pool.answered) {
                (0, _) => {}
                (_, 0) => after.pools_are_heard = true,
                (_, _) => after.pools_answer = true,
            }
            after.pools.push((*key, *finish, present));
        }
        after
    }

    pub(super) fn say_news(&mut self, key: PoolKey, standing: Standing, now: Now) {
        let pool = &mut self.pools[key];
        let name = pool.name.to_string();
        let [one, many] = pool.name.members();
        let answers = pool.workers.values().any(|worker| worker.seen.has_answered());
        for news in self.voice.news(key, standing, &mut pool.changes, now.mono) {
            let (level, text) = match news {
                News::Appeared(1) if answers => (Level::Info, format!("1 {one} answers now")),
                News::Appeared(count) if answers => (Level::Info, format!("{count} {many} answer now")),
                News::Appeared(1) => (Level::Info, "1 worker is heard now, by its events".to_owned()),
                News::Appeared(count) => (
                    Level::Info,
                    format!("{count} workers are heard now, by their events"),
                ),
                News::Absent(text) => (Level::Warn, text),
                News::Lost { fresh, all, missing } => (
                    Level::Warn,
                    format!("{fresh} of {all} {many} answer; missing: {missing}"),
                ),
                News::Whole(count) => (Level::Info, format!("all {count} {many} answer again")),
                News::Changed(change, count, workers) => {
                    let members = if count == 1 { one } else { many };
                    (Level::Info, changed(change, count, members, &workers))
                }
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
}

fn changed(change: Change, count: usize, members: &str, which: &str) -> String {
    let verb = match change {
        Change::Joined => "joined",
        Change::Left => "left",
        Change::Restarted => "restarted",
        Change::Recovered if count == 1 => "answers again",
        Change::Recovered => "answer again",
        Change::Replaced => "changed to another instance",
        Change::Stale => "fell silent",
        Change::Refused => "reported what cannot be used",
    };
    format!("{count} {members} {verb}: {which}")
}
