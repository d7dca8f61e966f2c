//! When is a round over? There is no end marker, so the rule is written down here, as a pure function.
//!
//! In this order: the link failed or the server refused the request; nobody is subscribed; everyone who is expected
//! has answered; the deadline has come; and, once there is a reply, nothing came for longer than the adaptive
//! *stall* time. The stall time follows the largest gap that was seen between replies of expected workers, late
//! ones included, so a slow worker is waited for after it was missed once.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// The shortest stall time of a collector's rounds.
pub const MIN_STALL: Duration = Duration::from_millis(250);

/// How many times the smoothed largest gap the stall time is.
const STALL_FACTOR: u32 = 3;

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
    let stall = round.last_reply.map(|last| last + round.stall);
    if round.failed {
        Verdict::Over(Finish::Error)
    } else if round.no_responders && round.last_reply.is_none() {
        Verdict::Over(Finish::NoResponders)
    } else if round.expected > 0 && round.answered >= round.expected {
        Verdict::Over(Finish::Complete)
    } else if now >= deadline {
        Verdict::Over(Finish::Deadline)
    } else if stall.is_some_and(|stall| now >= stall) {
        Verdict::Over(Finish::Stall)
    } else {
        Verdict::WaitUntil(stall.map_or(deadline, |stall| stall.min(deadline)))
    }
}

/// Learns how long a pause between replies can be.
#[derive(Debug, Clone, Copy)]
pub struct StallEstimate {
    shortest: Duration,
    smoothed_gap: Duration,
}

impl StallEstimate {
    /// Nothing learnt yet.
    pub const fn new(shortest: Duration) -> Self {
        Self {
            shortest,
            smoothed_gap: Duration::ZERO,
        }
    }

    /// Takes in the largest gap of a round, or that before a late reply. It rises at once and falls slowly.
    pub fn learn(&mut self, largest_gap: Duration) {
        self.smoothed_gap = largest_gap.max((self.smoothed_gap * 4 + largest_gap) / 5);
    }

    /// How long to wait for the next reply.
    pub fn stall(&self) -> Duration {
        self.shortest.max(self.smoothed_gap * STALL_FACTOR)
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
        check(nobody(at(3, 0, None, 0)), Finish::NoResponders);
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
    fn the_stall_time_rises_at_once_and_falls_slowly() {
        let mut estimate = StallEstimate::new(MIN_STALL);
        assert_eq!(estimate.stall(), 250 * MS);
        estimate.learn(390 * MS);
        assert_eq!(estimate.stall(), 1170 * MS);
        estimate.learn(Duration::ZERO);
        assert_eq!(estimate.stall(), 936 * MS);
        for _ in 0..50 {
            estimate.learn(Duration::ZERO);
        }
        assert_eq!(estimate.stall(), 250 * MS);
    }
}
