//! Runs of seven releases of Dynamo, played to a core as they were recorded, and added up here by other means.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use protocol::events::Topic;
use serde::Deserialize;
use serde_json::Value;

use super::bench::Message;
use super::*;
use crate::{EngineLoad, EventResult, Measure, OptInTopics, PoolView, Role, Source, WorkerState, WorkerView};

pub(super) const RECORDED: &str = "dynamo/backend/generate";
const RELEASES: [&str; 7] = ["1.0.2", "1.1.1", "1.2.1", "1.3.1", "1.4.2", "1.5.1", "1.6.1"];

/// How long the collector adds events up.
const BATCH_TIME: Duration = Duration::from_millis(50);

#[derive(Deserialize)]
struct Line {
    at_ms: u32,
    subject: String,
    payload: Vec<u8>,
}

/// What a worker published, or routers about it.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    passes: u64,
    seconds: f64,
    prefill_tokens: u64,
    decode_steps: u64,
    stored_blocks: u64,
    used_blocks: Option<u64>,
    /// Requests that were assigned, and those that got a first token.
    assigned: BTreeSet<String>,
    first_tokens: BTreeSet<String>,
    /// The numbers of its passes, and of its cache's events.
    numbers: [Vec<u64>; 2],
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/fixtures/runs")
}

/// The first arrival in Unix time, and the messages with their arrivals after it.
fn recording(name: &str) -> (Duration, Vec<Line>) {
    let path = folder().join(format!("{name}.jsonl.gz"));
    let file = fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).expect(name);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(name))
        .collect();
    let at = |line: &Value| line["at_ms"].as_u64().expect("a time");
    let first = at(&lines[0]);
    let line = |line: &Value| Line {
        at_ms: u32::try_from(at(line) - first).expect("in order"),
        subject: line["subject"].as_str().expect("a subject").to_owned(),
        payload: STANDARD
            .decode(line["b64"].as_str().expect("a payload"))
            .expect("base64"),
    };
    (Duration::from_millis(first), lines.iter().map(line).collect())
}

/// The payload of an event.
fn payload(bytes: &[u8]) -> Value {
    #[derive(Deserialize)]
    struct Envelope {
        payload: serde_bytes::ByteBuf,
    }
    let envelope: Envelope = rmp_serde::from_slice(bytes).expect("an envelope");
    rmp_serde::from_slice(&envelope.payload).expect("an event")
}

/// What the lines of a recording add up to, for each worker.
fn sums(lines: &[Line]) -> BTreeMap<String, Sum> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let id = |value: &Value| value.as_u64().expect("an id").to_string();
    for line in lines.iter().filter(|line| line.subject.starts_with("namespace.")) {
        let event = payload(&line.payload);
        match line.subject.rsplit('.').next().expect("a topic") {
            "forward-pass-metrics" => {
                let sum = sums
                    .entry(event["worker_id"].as_str().expect("an id").to_owned())
                    .or_default();
                sum.numbers[0].push(count(&event["counter_id"]));
                let seconds = event["wall_time"].as_f64().expect("a time");
                sum.passes += u64::from(seconds > 0.0);
                sum.seconds += seconds;
                sum.prefill_tokens += count(&event["scheduled_requests"]["sum_prefill_tokens"]);
                sum.decode_steps += count(&event["scheduled_requests"]["num_decode_requests"]);
            }
            "kv-events" => {
                let one = std::slice::from_ref(&event);
                for event in event.as_array().map_or(one, Vec::as_slice) {
                    let sum = sums.entry(id(&event["worker_id"])).or_default();
                    sum.numbers[1].push(count(&event["event"]["event_id"]));
                    let blocks = event["event"]["data"]["stored"]["blocks"].as_array();
                    sum.stored_blocks += blocks.expect("nothing is removed in these runs").len() as u64;
                }
            }
            "kv_metrics" => {
                let sum = sums.entry(id(&event["worker_id"])).or_default();
                let used = event.get("kv_used_blocks").and_then(Value::as_u64);
                sum.used_blocks = used.or(sum.used_blocks);
            }
            "active_sequences_events" => {
                let sum = sums.entry(id(&event["worker"]["worker_id"])).or_default();
                let request = event["request_id"].as_str().expect("an id").to_owned();
                match &event["data"] {
                    Value::Object(_) => drop(sum.assigned.insert(request)),
                    Value::String(text) if text == "Free" => {}
                    _ => drop(sum.first_tokens.insert(request)),
                }
            }
            other => panic!("{other} is not known"),
        }
    }
    sums
}

/// A recording that is played.
struct Player {
    bench: Bench,
    lines: std::vec::IntoIter<Line>,
    began: Duration,
    handed_over: Duration,
}

impl Player {
    fn new(selector: &str, topics: OptInTopics, first: Duration, lines: Vec<Line>) -> Self {
        let mut plan = plan(&[selector]);
        plan.settings.topics = topics;
        let mut bench = Bench::new(plan);
        bench.now.unix = first;
        // Connected, and with the first round behind it.
        bench.run(SECOND / 10);
        bench.now.unix = first;
        let began = bench.now.mono;
        Self {
            bench,
            lines: lines.into_iter(),
            began,
            handed_over: began,
        }
    }

    /// Plays up to the next message, and that one; `None` at the end.
    fn next(&mut self) -> Option<Line> {
        let line = self.lines.next()?;
        let bench = &mut self.bench;
        let at = self.began + line.at_ms * MS;
        while self.handed_over + BATCH_TIME <= at {
            self.handed_over += BATCH_TIME;
            bench.run(self.handed_over.saturating_sub(bench.now.mono));
            if !bench.reader.is_empty() {
                bench.hand_over();
            }
        }
        bench.run(at.saturating_sub(bench.now.mono));
        match line.subject.starts_with("namespace.") {
            true => bench.publish_event(&line.subject, &line.payload),
            false if bench.listening.contains(&line.subject) => bench.reader.add_trace(&line.payload),
            false => {}
        }
        Some(line)
    }

    fn play(mut self) -> Bench {
        while self.next().is_some() {}
        self.bench.hear();
        self.bench
    }
}

pub(super) const ALL: OptInTopics = OptInTopics {
    kv_events: true,
    active_sequences: true,
};

/// A run as it is at its end.
pub(super) fn play(release: &str, selector: &str, topics: OptInTopics) -> Bench {
    let (first, lines) = recording(release);
    Player::new(selector, topics, first, lines).play()
}

/// Selectors that find the workers of a release.
fn selectors(release: &str) -> &[&str] {
    match release {
        "1.0.2" => &[RECORDED],
        "1.1.1" | "1.2.1" | "1.3.1" => &[RECORDED, "*/backend/generate"],
        _ => &[RECORDED, "dynamo*/*/*", "*/*/*"],
    }
}

fn assert_is_counted(context: &str, worker: &WorkerView, sum: &Sum, topics: OptInTopics) {
    assert_eq!(worker.source(), Source::Events, "{context}");
    assert_eq!(worker.state, WorkerState::Fresh, "{context}");
    let events = worker.events.as_ref().expect(context);
    assert_eq!(events.lost, [0; Topic::ALL.len()], "{context}");
    let passes = events.passes.unwrap_or_default();
    assert_eq!(
        (passes.passes, passes.decode_steps),
        (sum.passes, sum.decode_steps),
        "{context}"
    );
    assert_eq!(passes.prefill_tokens, sum.prefill_tokens, "{context}");
    assert!((passes.seconds - sum.seconds).abs() < 1e-9, "{context}");
    let load = worker.load.as_ref().expect(context);
    if let Some(blocks) = sum.used_blocks {
        assert_eq!(load.kv_blocks_active(), Some(blocks), "{context}");
    }
    let cache = events
        .cache
        .as_ref()
        .map(|cache| (cache.stored.iter().sum(), cache.removed, cache.clears));
    let stored = topics.kv_events.then_some((sum.stored_blocks, [0; 6], 0));
    assert_eq!(cache, stored, "{context}");
    let requests = events
        .sequences
        .as_ref()
        .map(|known| (known.assigned, known.first_tokens));
    let all_done = (Some(0), sum.first_tokens.len() as u64);
    assert_eq!(requests, topics.active_sequences.then_some(all_done), "{context}");
}

#[test]
fn every_release_is_counted_as_it_was_recorded() {
    for release in RELEASES {
        let (first, lines) = recording(release);
        let expected = sums(&lines);
        let has_passes = release != "1.0.2";
        for sum in expected.values() {
            assert_eq!(sum.decode_steps, if has_passes { 570 } else { 0 }, "{release}");
            for numbers in &sum.numbers {
                assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{release}: {numbers:?}");
            }
            assert_eq!(
                (sum.assigned.len(), sum.first_tokens.len()),
                (30, 30),
                "{release}"
            );
        }
        for selector in selectors(release) {
            for topics in [OptInTopics::default(), ALL] {
                let context = format!("{release} with {selector} and {topics:?}");
                let (_, lines) = recording(release);
                let mut bench = Player::new(selector, topics, first, lines).play();
                if !has_passes {
                    // Its namespace alone says little: two rounds must have found no other worker.
                    bench.run(5 * SECOND);
                }
                assert_eq!(bench.names(), [RECORDED], "{context}");
                let pool = bench.find(RECORDED).expect("there");
                let ids: Vec<&str> = pool.workers.iter().map(|w| &*w.identity.worker_id).collect();
                let mut known: Vec<&str> = expected.keys().map(String::as_str).collect();
                known.sort_by_key(|id| id.parse::<u64>().expect("an id"));
                assert_eq!(ids, known, "{context}");
                for worker in pool.workers.iter() {
                    let sum = &expected[&*worker.identity.worker_id];
                    assert_is_counted(&context, worker, sum, topics);
                }
                let passes: u64 = expected.values().map(|sum| sum.passes).sum();
                assert_eq!(pool.pass_seconds.count(), passes, "{context}");
                for result in [EventResult::Malformed, EventResult::OutOfRange] {
                    assert_eq!(pool.events[result], 0, "{context}");
                }
                let hearing = &bench.snapshot().hearing;
                assert_eq!(hearing.gaps, [0; Topic::ALL.len()], "{context}");
                assert_eq!(hearing.skewed, [0; Topic::ALL.len()], "{context}");
                let mut unassigned = hearing.unassigned;
                if *selector != RECORDED {
                    // What routers report before the worker itself has made its pool.
                    assert!(unassigned.no_worker < 50, "{context}");
                    unassigned.no_worker = 0;
                }
                assert_eq!(unassigned, crate::Unassigned::default(), "{context}");
                assert_requests(release, &bench, &pool);
            }
        }
    }
}

/// Checks what frontends report of the 60 requests.
fn assert_requests(release: &str, bench: &Bench, pool: &PoolView) {
    let frontends = bench.snapshot().frontends.as_ref();
    let Some(frontends) = frontends else {
        assert!(release < "1.4", "{release}");
        return;
    };
    let output = &frontends.books.measures[Measure::OutputTokens as usize];
    assert_eq!((output.count(), output.sum), (60, 1200.0), "{release}");
    assert_eq!((frontends.records.ok, frontends.records.malformed), (60, 0));
    if release < "1.5" {
        assert_eq!(frontends.unjoined, 60, "its records name no worker");
        return;
    }
    assert_eq!((frontends.joined, frontends.unjoined), (60, 0), "{release}");
    let (_, lines) = recording(release);
    let traces = lines.iter().filter(|line| line.subject.starts_with("dynamo."));
    let requests: Vec<Value> = traces
        .map(|line| serde_json::from_slice::<Value>(&line.payload).expect("JSON")["request"].take())
        .collect();
    let total = |field: &str| {
        requests
            .iter()
            .map(|of| of[field].as_f64().expect("a number"))
            .sum::<f64>()
    };
    let books = pool.requests.as_ref().expect("joined");
    let ttft = &books.ttft[Role::Aggregated as usize];
    assert_eq!(ttft.count(), 60, "{release}");
    assert!((ttft.sum - total("ttft_ms") / 1e3).abs() < 1e-9, "{release}");
    let input = &books.measures[Measure::InputTokens as usize];
    assert_eq!(input.sum, total("input_tokens"), "{release}");
    assert_eq!(books.cached_tokens as f64, total("cached_tokens"), "{release}");
}

#[test]
fn workers_of_1_0_are_members_after_two_rounds_and_by_their_caches_at_once() {
    let members = |topics| {
        let (first, lines) = recording("1.0.2");
        let mut player = Player::new(RECORDED, topics, first, lines);
        let are_there = |bench: &Bench| bench.find(RECORDED).is_some_and(|pool| pool.workers.len() == 2);
        while !are_there(&player.bench) {
            if player.next().is_none() {
                player.bench.run(BATCH_TIME);
            }
        }
        player.bench.now.mono - player.began
    };
    let by_loads = members(OptInTopics::default());
    assert!(by_loads > 2 * SECOND && by_loads < 5 * SECOND, "{by_loads:?}");
    let by_caches = members(ALL);
    assert!(by_caches < SECOND, "{by_caches:?}");
}

/// Of the slow run a worker's passes take up to 1.18 s. The engine sends a heartbeat of zeros when no pass has ended for
/// one second, so a heartbeat comes in the middle of each of these passes. Taken at its word it would show a busy worker
/// as idle, which a router or an autoscaler would act upon.
#[test]
fn a_heartbeat_in_the_middle_of_a_pass_does_not_show_the_worker_as_idle() {
    let (first, lines) = recording("1.6.1-slow");
    let (mut in_pass, mut idle) = (0, 0);
    let is_pass = |line: &&Line| line.subject.ends_with(Topic::ForwardPass.as_str());
    let passes: Vec<(u32, Value)> = lines
        .iter()
        .filter(is_pass)
        .map(|line| (line.at_ms, payload(&line.payload)))
        .collect();
    let (_, lines) = recording("1.6.1-slow");
    let mut player = Player::new(RECORDED, OptInTopics::default(), first, lines);
    while let Some(line) = player.next() {
        if !is_pass(&&line) {
            continue;
        }
        let heartbeat = payload(&line.payload);
        if heartbeat["wall_time"] != 0.0 {
            continue;
        }
        player.bench.hear();
        let id = heartbeat["worker_id"].as_str().expect("an id");
        let pool = player.bench.find(RECORDED).expect("there");
        let worker = pool
            .workers
            .iter()
            .find(|worker| *worker.identity.worker_id == *id);
        let engine = worker
            .expect("known")
            .events
            .as_ref()
            .expect("heard")
            .engine
            .expect("current");
        let of_worker = || {
            let passes = passes.iter().filter(|(_, pass)| pass["worker_id"] == id);
            passes.filter(|(_, pass)| pass["wall_time"] != 0.0)
        };
        match of_worker().find(|(at, _)| *at > line.at_ms) {
            Some((ended, pass)) => {
                let took = pass["wall_time"].as_f64().expect("a time") * 1e3;
                assert!(f64::from(*ended) - took < f64::from(line.at_ms), "a pass goes on");
                assert!(engine.running.iter().sum::<u64>() > 0, "{engine:?}");
                in_pass += 1;
            }
            None => {
                // The longest pass took 1.18 s: after twice as long no other one can go on.
                let last = of_worker().map(|(at, _)| *at).max().expect("there");
                let expected = line.at_ms - last > 2400;
                assert_eq!(
                    engine == EngineLoad::default(),
                    expected,
                    "{} ms",
                    line.at_ms - last
                );
                idle += 1;
            }
        }
    }
    assert_eq!((in_pass, idle), (12, 6));
}

#[test]
fn the_time_to_acknowledge_is_not_shown_of_any_release() {
    #[derive(Deserialize)]
    struct Answers {
        dynamo_runtime: String,
        stats_replies: Vec<String>,
        info_replies: Vec<String>,
    }
    let text = fs::read_to_string(folder().join("srv.json")).expect("there");
    let releases: Vec<Answers> = serde_json::from_str(&text).expect("JSON");
    assert_eq!(releases.len(), RELEASES.len());
    for Answers {
        dynamo_runtime,
        stats_replies,
        info_replies,
    } in releases
    {
        let mut bench = Bench::of(RECORDED);
        bench.run(MS);
        for reply in &stats_replies {
            assert!(reply.contains(r#""processing_time""#) || reply.contains(r#""endpoints":[]"#));
            bench.post(MS, Message::Reply(Some(bench.round), reply.clone()));
        }
        for reply in &info_replies {
            bench.post(2 * MS, Message::Described(None, reply.clone()));
        }
        bench.run(SECOND);
        bench.publish();
        let pool = bench.find(RECORDED).expect("there");
        let shown: Vec<_> = pool
            .workers
            .iter()
            .map(|worker| {
                (
                    &*worker.identity.version,
                    worker.requests,
                    worker.processing_seconds,
                )
            })
            .collect();
        assert_eq!(shown, [(&*dynamo_runtime, 30.0, None); 2]);
    }
}
