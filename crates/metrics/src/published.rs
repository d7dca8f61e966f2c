//! [`Published`]: a snapshot and when it was published. What serves people and Prometheus reads nothing else.

use std::sync::Arc;
use std::time::Duration;

use fleet::Snapshot;
use tokio::time::Instant;

/// The latest snapshot.
#[derive(Debug, Clone)]
pub struct Published {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// When it was published. Ages are measured from here, on a clock that no operator can set.
    pub at: Instant,
}

impl Published {
    /// Publishes a snapshot now.
    pub fn now(snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot,
            at: Instant::now(),
        }
    }

    /// How long ago the last round ended, or `None` before the first.
    pub fn round_age(&self) -> Option<Duration> {
        Some(self.snapshot.round_age? + self.at.elapsed())
    }
}
