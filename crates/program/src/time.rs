//! Times on the command line.

use std::time::Duration;

/// The shortest and the longest time that a flag takes.
pub type Bounds = (Duration, Duration);

/// Reads a number of seconds, or a number with a unit.
pub fn time_within((shortest, longest): Bounds) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let bounds = format!(
            "write a time from {} to {}, as a number of seconds or e.g. 500ms, 2s, 1m",
            humantime::format_duration(shortest),
            humantime::format_duration(longest)
        );
        let parsed = match text.trim().parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string()),
            Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string()),
        };
        match parsed {
            Ok(time) if time < shortest => Err(format!("it is too short; {bounds}")),
            Ok(time) if time > longest => Err(format!("it is too long; {bounds}")),
            Ok(time) => Ok(time),
            Err(error) => Err(format!("{error}; {bounds}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them_and_within_their_bounds() {
        const BOUNDS: Bounds = (Duration::from_millis(50), Duration::from_secs(3600));
        fn check(text: &str, expected: Option<u64>) {
            let read = time_within(BOUNDS)(text);
            assert_eq!(read.ok().map(|time| time.as_millis() as u64), expected, "{text}");
        }
        check("2", Some(2000));
        check("0.5", Some(500));
        check("2s", Some(2000));
        check("500ms", Some(500));
        check("1m", Some(60_000));
        check("1h", Some(3_600_000));
        check("50ms", Some(50));
        for refused in [
            "0", "-1", "soon", "NaN", "inf", "1e19", "1e-9", "49ms", "3601", "",
        ] {
            check(refused, None);
        }
        let error = time_within(BOUNDS)("1e-9").expect_err("too short");
        assert_eq!(
            error,
            "it is too short; write a time from 50ms to 1h, as a number of seconds or e.g. 500ms, 2s, 1m"
        );
    }
}
