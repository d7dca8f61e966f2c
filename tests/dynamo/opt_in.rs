//! Topics that are listened to where they are asked for: what caches store, and which requests routers assign.

use tests::{Collector, NatsServer};

use crate::TARGET;
use crate::deployment::{Deployment, RequestPlane};
use crate::release::Release;

#[tokio::test]
async fn caches_and_assigned_requests_are_counted_where_they_are_asked_for() {
    let Some(release) = Release::provided() else {
        return;
    };
    let server = NatsServer::start().await;
    let flags = ["--kv-events", "--active-sequences"];
    let collector = Collector::watching(&server, TARGET, &flags).await;
    collector.rounds(1).await;
    let dynamo = Deployment::start(release, &server, RequestPlane::Tcp).await;
    let usage = dynamo.chat(60).await;
    let page = collector
        .shows("each request had a first token, and none is left", |page| {
            page.sum("llm_worker_first_tokens_total", &[]) == usage.requests as f64
                && !page.absent("llm_worker_requests_assigned", &[])
                && page.sum("llm_worker_requests_assigned", &[]) == 0.0
        })
        .await;
    let blocks = page.sum("llm_worker_kv_blocks_stored_total", &[]);
    assert!(blocks > 0.0, "{page}");
    for counter in ["llm_worker_messages_lost_total", "llm_collector_event_gaps_total"] {
        assert_eq!(page.sum(counter, &[]), 0.0, "{counter}\n{page}");
    }
}
