//! Lengths of prompts and answers with which the simulated engine does what the recorded one did.

use std::collections::BTreeMap;

use anyhow::Context;
use protocol::EndpointPath;
use serde_json::Value;
use sim::nanos::Nanos;

use super::draft::Draft;
use super::samples::{Means, Recording, Seen};
use crate::scenario::Scenario;
use crate::simulate::{Play, simulate};

/// Workers that are simulated to fit lengths; more of the same kind show nothing else.
const MOST_WORKERS: usize = 16;

/// How often lengths are corrected.
const ROUNDS: usize = 10;

/// The most that one correction changes a length by, up or down.
const LARGEST_CORRECTION: f64 = 2.0;

/// Tokens of a block in the simulated engine, unless a scenario says otherwise.
const BLOCK: f64 = 16.0;

/// Sets the lengths of `draft` and returns what its replay does on average.
pub(super) fn fit(draft: &mut Draft, recording: &Recording) -> anyhow::Result<Means> {
    let recorded = recording.means(0.0);
    let warm = warm_up(&recorded, recording.seconds());
    let wanted = recording.means(warm);
    let mut best: Option<(f64, f64, f64)> = None;
    for round in 0..ROUNDS as u64 {
        let sketch = draft.sketch(MOST_WORKERS);
        // What a part of the workers does is that part of what all do.
        let share = draft.workers as f64 / sketch.workers as f64;
        let found = replay(&sketch, round)?.means(warm);
        let (running, blocks) = (found.running * share, found.kv_active * share);
        let error = off(running, wanted.running) + off(blocks, wanted.kv_active);
        if best.is_none_or(|(least, ..)| error < least) {
            best = Some((error, draft.input, draft.output));
        }
        if wanted.running <= 0.0 || running <= 0.0 {
            break;
        }
        let correction = |factor: f64| factor.clamp(1.0 / LARGEST_CORRECTION, LARGEST_CORRECTION);
        draft.output = (draft.output * correction(wanted.running / running)).max(1.0);
        // A running request holds its prompt and what it has answered so far.
        let missing = (wanted.kv_active / wanted.running - blocks / running) * BLOCK;
        draft.input = (draft.input * correction((draft.input + missing) / draft.input)).max(1.0);
    }
    if let Some((_, input, output)) = best {
        (draft.input, draft.output) = (input, output);
    }
    Ok(replay(draft, 0)?.means(warm))
}

/// How far off a value is, as a share of what is wanted.
fn off(found: f64, wanted: f64) -> f64 {
    (found - wanted).abs() / wanted.max(1.0)
}

/// A replay begins with empty engines: it is like the recording once the first requests have ended, by Little's law.
fn warm_up(means: &Means, seconds: f64) -> f64 {
    let stay = means.running / means.rate.max(f64::MIN_POSITIVE);
    (3.0 * stay).min(seconds / 3.0)
}

/// What a collector would see of the draft.
pub(super) fn replay(draft: &Draft, seed: u64) -> anyhow::Result<Recording> {
    let scenario = Scenario::read("the recording", &draft.to_toml())
        .context("the recorded scenario cannot be played")?;
    let play = Play {
        seed,
        duration: scenario.duration,
        interval: Nanos(1_000_000_000),
        threads: 1,
        single_step: false,
        progress: false,
        scenario,
    };
    let path: EndpointPath = "dynamo/recorded/generate".parse().context("it is a path")?;
    let mut lines = Vec::new();
    simulate(&play, &path, &mut lines, &|_| {})?;
    read(&lines)
}

/// A recording of what `simulate` writes.
pub(super) fn read(lines: &[u8]) -> anyhow::Result<Recording> {
    let mut samples: BTreeMap<u64, BTreeMap<String, Seen>> = BTreeMap::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record: Value = serde_json::from_slice(line).context("a record of the simulation is JSON")?;
        let time = record["time_ns"].as_u64().context("a record has a time")?;
        let sample = samples.entry(time).or_default();
        let stats = &record["stats"];
        if !stats.is_object() {
            continue;
        }
        let count = |name: &str| stats[name].as_u64();
        let seen = Seen {
            running: count("request_active_slots").unwrap_or(0),
            slots: count("request_total_slots"),
            waiting: count("num_requests_waiting").unwrap_or(0),
            kv_active: count("kv_active_blocks").unwrap_or(0),
            kv_total: count("kv_total_blocks"),
            requests: record["counters"]["finished"].as_f64().unwrap_or(0.0),
            restarts: 0,
        };
        sample.insert(record["worker"].as_str().unwrap_or_default().to_owned(), seen);
    }
    let mut recording = Recording::default();
    for (time, workers) in samples {
        recording.push(time as f64 / 1e9, workers);
    }
    Ok(recording)
}
