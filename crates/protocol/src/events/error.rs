//! [`EventError`]: why an event is refused.

use crate::{CodecError, MAX_NAME_BYTES, StatsRefusal};

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The bytes cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The event is no object.
    #[error("the event is not an object")]
    NotAnObject,
    /// A field is missing or has the wrong type.
    #[error("{0} is missing or not a 64-bit whole number")]
    Field(&'static str),
    /// A number is missing or has the wrong type.
    #[error("{0} is missing or not a number")]
    Number(&'static str),
    /// A text is missing, too long, or no text.
    #[error("{0} is missing or not a text of at most {MAX_NAME_BYTES} bytes")]
    Text(&'static str),
    /// A part is missing or has no fields.
    #[error("{0} is missing or not an object")]
    Section(&'static str),
    /// A list is missing or not a list.
    #[error("{0} is missing or not a list")]
    List(&'static str),
    /// A field has none of the values that are known.
    #[error("{0} is missing or has an unknown value")]
    Unknown(&'static str),
    /// A message holds more events than it may.
    #[error("the message holds more than {0} events")]
    TooMany(usize),
    /// A number is larger than any real value.
    #[error("{0} is above the limit of {1}")]
    AboveLimit(&'static str, f64),
    /// A number is NaN or infinite.
    #[error("{0} is not finite")]
    NotFinite(&'static str),
    /// A field is negative.
    #[error("{0} is negative")]
    Negative(&'static str),
    /// More blocks are said to be cached than were looked up.
    #[error("overlap_blocks is {overlap_blocks}, above isl_blocks {isl_blocks}")]
    OverlapAboveLookup {
        /// Blocks said to be found.
        overlap_blocks: u64,
        /// Blocks looked up.
        isl_blocks: u64,
    },
    /// The load in it cannot be used.
    #[error(transparent)]
    Stats(#[from] StatsRefusal),
    /// The event carries no load.
    #[error("the event carries no load")]
    NoLoad,
}

impl EventError {
    /// Whether the event is well-formed and only a value in it is impossible.
    pub fn is_out_of_range(&self) -> bool {
        match self {
            Self::Negative(_)
            | Self::AboveLimit(..)
            | Self::NotFinite(_)
            | Self::OverlapAboveLookup { .. } => true,
            Self::Stats(StatsRefusal::NothingUsable(fields)) => {
                fields.iter().all(|f| f.fault.is_out_of_range())
            }
            _ => false,
        }
    }
}
