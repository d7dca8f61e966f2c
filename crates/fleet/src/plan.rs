//! [`Plan`]: what to watch and by which rules. Two plans can be compared, and a running core takes a new one.

use std::time::Duration;

use protocol::SubjectPattern;

use crate::{PathGlob, Selector};

/// What the state machine works by.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to watch.
    pub selectors: Vec<Selector>,
    /// What not to watch, whatever selects it.
    pub excludes: Vec<PathGlob>,
    /// Subject formats of the user's own.
    pub patterns: Vec<SubjectPattern>,
    /// The rules.
    pub settings: Settings,
}

/// Times and limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Time between the starts of two rounds.
    pub poll_interval: Duration,
    /// The longest that a round lasts; at most the interval.
    pub round_timeout: Duration,
    /// How long no reply may come before a round ends without the missing workers.
    pub stall: Duration,
    /// Missed rounds after which a worker is stale.
    pub stale_after: u32,
    /// Missed rounds after which a worker is gone.
    pub gone_after: u32,
    /// Waiting requests at which a worker counts as saturated.
    pub queue_target: f64,
    /// KV use at which a worker counts as saturated.
    pub kv_target: f64,
    /// Age at which load that was reported by an event is no longer current.
    pub event_max_age: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_secs(2),
            round_timeout: Duration::from_secs(2),
            stall: Duration::from_millis(250),
            stale_after: 2,
            gone_after: 5,
            queue_target: 5.0,
            kv_target: 0.8,
            event_max_age: Duration::from_secs(60),
        }
    }
}

/// A worker's reply may come this much later than expected before its age alone makes it stale.
const AGE_SLACK: Duration = Duration::from_millis(250);

/// Below this age no worker is stale for its age alone: a machine under load may stop the collector for so long.
const MIN_AGE: Duration = Duration::from_secs(1);

impl Settings {
    /// The age above which a worker is stale, however many rounds there were. It is long enough for a worker that answers
    /// every round at any time before its deadline.
    pub fn fresh_for(&self) -> Duration {
        let by_rounds = self.poll_interval * self.stale_after;
        let by_deadline = self.poll_interval + self.round_timeout;
        by_rounds.max(by_deadline).max(MIN_AGE) + AGE_SLACK
    }
}
