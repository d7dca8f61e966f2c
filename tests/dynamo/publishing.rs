//! What a real Dynamo publishes: the facts on which the collector relies, without the collector.

use tests::NatsServer;

use crate::deployment::{Deployment, MAX_TOKENS, RequestPlane};
use crate::listener::{Heard, Listener};
use crate::release::Release;

#[tokio::test]
async fn workers_publish_every_pass_and_a_heartbeat_each_second() {
    let Some(release) = Release::provided() else {
        return;
    };
    let server = NatsServer::start().await;
    let listener = Listener::start(&server).await;
    let dynamo = Deployment::start(release, &server, RequestPlane::Tcp).await;
    let usage = dynamo.chat(60).await;
    assert_eq!((usage.requests, usage.completion_tokens), (60, 60 * MAX_TOKENS));

    // The first token of a request comes out of the pass that ends its prefill, so it is no decode step.
    let steps = usage.completion_tokens - usage.requests;
    let heard = listener
        .hears(
            "every decode step was heard, and idle workers after it",
            |heard| heard.decode_steps() == steps && idle(heard),
        )
        .await;
    assert_eq!(heard.unreadable, Vec::<String>::new());
    assert_eq!(heard.workers.len(), 2, "{heard:#?}");
    let subject = if dynamo.release().names_endpoints() {
        "namespace.dynamo.component.backend.endpoint.generate.forward-pass-metrics"
    } else {
        "namespace.dynamo.component.backend.forward-pass-metrics"
    };
    for (id, worker) in &heard.workers {
        assert_eq!(worker.subjects, [subject.to_owned()].into(), "{id}");
        assert!(
            worker.passes > 0 && worker.prefill_tokens > 0,
            "{id}: {worker:#?}"
        );
        assert_eq!(worker.lost, 0, "{id}: {worker:#?}");
    }
    let prompts = heard
        .workers
        .values()
        .map(|worker| worker.prefill_tokens + worker.cached_tokens);
    assert_eq!(prompts.sum::<u64>(), usage.prompt_tokens, "{heard:#?}");
}

/// Whether every worker has sent three heartbeats.
fn idle(heard: &Heard) -> bool {
    heard.workers.values().all(|worker| worker.heartbeats >= 3)
}

#[tokio::test]
async fn the_frontend_publishes_a_record_of_each_request() {
    let Some(release) = Release::provided() else {
        return;
    };
    let server = NatsServer::start().await;
    let listener = Listener::start(&server).await;
    let dynamo = Deployment::start(release, &server, RequestPlane::Tcp).await;
    let usage = dynamo.chat(60).await;
    if !dynamo.release().traces_requests() {
        assert_eq!(listener.heard().traces.len(), 0);
        return;
    }
    let heard = listener
        .hears("60 requests were traced", |heard| heard.traces.len() >= 60)
        .await;
    assert_eq!(heard.traces.len(), 60);
    let outputs: u64 = heard.traces.iter().map(|trace| trace.output_tokens).sum();
    assert_eq!(outputs, usage.completion_tokens);
    if dynamo.release().traces_latencies() {
        for trace in &heard.traces {
            let worker = trace.worker.as_ref().expect("it names its worker");
            assert!(heard.workers.contains_key(&worker.decode_worker_id), "{heard:#?}");
            assert!(trace.ttft_ms.is_some_and(|ms| ms > 0.0), "{trace:?}");
        }
        let inputs: u64 = heard.traces.iter().filter_map(|trace| trace.input_tokens).sum();
        assert_eq!(inputs, usage.prompt_tokens);
    }
}

#[tokio::test]
async fn a_killed_mocker_falls_silent_and_the_other_does_not() {
    let Some(release) = Release::provided() else {
        return;
    };
    let server = NatsServer::start().await;
    let listener = Listener::start(&server).await;
    let mut dynamo = Deployment::prepare(release, &server, RequestPlane::Tcp);
    dynamo.start_mocker(1);
    let heard = listener
        .hears("the first worker", |heard| heard.workers.len() == 1)
        .await;
    let first = *heard.workers.keys().next().expect("one was heard");
    dynamo.start_mocker(1);
    let lives = |heard: &Heard, beats| {
        let mut others = heard.workers.iter().filter(|(id, _)| **id != first);
        others.any(|(_, worker)| worker.heartbeats >= beats)
    };
    listener.hears("the second worker", |heard| lives(heard, 1)).await;

    dynamo.kill_mocker().await;
    let beats = |heard: &Heard| -> u64 { heard.workers.values().map(|worker| worker.heartbeats).sum() };
    let more = async |count| {
        let wanted = beats(&listener.heard()) + count;
        listener
            .hears("heartbeats went on", |heard| beats(heard) >= wanted)
            .await
    };
    // What it had sent before its end has arrived by then.
    let soon = more(2).await;
    let later = more(3).await;
    let of_the_killed = |heard: &Heard| heard.workers[&first].heartbeats;
    assert_eq!(of_the_killed(&later), of_the_killed(&soon), "{later:#?}");
}
