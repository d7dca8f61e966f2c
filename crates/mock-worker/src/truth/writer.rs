//! Writes records as they are made.

use std::io::{self, Write};

use protocol::WorkerId;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Publication, Record};
use crate::publish::Published;
use crate::stage::Sample;

/// Writes one line for each record.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes to `out`, which should have a buffer.
    pub fn new(out: W) -> Self {
        Self {
            out,
            line: Vec::new(),
        }
    }

    /// Writes what is true of a worker, and what it says: its data as JSON, and under a fault of identity the id that
    /// it claims, if any.
    ///
    /// # Errors
    /// Where the line cannot be written.
    pub fn write(
        &mut self,
        sample: &Sample<'_>,
        claimed: Option<Option<WorkerId>>,
        data: Option<&[u8]>,
        unix_seconds: Option<f64>,
    ) -> io::Result<()> {
        let sent: Option<&RawValue> = match data {
            Some(data) => Some(serde_json::from_slice(data)?),
            None => None,
        };
        let record = Record {
            time_ns: sample.time_ns,
            unix_seconds,
            worker: sample.id.to_string(),
            claimed: claimed.map(|id| id.map_or_else(String::new, |id| id.to_string())),
            stats: sample.truth.load,
            sent,
            faults: sample
                .faults
                .iter()
                .map(|fault| fault.kind.as_str().to_owned())
                .collect(),
            counters: sample.truth.counters,
        };
        self.write_line(&record)
    }

    /// Writes what is published, and when it is sent.
    ///
    /// # Errors
    /// Where the line cannot be written.
    pub fn write_published(&mut self, published: &Published, unix_seconds: f64) -> io::Result<()> {
        self.write_line(&Publication {
            time_ns: published.time_ns,
            unix_seconds,
            worker: published.worker.to_string(),
            topic: published.topic.to_owned(),
            event: &published.event,
            lost: published.is_lost,
        })
    }

    fn write_line(&mut self, record: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    /// Hands all lines on.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
