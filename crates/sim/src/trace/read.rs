//! Reads a trace: its format, its rows, and what follows from all of them together.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use super::csv::Columns;
use super::reading::{Reading, Skipped};
use super::{
    MAX_TOKENS, TimeUnit, Trace, TraceError, TraceFault, TraceFormat, TraceOptions, TraceRequest, blocks,
    csv, json,
};
use crate::lines::Lines;

/// A row as it is written.
#[derive(Debug)]
pub(super) struct Entry {
    /// In nanoseconds since whenever the trace counts from; `None` for a turn that follows another.
    pub(super) time: Option<i128>,
    /// How long after the turn before it comes, in nanoseconds.
    pub(super) delay: u64,
    pub(super) session: Option<Box<str>>,
    pub(super) input_tokens: u64,
    /// May be 0.
    pub(super) output_tokens: u64,
    /// `None` where the row has no such field.
    pub(super) hash_ids: Option<Box<[u64]>>,
}

/// Rows that can be played so far, and those that cannot.
struct Rows {
    strict: bool,
    entries: Vec<(usize, Entry)>,
    reading: Reading,
}

impl Rows {
    /// Leaves a row out; or fails, where that is asked for.
    fn skip(&mut self, line: usize, fault: TraceFault) -> Result<(), TraceError> {
        if self.strict {
            return Err(TraceError::Line { line, fault });
        }
        self.reading.skip(Skipped { line, fault });
        Ok(())
    }
}

impl Trace {
    /// Reads a text.
    ///
    /// # Errors
    /// As [`read`](Self::read), but for those of the reader.
    ///
    /// ```
    /// use sim::trace::{Trace, TraceOptions};
    /// let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
    ///             2023-11-16 18:17:03.9799600,4808,10\n\
    ///             2023-11-16 18:17:04.0319600,3180,8\n";
    /// let trace = Trace::parse(&TraceOptions::default(), text)?;
    /// assert_eq!(trace.requests()[1].at_ns, 52_000_000);
    /// # Ok::<(), sim::trace::TraceError>(())
    /// ```
    pub fn parse(options: &TraceOptions, text: &str) -> Result<Self, TraceError> {
        Self::read(options, text.as_bytes())
    }

    /// Reads from wherever the lines come.
    ///
    /// # Errors
    /// [`TraceError`] where it cannot be read, its format or the size of its blocks cannot be detected, or no row can be
    /// played; with [`TraceOptions::strict`] for the first row that cannot.
    pub fn read(options: &TraceOptions, reader: impl BufRead) -> Result<Self, TraceError> {
        let mut lines = Lines::new(reader);
        let mut columns: Option<Columns> = None;
        let mut rows: Option<Rows> = None;
        while let Some(line) = lines.next()? {
            let number = line.number;
            let text = line.text()?.trim_start_matches('\u{feff}').trim();
            if text.is_empty() {
                continue;
            }
            let rows = match &mut rows {
                Some(rows) => rows,
                None => rows.insert(begin(options, number, text)?),
            };
            let Reading {
                format, time_unit, ..
            } = rows.reading;
            let entry = match (format, &columns) {
                (TraceFormat::Mooncake | TraceFormat::Qwen, _) => {
                    json::entry(text, time_unit.unwrap_or(TimeUnit::Ms))
                }
                (_, Some(columns)) => csv::entry(columns, text, time_unit),
                (_, None) => {
                    let read = Columns::read(format, text);
                    columns = Some(read.map_err(|fault| TraceError::Line { line: number, fault })?);
                    continue;
                }
            };
            rows.reading.rows += 1;
            match entry {
                Ok(entry) => rows.entries.push((number, entry)),
                Err(fault) => rows.skip(number, fault)?,
            }
        }
        let mut rows = rows.ok_or(TraceError::Empty)?;
        settle_blocks(&mut rows, options)?;
        let trace = arrange(rows)?;
        match (trace.timed, trace.reading.rows) {
            (0, 0) => Err(TraceError::Empty),
            (0, rows) => Err(TraceError::NonePlayable {
                rows,
                first: trace.reading.first_skipped,
            }),
            _ => Ok(trace),
        }
    }
}

/// Decides on the format by the first line.
fn begin(options: &TraceOptions, line: usize, text: &str) -> Result<Rows, TraceError> {
    let detected = match text.starts_with('{') {
        true if json::is_qwen(text) => Some(TraceFormat::Qwen),
        true => Some(TraceFormat::Mooncake),
        false => csv::detect(text),
    };
    let format = options
        .format
        .or(detected)
        .ok_or_else(|| TraceError::UnknownFormat {
            line,
            found: text.chars().take(60).collect(),
        })?;
    let time_unit = match (format.time_unit(), options.time_unit) {
        (None, Some(unit)) => {
            return Err(TraceError::Option(format!(
                "times are dates in the format {format}, so --trace-time-unit {unit} has no meaning; leave it out"
            )));
        }
        (unit, wanted) => wanted.or(unit),
    };
    if let (None, Some(tokens)) = (format.block_tokens(), options.block_tokens) {
        return Err(TraceError::Option(format!(
            "the format {format} has no blocks, so --trace-block-size {tokens} has no meaning; leave it out"
        )));
    }
    Ok(Rows {
        strict: options.strict,
        entries: Vec::new(),
        reading: Reading::new(
            format,
            options.format.is_none(),
            time_unit,
            options.time_unit.is_some(),
        ),
    })
}

/// Decides for how many tokens an id is, and leaves out rows with more ids than that allows.
fn settle_blocks(rows: &mut Rows, options: &TraceOptions) -> Result<(), TraceError> {
    let ids = |entry: &Entry| entry.hash_ids.as_ref().map_or(0, |ids| ids.len() as u64);
    let named = rows.entries.iter().filter(|(_, entry)| ids(entry) > 0);
    let counts: Vec<(u64, u64)> = named.map(|(_, entry)| (entry.input_tokens, ids(entry))).collect();
    if counts.is_empty() {
        return Ok(());
    }
    let (tokens, source) = blocks::size(&counts, rows.reading.format, options.block_tokens)?;
    rows.reading.block_tokens = Some(tokens);
    rows.reading.block_source = Some(source);
    for (line, mut entry) in std::mem::take(&mut rows.entries) {
        let blocks = entry.input_tokens.div_ceil(tokens);
        let found = ids(&entry);
        if found > blocks {
            let fault = TraceFault::Field {
                field: json::IDS,
                found: format!("a list of {found}"),
                expected: format!(
                    "at most {blocks} ids, one for every {tokens} of the {} tokens of input_length; \
                     --trace-block-size names another size",
                    entry.input_tokens
                ),
            };
            rows.skip(line, fault)?;
            continue;
        }
        // A block cannot be in its own past.
        let mut seen = HashSet::with_capacity(found as usize);
        if let Some(ids) = &mut entry.hash_ids
            && let Some(repeated) = ids.iter().position(|id| !seen.insert(*id))
        {
            *ids = ids[..repeated].into();
        }
        // An id for each full block is enough: what is in the last, partial one is never shared.
        if found > 0 && ids(&entry) < entry.input_tokens / tokens {
            rows.reading.fewer_ids += 1;
        }
        rows.entries.push((line, entry));
    }
    Ok(())
}

/// Puts requests in the order of time, and turns behind those that they follow.
fn arrange(mut rows: Rows) -> Result<Trace, TraceError> {
    let first = rows.entries.iter().filter_map(|(_, entry)| entry.time).min();
    let mut timed: Vec<(TraceRequest, usize)> = Vec::new();
    let mut turns: Vec<(TraceRequest, usize)> = Vec::new();
    // Of each session, its last turn so far.
    let mut sessions: HashMap<Box<str>, usize> = HashMap::new();
    // By the number of a row that is played: the number of the row that follows it.
    let mut follows: HashMap<usize, usize> = HashMap::new();
    let mut latest = 0;
    for (line, entry) in std::mem::take(&mut rows.entries) {
        let number = timed.len() + turns.len();
        let is_empty = entry.output_tokens == 0;
        let mut request = TraceRequest {
            at_ns: entry.delay,
            input_tokens: entry.input_tokens,
            output_tokens: entry.output_tokens.max(1),
            hash_ids: entry.hash_ids.unwrap_or_default(),
            next: None,
        };
        match (entry.time, first, &entry.session) {
            (Some(time), Some(first), _) => match u64::try_from(time - first) {
                Ok(at) => {
                    rows.reading.out_of_order += u64::from(at < latest);
                    latest = latest.max(at);
                    request.at_ns = at;
                    timed.push((request, number));
                }
                Err(_) => {
                    let fault = TraceFault::Field {
                        field: rows.reading.format.time_field(),
                        found: "too far away".to_owned(),
                        expected: "less than 584 years after the first request".to_owned(),
                    };
                    rows.skip(line, fault)?;
                    continue;
                }
            },
            (_, _, Some(session)) if sessions.contains_key(session) => {
                follows.insert(sessions[session], number);
                turns.push((request, number));
            }
            (_, _, session) => {
                let session = session.as_deref().unwrap_or_default().to_owned();
                rows.skip(line, TraceFault::NoTurnBefore { session })?;
                continue;
            }
        }
        rows.reading.without_output += u64::from(is_empty);
        if let Some(session) = entry.session {
            sessions.insert(session, number);
        }
    }
    timed.sort_by_key(|(request, _)| request.at_ns);
    let timed_count = timed.len();
    rows.reading.turns = turns.len() as u64;
    timed.append(&mut turns);
    let places: HashMap<usize, usize> = timed
        .iter()
        .enumerate()
        .map(|(place, (_, number))| (*number, place))
        .collect();
    for (request, number) in &mut timed {
        request.next = follows.get(number).map(|next| places[next]);
    }
    let requests: Vec<TraceRequest> = timed.into_iter().map(|(request, _)| request).collect();
    let ids = |request: &&TraceRequest| request.hash_ids.is_empty();
    rows.reading.without_ids = requests.iter().filter(ids).count() as u64;
    Ok(Trace {
        requests,
        timed: timed_count,
        reading: rows.reading,
    })
}

/// Makes sure that a length is one; `found` is what is in the trace.
pub(super) fn tokens(
    field: &'static str,
    length: Option<u64>,
    least: u64,
    found: &str,
) -> Result<u64, TraceFault> {
    match length {
        Some(tokens) if (least..=MAX_TOKENS).contains(&tokens) => Ok(tokens),
        _ => Err(wrong(
            field,
            found,
            format!("a whole number from {least} to {MAX_TOKENS}"),
        )),
    }
}

/// The latest time in units: of milliseconds some 30,000 years, and no float below it loses a unit.
const MAX_TIME: f64 = 1e15;

/// A time or a pause as nanoseconds; `whole` where it is written without a fraction, because a float of so many
/// nanoseconds would be off by some.
pub(super) fn nanos(unit: TimeUnit, number: Option<f64>, whole: Option<u64>) -> Result<i128, String> {
    match number {
        Some(number) if (0.0..=MAX_TIME).contains(&number) => Ok(whole.map_or_else(
            || (number * unit.nanos() as f64).round() as i128,
            |whole| i128::from(whole) * i128::from(unit.nanos()),
        )),
        _ => Err(format!("a number of {} from 0 to {MAX_TIME:e}", unit.name())),
    }
}

/// A field that is not what it should be. Of what was found, enough is shown to find it again.
pub(super) fn wrong(field: &'static str, found: &str, expected: impl Into<String>) -> TraceFault {
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

impl TimeUnit {
    /// Its name in sentences.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::S => "seconds",
            Self::Ms => "milliseconds",
            Self::Us => "microseconds",
        }
    }
}

impl TraceFormat {
    const fn time_field(self) -> &'static str {
        match self {
            Self::Mooncake | Self::Qwen => json::TIME,
            Self::Azure => "TIMESTAMP",
            Self::Burstgpt => "Timestamp",
        }
    }
}
