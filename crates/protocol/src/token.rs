//! Validated names: [`Namespace`], [`Component`], [`EndpointName`] and the numeric [`WorkerId`].
//!
//! A name that exists is safe to put into a NATS subject: it has no white space, no wildcard, no `/` and no
//! empty dot-separated part, and is at most [`MAX_NAME_BYTES`] long. Nothing else is asked of it: Dynamo's own
//! names carry capitals, dots, dashes and letters of any script, and their case is kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name in bytes. Three of them with their separators stay far below the 4,096 bytes that a NATS
/// server takes as a control line.
pub const MAX_NAME_BYTES: usize = 255;

/// The word that the display form `ns/comp/_endpoint_/ep` puts before the endpoint; no name may be it.
pub(crate) const ENDPOINT_KEYWORD: &str = "_endpoint_";

/// Why a text is not a [`Namespace`], [`Component`] or [`EndpointName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no characters.
    #[error("the {part} is empty")]
    Empty {
        /// Which name: `namespace`, `component` or `endpoint`.
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
    /// The name has a character that a NATS subject cannot carry, or that separates parts.
    #[error("the {part} {name:?} has the character {character:?} at byte {at}: {why}")]
    BadCharacter {
        /// Which name.
        part: &'static str,
        /// The text that was given.
        name: String,
        /// The first character at fault.
        character: char,
        /// Where it stands, in bytes.
        at: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The name begins or ends with a dot, or has two in a row: a NATS subject has no empty parts.
    #[error("the {part} {name:?} has an empty part between dots, which a NATS subject cannot carry")]
    EmptyDotPart {
        /// Which name.
        part: &'static str,
        /// The text that was given.
        name: String,
    },
    /// The name is the word that stands before an endpoint in `ns/comp/_endpoint_/ep`.
    #[error("the {part} cannot be {ENDPOINT_KEYWORD:?}: that word only marks where the endpoint begins")]
    Reserved {
        /// Which name.
        part: &'static str,
    },
}

fn check(part: &'static str, name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { part });
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong {
            part,
            bytes: name.len(),
        });
    }
    for (at, character) in name.char_indices() {
        let why = match character {
            '/' => "it separates namespace, component and endpoint",
            '*' | '>' => "it is a NATS wildcard",
            c if c.is_whitespace() => "white space cannot stand in a NATS subject",
            c if c.is_control() => "control characters cannot stand in a NATS subject",
            _ => continue,
        };
        return Err(NameError::BadCharacter {
            part,
            name: name.to_owned(),
            character,
            at,
            why,
        });
    }
    if name.split('.').any(str::is_empty) {
        return Err(NameError::EmptyDotPart {
            part,
            name: name.to_owned(),
        });
    }
    if name == ENDPOINT_KEYWORD {
        return Err(NameError::Reserved { part });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$docs:meta])* $type:ident, $part:literal) => {
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
                check($part, text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                check($part, &text).map(|()| Self(text))
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
    /// The outermost name of a worker's path, e.g. `dynamo`. It may hold dots: `My-NS.x`.
    ///
    /// # Errors
    /// Parsing fails with [`NameError`] where the text cannot stand in a NATS subject.
    ///
    /// ```
    /// use protocol::Namespace;
    /// assert_eq!("My-NS.x".parse::<Namespace>()?.as_str(), "My-NS.x");
    /// let error = "a b".parse::<Namespace>().unwrap_err();
    /// assert!(error.to_string().contains("white space"));
    /// # Ok::<(), protocol::NameError>(())
    /// ```
    Namespace,
    "namespace"
);
name!(
    /// The service that a worker belongs to within its namespace, e.g. `backend`.
    ///
    /// # Errors
    /// Parsing fails with [`NameError`] where the text cannot stand in a NATS subject.
    ///
    /// ```
    /// use protocol::Component;
    /// assert_eq!("MyComponent".parse::<Component>()?.to_string(), "MyComponent");
    /// # Ok::<(), protocol::NameError>(())
    /// ```
    Component,
    "component"
);
name!(
    /// What a component offers, e.g. `generate`. It goes into the subject as it is, never slugified.
    ///
    /// # Errors
    /// Parsing fails with [`NameError`] where the text cannot stand in a NATS subject.
    ///
    /// ```
    /// use protocol::EndpointName;
    /// assert_eq!("gen-erate".parse::<EndpointName>()?.as_str(), "gen-erate");
    /// assert!("gen.*".parse::<EndpointName>().is_err());
    /// # Ok::<(), protocol::NameError>(())
    /// ```
    EndpointName,
    "endpoint"
);

/// The number that tells one worker of an endpoint from another: Dynamo's *instance id*, a `u64`.
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
    #[error("the worker id has a character that is no lower-case digit of its base")]
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

    /// Reads the form that stands in subjects.
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
    fn a_name_that_cannot_stand_in_a_subject_is_refused_with_its_part_and_reason() {
        fn check(text: &str, expected: &str) {
            let error = text.parse::<Component>().expect_err(text).to_string();
            assert!(
                error.contains("component") && error.contains(expected),
                "{text:?}: {error}"
            );
        }
        check("", "empty");
        check("a/b", "separates");
        check("a*", "wildcard");
        check(">", "wildcard");
        check("a\u{a0}b", "white space");
        check("a\u{7}", "control");
        check(".a", "empty part");
        check("a..b", "empty part");
        check("_endpoint_", "marks where the endpoint begins");
        check(&"x".repeat(256), "at most 255");
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
