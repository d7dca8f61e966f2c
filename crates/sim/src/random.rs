//! Seeded randomness that is the same on every machine and for every size of fleet.
//!
//! Each worker has a stream of its own for each purpose, so another worker, or one more draw for one purpose, moves
//! nothing else. The samplers are our own, on a pure-Rust `libm`: the float functions of `std` differ between
//! platforms, and distributions of libraries between versions.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Pace = 0,
    Arrivals = 1,
    Lengths = 2,
    Prefixes = 3,
    Turns = 4,
    Routing = 5,
    Faults = 6,
}

/// One stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64, worker: u32, purpose: Purpose) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut random = ChaCha8Rng::from_seed(key);
        random.set_stream(u64::from(worker) << 8 | purpose as u64);
        Self(random)
    }

    /// A stream for a question that is asked about one moment, e.g. whether a fault with a probability strikes.
    pub fn at(seed: u64, worker: u32, question: u64, moment: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&question.to_le_bytes());
        key[16..24].copy_from_slice(&moment.to_le_bytes());
        let mut random = ChaCha8Rng::from_seed(key);
        random.set_stream(u64::from(worker) << 8 | Purpose::Faults as u64);
        Self(random)
    }

    /// All 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in 0..1, never 1.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `low..=high`.
    pub fn uniform(&mut self, low: u64, high: u64) -> u64 {
        let span = (high - low) as f64 + 1.0;
        low.saturating_add((self.unit() * span) as u64).min(high)
    }

    /// The gap between two arrivals of a Poisson process with this mean gap.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.unit())
    }

    /// Log-normal with this mean and coefficient of variation.
    pub(crate) fn log_normal(&mut self, mean: f64, cv: f64) -> f64 {
        let variance = libm::log(1.0 + cv * cv);
        libm::exp(libm::log(mean) - variance / 2.0 + libm::sqrt(variance) * self.normal())
    }

    /// Gamma with this shape and scale 1, by Marsaglia and Tsang (2000). Shapes below 1 are boosted.
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(1.0 - self.unit(), 1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal();
            let v = 1.0 + c * x;
            if v <= 0.0 {
                continue;
            }
            let v = v * v * v;
            let u = 1.0 - self.unit();
            if libm::log(u) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }

    /// Weibull with this shape and scale 1.
    pub(crate) fn weibull(&mut self, shape: f64) -> f64 {
        libm::pow(-libm::log(1.0 - self.unit()), 1.0 / shape)
    }
}

/// The shape of a Weibull distribution with this coefficient of variation, found by bisection: the variation falls
/// as the shape grows.
pub(crate) fn weibull_shape(cv: f64) -> f64 {
    let variation = |shape: f64| {
        let mean = libm::lgamma(1.0 + 1.0 / shape);
        let square = libm::lgamma(1.0 + 2.0 / shape);
        libm::sqrt(libm::exp(square - 2.0 * mean) - 1.0)
    };
    let (mut low, mut high) = (0.05, 100.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if variation(middle) > cv {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The mean of a Weibull distribution with this shape and scale 1.
pub(crate) fn weibull_mean(shape: f64) -> f64 {
    libm::exp(libm::lgamma(1.0 + 1.0 / shape))
}

/// Ranks of which the earlier are the likelier: the share of rank `k`, counted from 1, is proportional to `k^-s`.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    cumulative: Box<[f64]>,
}

impl Zipf {
    pub(crate) fn new(ranks: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=ranks)
            .map(|rank| {
                sum += libm::pow(f64::from(rank), -exponent);
                sum
            })
            .collect();
        Self { cumulative }
    }

    /// A rank, counted from 0.
    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let at = random.unit() * total;
        let rank = self.cumulative.partition_point(|sum| *sum <= at);
        rank.min(self.cumulative.len().saturating_sub(1)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_are_the_same_for_ever() {
        let first = |seed, worker, purpose| Random::new(seed, worker, purpose).bits();
        // The published test vector of ChaCha8 with a key and a nonce of zero begins 3e 00 ef 2f 89 5f 40 d6.
        assert_eq!(
            first(0, 0, Purpose::Pace).to_le_bytes(),
            [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6]
        );
        let drawn = [
            first(0, 0, Purpose::Arrivals),
            first(1, 0, Purpose::Arrivals),
            first(0, 1, Purpose::Arrivals),
            first(0, 0, Purpose::Lengths),
        ];
        assert_eq!(
            drawn,
            [
                14557467404244061995,
                1909849311801240084,
                15991963764145285008,
                17972449062447848704
            ]
        );
    }

    /// Arrival moments at 100,000 samples: mean within 1 %, coefficient of variation within 3 %.
    #[test]
    fn samples_have_the_moments_they_should() {
        fn check(name: &str, mean: f64, cv: f64, mut sample: impl FnMut() -> f64) {
            const COUNT: u32 = 100_000;
            let samples: Vec<f64> = (0..COUNT).map(|_| sample()).collect();
            let found = samples.iter().sum::<f64>() / f64::from(COUNT);
            let variance = samples.iter().map(|x| (x - found).powi(2)).sum::<f64>() / f64::from(COUNT);
            assert!((found / mean - 1.0).abs() < 0.01, "{name}: mean {found}");
            let found_cv = variance.sqrt() / found;
            assert!((found_cv / cv - 1.0).abs() < 0.03, "{name}: cv {found_cv}");
        }
        let mut random = Random::new(7, 0, Purpose::Arrivals);
        check("exponential", 0.25, 1.0, || random.exponential(0.25));
        check("log-normal", 211.0, 0.77, || random.log_normal(211.0, 0.77));
        check("uniform", 0.5, 1.0 / 3.0_f64.sqrt(), || random.unit());
        for cv in [0.5, 1.0, 1.7] {
            let shape = 1.0 / (cv * cv);
            check("gamma", shape, cv, || random.gamma(shape));
            let shape = weibull_shape(cv);
            check("weibull", weibull_mean(shape), cv, || random.weibull(shape));
        }
    }

    #[test]
    fn whole_numbers_stay_within_their_bounds_and_reach_them() {
        let mut random = Random::new(7, 0, Purpose::Lengths);
        let drawn: Vec<u64> = (0..1000).map(|_| random.uniform(3, 6)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&3), Some(&6)));
        assert_eq!(random.uniform(5, 5), 5);
        assert!(random.uniform(0, u64::MAX) > 0);
    }

    #[test]
    fn popularity_falls_with_the_rank_and_stays_in_range() {
        let mut random = Random::new(7, 0, Purpose::Prefixes);
        let zipf = Zipf::new(8, 1.0);
        let mut counts = [0_u32; 8];
        for _ in 0..10_000 {
            counts[zipf.draw(&mut random) as usize] += 1;
        }
        assert!(counts.is_sorted_by(|a, b| a > b), "{counts:?}");
        let ratio = f64::from(counts[0]) / f64::from(counts[3]);
        assert!((3.4..4.6).contains(&ratio), "first to fourth: {ratio}");
        assert_eq!(Zipf::new(1, 1.0).draw(&mut random), 0);
    }
}
