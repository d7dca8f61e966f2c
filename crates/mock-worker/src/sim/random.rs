//! Seeded randomness that is the same on every machine and for every size of fleet.
//!
//! Each worker has a stream of its own for each purpose, so another worker, or one more draw for one purpose, moves
//! nothing else. The samplers are our own, on a pure-Rust `libm`: the float functions of `std` differ between
//! platforms, and distributions of libraries between versions.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Pace = 0,
    Arrivals = 1,
    Lengths = 2,
    Prefixes = 3,
}

/// One stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64, worker: u32, purpose: Purpose) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut random = ChaCha8Rng::from_seed(key);
        random.set_stream(u64::from(worker) << 8 | purpose as u64);
        Self(random)
    }

    /// Uniform in 0..1, never 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The gap between two arrivals of a Poisson process with this mean gap.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// Log-normal with this mean and coefficient of variation.
    pub(super) fn log_normal(&mut self, mean: f64, cv: f64) -> f64 {
        let variance = libm::log(1.0 + cv * cv);
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        let normal = radius * libm::cos(2.0 * std::f64::consts::PI * self.unit());
        libm::exp(libm::log(mean) - variance / 2.0 + libm::sqrt(variance) * normal)
    }

    /// One of `0..count`, the earlier the likelier: the share of rank `k` is about `1 / (k + 1)`.
    pub(super) fn popular(&mut self, count: u32) -> u32 {
        let rank = libm::floor(libm::pow(f64::from(count) + 1.0, self.unit())) as u32;
        rank.clamp(1, count) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_are_the_same_for_ever() {
        let first = |seed, worker, purpose| Random::new(seed, worker, purpose).0.next_u64();
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

    #[test]
    fn samples_have_the_moments_they_should() {
        fn check(name: &str, mean: f64, cv: f64, mut sample: impl FnMut() -> f64) {
            const COUNT: u32 = 100_000;
            let samples: Vec<f64> = (0..COUNT).map(|_| sample()).collect();
            let found = samples.iter().sum::<f64>() / f64::from(COUNT);
            let variance = samples.iter().map(|x| (x - found).powi(2)).sum::<f64>() / f64::from(COUNT);
            assert!((found / mean - 1.0).abs() < 0.02, "{name}: mean {found}");
            assert!(
                (variance.sqrt() / found - cv).abs() < 0.05,
                "{name}: cv {}",
                variance.sqrt() / found
            );
        }
        let mut random = Random::new(7, 0, Purpose::Arrivals);
        check("exponential", 0.25, 1.0, || random.exponential(0.25));
        check("log-normal", 211.0, 0.77, || random.log_normal(211.0, 0.77));
        check("uniform", 0.5, 1.0 / 3.0_f64.sqrt(), || random.unit());
    }

    #[test]
    fn popularity_falls_with_the_rank_and_stays_in_range() {
        let mut random = Random::new(7, 0, Purpose::Prefixes);
        let mut counts = [0_u32; 8];
        for _ in 0..10_000 {
            counts[random.popular(8) as usize] += 1;
        }
        assert!(counts.is_sorted_by(|a, b| a > b), "{counts:?}");
        assert_eq!(random.popular(1), 0);
    }
}
