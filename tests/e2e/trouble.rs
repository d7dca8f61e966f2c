//! A silent link, rounds that bring nothing, load that nothing reports any more: the page, readiness and the log agree.

use std::time::Duration;

use protocol::Layout;
use serde_json::{Value, json};
use tests::{Collector, Micro, NatsServer, Page, TestFleet, Workers, eventually, free_port};

use crate::TARGET;

const ONE: [(&str, &str); 1] = [("worker_id", "1")];
const LOAD: &str = "namespace.dynamo.kv_metrics";
const BLOCKS: &str = "llm_worker_kv_blocks_active";

fn worker(id: u64) -> Micro {
    Micro::worker(TARGET, Layout::Hashed, Some(id))
}

fn workers_in(page: &Page, state: &str) -> f64 {
    page.sum("llm_pool_workers", &[("state", state)])
}

fn finishes(page: &Page, finish: &str) -> f64 {
    page.sum("llm_collector_rounds_total", &[("finish", finish)])
}

/// Waits until readiness and `llm_collector_up` both say this.
async fn is_up(collector: &Collector, up: bool) {
    let (status, gauge) = if up { (200, 1.0) } else { (503, 0.0) };
    eventually(
        &format!("readyz is {status} and llm_collector_up {gauge}"),
        async || {
            let seen = (
                collector.ready().await,
                collector.page().await.value("llm_collector_up", &[]),
            );
            match seen == (status, Some(gauge)) {
                true => Ok(()),
                false => Err(format!("{seen:?}")),
            }
        },
    )
    .await;
}

/// Lets rounds pass in which readiness and `llm_collector_up` must not change. That both stay up cannot be asked for: on
/// a busy machine a short round may bring nothing.
async fn stays_down(collector: &Collector) {
    for _ in 0..3 {
        let page = collector.rounds(0).await;
        assert_eq!(page.value("llm_collector_up", &[]), Some(0.0), "{page}");
        assert_eq!(collector.ready().await, 503, "{page}");
    }
}

#[tokio::test]
async fn a_silent_server_makes_workers_stale_and_never_gone_and_no_service_is_blamed() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "3"]).await;
    let mut collector = Collector::watching(&server, TARGET, &["--gone-after", "3"]).await;
    collector.has_workers(3).await;
    let errors = finishes(&collector.page().await, "error");
    let lines = collector.program().log().len();

    server.pause().await;
    collector
        .shows("all are stale", |page| workers_in(page, "stale") == 3.0)
        .await;
    is_up(&collector, false).await;
    let page = collector
        .keeps("no worker is gone", 6, |page| workers_in(page, "stale") == 3.0)
        .await;
    assert!(finishes(&page, "error") >= errors + 6.0, "{page}");
    assert!(page.absent(BLOCKS, &[]), "{page}");
    stays_down(&collector).await;
    let said = collector.program().log().split_off(lines);
    for blame in ["no reply came in time", "no worker of", "workers gone", " left: "] {
        let is_blamed = said.iter().any(|line| line.contains(blame));
        assert!(!is_blamed, "no service is blamed: {said:?}");
    }

    server.resume().await;
    let page = collector.has_workers(3).await;
    assert_eq!(page.sum("llm_worker_restarts_total", &[]), 0.0, "{page}");
    is_up(&collector, true).await;
}

#[tokio::test]
async fn readiness_the_page_and_the_log_agree_when_no_reply_can_be_read() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(1).await;
    is_up(&collector, true).await;

    fleet.leave(&worker(1));
    let garbage = worker(2);
    fleet.join_raw(&garbage.service, &garbage.id, "garbage", None);
    is_up(&collector, false).await;
    stays_down(&collector).await;
    let reason = collector.get("/readyz", &[]).await.body;
    let reason = String::from_utf8_lossy(&reason).into_owned();
    assert!(reason.contains("no valid reply"), "{reason}");
    collector.program().says(&["WARN", "cannot be read"]).await;

    fleet.leave(&garbage);
    fleet.join(&worker(1));
    is_up(&collector, true).await;
}

#[tokio::test]
async fn readiness_the_page_and_the_log_agree_when_services_are_silent() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(1).await;
    is_up(&collector, true).await;

    fleet.hold(&worker(1));
    is_up(&collector, false).await;
    stays_down(&collector).await;
    collector
        .program()
        .says(&["WARN", TARGET, "nothing else answers either"])
        .await;

    fleet.release(&worker(1)).await;
    is_up(&collector, true).await;
}

/// A worker whose load comes by events alone.
fn pushing() -> Micro {
    worker(1).with_data(Value::Null)
}

fn report(blocks: u64) -> String {
    json!({"worker_id": 1, "active_decode_blocks": blocks}).to_string()
}

#[tokio::test]
async fn load_that_events_reported_is_unknown_after_an_outage_until_it_is_reported_again() {
    let mut server = NatsServer::start_on(free_port()).await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&pushing());
    let collector = Collector::watching(&server, TARGET, &["--gone-after", "1000"]).await;
    collector.has_workers(1).await;
    fleet.publish(LOAD, report(60)).await;
    let page = collector.has(BLOCKS, &ONE, 60.0).await;
    let topic = [ONE[0], ("topic", "kv_metrics")];
    let reported = page.value("llm_worker_last_event_timestamp_seconds", &topic);
    assert!(reported.is_some_and(|at| at > 1.7e9), "{page}");

    server.stop().await;
    collector
        .shows("the load is unknown", |page| page.absent(BLOCKS, &ONE))
        .await;
    server.start_again().await;
    collector.has_workers(1).await;
    let page = collector
        .keeps("the load stays unknown", 3, |page| page.absent(BLOCKS, &ONE))
        .await;
    assert_eq!(
        page.value("llm_worker_last_event_timestamp_seconds", &topic),
        reported,
        "when it was last reported is known\n{page}"
    );

    fleet.publish(LOAD, report(30)).await;
    collector.has(BLOCKS, &ONE, 30.0).await;
}

#[tokio::test]
async fn load_that_events_reported_vanishes_at_its_greatest_age() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&pushing());
    let collector = Collector::watching(&server, TARGET, &["--event-max-age", "1s"]).await;
    collector.has_workers(1).await;
    eventually("load that is reported often is shown", async || {
        fleet.publish(LOAD, report(60)).await;
        let page = collector.page().await;
        match page.value(BLOCKS, &ONE) {
            Some(60.0) => Ok(()),
            other => Err(format!("{other:?}\n{page}")),
        }
    })
    .await;
    let page = collector
        .shows("the load vanishes and the worker stays", |page| {
            page.absent(BLOCKS, &ONE) && workers_in(page, "fresh") == 1.0
        })
        .await;
    let topic = [ONE[0], ("topic", "kv_metrics")];
    assert!(
        !page.absent("llm_worker_last_event_timestamp_seconds", &topic),
        "{page}"
    );
}

#[tokio::test]
async fn a_description_that_comes_late_overrules_what_the_subject_looks_like() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    // In the plain layout the names of the two components are one.
    let (watched, other) = ("dynamo/MyComponent/e", "dynamo/mycomponent/e");
    let mine = Micro::worker(watched, Layout::Plain, Some(1));
    let theirs = Micro::worker(other, Layout::Plain, Some(2));
    fleet.join(&mine);
    fleet.join(&theirs);
    fleet.slow("INFO", &theirs, Duration::from_secs(2));
    let collector = Collector::watching(&server, watched, &[]).await;
    collector.has_workers(2).await;
    let page = collector.has_workers(1).await;
    assert!(page.absent("llm_worker_info", &[("worker_id", "2")]), "{page}");
    let alone = |page: &Page| {
        page.values_of("worker_id", "llm_worker_info")
            .into_iter()
            .eq(["1"])
    };
    collector
        .keeps("the other component's worker is gone", 3, alone)
        .await;
}
