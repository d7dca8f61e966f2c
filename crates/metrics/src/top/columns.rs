//! The tables of pools, services and workers, as they are printed and drawn.

use protocol::text::Shown;

use super::figures::{age, bar, figure, mark, number, percent, plain, short_time, small_percent, spark};
use crate::table::{Cell, Column, NOTHING, Table};
use crate::view::{Level, Members, PoolRow, ServiceRow, WorkerRow};

/// Characters of a name that are shown.
const NAME: usize = 400;

/// Bars of a spark line in a table.
const SPARK: usize = 15;

/// Characters of the bar of KV use.
const BAR: usize = 8;

pub(super) const POOL_COLUMNS: usize = 15;
pub(super) const SERVICE_COLUMNS: usize = 8;
pub(super) const WORKER_COLUMNS: usize = 12;

const POOL: [Column; POOL_COLUMNS] = [
    Column::left("POOL").cut_to(33),
    Column::right("FRESH"),
    Column::right("STALE").leaving(6),
    Column::right("KV50"),
    Column::right("KV99").leaving(7),
    Column::right("KVMAX"),
    Column::left("0      1").leaving(5),
    Column::right("WAIT"),
    Column::right("QMAX"),
    Column::right("REQ/S"),
    Column::right("ERR"),
    Column::right("HIT").leaving(1),
    Column::right("IMB").leaving(2),
    Column::right("CHG").leaving(3),
    Column::left("LAST 15 MIN").leaving(4),
];

const SERVICE: [Column; SERVICE_COLUMNS] = [
    Column::left("SERVICE").cut_to(26),
    Column::right("FRESH"),
    Column::right("STALE"),
    Column::right("REQ/S"),
    Column::right("ERR"),
    Column::right("MEAN"),
    Column::right("CHG").leaving(1),
    Column::left("LAST 15 MIN").leaving(2),
];

const WORKER: [Column; WORKER_COLUMNS] = [
    Column::left("WORKER").at_least(16).cut_to(16),
    Column::left("HOST").cut_to(10).leaving(5),
    Column::right("KV").at_least(5),
    Column::left("0      1").at_least(BAR).leaving(4),
    Column::right("SLOTS").at_least(7),
    Column::right("WAIT").at_least(5),
    Column::right("REQ/S").at_least(6),
    Column::right("ERR").at_least(5),
    Column::right("HIT").at_least(4).leaving(1),
    Column::right("SEEN").at_least(4),
    Column::right("UP").at_least(4).leaving(3),
    Column::right("RST").at_least(3).leaving(2),
];

pub(super) type Pools = Table<POOL_COLUMNS>;
pub(super) type Services = Table<SERVICE_COLUMNS>;
pub(super) type Workers = Table<WORKER_COLUMNS>;

/// A name from outside, with the mark of its level.
fn named(name: &str, level: Level) -> Cell {
    let mark = match mark(level) {
        "" => " ",
        mark => mark,
    };
    Cell::new(format!("{mark} {}", Shown(name).up_to(NAME)), level)
}

fn fresh(members: Members) -> Cell {
    let level = match members.fresh {
        fresh if fresh == members.total && fresh > 0 => Level::None,
        _ => Level::Stale,
    };
    Cell::new(format!("{}/{}", members.fresh, members.total), level)
}

fn stale(members: Members) -> Cell {
    match members.stale + members.late {
        0 => Cell::from("0".to_owned()),
        count => Cell::new(format!("{count}?"), Level::Stale),
    }
}

fn errors(ratio: Option<f64>) -> Cell {
    let level = match ratio {
        Some(ratio) if ratio > 0.0 => Level::Warn,
        _ => Level::None,
    };
    Cell {
        level,
        ..plain(ratio, small_percent)
    }
}

/// Pools, one in each row.
pub(super) fn pools<'a>(rows: impl IntoIterator<Item = &'a PoolRow>) -> Pools {
    let row = |row: &PoolRow| {
        let kv = row.kv_spread;
        let bars = kv.map(|kv| Cell::new(bar(kv.p50.value, kv.max.value, BAR), kv.max.level));
        [
            named(&row.name, row.level),
            fresh(row.members),
            stale(row.members),
            figure(kv.map(|kv| kv.p50), percent),
            figure(kv.map(|kv| kv.p99), percent),
            figure(kv.map(|kv| kv.max), percent),
            bars.unwrap_or_else(Cell::nothing),
            plain(row.waiting.map(|waiting| waiting as f64), number),
            figure(row.waiting_max, number),
            plain(row.requests_per_second, number),
            errors(row.error_ratio),
            plain(row.hit_ratio, percent),
            plain(row.imbalance, |ratio| format!("{ratio:.1}")),
            Cell::from(row.changes_last_hour.to_string()),
            spark(&row.spark, SPARK),
        ]
    };
    Table::new(POOL, rows.into_iter().map(row))
}

/// Endpoints of plain services, one in each row.
pub(super) fn services<'a>(rows: impl IntoIterator<Item = &'a ServiceRow>) -> Services {
    let row = |row: &ServiceRow| {
        [
            named(&row.name, row.level),
            fresh(row.members),
            stale(row.members),
            plain(row.requests_per_second, number),
            errors(row.error_ratio),
            plain(row.processing_seconds, short_time),
            Cell::from(row.changes_last_hour.to_string()),
            spark(&row.spark, SPARK),
        ]
    };
    Table::new(SERVICE, rows.into_iter().map(row))
}

/// Workers, one in each row, at a time in Unix seconds. `host` is the width of the longest host of all workers of the pool,
/// of which these may be some.
pub(super) fn workers<'a>(rows: impl IntoIterator<Item = &'a WorkerRow>, now: f64, host: usize) -> Workers {
    let mut columns = WORKER;
    columns[1] = columns[1].at_least(host.min(24));
    let row = |row: &WorkerRow| {
        let id = match row.hex.is_empty() {
            true => &row.id,
            false => &row.hex,
        };
        let slots = match (row.running, row.capacity) {
            (Some(running), Some(capacity)) => format!("{running}/{capacity}"),
            (Some(running), None) => running.to_string(),
            (None, _) => NOTHING.to_owned(),
        };
        let seen = match row.level {
            Level::Stale => Level::Stale,
            _ => Level::None,
        };
        let host = row.host.as_deref();
        let host = host.map(|host| Shown(host).up_to(NAME).to_string());
        [
            named(id, row.level),
            host.map_or_else(Cell::nothing, Cell::from),
            figure(row.kv, percent),
            row.kv.map_or_else(Cell::nothing, |kv| {
                Cell::new(bar(kv.value, kv.value, BAR), kv.level)
            }),
            Cell::new(slots, row.slots.map_or(Level::None, |slots| slots.level)),
            figure(row.waiting, number),
            plain(row.requests_per_second, number),
            errors(row.error_ratio),
            plain(row.hit_ratio, percent),
            Cell {
                level: seen,
                ..plain(row.last_seen_seconds.map(|seconds| seconds as f64), |seconds| {
                    format!("{seconds:.0}s")
                })
            },
            plain(row.started_seconds.map(|started| now - started), age),
            Cell::from(row.restarts.to_string()),
        ]
    };
    Table::new(columns, rows.into_iter().map(row))
}
