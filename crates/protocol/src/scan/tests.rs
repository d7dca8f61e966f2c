//! The scanner next to `serde_json`: it reads the same, or leaves it to the lenient readers.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;

/// Reads the whole text.
fn whole<'a, T>(text: &'a str, read: impl FnOnce(&mut Scanner<'a>) -> Option<T>) -> Option<T> {
    let mut scanner = Scanner::new(text);
    let value = read(&mut scanner)?;
    scanner.end().map(|()| value)
}

fn passes(text: &str, pass: Pass) -> bool {
    whole(text, |scanner| scanner.pass(LEVELS, pass)).is_some()
}

proptest! {
    #[test]
    fn texts_of_any_length_end_where_they_end(text in "[ -~é日\u{7f}\u{80}\u{1f}\n\\\\\"]{0,40}") {
        let plain = text.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        prop_assert_eq!(plain_bytes(text.as_bytes()), plain.unwrap_or(text.len()));
        let written = Value::from(text.as_str()).to_string();
        let expected = plain.is_none().then_some(text.as_str());
        prop_assert_eq!(whole(&written, Scanner::text), expected);
        prop_assert!(passes(&written, Pass::Value));
    }

    #[test]
    fn what_is_nearly_json_is_passed_over_as_serde_json_does(
        text in r#"( |\[|\]|\{|\}|,|:|"a"|"\\u00e9"|"\\ud800"|"\\x"|null|true|fals|-0|-?[0-9]{1,21}|-?0?[0-9]\.[0-9]{0,20}|[0-9]e-?[0-9]{1,3}|-|\.5|1e|1e400){1,8}"#,
    ) {
        let is_json = serde_json::from_str::<&RawValue>(&text).is_ok();
        prop_assert_eq!(passes(&text, Pass::Json), is_json, "{}", text);
        let is_value = serde_json::from_str::<Value>(&text).is_ok();
        prop_assert_eq!(passes(&text, Pass::Value), is_value, "{}", text);
    }

    #[test]
    fn numbers_are_those_of_serde_json(text in "-?[0-9]{1,21}|-?[0-9]{1,20}\\.[0-9]{0,20}([eE][+-]?[0-9]{1,3})?|null|[-.0-9eE+]{1,6}") {
        let value = serde_json::from_str::<Value>(&text).ok();
        let float = value.as_ref().and_then(|value| match value {
            Value::Null => Some(None),
            number => Some(Some(number.as_f64()?)),
        });
        prop_assert_eq!(whole(&text, Scanner::float), float);
        let count = value.as_ref().and_then(|value| match value {
            Value::Null => Some(None),
            number => Some(Some(number.as_u64()?)),
        });
        prop_assert_eq!(whole(&text, Scanner::count), count);
    }
}

#[test]
fn brackets_nest_as_deep_as_is_allowed() {
    fn check(text: &str, levels: usize, expected: bool) {
        let passed = whole(text, |scanner| scanner.pass(levels, Pass::Json));
        assert_eq!(passed.is_some(), expected, "{text} within {levels}");
    }
    check("1", 0, true);
    check("[]", 0, false);
    check("[[{}], []]", 3, true);
    check("[[{}], []]", 2, false);
    check(r#"{"a": {"b": [1]}}"#, 3, true);
    check(r#"{"a": {"b": [1]}}"#, 2, false);
    check(&"[".repeat(100_000), LEVELS, false);
}

#[test]
fn fields_are_found_in_any_order_and_with_any_white_space() {
    static NAMES: [Name; 3] = Name::all(["a", "bee", "gpu_prefix_cache_hit_rate"]);
    fn check(text: &str, expected: &[Field]) {
        let read = whole(text, |scanner| {
            let mut found = Vec::new();
            let mut fields = Fields::new(&NAMES, 0);
            scanner.opens_object()?;
            loop {
                found.push(scanner.field(&mut fields)?);
                if found.last() == Some(&End) {
                    return Some(found);
                }
                scanner.pass(LEVELS, Pass::Value)?;
            }
        });
        assert_eq!(read.as_deref().unwrap_or_default(), expected, "{text}");
    }
    use Field::{End, Known, Other};
    let long = " ".repeat(40);
    for space in ["", " ", &long] {
        check(&format!("{{}}{space}"), &[End]);
        check(
            &format!(r#"{{"a":1,"bee":"x"}}{space}"#),
            &[Known(0), Known(1), End],
        );
        check(
            &format!(r#"{{"bee":1,{space}"a":2}}{space}"#),
            &[Known(1), Known(0), End],
        );
        check(
            &format!(r#"{{"gpu_prefix_cache_hit_rate"{space}:1,"be":2,"beef":3,"":4}}{space}"#),
            &[Known(2), Other, Other, Other, End],
        );
        check(&format!(r#"{{"a":1,}}{space}"#), &[]);
        check(&format!(r#"{{"a" 1}}{space}"#), &[]);
        check(&format!(r#"{{"a":1 "bee":2}}{space}"#), &[]);
        check(
            &format!(r#"{{"$serde_json::private::RawValue":"1"}}{space}"#),
            &[],
        );
    }
}
