//! Flags of rounds: how often workers are asked, and when a silent one is gone.

use std::time::Duration;

use clap::Args;
use program::time::{Bounds, time_within};

/// Heading of these flags, and of one that other commands have too.
pub(super) const HEADING: &str = "Rounds";

const POLL_INTERVAL: Bounds = (Duration::from_millis(50), Duration::from_secs(3600));
const EVENT_MAX_AGE: Bounds = (Duration::from_secs(1), Duration::from_secs(86_400));
const EVENT_IDLE: Bounds = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));

/// How often workers are asked, and when a silent one is gone.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = HEADING)]
pub struct RoundArgs {
    /// Time between rounds, from 50ms to 1h: `2`, `2s` or `500ms`.
    #[arg(long, env = "METRICS_POLL_INTERVAL", default_value = "2s", value_parser = time_within(POLL_INTERVAL), value_name = "TIME")]
    pub poll_interval: Duration,

    /// Missed rounds after which a worker is stale and its load leaves the page.
    #[arg(long, env = "METRICS_STALE_AFTER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..), value_name = "ROUNDS")]
    pub stale_after: u32,

    /// Missed rounds after which a worker is gone and all of it leaves the page.
    #[arg(long, env = "METRICS_GONE_AFTER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..), value_name = "ROUNDS")]
    pub gone_after: u32,

    /// Age at which load that a worker reported by an event is no longer shown, from 1s to 1d.
    #[arg(long, env = "METRICS_EVENT_MAX_AGE", default_value = "1m", value_parser = time_within(EVENT_MAX_AGE), value_name = "TIME")]
    pub event_max_age: Duration,

    /// Silence after which a worker that reports its forward passes, with a heartbeat each second, is gone, from 1s to 1d.
    #[arg(long, env = "METRICS_EVENT_GONE_AFTER", default_value = "10s", value_parser = time_within(EVENT_MAX_AGE), value_name = "TIME")]
    pub event_gone_after: Duration,

    /// Silence after which any other worker that is known by its events alone is gone, from 1s to 30d.
    #[arg(long, env = "METRICS_EVENT_IDLE_GONE_AFTER", default_value = "10m", value_parser = time_within(EVENT_IDLE), value_name = "TIME")]
    pub event_idle_gone_after: Duration,
}
