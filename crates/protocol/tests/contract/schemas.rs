//! The JSON Schemas in `docs/schemas`: messages that are read fulfil them, and what they demand, the readers demand.

use std::fs;
use std::path::Path;

use protocol::WorkerStats;
use protocol::codec::open;
use protocol::events::{ForwardPass, KvEvent, RequestTrace, SequenceEvent};
use protocol::{KvHitRate, KvMetrics};
use serde_json::{Map, Value, json};

/// Whether a message is read, with all its fields.
type Reader = fn(&[u8]) -> bool;

fn schema(name: &str) -> Value {
    let file = format!("../../docs/schemas/{name}.schema.json");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(name);
    serde_json::from_str(&text).expect(name)
}

/// Each schema with messages of its kind, and how they are read.
fn messages() -> Vec<(&'static str, Vec<Value>, Reader)> {
    let load = json!({
        "worker_stats": {"request_active_slots": 3, "request_total_slots": 100, "num_requests_waiting": 7,
                         "data_parallel_rank": 1},
        "kv_stats": {"kv_active_blocks": 42, "kv_total_blocks": 100, "gpu_cache_usage_perc": 0.42,
                     "gpu_prefix_cache_hit_rate": 0.25},
    });
    let pass = json!({
        "version": 1, "worker_id": "6109318968951222548", "dp_rank": 0, "counter_id": 266, "wall_time": 0.0076,
        "scheduled_requests": {"num_prefill_requests": 1, "sum_prefill_tokens": 9, "var_prefill_length": 0.5,
                               "sum_prefill_kv_tokens": 2, "num_decode_requests": 8, "sum_decode_kv_tokens": 567,
                               "var_decode_kv_tokens": 114.1},
        "queued_requests": {"num_prefill_requests": 4, "sum_prefill_tokens": 211, "var_prefill_length": 33.7,
                            "num_decode_requests": 1, "sum_decode_kv_tokens": 5, "var_decode_kv_tokens": 0.0},
    });
    let kv_event = |data: Value| {
        json!([{"worker_id": u64::MAX, "storage_tier": "device", "residency_domain": "worker",
                "event": {"event_id": 2, "data": data, "dp_rank": 1}}])
    };
    let stored = json!({"stored": {"parent_hash": 5, "start_position": 0, "blocks": [{"block_hash": 1}]}});
    let sequence = |data: Value| {
        json!({"request_id": "3134d92a", "worker": {"worker_id": 7, "dp_rank": 0}, "data": data, "router_id": 9,
               "lora_name": "my-lora"})
    };
    let add = json!({"AddRequest": {
        "token_sequence": [121], "isl": 37, "overlap": 1, "expected_output_tokens": 20, "track_prefill_tokens": true,
        "prefill_load_hint": {"initial_effective_prefill_tokens": 51},
    }});
    let trace = json!({
        "schema": "dynamo.request.trace.v1", "event_type": "request_end", "event_time_unix_ms": 1_795_578_164_347_u64,
        "request": {"request_id": "1bbeed66", "input_tokens": 37, "output_tokens": 20, "cached_tokens": 5,
                    "prefill_wait_time_ms": 2.89, "prefill_time_ms": 21.02, "ttft_ms": 23.91, "total_time_ms": 163.12,
                    "avg_itl_ms": 7.33, "kv_transfer_estimated_latency_ms": 1.0, "kv_hit_rate": 0.5, "queue_depth": 0,
                    "worker": {"prefill_worker_id": 7, "prefill_dp_rank": 0, "decode_worker_id": 8, "decode_dp_rank": 0}},
    });
    vec![
        ("load", vec![load.clone()], |bytes| {
            let value = serde_json::from_slice(bytes).expect("JSON");
            WorkerStats::read(&value).is_ok_and(|reading| reading.refused.is_empty())
        }),
        (
            "kv-hit-rate",
            vec![json!({"worker_id": 7, "dp_rank": 0, "isl_blocks": 10, "overlap_blocks": 4})],
            |bytes| open(None, bytes).is_ok_and(|opened| KvHitRate::read(&opened).is_ok()),
        ),
        (
            "kv_metrics",
            vec![
                // One of what follows the rank is enough.
                json!({"worker_id": 7, "dp_rank": 0, "data": load, "kv_used_blocks": 42}),
                json!({"worker_id": 7, "dp_rank": 0, "active_decode_blocks": 42, "active_prefill_tokens": 9,
                       "kv_used_blocks": 40}),
            ],
            |bytes| {
                let opened = open(None, bytes).expect("it opens");
                KvMetrics::read(&opened).is_ok_and(|event| event.refused.is_empty())
            },
        ),
        ("forward-pass-metrics", vec![pass], |bytes| {
            open(None, bytes).is_ok_and(|opened| ForwardPass::read(&opened).is_ok())
        }),
        (
            "kv-events",
            vec![
                kv_event(stored),
                kv_event(json!({"removed": {"block_hashes": [111]}})),
                kv_event(json!("cleared")),
            ],
            |bytes| open(None, bytes).is_ok_and(|opened| KvEvent::read_all(&opened).is_ok()),
        ),
        (
            "active_sequences_events",
            vec![
                sequence(add),
                sequence(json!("MarkPrefillCompleted")),
                sequence(json!("Free")),
            ],
            |bytes| open(None, bytes).is_ok_and(|opened| SequenceEvent::read(&opened).is_ok()),
        ),
        ("request-trace", vec![trace], |bytes| {
            match RequestTrace::read(bytes) {
                Ok(Some(trace)) => trace.refused.is_empty(),
                _ => false,
            }
        }),
    ]
}

/// Whether a value fulfils a schema, of the keywords that these schemas have.
fn fulfils(schema: &Value, value: &Value) -> bool {
    let is_of = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("the type {other} is not known here"),
    };
    let holds = |(keyword, demand): (&String, &Value)| match keyword.as_str() {
        "$schema" | "title" | "description" => true,
        "type" => match demand {
            Value::String(kind) => is_of(kind),
            kinds => kinds
                .as_array()
                .expect("types")
                .iter()
                .any(|kind| is_of(kind.as_str().expect("a type"))),
        },
        "required" => demand
            .as_array()
            .expect("names")
            .iter()
            .all(|name| value.is_null() || value.get(name.as_str().expect("a name")).is_some()),
        "properties" => demand
            .as_object()
            .expect("schemas")
            .iter()
            .all(|(name, schema)| value.get(name).is_none_or(|value| fulfils(schema, value))),
        "minimum" => value
            .as_f64()
            .is_none_or(|value| value >= demand.as_f64().expect("a number")),
        "maximum" => value
            .as_f64()
            .is_none_or(|value| value <= demand.as_f64().expect("a number")),
        "minLength" => value
            .as_str()
            .is_none_or(|text| text.len() as u64 >= demand.as_u64().expect("a count")),
        "maxLength" => value
            .as_str()
            .is_none_or(|text| text.len() as u64 <= demand.as_u64().expect("a count")),
        "pattern" => value
            .as_str()
            .is_none_or(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())),
        "enum" => demand.as_array().expect("values").contains(value),
        "const" => demand == value,
        "oneOf" => {
            demand
                .as_array()
                .expect("schemas")
                .iter()
                .filter(|schema| fulfils(schema, value))
                .count()
                == 1
        }
        "items" => value
            .as_array()
            .is_none_or(|items| items.iter().all(|item| fulfils(demand, item))),
        "maxItems" => value
            .as_array()
            .is_none_or(|items| items.len() as u64 <= demand.as_u64().expect("a count")),
        other => panic!("the keyword {other} is not known here"),
    };
    schema.as_object().expect("a schema").iter().all(holds)
}

/// Every field of a message with its schema: the JSON pointer to the map that has it, its name, whether it must be there.
fn fields(schema: &Value, value: &Value, at: &str, found: &mut Vec<(String, String, Value, bool)>) {
    if let Some(items) = schema.get("items") {
        fields(items, &value[0], &format!("{at}/0"), found);
    }
    for choice in schema["oneOf"].as_array().map_or(&[][..], Vec::as_slice) {
        if choice.get("properties").is_some() && fulfils(choice, value) {
            fields(choice, value, at, found);
        }
    }
    let none = Map::new();
    for (name, of_field) in schema["properties"].as_object().unwrap_or(&none) {
        let Some(inner) = value.get(name) else { continue };
        let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        found.push((
            at.to_owned(),
            name.clone(),
            of_field.clone(),
            required.contains(&json!(name)),
        ));
        fields(of_field, inner, &format!("{at}/{name}"), found);
    }
}

/// Calls `check` for every field of every message with the message, the schema's and the reader's word on it without that
/// field, what the field is, and the message.
fn each_field(mut check: impl FnMut(&str, &dyn Fn(Option<Value>) -> (bool, bool), &Value, bool, &Value)) {
    for (name, messages, read) in messages() {
        let schema = schema(name);
        for message in messages {
            let mut found = Vec::new();
            fields(&schema, &message, "", &mut found);
            assert!(!found.is_empty(), "{name}");
            for (at, field, of_field, is_required) in found {
                let with = |value: Option<Value>| {
                    let mut changed = message.clone();
                    let map = changed
                        .pointer_mut(&at)
                        .and_then(Value::as_object_mut)
                        .expect("a map");
                    match value {
                        Some(value) => map.insert(field.clone(), value),
                        None => map.remove(&field),
                    };
                    (fulfils(&schema, &changed), read(changed.to_string().as_bytes()))
                };
                check(
                    &format!("{name}{at}/{field}"),
                    &with,
                    &of_field,
                    is_required,
                    &message,
                );
            }
        }
    }
}

#[test]
fn messages_fulfil_their_schemas_and_are_read() {
    for (name, messages, read) in messages() {
        for message in messages {
            assert!(fulfils(&schema(name), &message), "{name}: {message}");
            assert!(read(message.to_string().as_bytes()), "{name}: {message}");
        }
    }
}

#[test]
fn a_field_must_be_there_where_readers_demand_it_and_may_be_missing_or_null_elsewhere() {
    each_field(|field, with, _, is_required, _| {
        let expected = (!is_required, !is_required);
        assert_eq!(with(None), expected, "{field} is missing");
        assert_eq!(with(Some(Value::Null)), expected, "{field} is null");
    });
}

#[test]
fn a_value_beyond_its_range_is_refused_unless_it_is_ignored() {
    let mut checked = 0;
    each_field(|field, with, schema, _, message| {
        if field == "kv_metrics/kv_used_blocks" && message.get("data").is_some() {
            // The reader takes the load from `data` and ignores the other fields.
            return;
        }
        let is_ignored = schema["description"]
            .as_str()
            .is_some_and(|about| about.contains("ignored"));
        if let Some(most) = schema["maximum"].as_f64().filter(|_| !is_ignored) {
            assert_eq!(with(Some(json!(-1))), (false, false), "{field} is negative");
            if most < 1e15 {
                assert_eq!(
                    with(Some(json!(most * 2.0))),
                    (false, false),
                    "{field} is too large"
                );
            }
            checked += 1;
        }
    });
    assert!(checked > 40, "{checked}");
}
