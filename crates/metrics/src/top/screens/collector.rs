//! The collector itself.

use std::collections::BTreeMap;

use super::{clock, shown, table, text, title};
use crate::table::{Cell, Column, Table};
use crate::top::body::Row;
use crate::top::figures::{age, bytes, plain, short_time};
use crate::view::{CollectorScreen, Level};

/// Whether it is ready, its rounds and replies, the sinks, its resources and its configuration.
pub(in crate::top) fn collector(screen: &CollectorScreen, room: usize, rows: &mut Vec<Row<'_>>) {
    let header = &screen.header;
    let ready = match header.ready {
        true => "ready".to_owned(),
        false => format!("NOT READY: {}", shown(&header.not_ready.join("; "))),
    };
    let level = if header.ready { Level::Ok } else { Level::Bad };
    text(&ready, level, room, rows);
    let line = format!(
        "version {} ({}); {} reconnects; {} permission violations; {} server errors; {} dropped messages; {} rounds skipped",
        header.version,
        screen.revision,
        header.nats.reconnects,
        screen.permission_violations,
        screen.server_errors,
        screen.dropped_messages,
        screen.rounds_skipped
    );
    text(&line, Level::None, room, rows);
    rounds(screen, room, rows);
    senders(screen, room, rows);
    sinks(screen, room, rows);
    resources(screen, room, rows);
    if !screen.settings.is_empty() {
        title("Configuration", rows);
        let settings = screen.settings.iter().map(|setting| {
            let level = if setting.is_default {
                Level::None
            } else {
                Level::New
            };
            [&setting.key, &setting.value, &setting.source].map(|text| Cell::new(shown(text), level))
        });
        let columns = [
            Column::left("KEY"),
            Column::left("VALUE").cut_to(20),
            Column::left("FROM").cut_to(10),
        ];
        table(&Table::new(columns, settings), room, rows);
    }
}

fn rounds(screen: &CollectorScreen, room: usize, rows: &mut Vec<Row<'_>>) {
    if screen.pools.is_empty() {
        return;
    }
    title("Rounds and replies", rows);
    let pools = screen.pools.iter().map(|pool| {
        let level = if pool.refused > 0 {
            Level::Warn
        } else {
            Level::None
        };
        [
            Cell::new(shown(&pool.pool), level),
            plain(pool.round_seconds_mean, short_time),
            plain(pool.round_seconds_p99, short_time),
            Cell::from(pool.missing.to_string()),
            Cell::new(pool.refused.to_string(), level),
            counted(&pool.rounds),
            counted(&pool.replies),
        ]
    });
    let columns = [
        Column::left("POOL").cut_to(26),
        Column::right("MEAN"),
        Column::right("P99"),
        Column::right("MISSING"),
        Column::right("REFUSED"),
        Column::left("ROUNDS").cut_to(12),
        Column::left("REPLIES").cut_to(12).leaving(1),
    ];
    table(&Table::new(columns, pools), room, rows);
}

/// Counts that are not zero.
fn counted(counts: &BTreeMap<String, u64>) -> Cell {
    let seen = counts.iter().filter(|(_, count)| **count > 0);
    let seen: Vec<String> = seen.map(|(name, count)| format!("{name} {count}")).collect();
    Cell::from(seen.join(", "))
}

fn senders(screen: &CollectorScreen, room: usize, rows: &mut Vec<Row<'_>>) {
    if screen.worst_senders.is_empty() {
        return;
    }
    title("Worst senders", rows);
    let senders = screen.worst_senders.iter().map(|sender| {
        [
            Cell::from(shown(&sender.service)),
            Cell::from(shown(&sender.instance)),
            Cell::from(shown(sender.worker.as_deref().unwrap_or_default())),
            Cell::new(sender.faults.to_string(), Level::Warn),
            counted(&sender.replies),
        ]
    });
    let columns = [
        Column::left("SERVICE").cut_to(20),
        Column::left("INSTANCE").cut_to(12),
        Column::left("WORKER").cut_to(12),
        Column::right("REPLIES"),
        Column::left("BY RESULT").cut_to(12),
    ];
    table(&Table::new(columns, senders), room, rows);
}

fn sinks(screen: &CollectorScreen, room: usize, rows: &mut Vec<Row<'_>>) {
    if screen.sinks.is_empty() {
        return;
    }
    title("Sinks", rows);
    let sinks = screen.sinks.iter().map(|sink| {
        let counts = [
            sink.succeeded,
            sink.failed,
            sink.refused,
            sink.waiting,
            sink.dropped,
        ];
        let [succeeded, failed, refused, waiting, dropped] = counts.map(|count| count.to_string());
        let last = sink
            .last_success_seconds
            .map_or_else(|| "never".to_owned(), clock);
        [
            shown(&sink.name),
            last,
            succeeded,
            failed,
            refused,
            waiting,
            dropped,
        ]
    });
    let columns = [
        Column::left("SINK"),
        Column::left("LAST SUCCESS"),
        Column::right("OK"),
        Column::right("FAILED"),
        Column::right("REFUSED"),
        Column::right("WAITING"),
        Column::right("DROPPED"),
    ];
    table(&Table::new(columns, sinks), room, rows);
}

fn resources(screen: &CollectorScreen, room: usize, rows: &mut Vec<Row<'_>>) {
    title("Resources", rows);
    let resources = &screen.resources;
    let up = resources
        .started_seconds
        .map(|started| screen.header.taken_seconds - started);
    let parts = [
        up.map(|up| format!("up {}", age(up))),
        resources
            .cpu_seconds
            .map(|seconds| format!("{seconds:.1} s of processor time")),
        resources
            .resident_bytes
            .map(|count| format!("{} of memory", bytes(count))),
        Some(format!(
            "of that {} for the history",
            bytes(resources.history_bytes)
        )),
        resources.threads.map(|count| format!("{count} threads")),
        resources.open_files.map(|count| format!("{count} open files")),
        Some(format!("{} viewers", resources.streams)),
        Some(format!("{} log lines dropped", resources.log_lines_dropped)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    text(&parts.join("; "), Level::None, room, rows);
}
