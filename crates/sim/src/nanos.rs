//! [`Nanos`]: a time of the simulation, in whole nanoseconds, written as people write times.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in whole nanoseconds; the simulation knows no other clock, so sums are exact.
///
/// ```
/// use sim::nanos::Nanos;
/// assert_eq!("1m 30s".parse(), Ok(Nanos(90_000_000_000)));
/// assert_eq!("500ms".parse(), Ok(Nanos(500_000_000)));
/// assert_eq!("2".parse(), Ok(Nanos(2_000_000_000)));
/// assert_eq!("0.5".parse(), Ok(Nanos(500_000_000)));
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

    fn of_fraction(seconds: f64) -> Result<Self, NanosError> {
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) => Ok(duration.into()),
            Err(error) => Err(NanosError(error.to_string())),
        }
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
        if let Ok(seconds) = text.parse::<f64>() {
            return Self::of_fraction(seconds);
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
    /// From a text, or from a number of seconds.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Nanos;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time, e.g. 2, \"2s\" or \"500ms\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Nanos, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Nanos, E> {
        Ok(Duration::from_secs(seconds).into())
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Nanos, E> {
        match u64::try_from(seconds) {
            Ok(seconds) => self.visit_u64(seconds),
            Err(_) => Err(E::custom(NanosError(format!("{seconds} is negative")))),
        }
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Nanos, E> {
        Nanos::of_fraction(seconds).map_err(E::custom)
    }
}

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_alike_in_flags_and_files() {
        let check = |text: &str, json: &str, expected: Option<u64>| {
            let expected = expected.map(Nanos);
            assert_eq!(text.parse::<Nanos>().ok(), expected, "{text}");
            for json in [json, &format!("{text:?}")] {
                assert_eq!(serde_json::from_str(json).ok(), expected, "{json}");
            }
        };
        check("2", "2", Some(2_000_000_000));
        check("0.25", "0.25", Some(250_000_000));
        check("0", "0", Some(0));
        check("2s", "\"2s\"", Some(2_000_000_000));
        check("1m 500ms", "\"1m 500ms\"", Some(60_500_000_000));
        check("-2", "-2", None);
        check("-0.5", "-0.5", None);
        check("soon", "[]", None);
        check("NaN", "null", None);
    }
}
