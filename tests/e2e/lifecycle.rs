//! Workers that are killed, come back, restart, or claim the same id.

use protocol::Layout;
use tests::{Collector, Micro, NatsServer, Page, TestFleet, Workers, load};

use crate::TARGET;

const ONE: [(&str, &str); 1] = [("worker_id", "1")];
const TWO: [(&str, &str); 1] = [("worker_id", "2")];

fn worker(id: u64) -> Micro {
    Micro::worker(TARGET, Layout::Hashed, Some(id))
}

fn workers_in(page: &Page, state: &str) -> f64 {
    page.sum("llm_pool_workers", &[("state", state)])
}

fn replies(page: &Page, result: &str) -> f64 {
    page.sum("llm_collector_replies_total", &[("result", result)])
}

#[tokio::test]
async fn a_worker_that_falls_silent_turns_stale_then_goes_and_its_neighbour_is_untouched() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.join(&worker(2));
    let collector = Collector::watching(&server, TARGET, &["--gone-after", "15"]).await;
    collector.has_workers(2).await;

    fleet.leave(&worker(1));
    let page = collector
        .shows("one worker is stale", |page| workers_in(page, "stale") == 1.0)
        .await;
    for gauge in [
        "llm_worker_kv_blocks_active",
        "llm_worker_requests_waiting",
        "llm_kv_blocks_active",
    ] {
        assert!(page.absent(gauge, &ONE), "{gauge}\n{page}");
    }
    assert!(
        !page.absent("llm_worker_last_seen_timestamp_seconds", &ONE),
        "{page}"
    );
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &TWO),
        Some(2.0),
        "{page}"
    );
    assert_eq!(page.value("llm_pool_kv_blocks_active", &[]), Some(2.0), "{page}");

    let page = collector
        .shows("it is gone", |page| workers_in(page, "stale") == 0.0)
        .await;
    assert!(!page.text().contains(r#"worker_id="1""#), "{page}");
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &TWO),
        Some(2.0),
        "{page}"
    );
    assert_eq!(workers_in(&page, "fresh"), 1.0, "{page}");
}

#[tokio::test]
async fn a_killed_process_takes_only_its_own_workers_with_it() {
    let server = NatsServer::start().await;
    let _staying = Workers::start(&server, &["--workers", "2", "--first-id", "1"]).await;
    let killed = Workers::start(&server, &["--workers", "2", "--first-id", "100"]).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(4).await;

    killed.kill().await;
    let page = collector
        .shows("the killed workers are gone", |page| {
            page.values_of("worker_id", "llm_worker_last_seen_timestamp_seconds")
                .len()
                == 2
        })
        .await;
    assert_eq!(workers_in(&page, "fresh"), 2.0, "{page}");
    assert!(!page.text().contains(r#"worker_id="100""#), "{page}");
}

#[tokio::test]
async fn a_worker_that_answers_again_is_fresh_again_and_did_not_restart() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.join(&worker(2));
    let collector = Collector::watching(&server, TARGET, &["--gone-after", "1000"]).await;
    collector.has_workers(2).await;
    fleet.leave(&worker(1));
    collector
        .shows("it is stale", |page| workers_in(page, "stale") == 1.0)
        .await;

    fleet.join(&worker(1));
    let page = collector.has_workers(2).await;
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &ONE),
        Some(1.0),
        "{page}"
    );
    assert_eq!(page.value("llm_worker_restarts_total", &ONE), Some(0.0), "{page}");
}

#[tokio::test]
async fn a_restart_under_the_same_id_is_counted_once_and_counters_go_on() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1).with_counters(10, 2, 4_000_000_000));
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has("nats_service_requests_total", &ONE, 10.0).await;

    fleet.leave(&worker(1));
    let again = worker(1).with_id("again").started_at("2026-01-02T03:05:00Z");
    fleet.join(&again.clone().with_counters(3, 1, 500_000_000));
    let page = collector.has("nats_service_requests_total", &ONE, 13.0).await;
    assert_eq!(page.value("nats_service_errors_total", &ONE), Some(3.0), "{page}");
    assert_eq!(
        page.value("nats_service_processing_seconds_total", &ONE),
        Some(4.5),
        "{page}"
    );
    assert_eq!(page.value("llm_worker_restarts_total", &ONE), Some(1.0), "{page}");

    fleet.join(&again.with_counters(5, 1, 500_000_000));
    let page = collector.has("nats_service_requests_total", &ONE, 15.0).await;
    assert_eq!(page.value("llm_worker_restarts_total", &ONE), Some(1.0), "{page}");
    assert_eq!(workers_in(&page, "fresh"), 1.0, "{page}");
}

#[tokio::test]
async fn counters_that_fall_without_a_new_instance_are_a_restart_too() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1).with_counters(10, 0, 0));
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has("nats_service_requests_total", &ONE, 10.0).await;
    fleet.join(&worker(1).with_counters(4, 0, 0));
    let page = collector.has("nats_service_requests_total", &ONE, 14.0).await;
    assert_eq!(page.value("llm_worker_restarts_total", &ONE), Some(1.0), "{page}");
}

#[tokio::test]
async fn a_mock_worker_started_again_with_its_id_is_the_same_worker() {
    let server = NatsServer::start().await;
    let arguments = ["--workers", "1", "--first-id", "1"];
    let first = Workers::start(&server, &arguments).await;
    let collector = Collector::watching(&server, TARGET, &["--gone-after", "1000"]).await;
    collector.has_workers(1).await;
    first.kill().await;
    let _second = Workers::start(&server, &arguments).await;
    let page = collector.has("llm_worker_restarts_total", &ONE, 1.0).await;
    assert_eq!(
        workers_in(&page, "fresh") + workers_in(&page, "stale"),
        1.0,
        "{page}"
    );
}

#[tokio::test]
async fn of_two_instances_with_one_id_the_later_is_shown_and_the_other_counts_as_duplicate() {
    // Replies come in the order of these ids, which is not always that of the starts.
    for (old, new) in [("a", "b"), ("b", "a")] {
        let server = NatsServer::start().await;
        let fleet = TestFleet::connect(&server).await;
        let old = worker(1).with_id(old).with_data(load(10));
        let new = worker(1)
            .with_id(new)
            .with_data(load(20))
            .started_at("2026-01-02T03:05:00Z");
        fleet.join(&old);
        fleet.join(&new);
        fleet.join(&worker(2));
        let collector = Collector::watching(&server, TARGET, &["--poll-interval", "500ms"]).await;

        collector.has_workers(2).await;
        let first = collector.page().await;
        let last = collector.rounds(3).await;
        for page in [&first, &last] {
            assert_eq!(
                page.value("llm_worker_kv_blocks_active", &ONE),
                Some(20.0),
                "{page}"
            );
            assert_eq!(page.value("llm_worker_restarts_total", &ONE), Some(0.0), "{page}");
            assert_eq!(
                page.value("llm_worker_kv_blocks_active", &TWO),
                Some(2.0),
                "{page}"
            );
        }
        let one_a_round =
            |page: &Page| replies(page, "duplicate") == page.sum("llm_collector_rounds_total", &[]);
        collector
            .shows("one reply of every round is a duplicate", one_a_round)
            .await;
    }
}

#[tokio::test]
async fn a_reply_that_comes_twice_is_taken_once() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(2));
    fleet.repeat(&worker(1), 3);
    let collector = Collector::watching(&server, TARGET, &["--poll-interval", "500ms"]).await;

    collector.has_workers(2).await;
    collector.rounds(2).await;
    let two_of_four = |page: &Page| replies(page, "duplicate") == replies(page, "ok");
    let page = collector
        .shows("two of four replies are duplicates", two_of_four)
        .await;
    assert_eq!(page.value("llm_worker_restarts_total", &ONE), Some(0.0), "{page}");
    assert_eq!(page.value("llm_pool_kv_blocks_active", &[]), Some(3.0), "{page}");
}

#[tokio::test]
async fn a_reply_after_the_end_of_its_round_counts_as_late_and_its_worker_stays() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.join(&worker(2));
    let collector = Collector::watching(&server, TARGET, &["--poll-interval", "2s"]).await;
    let stalls = |page: &Page| page.sum("llm_collector_rounds_total", &[("finish", "stall")]);
    let before = stalls(&collector.has_workers(2).await);
    fleet.hold(&worker(1));
    collector
        .shows("a round ended without it", |page| stalls(page) > before)
        .await;
    fleet.release(&worker(1)).await;

    let late = [("result", "late")];
    let page = collector
        .shows("it is late", |page| {
            page.sum("llm_collector_replies_total", &late) == 1.0
        })
        .await;
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &ONE),
        Some(1.0),
        "{page}"
    );
    assert_eq!(workers_in(&page, "fresh"), 2.0, "{page}");
}
