//! When the collector's rounds begin, so that what is measured next to it keeps out of their way.
//!
//! The collector asks every two seconds. The bare loop has the same interval and asks one second later: the two take
//! turns, round by round, and a machine that gets slower or faster meanwhile does so for both.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::page::Scrape;

/// The collector's default.
pub(in super::super) const INTERVAL: Duration = Duration::from_secs(2);
/// When the bare loop asks, after the collector.
pub(in super::super) const BARE_LOOP: Duration = Duration::from_secs(1);
/// When the page is read: the collector's round is over, the bare loop's is not due.
pub(in super::super) const READING: Duration = Duration::from_millis(850);

/// The beat of the collector's rounds.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Rhythm {
    /// When one of them began.
    beat: Instant,
}

impl Rhythm {
    /// From the end of the latest round, and how long rounds take.
    pub(in super::super) fn of(page: &Scrape) -> Result<Self> {
        let end = page
            .snapshot_at
            .context("failed to find on the page when the latest round ended")?;
        let mean = page.mean_round_since(&Scrape::default()).unwrap_or_default();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("failed to read the clock")?;
        let age = Duration::try_from_secs_f64(now.as_secs_f64() - end + mean).unwrap_or_default();
        if age > 10 * INTERVAL {
            bail!("failed to see a new round for {age:?}");
        }
        let beat = Instant::now()
            .checked_sub(age)
            .context("failed to read the clock")?;
        Ok(Self { beat })
    }

    /// How long it is until so much time has passed since a round's beginning.
    pub(in super::super) fn until(self, after: Duration) -> Duration {
        left(self.beat.elapsed(), after)
    }
}

fn left(elapsed: Duration, after: Duration) -> Duration {
    let (interval, elapsed, after) = (INTERVAL.as_nanos(), elapsed.as_nanos(), after.as_nanos());
    let left = (interval + after % interval - elapsed % interval) % interval;
    Duration::from_nanos(u64::try_from(left).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_after_a_beat_is_less_than_an_interval_away() {
        let check = |elapsed: u64, after: u64, expected: u64| {
            let ms = Duration::from_millis;
            assert_eq!(left(ms(elapsed), ms(after)), ms(expected), "{elapsed} {after}");
        };
        check(0, 1000, 1000);
        check(900, 1000, 100);
        check(1000, 1000, 0);
        check(1100, 1000, 1900);
        check(7900, 850, 950);
    }

    #[test]
    fn a_round_begins_before_the_snapshot_by_as_long_as_it_takes() {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        let page = |ago: f64| Scrape {
            snapshot_at: Some(now - ago),
            duration: (0.8, 2.0),
            ..Scrape::default()
        };
        let elapsed = Rhythm::of(&page(0.5)).unwrap().beat.elapsed().as_secs_f64();
        assert!((0.9..5.0).contains(&elapsed), "{elapsed}");
        assert!(Rhythm::of(&page(100.0)).is_err(), "a collector without rounds");
        assert!(Rhythm::of(&Scrape::default()).is_err(), "a page without rounds");
    }
}
