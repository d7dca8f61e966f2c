//! How long prompts and answers are.

use serde::Deserialize;

use super::random::Random;

/// A distribution of lengths in tokens. What is drawn is at least 1.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Lengths {
    /// Always the same.
    Fixed(u64),
    /// Every length from `min` to `max` is as likely as any other.
    Uniform {
        /// The shortest.
        min: u64,
        /// The longest.
        max: u64,
    },
    /// Log-normal, cut at `max`.
    Lognormal {
        /// Mean, before the cut.
        mean: f64,
        /// Coefficient of variation: standard deviation by mean.
        cv: f64,
        /// The longest.
        #[serde(default = "longest")]
        max: u64,
    },
    /// One of these, each as likely as any other: name a length twice to make it twice as likely.
    Empirical(Vec<u64>),
}

/// The longest length that a scenario may ask for.
const LONGEST: u64 = 10_000_000;

fn longest() -> u64 {
    131_072
}

impl Lengths {
    /// Makes sure that it can be simulated.
    ///
    /// # Errors
    /// Names the key, the value and the range.
    pub fn check(&self) -> Result<(), String> {
        let in_range = |length: u64| match (1..=LONGEST).contains(&length) {
            true => Ok(()),
            false => Err(format!(
                "a length of {length} tokens; it must lie between 1 and {LONGEST}"
            )),
        };
        match self {
            Self::Fixed(length) => in_range(*length),
            Self::Uniform { min, max } if min > max => {
                Err(format!("min is {min}, above max, which is {max}"))
            }
            Self::Uniform { min, max } => in_range(*min).and(in_range(*max)),
            Self::Lognormal { mean, cv, max } => {
                let is_good = |number: f64, least: f64| number.is_finite() && number >= least;
                match (is_good(*mean, 1.0), is_good(*cv, 0.0)) {
                    (false, _) => Err(format!("mean is {mean}; it must be 1 or more")),
                    (_, false) => Err(format!("cv is {cv}; it must be 0 or more")),
                    _ => in_range(*max),
                }
            }
            Self::Empirical(lengths) if lengths.is_empty() => {
                Err("an empirical distribution needs a length".to_owned())
            }
            Self::Empirical(lengths) => lengths.iter().try_for_each(|length| in_range(*length)),
        }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        match self {
            Self::Fixed(length) => *length,
            Self::Uniform { min, max } => random.uniform(*min, *max),
            Self::Lognormal { mean, cv, max } => (random.log_normal(*mean, *cv) as u64).clamp(1, *max),
            Self::Empirical(lengths) => lengths[random.uniform(0, lengths.len() as u64 - 1) as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn lengths_are_drawn_from_their_distribution_and_no_other() {
        let mut random = Random::new(3, 0, Purpose::Lengths);
        let mut check = |lengths: Lengths, least: u64, most: u64| {
            lengths.check().expect("valid");
            let drawn: Vec<u64> = (0..2000).map(|_| lengths.draw(&mut random)).collect();
            assert_eq!(
                (drawn.iter().min(), drawn.iter().max()),
                (Some(&least), Some(&most)),
                "{lengths:?}"
            );
        };
        check(Lengths::Fixed(7), 7, 7);
        check(Lengths::Uniform { min: 3, max: 5 }, 3, 5);
        check(Lengths::Empirical(vec![9, 2, 4]), 2, 9);
        let (mean, cv, max) = (2.0, 2.0, 10);
        check(Lengths::Lognormal { mean, cv, max }, 1, 10);
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_by_name() {
        let check = |lengths: Lengths, expected: &str| {
            let error = lengths.check().expect_err("cannot be");
            assert!(error.contains(expected), "{error}");
        };
        check(Lengths::Fixed(0), "0 tokens");
        check(Lengths::Uniform { min: 5, max: 3 }, "min is 5");
        check(Lengths::Empirical(vec![]), "needs a length");
        let lognormal = |mean, cv| Lengths::Lognormal { mean, cv, max: 10 };
        check(lognormal(f64::NAN, 1.0), "mean is NaN");
        check(lognormal(5.0, -1.0), "cv is -1");
    }
}
