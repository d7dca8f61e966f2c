//! [`Pace`]: when a snapshot is pushed. Each push is of a snapshot that has just been published.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::published::Published;

/// How much earlier than due a push may be, and no more than a quarter of the interval: rounds of equal intervals do not end
/// at equal intervals.
const SLACK: Duration = Duration::from_millis(500);

/// Once in an interval on average, the next snapshot.
pub(super) struct Pace {
    interval: Duration,
    due: Option<Instant>,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, due: None }
    }

    /// Waits for the snapshot that is to be pushed; false when no more are published.
    ///
    /// A snapshot that came while this waited is left out: at the end of the wait the next one is near, and a push of the
    /// old one would be out of date and take time from the round that is under way.
    pub(super) async fn next(&mut self, snapshots: &mut watch::Receiver<Published>) -> bool {
        let slack = SLACK.min(self.interval / 4);
        if let Some(due) = self.due {
            sleep_until(due - slack).await;
            snapshots.mark_unchanged();
        }
        let is_published = snapshots.changed().await.is_ok();
        let now = Instant::now();
        // One that comes a little late does not make all others late; long after it is due a new count begins.
        let base = self.due.map_or(now, |due| due.max(now - self.interval / 2));
        self.due = Some(base + self.interval);
        is_published
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fleet::Snapshot;
    use tokio::time::{advance, timeout};

    use super::*;

    fn published() -> Published {
        Published::now(Arc::new(Snapshot::default()))
    }

    /// When snapshots that are published at these times are pushed, in milliseconds.
    async fn pushed(interval: u64, times: &[u64]) -> Vec<u64> {
        let (publish, mut snapshots) = watch::channel(published());
        let begun = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(interval));
        let mut pushed = Vec::new();
        let push = async {
            while pace.next(&mut snapshots).await {
                pushed.push(begun.elapsed().as_millis() as u64);
            }
        };
        let times = times.to_vec();
        let source = async move {
            for time in times {
                sleep_until(begun + Duration::from_millis(time)).await;
                publish.send_replace(published());
            }
        };
        tokio::join!(push, source);
        pushed
    }

    #[tokio::test(start_paused = true)]
    async fn each_round_is_pushed_as_it_ends_although_the_program_began_before_it() {
        let rounds = [0, 60, 2090, 4055, 6070, 7000, 8060, 10060];
        assert_eq!(pushed(2000, &rounds).await, [0, 2090, 4055, 6070, 8060, 10060]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_interval_is_one_on_average_and_the_snapshot_is_new() {
        let rounds: Vec<u64> = (0..40).map(|round| round * 2000 + 60).collect();
        assert_eq!(
            pushed(15_000, &rounds).await,
            [60, 16060, 30060, 46060, 60060, 76060]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn snapshots_that_come_all_the_time_are_pushed_once_in_an_interval() {
        let often: Vec<u64> = (0..80).map(|number| number * 130).collect();
        assert_eq!(pushed(2000, &often).await, [0, 1560, 3510, 5590, 7540, 9620]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_snapshot_is_not_followed_by_another_at_once() {
        assert_eq!(pushed(2000, &[0, 3900, 4000, 4800, 5000]).await, [0, 3900, 4800]);
        // Nothing more is published, and nothing is waited for.
        let (publish, mut snapshots) = watch::channel(published());
        let mut pace = Pace::new(Duration::from_secs(2));
        drop(publish);
        assert!(!pace.next(&mut snapshots).await);
        advance(Duration::from_secs(1)).await;
        let ended = timeout(Duration::from_secs(60), pace.next(&mut snapshots)).await;
        assert_eq!(ended, Ok(false));
    }
}
