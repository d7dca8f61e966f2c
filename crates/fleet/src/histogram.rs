//! [`Histogram`]: observations counted in buckets.

use std::borrow::Cow;

/// Upper bounds of buckets, ascending, without infinity.
pub type Bounds = Cow<'static, [f64]>;

/// A histogram with fixed bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Upper bounds, ascending, without infinity.
    pub bounds: Bounds,
    /// Observations in each bucket, with one more for those above all bounds.
    pub counts: Box<[u64]>,
    /// Sum of all observations.
    pub sum: f64,
}

/// Upper bounds of the buckets for the duration of a round, in seconds.
pub const ROUND_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Upper bounds of the buckets for ratios.
pub const RATIO_BUCKETS: &[f64] = &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Upper bounds of the buckets for a forward pass, in seconds: decode steps take some milliseconds, long prefills seconds.
pub const PASS_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24,
];

/// Upper bounds of the buckets for the time from an event's publication to its arrival, in seconds.
pub const DELAY_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

impl Histogram {
    /// An empty one.
    pub fn new(bounds: impl Into<Bounds>) -> Self {
        let bounds = bounds.into();
        Self {
            counts: vec![0; bounds.len() + 1].into(),
            bounds,
            sum: 0.0,
        }
    }

    /// Counts one value.
    pub fn observe(&mut self, value: f64) {
        let above = || self.bounds.len();
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        self.counts[bucket.unwrap_or_else(above)] += 1;
        self.sum += value;
    }

    /// Adds the observations of another one with the same bounds.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }

    /// The number of observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}
