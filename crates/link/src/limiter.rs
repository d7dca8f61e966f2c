//! [`Limiter`]: the same message at most once in an interval, with the number of those left out.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Decides whether a message is written now. Time is an argument.
///
/// It remembers a fixed number of keys. While that many were used within one interval, all further keys share one
/// place, so that keys from outside can grow neither the memory nor the log.
///
/// ```
/// use std::time::Duration;
/// use tokio::time::Instant;
///
/// let mut limiter = link::Limiter::<String>::new(Duration::from_secs(60));
/// let start = Instant::now();
/// let mut admit = |seconds| limiter.admit("disk full", start + Duration::from_secs(seconds));
/// assert_eq!([admit(0), admit(1), admit(2), admit(60)], [Some(0), None, None, Some(2)]);
/// ```
#[derive(Debug)]
pub struct Limiter<K> {
    interval: Duration,
    longest: Duration,
    capacity: usize,
    keys: HashMap<K, Said>,
    others: Option<Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    /// When it was last meant to be said.
    meant: Instant,
    /// How long after `at` it is left out.
    pause: Duration,
    left_out: u64,
}

impl<K: Eq + Hash> Limiter<K> {
    /// How many keys are remembered.
    pub const CAPACITY: usize = 64;

    /// A limiter that lets each key pass once in `interval`.
    pub fn new(interval: Duration) -> Self {
        Self::with_capacity(interval, Self::CAPACITY)
    }

    /// The same, with another number of keys.
    pub fn with_capacity(interval: Duration, capacity: usize) -> Self {
        Self {
            interval,
            longest: interval,
            capacity,
            keys: HashMap::new(),
            others: None,
        }
    }

    /// The same, where a message that keeps coming pauses twice as long after each time, up to `longest`.
    #[must_use]
    pub fn up_to(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Whether to write the message with this key now; if so, how many were left out since the last one.
    pub fn admit<Q>(&mut self, key: &Q, now: Instant) -> Option<u64>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(said) = self.keys.get_mut(key) {
            return said.admit(now, self.interval, self.longest);
        }
        if self.keys.len() >= self.capacity {
            self.keys.retain(|_, said| said.is_recent(now));
        }
        let said = Said {
            at: now,
            meant: now,
            pause: self.interval,
            left_out: 0,
        };
        if self.keys.len() < self.capacity {
            self.keys.insert(key.to_owned(), said);
            return Some(0);
        }
        match &mut self.others {
            Some(others) => others.admit(now, self.interval, self.longest),
            none => {
                *none = Some(said);
                Some(0)
            }
        }
    }
}

impl Said {
    fn is_recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < self.pause
    }

    fn admit(&mut self, now: Instant, interval: Duration, longest: Duration) -> Option<u64> {
        let meant = std::mem::replace(&mut self.meant, now);
        if self.is_recent(now) {
            self.left_out += 1;
            return None;
        }
        // After a pause without it, it is news again.
        let is_news = now.saturating_duration_since(meant) >= self.pause;
        self.pause = match is_news {
            true => interval,
            false => (self.pause * 2).min(longest),
        };
        self.at = now;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn each_key_passes_once_in_the_interval_and_those_left_out_are_counted() {
        let mut limiter = Limiter::<String>::new(MINUTE);
        let start = Instant::now();
        let mut check = |second, key: &str, expected| {
            let admitted = limiter.admit(key, start + Duration::from_secs(second));
            assert_eq!(admitted, expected, "{key} at {second} s");
        };
        check(0, "a", Some(0));
        check(1, "a", None);
        check(2, "b", Some(0));
        check(59, "a", None);
        check(60, "a", Some(2));
        check(61, "b", None);
        check(61, "a", None);
        check(62, "b", Some(1));
    }

    #[test]
    fn a_message_that_keeps_coming_is_said_less_and_less_often() {
        let mut limiter = Limiter::<u32>::new(MINUTE).up_to(4 * MINUTE);
        let start = Instant::now();
        let mut said = |seconds: std::ops::Range<u64>| -> Vec<u64> {
            let at = |second: &u64| start + Duration::from_secs(*second);
            seconds
                .filter(|second| limiter.admit(&1, at(second)).is_some())
                .collect()
        };
        assert_eq!(said(0..1000), [0, 60, 180, 420, 660, 900]);
        assert_eq!(said(2000..2100), [2000, 2060], "it is news again");
    }

    #[test]
    fn more_keys_than_there_are_places_share_one() {
        let mut limiter = Limiter::<u32>::with_capacity(MINUTE, 2);
        let start = Instant::now();
        let mut check = |second, key: u32, expected| {
            let admitted = limiter.admit(&key, start + Duration::from_secs(second));
            assert_eq!(admitted, expected, "{key} at {second} s");
        };
        check(0, 1, Some(0));
        check(1, 2, Some(0));
        check(2, 3, Some(0));
        check(3, 4, None);
        check(4, 5, None);
        check(5, 1, None);
        // The first key has had its minute and gives up its place, with what it left out.
        check(60, 6, Some(0));
        check(60, 1, None);
        check(62, 2, Some(0));
        check(63, 7, Some(3));
    }

    #[test]
    fn a_flood_of_keys_takes_no_more_memory_than_a_few() {
        let mut limiter = Limiter::<u32>::new(MINUTE);
        let now = Instant::now();
        let admitted = (0..100_000).filter(|key| limiter.admit(key, now).is_some());
        assert_eq!(admitted.count(), Limiter::<u32>::CAPACITY + 1);
        assert_eq!(limiter.keys.len(), Limiter::<u32>::CAPACITY);
    }
}
