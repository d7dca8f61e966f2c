//! Puts together what a release writes, from the fields of a message that it wrote.

use protocol::codec::{Encoding, Envelope, Publisher};
use protocol::events::write::{
    AddRequest, KvChange, KvEvent, LoadCounts, PrefillLoadHint, Release, Replay, RequestEnd, ResidencyDomain,
    SequenceChange, SequenceEvent, StoredBlock, TraceWorkers, TracedRequest,
};
use protocol::events::{ForwardPass, Queued, Scheduled, StorageTier, Topic};
use protocol::{EventError, WorkerId};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The release of a version such as `1.6.1`.
pub(super) fn release(version: &str) -> Release {
    match version.split('.').nth(1) {
        Some("0") => Release::V1_0,
        Some("2") => Release::V1_2,
        Some("4") => Release::V1_4,
        Some("6") => Release::V1_5,
        _ => panic!("{version} is not among the recordings"),
    }
}

/// The bytes of the event in an envelope, as a release writes it.
pub(super) fn payload(topic: Topic, release: Release, event: &Value) -> Vec<u8> {
    let encoded = match topic {
        Topic::KvHitRate => panic!("no release 1.x writes it"),
        Topic::KvMetrics => pack(&load(event).of(release)),
        Topic::ForwardPass => pack(&forward_pass(event)),
        Topic::KvEvents => {
            let events: Vec<KvEvent> = match event {
                Value::Array(events) => events.iter().map(kv_event).collect(),
                event => vec![kv_event(event)],
            };
            let messages = KvEvent::messages(&events, release);
            assert_eq!(messages.len(), 1, "one message gives one message");
            pack(&messages[0])
        }
        Topic::ActiveSequences => pack(&sequence(event).of(release)),
    };
    encoded.expect("encodes")
}

/// The bytes of a whole message.
pub(super) fn message(publisher: Publisher, topic: Topic, payload: Vec<u8>) -> Vec<u8> {
    let envelope = Envelope {
        publisher_id: publisher.id,
        sequence: publisher.sequence,
        published_at: publisher.published_at_ms,
        topic: topic.as_str().to_owned(),
        payload,
    };
    pack(&envelope).expect("encodes")
}

fn pack(event: &impl serde::Serialize) -> Result<Vec<u8>, EventError> {
    Ok(Encoding::MessagePack.encode(event)?)
}

/// A field, or what is in place of one that is missing or null.
fn get<T: DeserializeOwned>(of: &Value, name: &str) -> T {
    serde_json::from_value(of[name].clone()).unwrap_or_else(|error| panic!("{name}: {error} in {of}"))
}

fn load(event: &Value) -> LoadCounts {
    LoadCounts {
        worker_id: get(event, "worker_id"),
        dp_rank: get(event, "dp_rank"),
        active_decode_blocks: get(event, "active_decode_blocks"),
        active_prefill_tokens: get(event, "active_prefill_tokens"),
        kv_used_blocks: get(event, "kv_used_blocks"),
    }
}

fn forward_pass(event: &Value) -> ForwardPass {
    let (scheduled, queued) = (&event["scheduled_requests"], &event["queued_requests"]);
    ForwardPass {
        worker_id: event["worker_id"].as_str().expect("text").parse().expect("an id"),
        dp_rank: get(event, "dp_rank"),
        counter_id: get(event, "counter_id"),
        wall_time: get(event, "wall_time"),
        scheduled: Scheduled {
            prefill_requests: get(scheduled, "num_prefill_requests"),
            prefill_tokens: get(scheduled, "sum_prefill_tokens"),
            prefill_length_variance: get(scheduled, "var_prefill_length"),
            prefill_kv_tokens: get(scheduled, "sum_prefill_kv_tokens"),
            decode_requests: get(scheduled, "num_decode_requests"),
            decode_kv_tokens: get(scheduled, "sum_decode_kv_tokens"),
            decode_kv_variance: get(scheduled, "var_decode_kv_tokens"),
        },
        queued: Queued {
            prefill_requests: get(queued, "num_prefill_requests"),
            prefill_tokens: get(queued, "sum_prefill_tokens"),
            prefill_length_variance: get(queued, "var_prefill_length"),
            decode_requests: get(queued, "num_decode_requests"),
            decode_kv_tokens: get(queued, "sum_decode_kv_tokens"),
            decode_kv_variance: get(queued, "var_decode_kv_tokens"),
        },
    }
}

fn kv_event(outer: &Value) -> KvEvent {
    let event = &outer["event"];
    let data = &event["data"];
    let change = if data == "cleared" {
        KvChange::Cleared
    } else if let Some(stored) = data.get("stored") {
        let blocks: Vec<Value> = get(stored, "blocks");
        KvChange::Stored {
            parent_hash: get(stored, "parent_hash"),
            start_position: get(stored, "start_position"),
            blocks: blocks
                .iter()
                .map(|block| StoredBlock {
                    block_hash: get(block, "block_hash"),
                    tokens_hash: get(block, "tokens_hash"),
                })
                .collect(),
        }
    } else {
        KvChange::Removed {
            block_hashes: get(&data["removed"], "block_hashes"),
        }
    };
    let tier = match outer["storage_tier"].as_str() {
        None | Some("device") => StorageTier::Device,
        Some("host_pinned") => StorageTier::HostPinned,
        Some("disk") => StorageTier::Disk,
        Some("external") => StorageTier::External,
        Some(other) => panic!("the tier {other}"),
    };
    KvEvent {
        worker_id: get(outer, "worker_id"),
        dp_rank: get(event, "dp_rank"),
        event_id: get(event, "event_id"),
        tier,
        domain: ResidencyDomain::Worker,
        change,
    }
}

fn sequence(event: &Value) -> SequenceEvent {
    let data = &event["data"];
    let change = match data.as_str() {
        Some("Free") => SequenceChange::Free,
        Some("MarkPrefillCompleted") => SequenceChange::MarkPrefillCompleted,
        Some(other) => panic!("the change {other}"),
        None => {
            let add = &data["AddRequest"];
            let number = |name: &str| get::<Option<u64>>(add, name);
            let hint = add.get("prefill_load_hint").filter(|hint| !hint.is_null());
            SequenceChange::AddRequest(AddRequest {
                token_sequence: get(add, "token_sequence"),
                isl: number("isl").unwrap_or(0),
                overlap: number("overlap").unwrap_or(0),
                expected_output_tokens: number("expected_output_tokens"),
                track_prefill_tokens: get::<Option<bool>>(add, "track_prefill_tokens").unwrap_or(false),
                prefill_load_hint: hint.map(|hint| PrefillLoadHint {
                    initial_effective_prefill_tokens: get(hint, "initial_effective_prefill_tokens"),
                    expected_prefill_duration: get(hint, "expected_prefill_duration"),
                }),
            })
        }
    };
    SequenceEvent {
        request_id: get(event, "request_id"),
        worker_id: get(&event["worker"], "worker_id"),
        dp_rank: get(&event["worker"], "dp_rank"),
        change,
        router_id: get(event, "router_id"),
        lora_name: get(event, "lora_name"),
    }
}

/// The record of a request that ended.
pub(super) fn trace(record: &Value) -> RequestEnd {
    let request = &record["request"];
    let worker = request.get("worker").map(|worker| TraceWorkers {
        prefill_worker_id: get::<Option<u64>>(worker, "prefill_worker_id").map(WorkerId::new),
        prefill_dp_rank: get(worker, "prefill_dp_rank"),
        decode_worker_id: get::<Option<u64>>(worker, "decode_worker_id").map(WorkerId::new),
        decode_dp_rank: get(worker, "decode_dp_rank"),
    });
    let replay = request.get("replay").map(|replay| Replay {
        trace_block_size: get(replay, "trace_block_size"),
        input_length: get(replay, "input_length"),
        input_sequence_hashes: get(replay, "input_sequence_hashes"),
    });
    RequestEnd {
        event_time_unix_ms: get(record, "event_time_unix_ms"),
        request: TracedRequest {
            request_id: get(request, "request_id"),
            input_tokens: get(request, "input_tokens"),
            output_tokens: get(request, "output_tokens"),
            cached_tokens: get(request, "cached_tokens"),
            request_received_ms: get(request, "request_received_ms"),
            prefill_wait_time_ms: get(request, "prefill_wait_time_ms"),
            prefill_time_ms: get(request, "prefill_time_ms"),
            ttft_ms: get(request, "ttft_ms"),
            total_time_ms: get(request, "total_time_ms"),
            avg_itl_ms: get(request, "avg_itl_ms"),
            kv_hit_rate: get(request, "kv_hit_rate"),
            kv_transfer_estimated_latency_ms: get(request, "kv_transfer_estimated_latency_ms"),
            queue_depth: get(request, "queue_depth"),
            worker,
            replay,
        },
    }
}
