//! What a worker does at its limits: more requests than it handles, replies that are too large, an outage.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::service::async_nats::Request as Asking;
use protocol::service::{EnginePass, EventPublishError, HandlerError, ShutdownError, Worker};
use protocol::{KvHitRate, ServicePrefix, StatsReply, WorkerStats};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::bench::{Bench, PATIENCE, error_of, next, path};
use crate::on_nats;

/// As many as a runtime of tokio has for blocking work.
const THREADS: usize = 512;

on_nats! {
    async fn requests_behind_the_concurrency_are_reported_as_waiting(bench: Bench) {
        let may_end = Arc::new(Semaphore::new(0));
        let shown = may_end.clone();
        let worker = bench
            .worker(|worker| {
                worker.concurrency(2).count_requests().handler(move |request| {
                    let may_end = shown.clone();
                    async move {
                        may_end.acquire().await?.forget();
                        Ok(request.respond("done").await?)
                    }
                })
            })
            .await;
        let load = |active: u64, waiting: u64| {
            json!({
                "worker_stats": {
                    "request_active_slots": active, "request_total_slots": 2, "num_requests_waiting": waiting,
                },
                "kv_stats": {}, "spec_decode_stats": null,
            })
        };
        assert_eq!(bench.data().await, load(0, 0));
        let mut answers = Vec::new();
        for _ in 0..34 {
            answers.push(bench.ask_for_many(&worker, "").await);
        }
        bench.wait_for_data(load(2, 32)).await;
        // What the engine says of its memory stays.
        let stats = WorkerStats::builder().kv_blocks_active(3).slots_capacity(1).build().expect("in range");
        worker.set_load(stats);
        bench.wait_for_data(json!({
            "worker_stats": {"request_active_slots": 1, "request_total_slots": 1, "num_requests_waiting": 33},
            "kv_stats": {"kv_active_blocks": 3}, "spec_decode_stats": null,
        })).await;
        may_end.add_permits(34);
        for answers in &mut answers {
            assert_eq!(next(answers).await.payload, "done");
        }
        assert_eq!(bench.stats().await.requests, Some(34));
    }

    async fn requests_beyond_the_queue_are_answered_and_counted(bench: Bench) {
        let may_end = Arc::new(Semaphore::new(0));
        let shown = may_end.clone();
        let worker = bench
            .worker(|worker| {
                worker.concurrency(1).waiting_limit(1).handler(move |request| {
                    let may_end = shown.clone();
                    async move {
                        may_end.acquire().await?.forget();
                        Ok(request.respond("done").await?)
                    }
                })
            })
            .await;
        let mut taken = [bench.ask_for_many(&worker, "").await, bench.ask_for_many(&worker, "").await];
        let refused = bench.ask(&worker, "").await;
        let expected = ("503".to_owned(), "the worker is full".to_owned());
        assert_eq!(error_of(&refused), Some(expected));
        let stats = bench.stats().await;
        assert_eq!((stats.requests, stats.errors), (Some(1), Some(1)));
        may_end.add_permits(2);
        for answers in &mut taken {
            assert_eq!(next(answers).await.payload, "done");
        }
    }

    async fn requests_that_are_on_their_way_at_a_shutdown_are_answered(bench: Bench) {
        let worker = bench
            .worker(|worker| worker.handler(|request| async move { Ok(request.respond("done").await?) }))
            .await;
        let mut answers = Vec::new();
        for _ in 0..500 {
            answers.push(bench.ask_for_many(&worker, "").await);
        }
        // When this is answered, the server has had all of them, and the worker has read some.
        bench.stats().await;
        worker.shutdown(PATIENCE).await.expect("all are finished");
        for answer in join_all(answers.iter_mut().map(next)).await {
            assert_eq!(answer.payload, "done");
        }
    }

    async fn several_endpoints_are_one_service_with_counters_of_their_own(bench: Bench) {
        let worker = bench
            .worker(|worker| {
                let worker = worker.worker_id(0x1f).data(|| json!("load"));
                let worker = worker.handler(|request| async move { Ok(request.respond("own").await?) });
                worker.endpoint("clear".parse().expect("a name"), |request| async move {
                    Ok(request.respond("cleared").await?)
                })
            })
            .await;
        assert_eq!(bench.ask(&worker, "").await.payload, "own");
        for _ in 0..2 {
            let other = bench.user_side.request("dynamo_mycomponent_593024f1.clear-1f", "".into()).await;
            assert_eq!(other.expect("answered").payload, "cleared");
        }
        let endpoints = bench.reply().await.endpoints;
        let found: Vec<_> = endpoints
            .iter()
            .map(|endpoint| (endpoint.subject.as_str(), endpoint.requests, endpoint.data.clone().ok()))
            .collect();
        assert_eq!(found, [
            ("dynamo_mycomponent_593024f1.my_endpoint-1f", Some(1), Some(json!("load"))),
            ("dynamo_mycomponent_593024f1.clear-1f", Some(2), Some(json!(null))),
        ]);
        worker.shutdown(PATIENCE).await.expect("both end");
        bench.wait_until_no_worker_answers().await;
    }

    async fn load_that_is_pushed_replaces_what_was_there(bench: Bench) {
        let worker = bench.worker(|worker| worker.data(|| json!("of the closure"))).await;
        assert_eq!(bench.data().await, json!("of the closure"));
        let reporter = worker.reporter();
        let engine = std::thread::spawn(move || {
            reporter.set_load(WorkerStats::builder().requests_waiting(7).build().expect("in range"));
        });
        engine.join().expect("it sets the load");
        assert_eq!(bench.data().await["worker_stats"], json!({"num_requests_waiting": 7}));
    }

    async fn pushed_load_is_reported_where_no_thread_is_left_for_a_closure(bench: Bench) {
        let worker = bench.worker(|worker| worker.data(|| json!("of the closure"))).await;
        assert_eq!(bench.data().await, json!("of the closure"));
        // More than the runtime has for blocking work, as on a host that is busy with something else.
        let (busy, _) = tokio::sync::watch::channel(());
        let runtime = tokio::runtime::Handle::current();
        for _ in 0..THREADS {
            let (mut busy, runtime) = (busy.subscribe(), runtime.clone());
            tokio::task::spawn_blocking(move || runtime.block_on(async move { busy.changed().await.ok() }));
        }
        bench.wait_for_data(json!(null)).await;
        let stats = WorkerStats::builder().requests_waiting(7).build().expect("in range");
        worker.set_load(stats);
        for _ in 0..20 {
            assert_eq!(bench.data().await["worker_stats"], json!({"num_requests_waiting": 7}));
        }
        drop(busy);
    }

    async fn a_worker_is_asked_under_a_prefix_of_its_own(bench: Bench) {
        let prefix: ServicePrefix = "fleet.a".parse().expect("a prefix");
        let _worker = bench.worker(|worker| worker.service_prefix(prefix.clone())).await;
        let reply = bench.user_side.request(prefix.stats(), "".into()).await.expect("answered");
        assert_eq!(StatsReply::decode(&reply.payload).expect("readable").endpoints.len(), 1);
        Bench::wait_for_silence(&bench.user_side).await;
    }

    async fn a_closed_connection_is_reported(bench: Bench) {
        let worker = bench.worker(|worker| worker).await;
        bench.worker_side.drain().await.expect("it is open");
        worker.closed().await;
        let worker = bench.user_side.clone();
        let worker = Worker::builder(path()).start(worker).await.expect("it starts");
        let running = tokio::spawn(worker.run_until_signal(Duration::ZERO));
        bench.user_side.drain().await.expect("it is open");
        let ended = running.await.expect("no panic");
        assert!(matches!(ended, Err(ShutdownError::Closed)), "{ended:?}");
    }

    async fn a_signal_ends_a_worker_in_order(bench: Bench) {
        // From here on the signal does not end the process of the tests.
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("unix");
        let worker = bench.worker(|worker| worker).await;
        let running = tokio::spawn(worker.run_until_signal(PATIENCE));
        while !running.is_finished() {
            let pid = std::process::id().to_string();
            let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status();
            assert!(sent.expect("kill runs").success());
            terminate.recv().await;
            tokio::task::yield_now().await;
        }
        running.await.expect("no panic").expect("nothing was in flight");
        bench.wait_until_no_worker_answers().await;
    }

    async fn events_of_an_outage_are_dropped_or_wait_so_long_and_no_longer(bench: Bench) {
        let mut bench = bench;
        let worker = bench.worker(|worker| worker).await;
        let event = KvHitRate::new(worker.id(), 10, 4).expect("in range");
        worker.try_publish_hit_rate(&event).expect("it is connected");
        bench.lose_server().await;
        let dropped = worker.try_publish_hit_rate(&event);
        assert!(matches!(dropped, Err(EventPublishError::Dropped)), "{dropped:?}");
        let dropped = worker.try_forward_pass(&EnginePass::default());
        assert!(matches!(dropped, Err(EventPublishError::Dropped)), "{dropped:?}");
        // The connection buffers some messages before one has to wait.
        let late = loop {
            if let Err(error) = worker.publish_hit_rate(&event).await {
                break error;
            }
        };
        assert!(matches!(late, EventPublishError::TimedOut), "{late:?}");
    }
}

#[tokio::test]
async fn a_reply_above_the_servers_limit_is_cut_and_the_worker_stays() {
    let Some(program) = crate::server_program("a_reply_above_the_servers_limit_is_cut") else {
        return;
    };
    let bench = Bench::start_with(&program, "max_payload: 1024").await;
    let stats = WorkerStats::builder()
        .kv_blocks_active(42)
        .build()
        .expect("in range");
    let worker = bench
        .worker(|worker| {
            let worker = worker
                .metadata("notes", "x".repeat(2000))
                .stats(move || stats.clone());
            worker.handler(|_| async { Err(HandlerError::new(500, "e".repeat(1000))) })
        })
        .await;
    // The error's text goes into headers, so it costs the caller's answer and then the reply's `last_error`.
    let probe = Asking::new().timeout(Some(Duration::from_millis(200)));
    let _ = bench
        .user_side
        .send_request(worker.subject().to_string(), probe)
        .await;
    for _ in 0..3 {
        let stats = bench.stats().await;
        assert_eq!(stats.errors, Some(1));
        assert_eq!(stats.data.expect("readable")["kv_stats"]["kv_active_blocks"], 42);
    }
    let prefix = ServicePrefix::default();
    let info = prefix
        .info_of(worker.subject().service().as_str(), worker.instance())
        .expect("a subject");
    let info = bench
        .user_side
        .request(info, "".into())
        .await
        .expect("without the metadata");
    let info: serde_json::Value = serde_json::from_slice(&info.payload).expect("JSON");
    assert_eq!(info["metadata"], json!({}));
}
