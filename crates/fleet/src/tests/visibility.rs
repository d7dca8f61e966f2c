//! What is visible of which Dynamo: each row of the table that users read, held against workers of these releases.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::bench::Message;
use super::recordings::{ALL, RECORDED, play};
use super::*;
use crate::{Role, Snapshot, Source};

/// Where a row's workers come from.
enum Workers {
    /// Recorded answers and events.
    Answers(&'static str),
    /// Recorded events of a run with requests.
    Run(&'static str),
    /// There is no recording of these releases: answers without load, and events as their source has them.
    AsDocumented(&'static str),
}

use Workers::{Answers, AsDocumented, Run};

/// The workers by which each row is tested.
const EVIDENCE: [(&str, &[Workers]); 7] = [
    ("up to 0.6.0", &[Answers("dynamo-0.1.1"), Answers("dynamo-0.5.1")]),
    (
        "0.6.1 to 0.7",
        &[AsDocumented(
            r#"{"worker_id": 1, "data": {"worker_stats": {"request_active_slots": 3, "request_total_slots": 9,
                "num_requests_waiting": 1}, "kv_stats": {"kv_active_blocks": 5, "kv_total_blocks": 9}}}"#,
        )],
    ),
    ("0.8 and 0.9", &[Answers("dynamo-0.8.1-filekv")]),
    ("1.0", &[Run("1.0.2")]),
    ("1.1 and 1.2", &[Run("1.1.1"), Run("1.2.1")]),
    ("1.3 and 1.4", &[Run("1.3.1"), Run("1.4.2")]),
    ("1.5 and 1.6", &[Run("1.5.1"), Run("1.6.1")]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of the table's rows, without the settings.
fn rows(path: &str) -> Vec<Vec<String>> {
    let text = read(path);
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("| Dynamo | its workers are known by"));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let cells = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned());
        cells.take(5).collect()
    };
    rows.map(cells).collect()
}

/// Workers that answered and published in a recording, one round after they began.
fn answering(name: &str) -> Bench {
    let recording: Value =
        serde_json::from_str(&read(&format!("crates/protocol/tests/fixtures/{name}.json"))).expect(name);
    let list = |field: &str| recording[field].as_array().cloned().expect(field).into_iter();
    let text = |message: Value| message.as_str().expect("a message").to_owned();
    let mut bench = Bench::of("*/*/*");
    bench.round(&[]);
    bench.run(2 * MS);
    for reply in list("stats_replies").map(text) {
        bench.post(MS, Message::Reply(Some(bench.round), reply));
    }
    for reply in list("info_replies").map(text) {
        bench.post(2 * MS, Message::Described(None, reply));
    }
    bench.run(SECOND / 2);
    for event in list("events") {
        let payload = STANDARD
            .decode(event["b64"].as_str().expect("bytes"))
            .expect("base64");
        bench.publish_event(event["subject"].as_str().expect("a subject"), &payload);
    }
    bench.hear();
    bench
}

fn documented(event: &str) -> Bench {
    let mut bench = Bench::of(POOL);
    bench.round(&[Actor::of("c", "a", "1")]);
    bench.publish_event("namespace.dynamo.kv_metrics", event.as_bytes());
    bench.hear();
    bench
}

/// A row of the table, from what a snapshot shows.
fn seen(name: &str, snapshot: &Snapshot) -> Vec<String> {
    let workers: Vec<_> = snapshot
        .pools
        .iter()
        .flat_map(|pool| pool.workers.iter())
        .collect();
    assert!(!workers.is_empty(), "{name}: no worker");
    let sources: BTreeSet<Source> = workers.iter().map(|worker| worker.source()).collect();
    let known_by = match sources.iter().collect::<Vec<_>>()[..] {
        [Source::Service] => "answers",
        [Source::Events] => "events",
        _ => "both",
    };
    let loads: Vec<_> = workers.iter().filter_map(|worker| worker.load.as_ref()).collect();
    let has_requests = loads
        .iter()
        .any(|load| load.request_slots_active().is_some() && load.requests_waiting().is_some());
    let has_blocks = loads.iter().any(|load| load.kv_blocks_active().is_some());
    let kinds = [(has_requests, "requests"), (has_blocks, "blocks")];
    let load: Vec<&str> = kinds
        .iter()
        .filter(|(has, _)| *has)
        .map(|(_, kind)| *kind)
        .collect();
    let passes = |worker: &&&crate::WorkerView| {
        worker
            .events
            .as_ref()
            .is_some_and(|events| events.passes.is_some())
    };
    let times = snapshot.pools.iter().filter_map(|pool| pool.requests.as_ref());
    let has_times = times
        .map(|books| books.ttft[Role::Aggregated as usize].count())
        .sum::<u64>()
        > 0;
    let yes_or_no = |is: bool| if is { "yes" } else { "no" };
    let cells = [
        known_by,
        &load.join(", "),
        yes_or_no(workers.iter().filter(passes).count() > 0),
        yes_or_no(has_times),
    ];
    [name]
        .iter()
        .chain(&cells)
        .map(|cell| (*cell).to_owned())
        .collect()
}

#[test]
fn every_row_of_the_table_is_what_workers_of_these_releases_show() {
    let rows = rows("docs/protocol.md");
    let names: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, EVIDENCE.map(|(name, _)| name));
    for ((name, evidence), row) in EVIDENCE.iter().zip(&rows) {
        for workers in *evidence {
            let bench = match workers {
                Answers(recording) => answering(recording),
                Run(release) => play(release, RECORDED, ALL),
                AsDocumented(event) => documented(event),
            };
            assert_eq!(seen(name, bench.snapshot()), *row);
        }
    }
}

#[test]
fn the_readme_has_the_same_table() {
    assert_eq!(rows("README.md"), rows("docs/protocol.md"));
}
