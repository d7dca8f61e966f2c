//! Services that reply without end, invent instances, or come by the thousand: work is bounded, and no good worker pays.

use protocol::Layout;
use serde_json::json;
use tests::{Collector, Micro, NatsServer, Page, TestFleet, load};

use crate::TARGET;

/// Log lines that a flood may cost.
const FEW_LINES: usize = 20;

const BLOCKS: &str = "llm_worker_kv_blocks_active";

fn worker(id: u64) -> Micro {
    Micro::worker(TARGET, Layout::Hashed, Some(id))
}

fn fresh(page: &Page) -> f64 {
    page.sum("llm_pool_workers", &[("state", "fresh")])
}

fn replies(page: &Page, result: &str) -> f64 {
    page.sum("llm_collector_replies_total", &[("result", result)])
}

fn rounds(page: &Page) -> f64 {
    page.sum("llm_collector_rounds_total", &[])
}

/// Whether workers 1 and 2 are fresh, with their own numbers.
fn has_good_workers(page: &Page) -> bool {
    let blocks = |id| page.value(BLOCKS, &[("worker_id", id)]);
    blocks("1") == Some(1.0) && blocks("2") == Some(2.0)
}

/// A collector of workers 1 and 2, which it has found.
async fn watched(interval: &str) -> (NatsServer, TestFleet, Collector) {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.join(&worker(2));
    // A busy machine may let a good worker miss a round or two.
    let more = ["--poll-interval", interval, "--stale-after", "4"];
    let collector = Collector::watching(&server, TARGET, &more).await;
    collector.has_workers(2).await;
    (server, fleet, collector)
}

#[tokio::test]
async fn a_service_that_answers_two_hundred_times_costs_its_neighbours_nothing_and_few_log_lines() {
    const TIMES: usize = 200;
    let (_server, fleet, mut collector) = watched("500ms").await;
    let lines = collector.program().log().len();
    fleet.repeat(&worker(3), TIMES);
    let blocks = [("worker_id", "3")];
    collector.has(BLOCKS, &blocks, 3.0).await;
    collector
        .keeps("the good workers are fresh", 5, has_good_workers)
        .await;
    let extra = fleet.answers(&worker(3)) / TIMES * (TIMES - 1);
    fleet.leave(&worker(3));
    collector
        .shows("every further reply is counted", |page| {
            replies(page, "duplicate") + replies(page, "late") >= extra as f64
        })
        .await;
    let said = collector.program().log().len() - lines;
    assert!(said <= FEW_LINES, "{said} lines\n{:?}", collector.program().log());
}

#[tokio::test]
async fn a_service_that_never_ceases_to_reply_costs_its_neighbours_nothing_and_few_log_lines() {
    let (_server, fleet, mut collector) = watched("500ms").await;
    let lines = collector.program().log().len();
    let before = rounds(&collector.page().await);
    let endless = worker(3);
    fleet.join(&endless);
    let page = tokio::select! {
        page = collector.keeps("the good workers are fresh", 10, has_good_workers) => page,
        never = fleet.never_cease(&endless) => match never {},
    };
    assert!(replies(&page, "duplicate") >= 1000.0, "{page}");
    assert!(rounds(&page) >= before + 10.0, "{page}");
    let said = collector.program().log().len() - lines;
    assert!(said <= FEW_LINES, "{said} lines\n{:?}", collector.program().log());
    collector
        .keeps("the good workers are fresh", 2, has_good_workers)
        .await;
}

#[tokio::test]
async fn a_service_that_is_new_in_every_reply_hides_no_newcomer_and_holds_up_no_event() {
    const EVENTS: u64 = 1000;
    let (_server, fleet, mut collector) = watched("500ms").await;
    let lines = collector.program().log().len();
    let inventive = worker(99).with_id("invented");
    fleet.breed(&inventive, 50);
    collector
        .keeps("the good workers are fresh", 5, has_good_workers)
        .await;

    let joined = rounds(&collector.page().await);
    fleet.join(&worker(3));
    let three = [("worker_id", "3")];
    let page = collector.has(BLOCKS, &three, 3.0).await;
    let waited = rounds(&page) - joined;
    assert!(waited <= 4.0, "it was shown after {waited} rounds");

    let hit = json!({"worker_id": 1, "isl_blocks": 10, "overlap_blocks": 4}).to_string();
    for _ in 0..EVENTS {
        fleet.publish("namespace.dynamo.kv-hit-rate", hit.clone()).await;
    }
    let published = rounds(&collector.page().await);
    let page = collector
        .has("llm_collector_events_total", &[("result", "ok")], EVENTS as f64)
        .await;
    let waited = rounds(&page) - published;
    assert!(waited <= 4.0, "events were counted after {waited} rounds");
    assert!(has_good_workers(&page), "{page}");
    let said = collector.program().log().len() - lines;
    assert!(said <= FEW_LINES, "{said} lines\n{:?}", collector.program().log());
}

#[tokio::test]
async fn two_thousand_newcomers_behind_one_known_worker_are_shown_at_once_and_none_is_late() {
    const NEWCOMERS: u64 = 2000;
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    let more = ["--poll-interval", "2s", "--worker-series", "off"];
    let collector = Collector::watching(&server, TARGET, &more).await;
    collector.has_workers(1).await;
    for id in 0..NEWCOMERS {
        fleet.join(&worker(1000 + id));
    }
    let joined = rounds(&collector.page().await);
    let page = collector.has_workers(NEWCOMERS as u32 + 1).await;
    let waited = rounds(&page) - joined;
    assert!(waited <= 4.0, "they were shown after {waited} rounds");
    assert_eq!(replies(&page, "late"), 0.0, "no round waited for them\n{page}");
    let all = |page: &Page| fresh(page) == NEWCOMERS as f64 + 1.0;
    collector.keeps("all are fresh", 3, all).await;
}

#[tokio::test]
async fn a_hundred_targets_are_watched_by_complete_rounds_and_all_their_workers_are_fresh() {
    const TARGETS: usize = 100;
    const WORKERS: usize = 3;
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let paths: Vec<String> = (0..TARGETS).map(|n| format!("dynamo/c{n}/e")).collect();
    for (place, path) in paths.iter().enumerate() {
        for id in 0..WORKERS {
            let id = (place * WORKERS + id) as u64;
            let micro = Micro::worker(path, Layout::Hashed, Some(id));
            fleet.join(&micro.with_data(load(id)));
        }
    }
    let more = ["--poll-interval", "1s"];
    let collector = Collector::watching(&server, &paths.join(","), &more).await;
    let all = |page: &Page| fresh(page) == (TARGETS * WORKERS) as f64;
    collector.has_workers((TARGETS * WORKERS) as u32).await;
    let complete = |page: &Page, n: usize| {
        let this = format!("c{n}");
        let labels = [("dynamo_component", this.as_str()), ("finish", "complete")];
        page.value("llm_collector_rounds_total", &labels)
            .unwrap_or_default()
    };
    let before = collector.page().await;
    let page = collector.keeps("all workers are fresh", 5, all).await;
    for (n, path) in paths.iter().enumerate() {
        let rounds = complete(&page, n) - complete(&before, n);
        assert!(rounds >= 3.0, "{rounds} complete rounds of {path}\n{page}");
    }
}
