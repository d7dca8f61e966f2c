//! Reading JSON as clients really write it: fields of the wrong type, literals that JSON does not have.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// An object whose fields are read one by one, so that a bad one costs only itself. Of a field that stands twice
/// the last counts, as in most JSON readers.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Object<'a>(#[serde(borrow)] BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Object<'a> {
    /// The field as it is written, unless it is absent or `null`.
    pub(super) fn raw(&self, field: &str) -> Option<&'a RawValue> {
        self.0.get(field).copied().filter(|raw| raw.get() != "null")
    }

    /// A field that is a text.
    pub(super) fn text(&self, field: &str) -> Option<String> {
        serde_json::from_str(self.raw(field)?.get()).ok()
    }

    /// A counter: integer, float or numeric text; 0 where it is absent or makes no sense.
    pub(super) fn count(&self, field: &str) -> u64 {
        match self.scalar(field) {
            Some(Value::Number(n)) => n
                .as_u64()
                .or_else(|| n.as_f64().map(|float| float as u64))
                .unwrap_or(0),
            Some(Value::String(text)) => text.trim().parse().unwrap_or(0),
            _ => 0,
        }
    }

    /// A time in seconds: whole numbers are nanoseconds, as NATS has it; a number with a fraction is seconds
    /// (old PHP clients); a text is read as Go prints durations.
    pub(super) fn seconds(&self, field: &str) -> Option<f64> {
        let seconds = match self.scalar(field)? {
            Value::Number(n) => match n.as_f64()? {
                float if float.fract() == 0.0 => float / 1e9,
                float => float,
            },
            Value::String(text) => text
                .parse()
                .map(|nanos: f64| nanos / 1e9)
                .ok()
                .or_else(|| go_duration(&text))?,
            _ => return None,
        };
        (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
    }

    fn scalar(&self, field: &str) -> Option<Value> {
        let raw = self.raw(field)?.get();
        if raw.starts_with(['{', '[']) {
            None
        } else {
            serde_json::from_str(raw).ok()
        }
    }
}

/// Reads `1h2m3.5s`, `8µs`, `300ms` and the like, as seconds.
fn go_duration(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit_end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                // The micro sign, the Greek letter, and the ASCII spelling.
                "\u{b5}s" | "\u{3bc}s" | "us" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    Some(seconds)
}

/// How deep the brackets of a JSON text nest.
pub(super) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for token in tokens(json) {
        match token {
            "{" | "[" => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            "}" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Quotes what some JSON writers emit and readers refuse: `NaN`, `-Infinity`, `inf`, numbers beyond a float. The
/// quoted text is then refused by name where a number is expected. Bytes that are no UTF-8 are replaced.
pub(super) fn repair(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    let mut repaired = String::with_capacity(text.len() + 16);
    for token in tokens(&text) {
        if token.parse::<f64>().is_ok_and(|number| !number.is_finite()) {
            repaired.extend(["\"", token, "\""]);
        } else {
            repaired.push_str(token);
        }
    }
    repaired
}

/// Cuts a text into JSON strings, words (numbers and literals) and single other characters; nothing is lost.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = match first {
            '"' => string_end(rest),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, tail) = rest.split_at(end);
        rest = tail;
        Some(token)
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repair_touches_only_literals_that_json_does_not_have() {
        fn check(written: &str, expected: &str) {
            assert_eq!(repair(written.as_bytes()), expected);
        }
        check(
            r#"{"a": NaN, "b": [-Infinity, 1e400, -nan]}"#,
            r#"{"a": "NaN", "b": ["-Infinity", "1e400", "-nan"]}"#,
        );
        check(
            r#"{"NaN \" NaN": "1e400, NaN"}"#,
            r#"{"NaN \" NaN": "1e400, NaN"}"#,
        );
        check(
            r#"{"a": 1.5e3, "b": true, "c": null}"#,
            r#"{"a": 1.5e3, "b": true, "c": null}"#,
        );
    }

    #[test]
    fn depth_counts_brackets_outside_texts() {
        assert_eq!(depth(r#"{"a[[[": [1, {"b": "}]"}]}"#), 3);
        assert_eq!(depth("3"), 0);
    }

    #[test]
    fn durations_are_read_as_go_prints_them() {
        fn check(text: &str, expected: Option<f64>) {
            assert_eq!(go_duration(text), expected, "{text}");
        }
        check("1.5ms", Some(0.0015));
        check("1h2m3s", Some(3723.0));
        check("8\u{b5}s", Some(8e-6));
        check("0s", Some(0.0));
        check("5", None);
        check("fast", None);
        check("", None);
    }
}
