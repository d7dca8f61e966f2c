//! When requests come: renewal processes, bursts, and rates that change with time.

use serde::Deserialize;

use super::profile::{Profile, Warp};
use super::random::{Random, weibull_mean, weibull_shape};
use crate::nanos::Nanos;

/// The law of the gaps between requests. Gaps have the mean that the rate says, and the spread given here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Process {
    /// Always the same gap.
    Constant,
    /// Exponential gaps: requests that know nothing of each other.
    Poisson,
    /// Gamma-distributed gaps.
    Gamma {
        /// Coefficient of variation of the gaps; above 1 is burstier than Poisson.
        cv: f64,
    },
    /// Weibull-distributed gaps.
    Weibull {
        /// Coefficient of variation of the gaps.
        cv: f64,
    },
    /// Poisson with a rate that switches between two, each kept for an exponential time.
    Onoff {
        /// Requests a second and worker while on.
        rate_on: f64,
        /// Requests a second and worker while off.
        rate_off: f64,
        /// How long it is on, on average.
        mean_on: Nanos,
        /// How long it is off, on average.
        mean_off: Nanos,
    },
    /// Users, each of whom sends a request, waits for the answer, thinks, and sends the next.
    Closed {
        /// How many users a worker has.
        users: u32,
        /// How long a user thinks, exponential with this mean.
        think: Nanos,
    },
}

impl Process {
    /// Makes sure that it can be simulated.
    ///
    /// # Errors
    /// Names the key, the value and the range.
    pub fn check(&self) -> Result<(), String> {
        let at_least = |name: &str, number: f64, least: f64| match number.is_finite() && number >= least {
            true => Ok(()),
            false => Err(format!("{name} is {number}; it must be {least} or more")),
        };
        match self {
            Self::Constant | Self::Poisson => Ok(()),
            Self::Gamma { cv } | Self::Weibull { cv } if !(0.1..=20.0).contains(cv) => {
                Err(format!("cv is {cv}; it must lie between 0.1 and 20"))
            }
            Self::Gamma { .. } | Self::Weibull { .. } => Ok(()),
            Self::Onoff {
                mean_on: Nanos(0), ..
            }
            | Self::Onoff {
                mean_off: Nanos(0), ..
            } => Err("mean_on and mean_off must be longer than 0".to_owned()),
            Self::Onoff {
                rate_on, rate_off, ..
            } => at_least("rate_on", *rate_on, 0.0).and(at_least("rate_off", *rate_off, 0.0)),
            Self::Closed { users, .. } if !(1..=100_000).contains(users) => {
                Err(format!("users is {users}; it must lie between 1 and 100000"))
            }
            Self::Closed { .. } => Ok(()),
        }
    }
}

/// The times at which requests come, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    law: Law,
    warp: Warp,
    random: Random,
    /// Where the process is, in seconds of a time in which its rate does not change.
    at: f64,
}

#[derive(Debug, Clone)]
enum Law {
    Constant { gap: f64 },
    Poisson { gap: f64 },
    Gamma { shape: f64, scale: f64 },
    Weibull { shape: f64, scale: f64 },
    Onoff(Box<Onoff>),
}

#[derive(Debug, Clone)]
struct Onoff {
    rates: [f64; 2],
    means: [f64; 2],
    state: usize,
    until: f64,
}

impl Arrivals {
    /// `rate` is in requests a second; `None` where nothing ever comes, or only as an answer to something.
    pub(crate) fn new(
        process: &Process,
        rate: f64,
        pace: f64,
        profile: &Profile,
        random: Random,
    ) -> Option<Self> {
        let gap = 1.0 / (rate * pace);
        let law = match process {
            Process::Closed { .. } => return None,
            Process::Onoff {
                rate_on,
                rate_off,
                mean_on,
                mean_off,
            } => {
                // It begins in the state off, which ends at once or after a while, as chance has it.
                Law::Onoff(Box::new(Onoff {
                    rates: [rate_off * pace, rate_on * pace],
                    means: [mean_off.seconds(), mean_on.seconds()],
                    state: 1,
                    until: 0.0,
                }))
            }
            _ if !gap.is_finite() => return None,
            Process::Constant => Law::Constant { gap },
            Process::Poisson => Law::Poisson { gap },
            Process::Gamma { cv } => Law::Gamma {
                shape: 1.0 / (cv * cv),
                scale: gap * cv * cv,
            },
            Process::Weibull { cv } => {
                let shape = weibull_shape(*cv);
                Law::Weibull {
                    shape,
                    scale: gap / weibull_mean(shape),
                }
            }
        };
        Some(Self {
            law,
            warp: Warp::new(profile),
            random,
            at: 0.0,
        })
    }

    /// Goes on from `now`, for a process that takes the place of another.
    pub(crate) fn begin_at(&mut self, now: Nanos) {
        self.at = self.warp.area_at(now.seconds());
        if let Law::Onoff(onoff) = &mut self.law {
            onoff.until = self.at;
        }
    }

    /// When the next request comes, since the start; `None` where none ever will.
    pub(crate) fn next(&mut self) -> Option<Nanos> {
        let random = &mut self.random;
        self.at = match &mut self.law {
            Law::Constant { gap } => self.at + *gap,
            Law::Poisson { gap } => self.at + random.exponential(*gap),
            Law::Gamma { shape, scale } => self.at + *scale * random.gamma(*shape),
            Law::Weibull { shape, scale } => self.at + *scale * random.weibull(*shape),
            Law::Onoff(onoff) => onoff.next(self.at, random)?,
        };
        self.warp.time_of(self.at).map(Nanos::from_seconds)
    }
}

impl Onoff {
    /// Exponential times know no past, so a request that would come after the state's end is drawn anew there.
    fn next(&mut self, mut at: f64, random: &mut Random) -> Option<f64> {
        if self.rates == [0.0, 0.0] {
            return None;
        }
        loop {
            if at >= self.until {
                self.state = 1 - self.state;
                self.until = at + random.exponential(self.means[self.state]);
            }
            let rate = self.rates[self.state];
            let next = if rate > 0.0 {
                at + random.exponential(1.0 / rate)
            } else {
                f64::INFINITY
            };
            if next <= self.until {
                return Some(next);
            }
            at = self.until;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    fn arrivals(process: &Process, rate: f64, profile: &Profile) -> Arrivals {
        process.check().expect("valid");
        Arrivals::new(process, rate, 1.0, profile, Random::new(7, 0, Purpose::Arrivals))
            .expect("something comes")
    }

    fn gaps(process: &Process, rate: f64, count: usize) -> Vec<f64> {
        let mut arrivals = arrivals(process, rate, &Profile::Flat);
        let times: Vec<f64> = (0..count)
            .map(|_| arrivals.next().expect("for ever").seconds())
            .collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Law 7: mean within 1 % and coefficient of variation within 3 % over 100,000 arrivals.
    #[test]
    fn gaps_have_the_mean_and_the_spread_that_is_asked_for() {
        fn check(process: &Process, cv: f64) {
            let gaps = gaps(process, 50.0, 100_001);
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
            assert!((mean * 50.0 - 1.0).abs() < 0.01, "{process:?}: mean {mean}");
            let found = variance.sqrt() / mean;
            assert!(
                (found - cv).abs() <= 0.03 * cv.max(0.01),
                "{process:?}: cv {found}"
            );
        }
        check(&Process::Constant, 0.0);
        check(&Process::Poisson, 1.0);
        check(&Process::Gamma { cv: 1.09 }, 1.09);
        check(&Process::Gamma { cv: 0.5 }, 0.5);
        check(&Process::Weibull { cv: 1.5 }, 1.5);
    }

    #[test]
    fn a_switching_rate_has_the_mean_of_its_two_states() {
        let process = Process::Onoff {
            rate_on: 30.0,
            rate_off: 0.0,
            mean_on: Nanos(1_000_000_000),
            mean_off: Nanos(4_000_000_000),
        };
        let gaps = gaps(&process, 1.0, 200_000);
        let rate = gaps.len() as f64 / gaps.iter().sum::<f64>();
        assert!((rate / 6.0 - 1.0).abs() < 0.05, "{rate} a second");
        let longest = gaps.iter().copied().fold(0.0, f64::max);
        assert!(longest > 4.0, "it is off for a while: {longest}");
    }

    #[test]
    fn a_profile_moves_the_arrivals_and_keeps_their_number() {
        let spike = Profile::Spike {
            every: None,
            at: Nanos(10_000_000_000),
            length: Nanos(10_000_000_000),
            factor: 5.0,
        };
        let mut arrivals = arrivals(&Process::Constant, 10.0, &spike);
        let times = std::iter::from_fn(|| arrivals.next())
            .map(Nanos::seconds)
            .take_while(|time| *time <= 30.0);
        let mut counts = [0; 3];
        times.for_each(|time| counts[((time - 1e-6) / 10.0) as usize] += 1);
        assert_eq!(counts, [100, 500, 100]);
    }

    #[test]
    fn no_rate_means_no_arrivals() {
        let random = || Random::new(7, 0, Purpose::Arrivals);
        assert!(Arrivals::new(&Process::Poisson, 0.0, 1.0, &Profile::Flat, random()).is_none());
        let drain = Profile::Drain {
            at: Nanos(1_000_000_000),
            over: Nanos(0),
        };
        let mut arrivals = arrivals(&Process::Constant, 2.0, &drain);
        assert_eq!(arrivals.next(), Some(Nanos(500_000_000)));
        assert_eq!(arrivals.next(), None);
    }
}
