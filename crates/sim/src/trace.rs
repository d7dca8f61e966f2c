//! Replay traces: when requests came, and how long they were, as others recorded it.
//!
//! Two public formats are read: the JSON Lines of Mooncake, which also tell which prompts begin alike, and the CSV of
//! Azure's LLM inference traces of 2023 and 2024. A trace is taken as it is or not at all: whatever is odd in it is
//! told with its line.

mod azure;
mod mooncake;

use std::fmt;
use std::io::BufRead;

use clap::ValueEnum;
use serde::Deserialize;

use crate::lines::Lines;

pub use crate::lines::LineError;

pub use mooncake::MOONCAKE_BLOCK_TOKENS;

/// The longest prompt and the longest answer that are believed, in tokens.
pub const MAX_TOKENS: u64 = 10_000_000;

/// The requests of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    requests: Vec<TraceRequest>,
}

/// One request of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceRequest {
    /// When it came, in nanoseconds since the first request of the trace.
    pub at_ns: u64,
    /// Length of its prompt in tokens; at least 1.
    pub input_tokens: u64,
    /// Length of its answer in tokens; at least 1.
    pub output_tokens: u64,
    /// What the blocks of the prompt hold, where the trace tells: one id for every [`MOONCAKE_BLOCK_TOKENS`] tokens,
    /// the last one for the rest. An id stands for its block and all before it, so two prompts have in common what
    /// their ids have in common from the first one on.
    pub hash_ids: Box<[u64]>,
}

/// How a trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TraceFormat {
    /// JSON Lines with timestamp (ms), input_length, output_length and hash_ids
    Mooncake,
    /// CSV with TIMESTAMP, ContextTokens and GeneratedTokens
    Azure,
}

/// Why a trace could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// A line could not be had.
    #[error(transparent)]
    Unreadable(#[from] LineError),
    /// A line does not say what it should.
    #[error("line {line}: {fault}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: TraceFault,
    },
    /// There is no request in it.
    #[error("the trace has no requests")]
    Empty,
}

/// What is wrong with a line of a trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceFault {
    /// The line is no JSON object.
    #[error("it is no JSON object: {0}")]
    NoObject(String),
    /// The header lacks a column.
    #[error(
        "the header has no column {column}, it is {found:?}; expected TIMESTAMP,ContextTokens,GeneratedTokens"
    )]
    NoColumn {
        /// The column that is missing.
        column: &'static str,
        /// The header as it is.
        found: String,
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
        /// What stands there, shortened.
        found: String,
        /// What should stand there.
        expected: String,
    },
    /// The request came before the one above it.
    #[error(
        "time goes backwards: {field} is {found}, and {earlier} on line {earlier_line}; expected lines in the order of time"
    )]
    Backwards {
        /// Its name in the trace.
        field: &'static str,
        /// When this request came.
        found: String,
        /// When the one above it came.
        earlier: String,
        /// The line of that one, counted from 1.
        earlier_line: usize,
    },
}

/// A request whose time is counted from wherever the trace counts.
struct Entry {
    /// In nanoseconds.
    time: i128,
    input_tokens: u64,
    output_tokens: u64,
    hash_ids: Box<[u64]>,
}

impl Trace {
    /// Reads a text.
    ///
    /// # Errors
    /// As [`read`](Self::read), but for those of the reader.
    ///
    /// ```
    /// use sim::trace::{Trace, TraceFormat};
    /// let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
    ///             2023-11-16 18:17:03.9799600,4808,10\n\
    ///             2023-11-16 18:17:04.0319600,3180,8\n";
    /// let trace = Trace::parse(TraceFormat::Azure, text)?;
    /// assert_eq!(trace.requests()[1].at_ns, 52_000_000);
    /// # Ok::<(), sim::trace::TraceError>(())
    /// ```
    pub fn parse(format: TraceFormat, text: &str) -> Result<Self, TraceError> {
        Self::read(format, text.as_bytes())
    }

    /// The requests in the order of time; the first one comes at 0.
    pub fn requests(&self) -> &[TraceRequest] {
        &self.requests
    }

    /// Reads from wherever the lines come.
    ///
    /// # Errors
    /// [`TraceError`] where it cannot be read, has no request, or has a line that is wrong; that line is named.
    pub fn read(format: TraceFormat, reader: impl BufRead) -> Result<Self, TraceError> {
        let mut lines = Lines::new(reader);
        let mut columns = None;
        let mut timeline = Timeline::new(format);
        let mut requests = Vec::new();
        while let Some(line) = lines.next()? {
            let text = line.text()?.trim_start_matches('\u{feff}').trim();
            let at_line = |fault| TraceError::Line {
                line: line.number,
                fault,
            };
            if text.is_empty() {
                continue;
            }
            let entry = match (format, &columns) {
                (TraceFormat::Mooncake, _) => mooncake::entry(text),
                (TraceFormat::Azure, Some(columns)) => azure::entry(columns, text),
                (TraceFormat::Azure, None) => {
                    columns = Some(azure::Columns::read(text).map_err(at_line)?);
                    continue;
                }
            };
            let entry = entry.map_err(at_line)?;
            requests.push(TraceRequest {
                at_ns: timeline.next(line.number, entry.time).map_err(at_line)?,
                input_tokens: entry.input_tokens,
                output_tokens: entry.output_tokens,
                hash_ids: entry.hash_ids,
            });
        }
        if requests.is_empty() {
            return Err(TraceError::Empty);
        }
        Ok(Self { requests })
    }
}

/// Counts time from the first request, and sees to it that it goes on.
struct Timeline {
    format: TraceFormat,
    first: Option<i128>,
    /// Line and time of the request before.
    earlier: (usize, i128),
}

impl Timeline {
    fn new(format: TraceFormat) -> Self {
        Self {
            format,
            first: None,
            earlier: (0, i128::MIN),
        }
    }

    /// Nanoseconds since the first request.
    fn next(&mut self, line: usize, time: i128) -> Result<u64, TraceFault> {
        let (earlier_line, earlier) = self.earlier;
        if time < earlier {
            return Err(TraceFault::Backwards {
                field: self.field(),
                found: self.show(time),
                earlier: self.show(earlier),
                earlier_line,
            });
        }
        self.earlier = (line, time);
        let first = *self.first.get_or_insert(time);
        u64::try_from(time - first).map_err(|_| TraceFault::Field {
            field: self.field(),
            found: self.show(time),
            expected: "less than 584 years after the first request".to_owned(),
        })
    }

    fn field(&self) -> &'static str {
        match self.format {
            TraceFormat::Mooncake => mooncake::TIME,
            TraceFormat::Azure => azure::TIME,
        }
    }

    fn show(&self, time: i128) -> String {
        match self.format {
            TraceFormat::Mooncake => format!("{} ms", time as f64 / 1e6),
            TraceFormat::Azure => azure::show(time),
        }
    }
}

/// Makes sure that a length is one; `found` is what stands in the trace.
fn tokens(field: &'static str, length: Option<u64>, found: &str) -> Result<u64, TraceFault> {
    match length {
        Some(tokens @ 1..=MAX_TOKENS) => Ok(tokens),
        _ => Err(wrong(
            field,
            found,
            format!("a whole number from 1 to {MAX_TOKENS}"),
        )),
    }
}

/// A field that is not what it should be. Of what was found, enough is shown to find it again.
fn wrong(field: &'static str, found: &str, expected: impl Into<String>) -> TraceFault {
    const SHOWN: usize = 60;
    let mut shown: String = found.chars().take(SHOWN).collect();
    if shown.len() < found.len() {
        shown.push('…');
    }
    TraceFault::Field {
        field,
        found: shown,
        expected: expected.into(),
    }
}

impl TraceFormat {
    /// The format's name in flags and scenarios: `mooncake` or `azure`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mooncake => "mooncake",
            Self::Azure => "azure",
        }
    }
}

impl fmt::Display for TraceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
