//! A mocker that is killed: its workers leave the page, and those of another stay.

use std::time::Duration;

use tests::{Collector, NatsServer, Page};
use tokio::time::timeout;

use crate::TARGET;
use crate::deployment::{Deployment, RequestPlane};
use crate::listener::Listener;
use crate::release::Release;

/// What the collector is asked to wait for a silent worker.
const GONE_AFTER: &str = "3s";
/// More than twice that, because the machine is busy with a Dynamo.
const SURELY_GONE: Duration = Duration::from_secs(8);
/// Rounds of 200 ms: longer than `GONE_AFTER`.
const ROUNDS: u32 = 25;

fn shows_worker(page: &Page, id: u64) -> bool {
    !page.absent("llm_worker_info", &[("worker_id", &id.to_string())])
}

#[tokio::test]
async fn the_workers_of_a_killed_process_leave_and_idle_ones_stay() {
    let Some(release) = Release::provided() else {
        return;
    };
    let server = NatsServer::start().await;
    let collector = Collector::watching(&server, TARGET, &["--event-gone-after", GONE_AFTER]).await;
    let listener = Listener::start(&server).await;
    let mut dynamo = Deployment::prepare(release, &server, RequestPlane::Tcp);
    dynamo.start_mocker(1);
    let heard = listener
        .hears("the first worker", |heard| heard.workers.len() == 1)
        .await;
    let first = *heard.workers.keys().next().expect("one was heard");
    dynamo.start_mocker(1);
    let heard = listener
        .hears("the second worker", |heard| heard.workers.len() == 2)
        .await;
    let second = *heard
        .workers
        .keys()
        .find(|id| **id != first)
        .expect("two were heard");
    collector.has_workers(2).await;
    collector
        .keeps("idle workers are fresh by their heartbeats", ROUNDS, |page| {
            page.sum("llm_pool_workers", &[("state", "fresh")]) == 2.0
        })
        .await;

    dynamo.kill_mocker().await;
    let gone = collector.shows("the killed worker is gone", |page| !shows_worker(page, first));
    let page = timeout(SURELY_GONE, gone)
        .await
        .unwrap_or_else(|_| panic!("the killed worker is on the page after {SURELY_GONE:?}"));
    assert!(shows_worker(&page, second), "{page}");
    assert_eq!(page.sum("llm_pool_workers", &[]), 1.0, "{page}");
    collector
        .keeps("the other worker stays fresh", ROUNDS, |page| {
            page.sum("llm_pool_workers", &[("state", "fresh")]) == 1.0 && shows_worker(page, second)
        })
        .await;
}
