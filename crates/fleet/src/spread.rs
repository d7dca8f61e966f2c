//! How one resource's use is distributed over the workers of a pool.

use protocol::WorkerStats;

use crate::Settings;

/// What a worker can run short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Running requests, as a share of the slots.
    Slots,
    /// KV blocks, as a share of all.
    Kv,
    /// Waiting requests, as a count.
    Waiting,
    /// The saturation of the worker.
    Saturation,
}

impl Resource {
    /// All resources.
    pub const ALL: [Self; 4] = [Self::Slots, Self::Kv, Self::Waiting, Self::Saturation];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slots => "slots",
            Self::Kv => "kv",
            Self::Waiting => "waiting",
            Self::Saturation => "saturation",
        }
    }

    /// This resource's use by one worker.
    pub(crate) fn of(self, load: &WorkerStats, settings: &Settings) -> Option<f64> {
        match self {
            Self::Slots => ratio(load.request_slots_active(), load.request_slots_capacity()),
            Self::Kv => kv_use(load),
            Self::Waiting => load.requests_waiting().map(|waiting| waiting as f64),
            Self::Saturation => saturation(load, settings),
        }
    }
}

/// The quantiles that a [`Spread`] has.
pub const QUANTILES: [f64; 5] = [0.0, 0.5, 0.9, 0.99, 1.0];

/// The distribution of one value over workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The value below which each share of [`QUANTILES`] lies, linear between neighbours.
    pub quantiles: [f64; QUANTILES.len()],
    /// The arithmetic mean.
    pub mean: f64,
    /// The population standard deviation.
    pub stddev: f64,
}

impl Spread {
    /// The spread of some values, which this puts in order; `None` without any.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        values.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| {
            let rank = share * (count - 1.0);
            let (below, above) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
            below + (above - below) * rank.fract()
        };
        Some(Self {
            quantiles: QUANTILES.map(quantile),
            mean,
            stddev: (squares / count).sqrt(),
        })
    }

    /// Largest value by mean, or `None` where the mean is zero.
    pub fn imbalance(&self) -> Option<f64> {
        let largest = self.quantiles[QUANTILES.len() - 1];
        (self.mean > 0.0).then(|| largest / self.mean)
    }
}

/// `max(waiting / queue target, KV use / KV target)`; 1 and above is saturated.
pub(crate) fn saturation(load: &WorkerStats, settings: &Settings) -> Option<f64> {
    let queue = load
        .requests_waiting()
        .map(|waiting| waiting as f64 / settings.queue_target);
    let kv = kv_use(load).map(|ratio| ratio / settings.kv_target);
    [queue, kv].into_iter().flatten().reduce(f64::max)
}

/// Share of KV blocks in use: by the block counts, else as reported.
fn kv_use(load: &WorkerStats) -> Option<f64> {
    ratio(load.kv_blocks_active(), load.kv_blocks_capacity()).or(load.kv_usage_ratio())
}

/// `active / capacity`, or `None` where either is unknown or there is no capacity.
fn ratio(active: Option<u64>, capacity: Option<u64>) -> Option<f64> {
    match (active, capacity) {
        (Some(active), Some(capacity @ 1..)) => Some(active as f64 / capacity as f64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_textbook_figures() {
        let spread = Spread::of(vec![9.0, 4.0, 4.0, 2.0, 5.0, 5.0, 7.0, 4.0]).expect("has values");
        assert_eq!((spread.mean, spread.stddev), (5.0, 2.0));
        let [min, median, .., max] = spread.quantiles;
        assert_eq!((min, median, max), (2.0, 4.5, 9.0));
        assert_eq!(spread.imbalance(), Some(1.8));
    }

    #[test]
    fn what_has_no_denominator_is_absent() {
        assert_eq!(Spread::of(vec![]), None);
        assert_eq!(Spread::of(vec![0.0, 0.0]).expect("has values").imbalance(), None);
    }
}
