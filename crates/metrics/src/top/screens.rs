//! What each screen has in its body.

mod collector;
mod overview;
mod pool;
mod why;
mod worker;

use protocol::text::Shown;
use unicode_width::UnicodeWidthStr;

use super::body::{Row, wrapped};
use crate::table::{Cell, Table};
use crate::view::Level;

pub(super) use collector::collector;
pub(super) use overview::overview;
pub(super) use pool::pool;
pub(super) use why::why;
pub(super) use worker::worker;

/// Characters of a text from outside that are shown.
const TEXT: usize = 400;

fn shown(text: &str) -> String {
    Shown(text).up_to(TEXT).to_string()
}

/// A time of day in UTC.
fn clock(unix_seconds: f64) -> String {
    let since = std::time::Duration::from_secs_f64(unix_seconds.clamp(0.0, 1e11));
    let time = humantime::format_rfc3339_seconds(std::time::SystemTime::UNIX_EPOCH + since).to_string();
    time.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// Text of any length, in as many rows as it takes.
fn text(text: &str, level: Level, room: usize, rows: &mut Vec<Row<'_>>) {
    let lines = wrapped(text, room).into_iter();
    rows.extend(lines.map(|line| Row::Text(vec![Cell::new(line, level)])));
}

/// Pieces in as many rows as they take.
fn flow(pieces: Vec<Cell>, room: usize, rows: &mut Vec<Row<'_>>) {
    const BETWEEN: &str = "  ";
    let mut line: Vec<Cell> = Vec::new();
    let mut used = 0;
    for piece in pieces {
        let width = piece.text.width();
        if !line.is_empty() {
            if used + BETWEEN.len() + width > room {
                rows.push(Row::Text(std::mem::take(&mut line)));
                used = 0;
            } else {
                line.push(Cell::from(BETWEEN.to_owned()));
                used += BETWEEN.len();
            }
        }
        used += width;
        line.push(piece);
    }
    rows.push(Row::Text(line));
}

fn title(text: &str, rows: &mut Vec<Row<'_>>) {
    if !rows.is_empty() {
        rows.push(Row::Empty);
    }
    rows.push(Row::Title(text.to_owned()));
}

/// A table whose rows cannot be chosen.
fn table<const COLUMNS: usize>(table: &Table<COLUMNS>, room: usize, rows: &mut Vec<Row<'_>>) {
    let layout = table.layout(Some(room));
    rows.push(Row::Title(layout.heading()));
    for row in table.rows() {
        rows.push(Row::Text(layout.spaced(row)));
    }
}
