//! Numbers as a person reads them. The script has the same functions; a test in a browser compares them.

use protocol::text::Shown;

/// What is shown where nothing is known.
pub(super) const UNKNOWN: &str = "–";

/// Characters of a name that are shown.
const NAME: usize = 160;

/// A text from outside without characters that mislead.
pub(super) fn shown(text: &str) -> String {
    Shown(text).up_to(NAME).to_string()
}

/// A ratio in whole percent.
pub(super) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(
        || UNKNOWN.to_owned(),
        |ratio| format!("{}%", (ratio * 100.0).round()),
    )
}

/// A ratio in percent with one digit after the point, for small ones.
pub(super) fn fine_percent(ratio: Option<f64>) -> String {
    match ratio {
        None => UNKNOWN.to_owned(),
        Some(0.0) => "0%".to_owned(),
        Some(ratio) => format!("{:.1}%", (ratio * 1000.0).round() / 10.0),
    }
}

/// A rate or a factor: three digits are enough.
pub(super) fn number(value: Option<f64>) -> String {
    match value {
        None => UNKNOWN.to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(value) if value < 9.95 => format!("{:.1}", (value * 10.0).round() / 10.0),
        Some(value) if value < 9_999.5 => format!("{}", value.round()),
        Some(value) => format!("{}k", (value / 1000.0).round()),
    }
}

/// A count.
pub(super) fn count(value: Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string())
}

/// A time span in its largest two units.
pub(super) fn span(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else {
        return UNKNOWN.to_owned();
    };
    let seconds = seconds.max(0.0) as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        (_, _, _) => format!("{days}d {}h", hours % 24),
    }
}

/// A short time: milliseconds below a second.
pub(super) fn short_time(seconds: Option<f64>) -> String {
    match seconds {
        None => UNKNOWN.to_owned(),
        Some(seconds) if seconds < 0.001 => format!("{} µs", (seconds * 1e6).round()),
        Some(seconds) if seconds < 1.0 => format!("{} ms", (seconds * 1e3).round()),
        Some(seconds) => format!("{seconds:.1} s"),
    }
}

/// Bytes in a unit in which they are a short number.
pub(super) fn bytes(bytes: Option<u64>) -> String {
    match bytes {
        None => UNKNOWN.to_owned(),
        Some(bytes) if bytes < 1 << 20 => format!("{} KiB", bytes >> 10),
        Some(bytes) => format!("{} MiB", bytes >> 20),
    }
}

/// `1 worker`, `2 workers`.
pub(super) fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_a_person_needs() {
        let numbers = [0.0, 0.04, 3.25, 9.95, 27.5, 9999.0, 12_345.0].map(|value| number(Some(value)));
        assert_eq!(numbers, ["0", "0.0", "3.3", "10", "28", "9999", "12k"]);
        let spans = [0.0, 59.9, 61.0, 3_661.0, 90_000.0].map(|seconds| span(Some(seconds)));
        assert_eq!(spans, ["0s", "59s", "1m 1s", "1h 1m", "1d 1h"]);
        assert_eq!(
            [percent(Some(0.625)), fine_percent(Some(0.0025)), percent(None)],
            ["63%", "0.3%", "–"]
        );
        assert_eq!(
            [short_time(Some(0.0123)), short_time(Some(1.5))],
            ["12 ms", "1.5 s"]
        );
    }
}
