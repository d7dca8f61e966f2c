//! A line of an Azure trace: cells with commas between them, in the order that the header gives.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Entry, TraceFault, tokens, wrong};

pub(super) const TIME: &str = "TIMESTAMP";
const INPUT: &str = "ContextTokens";
const OUTPUT: &str = "GeneratedTokens";

/// Where the cells stand that are read; others may stand beside them.
pub(super) struct Columns {
    time: usize,
    input: usize,
    output: usize,
    count: usize,
}

impl Columns {
    pub(super) fn read(header: &str) -> Result<Self, TraceFault> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let place = |column| {
            names
                .iter()
                .position(|name| *name == column)
                .ok_or_else(|| TraceFault::NoColumn {
                    column,
                    found: header.chars().take(200).collect(),
                })
        };
        Ok(Self {
            time: place(TIME)?,
            input: place(INPUT)?,
            output: place(OUTPUT)?,
            count: names.len(),
        })
    }
}

pub(super) fn entry(columns: &Columns, line: &str) -> Result<Entry, TraceFault> {
    let found = line.split(',').count();
    if found != columns.count {
        return Err(TraceFault::Cells {
            found,
            expected: columns.count,
        });
    }
    let cell = |place| line.split(',').nth(place).unwrap_or_default().trim();
    let length = |field, place| tokens(field, cell(place).parse().ok(), shown(cell(place)));
    let time = cell(columns.time);
    Ok(Entry {
        time: read_time(time).ok_or_else(|| {
            wrong(
                TIME,
                shown(time),
                "a time such as 2023-11-16 18:17:03.9799600 or 2024-05-10 00:00:00.009930+00:00",
            )
        })?,
        input_tokens: length(INPUT, columns.input)?,
        output_tokens: length(OUTPUT, columns.output)?,
        hash_ids: Box::default(),
    })
}

/// As Unix time in nanoseconds. A time without an offset is taken as UTC; only differences count.
fn read_time(text: &str) -> Option<i128> {
    let (date, clock) = text.split_once([' ', 'T'])?;
    let zone = if clock.contains(['+', '-', 'Z']) { "" } else { "Z" };
    let time = OffsetDateTime::parse(&format!("{date}T{clock}{zone}"), &Rfc3339).ok()?;
    Some(time.unix_timestamp_nanos())
}

/// Writes a time that [`read_time`] has read.
pub(super) fn show(time: i128) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(time)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{time} ns"))
}

fn shown(cell: &str) -> &str {
    if cell.is_empty() { "empty" } else { cell }
}
