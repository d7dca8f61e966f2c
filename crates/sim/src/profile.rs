//! How a rate changes with time: a factor, its integral, and the inverse of that integral.
//!
//! Arrivals are drawn in a time in which the rate does not change, and moved to real time by the inverse of the
//! factor's integral (Çinlar's method): whatever the process, its rate then follows the profile exactly.

use serde::Deserialize;

use crate::nanos::Nanos;

/// How the rate of arrivals changes with time, as a factor of the scenario's rate.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Profile {
    /// Always 1.
    #[default]
    Flat,
    /// From one factor to another along a straight line, and the second from then on.
    Ramp {
        /// The factor at the start.
        from: f64,
        /// The factor at the end.
        to: f64,
        /// How long it takes.
        over: Nanos,
    },
    /// Factors that hold from a time on; 1 before the first.
    Steps(Vec<Step>),
    /// `1 + amplitude · sin(2π t / period)`.
    Diurnal {
        /// The length of a day.
        period: Nanos,
        /// 0 to 1.
        amplitude: f64,
    },
    /// 1, but another factor for a while.
    Spike {
        /// When it begins.
        at: Nanos,
        /// How long it lasts.
        #[serde(rename = "for")]
        length: Nanos,
        /// The factor while it lasts.
        factor: f64,
        /// The time from one beginning to the next [default: it comes once].
        #[serde(default)]
        every: Option<Nanos>,
    },
    /// 1, then down to 0 along a straight line, and nothing any more.
    Drain {
        /// When it begins.
        at: Nanos,
        /// How long it takes.
        over: Nanos,
    },
}

/// One step of [`Profile::Steps`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// From when on.
    pub at: Nanos,
    /// The factor.
    pub factor: f64,
}

impl Profile {
    /// Makes sure that it can be simulated.
    ///
    /// # Errors
    /// Names the key, the value and the range.
    pub fn check(&self) -> Result<(), String> {
        let factor = |name: &str, factor: f64| match factor.is_finite() && factor >= 0.0 {
            true => Ok(()),
            false => Err(format!("{name} is {factor}; it must be 0 or more")),
        };
        match self {
            Self::Flat | Self::Drain { .. } => Ok(()),
            Self::Ramp { from, to, .. } => factor("from", *from).and(factor("to", *to)),
            Self::Steps(steps) if !steps.is_sorted_by(|a, b| a.at < b.at) => Err(
                "the steps must come in the order of their times, each later than the one before".to_owned(),
            ),
            Self::Steps(steps) => steps.iter().try_for_each(|step| factor("factor", step.factor)),
            Self::Diurnal { period: Nanos(0), .. } => Err("period must be longer than 0".to_owned()),
            Self::Diurnal { amplitude, .. } if !(0.0..=1.0).contains(amplitude) => {
                Err(format!("amplitude is {amplitude}; it must lie between 0 and 1"))
            }
            Self::Diurnal { .. } => Ok(()),
            Self::Spike {
                every: Some(every),
                length,
                ..
            } if every < length || every.0 == 0 => Err(format!(
                "every is {every}; it must be longer than 0, and not shorter than for, {length}"
            )),
            Self::Spike { factor: found, .. } => factor("factor", *found),
        }
    }
}

/// A profile, ready to move times.
#[derive(Debug, Clone)]
pub(crate) enum Warp {
    /// Straight lines between knots; the last factor holds indefinitely.
    Knots(Box<[Knot]>),
    Sine {
        period: f64,
        amplitude: f64,
    },
    /// 1 up to a time, then the same piece again and again.
    Again {
        at: f64,
        period: f64,
        /// The integral of the factor over a period.
        area: f64,
        piece: Box<Self>,
    },
}

/// A point of a factor that changes along straight lines. Two at one time are a jump.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Knot {
    /// Seconds.
    time: f64,
    factor: f64,
    /// The integral of the factor up to here.
    area: f64,
}

impl Warp {
    pub(crate) fn new(profile: &Profile) -> Self {
        match profile {
            Profile::Flat => Self::through(&[(0.0, 1.0)]),
            Profile::Ramp { from, to, over } => Self::through(&[(0.0, *from), (over.seconds(), *to)]),
            Profile::Steps(steps) => {
                let mut points = vec![(0.0, 1.0)];
                for step in steps {
                    let before = points[points.len() - 1].1;
                    points.extend([(step.at.seconds(), before), (step.at.seconds(), step.factor)]);
                }
                Self::through(&points)
            }
            Profile::Diurnal { period, amplitude } => Self::Sine {
                period: period.seconds(),
                amplitude: *amplitude,
            },
            Profile::Spike {
                at,
                length,
                factor,
                every: Some(every),
            } => {
                let (length, period) = (length.seconds(), every.seconds());
                let points = [(0.0, *factor), (length, *factor), (length, 1.0), (period, 1.0)];
                Self::Again {
                    at: at.seconds(),
                    period,
                    area: factor * length + (period - length),
                    piece: Box::new(Self::through(&points)),
                }
            }
            Profile::Spike {
                at, length, factor, ..
            } => {
                let (from, to) = (at.seconds(), at.seconds() + length.seconds());
                Self::through(&[(0.0, 1.0), (from, 1.0), (from, *factor), (to, *factor), (to, 1.0)])
            }
            Profile::Drain { at, over } => {
                let (from, to) = (at.seconds(), at.seconds() + over.seconds());
                Self::through(&[(0.0, 1.0), (from, 1.0), (to, 0.0)])
            }
        }
    }

    fn through(points: &[(f64, f64)]) -> Self {
        let mut knots: Vec<Knot> = Vec::with_capacity(points.len());
        for &(time, factor) in points {
            let area = knots.last().map_or(0.0, |last| {
                last.area + (time - last.time) * (last.factor + factor) / 2.0
            });
            knots.push(Knot { time, factor, area });
        }
        Self::Knots(knots.into())
    }

    /// When the integral of the factor reaches `area`, in seconds; `None` where it never does.
    pub(crate) fn time_of(&self, area: f64) -> Option<f64> {
        match self {
            Self::Knots(knots) => {
                // The piece in which the area is reached begins at the last knot that lies below it.
                let next = knots.partition_point(|knot| knot.area <= area);
                let start = knots[next.saturating_sub(1)];
                let rest = area - start.area;
                let Some(end) = knots.get(next) else {
                    return (start.factor > 0.0).then(|| start.time + rest / start.factor);
                };
                let slope = (end.factor - start.factor) / (end.time - start.time);
                let root = libm::sqrt((start.factor * start.factor + 2.0 * slope * rest).max(0.0));
                Some((start.time + 2.0 * rest / (start.factor + root)).min(end.time))
            }
            Self::Sine { period, amplitude } => {
                // The factor lies within 0 and 2, so time and area differ by less than a period.
                let (mut low, mut high) = ((area - period).max(0.0), area + period);
                for _ in 0..64 {
                    let middle = (low + high) / 2.0;
                    if sine_area(middle, *period, *amplitude) < area {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                Some((low + high) / 2.0)
            }
            Self::Again { at, .. } if area <= *at => Some(area),
            Self::Again {
                at,
                period,
                area: whole,
                piece,
            } => {
                let times = libm::floor((area - at) / whole);
                // Without an area there is no time in which anything comes.
                let rest = Some(area - at - times * whole).filter(|rest| rest.is_finite())?;
                Some(at + times * period + piece.time_of(rest.max(0.0))?)
            }
        }
    }

    /// The integral of the factor up to `time` in seconds: where a process that is replaced at that time goes on.
    pub(crate) fn area_at(&self, time: f64) -> f64 {
        match self {
            Self::Knots(knots) => {
                let next = knots.partition_point(|knot| knot.time <= time);
                let start = knots[next.saturating_sub(1)];
                let run = time - start.time;
                let factor = knots.get(next).map_or(start.factor, |end| {
                    start.factor + (end.factor - start.factor) * run / (end.time - start.time)
                });
                start.area + run * (start.factor + factor) / 2.0
            }
            Self::Sine { period, amplitude } => sine_area(time, *period, *amplitude),
            Self::Again { at, .. } if time <= *at => time,
            Self::Again {
                at,
                period,
                area,
                piece,
            } => {
                let times = libm::floor((time - at) / period);
                at + times * area + piece.area_at(time - at - times * period)
            }
        }
    }
}

fn sine_area(time: f64, period: f64, amplitude: f64) -> f64 {
    let turn = 2.0 * std::f64::consts::PI;
    time + amplitude * period / turn * (1.0 - libm::cos(turn * time / period))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn times_are_the_inverse_of_areas() {
        fn check(profile: &Profile, areas: &[(f64, Option<f64>)]) {
            profile.check().expect("valid");
            let warp = Warp::new(profile);
            for (area, expected) in areas {
                let found = warp.time_of(*area);
                match (found, expected) {
                    (Some(found), Some(expected)) => {
                        assert!((found - expected).abs() < 1e-6, "{profile:?} at {area}: {found}");
                        assert!((warp.area_at(found) - area).abs() < 1e-6, "{profile:?} at {area}");
                    }
                    (found, expected) => assert_eq!(found, *expected, "{profile:?} at {area}"),
                }
            }
        }
        check(&Profile::Flat, &[(0.0, Some(0.0)), (7.5, Some(7.5))]);
        let ramp = Profile::Ramp {
            from: 0.0,
            to: 2.0,
            over: Nanos(10 * SECOND),
        };
        check(&ramp, &[(2.5, Some(5.0)), (10.0, Some(10.0)), (14.0, Some(12.0))]);
        let step = |at, factor| Step {
            at: Nanos(at * SECOND),
            factor,
        };
        let steps = Profile::Steps(vec![step(2, 3.0), step(4, 0.0), step(6, 1.0)]);
        check(&steps, &[(1.0, Some(1.0)), (5.0, Some(3.0)), (8.5, Some(6.5))]);
        let spike = Profile::Spike {
            at: Nanos(10 * SECOND),
            length: Nanos(5 * SECOND),
            factor: 4.0,
            every: None,
        };
        check(
            &spike,
            &[(10.0, Some(10.0)), (14.0, Some(11.0)), (31.0, Some(16.0))],
        );
        let spikes = |factor, every| Profile::Spike {
            at: Nanos(10 * SECOND),
            length: Nanos(5 * SECOND),
            factor,
            every: Some(Nanos(every * SECOND)),
        };
        // A period of 20 seconds has an area of 35.
        check(
            &spikes(4.0, 20),
            &[
                (10.0, Some(10.0)),
                (14.0, Some(11.0)),
                (31.0, Some(16.0)),
                (49.0, Some(31.0)),
                (10.0 + 350.0 + 4.0, Some(211.0)),
            ],
        );
        check(&spikes(0.0, 20), &[(10.5, Some(15.5)), (25.5, Some(35.5))]);
        check(&spikes(0.0, 5), &[(9.0, Some(9.0)), (10.5, None)]);
        assert!(spikes(4.0, 4).check().is_err(), "it lasts longer");
        let drain = Profile::Drain {
            at: Nanos(10 * SECOND),
            over: Nanos(10 * SECOND),
        };
        check(&drain, &[(5.0, Some(5.0)), (13.75, Some(15.0)), (15.1, None)]);
        let diurnal = Profile::Diurnal {
            period: Nanos(86_400 * SECOND),
            amplitude: 1.0,
        };
        check(&diurnal, &[(86_400.0, Some(86_400.0))]);
        assert!(Warp::new(&diurnal).time_of(30_000.0).expect("reached") < 30_000.0);
    }
}
