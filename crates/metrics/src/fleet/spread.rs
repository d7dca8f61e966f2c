//! How evenly a resource's use lies over the workers of a pool.

use protocol::WorkerStats;

use super::WorkerView;
use super::worker::{kv_use, ratio};

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

/// The distribution of one value over workers.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    sorted: Vec<f64>,
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
}

impl Spread {
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self { sorted: values })
    }

    /// The value below which a share `q` of the workers lies, linear between neighbours.
    pub fn quantile(&self, q: f64) -> f64 {
        let rank = q * (self.sorted.len() - 1) as f64;
        let (below, above) = (
            self.sorted[rank.floor() as usize],
            self.sorted[rank.ceil() as usize],
        );
        below + (above - below) * rank.fract()
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.sorted.iter().sum::<f64>() / self.sorted.len() as f64
    }

    /// The population standard deviation.
    pub fn stddev(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.sorted.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / self.sorted.len() as f64).sqrt()
    }

    /// Largest value by mean, or `None` where the mean is zero.
    pub fn imbalance(&self) -> Option<f64> {
        let mean = self.mean();
        (mean > 0.0).then(|| self.quantile(1.0) / mean)
    }
}

pub(super) fn pair(resource: Resource, stats: &WorkerStats) -> Option<(u64, u64)> {
    match resource {
        Resource::Slots => stats.request_slots_active().zip(stats.request_slots_capacity()),
        Resource::Kv => stats.kv_blocks_active().zip(stats.kv_blocks_capacity()),
        Resource::Waiting | Resource::Saturation => None,
    }
}

pub(super) fn value(resource: Resource, worker: &WorkerView) -> Option<f64> {
    let stats = worker.stats.as_ref()?;
    match resource {
        Resource::Slots => ratio(stats.request_slots_active(), stats.request_slots_capacity()),
        Resource::Kv => kv_use(stats),
        Resource::Waiting => stats.requests_waiting().map(|waiting| waiting as f64),
        Resource::Saturation => worker.saturation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_textbook_figures() {
        let spread = Spread::of(vec![2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("has values");
        assert_eq!((spread.mean(), spread.stddev()), (5.0, 2.0));
        assert_eq!(
            (spread.quantile(0.0), spread.quantile(0.5), spread.quantile(1.0)),
            (2.0, 4.5, 9.0)
        );
        assert_eq!(spread.imbalance(), Some(1.8));
    }

    #[test]
    fn what_has_no_denominator_is_absent() {
        assert_eq!(Spread::of(vec![]), None);
        assert_eq!(Spread::of(vec![0.0, 0.0]).expect("has values").imbalance(), None);
    }
}
