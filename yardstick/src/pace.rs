//! [`Pace`]: so many messages in a second, in small portions.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

/// How often the messages that are due are published.
const TICK: Duration = Duration::from_millis(2);

/// When how many messages are due.
pub(crate) struct Pace {
    rate: f64,
    total: u64,
    sent: u64,
    started: Instant,
    ticks: Interval,
}

impl Pace {
    pub(crate) fn new(rate: f64, total: u64) -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            rate,
            total,
            sent: 0,
            started: Instant::now(),
            ticks,
        }
    }

    /// Waits for the next portion, which may be empty; `None` once all messages were due.
    pub(crate) async fn portion(&mut self) -> Option<u64> {
        if self.sent == self.total {
            return None;
        }
        self.ticks.tick().await;
        let due = (self.started.elapsed().as_secs_f64() * self.rate) as u64;
        let portion = due.min(self.total).saturating_sub(self.sent);
        self.sent += portion;
        Some(portion)
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
