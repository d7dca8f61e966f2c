//! [`Reading`]: how a trace was read, for people who want to know what was assumed.

use serde::Serialize;

use super::{TimeUnit, TraceFault, TraceFormat};

/// How many rows that cannot be played are named.
const NAMED: usize = 3;

/// How a trace was read: what it is, what was assumed, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// How it is written.
    pub format: TraceFormat,
    /// Whether that was seen in its first line.
    pub is_format_detected: bool,
    /// In what it counts time; `None` where it has dates.
    pub time_unit: Option<TimeUnit>,
    /// Whether the unit was given, and not taken from the format.
    pub is_time_unit_given: bool,
    /// For how many tokens a hash id is; `None` without ids.
    pub block_tokens: Option<u64>,
    /// How that is known.
    pub block_source: Option<BlockSource>,
    /// Rows, those that cannot be played included.
    pub rows: u64,
    /// Rows that cannot be played.
    pub skipped: u64,
    /// The first of them.
    pub first_skipped: Vec<Skipped>,
    /// Rows that came after a later one in the file, and were put in the order of time.
    pub out_of_order: u64,
    /// Rows whose answer has no tokens; they are played with one.
    pub without_output: u64,
    /// Rows that name fewer blocks than their prompt has.
    pub fewer_ids: u64,
    /// Rows that name no blocks.
    pub without_ids: u64,
    /// Rows that follow the end of another one.
    pub turns: u64,
}

/// How the size of a block is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockSource {
    /// It was given.
    Given,
    /// It is that of the format as published, and no row speaks against it.
    Format,
    /// It follows from the lengths of prompts and the numbers of their ids.
    Detected,
}

/// A row that cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The line, counted from 1.
    pub line: usize,
    /// Why.
    #[serde(serialize_with = "as_text")]
    pub fault: TraceFault,
}

fn as_text<S: serde::Serializer>(fault: &TraceFault, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(fault)
}

impl Reading {
    pub(super) fn new(
        format: TraceFormat,
        is_format_detected: bool,
        time_unit: Option<TimeUnit>,
        is_time_unit_given: bool,
    ) -> Self {
        Self {
            format,
            is_format_detected,
            time_unit,
            is_time_unit_given,
            block_tokens: None,
            block_source: None,
            rows: 0,
            skipped: 0,
            first_skipped: Vec::new(),
            out_of_order: 0,
            without_output: 0,
            fewer_ids: 0,
            without_ids: 0,
            turns: 0,
        }
    }

    pub(super) fn skip(&mut self, skipped: Skipped) {
        self.skipped += 1;
        if self.first_skipped.len() < NAMED {
            self.first_skipped.push(skipped);
        }
    }

    /// How the trace is understood, in one line.
    pub fn assumed(&self) -> String {
        let format = match self.is_format_detected {
            true => format!("{} (detected)", self.format),
            false => self.format.to_string(),
        };
        let time = match (self.time_unit, self.is_time_unit_given) {
            (None, _) => "times are dates".to_owned(),
            (Some(unit), true) => format!("times in {}", unit.name()),
            (Some(unit), false) => format!("times in {} (the format's)", unit.name()),
        };
        let blocks = match (self.block_tokens, self.block_source) {
            (Some(tokens), Some(source)) => {
                let source = match source {
                    BlockSource::Given => "",
                    BlockSource::Format => " (the format's)",
                    BlockSource::Detected => " (detected)",
                };
                format!("blocks of {tokens} tokens{source}")
            }
            _ => "no blocks, so prompts share nothing".to_owned(),
        };
        format!("{format}, {time}, {blocks}")
    }

    /// What is played otherwise than it is written, and what is left out: a sentence for each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let mut say = |count: u64, what: &str| {
            let rows = if count == 1 { "row" } else { "rows" };
            if count > 0 {
                remarks.push(format!("{count} {rows} {what}"));
            }
        };
        say(
            self.out_of_order,
            "out of order: requests are played in the order of time",
        );
        say(
            self.without_output,
            "with an answer of 0 tokens: played with 1, which the end of a prompt makes",
        );
        if self.block_tokens.is_some() {
            say(
                self.fewer_ids,
                "with fewer hash_ids than full blocks: the rest of these prompts shares nothing",
            );
        }
        if self.skipped > 0 {
            let rows = if self.skipped == 1 { "row" } else { "rows" };
            let first = list(&self.first_skipped);
            remarks.push(format!(
                "{} {rows} left out that cannot be played: {first}",
                self.skipped
            ));
        }
        remarks
    }
}

/// Rows that cannot be played, with their lines.
pub(super) fn list(skipped: &[Skipped]) -> String {
    let line = |skipped: &Skipped| format!("line {}: {}", skipped.line, skipped.fault);
    skipped.iter().map(line).collect::<Vec<_>>().join("; ")
}
