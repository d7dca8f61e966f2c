//! When is a round over? There is no end marker, so the rule is written down here, as a pure function.
//!
//! In this order: the link failed or the server refused the request; every expected worker has answered; the
//! deadline has come; and the *stall*: nothing has come for 250 ms, and even the slowest expected worker has had twice
//! the time that it took before. How long a worker takes is measured from the request and not from the reply before
//! its own, so that the replies of other services change nothing. A "no responders" of the server ends a round at once
//! where no worker is expected. Where one is, any service may have sent it, so it ends the round at the stall, and only
//! if nothing else came.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// The shortest stall time of a collector's rounds.
pub const MIN_STALL: Duration = Duration::from_millis(250);

/// How many times as long as the slowest expected worker took before a round waits for it.
const PATIENCE_FACTOR: u32 = 2;

/// Why a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// All expected workers answered.
    Complete,
    /// Replies ceased to come.
    Stall,
    /// The time was up.
    Deadline,
    /// The server said that nobody is subscribed.
    NoResponders,
    /// The request could not be made, or the connection was lost.
    Error,
}

/// All that the rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct RoundState {
    /// When the request was sent.
    pub started: Instant,
    /// The longest that the round may last.
    pub deadline: Duration,
    /// The longest pause between replies.
    pub stall: Duration,
    /// How long after the request an expected worker may answer, pause or not.
    pub patience: Duration,
    /// When the last reply came, if one did.
    pub last_reply: Option<Instant>,
    /// Workers that answered the last round and are waited for.
    pub expected: usize,
    /// How many of these have answered.
    pub answered: usize,
    /// The server said that nobody is subscribed.
    pub no_responders: bool,
    /// The connection was lost or the request refused.
    pub failed: bool,
}

/// What to do at one moment of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wait for replies, and look again at this time.
    WaitUntil(Instant),
    /// The round is over.
    Over(Finish),
}

/// The rule. `now` is looked at only after all replies that have arrived were taken in.
pub fn verdict(round: &RoundState, now: Instant) -> Verdict {
    let deadline = round.started + round.deadline;
    let patient_until = match round.expected {
        0 => round.started,
        _ => round.started + round.patience,
    };
    let stall = match round.last_reply {
        Some(last) => Some((last + round.stall).max(patient_until)),
        None if round.no_responders && round.expected == 0 => Some(round.started),
        None if round.no_responders => Some((round.started + round.stall).max(patient_until)),
        None => None,
    };
    let is_stalled = stall.is_some_and(|stall| now >= stall);
    if round.failed {
        Verdict::Over(Finish::Error)
    } else if round.expected > 0 && round.answered >= round.expected {
        Verdict::Over(Finish::Complete)
    } else if round.no_responders && round.last_reply.is_none() && (is_stalled || now >= deadline) {
        Verdict::Over(Finish::NoResponders)
    } else if now >= deadline {
        Verdict::Over(Finish::Deadline)
    } else if is_stalled {
        Verdict::Over(Finish::Stall)
    } else {
        Verdict::WaitUntil(stall.map_or(deadline, |stall| stall.min(deadline)))
    }
}

/// Learns how long after the request the slowest expected worker answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slowest(Duration);

impl Slowest {
    /// Takes in when the last expected reply of a round came, or a late one. It rises at once and falls slowly.
    pub fn learn(&mut self, latency: Duration) {
        self.0 = latency.max((self.0 * 4 + latency) / 5);
    }

    /// How long to wait for the slowest.
    pub fn patience(self) -> Duration {
        self.0 * PATIENCE_FACTOR
    }
}

impl Finish {
    /// All reasons.
    pub const ALL: [Self; 5] = [
        Self::Complete,
        Self::Stall,
        Self::Deadline,
        Self::NoResponders,
        Self::Error,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Stall => "stall",
            Self::Deadline => "deadline",
            Self::NoResponders => "no_responders",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Expected, answered, last reply (ms after the start), now (ms after the start).
    fn at(
        expected: usize,
        answered: usize,
        last_reply: Option<u32>,
        now: u32,
    ) -> (RoundState, Instant, Instant) {
        let started = Instant::now();
        let round = RoundState {
            started,
            deadline: 2000 * MS,
            stall: 250 * MS,
            patience: Duration::ZERO,
            last_reply: last_reply.map(|ms| started + ms * MS),
            expected,
            answered,
            no_responders: false,
            failed: false,
        };
        (round, started + now * MS, started)
    }

    #[test]
    fn a_round_ends_for_the_first_reason_that_holds() {
        fn check(round: (RoundState, Instant, Instant), expected: Finish) {
            assert_eq!(
                verdict(&round.0, round.1),
                Verdict::Over(expected),
                "{:?}",
                round.0
            );
        }
        check(at(3, 3, Some(10), 10), Finish::Complete);
        check(at(3, 3, Some(10), 5000), Finish::Complete);
        check(at(3, 4, Some(10), 10), Finish::Complete);
        check(at(3, 2, Some(10), 260), Finish::Stall);
        check(at(0, 0, Some(10), 260), Finish::Stall);
        check(at(3, 2, Some(1990), 2000), Finish::Deadline);
        check(at(0, 0, None, 2000), Finish::Deadline);
        let nobody = |mut round: (RoundState, Instant, Instant)| {
            round.0.no_responders = true;
            round
        };
        check(nobody(at(0, 0, None, 0)), Finish::NoResponders);
        check(nobody(at(3, 0, None, 250)), Finish::NoResponders);
        check(nobody(at(3, 2, Some(10), 260)), Finish::Stall);
        check(nobody(at(3, 3, Some(1), 1)), Finish::Complete);
        let failed = |mut round: (RoundState, Instant, Instant)| {
            round.0.failed = true;
            round
        };
        check(failed(at(3, 3, Some(1), 1)), Finish::Error);
    }

    #[test]
    fn until_then_it_waits_for_the_stall_after_a_reply_and_else_for_the_deadline() {
        fn check(round: (RoundState, Instant, Instant), expected_ms: u32) {
            assert_eq!(
                verdict(&round.0, round.1),
                Verdict::WaitUntil(round.2 + expected_ms * MS)
            );
        }
        check(at(3, 0, None, 1999), 2000);
        check(at(0, 0, None, 300), 2000);
        check(at(3, 2, Some(10), 259), 260);
        check(at(3, 2, Some(1900), 1950), 2000);
        check(at(0, 0, Some(10), 11), 260);
    }

    #[test]
    fn a_503_is_not_believed_at_once_while_workers_are_expected() {
        let mut round = at(3, 0, None, 249);
        round.0.no_responders = true;
        assert_eq!(verdict(&round.0, round.1), Verdict::WaitUntil(round.2 + 250 * MS));
    }

    #[test]
    fn an_expected_worker_is_waited_for_as_long_as_it_took_before_whoever_else_answers() {
        let patient = |expected, now| {
            let mut round = at(expected, 0, Some(10), now);
            round.0.patience = 900 * MS;
            (verdict(&round.0, round.1), round.2)
        };
        let (verdict, started) = patient(1, 899);
        assert_eq!(verdict, Verdict::WaitUntil(started + 900 * MS));
        assert_eq!(patient(1, 900).0, Verdict::Over(Finish::Stall));
        assert_eq!(
            patient(0, 260).0,
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
}
