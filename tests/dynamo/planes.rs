//! Requests over NATS: workers answer for themselves and publish events, and are one worker each all the same.

use tests::{Collector, NatsServer};

use crate::TARGET;
use crate::deployment::{Deployment, RequestPlane};
use crate::listener::Listener;
use crate::release::Release;

#[tokio::test]
async fn workers_that_answer_and_publish_are_shown_once() {
    let Some(release) = Release::provided() else {
        return;
    };
    let server = NatsServer::start().await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.rounds(1).await;
    let listener = Listener::start(&server).await;
    let dynamo = Deployment::start(release, &server, RequestPlane::Nats).await;
    let usage = dynamo.chat(60).await;
    let steps = usage.completion_tokens - usage.requests;
    let heard = listener
        .hears("every decode step was heard", |heard| {
            heard.decode_steps() == steps
        })
        .await;

    let page = collector
        .shows("the page counts every decode step", |page| {
            page.sum("llm_worker_decode_steps_total", &[]) == steps as f64
        })
        .await;
    assert_eq!(heard.workers.len(), 2, "{heard:#?}");
    for id in heard.workers.keys() {
        let id = id.to_string();
        let info = [("worker_id", id.as_str()), ("source", "srv,events")];
        assert_eq!(page.value("llm_worker_info", &info), Some(1.0), "{page}");
    }
    assert_eq!(page.sum("llm_worker_info", &[]), 2.0, "{page}");
    assert_eq!(page.sum("llm_pool_workers", &[("state", "fresh")]), 2.0, "{page}");
    assert_eq!(page.sum("llm_pool_workers", &[]), 2.0, "{page}");
}
