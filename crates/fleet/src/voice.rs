//! [`Voice`]: what has been said of each pool, so that news is said once and trouble at most once a minute.

use std::collections::HashMap;
use std::time::Duration;

use slotmap::SecondaryMap;

use crate::changes::{Changes, named};
use crate::notice::REPEAT_AFTER;
use crate::outcome::Change;
use crate::roster::PoolKey;

/// Rounds without a worker after which that is said: the first may have been too early, or just after a reconnect.
pub(crate) const SURE_AFTER: u32 = 2;

/// Rounds for which an event, a late reply or an unreadable one explains an absence.
const RECENT_ROUNDS: u32 = 3;

/// Remembers what was said and what the last rounds brought.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    pools: SecondaryMap<PoolKey, Said>,
    /// Rounds since a reply came that cannot be read.
    unreadable: Recent,
    /// The pool whose absence is looked into first, as a place among all: there is not time for all in one round.
    pub(crate) turn: Option<usize>,
}

/// What was said of one pool.
#[derive(Debug, Default)]
struct Said {
    absent_rounds: u32,
    /// Whether the last that was said is that workers answer.
    is_present: bool,
    /// What was complained of within the last minute, whether workers had been there before, and when.
    complaints: HashMap<(bool, String), Duration>,
    /// How many workers were last said to be missing, until that is over; and when.
    loss: Option<usize>,
    loss_said: Option<Duration>,
    unknown_events: Recent,
    late: Recent,
}

/// Counts rounds since something happened.
#[derive(Debug, Default, Clone, Copy)]
struct Recent(Option<u32>);

impl Recent {
    fn happened(&mut self) {
        self.0 = Some(0);
    }

    fn is_recent(self) -> bool {
        self.0.is_some_and(|rounds| rounds < RECENT_ROUNDS)
    }

    fn round_ended(&mut self) {
        self.0 = self.0.map(|rounds| rounds.saturating_add(1));
    }
}

/// How a pool is, after a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// This many workers answer, and these do not.
    Present { fresh: usize, missing: Vec<String> },
    /// None answers, and this is why. The key changes when the reason does, not when a count does.
    Absent { key: String, text: String },
    /// Nothing can be said, because the round failed; why it did is said elsewhere.
    Unknown,
}

/// What is to be said of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// Workers answer, and none did before.
    Appeared(usize),
    /// No worker answers.
    Absent(String),
    /// So many of all do not answer, and which.
    Lost {
        fresh: usize,
        all: usize,
        missing: String,
    },
    /// All workers answer again.
    Whole(usize),
    /// So many workers have changed in this way, and which.
    Changed(Change, usize, String),
}

/// Changes that have a line of their own. That workers are stale is what a loss or an absence says.
const SAID_CHANGES: [Change; 5] = [
    Change::Joined,
    Change::Left,
    Change::Restarted,
    Change::Replaced,
    Change::Recovered,
];

impl Voice {
    /// An event named a worker that no pool has.
    pub(crate) fn unknown_worker(&mut self, pool: PoolKey) {
        self.said(pool).unknown_events.happened();
    }

    /// A worker of the pool answered too late.
    pub(crate) fn late(&mut self, pool: PoolKey) {
        self.said(pool).late.happened();
    }

    /// A reply could not be read.
    pub(crate) fn unreadable(&mut self) {
        self.unreadable.happened();
    }

    /// The pool is dropped.
    pub(crate) fn forget(&mut self, pool: PoolKey) {
        self.pools.remove(pool);
    }

    /// Whether events of unknown workers came in the last rounds.
    pub(crate) fn has_unknown_workers(&self, pool: PoolKey) -> bool {
        self.pools
            .get(pool)
            .is_some_and(|said| said.unknown_events.is_recent())
    }

    /// Whether workers answered too late in the last rounds.
    pub(crate) fn has_late_replies(&self, pool: PoolKey) -> bool {
        self.pools.get(pool).is_some_and(|said| said.late.is_recent())
    }

    /// Whether replies that cannot be read came in the last rounds.
    pub(crate) fn has_unreadable(&self) -> bool {
        self.unreadable.is_recent()
    }

    /// Whether it is time to find out why the pool has no workers: at once when that is sure, then less and less often.
    pub(crate) fn wants_reason(&mut self, pool: PoolKey) -> bool {
        let rounds = self.said(pool).absent_rounds + 1;
        rounds >= SURE_AFTER && (rounds <= 8 || rounds.is_multiple_of(4))
    }

    /// What is to be said of a pool after a round, and of what has changed in it since.
    pub(crate) fn news(
        &mut self,
        pool: PoolKey,
        standing: Standing,
        changes: &mut Changes,
        now: Duration,
    ) -> Vec<News> {
        let said = self.said(pool);
        let mut news = Vec::new();
        let has_left = changes.take_has_left();
        match standing {
            Standing::Present { fresh, missing } => {
                said.absent_rounds = 0;
                if !std::mem::replace(&mut said.is_present, true) {
                    news.push(News::Appeared(fresh));
                    changes.forget_unsaid(Change::Joined);
                    changes.forget_unsaid(Change::Recovered);
                }
                let loss = said.loss(fresh, &missing, changes, now);
                // Where the missing ones have left, none has come back.
                news.extend(loss.filter(|loss| !has_left || !matches!(loss, News::Whole(_))));
            }
            Standing::Absent { key, text } => {
                said.absent_rounds += 1;
                said.complaints.retain(|_, at| now - *at < REPEAT_AFTER);
                // That workers went away is news even if the same was said before they came.
                let key = (said.is_present, key);
                if said.absent_rounds >= SURE_AFTER && !said.complaints.contains_key(&key) {
                    // It is not news once more when the pool stays empty.
                    said.complaints.insert((false, key.1.clone()), now);
                    said.complaints.insert(key, now);
                    (said.is_present, said.loss) = (false, None);
                    changes.forget_unsaid(Change::Stale);
                    news.push(News::Absent(text));
                }
            }
            Standing::Unknown => {}
        }
        news.extend(SAID_CHANGES.into_iter().filter_map(|change| {
            let (count, workers) = changes.take_unsaid(change, now)?;
            Some(News::Changed(change, count, workers))
        }));
        news
    }

    /// The pool has no workers, and its reason was not looked for.
    pub(crate) fn still_absent(&mut self, pool: PoolKey) {
        self.said(pool).absent_rounds += 1;
    }

    /// That the pool has no workers is sure: none has answered for long enough.
    pub(crate) fn surely_absent(&mut self, pool: PoolKey) {
        let said = self.said(pool);
        said.absent_rounds = said.absent_rounds.max(SURE_AFTER - 1);
    }

    /// Ends a round.
    pub(crate) fn round_ended(&mut self) {
        self.unreadable.round_ended();
        for said in self.pools.values_mut() {
            said.unknown_events.round_ended();
            said.late.round_ended();
        }
    }

    fn said(&mut self, pool: PoolKey) -> &mut Said {
        self.pools
            .entry(pool)
            .expect("a pool is forgotten before its key is used again")
            .or_default()
    }
}

impl Said {
    /// A partial loss is said when it begins or grows or is another one, at most once a minute, and once when it is over.
    fn loss(
        &mut self,
        fresh: usize,
        missing: &[String],
        changes: &mut Changes,
        now: Duration,
    ) -> Option<News> {
        if missing.is_empty() {
            changes.forget_unsaid(Change::Stale);
            let whole = self.loss.take().map(|_| News::Whole(fresh));
            if whole.is_some() {
                changes.forget_unsaid(Change::Recovered);
            }
            return whole;
        }
        let is_another = changes.has_unsaid(Change::Stale);
        let is_news = is_another || self.loss.is_none_or(|count| missing.len() > count);
        let is_due = self.loss_said.is_none_or(|at| now - at >= REPEAT_AFTER);
        if !is_news || !is_due {
            return None;
        }
        changes.forget_unsaid(Change::Stale);
        (self.loss, self.loss_said) = (Some(missing.len()), Some(now));
        let all = fresh + missing.len();
        let missing = named(missing, missing.len());
        Some(News::Lost { fresh, all, missing })
    }
}

#[cfg(test)]
mod tests {
    use slotmap::SlotMap;

    use super::*;
    use crate::{ChangeCounts, PoolName};

    const SECOND: Duration = Duration::from_secs(1);

    fn absent(key: &str) -> Standing {
        Standing::Absent {
            key: key.to_owned(),
            text: key.to_owned(),
        }
    }

    fn present(fresh: usize, missing: &[&str]) -> Standing {
        Standing::Present {
            fresh,
            missing: missing.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    fn voice() -> (Voice, PoolKey, Changes) {
        let mut pools: SlotMap<PoolKey, ()> = SlotMap::with_key();
        let path = "a/b/c".parse().expect("a path");
        let changes = Changes::new(PoolName::Workers(path), ChangeCounts::default());
        (Voice::default(), pools.insert(()), changes)
    }

    #[test]
    fn an_absence_is_said_once_when_it_is_sure_and_again_after_a_minute() {
        let (mut voice, pool, mut changes) = voice();
        let mut said =
            |standing, second: u32| voice.news(pool, standing, &mut changes, second * SECOND).len();
        assert_eq!(said(absent("a"), 0), 0, "not sure yet");
        assert_eq!(said(absent("a"), 2), 1);
        assert_eq!(said(absent("a"), 4), 0);
        assert_eq!(said(absent("b"), 6), 1, "another reason");
        assert_eq!(said(absent("a"), 61), 0);
        assert_eq!(said(absent("a"), 62), 1);
        assert_eq!(said(present(1, &[]), 64), 1);
        assert_eq!(said(present(2, &[]), 66), 0);
        assert_eq!(said(absent("a"), 68), 0, "not sure yet");
        assert_eq!(said(absent("a"), 70), 1, "after workers were there it is news");
        assert_eq!(said(absent("a"), 72), 0);
        // Workers that come and go make no more lines than ones that stay away.
        assert_eq!(said(present(1, &[]), 74), 1);
        assert_eq!(said(absent("a"), 76), 0);
        assert_eq!(said(absent("a"), 78), 0);
        assert_eq!(said(present(1, &[]), 80), 0);
        assert_eq!(said(absent("a"), 130), 0);
        assert_eq!(said(absent("a"), 132), 1);
        assert_eq!(said(present(1, &[]), 134), 1);
    }

    #[test]
    fn a_partial_loss_is_said_once_and_its_end() {
        let (mut voice, pool, mut changes) = voice();
        let mut said = |standing, second: u32| voice.news(pool, standing, &mut changes, second * SECOND);
        assert_eq!(said(present(4, &[]), 0), [News::Appeared(4)]);
        let lost = News::Lost {
            fresh: 3,
            all: 4,
            missing: "7".to_owned(),
        };
        assert_eq!(said(present(3, &["7"]), 2), [lost]);
        assert_eq!(said(present(3, &["7"]), 4), []);
        assert_eq!(said(present(2, &["7", "8"]), 6), [], "at most once a minute");
        assert_eq!(said(present(2, &["7", "8"]), 62).len(), 1);
        assert_eq!(said(present(4, &[]), 64), [News::Whole(4)]);
        assert_eq!(said(present(4, &[]), 66), []);
        assert_eq!(said(present(3, &["7"]), 68), [], "nor where it comes and goes");
        assert_eq!(said(present(4, &[]), 70), []);
        assert_eq!(said(present(3, &["7"]), 122).len(), 1);
    }

    #[test]
    fn what_happened_explains_only_the_last_rounds() {
        let (mut voice, pool, _) = voice();
        voice.late(pool);
        assert!(voice.has_late_replies(pool));
        for _ in 0..RECENT_ROUNDS {
            voice.round_ended();
        }
        assert!(!voice.has_late_replies(pool));
    }
}
