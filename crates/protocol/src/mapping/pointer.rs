//! [`Pointer`]: a JSON pointer in which a `*` is every key of an object and every item of a list.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::stats::type_name;

/// The most steps that a pointer has: [`ReplyLimits`](crate::ReplyLimits) allows `data` no more levels.
const MAX_STEPS: usize = 32;

/// Where values are in a JSON document, as [RFC 6901](https://www.rfc-editor.org/rfc/rfc6901) writes it: `/queues/0/depth`.
///
/// A step `*` is every key of an object and every item of a list. `~0` is `~`, `~1` is `/`, and `~2`, which the RFC does
/// not have, is a key that is a `*`. The empty pointer is the whole document.
///
/// ```
/// use protocol::mapping::Pointer;
/// let data = serde_json::json!({"queues": {"mail": {"depth": 3}, "sms": {"depth": 5}}});
/// let pointer: Pointer = "/queues/*/depth".parse()?;
/// let mut found = Vec::new();
/// pointer.find(&data, &mut |keys, value| found.push((keys[0].to_string(), value.ok().cloned())));
/// assert_eq!(found, [("mail".to_owned(), Some(3.into())), ("sms".to_owned(), Some(5.into()))]);
/// # Ok::<(), protocol::mapping::PointerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pointer(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Key(Box<str>),
    Every,
}

/// Is called with the keys that each `*` found, and the value there or why there is none.
pub type Visitor<'f, 'v> = &'f mut dyn FnMut(&[Cow<'v, str>], Result<&'v Value, Absent>);

/// Why a text is no [`Pointer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointerError {
    /// It does not begin with a slash.
    #[error("a JSON pointer begins with `/`, e.g. /queues/*/depth")]
    NoSlash,
    /// A `~` is followed by something else than 0, 1 or 2.
    #[error("after `~`, a JSON pointer has 0 (for `~`), 1 (for `/`) or 2 (for `*`)")]
    Escape,
    /// It has too many steps.
    #[error("a pointer has at most {MAX_STEPS} steps, because `data` has no more levels")]
    TooDeep,
}

/// Why there is no value at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// The key or the item is not there, or it is `null`.
    Missing,
    /// What contains it is neither an object nor a list.
    Blocked {
        /// The step that leads to it; empty for the document itself.
        at: String,
        /// What it is.
        is: &'static str,
    },
}

impl Pointer {
    /// The pointer with these keys, without a `*`.
    pub(crate) fn of_keys<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.map(|key| Step::Key(key.into())).into())
    }

    /// How many steps are `*`.
    pub fn stars(&self) -> usize {
        self.0.iter().filter(|step| **step == Step::Every).count()
    }

    /// Visits each value, with the key or the number of the item for each `*`. A `*` that has nothing to stand in for has
    /// no values, and that is not an error. A value that is not there is visited, too, with the keys up to there.
    pub fn find<'v>(&self, data: &'v Value, visit: Visitor<'_, 'v>) {
        walk(&self.0, "", data, &mut Vec::new(), visit);
    }
}

fn walk<'v>(
    steps: &[Step],
    at: &str,
    value: &'v Value,
    keys: &mut Vec<Cow<'v, str>>,
    visit: Visitor<'_, 'v>,
) {
    let Some((step, rest)) = steps.split_first() else {
        return visit(
            keys,
            match value {
                Value::Null => Err(Absent::Missing),
                value => Ok(value),
            },
        );
    };
    match (step, value) {
        (Step::Key(key), Value::Object(fields)) => match fields.get(&**key) {
            Some(value) => walk(rest, key, value, keys, visit),
            None => visit(keys, Err(Absent::Missing)),
        },
        (Step::Key(key), Value::Array(items)) => match index(key).and_then(|index| items.get(index)) {
            Some(value) => walk(rest, key, value, keys, visit),
            None => visit(keys, Err(Absent::Missing)),
        },
        (Step::Every, Value::Object(fields)) => {
            for (key, value) in fields {
                keys.push(Cow::Borrowed(key));
                walk(rest, key, value, keys, visit);
                keys.pop();
            }
        }
        (Step::Every, Value::Array(items)) => {
            for (index, value) in items.iter().enumerate() {
                keys.push(Cow::Owned(index.to_string()));
                walk(rest, "*", value, keys, visit);
                keys.pop();
            }
        }
        (_, Value::Null) => visit(keys, Err(Absent::Missing)),
        (_, other) => visit(
            keys,
            Err(Absent::Blocked {
                at: at.to_owned(),
                is: type_name(other),
            }),
        ),
    }
}

/// The number of an item: the RFC allows neither a sign nor a leading zero.
fn index(key: &str) -> Option<usize> {
    let is_plain = key == "0" || !key.starts_with(['0', '+']);
    key.parse().ok().filter(|_| is_plain)
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let rest = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        let steps: Vec<Step> = rest.split('/').map(step).collect::<Result<_, _>>()?;
        match steps.len() > MAX_STEPS {
            true => Err(PointerError::TooDeep),
            false => Ok(Self(steps)),
        }
    }
}

fn step(text: &str) -> Result<Step, PointerError> {
    if text == "*" {
        return Ok(Step::Every);
    }
    let mut key = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        key.push(match char {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                Some('2') => '*',
                _ => return Err(PointerError::Escape),
            },
            other => other,
        });
    }
    Ok(Step::Key(key.into()))
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            f.write_str("/")?;
            match step {
                Step::Every => f.write_str("*")?,
                Step::Key(key) if &**key == "*" => f.write_str("~2")?,
                Step::Key(key) => f.write_str(&key.replace('~', "~0").replace('/', "~1"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// `keys = value`, or why not, for each place.
    fn found(pointer: &str, data: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let pointer: Pointer = pointer.parse().expect(pointer);
        pointer.find(data, &mut |keys, value| {
            let keys = keys.join(",");
            found.push(match value {
                Ok(value) => format!("{keys} = {value}"),
                Err(Absent::Missing) => format!("{keys} missing"),
                Err(Absent::Blocked { at, is }) => format!("{keys} {at:?} is {is}"),
            });
        });
        found
    }

    #[test]
    fn values_are_found_as_the_rfc_says() {
        // The examples of RFC 6901, section 5.
        let data = json!({"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8});
        fn check(data: &Value, pointer: &str, expected: &str) {
            assert_eq!(found(pointer, data), [format!(" = {expected}")], "{pointer}");
        }
        check(&data, "", &data.to_string());
        for (pointer, expected) in [
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            check(&data, pointer, expected);
        }
        assert_eq!(found("/foo/00", &data), [" missing"]);
        assert_eq!(found("/foo/+1", &data), [" missing"]);
    }

    #[test]
    fn a_star_is_every_key_and_every_item() {
        let data =
            json!({"q": {"a": {"n": 1}, "b": {"m": 2}, "c": 3}, "l": [[1, 2], [], [null]], "e": {}, "*": 4});
        assert_eq!(
            found("/q/*/n", &data),
            ["a = 1", "b missing", "c \"c\" is a number"]
        );
        assert_eq!(found("/l/*/*", &data), ["0,0 = 1", "0,1 = 2", "2,0 missing"]);
        assert_eq!(found("/e/*", &data), Vec::<String>::new());
        assert_eq!(found("/x/*", &data), [" missing"]);
        assert_eq!(found("/~2", &data), [" = 4"]);
        assert_eq!(found("/*/n", &json!(3)), [" \"\" is a number"]);
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for (text, expected) in [
            ("queues", PointerError::NoSlash),
            ("/a~3", PointerError::Escape),
            ("/a~", PointerError::Escape),
        ] {
            assert_eq!(text.parse::<Pointer>(), Err(expected), "{text}");
        }
        assert_eq!("/a".repeat(33).parse::<Pointer>(), Err(PointerError::TooDeep));
    }

    proptest! {
        #[test]
        fn a_pointer_is_read_back_as_it_is_written(text in "(/([a-z*~/]|~[012]|\u{e9}){0,4}){0,6}") {
            if let Ok(pointer) = text.parse::<Pointer>() {
                prop_assert_eq!(pointer.to_string().parse::<Pointer>(), Ok(pointer));
            }
        }

        #[test]
        fn a_pointer_without_stars_finds_what_serde_json_finds(keys in proptest::collection::vec("[a-c0-1]", 0..4)) {
            let data = json!({"a": {"b": [1, {"c": 2}], "c": true}, "b": [[0, 1], {"a": "x"}], "0": {"1": 5}});
            let text: String = keys.iter().map(|key| format!("/{key}")).collect();
            let mut values = Vec::new();
            text.parse::<Pointer>().expect("a pointer").find(&data, &mut |_, value| values.push(value.ok()));
            prop_assert_eq!(values, vec![data.pointer(&text)]);
        }
    }
}
