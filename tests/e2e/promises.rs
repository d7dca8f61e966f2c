//! What went wrong in the collector that this one replaces: fifteen faults, each as the promise that it cannot happen
//! here.

use std::collections::BTreeSet;
use std::net::TcpListener;

use protocol::Layout;
use rustix::process::Signal;
use serde_json::{Value, json};
use tests::{Collector, Micro, NatsServer, Page, TestFleet, Workers, finish, free_port, load, metrics};

use crate::TARGET;

fn worker(id: u64) -> Micro {
    Micro::worker(TARGET, Layout::Hashed, Some(id))
}

fn blocks(page: &Page, id: &str) -> Option<f64> {
    page.value("llm_worker_kv_blocks_active", &[("worker_id", id)])
}

fn replies(page: &Page, result: &str) -> f64 {
    page.sum("llm_collector_replies_total", &[("result", result)])
}

/// 1. It dropped a reply that did not decode, in silence, and said "No endpoints found".
#[tokio::test]
async fn a_worker_whose_reply_does_not_decode_is_named_and_counted() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1).with_data("no load at all".into()));
    let mut collector = Collector::watching(&server, TARGET, &[]).await;

    let page = collector
        .shows("its replies count as malformed", |page| {
            replies(page, "malformed") >= 1.0
        })
        .await;
    assert_eq!(replies(&page, "foreign"), 0.0, "it is the target's own\n{page}");
    let line = collector.program().says(&["WARN", TARGET, "not an object"]).await;
    assert!(line.contains("worker") || line.contains("1"), "{line}");
    let explained = finish(metrics(&["explain", TARGET, "--server", server.url()])).await;
    assert!(explained.stdout.contains("not an object"), "{explained:?}");
}

/// 2. It zipped decoded loads with the unfiltered list of endpoints.
#[tokio::test]
async fn one_bad_reply_never_moves_another_workers_numbers() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for id in 1..=9 {
        fleet.join(&worker(id));
    }
    for bad in [2, 5, 9] {
        fleet.join(&worker(bad).with_data("broken".into()));
    }
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(6).await;
    let page = collector.rounds(2).await;
    for id in 1..=9_u32 {
        let expected = (![2, 5, 9].contains(&id)).then(|| f64::from(id));
        assert_eq!(blocks(&page, &id.to_string()), expected, "worker {id}\n{page}");
    }
}

/// 3. Gauges of dead workers stayed indefinitely; with all of them dead, the average froze.
#[tokio::test]
async fn dead_workers_leave_no_gauge_behind_not_even_an_average() {
    let server = NatsServer::start().await;
    let workers = Workers::start(&server, &["--workers", "2"]).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let page = collector.has_workers(2).await;
    assert!(!page.absent("llm_load_avg", &[]), "{page}");

    workers.kill().await;
    let page = collector
        .shows("no worker is left", |page| {
            page.sum("llm_pool_workers", &[]) == 0.0
        })
        .await;
    let of_workers = page.names().into_iter().filter(|name| {
        name.starts_with("llm_load_")
            || name.starts_with("nats_service_")
            || page.values_of("worker_id", name).into_iter().next().is_some()
    });
    assert_eq!(of_workers.collect::<Vec<_>>(), Vec::<&str>::new(), "{page}");
    assert_eq!(
        page.value("llm_pool_workers", &[("state", "fresh")]),
        Some(0.0),
        "{page}"
    );
}

/// 4. It matched by `starts_with`: `my_endpoint` also took `my_endpoint_v2`.
#[tokio::test]
async fn an_endpoint_never_takes_the_workers_of_a_longer_name() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    for (longer, id) in [("my_endpoint_v2", 2), ("my_endpoint-v2", 3), ("my_endpoint2", 4)] {
        let path = format!("dynamo/my_component/{longer}");
        fleet.join(&Micro::worker(&path, Layout::Hashed, Some(id)));
    }
    let collector = Collector::watching(&server, TARGET, &["--poll-interval", "500ms"]).await;
    collector.has_workers(1).await;
    collector.rounds(2).await;
    let of_four = |page: &Page| replies(page, "foreign") == 3.0 * replies(page, "ok");
    let page = collector
        .shows("three of four replies are foreign", of_four)
        .await;
    let shown = page.values_of("worker_id", "llm_worker_info");
    assert_eq!(shown, BTreeSet::from(["1"]), "{page}");
}

/// 5. Above about 2,500 workers its aggregated event outgrew a NATS message, and the process ended.
#[tokio::test]
async fn three_thousand_workers_are_shown_and_the_collector_lives_on() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for id in 1..=3000 {
        fleet.join(&worker(id));
    }
    let mut collector = Collector::watching(&server, TARGET, &["--poll-interval", "2s"]).await;
    let page = collector.has_workers(3000).await;
    assert_eq!(blocks(&page, "777"), Some(777.0));
    collector.rounds(1).await;
    assert!(collector.program().is_running());
}

/// 6. SIGTERM took 31 seconds while no endpoint existed.
#[tokio::test]
async fn sigterm_ends_a_collector_that_has_found_no_worker() {
    let server = NatsServer::start().await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut collector = Collector::watching(&server, TARGET, &[]).await;
        collector.rounds(1).await;
        collector.program().signal(signal);
        assert_eq!(collector.program().ended().await.code(), Some(0), "{signal:?}");
    }
}

/// 7. A second collector in a namespace could not start.
#[tokio::test]
async fn a_second_collector_of_the_same_target_shows_the_same() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.join(&worker(2));
    let first = Collector::watching(&server, TARGET, &[]).await;
    let second = Collector::watching(&server, TARGET, &[]).await;
    for collector in [&first, &second] {
        let page = collector.has_workers(2).await;
        assert_eq!(
            (blocks(&page, "1"), blocks(&page, "2")),
            (Some(1.0), Some(2.0)),
            "{page}"
        );
    }
    first.rounds(2).await;
    let page = second.rounds(2).await;
    assert_eq!(
        replies(&page, "duplicate") + replies(&page, "late") + replies(&page, "foreign"),
        0.0,
        "{page}"
    );
    assert_eq!(first.stop().await, Some(0));
    let page = second.rounds(2).await;
    assert_eq!(page.sum("llm_pool_workers", &[("state", "fresh")]), 2.0, "{page}");
}

/// 8. NATS absent at start: it exited and did not try again.
#[tokio::test]
async fn a_collector_that_starts_before_nats_finds_the_workers_once_it_is_there() {
    let port = free_port();
    let collector = Collector::start(&format!("nats://127.0.0.1:{port}"), &["--target", TARGET]).await;
    collector.has("llm_collector_nats_connected", &[], 0.0).await;
    let server = NatsServer::start_on(port).await;
    let _workers = Workers::start(&server, &[]).await;
    collector.has_workers(1).await;
}

/// 9. Port in use: a panic in the background, and it ran on without a page.
#[tokio::test]
async fn a_port_in_use_ends_the_start_before_anything_else() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = finish(metrics(&[
        "--target",
        TARGET,
        "--server",
        server.url(),
        "--metrics-port",
        &port,
    ]))
    .await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains(&port) && ended.stderr.contains("--metrics-port"),
        "{ended:?}"
    );
    assert_eq!(fleet.requests("STATS", &worker(1)), 0, "nothing was asked");
}

/// 10. Averages over nothing were NaN.
#[tokio::test]
async fn nothing_is_ever_nan() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let nothing = json!({
        "request_active_slots": 0, "request_total_slots": 0, "num_requests_waiting": 0,
        "kv_active_blocks": 0, "kv_total_blocks": 0,
    });
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let has_no_nan = |page: &Page| {
        assert!(
            !page.text().contains("NaN") && !page.text().contains("Inf "),
            "{page}"
        );
    };
    has_no_nan(&collector.page().await);
    has_no_nan(&collector.rounds(1).await);
    fleet.join(&worker(1).with_data(nothing));
    fleet.join(&worker(2).with_data(Value::Null));
    let page = collector.has_workers(2).await;
    has_no_nan(&page);
    assert_eq!(page.value("llm_load_avg", &[]), Some(0.0), "{page}");
    assert!(
        page.absent("llm_pool_utilization_ratio", &[]),
        "no capacity, no ratio\n{page}"
    );
    fleet.leave(&worker(1));
    fleet.leave(&worker(2));
    has_no_nan(
        &collector
            .shows("no worker is left", |page| {
                page.sum("llm_pool_workers", &[]) == 0.0
            })
            .await,
    );
}

/// 11. Hit-rate events of every component of the namespace counted for the one that it watched.
#[tokio::test]
async fn hits_of_another_component_are_not_attributed() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.join(&Micro::worker(
        "dynamo/other/my_endpoint",
        Layout::Hashed,
        Some(2),
    ));
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(1).await;
    for (id, isl) in [(2, 100), (1, 10), (2, 100), (1, 10)] {
        let event = json!({"worker_id": id, "isl_blocks": isl, "overlap_blocks": 5});
        fleet
            .publish("namespace.dynamo.kv-hit-rate", event.to_string())
            .await;
    }
    let page = collector
        .has("llm_kv_lookup_blocks_total", &[("worker_id", "1")], 20.0)
        .await;
    assert_eq!(page.sum("llm_kv_lookup_blocks_total", &[]), 20.0, "{page}");
    assert_eq!(page.sum("llm_kv_hit_blocks_total", &[]), 10.0, "{page}");
    assert_eq!(
        page.sum("llm_collector_events_total", &[("result", "unknown_worker")]),
        2.0,
        "{page}"
    );
}

/// 12. It read worker ids as signed numbers.
#[tokio::test]
async fn ids_of_all_64_bits_are_read_from_subjects_and_from_events() {
    const ID: u64 = 12_396_905_669_333_211_951;
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(ID).with_data(load(5)));
    fleet.join(&worker(u64::MAX).with_data(load(6)));
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let page = collector.has_workers(2).await;
    assert_eq!(blocks(&page, "12396905669333211951"), Some(5.0), "{page}");
    assert_eq!(blocks(&page, "18446744073709551615"), Some(6.0), "{page}");
    for id in [ID, u64::MAX] {
        let event = json!({"worker_id": id, "isl_blocks": 10, "overlap_blocks": 4});
        fleet
            .publish("namespace.dynamo.kv-hit-rate", event.to_string())
            .await;
    }
    for id in ["12396905669333211951", "18446744073709551615"] {
        collector
            .has("llm_kv_lookup_blocks_total", &[("worker_id", id)], 10.0)
            .await;
    }
}

/// 13. Every round took its full second, though all replies were in after 15 ms.
#[tokio::test]
async fn a_round_ends_when_the_last_worker_has_answered() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "100"]).await;
    let collector = Collector::watching(&server, TARGET, &["--poll-interval", "2s"]).await;
    let first = collector.has_workers(100).await;
    let last = collector.rounds(2).await;
    let since = |name, labels: &[_]| last.sum(name, labels) - first.sum(name, labels);
    let rounds = |finish| since("llm_collector_rounds_total", &[("finish", finish)]);
    assert!(rounds("complete") >= 2.0, "{last}");
    for other in ["stall", "deadline", "error"] {
        assert_eq!(rounds(other), 0.0, "{other}, though all were known\n{last}");
    }
    assert_eq!(last.sum("llm_collector_workers_missing", &[]), 0.0, "{last}");
    // Half the deadline on average: no machine is so slow, and a round that waits for its deadline is not so fast.
    let seconds = since("llm_collector_round_duration_seconds_sum", &[]);
    assert!(seconds < rounds("complete") * 1.0, "{last}");
}

/// 14. One odd field hid its worker.
#[tokio::test]
async fn an_odd_field_costs_a_worker_that_field_alone() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let mut data = load(1);
    data["num_requests_waiting"] = json!(["seven"]);
    data["something_new"] = json!({"nested": [1, 2, 3]});
    fleet.join(&worker(1).with_data(data));
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let page = collector.has_workers(1).await;
    let this = [("worker_id", "1")];
    assert!(page.absent("llm_worker_requests_waiting", &this), "{page}");
    for (name, expected) in [
        ("llm_worker_kv_blocks_active", 1.0),
        ("llm_worker_kv_blocks_capacity", 1000.0),
        ("llm_worker_request_slots_active", 3.0),
        ("llm_worker_prefix_cache_hit_ratio", 0.25),
    ] {
        assert_eq!(page.value(name, &this), Some(expected), "{name}\n{page}");
    }
}

/// 15. During an outage of NATS it served old values as current.
#[tokio::test]
async fn no_load_is_served_while_nats_is_away() {
    let mut server = NatsServer::start_on(free_port()).await;
    let workers = Workers::start(&server, &["--workers", "2"]).await;
    let collector = Collector::watching(&server, TARGET, &["--gone-after", "1000"]).await;
    collector.has_workers(2).await;
    server.stop().await;
    let page = collector.has("llm_collector_nats_connected", &[], 0.0).await;
    let of_load = [
        "llm_worker_kv_",
        "llm_worker_request",
        "llm_pool_kv_",
        "llm_pool_request",
        "llm_load_",
        "llm_kv_blocks_",
    ];
    let served = page
        .names()
        .into_iter()
        .filter(|name| of_load.iter().any(|prefix| name.starts_with(prefix)));
    assert_eq!(served.collect::<Vec<_>>(), Vec::<&str>::new(), "{page}");
    assert_eq!(
        page.value("llm_pool_workers", &[("state", "fresh")]),
        Some(0.0),
        "{page}"
    );
    assert_eq!(workers.stop().await, Some(0));
}
