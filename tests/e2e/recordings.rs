//! Messages of real Dynamo workers, byte for byte, read with exact numbers.

use tests::{Collector, NatsServer, Page, Recording, TestFleet};

use crate::TARGET;

#[tokio::test]
async fn workers_of_dynamo_0_1_1_are_read_exactly() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join_recording(&Recording::of("dynamo-0.1.1"));
    let more = [
        "--target",
        "dynamo/MyComponent/my_endpoint",
        "--target",
        "dynamo/backend/generate",
        "--target",
        "dynamo/backend/load_metrics",
        "--target",
        "My-NS.x/back-end/gen-erate",
    ];
    let collector = Collector::watching(&server, TARGET, &more).await;

    let page = collector.has_workers(6).await;
    for (component, endpoint, id, started) in [
        (
            "my_component",
            "my_endpoint",
            "4111120194158748168",
            1_795_446_394.958_694_5,
        ),
        (
            "my_component",
            "my_endpoint",
            "4111120194158748179",
            1_795_446_394.972_197_3,
        ),
        (
            "MyComponent",
            "my_endpoint",
            "4111120194158748170",
            1_795_446_394.965_717_6,
        ),
        (
            "backend",
            "generate",
            "4111120194158748177",
            1_795_446_394.973_444_7,
        ),
    ] {
        let worker = [
            ("dynamo_namespace", "dynamo"),
            ("dynamo_component", component),
            ("dynamo_endpoint", endpoint),
            ("worker_id", id),
        ];
        for (name, expected) in [
            ("llm_worker_request_slots_active", 3.0),
            ("llm_worker_request_slots_capacity", 100.0),
            ("llm_worker_requests_waiting", 7.0),
            ("llm_worker_kv_blocks_active", 42.0),
            ("llm_worker_kv_blocks_capacity", 100.0),
            ("llm_worker_kv_usage_ratio", 0.42),
            ("llm_worker_prefix_cache_hit_ratio", 0.25),
            ("nats_service_requests_total", 0.0),
            ("nats_service_errors_total", 0.0),
            ("nats_service_processing_seconds_total", 0.0),
            ("llm_worker_restarts_total", 0.0),
        ] {
            assert_eq!(
                page.value(name, &worker),
                Some(expected),
                "{name}{worker:?}\n{page}"
            );
        }
        let read = page
            .value("nats_service_start_time_seconds", &worker)
            .expect("it says when it started");
        assert!((read - started).abs() < 1e-3, "{read} is not {started}");
        let upstream = [
            ("component", component),
            ("endpoint", endpoint),
            ("worker_id", id),
        ];
        assert_eq!(
            page.value("llm_kv_blocks_active", &upstream),
            Some(42.0),
            "{page}"
        );
        let info = [
            ("worker_id", id),
            ("layout", "hashed"),
            ("schema", "flat"),
            ("version", "0.0.1"),
        ];
        assert_eq!(page.value("llm_worker_info", &info), Some(1.0), "{page}");
    }
    let hex = [
        ("worker_id", "4111120194158748168"),
        ("worker_hex", "390da208f1c46208"),
    ];
    assert_eq!(page.value("llm_worker_info", &hex), Some(1.0), "{page}");
    for (endpoint, id) in [
        ("load_metrics", "4111120194158748172"),
        ("gen-erate", "4111120194158748166"),
    ] {
        let worker = [("dynamo_endpoint", endpoint), ("worker_id", id)];
        assert_eq!(
            page.value("nats_service_requests_total", &worker),
            Some(0.0),
            "{page}"
        );
        assert!(
            page.absent("llm_worker_kv_blocks_active", &worker),
            "null is no load\n{page}"
        );
    }
}

#[tokio::test]
async fn events_of_dynamo_0_1_1_are_attributed_to_the_worker_that_they_name() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let recording = Recording::of("dynamo-0.1.1");
    fleet.join_recording(&recording);
    let more = [
        "--target",
        "dynamo/backend/load_metrics",
        "--target",
        "My-NS.x/back-end/gen-erate",
    ];
    let collector = Collector::watching(&server, TARGET, &more).await;
    collector.has_workers(4).await;
    publish_all(&fleet, &recording).await;

    let page = collector
        .shows("all four hit-rate events are counted", |page| {
            page.sum("llm_kv_lookup_blocks_total", &[]) == 40.0
        })
        .await;
    for (id, events) in [
        ("4111120194158748172", 1.0),
        ("4111120194158748168", 1.0),
        ("4111120194158748166", 2.0),
    ] {
        let worker = [("worker_id", id)];
        assert_eq!(
            page.value("llm_kv_lookup_blocks_total", &worker),
            Some(10.0 * events),
            "{page}"
        );
        assert_eq!(
            page.value("llm_kv_hit_blocks_total", &worker),
            Some(4.0 * events),
            "{page}"
        );
        assert_eq!(
            page.value("llm_kv_hit_rate_isl_blocks", &worker),
            Some(10.0 * events),
            "{page}"
        );
        assert_eq!(
            page.value("llm_kv_hit_rate_overlap_blocks", &worker),
            Some(4.0 * events),
            "{page}"
        );
    }
}

#[tokio::test]
async fn workers_of_dynamo_0_5_1_are_read_exactly() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join_recording(&Recording::of("dynamo-0.5.1"));
    let collector = Collector::watching(&server, "dynamo/MyComponent/my_endpoint", &[]).await;

    let page = collector.has_workers(2).await;
    check_nested(
        &page,
        "4111120194158748263",
        [
            15.0,
            100.0,
            52.0,
            21.0,
            100.0,
            0.551_920_175_552_368_2,
            0.916_491_627_693_176_3,
        ],
    );
    check_nested(
        &page,
        "4111120194158748265",
        [
            53.0,
            100.0,
            47.0,
            35.0,
            100.0,
            0.508_076_667_785_644_5,
            0.565_357_446_670_532_2,
        ],
    );
    let pool = [("component", "MyComponent"), ("endpoint", "my_endpoint")];
    assert_eq!(page.value("llm_load_avg", &pool), Some(28.0), "{page}");
    assert_eq!(page.value("llm_load_std", &pool), Some(7.0), "{page}");
}

fn check_nested(page: &Page, id: &str, expected: [f64; 7]) {
    let names = [
        "llm_worker_request_slots_active",
        "llm_worker_request_slots_capacity",
        "llm_worker_requests_waiting",
        "llm_worker_kv_blocks_active",
        "llm_worker_kv_blocks_capacity",
        "llm_worker_kv_usage_ratio",
        "llm_worker_prefix_cache_hit_ratio",
    ];
    for (name, expected) in names.into_iter().zip(expected) {
        assert_eq!(
            page.value(name, &[("worker_id", id)]),
            Some(expected),
            "{name} of {id}\n{page}"
        );
    }
    let info = [
        ("worker_id", id),
        ("layout", "plain"),
        ("schema", "nested"),
        ("dynamo_component", "MyComponent"),
    ];
    assert_eq!(page.value("llm_worker_info", &info), Some(1.0), "{page}");
}

#[tokio::test]
async fn workers_of_dynamo_0_8_1_are_present_without_load_and_get_it_by_events() {
    const LARGE: &str = "12396905669333211951";
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let recording = Recording::of("dynamo-0.8.1-filekv");
    fleet.join_recording(&recording);
    let collector = Collector::watching(&server, TARGET, &[]).await;

    let page = collector.has_workers(4).await;
    for id in [
        LARGE,
        "188560438806083792",
        "5337615993983995114",
        "3432663546288246220",
    ] {
        let worker = [("worker_id", id)];
        assert_eq!(
            page.value("nats_service_requests_total", &worker),
            Some(0.0),
            "{page}"
        );
        assert!(page.absent("llm_worker_kv_blocks_active", &worker), "{page}");
        let info = [
            ("worker_id", id),
            ("schema", "none"),
            ("version", "0.8.1"),
            ("layout", "plain"),
        ];
        assert_eq!(page.value("llm_worker_info", &info), Some(1.0), "{page}");
    }

    publish_all(&fleet, &recording).await;
    let page = collector
        .shows("two workers have load by events", |page| {
            page.sum("llm_worker_kv_blocks_active", &[]) == 84.0
        })
        .await;
    for id in [LARGE, "3432663546288246220"] {
        let worker = [("worker_id", id)];
        assert_eq!(
            page.value("llm_worker_kv_blocks_active", &worker),
            Some(42.0),
            "{page}"
        );
        assert_eq!(
            page.value("llm_kv_lookup_blocks_total", &worker),
            Some(10.0),
            "{page}"
        );
        assert_eq!(
            page.value("llm_kv_hit_blocks_total", &worker),
            Some(4.0),
            "{page}"
        );
    }
    assert!(
        page.absent(
            "llm_worker_kv_blocks_active",
            &[("worker_id", "188560438806083792")]
        ),
        "{page}"
    );
}

async fn publish_all(fleet: &TestFleet, recording: &Recording) {
    for (subject, payload) in &recording.events {
        fleet.publish(subject, payload.clone()).await;
    }
}
