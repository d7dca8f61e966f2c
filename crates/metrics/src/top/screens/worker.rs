//! One worker.

use super::{clock, flow, shown, text, title};
use crate::table::Cell;
use crate::top::body::Row;
use crate::top::figures::{age, line, mark, number, percent, small_percent};
use crate::view::{Chart, HeatKey, Level, WorkerScreen};

/// Its figures, what identifies it, the last 15 minutes, its changes, and what to copy.
pub(in crate::top) fn worker(screen: &WorkerScreen, room: usize, rows: &mut Vec<Row<'_>>) {
    flow(figures(screen), room, rows);
    charts(&screen.charts, room, rows);
    title("Identity", rows);
    for fact in &screen.identity {
        let line = format!("{:<16} {}", shown(&fact.name), shown(&fact.value));
        text(&line, Level::None, room, rows);
    }
    title("Changes", rows);
    for change in &screen.changes {
        let line = format!(
            "{}  {:<10} {}",
            clock(change.at_seconds),
            change.change,
            shown(&change.detail)
        );
        text(line.trim_end(), Level::None, room, rows);
    }
    if screen.changes.is_empty() {
        text("none is known", Level::None, room, rows);
    }
    title("To copy", rows);
    text(&shown(&screen.promql), Level::None, room, rows);
    text(&shown(&screen.explain), Level::None, room, rows);
}

fn figures(screen: &WorkerScreen) -> Vec<Cell> {
    let row = &screen.row;
    let mut cells = vec![Cell::new(format!("{}{}", row.state, mark(row.level)), row.level)];
    let mut add = |text: Option<String>, level: Level| {
        if let Some(text) = text {
            cells.push(Cell::new(text, level));
        }
    };
    let marked = |text: String, level: Level| (Some(text + mark(level)), level);
    if let Some(kv) = row.kv {
        let (text, level) = marked(format!("KV {}", percent(kv.value)), kv.level);
        add(text, level);
    }
    if let Some(waiting) = row.waiting {
        let (text, level) = marked(format!("{} waiting", number(waiting.value)), waiting.level);
        add(text, level);
    }
    let running = row.running.map(|running| match row.capacity {
        Some(capacity) => format!("{running}/{capacity} slots"),
        None => format!("{running} running"),
    });
    add(running, row.slots.map_or(Level::None, |slots| slots.level));
    let rate = row.requests_per_second;
    add(
        rate.map(|rate| format!("{} requests/s", number(rate))),
        Level::None,
    );
    let errors = row.error_ratio;
    add(
        errors.map(|ratio| format!("{} errors", small_percent(ratio))),
        Level::None,
    );
    add(
        row.hit_ratio.map(|ratio| format!("{} hits", percent(ratio))),
        Level::None,
    );
    add(
        row.last_seen_seconds
            .map(|seconds| format!("seen {seconds} s ago")),
        Level::None,
    );
    let up = row
        .started_seconds
        .map(|started| screen.header.taken_seconds - started);
    add(up.map(|up| format!("up {}", age(up))), Level::None);
    add(
        (row.restarts > 0).then(|| format!("{} restarts", row.restarts)),
        Level::None,
    );
    cells
}

/// Columns of what is next to a chart.
const LABELS: usize = 34;

/// The last 15 minutes, a line for each figure.
fn charts(charts: &[Chart], room: usize, rows: &mut Vec<Row<'_>>) {
    if charts.is_empty() {
        return;
    }
    title("The last 15 minutes", rows);
    let width = room.saturating_sub(LABELS).max(10);
    for chart in charts {
        let write = |value: f64| match chart.key {
            HeatKey::Kv | HeatKey::Slots | HeatKey::Hits => percent(value),
            HeatKey::Errors => small_percent(value),
            _ => number(value),
        };
        let known = || chart.values.iter().flatten().copied();
        let (Some(largest), Some(last)) = (known().reduce(f64::max), known().next_back()) else {
            continue;
        };
        let scale = match chart.key {
            HeatKey::Kv | HeatKey::Slots | HeatKey::Hits => 1.0,
            _ => 0.0,
        };
        let level = chart
            .target
            .map_or(Level::None, |target| Level::of(last / target));
        rows.push(Row::Text(vec![
            Cell::from(format!("{:<10} ", chart.key.title())),
            Cell::new(format!("{:>6}{:<1} ", write(last), mark(level)), level),
            Cell::from(format!("max {:>6}  ", write(largest))),
            Cell::from(line(&chart.values, width, scale)),
        ]));
    }
}
