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
    /// What workers do not report themselves; of several for one pool, the first.
    pub capacities: Vec<Capacity>,
    /// Subjects on which frontends publish a record for each request.
    pub request_traces: Vec<String>,
    /// The rules.
    pub settings: Settings,
}

/// How much the workers of some pools can hold, as their operator knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Which pools.
    pub pools: PathGlob,
    /// Requests that each worker can run at once.
    pub slots: Option<u64>,
    /// KV-cache blocks that each worker has.
    pub kv_blocks: Option<u64>,
}

impl Plan {
    /// A plan that watches this, by the default rules.
    pub fn watching(selectors: Vec<Selector>) -> Self {
        Self {
            selectors,
            excludes: Vec::new(),
            patterns: Vec::new(),
            capacities: Vec::new(),
            request_traces: vec![protocol::subject::REQUEST_TRACE.to_owned()],
            settings: Settings::default(),
        }
    }
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
    /// Silence after which a worker that reports its forward passes, and so sends a heartbeat, is gone.
    pub event_gone_after: Duration,
    /// Silence after which any other worker that is known by its events alone is gone.
    pub event_idle_gone_after: Duration,
    /// Which opt-in topics are listened to.
    pub topics: OptInTopics,
}

/// Topics with many messages, which are listened to where they are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OptInTopics {
    /// `kv-events`: blocks that caches store and remove.
    pub kv_events: bool,
    /// `active_sequences_events`: requests that routers assign.
    pub active_sequences: bool,
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
            event_gone_after: Duration::from_secs(10),
            event_idle_gone_after: Duration::from_secs(600),
            topics: OptInTopics::default(),
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
