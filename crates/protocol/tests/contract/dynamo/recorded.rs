//! Every recorded event of Dynamo 1.x.

use std::collections::BTreeMap;

use protocol::codec::{Encoding, open};
use protocol::events::{
    ForwardPass, KvChange, KvEvent, KvMetrics, LoadSource, RequestTrace, SequenceChange, SequenceEvent,
    StorageTier, Topic,
};
use protocol::subject::{EventSubject, REQUEST_TRACE};
use serde_json::Value;

use super::again;
use crate::recordings::{self, Event};

/// The recordings of Dynamo 1.x, with their versions.
fn recordings() -> Vec<(String, Vec<Event>)> {
    let found: Vec<_> = recordings::all()
        .into_iter()
        .filter_map(|recording| {
            let version = recording.file.strip_prefix("dynamo-")?.strip_suffix(".json")?;
            version
                .starts_with("1.")
                .then(|| (version.to_owned(), recording.events))
        })
        .collect();
    assert_eq!(found.len(), 3);
    found
}

fn topic_of(subject: &str) -> Option<Topic> {
    EventSubject::read(subject).first().map(|reading| reading.topic)
}

#[test]
fn every_recorded_event_is_written_again_to_the_same_bytes() {
    let mut events = BTreeMap::new();
    for (version, recorded) in recordings() {
        for Event { subject, payload } in recorded {
            let written = match topic_of(&subject) {
                Some(topic) => {
                    let opened = open(None, &payload).expect("opens");
                    let value: Value = rmp_serde::from_slice(opened.payload).expect("MessagePack");
                    let event = again::payload(topic, again::release(&version), &value);
                    *events.entry(topic.as_str()).or_insert(0) += 1;
                    again::message(opened.publisher.expect("an envelope"), topic, event)
                }
                None if subject == REQUEST_TRACE => {
                    *events.entry(REQUEST_TRACE).or_insert(0) += 1;
                    let record = serde_json::from_slice(&payload).expect("JSON");
                    Encoding::Json.encode(&again::trace(&record)).expect("encodes")
                }
                None => continue,
            };
            assert_eq!(written, payload, "{version}: {subject}");
        }
    }
    let expected = [
        ("active_sequences_events", 72),
        ("dynamo.request_trace.v1", 8),
        ("forward-pass-metrics", 84),
        ("kv-events", 36),
        ("kv_metrics", 54),
    ];
    assert_eq!(events, BTreeMap::from(expected));
}

#[test]
fn every_recorded_event_is_read_with_the_values_that_it_has() {
    for (version, recorded) in recordings() {
        for Event { subject, payload } in recorded {
            let Some(topic) = topic_of(&subject) else { continue };
            let opened = open(None, &payload).expect("opens");
            let value: Value = rmp_serde::from_slice(opened.payload).expect("MessagePack");
            let worker = &value["worker_id"];
            match topic {
                Topic::KvHitRate => panic!("{version} has none"),
                Topic::KvMetrics => {
                    let event = KvMetrics::read(&opened).expect(&subject);
                    let count = |name: &str| value[name].as_u64();
                    let blocks = count("kv_used_blocks").or(count("active_decode_blocks"));
                    let tokens = count("active_prefill_tokens");
                    assert_eq!(worker, event.worker_id.get(), "{subject}");
                    assert_eq!(value["dp_rank"], event.dp_rank, "{subject}");
                    assert_eq!(event.stats.kv_blocks_active(), blocks, "{subject}");
                    assert_eq!(event.active_prefill_tokens, tokens, "{subject}");
                    let is_router = event.source == LoadSource::Router;
                    assert_eq!(is_router, tokens.is_some(), "{subject}");
                }
                Topic::ForwardPass => {
                    let pass = ForwardPass::read(&opened).expect(&subject);
                    assert_eq!(worker.as_str(), Some(pass.worker_id.to_string().as_str()));
                    assert_eq!(value["counter_id"], pass.counter_id);
                    assert_eq!(value["wall_time"], pass.wall_time);
                    let scheduled = &value["scheduled_requests"];
                    assert_eq!(scheduled["num_decode_requests"], pass.scheduled.decode_requests);
                    assert_eq!(
                        scheduled["sum_prefill_kv_tokens"],
                        pass.scheduled.prefill_kv_tokens
                    );
                    let queued = &value["queued_requests"];
                    assert_eq!(queued["num_prefill_requests"], pass.queued.prefill_requests);
                    assert_eq!(queued["var_decode_kv_tokens"], pass.queued.decode_kv_variance);
                    assert_eq!(pass.is_heartbeat(), value["wall_time"] == 0.0);
                }
                Topic::KvEvents => check_kv_events(&opened, &value),
                Topic::ActiveSequences => {
                    let event = SequenceEvent::read(&opened).expect(&subject);
                    assert_eq!(value["request_id"], event.request_id.as_ref());
                    assert_eq!(value["worker"]["worker_id"], event.worker_id.get());
                    assert_eq!(value["router_id"], event.router_id);
                    assert_eq!(event.lora, None);
                    let expected = match value["data"].as_str() {
                        Some("Free") => SequenceChange::Freed,
                        Some(_) => SequenceChange::PrefillCompleted,
                        None => added(&value["data"]["AddRequest"]),
                    };
                    assert_eq!(event.change, expected);
                }
            }
        }
    }
}

fn check_kv_events(opened: &protocol::Opened<'_>, value: &Value) {
    let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let events = KvEvent::read_all(opened).expect("readable");
    assert_eq!(events.len(), values.len());
    for (event, value) in events.iter().zip(&values) {
        let inner = &value["event"];
        assert_eq!(value["worker_id"], event.worker_id.get());
        assert_eq!(inner["event_id"], event.event_id);
        assert_eq!(inner["dp_rank"], event.dp_rank);
        assert_eq!(event.tier, Some(StorageTier::Device));
        let length = |list: &Value| list.as_array().map(Vec::len).expect("a list") as u64;
        let expected = match inner["data"].get("stored") {
            Some(stored) => KvChange::Stored(length(&stored["blocks"])),
            None => KvChange::Removed(length(&inner["data"]["removed"]["block_hashes"])),
        };
        assert_eq!(event.change, expected);
    }
}

fn added(add: &Value) -> SequenceChange {
    SequenceChange::Added {
        isl_tokens: add["isl"].as_u64(),
        overlap_blocks: add["overlap"].as_u64(),
        prompt_blocks: add["token_sequence"].as_array().map(|blocks| blocks.len() as u64),
        prefill_tokens: add["prefill_load_hint"]["initial_effective_prefill_tokens"].as_u64(),
        expected_output_tokens: add["expected_output_tokens"].as_u64(),
    }
}

#[test]
fn recorded_traces_have_their_exact_values() {
    let mut records = 0;
    for (version, recorded) in recordings() {
        for event in recorded.iter().filter(|event| event.subject == REQUEST_TRACE) {
            let trace = RequestTrace::read(&event.payload)
                .expect("readable")
                .expect("the end of a request");
            let record: Value = serde_json::from_slice(&event.payload).expect("JSON");
            let request = &record["request"];
            let seconds = |name: &str| request[name].as_f64().map(|ms| ms / 1e3);
            assert_eq!(trace.output_tokens, request["output_tokens"].as_u64());
            assert_eq!(trace.input_tokens, request["input_tokens"].as_u64());
            assert_eq!(trace.ttft, seconds("ttft_ms"));
            assert_eq!(trace.total, seconds("total_time_ms"));
            assert_eq!(trace.avg_itl, seconds("avg_itl_ms"));
            assert_eq!(
                trace.decode_worker.map(protocol::WorkerId::get),
                request["worker"]["decode_worker_id"].as_u64()
            );
            assert_eq!(trace.refused, []);
            assert_eq!(trace.ttft.is_some(), version.starts_with("1.6"), "{version}");
            records += 1;
        }
    }
    assert_eq!(records, 8);
}
