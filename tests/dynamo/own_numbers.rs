//! The collector's counters and those that the mocker itself shows on its own page.

use tests::{Collector, NatsServer, Page};

use crate::TARGET;
use crate::deployment::{Deployment, RequestPlane};
use crate::release::Release;

/// The worker of a mocker with one worker, in decimal, and how often it generated a token after a request's first.
fn own_count(page: &Page) -> (String, f64) {
    let requests = page.samples(
        "dynamo_component_requests_total",
        &[("dynamo_endpoint", "generate")],
    );
    let ids = requests.filter_map(|sample| sample.labels.get("worker_id").cloned());
    let hex = ids.last().expect("the worker's requests");
    let id = u64::from_str_radix(&hex, 16).expect("a hexadecimal id");
    (
        id.to_string(),
        page.sum("vllm:inter_token_latency_seconds_count", &[]),
    )
}

#[tokio::test]
async fn the_mockers_own_numbers_are_those_of_the_page() {
    let Some(release) = Release::provided().filter(Release::shows_own_numbers) else {
        return;
    };
    let server = NatsServer::start().await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.rounds(1).await;
    let mut dynamo = Deployment::prepare(release, &server, RequestPlane::Tcp);
    dynamo.start_mocker_with_page();
    dynamo.start_mocker_with_page();
    dynamo.start_frontend();
    dynamo.serves(2).await;
    let usage = dynamo.chat(60).await;
    let steps = (usage.completion_tokens - usage.requests) as f64;
    let page = collector
        .shows("every decode step is counted", |page| {
            page.sum("llm_worker_decode_steps_total", &[]) == steps
        })
        .await;
    let own: Vec<_> = dynamo.own_pages().await.iter().map(own_count).collect();
    assert_eq!(own.len(), 2);
    for (id, count) in own {
        let shown = page.value("llm_worker_decode_steps_total", &[("worker_id", &id)]);
        assert_eq!(shown, Some(count), "worker {id}\n{page}");
    }
}
