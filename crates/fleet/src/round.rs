//! When is a round over? There is no end marker, so the rule is written down here, as a pure function.
//!
//! In this order: the link failed or the server refused the request; every expected worker has answered; the deadline
//! has come; and the *stall*: nothing new has come for 250 ms, and even the slowest expected worker has had twice the
//! time that it took before. How long a worker takes is measured from the request and not from the reply before its own,
//! so that the replies of other services change nothing. A "no responders" ends a round at the stall, and only if nothing
//! else came, because any service may have sent it.

use std::time::Duration;

use crate::{Finish, Settings};

/// How many times as long as the slowest expected worker took before a round waits for it.
const PATIENCE_FACTOR: u32 = 2;

/// How long a "no responders" of the server is doubted at most: any service may have sent it.
const DOUBT: Duration = Duration::from_millis(250);

/// One round. It goes on being the current one after its end, until the next begins.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// Counts the rounds, from 1.
    pub(crate) number: u64,
    /// When the request was sent.
    pub(crate) asked_at: Duration,
    /// Whether it has not ended yet.
    pub(crate) is_open: bool,
    /// Workers that are waited for.
    pub(crate) expected: usize,
    /// How many of these have answered.
    pub(crate) answered: usize,
    /// When something new last came: a reply that repeats one is not news.
    pub(crate) last_news: Option<Duration>,
    /// When the last expected worker answered.
    pub(crate) latest: Option<Duration>,
    /// The server reported that no service is subscribed.
    pub(crate) no_responders: bool,
    /// Why it cannot bring anything.
    pub(crate) failed: Option<String>,
    /// Replies that came to it while it was open, and how many of them could be read.
    pub(crate) replies: u64,
    pub(crate) readable: u64,
    /// Instances that it heard while it was open.
    pub(crate) heard: usize,
    /// Whether the link has been checked because nothing came, and whether it answered.
    pub(crate) link_check: LinkCheck,
    /// Since when replies to further requests are waited for.
    pub(crate) waits_since: Option<Duration>,
    /// Whether half of a short round is over.
    pub(crate) is_past_half_time: bool,
}

/// Whether a silent round's link has been proved to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkCheck {
    NotNeeded,
    Running,
    Alive,
    Dead,
}

/// What to do at one moment of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Wait for replies, and look again at this time.
    WaitUntil(Duration),
    /// The round is over.
    Over(Finish),
}

impl Round {
    pub(crate) fn new(number: u64, asked_at: Duration, expected: usize) -> Self {
        Self {
            number,
            asked_at,
            is_open: true,
            expected,
            answered: 0,
            last_news: None,
            latest: None,
            no_responders: false,
            failed: None,
            replies: 0,
            readable: 0,
            heard: 0,
            link_check: LinkCheck::NotNeeded,
            waits_since: None,
            is_past_half_time: false,
        }
    }

    /// Whether every expected worker has answered.
    pub(crate) fn is_complete(&self) -> bool {
        self.expected > 0 && self.answered >= self.expected && self.waits_since.is_none()
    }

    /// The rule.
    pub(crate) fn verdict(&self, patience: Duration, settings: &Settings, now: Duration) -> Verdict {
        let deadline = self.asked_at + settings.round_timeout;
        let patient_until = match self.expected {
            0 => self.asked_at,
            _ => self.asked_at + patience,
        };
        let stall = match self.last_news {
            Some(last) => Some((last + settings.stall).max(patient_until)),
            None if self.no_responders => {
                Some((self.asked_at + settings.stall.min(DOUBT)).max(patient_until))
            }
            None => None,
        };
        let stall = match self.waits_since {
            Some(since) => Some(since + settings.stall),
            None => stall,
        };
        let is_stalled = stall.is_some_and(|stall| now >= stall);
        let is_silent = self.replies == 0 && self.last_news.is_none();
        if self.failed.is_some() {
            Verdict::Over(Finish::Error)
        } else if self.is_complete() {
            Verdict::Over(Finish::Complete)
        } else if self.no_responders && is_silent && (is_stalled || now >= deadline) {
            Verdict::Over(Finish::NoResponders)
        } else if now >= deadline {
            Verdict::Over(Finish::Deadline)
        } else if is_stalled {
            Verdict::Over(Finish::Stall)
        } else {
            Verdict::WaitUntil(stall.map_or(deadline, |stall| stall.min(deadline)))
        }
    }

    /// Why the round is over when the next one begins, which may be a moment before its deadline where it began late.
    pub(crate) fn finish_at_deadline(&self, patience: Duration, settings: &Settings) -> Finish {
        match self.verdict(patience, settings, self.asked_at + settings.round_timeout) {
            Verdict::Over(finish) => finish,
            Verdict::WaitUntil(_) => Finish::Deadline,
        }
    }

    /// When missing workers should be asked alone in a round that ends too soon to stall.
    pub(crate) fn half_time(&self, settings: &Settings) -> Option<Duration> {
        let half = settings.round_timeout / 2;
        let is_short = self.is_open && settings.stall > half && self.expected > 0;
        (is_short && !self.is_past_half_time).then(|| self.asked_at + half)
    }

    /// When the link should be checked, because nothing at all has come.
    pub(crate) fn check_link_at(&self, settings: &Settings) -> Option<Duration> {
        let is_silent = self.is_open && self.replies == 0 && !self.no_responders;
        let after = (settings.round_timeout / 2).min(settings.stall);
        (is_silent && self.link_check == LinkCheck::NotNeeded).then(|| self.asked_at + after)
    }
}

/// Learns how long after the request the slowest expected worker answers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slowest(Duration);

impl Slowest {
    /// Takes in when the last expected reply of a round came, or a late one. It rises at once and falls slowly.
    pub(crate) fn learn(&mut self, latency: Duration) {
        self.0 = latency.max((self.0 * 4 + latency) / 5);
    }

    /// How long to wait for the slowest.
    pub(crate) fn patience(self) -> Duration {
        self.0 * PATIENCE_FACTOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const START: Duration = Duration::from_secs(100);

    /// Expected, answered, last news (ms after the start).
    fn round(expected: usize, answered: usize, last_news: Option<u32>) -> Round {
        Round {
            answered,
            last_news: last_news.map(|ms| START + ms * MS),
            ..Round::new(1, START, expected)
        }
    }

    fn at(round: &Round, patience: u32, now: u32) -> Verdict {
        round.verdict(patience * MS, &Settings::default(), START + now * MS)
    }

    #[test]
    fn a_round_ends_for_the_first_reason_that_holds() {
        fn check(round: &Round, now: u32, expected: Finish) {
            assert_eq!(at(round, 0, now), Verdict::Over(expected), "{round:?}");
        }
        check(&round(3, 3, Some(10)), 10, Finish::Complete);
        check(&round(3, 3, Some(10)), 5000, Finish::Complete);
        check(&round(3, 2, Some(10)), 260, Finish::Stall);
        check(&round(0, 0, Some(10)), 260, Finish::Stall);
        check(&round(3, 2, Some(1990)), 2000, Finish::Deadline);
        check(&round(0, 0, None), 2000, Finish::Deadline);
        let no_responders = |round| Round {
            no_responders: true,
            ..round
        };
        check(&no_responders(round(0, 0, None)), 250, Finish::NoResponders);
        check(&no_responders(round(3, 0, None)), 250, Finish::NoResponders);
        check(&no_responders(round(3, 2, Some(10))), 260, Finish::Stall);
        check(&no_responders(round(3, 3, Some(1))), 1, Finish::Complete);
        let failed = Round {
            failed: Some(String::new()),
            ..round(3, 3, Some(1))
        };
        check(&failed, 1, Finish::Error);
    }

    #[test]
    fn until_then_it_waits_for_the_stall_after_a_reply_and_else_for_the_deadline() {
        fn check(round: &Round, now: u32, expected_ms: u32) {
            assert_eq!(at(round, 0, now), Verdict::WaitUntil(START + expected_ms * MS));
        }
        check(&round(3, 0, None), 1999, 2000);
        check(&round(0, 0, None), 300, 2000);
        check(&round(3, 2, Some(10)), 259, 260);
        check(&round(3, 2, Some(1900)), 1950, 2000);
        check(&round(0, 0, Some(10)), 11, 260);
    }

    #[test]
    fn a_503_is_not_believed_at_once_whether_workers_are_expected_or_not() {
        for expected in [0, 3] {
            let round = Round {
                no_responders: true,
                ..round(expected, 0, None)
            };
            assert_eq!(at(&round, 0, 249), Verdict::WaitUntil(START + 250 * MS));
        }
    }

    #[test]
    fn an_expected_worker_is_waited_for_as_long_as_it_took_before_whatever_else_answers() {
        let patient = |expected, now| at(&round(expected, 0, Some(10)), 900, now);
        assert_eq!(patient(1, 899), Verdict::WaitUntil(START + 900 * MS));
        assert_eq!(patient(1, 900), Verdict::Over(Finish::Stall));
        assert_eq!(
            patient(0, 260),
            Verdict::Over(Finish::Stall),
            "no worker is expected"
        );
    }

    #[test]
    fn patience_rises_at_once_and_falls_slowly() {
        let mut slowest = Slowest::default();
        slowest.learn(450 * MS);
        assert_eq!(slowest.patience(), 900 * MS);
        slowest.learn(Duration::ZERO);
        assert_eq!(slowest.patience(), 720 * MS);
    }

    #[test]
    fn the_link_is_checked_once_while_a_round_is_silent() {
        let settings = Settings::default();
        let mut silent = round(3, 0, None);
        assert_eq!(silent.check_link_at(&settings), Some(START + 250 * MS));
        silent.link_check = LinkCheck::Running;
        assert_eq!(silent.check_link_at(&settings), None);
        let mut heard = round(3, 0, None);
        heard.replies = 1;
        assert_eq!(heard.check_link_at(&settings), None);
    }
}
