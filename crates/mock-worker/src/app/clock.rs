//! Where the workers' time should be.

use std::time::Instant;

use sim::nanos::Nanos;

/// The clock of a run.
#[derive(Debug)]
pub(super) enum Clock {
    /// Goes by itself, so many times faster than real time.
    Real { started: Instant, speed: f64 },
    /// Stops until it is moved.
    Stepped { at: u64 },
}

impl Clock {
    pub(super) fn real(speed: f64) -> Self {
        Self::Real {
            started: Instant::now(),
            speed,
        }
    }

    /// The workers' time, in nanoseconds since their start.
    pub(super) fn now(&self) -> u64 {
        match self {
            Self::Real { started, speed } => Nanos::from_seconds(started.elapsed().as_secs_f64() * speed).0,
            Self::Stepped { at } => *at,
        }
    }

    /// Moves a stepped clock.
    ///
    /// # Errors
    /// Says why another cannot be moved.
    pub(super) fn advance(&mut self, by: Nanos) -> Result<(), String> {
        match self {
            Self::Stepped { at } => {
                *at = at.saturating_add(by.0);
                Ok(())
            }
            Self::Real { .. } => {
                Err("the workers' clock runs in real time; start them with --clock stepped".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stepped_clock_can_be_moved() {
        let mut clock = Clock::Stepped { at: 5 };
        clock.advance(Nanos(7)).expect("it is stepped");
        assert_eq!(clock.now(), 12);
        let error = Clock::real(1.0)
            .advance(Nanos(7))
            .expect_err("it runs in real time");
        assert!(error.contains("--clock stepped"), "{error}");
    }
}
