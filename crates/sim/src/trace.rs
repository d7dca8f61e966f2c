//! Replay traces: when requests came, and how long they were, as others recorded it.
//!
//! JSON Lines as Mooncake, AIPerf, Dynamo and Qwen-Bailian write them also say which prompts begin alike; the CSV files
//! of Azure and BurstGPT have times and lengths alone. What a file does not say about itself is detected, and
//! [`Reading`] reports it. A row that cannot be played is left out and counted, or is an error where
//! [`TraceOptions::strict`] asks for it.

mod blocks;
mod csv;
mod json;
mod lru;
mod read;
mod reading;
mod summary;

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub use crate::lines::LineError;
pub use lru::HitCurve;
pub use reading::{BlockSource, Reading, Skipped};
pub use summary::{CacheSize, Quantiles, Summary};

/// The longest prompt and the longest answer that are believed, in tokens.
pub const MAX_TOKENS: u64 = 10_000_000;

/// The most tokens that a block of a trace may have.
pub const MAX_BLOCK_TOKENS: u64 = 1 << 20;

/// The requests of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// In the order of time, and after them the turns that follow others.
    requests: Vec<TraceRequest>,
    timed: usize,
    reading: Reading,
}

/// One request of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRequest {
    /// When it came, in nanoseconds since the first request of the trace; of a turn that follows another, since that one
    /// had its whole answer.
    pub at_ns: u64,
    /// Length of its prompt in tokens; at least 1.
    pub input_tokens: u64,
    /// Length of its answer in tokens; at least 1.
    pub output_tokens: u64,
    /// What the blocks of the prompt hold, as far as the trace says: one id for every [`Trace::block_tokens`] tokens, the
    /// last one for the rest. An id means its block and all before it, so two prompts have in common what their ids
    /// have in common from the first one on. No id comes twice.
    pub hash_ids: Box<[u64]>,
    /// The turn that follows, for [`Trace::turn`].
    pub next: Option<usize>,
}

/// How a trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TraceFormat {
    /// JSON Lines with timestamp (ms), input_length, output_length and hash_ids, as Mooncake, AIPerf and Dynamo write them
    Mooncake,
    /// The same with seconds, blocks of 16 tokens and chat_id, as Qwen-Bailian
    Qwen,
    /// CSV with TIMESTAMP, ContextTokens and GeneratedTokens
    Azure,
    /// CSV with Timestamp (s), Request tokens and Response tokens
    Burstgpt,
}

/// In what a trace counts time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Seconds
    S,
    /// Milliseconds
    Ms,
    /// Microseconds
    Us,
}

/// What is known of a trace before it is read; the rest is detected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TraceOptions {
    /// How it is written.
    pub format: Option<TraceFormat>,
    /// For how many tokens a hash id is.
    pub block_tokens: Option<u64>,
    /// In what it counts time.
    pub time_unit: Option<TimeUnit>,
    /// Whether a row that cannot be played is an error.
    pub strict: bool,
}

/// Why a trace could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// A line could not be had.
    #[error(transparent)]
    Unreadable(#[from] LineError),
    /// The first line is of no known format.
    #[error(
        "line {line}: the format cannot be detected from {found:?}; expected JSON Lines (mooncake, qwen), or a CSV header \
         with TIMESTAMP,ContextTokens,GeneratedTokens (azure) or Timestamp,Request tokens,Response tokens (burstgpt)"
    )]
    UnknownFormat {
        /// The line, counted from 1.
        line: usize,
        /// How it begins.
        found: String,
    },
    /// A line does not say what it should.
    #[error("line {line}: {fault}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: TraceFault,
    },
    /// The rows say nothing that decides for how many tokens a hash id is.
    #[error("the size of a block cannot be detected: {reason}; name it with --trace-block-size TOKENS")]
    BlockSize {
        /// What was found instead.
        reason: String,
    },
    /// An option does not go with the format.
    #[error("{0}")]
    Option(String),
    /// There is no request in it.
    #[error("the trace has no requests")]
    Empty,
    /// There are rows, and none can be played.
    #[error("none of its rows can be played ({rows} in all): {}", reading::list(.first))]
    NonePlayable {
        /// How many.
        rows: u64,
        /// The first of them.
        first: Vec<Skipped>,
    },
}

/// What is wrong with a line of a trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceFault {
    /// The line is not a JSON object.
    #[error("it is not a JSON object: {0}")]
    NoObject(String),
    /// The header lacks a column.
    #[error("the header has no column {column}, it is {found:?}; expected {expected}")]
    NoColumn {
        /// The column that is missing.
        column: &'static str,
        /// The header as it is.
        found: String,
        /// The columns of the format.
        expected: &'static str,
    },
    /// The line has more or fewer cells than the header.
    #[error("it has {found} cells; expected {expected}, as in the header")]
    Cells {
        /// How many it has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// A field is missing or cannot be.
    #[error("{field} is {found}; expected {expected}")]
    Field {
        /// Its name in the trace.
        field: &'static str,
        /// What was found, shortened.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A turn follows one that is not played.
    #[error(
        "session_id is {session:?}, and the turn before it in this session is missing or cannot be played"
    )]
    NoTurnBefore {
        /// The session.
        session: String,
    },
}

impl Trace {
    /// The requests in the order of time; the first one comes at 0.
    pub fn requests(&self) -> &[TraceRequest] {
        &self.requests[..self.timed]
    }

    /// A turn that follows another, by [`TraceRequest::next`].
    pub fn turn(&self, place: usize) -> &TraceRequest {
        &self.requests[place]
    }

    /// All requests: those with a time, and the turns that follow them.
    pub fn all(&self) -> &[TraceRequest] {
        &self.requests
    }

    /// For how many tokens a hash id is; `None` where the trace has none.
    pub fn block_tokens(&self) -> Option<u64> {
        self.reading.block_tokens
    }

    /// How it was read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }
}

impl From<TraceFormat> for TraceOptions {
    fn from(format: TraceFormat) -> Self {
        Self {
            format: Some(format),
            ..Self::default()
        }
    }
}

impl TraceFormat {
    /// The format's name in flags and scenarios.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mooncake => "mooncake",
            Self::Qwen => "qwen",
            Self::Azure => "azure",
            Self::Burstgpt => "burstgpt",
        }
    }

    /// In what it counts time; `None` where it has dates.
    pub const fn time_unit(self) -> Option<TimeUnit> {
        match self {
            Self::Mooncake => Some(TimeUnit::Ms),
            Self::Qwen | Self::Burstgpt => Some(TimeUnit::S),
            Self::Azure => None,
        }
    }

    /// For how many tokens its hash ids are as it is published.
    pub const fn block_tokens(self) -> Option<u64> {
        match self {
            Self::Mooncake => Some(512),
            Self::Qwen => Some(16),
            Self::Azure | Self::Burstgpt => None,
        }
    }
}

impl TimeUnit {
    /// In nanoseconds.
    pub const fn nanos(self) -> u64 {
        match self {
            Self::S => 1_000_000_000,
            Self::Ms => 1_000_000,
            Self::Us => 1_000,
        }
    }

    /// Its name in flags and scenarios.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
        }
    }
}

impl fmt::Display for TraceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
