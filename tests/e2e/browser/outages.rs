//! Old figures are never shown as live.

use tests::{Browser, Collector, NatsServer, Workers, free_port};

use super::is_clean;
use crate::TARGET;

const IS_LIVE: &str =
    "document.documentElement.dataset.live === 'true' && document.querySelector('#banner').hidden";

#[tokio::test]
async fn a_lost_connection_greys_the_page_and_it_comes_back_by_itself() {
    let Some(browser) = Browser::open("a lost connection", 1280, 900).await else {
        return;
    };
    let mut server = NatsServer::start_on(free_port()).await;
    let workers = Workers::start(&server, &["--workers", "3"]).await;
    let collector = Collector::watching(&server, TARGET, &["--gone-after", "1000"]).await;
    collector.has_workers(3).await;
    browser.go(collector.url()).await;
    browser.shows("it is live", IS_LIVE).await;
    server.stop().await;
    browser
        .shows(
            "the page is grey, under a banner with the age",
            "document.documentElement.dataset.live === 'false' \
             && getComputedStyle(document.querySelector('main')).filter.includes('grayscale') \
             && /connection to NATS is lost.*old/.test(document.querySelector('#banner').innerText)",
        )
        .await;
    server.start_again().await;
    browser.shows("it is live again", IS_LIVE).await;
    browser
        .shows(
            "with its workers",
            "document.querySelector('#pools').innerText.includes('3/3')",
        )
        .await;
    workers.kill().await;
    browser
        .shows(
            "that workers are gone is a problem",
            "document.body.innerText.includes('no worker answers')",
        )
        .await;
    is_clean(&browser, &collector, &[]).await;
}

#[tokio::test]
async fn a_collector_that_ends_leaves_no_page_that_looks_live() {
    let Some(browser) = Browser::open("a collector that ends", 1280, 900).await else {
        return;
    };
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "1"]).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(1).await;
    browser.go(&format!("{}/?pool={TARGET}", collector.url())).await;
    browser.shows("it is live", IS_LIVE).await;
    is_clean(&browser, &collector, &[]).await;
    assert_eq!(
        collector.stop().await,
        Some(0),
        "an open page does not keep it from ending"
    );
    browser
        .shows(
            "the page says so",
            "/connection to the collector is lost/.test(document.querySelector('#banner').innerText) \
             && document.documentElement.dataset.live === 'false'",
        )
        .await;
}
