//! A row of a CSV file: cells with commas between them, in the order that the header gives.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::read::{Entry, nanos, tokens, wrong};
use super::{TimeUnit, TraceFault, TraceFormat};

/// The columns that a format needs: time, prompt, answer.
struct Names {
    time: &'static str,
    input: &'static str,
    output: &'static str,
    all: &'static str,
}

const AZURE: Names = Names {
    time: "TIMESTAMP",
    input: "ContextTokens",
    output: "GeneratedTokens",
    all: "TIMESTAMP,ContextTokens,GeneratedTokens",
};

const BURSTGPT: Names = Names {
    time: "Timestamp",
    input: "Request tokens",
    output: "Response tokens",
    all: "Timestamp,Request tokens,Response tokens",
};

/// The places of the cells that are read, among others.
pub(super) struct Columns {
    names: &'static Names,
    time: usize,
    input: usize,
    output: usize,
    count: usize,
}

/// The format whose header this is.
pub(super) fn detect(header: &str) -> Option<TraceFormat> {
    let formats = [TraceFormat::Azure, TraceFormat::Burstgpt];
    formats
        .into_iter()
        .find(|format| Columns::read(*format, header).is_ok())
}

impl Columns {
    pub(super) fn read(format: TraceFormat, header: &str) -> Result<Self, TraceFault> {
        let names = match format {
            TraceFormat::Burstgpt => &BURSTGPT,
            _ => &AZURE,
        };
        let found: Vec<&str> = header.split(',').map(unquoted).collect();
        let place = |column| {
            found
                .iter()
                .position(|name| *name == column)
                .ok_or_else(|| TraceFault::NoColumn {
                    column,
                    found: header.chars().take(200).collect(),
                    expected: names.all,
                })
        };
        Ok(Self {
            time: place(names.time)?,
            input: place(names.input)?,
            output: place(names.output)?,
            count: found.len(),
            names,
        })
    }
}

/// `unit` where times are numbers.
pub(super) fn entry(columns: &Columns, line: &str, unit: Option<TimeUnit>) -> Result<Entry, TraceFault> {
    let found = line.split(',').count();
    if found != columns.count {
        return Err(TraceFault::Cells {
            found,
            expected: columns.count,
        });
    }
    let names = columns.names;
    let cell = |place| unquoted(line.split(',').nth(place).unwrap_or_default());
    let length = |field, place, least| tokens(field, read_whole(cell(place)), least, shown(cell(place)));
    let time = cell(columns.time);
    let time = match unit {
        Some(unit) => nanos(unit, time.parse().ok(), time.parse().ok()),
        None => read_time(time).ok_or_else(|| {
            "a time such as 2023-11-16 18:17:03.9799600 or 2024-05-10 00:00:00.009930+00:00".to_owned()
        }),
    };
    Ok(Entry {
        time: Some(time.map_err(|expected| wrong(names.time, shown(cell(columns.time)), expected))?),
        delay: 0,
        session: None,
        input_tokens: length(names.input, columns.input, 1)?,
        output_tokens: length(names.output, columns.output, 0)?,
        hash_ids: None,
    })
}

/// A whole number, also as a float such as `472.0`, which tables with gaps are written with.
fn read_whole(cell: &str) -> Option<u64> {
    cell.strip_suffix(".0").unwrap_or(cell).parse().ok()
}

/// As Unix time in nanoseconds. A time without an offset is taken as UTC; only differences count.
fn read_time(text: &str) -> Option<i128> {
    let (date, clock) = text.split_once([' ', 'T'])?;
    let zone = if clock.contains(['+', '-', 'Z']) { "" } else { "Z" };
    let time = OffsetDateTime::parse(&format!("{date}T{clock}{zone}"), &Rfc3339).ok()?;
    Some(time.unix_timestamp_nanos())
}

fn unquoted(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"')
        .and_then(|cell| cell.strip_suffix('"'))
        .unwrap_or(cell)
}

fn shown(cell: &str) -> &str {
    if cell.is_empty() { "empty" } else { cell }
}
