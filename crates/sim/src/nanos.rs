//! [`Nanos`]: a time of the simulation, in whole nanoseconds, written as people write times.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in whole nanoseconds; the simulation knows no other clock, so sums are exact.
///
/// ```
/// use sim::nanos::Nanos;
/// assert_eq!("1m 30s".parse(), Ok(Nanos(90_000_000_000)));
/// assert_eq!("500ms".parse(), Ok(Nanos(500_000_000)));
/// assert_eq!("2".parse(), Ok(Nanos(2_000_000_000)));
/// assert_eq!(Nanos(1_500_000_000).to_string(), "1s 500ms");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write e.g. 2, 2s, 1m 30s or 500ms")]
pub struct NanosError(String);

impl Nanos {
    /// As seconds, for formulas and people.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// From seconds; what is negative is zero, and what is beyond 584 years is 584 years.
    pub fn from_seconds(seconds: f64) -> Self {
        // A float cast saturates.
        Self((seconds * 1e9) as u64)
    }

    /// For tokio's timers.
    pub fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl From<Duration> for Nanos {
    /// Beyond 584 years it is 584 years.
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl FromStr for Nanos {
    type Err = NanosError;

    /// A number of seconds, or numbers with units.
    fn from_str(text: &str) -> Result<Self, NanosError> {
        if let Ok(seconds) = text.parse::<u64>() {
            return Ok(Duration::from_secs(seconds).into());
        }
        match humantime::parse_duration(text) {
            Ok(duration) => Ok(duration.into()),
            Err(error) => Err(NanosError(error.to_string())),
        }
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.duration()).fmt(f)
    }
}

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
