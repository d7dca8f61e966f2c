//! The truth file: one record for every reply, with the load that was true and the data that was sent, and one for
//! every message that workers of a version of Dynamo publish.
//!
//! It is JSON Lines, and grows while the workers run, so its last line may be half of one.

mod file;
mod writer;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sim::lines::{Lines, json_reason};

pub use file::{TruthFile, TruthFileError};
pub use sim::lines::LineError;
pub use sim::{Counters, Load};
pub use writer::Writer;

/// What one worker was and said at one moment. `Sent` is a JSON value, or for a writer its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record<Sent = Value> {
    /// Virtual time since the start, in nanoseconds.
    pub time_ns: u64,
    /// When the reply was made, in seconds of Unix time; absent in an offline simulation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix_seconds: Option<f64>,
    /// The worker's id in decimal.
    pub worker: String,
    /// Under a fault of identity, the id in decimal that the subject claims; empty where it has none that a
    /// collector of this endpoint could read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
    /// The true load; `null` while the worker is down.
    pub stats: Option<Load>,
    /// The `data` as it was sent; `null` where nothing was sent, or nothing that is JSON.
    pub sent: Option<Sent>,
    /// The names of the faults that were in force.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// What happened to the worker's requests so far.
    pub counters: Counters,
}

/// A message that was published by a worker, or about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication<Event = Value> {
    /// Virtual time since the start, in nanoseconds.
    pub time_ns: u64,
    /// When it was sent, in seconds of Unix time.
    pub unix_seconds: f64,
    /// The id of the worker that it is about, in decimal.
    pub worker: String,
    /// Its topic; of request traces, their usual subject.
    pub topic: String,
    /// What it says.
    pub event: Event,
    /// Whether it was lost on its way, by a fault.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// A line of a truth file.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// What a worker was and replied.
    Reply(Box<Record>),
    /// What was published.
    Published(Publication),
}

impl Entry {
    /// # Errors
    /// Why a line is none.
    fn read(line: &[u8]) -> serde_json::Result<Self> {
        let record = serde_json::from_slice(line);
        let error = match record {
            Ok(record) => return Ok(Self::Reply(Box::new(record))),
            Err(error) => error,
        };
        serde_json::from_slice(line)
            .map(Self::Published)
            .map_err(|_| error)
    }
}

/// Why a truth file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TruthError {
    /// The file could not be opened.
    #[error("failed to open the truth file: {0}")]
    Open(#[from] io::Error),
    /// A line could not be had.
    #[error(transparent)]
    Unreadable(#[from] LineError),
    /// A line is not a record.
    #[error("line {line} is not a record: {reason}")]
    NoRecord {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it, and in which column.
        reason: String,
    },
}

/// Reads records one by one, each with its line, counted from 1. It ends at the end of the file or at the first error.
#[derive(Debug)]
pub struct Records<R> {
    lines: Lines<R>,
    has_ended: bool,
}

impl Records<BufReader<File>> {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TruthError::Open`] where it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, TruthError> {
        Ok(Self::new(BufReader::new(File::open(path)?)))
    }
}

impl<R: BufRead> Records<R> {
    /// Reads from wherever the records come.
    pub fn new(reader: R) -> Self {
        Self {
            lines: Lines::new(reader),
            has_ended: false,
        }
    }

    fn read(&mut self) -> Result<Option<(usize, Entry)>, TruthError> {
        while let Some(line) = self.lines.next()? {
            if line.bytes.trim_ascii().is_empty() {
                continue;
            }
            return match Entry::read(line.bytes) {
                Ok(record) => Ok(Some((line.number, record))),
                // Its writer may be in the middle of it.
                Err(_) if !line.is_ended => Ok(None),
                Err(error) => Err(TruthError::NoRecord {
                    line: line.number,
                    reason: json_reason(&error),
                }),
            };
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<(usize, Entry), TruthError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let read = self.read().transpose();
        self.has_ended = !matches!(read, Some(Ok(_)));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            time_ns: 1_500_000_000,
            unix_seconds: Some(1_700_000_000.25),
            worker: "18446744073709551615".to_owned(),
            claimed: None,
            stats: Some(Load {
                request_active_slots: 1,
                request_total_slots: 2,
                num_requests_waiting: 3,
                kv_active_blocks: 4,
                kv_total_blocks: 8,
                gpu_cache_usage_perc: 0.5,
                gpu_prefix_cache_hit_rate: None,
            }),
            sent: Some(serde_json::json!({"kv_stats": null})),
            faults: Vec::new(),
            counters: Counters {
                arrivals: 4,
                running: 1,
                waiting: 3,
                ..Counters::default()
            },
        }
    }

    fn read(text: &str) -> Vec<Result<(usize, Record), String>> {
        let reply = |(line, entry)| match entry {
            Entry::Reply(record) => (line, *record),
            Entry::Published(other) => panic!("{other:?} is not a record"),
        };
        Records::new(text.as_bytes())
            .map(|read| read.map(reply).map_err(|error| error.to_string()))
            .collect()
    }

    #[test]
    fn what_was_published_is_read_back() {
        let published = Publication {
            time_ns: 5,
            unix_seconds: 1_700_000_000.25,
            worker: "7".to_owned(),
            topic: "kv_metrics".to_owned(),
            event: serde_json::json!({"worker_id": u64::MAX}),
            lost: false,
        };
        let line = serde_json::to_string(&published).expect("it is JSON");
        assert!(!line.contains("lost"), "{line}");
        let lost = Publication {
            lost: true,
            ..published.clone()
        };
        let text = format!("{line}\n{}\n", serde_json::to_string(&lost).expect("it is JSON"));
        let entries: Vec<Entry> = Records::new(text.as_bytes())
            .map(|read| read.expect("it is well-formed").1)
            .collect();
        assert_eq!(entries, [published, lost].map(Entry::Published));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let faulty = Record {
            unix_seconds: None,
            claimed: Some(String::new()),
            stats: None,
            sent: None,
            faults: vec!["crash".to_owned()],
            ..record()
        };
        let lines =
            [record(), faulty.clone()].map(|record| serde_json::to_string(&record).expect("it is JSON"));
        assert!(
            !lines[0].contains("faults") && !lines[0].contains("claimed"),
            "{}",
            lines[0]
        );
        let expected = vec![Ok((1, record())), Ok((3, faulty))];
        assert_eq!(read(&format!("{}\n\n{}\n", lines[0], lines[1])), expected);
        assert_eq!(
            read(&format!("{}\n\n{}", lines[0], lines[1])),
            expected,
            "without a newline"
        );
    }

    #[test]
    fn a_writer_needs_no_tree_of_what_it_sent() {
        let text = serde_json::to_string(&record()).expect("it is JSON");
        let raw: Record<&serde_json::value::RawValue> = serde_json::from_str(&text).expect("it is a record");
        assert_eq!(
            raw.sent.map(serde_json::value::RawValue::get),
            Some(r#"{"kv_stats":null}"#)
        );
        assert_eq!(serde_json::to_string(&raw).expect("it is JSON"), text);
    }

    #[test]
    fn half_a_line_at_the_end_is_left_out() {
        let line = serde_json::to_string(&record()).expect("it is JSON");
        for end in 1..line.len() {
            assert_eq!(
                read(&format!("{line}\n{}", &line[..end])),
                vec![Ok((1, record()))]
            );
        }
    }

    #[test]
    fn a_line_that_is_not_a_record_is_reported_and_ends_the_reading() {
        let line = serde_json::to_string(&record()).expect("it is JSON");
        let odd = line.replace("time_ns", "time");
        let expected = vec![
            Ok((1, record())),
            Err("line 2 is not a record: unknown field `time`, expected one of `time_ns`, `unix_seconds`, `worker`, \
                 `claimed`, `stats`, `sent`, `faults`, `counters` at column 7"
                .to_owned()),
        ];
        assert_eq!(read(&format!("{line}\n{odd}\n{line}\n")), expected);
    }
}
