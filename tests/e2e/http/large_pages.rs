//! Many clients of a page with ten thousand workers: what they cost in memory and in time.

use std::time::Duration;

use futures_util::future::join_all;
use protocol::Layout;
use tests::{Collector, Micro, NatsServer, Page, TestFleet, load};
use tokio::time::Instant;

use super::attacks::{address, sent};
use crate::TARGET;

const WORKERS: u32 = 10_000;
const MIB: f64 = (1 << 20) as f64;

async fn large(more: &[&str]) -> (NatsServer, TestFleet, Collector) {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for id in 1..=WORKERS {
        let worker = Micro::worker(TARGET, Layout::Hashed, Some(id.into()));
        fleet.join(&worker.with_data(load(id.into())));
    }
    let arguments = ["--poll-interval", "3s", "--max-series", "10000000"];
    let collector = Collector::watching(&server, TARGET, &[&arguments, more].concat()).await;
    collector.has_workers(WORKERS).await;
    (server, fleet, collector)
}

fn rounds(page: &Page) -> f64 {
    page.sum("llm_collector_rounds_total", &[])
}

fn resident(page: &Page) -> f64 {
    page.value("process_resident_memory_bytes", &[])
        .expect("it is shown")
        / MIB
}

/// Waits for the next round, and returns the page after it.
async fn next_round(collector: &Collector) -> Page {
    let before = rounds(&collector.page().await);
    collector
        .shows("a round ended", |page| rounds(page) > before)
        .await
}

#[tokio::test]
async fn clients_that_read_nothing_take_two_pages_and_a_little_each_until_they_are_cut_off() {
    const CLIENTS: usize = 60;
    const BATCH: usize = 10;
    /// Of each client: its task, and what it may hold of a page.
    const BUFFER: f64 = 0.25;
    let (_server, _fleet, collector) = large(&["--http-response-timeout", "20s"]).await;
    let page = collector.page().await;
    // The largest that it has been without them.
    let mut before = 0.0_f64;
    for _ in 0..4 {
        before = before.max(resident(&next_round(&collector).await));
    }
    let address = address(&collector);
    let mut clients = Vec::new();
    let mut most = 0.0_f64;
    while clients.len() < CLIENTS {
        for _ in 0..BATCH {
            clients.push(sent(&address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await);
        }
        // Each batch asks after another round, so that it would hold a page of its own.
        most = most.max(resident(&next_round(&collector).await));
    }
    let size = page.text().len() as f64 / MIB;
    let (grown, bound) = (most - before, 2.0 * size + BUFFER * CLIENTS as f64);
    assert!(
        grown < bound,
        "{before:.0} MiB grew by {grown:.0}, more than {bound:.0}; a page has {size:.1}"
    );
    let closed = |page: &Page| {
        let closed = |reason| {
            page.sum(
                "llm_collector_http_connections_closed_total",
                &[("reason", reason)],
            )
        };
        (closed("outdated"), closed("slow_reader"))
    };
    let page = collector
        .shows("all are cut off", |page| {
            let (outdated, slow) = closed(page);
            outdated + slow >= CLIENTS as f64
        })
        .await;
    assert!(closed(&page).0 >= (CLIENTS - 3 * BATCH) as f64, "{page}");
}

#[tokio::test]
async fn many_compressed_pages_at_once_slow_neither_other_requests_nor_rounds() {
    let (_server, _fleet, collector) = large(&[]).await;
    let page = collector.rounds(1).await;
    let alive = async || {
        let asked = Instant::now();
        assert_eq!(collector.get("/healthz", &[]).await.status, 200);
        asked.elapsed()
    };
    let seconds = |from: &Page, to: &Page| {
        let added = |name| to.sum(name, &[]) - from.sum(name, &[]);
        added("llm_collector_round_duration_seconds_sum")
            / added("llm_collector_round_duration_seconds_count")
    };
    // What a single page costs on this machine, as it is now.
    let scrape = async || {
        let reply = collector.get("/metrics", &[("accept-encoding", "gzip")]).await;
        assert_eq!(reply.headers["content-encoding"], "gzip");
        reply.body
    };
    let began = Instant::now();
    scrape().await;
    let one = began.elapsed();
    let quiet = collector.rounds(2).await;
    let usual = seconds(&page, &quiet);

    let began = Instant::now();
    let mut all = std::pin::pin!(join_all((0..20).map(|_| scrape())));
    let mut slowest = Duration::ZERO;
    let pages = loop {
        tokio::select! {
            pages = &mut all => break pages,
            time = alive() => slowest = slowest.max(time),
        }
    };
    let took = began.elapsed();
    let busy = collector.rounds(1).await;
    let meanwhile = seconds(&quiet, &busy);
    let mut different: Vec<&Vec<u8>> = pages.iter().collect();
    different.sort();
    different.dedup();
    assert!(
        different.len() <= 3,
        "{} pages were compressed for 20 clients",
        different.len()
    );
    assert!(
        took < one * 6 + Duration::from_secs(1),
        "one {one:?}, 20 {took:?}"
    );
    assert!(slowest < Duration::from_millis(700), "{slowest:?}");
    assert!(
        meanwhile < 3.0 * usual + 0.3,
        "a round took {meanwhile:.3} s, and {usual:.3} s before"
    );
}
