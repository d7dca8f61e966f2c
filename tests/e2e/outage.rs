//! NATS stops, starts, hangs, or is not there yet.

use tests::{Collector, NatsServer, Page, Workers, free_port};

use crate::TARGET;

fn knows_nothing_current(page: &Page) -> bool {
    page.value("llm_collector_nats_connected", &[]) == Some(0.0)
        && page.absent("llm_worker_kv_blocks_active", &[])
        && page.absent("llm_kv_blocks_active", &[])
        && page.absent("llm_pool_kv_blocks_active", &[])
        && page.sum("llm_pool_workers", &[("state", "fresh")]) == 0.0
}

#[tokio::test]
async fn an_outage_is_shown_at_once_and_all_comes_back_after_it() {
    let mut server = NatsServer::start_on(free_port()).await;
    let mut workers = Workers::start(&server, &["--workers", "3"]).await;
    let mut collector = Collector::watching(&server, TARGET, &["--gone-after", "1000"]).await;
    collector.has_workers(3).await;
    assert_eq!(collector.ready().await, 200);

    server.stop().await;
    let page = collector
        .shows("nothing is presented as current", knows_nothing_current)
        .await;
    assert_eq!(page.sum("llm_pool_workers", &[("state", "stale")]), 3.0, "{page}");
    assert_eq!(
        page.samples("llm_worker_last_seen_timestamp_seconds", &[])
            .count(),
        3,
        "{page}"
    );
    assert_eq!(
        (
            collector.ready().await,
            collector.get("/healthz", &[]).await.status
        ),
        (503, 200)
    );

    server.start_again().await;
    let page = collector.has_workers(3).await;
    assert_eq!(
        page.value("llm_collector_nats_connected", &[]),
        Some(1.0),
        "{page}"
    );
    assert!(
        page.sum("llm_collector_nats_reconnects_total", &[]) >= 1.0,
        "{page}"
    );
    assert_eq!(
        page.sum("llm_worker_restarts_total", &[]),
        0.0,
        "no worker restarted\n{page}"
    );
    assert_eq!(collector.ready().await, 200);
    assert!(workers.program().is_running() && collector.program().is_running());
}

#[tokio::test]
async fn nats_that_is_absent_at_start_is_waited_for() {
    let port = free_port();
    let mut collector = Collector::start(&format!("nats://127.0.0.1:{port}"), &["--target", TARGET]).await;
    let page = collector.page().await;
    assert!(knows_nothing_current(&page), "{page}");
    assert_eq!(
        (
            collector.ready().await,
            collector.get("/healthz", &[]).await.status
        ),
        (503, 200)
    );
    collector.program().says(&[&port.to_string(), "NATS"]).await;

    let server = NatsServer::start_on(port).await;
    let _workers = Workers::start(&server, &["--workers", "2"]).await;
    let page = collector.has_workers(2).await;
    assert_eq!(
        page.value("llm_collector_nats_connected", &[]),
        Some(1.0),
        "{page}"
    );
    assert_eq!(collector.ready().await, 200);
}

#[tokio::test]
async fn a_server_that_hangs_makes_workers_stale() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "2"]).await;
    let collector = Collector::watching(&server, TARGET, &["--gone-after", "1000"]).await;
    collector.has_workers(2).await;

    server.pause().await;
    let page = collector
        .shows("no worker is fresh", |page| {
            page.sum("llm_pool_workers", &[("state", "fresh")]) == 0.0
        })
        .await;
    assert!(page.absent("llm_worker_kv_blocks_active", &[]), "{page}");
    assert_eq!(page.value("llm_collector_up", &[]), Some(0.0), "{page}");

    server.resume().await;
    collector.has_workers(2).await;
    assert_eq!(collector.ready().await, 200);
}

#[tokio::test]
async fn a_stop_during_an_outage_is_as_quick_as_any() {
    let mut server = NatsServer::start_on(free_port()).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    server.stop().await;
    collector.has("llm_collector_nats_connected", &[], 0.0).await;
    assert_eq!(collector.stop().await, Some(0));
}

#[tokio::test]
async fn mock_workers_wait_for_nats_and_stop_during_an_outage() {
    let mut server = NatsServer::start_on(free_port()).await;
    let workers = Workers::start(&server, &["--workers", "2"]).await;
    server.stop().await;
    assert_eq!(workers.stop().await, Some(0));
}
