//! Request traces: what is read, what is refused, and that no text of a prompt is kept.

use super::RequestTrace;
use crate::codec::MAX_PAYLOAD_BYTES;
use crate::{CodecError, EventError, WorkerId};

/// What no error, and nothing that is read, may contain.
const PROMPT: &str = "THE-PROMPT";

fn read(request: &str) -> RequestTrace {
    let record = format!(r#"{{"event_type": "request_end", "request": {request}}}"#);
    let trace = RequestTrace::read(record.as_bytes()).expect(request);
    // The type may come last.
    let turned = format!(r#"{{"request": {request}, "event_type": "request_end"}}"#);
    assert_eq!(
        RequestTrace::read(turned.as_bytes()),
        Ok(trace.clone()),
        "{request}"
    );
    trace.expect(request)
}

#[test]
fn a_record_is_read_in_seconds_with_exact_ids() {
    let trace = read(
        r#"{"request_id": "r", "input_tokens": 37, "output_tokens": 20, "cached_tokens": 16, "prefill_wait_time_ms": 2.5,
            "prefill_time_ms": 21, "ttft_ms": 23.5, "total_time_ms": 163.0, "avg_itl_ms": 7.25, "kv_hit_rate": 0.5,
            "kv_transfer_estimated_latency_ms": 1500, "queue_depth": 3, "new": {"a": [1e999]},
            "worker": {"prefill_worker_id": 18446744073709551615, "decode_worker_id": "9007199254740993"}}"#,
    );
    let expected = RequestTrace {
        input_tokens: Some(37),
        output_tokens: Some(20),
        cached_tokens: Some(16),
        prefill_wait: Some(0.0025),
        prefill: Some(0.021),
        ttft: Some(0.0235),
        total: Some(0.163),
        avg_itl: Some(0.00725),
        kv_transfer: Some(1.5),
        kv_hit_rate: Some(0.5),
        queue_depth: Some(3),
        prefill_worker: Some(WorkerId::new(u64::MAX)),
        decode_worker: Some(WorkerId::new(9_007_199_254_740_993)),
        refused: Vec::new(),
    };
    assert_eq!(trace, expected);
    assert_eq!(read("{}"), RequestTrace::default());
    assert_eq!(
        read(r#"{"ttft_ms": null, "worker": null}"#),
        RequestTrace::default()
    );
}

#[test]
fn a_field_that_cannot_be_is_refused_alone() {
    fn check(field: &str, expected: &str) {
        let trace = read(&format!(
            r#"{{"output_tokens": 20, "input_tokens": 37, {field}}}"#
        ));
        let refused: Vec<String> = trace.refused.iter().map(ToString::to_string).collect();
        assert_eq!(refused, [expected]);
        assert_eq!(
            (trace.output_tokens, trace.input_tokens),
            (Some(20), Some(37)),
            "{field}"
        );
        assert_eq!(
            (trace.ttft, trace.kv_hit_rate, trace.cached_tokens),
            (None, None, None),
            "{field}"
        );
    }
    check(r#""ttft_ms": -1"#, "ttft_ms is negative");
    check(r#""ttft_ms": 1e999"#, "ttft_ms is not finite");
    check(r#""ttft_ms": 1e300"#, "ttft_ms is above the limit of 2592000000");
    check(
        r#""ttft_ms": "THE-PROMPT""#,
        "ttft_ms is another value, not a number",
    );
    check(r#""kv_hit_rate": 1.5"#, "kv_hit_rate is 1.5, above 1");
    check(r#""queue_depth": -1"#, "queue_depth is negative");
    check(
        r#""queue_depth": 1.5"#,
        "queue_depth is another value, not a number",
    );
    check(
        r#""queue_depth": 18446744073709551615"#,
        "queue_depth is above the limit of 1000000000",
    );
    check(r#""cached_tokens": 38"#, "cached_tokens is above the limit of 37");
    check(
        r#""worker": {"decode_worker_id": -1}"#,
        "decode_worker_id is negative",
    );
    check(
        r#""worker": {"decode_worker_id": 1.5e300}"#,
        "decode_worker_id is another value, not a number",
    );
    check(
        r#""worker": "THE-PROMPT""#,
        "worker is another value, not an object",
    );
}

#[test]
fn records_of_other_types_are_dropped_unread() {
    for kind in ["request_payload", "tool_call_start", "request_end2", ""] {
        for request in [
            r#"{"prompt": "THE-PROMPT", "ttft_ms": -1}"#,
            r#""THE-PROMPT""#,
            r#"[{"messages": ["THE-PROMPT \ud800"]}, 1e999]"#,
        ] {
            let records = [
                format!(r#"{{"event_type": "{kind}", "request": {request}, "payload": {request}}}"#),
                format!(r#"{{"payload": {request}, "request": {request}, "event_type": "{kind}"}}"#),
            ];
            for record in records {
                assert_eq!(RequestTrace::read(record.as_bytes()), Ok(None), "{record}");
            }
        }
    }
}

#[test]
fn no_text_of_a_record_gets_into_an_error() {
    for record in [
        r#"{"event_type": "request_end", "request": "THE-PROMPT"}"#,
        r#"{"event_type": "request_end", "request": ["THE-PROMPT"], "THE-PROMPT": THE-PROMPT}"#,
        r#"{"event_type": "request_payload", "request": {"prompt": "THE-PROMPT}}"#,
        r#"{"event_type": "request_payload", "request": {"prompt": THE-PROMPT}}"#,
        r#"{"event_type": {"THE-PROMPT": "THE-PROMPT"}, "request": {}}"#,
        r#"{"THE-PROMPT": "request_end"}"#,
        r#"{"THE-PROMPT" "request_end"}"#,
        r#""THE-PROMPT""#,
        r#"["THE-PROMPT"]"#,
        r#"{"event_type": "request_end", "request": {}} THE-PROMPT"#,
    ] {
        let error = RequestTrace::read(record.as_bytes()).expect_err(record);
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains(PROMPT), "{text}");
        }
    }
}

#[test]
fn what_is_no_record_is_refused_with_the_reason() {
    fn check(record: &[u8], expected: &str) {
        let error = RequestTrace::read(record).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    check(b"", "empty");
    check(b"{", "it ends too early at line 1");
    check(b"{\"a\": }", "an error at line 1, column 7");
    check(b"[]", "not an object");
    check(b"{}", "event_type is missing");
    check(
        b"{\"event_type\": 7, \"request\": {}}",
        "event_type is missing or not a text",
    );
    check(b"{\"event_type\": \"request_end\"}", "request is missing");
    check(&"[".repeat(1000).into_bytes(), "not JSON");
    let large = vec![b' '; MAX_PAYLOAD_BYTES + 1];
    assert_eq!(
        RequestTrace::read(&large),
        Err(EventError::Codec(CodecError::TooLarge(large.len())))
    );
}
