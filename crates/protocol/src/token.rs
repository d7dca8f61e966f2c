//! Validated names: [`Namespace`], [`Component`], [`EndpointName`], [`ServicePrefix`] and the numeric [`WorkerId`].
//!
//! Every name has 1 to [`MAX_NAME_BYTES`] bytes and no `/` or control character, and keeps its case. Dynamo's own names
//! carry capitals, dots, dashes, white space and letters of any script. Namespace and component reach a service name
//! only as a slug, so nothing else is required of them. An endpoint is part of the subject as it is, so an
//! [`EndpointName`] is also a valid piece of a NATS subject.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name in bytes. Three of them with their separators stay far below the 4,096 bytes that a NATS
/// server accepts as a control line.
pub const MAX_NAME_BYTES: usize = 255;

/// The word that the display form `ns/comp/_endpoint_/ep` puts before the endpoint; no name may be it.
pub(crate) const ENDPOINT_KEYWORD: &str = "_endpoint_";

/// Why a text is not a [`Namespace`], [`Component`], [`EndpointName`] or [`ServicePrefix`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("the {part} is empty")]
    Empty {
        /// Which name: `namespace`, `component`, `endpoint` or `service prefix`.
        part: &'static str,
    },
    /// The name has more than [`MAX_NAME_BYTES`] bytes.
    #[error("the {part} has {bytes} bytes; at most {MAX_NAME_BYTES} fit a subject")]
    TooLong {
        /// Which name.
        part: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// The name has a character that no name has, or one that a NATS subject cannot carry and has to.
    #[error("the {part} {name:?} has the character {character:?} at byte {at}: {why}")]
    BadCharacter {
        /// Which name.
        part: &'static str,
        /// The text that was given.
        name: String,
        /// The first character at fault.
        character: char,
        /// Its position, in bytes.
        at: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What a NATS subject carries as it is begins or ends with a dot, or has two in a row: a subject has no empty parts.
    #[error("the {part} {name:?} has an empty part between dots, which a NATS subject cannot carry")]
    EmptyDotPart {
        /// Which name.
        part: &'static str,
        /// The text that was given.
        name: String,
    },
    /// The name is the word that precedes an endpoint in `ns/comp/_endpoint_/ep`.
    #[error("the {part} cannot be {ENDPOINT_KEYWORD:?}: that word only marks where the endpoint begins")]
    Reserved {
        /// Which name.
        part: &'static str,
    },
}

fn check_length(part: &'static str, name: &str) -> Result<(), NameError> {
    match name.len() {
        0 => Err(NameError::Empty { part }),
        bytes if bytes > MAX_NAME_BYTES => Err(NameError::TooLong { part, bytes }),
        _ => Ok(()),
    }
}

/// Checks a name that is folded into a slug before it is part of a subject.
fn check_folded(part: &'static str, name: &str) -> Result<(), NameError> {
    check_length(part, name)?;
    check_characters(part, name, |character| match character {
        '/' => Some("it separates namespace, component and endpoint"),
        c if c.is_control() => Some("control characters are not allowed in names"),
        _ => None,
    })?;
    if name == ENDPOINT_KEYWORD {
        return Err(NameError::Reserved { part });
    }
    Ok(())
}

/// Checks a name that is part of a subject as it is.
fn check_raw(part: &'static str, name: &str) -> Result<(), NameError> {
    check_folded(part, name)?;
    check_subject(part, name)
}

/// Checks what a subject begins with.
fn check_subject(part: &'static str, name: &str) -> Result<(), NameError> {
    check_length(part, name)?;
    check_characters(part, name, |character| match character {
        '*' | '>' => Some("it is a NATS wildcard"),
        c if c.is_control() => Some("control characters are not allowed in a NATS subject"),
        c if c.is_whitespace() => Some("white space is not allowed in a NATS subject"),
        _ => None,
    })?;
    if name.split('.').any(str::is_empty) {
        return Err(NameError::EmptyDotPart {
            part,
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn check_characters(
    part: &'static str,
    name: &str,
    fault: impl Fn(char) -> Option<&'static str>,
) -> Result<(), NameError> {
    let mut faults = name
        .char_indices()
        .filter_map(|(at, character)| Some((at, character, fault(character)?)));
    match faults.next() {
        None => Ok(()),
        Some((at, character, why)) => Err(NameError::BadCharacter {
            part,
            name: name.to_owned(),
            character,
            at,
            why,
        }),
    }
}

/// Whether a text can be part of a NATS subject as it is.
pub(crate) fn is_subject_text(text: &str) -> bool {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '>');
    !text.contains(is_bad) && !text.split('.').any(str::is_empty)
}

macro_rules! name {
    ($(#[$docs:meta])* $type:ident, $part:literal, $check:ident) => {
        $(#[$docs])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as it was given, case and all.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $check($part, text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                $check($part, &text).map(|()| Self(text))
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name!(
    /// The outermost name of a worker's path, e.g. `dynamo`. It may hold dots and white space: `My-NS.x`, `_a b`.
    ///
    /// # Errors
    /// Parsing fails with [`NameError`] if the text is empty, longer than 255 bytes or the word `_endpoint_`, or has a
    /// `/` or a control character.
    ///
    /// ```
    /// use protocol::Namespace;
    /// assert_eq!("My-NS.x".parse::<Namespace>()?.as_str(), "My-NS.x");
    /// let error = "a/b".parse::<Namespace>().unwrap_err();
    /// assert!(error.to_string().contains("it separates namespace, component and endpoint"));
    /// # Ok::<(), protocol::NameError>(())
    /// ```
    Namespace,
    "namespace",
    check_folded
);
name!(
    /// The service that a worker belongs to within its namespace, e.g. `backend`.
    ///
    /// # Errors
    /// Parsing fails with [`NameError`], as that of a [`Namespace`].
    ///
    /// ```
    /// use protocol::Component;
    /// assert_eq!("MyComponent".parse::<Component>()?.to_string(), "MyComponent");
    /// # Ok::<(), protocol::NameError>(())
    /// ```
    Component,
    "component",
    check_folded
);
name!(
    /// What a component offers, e.g. `generate`. It goes into the subject as it is, never slugified.
    ///
    /// # Errors
    /// Parsing fails with [`NameError`] as that of a [`Namespace`], and if the text cannot be part of a NATS subject: it
    /// has white space, `*`, `>`, or an empty part between dots.
    ///
    /// ```
    /// use protocol::EndpointName;
    /// assert_eq!("gen-erate".parse::<EndpointName>()?.as_str(), "gen-erate");
    /// assert!("gen.*".parse::<EndpointName>().is_err());
    /// # Ok::<(), protocol::NameError>(())
    /// ```
    EndpointName,
    "endpoint",
    check_raw
);
name!(
    /// What the subjects of the NATS micro protocol begin with: `$SRV` for all services of an account. Where an account
    /// imports another one's services under a prefix, or a fleet has one of its own, it is several tokens, or others.
    ///
    /// # Errors
    /// Parsing fails with [`NameError`] if the text is empty, longer than 255 bytes, or cannot be the beginning of a NATS
    /// subject: it has white space, a control character, `*`, `>`, or an empty part between dots.
    ///
    /// ```
    /// use protocol::ServicePrefix;
    /// assert_eq!("acct.$SRV".parse::<ServicePrefix>()?.stats(), "acct.$SRV.STATS");
    /// assert_eq!(ServicePrefix::default().as_str(), "$SRV");
    /// assert!("$SRV.>".parse::<ServicePrefix>().is_err() && "acct.".parse::<ServicePrefix>().is_err());
    /// # Ok::<(), protocol::NameError>(())
    /// ```
    ServicePrefix,
    "service prefix",
    check_subject
);

/// The number that identifies one worker of an endpoint: Dynamo's *instance id*, a `u64`.
///
/// Real ids use all 64 bits (they exceed `i64::MAX`). [`Display`](fmt::Display) and [`FromStr`] use decimal, as
/// in labels and events; subjects carry lower-case hexadecimal without leading zeros, which
/// [`WorkerId::from_hex`] reads and `{:x}` writes.
///
/// ```
/// use protocol::WorkerId;
/// let id = WorkerId::new(4111120194158748168);
/// assert_eq!(format!("{id:x}"), "390da208f1c46208");
/// assert_eq!(WorkerId::from_hex("390da208f1c46208")?, id);
/// assert_eq!("4111120194158748168".parse::<WorkerId>()?, id);
/// # Ok::<(), protocol::WorkerIdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(u64);

/// Why a text is not a [`WorkerId`]. One id has one spelling, so that one worker has one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerIdError {
    /// There is no text.
    #[error("the worker id is empty")]
    Empty,
    /// A character is no digit of the expected base; capitals are no hexadecimal digits here.
    #[error("the worker id has a character that is not a lower-case digit of its base")]
    NotADigit,
    /// The id has leading zeros.
    #[error("the worker id has leading zeros")]
    Padded,
    /// The id is larger than `u64::MAX`.
    #[error("the worker id does not fit 64 bits")]
    TooLarge,
}

impl WorkerId {
    /// Wraps a number; every `u64` is a valid id.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Reads the form that subjects have.
    ///
    /// # Errors
    /// [`WorkerIdError`] where the text is not lower-case hexadecimal, is padded, or exceeds 64 bits.
    pub fn from_hex(text: &str) -> Result<Self, WorkerIdError> {
        Self::from_digits(text, 16)
    }

    fn from_digits(text: &str, base: u32) -> Result<Self, WorkerIdError> {
        if text.is_empty() {
            return Err(WorkerIdError::Empty);
        }
        if !text.chars().all(|c| c.is_digit(base) && !c.is_ascii_uppercase()) {
            return Err(WorkerIdError::NotADigit);
        }
        if text.len() > 1 && text.starts_with('0') {
            return Err(WorkerIdError::Padded);
        }
        u64::from_str_radix(text, base)
            .map(Self)
            .map_err(|_| WorkerIdError::TooLarge)
    }
}

impl From<u64> for WorkerId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

impl FromStr for WorkerId {
    type Err = WorkerIdError;

    fn from_str(text: &str) -> Result<Self, WorkerIdError> {
        Self::from_digits(text, 10)
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::LowerHex for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_layout_can_carry_is_refused_with_its_part_and_reason() {
        fn check(text: &str, expected: &str) {
            let refusals = [
                ("namespace", text.parse::<Namespace>().expect_err(text)),
                ("component", text.parse::<Component>().expect_err(text)),
                ("endpoint", text.parse::<EndpointName>().expect_err(text)),
            ];
            for (part, error) in refusals {
                let error = error.to_string();
                assert!(
                    error.contains(part) && error.contains(expected),
                    "{text:?}: {error}"
                );
            }
        }
        check("", "empty");
        check("a/b", "separates");
        check("a\u{7}", "control");
        check("a\nb", "control");
        check("_endpoint_", "marks where the endpoint begins");
        check(&"x".repeat(256), "at most 255");
    }

    #[test]
    fn only_an_endpoint_must_be_text_that_a_subject_can_carry() {
        fn check(text: &str, expected: &str) {
            let error = text.parse::<EndpointName>().expect_err(text).to_string();
            assert!(
                error.contains("endpoint") && error.contains(expected),
                "{text:?}: {error}"
            );
            assert_eq!(text.parse::<Namespace>().expect(text).as_str(), text);
            assert_eq!(text.parse::<Component>().expect(text).as_str(), text);
        }
        check("a*", "wildcard");
        check(">", "wildcard");
        check("c d", "white space");
        check("a\u{a0}b", "white space");
        check(".a", "empty part");
        check("a..b", "empty part");
        check("a.", "empty part");
    }

    #[test]
    fn a_service_prefix_is_one_or_more_literal_tokens() {
        fn check(text: &str, expected: &str) {
            let error = text.parse::<ServicePrefix>().expect_err(text).to_string();
            assert!(
                error.contains("service prefix") && error.contains(expected),
                "{text:?}: {error}"
            );
        }
        check("", "empty");
        check("acct.", "empty part");
        check(".a", "empty part");
        check("a..b", "empty part");
        check("$SRV.>", "'>' at byte 5: it is a NATS wildcard");
        check("*.$SRV", "wildcard");
        check("my fleet", "white space");
        check("a\u{1}", "control");
        check(&"x".repeat(256), "at most 255");
        for text in ["$SRV", "acct.$SRV", "fleet.a", "a/b", &"x".repeat(255)] {
            assert_eq!(text.parse::<ServicePrefix>().expect(text).as_str(), text);
        }
    }

    #[test]
    fn one_worker_id_has_one_spelling() {
        fn check(text: &str, expected: Result<u64, WorkerIdError>) {
            assert_eq!(WorkerId::from_hex(text).map(WorkerId::get), expected, "{text:?}");
        }
        check("0", Ok(0));
        check("ffffffffffffffff", Ok(u64::MAX));
        check("29de6b855ba78d0", Ok(188_560_438_806_083_792));
        check("10000000000000000", Err(WorkerIdError::TooLarge));
        check("0a", Err(WorkerIdError::Padded));
        check("0A", Err(WorkerIdError::NotADigit));
        check("+1", Err(WorkerIdError::NotADigit));
        check("", Err(WorkerIdError::Empty));
    }
}
