//! Wherever the fast path reads an event, the general reader reads the same one.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::{KvHitRate, KvMetrics, hit_rate, metrics};
use crate::codec::open;

/// Failing inputs are printed; files that remember them would only litter the tree.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1024)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_readers_agree_on_json(fields in fields()) {
        assert_readers_agree(json(&fields).as_bytes())?;
    }

    #[test]
    fn both_readers_agree_on_message_pack(fields in fields()) {
        assert_readers_agree(&message_pack(&packed(&fields)))?;
    }

    #[test]
    fn both_readers_agree_on_envelopes(
        inner in fields(), outer in fields(), form in 0..4_u8, left_out in 0..12_usize, is_mixed in any::<bool>(),
    ) {
        let event = message_pack(&packed(&inner));
        let payload = match form {
            0 => rmp_serde::to_vec(&event),
            1 => rmp_serde::to_vec(&String::from_utf8_lossy(&event)),
            _ => rmp_serde::to_vec(serde_bytes::Bytes::new(&event)),
        };
        let mut fields = vec![
            ("publisher_id".to_owned(), vec![7]),
            ("sequence".to_owned(), vec![8]),
            ("published_at".to_owned(), vec![9]),
            ("topic".to_owned(), vec![0xa1, b't']),
            ("payload".to_owned(), payload.expect("encodes")),
        ];
        if left_out < fields.len() {
            fields.remove(left_out);
        }
        if is_mixed {
            fields.extend(packed(&outer));
        }
        assert_readers_agree(&message_pack(&fields))?;
    }

    #[test]
    fn both_readers_agree_on_damaged_bytes(
        fields in fields(), is_json in any::<bool>(), damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut payload = if is_json { json(&fields).into_bytes() } else { message_pack(&packed(&fields)) };
        for (index, byte) in damage {
            let at = index.index(payload.len());
            payload[at] = byte;
        }
        assert_readers_agree(&payload)?;
    }
}

#[test]
fn events_as_they_are_sent_take_the_fast_path() {
    let hit = r#"{"worker_id": 12396905669333211951, "dp_rank": 0, "isl_blocks": 10, "overlap_blocks": 4}"#;
    let load = r#"{"worker_id": 1, "dp_rank": 0, "data": {"worker_stats": {"data_parallel_rank": null,
        "num_requests_waiting": 5}, "kv_stats": {"gpu_cache_usage_perc": 0.25}, "spec_decode_stats": {"drafts": [1]}}}"#;
    let short = r#"{"worker_id": 1, "active_decode_blocks": 42, "active_prefill_tokens": null}"#;
    for (text, is_hit) in [(hit, true), (load, false), (short, false)] {
        let value: Value = serde_json::from_str(text).expect(text);
        let packed = rmp_serde::to_vec_named(&value).expect("encodes");
        for payload in [text.as_bytes(), &packed] {
            let opened = open(None, payload).expect(text);
            let found = (hit_rate(&opened).is_some(), metrics(&opened).is_some());
            assert_eq!(found, (is_hit, !is_hit), "{text}");
        }
    }
}

fn assert_readers_agree(payload: &[u8]) -> Result<(), TestCaseError> {
    for content_type in [None, Some("application/json"), Some("application/msgpack")] {
        let opened = open(content_type, payload).expect("neither empty nor too large");
        if let Some(event) = hit_rate(&opened) {
            prop_assert_eq!(KvHitRate::read_any(&opened), Ok(event));
        }
        if let Some(event) = metrics(&opened) {
            prop_assert_eq!(KvMetrics::read_any(&opened), Ok(event));
        }
    }
    Ok(())
}

/// Fields of an event with their values as JSON: mostly good ones, in any order and number.
fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    let odd = select(
        &[
            "null",
            "true",
            "-1",
            "1.5",
            "-0",
            "18446744073709551616",
            "\"7\"",
            "{}",
            "[[1]]",
            r#"{"$serde_json::private::RawValue": "{}"}"#,
            r#"{"kv_active_blocks": 3, "kv_total_blocks": 2}"#,
            r#"{"kv_active_blocks": 3, "a\n": "\u00e9"}"#,
            r#"{"worker_stats": null, "kv_stats": {"kv_active_blocks": 3}}"#,
            r#"{"worker_stats": {"data_parallel_rank": 3}, "num_requests_waiting": 1}"#,
            r#"{"gpu_cache_usage_perc": 0.5, "data_parallel_rank": 2}"#,
        ][..],
    );
    let value = prop_oneof![
        12 => (0..9_u64).prop_map(|n| n.to_string()),
        2 => any::<u64>().prop_map(|n| n.to_string()),
        4 => odd.prop_map(str::to_owned),
    ];
    let data = select(
        &[
            r#"{"kv_active_blocks": 3}"#,
            "null",
            r#"{"num_requests_waiting": 4.0}"#,
            "[]",
        ][..],
    );
    let extra = select(&["dp_rank", "data", "extra", "payload", "worker_id", "a\"b"][..]);
    let known =
        |names: &'static [&'static str]| prop::sample::subsequence(names, names.len() - 1..=names.len());
    let names = prop_oneof![
        known(&["worker_id", "isl_blocks", "overlap_blocks"]),
        known(&["worker_id", "active_decode_blocks", "active_prefill_tokens"]),
        known(&["worker_id", "kv_used_blocks", "data"]),
    ];
    let values = prop::collection::vec((value.clone(), data), 3);
    let extras = prop::collection::vec((extra.prop_map(str::to_owned), value), 0..3);
    (names, values, extras).prop_map(|(names, values, mut fields)| {
        for (name, (value, data)) in names.into_iter().zip(values) {
            let value = if name == "data" { data.to_owned() } else { value };
            fields.insert(fields.len() / 2, (name.to_owned(), value));
        }
        fields
    })
}

fn json(fields: &[(String, String)]) -> String {
    let write = |(name, value): &(String, String)| format!("{}:{value}", Value::from(name.as_str()));
    let fields: Vec<String> = fields.iter().map(write).collect();
    format!("{{{}}}", fields.join(","))
}

/// The values as MessagePack.
fn packed(fields: &[(String, String)]) -> Vec<(String, Vec<u8>)> {
    let pack = |(name, value): &(String, String)| {
        // A number beyond 64 bits becomes a float.
        let value: Value = serde_json::from_str(value).unwrap_or_default();
        (name.clone(), rmp_serde::to_vec_named(&value).expect("encodes"))
    };
    fields.iter().map(pack).collect()
}

/// A map that may hold a name twice, which no serializer would write.
fn message_pack(fields: &[(String, Vec<u8>)]) -> Vec<u8> {
    let count = u8::try_from(fields.len()).expect("few fields");
    let mut bytes = vec![0xde, 0, count];
    if count < 16 {
        bytes = vec![0x80 | count];
    }
    for (name, value) in fields {
        bytes.extend(rmp_serde::to_vec(name).expect("encodes"));
        bytes.extend(value);
    }
    bytes
}
