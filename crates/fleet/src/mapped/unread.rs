//! [`Unread`]: what one mapping cannot read in one reply.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use protocol::text::Shown;
use serde_json::Value;

use super::{MAX_KEY, MappingFault};
use crate::mapping::Mapping;

/// Bytes of a value that are kept as an example.
const MAX_EXAMPLE: usize = 80;

/// What one mapping cannot read in one reply: the first of its values, and how many more there are.
///
/// One is kept for each mapping that fails, so it takes no more memory than the values would that are not there.
#[derive(Debug, Clone)]
pub struct Unread {
    /// The mapping.
    pub mapping: Arc<Mapping>,
    /// Why the first value cannot be read.
    pub fault: MappingFault,
    /// The same in words.
    pub what: Box<str>,
    /// Where it is, with the keys that are there for each `*`; safe to show.
    pub place: Box<str>,
    /// The value as JSON, cut and safe to show; `None` where there is none.
    pub example: Option<Box<str>>,
    /// How many values cannot be read, whatever the reason.
    pub count: u32,
}

impl Unread {
    pub(super) fn new(
        mapping: &Arc<Mapping>,
        keys: &[Cow<'_, str>],
        value: Option<&Value>,
        (fault, what): (MappingFault, String),
    ) -> Self {
        Self {
            mapping: mapping.clone(),
            fault,
            what: what.into(),
            place: Place(mapping, keys).to_string().into(),
            example: value.map(|value| example(value).into()),
            count: 1,
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.mapping.metric.name;
        write!(f, "{name} at {} {}", self.place, self.what)?;
        match self.count {
            1 => Ok(()),
            n => write!(f, " (and {} more values)", n - 1),
        }
    }
}

/// The pointer, with the keys that its first stars found.
struct Place<'a>(&'a Mapping, &'a [Cow<'a, str>]);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = self.0.pointer.to_string();
        let mut keys = self.1.iter();
        for step in pointer.split('/').skip(1) {
            let key = if step == "*" { keys.next() } else { None };
            match key {
                Some(key) => write!(f, "/{}", Shown(key).up_to(MAX_KEY))?,
                None => write!(f, "/{}", Shown(step))?,
            }
        }
        if pointer.is_empty() {
            f.write_str("the whole data")?;
        }
        Ok(())
    }
}

/// The beginning of a value's JSON. A value may be large, so the rest of it is not written at all.
fn example(value: &Value) -> String {
    let mut beginning = Beginning(Vec::new());
    // It fails where it is full, and what it has by then is the example.
    let is_cut = serde_json::to_writer(&mut beginning, value).is_err();
    let text = String::from_utf8_lossy(&beginning.0);
    // A character that the limit cuts in two is left out.
    let text = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
    let end = if is_cut { "…" } else { "" };
    format!("{}{end}", Shown(text).up_to(MAX_EXAMPLE))
}

/// Takes the first bytes and refuses the rest.
struct Beginning(Vec<u8>);

impl Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_EXAMPLE - self.0.len();
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = &bytes[..bytes.len().min(room)];
        self.0.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_example_is_cut_and_cannot_mislead_a_terminal() {
        assert_eq!(example(&json!("auto")), r#""auto""#);
        assert_eq!(example(&json!({"a": [1, null]})), r#"{"a":[1,null]}"#);
        let hostile = example(&json!("\u{1b}[31m\u{202e}"));
        assert_eq!(hostile, r#""\u001b[31m\u{202e}""#);
        let long = example(&json!("ü".repeat(1000)));
        assert!(long.chars().count() <= MAX_EXAMPLE + 1, "{long}");
        assert!(long.starts_with("\"üü") && long.ends_with("ü…"), "{long}");
        let exact = "x".repeat(MAX_EXAMPLE - 2);
        assert_eq!(example(&json!(exact)), format!("\"{exact}\""));
    }
}
