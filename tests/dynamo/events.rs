//! Workers that nothing but their events shows: today's usual deployment, with requests over TCP.

use tests::{Collector, NatsServer, Page, finish, metrics};

use crate::TARGET;
use crate::deployment::{Deployment, RequestPlane};
use crate::listener::{Heard, Listener, Worker};
use crate::release::Release;

/// The counters of a worker, and what the listener added up for each.
fn counters(worker: &Worker) -> [(&'static str, u64); 3] {
    [
        ("llm_worker_forward_passes_total", worker.passes),
        ("llm_worker_prefill_tokens_total", worker.prefill_tokens),
        ("llm_worker_decode_steps_total", worker.decode_steps),
    ]
}

/// Whether the page counts what the listener heard, worker by worker.
fn agrees(page: &Page, heard: &Heard) -> bool {
    heard.workers.len() == 2
        && heard.workers.iter().all(|(id, worker)| {
            let id = id.to_string();
            let labels = [("worker_id", id.as_str())];
            let agrees = |(name, counted): (&str, u64)| page.value(name, &labels) == Some(counted as f64);
            counters(worker).into_iter().all(agrees)
        })
}

#[tokio::test]
async fn the_page_counts_what_an_independent_listener_hears() {
    let Some(release) = Release::provided() else {
        return;
    };
    let server = NatsServer::start().await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    // After a round it has subscribed for sure, so it misses no message that the listener hears.
    collector.rounds(1).await;
    let listener = Listener::start(&server).await;
    let dynamo = Deployment::start(release, &server, RequestPlane::Tcp).await;
    collector.has_workers(2).await;
    let usage = dynamo.chat(60).await;

    let steps = usage.completion_tokens - usage.requests;
    let heard = listener
        .hears("every decode step was heard", |heard| {
            heard.decode_steps() == steps
        })
        .await;
    let page = collector
        .shows(&format!("the page agrees with {:#?}", heard.workers), |page| {
            agrees(page, &listener.heard())
        })
        .await;
    for id in heard.workers.keys() {
        let id = id.to_string();
        let info = [("worker_id", id.as_str()), ("source", "events")];
        assert_eq!(page.value("llm_worker_info", &info), Some(1.0), "{page}");
        let passes = page.value("llm_worker_forward_passes_total", &info[..1]);
        assert!(passes.is_some_and(|passes| passes > 0.0), "{page}");
    }
    assert_eq!(page.sum("llm_worker_info", &[]), 2.0, "{page}");
    assert_eq!(page.sum("llm_pool_workers", &[]), 2.0, "{page}");
    assert_eq!(
        page.sum("llm_collector_events_total", &[("result", "malformed")]),
        0.0,
        "{page}"
    );

    if dynamo.release().traces_requests() {
        let tokens = usage.completion_tokens as f64;
        // Records name the workers from 1.5 on; without, they are no pool's.
        let (family, joined) = match dynamo.release().traces_latencies() {
            true => ("llm_request_output_tokens_sum", "yes"),
            false => ("llm_frontend_request_output_tokens_sum", "no"),
        };
        let page = collector
            .shows("every output token of the answers is counted", |page| {
                page.sum(family, &[]) == tokens
            })
            .await;
        let requests = page.sum("llm_frontend_requests_total", &[("joined", joined)]);
        assert_eq!(requests, 60.0, "{page}");
    }
    if dynamo.release().traces_latencies() {
        let page = collector.page().await;
        assert_eq!(page.sum("llm_request_ttft_seconds_count", &[]), 60.0, "{page}");
        let inputs = page.sum("llm_request_input_tokens_sum", &[]);
        assert_eq!(inputs, usage.prompt_tokens as f64, "{page}");
    }
}

#[tokio::test]
async fn list_names_the_pool_of_idle_workers() {
    let Some(release) = Release::provided() else {
        return;
    };
    let server = NatsServer::start().await;
    let dynamo = Deployment::start(release, &server, RequestPlane::Tcp).await;
    let listed = finish(metrics(&["list", "--server", server.url()])).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    // Up to 1.3 the events of a worker name its component alone.
    let pool = if dynamo.release().names_endpoints() {
        TARGET
    } else {
        "dynamo/backend"
    };
    assert!(listed.stdout.contains(pool), "{}", listed.stdout);
}
