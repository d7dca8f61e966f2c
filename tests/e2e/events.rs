//! Hit-rate and load events: whose they are, in every encoding, and what is refused.

use protocol::{Encoding, Layout};
use serde_json::{Value, json};
use tests::{Collector, Micro, NatsServer, Page, TestFleet, Workers};

use crate::TARGET;

const HIT_RATE: &str = "namespace.dynamo.kv-hit-rate";
const LOAD: &str = "namespace.dynamo.kv_metrics";

/// A real event of Dynamo 0.9: worker 4111120194158748245, 4 blocks of 10.
const ENVELOPE: &str = "85ac7075626c69736865725f6964cf390da208f1c46255a873657175656e636505ac7075626c69736865645f6174cf000001a20909af3da5746f706963ab6b762d6869742d72617465a77061796c6f6164c43984a9776f726b65725f6964cf390da208f1c46255a764705f72616e6b00aa69736c5f626c6f636b730aae6f7665726c61705f626c6f636b7304";

fn worker(id: u64) -> Micro {
    Micro::worker(TARGET, Layout::Hashed, Some(id))
}

fn hits(worker: u64, isl: i64, overlap: i64) -> Value {
    json!({"worker_id": worker, "isl_blocks": isl, "overlap_blocks": overlap})
}

fn counted(page: &Page, id: &str) -> (Option<f64>, Option<f64>) {
    let worker = [("worker_id", id)];
    (
        page.value("llm_kv_lookup_blocks_total", &worker),
        page.value("llm_kv_hit_blocks_total", &worker),
    )
}

fn events(page: &Page, result: &str) -> f64 {
    page.sum(
        "llm_collector_events_total",
        &[("dynamo_component", "my_component"), ("result", result)],
    )
}

/// A collector of workers 1 and 2, which it has found.
async fn watched() -> (NatsServer, TestFleet, Collector) {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.join(&worker(2));
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(2).await;
    (server, fleet, collector)
}

#[tokio::test]
async fn hits_are_counted_for_the_worker_that_the_event_names_in_every_encoding() {
    let (_server, fleet, collector) = watched().await;
    let [json, packed] = [Encoding::Json, Encoding::MessagePack];
    fleet
        .publish(HIT_RATE, json.encode(&hits(1, 10, 4)).unwrap())
        .await;
    fleet
        .publish(HIT_RATE, packed.encode(&hits(1, 10, 4)).unwrap())
        .await;
    fleet
        .publish_as(
            json.content_type(),
            HIT_RATE,
            json.encode(&hits(2, 5, 0)).unwrap(),
        )
        .await;
    fleet
        .publish_as(
            packed.content_type(),
            HIT_RATE,
            packed.encode(&hits(2, 5, 5)).unwrap(),
        )
        .await;

    let page = collector
        .shows("four events are in", |page| events(page, "ok") == 4.0)
        .await;
    assert_eq!(counted(&page, "1"), (Some(20.0), Some(8.0)), "{page}");
    assert_eq!(counted(&page, "2"), (Some(10.0), Some(5.0)), "{page}");
    assert_eq!(page.value("llm_kv_hit_ratio_count", &[]), Some(4.0), "{page}");
    assert_eq!(page.value("llm_kv_hit_ratio_sum", &[]), Some(1.8), "{page}");
}

#[tokio::test]
async fn the_envelope_of_dynamo_0_9_is_opened() {
    let (_server, fleet, collector) = watched().await;
    fleet.join(&worker(4_111_120_194_158_748_245));
    collector.has_workers(3).await;
    let bytes: Vec<u8> = (0..ENVELOPE.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&ENVELOPE[at..at + 2], 16).unwrap())
        .collect();
    fleet.publish(HIT_RATE, bytes).await;
    let page = collector
        .shows("the event is in", |page| events(page, "ok") == 1.0)
        .await;
    assert_eq!(
        counted(&page, "4111120194158748245"),
        (Some(10.0), Some(4.0)),
        "{page}"
    );
}

#[tokio::test]
async fn events_of_unknown_workers_and_of_other_namespaces_are_not_attributed() {
    let (_server, fleet, collector) = watched().await;
    fleet
        .publish("namespace.prod.kv-hit-rate", hits(1, 100, 100).to_string())
        .await;
    fleet.publish(HIT_RATE, hits(77, 100, 100).to_string()).await;
    fleet.publish(HIT_RATE, hits(1, 10, 4).to_string()).await;

    let page = collector
        .shows("the worker's own event is in", |page| events(page, "ok") == 1.0)
        .await;
    assert_eq!(events(&page, "unknown_worker"), 1.0, "{page}");
    assert_eq!(counted(&page, "1"), (Some(10.0), Some(4.0)), "{page}");
    assert_eq!(page.sum("llm_kv_lookup_blocks_total", &[]), 10.0, "{page}");
    assert!(!page.text().contains(r#"worker_id="77""#), "{page}");
}

#[tokio::test]
async fn workers_of_one_id_in_two_namespaces_have_each_their_own_events() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let other = "prod/my_component/my_endpoint";
    fleet.join(&worker(1));
    fleet.join(&Micro::worker(other, Layout::Hashed, Some(1)));
    let collector = Collector::watching(&server, TARGET, &["--target", other]).await;
    collector.has_workers(2).await;
    fleet
        .publish("namespace.prod.kv-hit-rate", hits(1, 100, 90).to_string())
        .await;
    fleet.publish(HIT_RATE, hits(1, 10, 4).to_string()).await;

    let page = collector
        .shows("both events are in", |page| events(page, "ok") == 2.0)
        .await;
    for (namespace, isl) in [("dynamo", 10.0), ("prod", 100.0)] {
        let this = [("dynamo_namespace", namespace), ("worker_id", "1")];
        assert_eq!(
            page.value("llm_kv_lookup_blocks_total", &this),
            Some(isl),
            "{page}"
        );
    }
    assert_eq!(events(&page, "unknown_worker"), 0.0, "{page}");
}

#[tokio::test]
async fn load_of_an_event_ends_with_the_instance_that_published_it() {
    let (_server, fleet, collector) = watched().await;
    let silent = worker(1).with_data(Value::Null);
    fleet.join(&silent);
    let one = [("worker_id", "1")];
    collector
        .shows("worker 1 has no load", |page| {
            page.absent("llm_worker_kv_blocks_active", &one)
        })
        .await;
    fleet
        .publish(
            LOAD,
            json!({"worker_id": 1, "active_decode_blocks": 60}).to_string(),
        )
        .await;
    collector.has("llm_worker_kv_blocks_active", &one, 60.0).await;

    fleet.leave(&silent);
    fleet.join(&silent.with_id("again").started_at("2026-01-02T03:05:00Z"));
    let page = collector.has("llm_worker_restarts_total", &one, 1.0).await;
    assert!(page.absent("llm_worker_kv_blocks_active", &one), "{page}");
}

#[tokio::test]
async fn events_that_cannot_be_are_refused_and_counted_by_what_is_wrong() {
    let (_server, fleet, collector) = watched().await;
    for payload in [hits(1, 3, 4), hits(1, -3, 0), hits(1, 3, -1)] {
        fleet.publish(HIT_RATE, payload.to_string()).await;
    }
    let malformed = [
        b"".as_slice(),
        b"{",
        b"[1, 2]",
        b"\x85",
        b"\xff\xfe",
        br#"{"worker_id": 1}"#,
        br#"{"worker_id": "one", "isl_blocks": 1, "overlap_blocks": 1}"#,
        br#"{"worker_id": 1, "isl_blocks": 1.5, "overlap_blocks": 1}"#,
    ];
    for payload in malformed {
        fleet.publish(HIT_RATE, payload).await;
    }
    fleet.publish(HIT_RATE, hits(1, 10, 4).to_string()).await;

    let page = collector
        .shows("the good event is in", |page| events(page, "ok") == 1.0)
        .await;
    assert_eq!(events(&page, "out_of_range"), 3.0, "{page}");
    assert_eq!(events(&page, "malformed"), malformed.len() as f64, "{page}");
    assert_eq!(counted(&page, "1"), (Some(10.0), Some(4.0)), "{page}");
}

#[tokio::test]
async fn workers_whose_statistics_carry_no_load_get_it_by_events_and_others_do_not() {
    let (_server, fleet, collector) = watched().await;
    fleet.join(&worker(1).with_data(Value::Null));
    let one = [("worker_id", "1")];
    collector
        .shows("worker 1 has no load", |page| {
            page.absent("llm_worker_kv_blocks_active", &one)
        })
        .await;

    let nested = json!({
        "worker_stats": {"request_active_slots": 4, "request_total_slots": 8, "num_requests_waiting": 2},
        "kv_stats": {"kv_active_blocks": 50, "kv_total_blocks": 100, "gpu_cache_usage_perc": 0.5},
    });
    for id in [1, 2] {
        fleet
            .publish(LOAD, json!({"worker_id": id, "data": nested}).to_string())
            .await;
    }
    let page = collector.has("llm_worker_kv_blocks_active", &one, 50.0).await;
    for (name, expected) in [
        ("llm_worker_request_slots_active", 4.0),
        ("llm_worker_request_slots_capacity", 8.0),
        ("llm_worker_requests_waiting", 2.0),
        ("llm_worker_kv_blocks_capacity", 100.0),
        ("llm_worker_kv_usage_ratio", 0.5),
    ] {
        assert_eq!(page.value(name, &one), Some(expected), "{name}\n{page}");
    }
    let two = [("worker_id", "2")];
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &two),
        Some(2.0),
        "what it answers counts\n{page}"
    );

    fleet
        .publish(
            LOAD,
            json!({"worker_id": 1, "dp_rank": 0, "active_decode_blocks": 60}).to_string(),
        )
        .await;
    let page = collector.has("llm_worker_kv_blocks_active", &one, 60.0).await;
    assert_eq!(
        page.value("llm_worker_kv_blocks_capacity", &one),
        Some(100.0),
        "{page}"
    );
}

#[tokio::test]
async fn load_events_of_dynamo_1_4_come_at_the_endpoints_own_subject() {
    const PATH: &str = "My-NS.x/back-end/gen-erate";
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(PATH, Layout::Plain, Some(1)).with_data(Value::Null));
    let collector = Collector::watching(&server, PATH, &[]).await;
    collector.has_workers(1).await;

    let subject =
        |endpoint: &str| format!("namespace.My-NS%2Ex.component.back-end.endpoint.{endpoint}.kv_metrics");
    let blocks = |blocks: u64| {
        let event = json!({"worker_id": 1, "dp_rank": 0, "active_decode_blocks": null, "active_prefill_tokens": null,
                           "kv_used_blocks": blocks});
        Encoding::MessagePack.encode(&event).unwrap()
    };
    fleet.publish(&subject("gen-erate2"), blocks(7)).await;
    fleet.publish(&subject("gen-erate"), blocks(42)).await;
    let page = collector
        .has("llm_worker_kv_blocks_active", &[("worker_id", "1")], 42.0)
        .await;
    assert_eq!(
        page.sum("llm_collector_events_total", &[("result", "ok")]),
        1.0,
        "that of another endpoint does not come\n{page}"
    );

    // A router's estimate, published for the whole namespace, is read and does not count.
    let estimate =
        json!({"worker_id": 1, "dp_rank": 0, "active_decode_blocks": 3, "active_prefill_tokens": 9});
    fleet
        .publish("namespace.My-NS.x.kv_metrics", estimate.to_string())
        .await;
    let page = collector
        .shows("the estimate is in", |page| {
            page.sum("llm_collector_events_total", &[("result", "ok")]) == 2.0
        })
        .await;
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &[("worker_id", "1")]),
        Some(42.0),
        "{page}"
    );
}

#[tokio::test]
async fn mock_workers_events_add_up_to_what_their_collector_counts() {
    let server = NatsServer::start().await;
    for encoding in ["json", "msgpack"] {
        let component = format!("c-{encoding}");
        let arguments = [
            "--workers",
            "2",
            "--event-interval",
            "100ms",
            "--encoding",
            encoding,
            "--component",
        ];
        let workers = Workers::start(&server, &[arguments.as_slice(), &[&component]].concat()).await;
        let collector = Collector::watching(&server, &format!("dynamo/{component}/my_endpoint"), &[]).await;
        let page = collector
            .shows("both workers have looked blocks up", |page| {
                page.samples("llm_kv_lookup_blocks_total", &[])
                    .filter(|sample| sample.value > 0.0)
                    .count()
                    == 2
            })
            .await;
        assert_eq!(
            page.sum("llm_collector_events_total", &[("result", "malformed")]),
            0.0,
            "{page}"
        );
        assert_eq!(
            page.sum("llm_collector_events_total", &[("result", "out_of_range")]),
            0.0,
            "{page}"
        );
        let (lookups, found) = (
            page.sum("llm_kv_lookup_blocks_total", &[]),
            page.sum("llm_kv_hit_blocks_total", &[]),
        );
        assert!(found <= lookups, "{page}");
        assert_eq!(workers.stop().await, Some(0));
    }
}
