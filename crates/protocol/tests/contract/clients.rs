//! STATS replies as the NATS clients of seven languages write them, today and in older versions.

use protocol::{EndpointStats, StatsReply, WorkerStats};
use serde_json::json;

/// What a reply must be read as, whoever wrote it.
struct Expected {
    requests: u64,
    errors: u64,
    processing_seconds: Option<f64>,
    kv_active: Option<u64>,
}

const WORKED: Expected = Expected {
    requests: 4,
    errors: 1,
    processing_seconds: Some(0.000_032),
    kv_active: Some(42),
};
const IDLE: Expected = Expected {
    requests: 0,
    errors: 0,
    processing_seconds: Some(0.0),
    kv_active: None,
};

fn read(client: &str, reply: &str) -> EndpointStats {
    let mut reply = StatsReply::decode(reply.as_bytes()).expect(client);
    assert_eq!(reply.refused, [], "{client}");
    assert_eq!(
        (reply.service.as_str(), reply.id.as_str(), reply.version.as_str()),
        ("svc", "VMKS", "1.2.3"),
        "{client}"
    );
    let started = reply.started.expect(client);
    assert_eq!(started.unix_timestamp(), 1_795_446_394, "{client}");
    assert_eq!(started.millisecond(), 958, "{client}");
    assert_eq!(reply.endpoints.len(), 1, "{client}");
    reply.endpoints.remove(0)
}

fn check(client: &str, reply: &str, expected: &Expected) {
    let endpoint = read(client, reply);
    assert_eq!(endpoint.subject, "svc.gen-ff", "{client}");
    assert_eq!(
        (
            endpoint.requests.unwrap_or(0),
            endpoint.errors.unwrap_or(0),
            endpoint.processing_seconds
        ),
        (expected.requests, expected.errors, expected.processing_seconds),
        "{client}"
    );
    let data = endpoint.data.expect(client);
    let reading = WorkerStats::read(&data).expect(client);
    assert_eq!(reading.refused, [], "{client}");
    assert_eq!(
        reading.stats.and_then(|stats| stats.kv_blocks_active()),
        expected.kv_active,
        "{client}"
    );
}

#[test]
fn a_worker_that_did_something_is_read_from_every_language() {
    check(
        "Go",
        r#"{"name":"svc","id":"VMKS","version":"1.2.3","metadata":{},"type":"io.nats.micro.v1.stats_response",
            "started":"2026-11-23T15:06:34.958694542Z","endpoints":[{"name":"svc-gen-ff","subject":"svc.gen-ff",
            "queue_group":"q","num_requests":4,"num_errors":1,"last_error":"500:oh no","processing_time":32000,
            "average_processing_time":8000,"data":{"kv_active_blocks":42}}]}"#,
        &WORKED,
    );
    check(
        "Rust",
        r#"{"type":"io.nats.micro.v1.stats_response","name":"svc","id":"VMKS","version":"1.2.3",
            "started":"2026-11-23T15:06:34.95869454Z","endpoints":[{"name":"svc-gen-ff","subject":"svc.gen-ff",
            "num_requests":4,"num_errors":1,"processing_time":32000,"average_processing_time":8000,
            "last_error":"500:oh no","data":{"kv_active_blocks":42},"queue_group":"q"}]}"#,
        &WORKED,
    );
    check(
        "JavaScript",
        r#"{"type":"io.nats.micro.v1.stats_response","name":"svc","id":"VMKS","version":"1.2.3",
            "started":"2026-11-23T15:06:34.958Z","endpoints":[{"name":"svc-gen-ff","subject":"svc.gen-ff",
            "queue_group":"q","num_requests":4,"num_errors":1,"processing_time":32000,
            "average_processing_time":8000.333333333333,"data":{"kv_active_blocks":42}}]}"#,
        &WORKED,
    );
    check(
        "Python",
        r#"{"type": "io.nats.micro.v1.stats_response", "name": "svc", "id": "VMKS", "version": "1.2.3",
            "started": "2026-11-23T15:06:34.958Z", "endpoints": [{"name": "svc-gen-ff", "subject": "svc.gen-ff",
            "queue_group": "q", "num_requests": 4, "num_errors": 1, "last_error": "500:oh no",
            "processing_time": 32000, "average_processing_time": 8000, "data": {"kv_active_blocks": 42}}],
            "metadata": {}}"#,
        &WORKED,
    );
    check(
        ".NET",
        r#"{"type":"io.nats.micro.v1.stats_response","id":"VMKS","name":"svc","version":"1.2.3","metadata":null,
            "endpoints":[{"name":"svc-gen-ff","subject":"svc.gen-ff","queue_group":null,"num_requests":4,
            "num_errors":1,"last_error":"oh no","data":{"kv_active_blocks":42},"processing_time":32000,
            "average_processing_time":8000}],"started":"2026-11-23T15:06:34.9586945Z"}"#,
        &WORKED,
    );
    check(
        "Java",
        r#"{"type":"io.nats.micro.v1.stats_response","id":"VMKS","name":"svc","version":"1.2.3",
            "started":"2026-11-23T15:06:34.958694542Z","endpoints":[{"name":"svc-gen-ff","subject":"svc.gen-ff",
            "num_requests":4,"num_errors":1,"processing_time":32000,"average_processing_time":8000,
            "last_error":"oh no","data":{"kv_active_blocks":42}}]}"#,
        &WORKED,
    );
    check(
        "C",
        r#"{"name":"svc","version":"1.2.3","id":"VMKS","started":"2026-11-23T15:06:34.958694542Z",
            "type":"io.nats.micro.v1.stats_response","endpoints":[{"name":"svc-gen-ff","subject":"svc.gen-ff",
            "queue_group":"q","num_requests":4,"num_errors":1,"average_processing_time":8000,
            "last_error":"oh no","data":{"kv_active_blocks":42}}]}"#,
        &Expected {
            processing_seconds: None,
            ..WORKED
        },
    );
}

#[test]
fn an_idle_worker_without_load_is_read_from_every_language() {
    fn check_endpoint(client: &str, endpoint: &str, processing_seconds: Option<f64>) {
        let reply = format!(
            r#"{{"name":"svc","id":"VMKS","version":"1.2.3","started":"2026-11-23T15:06:34.958Z",
                "type":"io.nats.micro.v1.stats_response","endpoints":[{endpoint}]}}"#
        );
        check(
            client,
            &reply,
            &Expected {
                processing_seconds,
                ..IDLE
            },
        );
    }
    check_endpoint(
        "Go",
        r#"{"name":"svc-gen-ff","subject":"svc.gen-ff","queue_group":"","num_requests":0,"num_errors":0,
            "last_error":"","processing_time":0,"average_processing_time":0}"#,
        Some(0.0),
    );
    check_endpoint(
        "Rust",
        r#"{"name":"svc-gen-ff","subject":"svc.gen-ff","num_requests":0,"num_errors":0,"processing_time":0,
            "average_processing_time":0,"last_error":"","queue_group":"q"}"#,
        Some(0.0),
    );
    check_endpoint(
        "JavaScript",
        r#"{"name":"svc-gen-ff","subject":"svc.gen-ff","queue_group":"","num_requests":0,"num_errors":0,
            "processing_time":0,"average_processing_time":0}"#,
        Some(0.0),
    );
    check_endpoint(
        "Python",
        r#"{"name": "svc-gen-ff", "subject": "svc.gen-ff", "queue_group": "q", "num_requests": 0, "num_errors": 0,
            "last_error": "", "processing_time": 0, "average_processing_time": 0, "data": null}"#,
        Some(0.0),
    );
    check_endpoint(
        ".NET",
        r#"{"name":"svc-gen-ff","subject":"svc.gen-ff","queue_group":null,"num_requests":0,"num_errors":0,
            "last_error":"","processing_time":0,"average_processing_time":0}"#,
        Some(0.0),
    );
    check_endpoint("Java", r#"{"name":"svc-gen-ff","subject":"svc.gen-ff"}"#, None);
    check_endpoint(
        "C",
        r#"{"name":"svc-gen-ff","subject":"svc.gen-ff","num_requests":0,"num_errors":0,
            "average_processing_time":"0s","last_error":""}"#,
        None,
    );
}

#[test]
fn counters_of_older_clients_are_read() {
    fn check(client: &str, counters: &str, requests: u64, processing_seconds: Option<f64>) {
        let reply = format!(
            r#"{{"name":"svc","id":"VMKS","version":"1.2.3","started":"2026-11-23T15:06:34.958Z",
                "endpoints":[{{"name":"svc-gen-ff","subject":"svc.gen-ff",{counters}}}]}}"#
        );
        let endpoint = read(client, &reply);
        assert_eq!(
            (endpoint.requests.unwrap_or(0), endpoint.processing_seconds),
            (requests, processing_seconds),
            "{client}"
        );
    }
    check(
        "C, with durations as text",
        r#""num_requests":4,"processing_time":"32µs","average_processing_time":"8µs""#,
        4,
        Some(0.000_032),
    );
    check(
        "PHP, with seconds as a float",
        r#""num_requests":4,"processing_time":0.25,"average_processing_time":0.0625"#,
        4,
        Some(0.25),
    );
    check(
        "counters as null",
        r#""num_requests":null,"num_errors":null,"processing_time":null"#,
        0,
        None,
    );
    check(
        "counters as floats",
        r#""num_requests":4.0,"processing_time":2.0"#,
        4,
        Some(2.0),
    );
    check(
        "counters of the wrong type",
        r#""num_requests":[4],"processing_time":{"nanos":4},"last_error":7"#,
        0,
        None,
    );
}

#[test]
fn a_start_time_is_read_with_three_to_nine_fractional_digits() {
    for digits in 3..=9 {
        let fraction = &"958694542"[..digits];
        let reply = format!(r#"{{"id":"VMKS","started":"2026-11-23T15:06:34.{fraction}Z"}}"#);
        let started = StatsReply::decode(reply.as_bytes())
            .expect(&reply)
            .started
            .expect(&reply);
        let nanoseconds: u32 = format!("{fraction:0<9}").parse().expect("digits");
        assert_eq!(
            (started.unix_timestamp(), started.nanosecond()),
            (1_795_446_394, nanoseconds),
            "{reply}"
        );
    }
}

#[test]
fn a_start_time_is_read_without_a_fraction_in_another_zone_and_never_costs_the_reply() {
    fn check(started: &str, expected: Option<i64>) {
        let reply = format!(r#"{{"id":"VMKS","started":{started}}}"#);
        let reply = StatsReply::decode(reply.as_bytes()).expect(started);
        let seconds = reply.started.map(time::OffsetDateTime::unix_timestamp);
        assert_eq!(seconds, expected, "{started}");
    }
    check(r#""2026-11-23T15:06:34Z""#, Some(1_795_446_394));
    check(r#""2026-11-23T16:06:34.958694+01:00""#, Some(1_795_446_394));
    check(r#""2026-11-23T15:06:34.958694542123Z""#, Some(1_795_446_394));
    check(r#""2026-11-23 15:06""#, None);
    check("1795446394", None);
    check("null", None);
}

/// `json.dumps` of Python writes what is not finite as literals that JSON does not have, and `printf` of C, which
/// hand-made replies come from, has spellings of its own. A number beyond a float is valid JSON.
#[test]
fn a_load_field_that_is_not_finite_costs_the_worker_that_field_alone() {
    for literal in [
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "-nan",
        "inf",
        "-inf",
        "1e400",
        "-1e400",
    ] {
        let reply = format!(
            r#"{{"type": "io.nats.micro.v1.stats_response", "name": "svc", "id": "VMKS", "version": "1.2.3",
                "started": "2026-11-23T15:06:34.958Z", "endpoints": [{{"name": "svc-gen-ff", "subject": "svc.gen-ff",
                "data": {{"gpu_cache_usage_perc": {literal}, "kv_active_blocks": 42}}}}]}}"#
        );
        let data = read(literal, &reply).data.expect(literal);
        let reading = WorkerStats::read(&data).expect(literal);
        let stats = reading.stats.expect(literal);
        assert_eq!(
            (stats.kv_blocks_active(), stats.kv_usage_ratio()),
            (Some(42), None),
            "{literal}"
        );
        let refused: Vec<String> = reading.refused.iter().map(ToString::to_string).collect();
        assert_eq!(refused, ["gpu_cache_usage_perc is not finite"], "{literal}");
    }
}

#[test]
fn load_numbers_are_read_in_every_way_they_are_written() {
    fn check(written: &str) {
        let reply = format!(r#"{{"id":"VMKS","endpoints":[{{"subject":"svc.gen-ff","data":{written}}}]}}"#);
        let mut reply = StatsReply::decode(reply.as_bytes()).expect(written);
        let data = reply.endpoints.remove(0).data.expect(written);
        let stats = WorkerStats::read(&data).expect(written).stats.expect(written);
        assert_eq!(
            (
                stats.kv_blocks_active(),
                stats.kv_blocks_capacity(),
                stats.kv_usage_ratio()
            ),
            (Some(42), Some(100), Some(0.5)),
            "{written}"
        );
    }
    check(r#"{"kv_active_blocks":42,"kv_total_blocks":100,"gpu_cache_usage_perc":0.5}"#);
    check(r#"{"kv_active_blocks":42.0,"kv_total_blocks":1e2,"gpu_cache_usage_perc":5e-1}"#);
    check(r#"{"kv_active_blocks":"42","kv_total_blocks":"100","gpu_cache_usage_perc":"0.5"}"#);
    check(r#"{"kv_stats":{"kv_active_blocks":42,"kv_total_blocks":100,"gpu_cache_usage_perc":0.5}}"#);
    check(
        r#"{"kv_stats":{"kv_active_blocks":42,"kv_total_blocks":100,"gpu_cache_usage_perc":0.5},
            "worker_stats":null,"spec_decode_stats":{"num_drafts":1}}"#,
    );
    check(
        r#"{"kv_active_blocks":42,"kv_total_blocks":100,"gpu_cache_usage_perc":0.5,"spec_decode_stats":null}"#,
    );
}

#[test]
fn a_section_that_is_no_object_is_refused_by_name() {
    let data = json!({"worker_stats": {"num_requests_waiting": 1}, "kv_stats": 3});
    let reading = WorkerStats::read(&data).expect("one field is good");
    assert_eq!(
        reading.refused[0].to_string(),
        "kv_stats is a number, not an object"
    );
    assert!(!reading.refused[0].fault.is_out_of_range());
}
