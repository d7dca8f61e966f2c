//! [`Meter`]: rates from counters, which may begin anew.

use std::time::Duration;

/// Counters are compared with those of at least this long ago, so that a rate does not jump from snapshot to snapshot.
const WINDOW: Duration = Duration::from_secs(5);

/// Below this time a difference says nothing.
const SHORTEST: Duration = Duration::from_millis(500);

/// What is counted of a worker, a service, or a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counters {
    /// Requests; `None` where they are not counted.
    pub(super) requests: Option<f64>,
    pub(super) errors: f64,
    pub(super) processing_seconds: f64,
    pub(super) lookups: f64,
    pub(super) hits: f64,
}

/// What has happened in the last seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// Requests per second.
    pub requests: Option<f64>,
    /// Failed requests by requests; `None` without requests.
    pub errors: Option<f64>,
    /// Seconds spent on a request, in the mean; `None` without requests.
    pub processing: Option<f64>,
    /// Blocks found by blocks looked up; `None` where none were looked up.
    pub hits: Option<f64>,
}

/// Counters at two moments, and what they differ by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    before: (Duration, Counters),
    recent: (Duration, Counters),
    rates: Rates,
}

impl Meter {
    pub(super) fn new(now: Duration, counters: Counters) -> Self {
        Self {
            before: (now, counters),
            recent: (now, counters),
            rates: Rates::default(),
        }
    }

    /// Takes in counters and returns the rates of the last five to ten seconds, or of the time between two snapshots, if
    /// that is longer. Counters that ran backwards began anew: there is no rate until they are seen again.
    pub(super) fn take_in(&mut self, now: Duration, counters: Counters) -> Rates {
        let (at, before) = self.before;
        if counters.is_behind(&self.recent.1) || counters.is_behind(&before) {
            *self = Self::new(now, counters);
            return self.rates;
        }
        let time = now.saturating_sub(at);
        if time >= SHORTEST {
            self.rates = counters.since(&before, time);
        }
        if now.saturating_sub(self.recent.0) >= WINDOW {
            self.before = self.recent;
            self.recent = (now, counters);
        }
        self.rates
    }

    pub(super) fn rates(&self) -> Rates {
        self.rates
    }
}

impl Counters {
    fn is_behind(&self, before: &Self) -> bool {
        self.requests < before.requests
            || self.errors < before.errors
            || self.lookups < before.lookups
            || self.hits < before.hits
    }

    fn since(&self, before: &Self, time: Duration) -> Rates {
        let requests = self.requests.zip(before.requests).map(|(now, then)| now - then);
        let share = |part: f64| {
            let requests = requests.filter(|requests| *requests > 0.0)?;
            Some(part / requests)
        };
        let lookups = self.lookups - before.lookups;
        Rates {
            requests: requests.map(|requests| requests / time.as_secs_f64()),
            errors: share(self.errors - before.errors).map(|ratio| ratio.min(1.0)),
            processing: share((self.processing_seconds - before.processing_seconds).max(0.0)),
            hits: (lookups > 0.0).then(|| ((self.hits - before.hits) / lookups).min(1.0)),
        }
    }

    /// Adds the counters of another worker.
    pub(super) fn add(&mut self, other: &Self) {
        if let Some(requests) = other.requests {
            *self.requests.get_or_insert_default() += requests;
        }
        self.errors += other.errors;
        self.processing_seconds += other.processing_seconds;
        self.lookups += other.lookups;
        self.hits += other.hits;
    }
}
