//! Reading JSON as clients really write it: fields of the wrong type, literals that JSON does not have.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::StatsError;
use crate::stats::whole;

/// An object whose fields are read one by one, so that a bad one costs only itself. Of a field that occurs twice
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

    /// A counter: integer, float or numeric text; `None` where it is absent, or where it makes no sense and is noted.
    pub(super) fn count(&self, field: &'static str, refused: &mut Vec<StatsError>) -> Option<u64> {
        let value: Value = serde_json::from_str(self.raw(field)?.get()).ok()?;
        whole(&value)
            .map_err(|fault| refused.push(StatsError { field, fault }))
            .ok()
    }

    /// A time in seconds, decided by how it is written and never by its value: an integer is nanoseconds, as NATS
    /// specifies; a number with a fraction or an exponent is seconds (old PHP clients, `2.0`); a text such as `1.5ms`
    /// is read as Go prints durations.
    pub(super) fn seconds(&self, field: &str) -> Option<f64> {
        let raw = self.raw(field)?.get();
        let text: Cow<'_, str> = match raw.as_bytes().first()? {
            b'"' => serde_json::from_str::<String>(raw).ok()?.into(),
            b'-' | b'0'..=b'9' => raw.into(),
            _ => return None,
        };
        let seconds = match text.parse::<f64>() {
            Ok(seconds) if text.contains(['.', 'e', 'E']) => seconds,
            Ok(nanos) => nanos / 1e9,
            Err(_) => go_duration(&text)?,
        };
        (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
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
    let text = text.trim_start_matches('\u{feff}');
    let mut repaired = String::with_capacity(text.len() + 16);
    for token in tokens(text) {
        if token.parse::<f64>().is_ok_and(|number| !number.is_finite()) {
            repaired.extend(["\"", token, "\""]);
        } else if token.starts_with('"') {
            push_without_lone_surrogates(&mut repaired, token);
        } else {
            repaired.push_str(token);
        }
    }
    repaired
}

/// Half of a UTF-16 pair, escaped as `\ud800` and the like, is what Python writes for bytes that are no text.
fn push_without_lone_surrogates(repaired: &mut String, token: &str) {
    let escape = |at: usize| {
        let digits = token.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut at = 0;
    while let Some(found) = token[at..].find('\\') {
        repaired.push_str(&token[at..at + found]);
        at += found;
        let taken = match (escape(at), escape(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                repaired.push('\u{fffd}');
                at += 6;
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 1 + token[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
        repaired.push_str(&token[at..at + taken]);
        at += taken;
    }
    repaired.push_str(&token[at..]);
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
        check("\u{feff}{}", "{}");
        check(
            r#"["\ud83d\ude00 \ud800x \\ud800 é\n"]"#,
            "[\"\\ud83d\\ude00 \u{fffd}x \\\\ud800 é\\n\"]",
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
