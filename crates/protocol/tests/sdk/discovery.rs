//! Being found, with one's load, whatever the stats closure does.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use protocol::service::async_nats::HeaderValue;
use protocol::service::{StartError, Worker};
use protocol::{
    Description, Encoding, KvHitRate, KvMetrics, Layout, ServicePrefix, StatsShape, WorkerId, WorkerStats,
    subject,
};
use serde_json::{Value, json};

use crate::bench::{Bench, PATIENCE, next, path};
use crate::on_nats;

on_nats! {
    async fn a_started_worker_is_found_at_once_with_its_load(bench: Bench) {
        let worker = bench
            .worker(|worker| {
                let stats = WorkerStats::builder().kv_blocks_active(42).kv_blocks_capacity(100).build().expect("in range");
                let worker = worker.worker_id(0x1f).version("1.2.3").stats(move || stats.clone());
                worker.metadata("model", "tiny").metadata("pod", "b-7f")
            })
            .await;
        let reply = bench.reply().await;
        assert_eq!(reply.service, "dynamo_mycomponent_593024f1");
        assert_eq!((reply.id.as_str(), reply.version.as_str()), (worker.instance(), "1.2.3"));
        assert_eq!(reply.endpoints.len(), 1);
        let endpoint = &reply.endpoints[0];
        assert_eq!(endpoint.subject, "dynamo_mycomponent_593024f1.my_endpoint-1f");
        assert_eq!(endpoint.name, "dynamo_mycomponent_593024f1-my_endpoint-1f");
        let reading = WorkerStats::read(endpoint.data.as_ref().expect("readable")).expect("usable");
        assert_eq!(reading.shape, Some(StatsShape::Nested));
        assert_eq!(reading.stats.and_then(|stats| stats.kv_blocks_active()), Some(42));

        let info = ServicePrefix::default().info_of(&reply.service, &reply.id).expect("both fit a subject");
        let info = bench.user_side.request(info, "".into()).await.expect("answered").payload;
        let description = Description::from_info_reply(&info).expect("in Dynamo's form");
        assert_eq!(description.component.as_str(), "MyComponent");
        let info: Value = serde_json::from_slice(&info).expect("JSON");
        assert_eq!(info["endpoints"][0]["queue_group"], subject::QUEUE_GROUP);
        assert_eq!(info["metadata"]["model"], "tiny");
        assert_eq!(info["metadata"]["pod"], "b-7f");
        assert!(info["metadata"]["host"].is_string(), "{info}");
    }

    async fn many_workers_of_one_process_are_all_found(bench: Bench) {
        let mut workers = Vec::new();
        for id in 0..100_u64 {
            workers.push(bench.worker(|worker| worker.worker_id(id).layout(Layout::Plain)).await);
        }
        let inbox = bench.user_side.new_inbox();
        let mut replies = bench.user_side.subscribe(inbox.clone()).await.expect("connected");
        bench.user_side.publish_with_reply(ServicePrefix::default().stats(), inbox, "".into()).await.expect("connected");
        let mut found = Vec::new();
        for _ in &workers {
            let reply = protocol::StatsReply::decode(&next(&mut replies).await.payload).expect("readable");
            found.push(reply.endpoints[0].subject.clone());
        }
        let mut expected: Vec<_> = workers.iter().map(|worker| worker.subject().to_string()).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    async fn a_worker_without_stats_is_found_too(bench: Bench) {
        let _worker = bench.worker(|worker| worker).await;
        assert_eq!(bench.data().await, Value::Null);
    }

    async fn a_stats_closure_that_panics_costs_one_reply_its_load_and_nothing_else(bench: Bench) {
        let panics = Arc::new(AtomicBool::new(true));
        let shown = panics.clone();
        let worker = bench
            .worker(|worker| {
                worker
                    .data(move || {
                        assert!(!shown.load(Ordering::Relaxed), "on purpose");
                        json!("well")
                    })
                    .handler(|request| async move { Ok(request.respond("here").await?) })
            })
            .await;
        assert_eq!(bench.data().await, Value::Null);
        // The mutex of async-nats is not poisoned: requests are served, and counted.
        assert_eq!(bench.ask(&worker, "").await.payload, "here");
        assert_eq!(bench.stats().await.requests, Some(1));
        panics.store(false, Ordering::Relaxed);
        bench.wait_for_data("well").await;
    }

    async fn a_stats_closure_that_hangs_delays_no_other_reply(bench: Bench) {
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let calls = Arc::new(AtomicU64::new(0));
        let counted = calls.clone();
        let worker = bench
            .worker(|worker| {
                worker
                    .data(move || {
                        counted.fetch_add(1, Ordering::Relaxed);
                        let _ = released.lock().expect("not poisoned").recv_timeout(PATIENCE);
                        json!("late")
                    })
                    .handler(|request| async move { Ok(request.respond("here").await?) })
            })
            .await;
        for _ in 0..3 {
            assert_eq!(bench.data().await, Value::Null);
            assert_eq!(bench.ask(&worker, "").await.payload, "here");
        }
        assert_eq!(calls.load(Ordering::Relaxed), 1, "a call that hangs is not joined by others");
        drop(release);
    }

    async fn messages_without_a_reply_subject_do_no_harm(bench: Bench) {
        let worker = bench
            .worker(|worker| worker.handler(|request| async move { Ok(request.respond("here").await?) }))
            .await;
        let info = ServicePrefix::default().info_of(worker.subject().service().as_str(), worker.instance());
        for lonely in [ServicePrefix::default().stats(), info.expect("a subject"), worker.subject().to_string()] {
            bench.user_side.publish(lonely, "".into()).await.expect("connected");
        }
        assert_eq!(bench.ask(&worker, "").await.payload, "here");
        assert_eq!(bench.stats().await.requests, Some(1), "who expects no answer is not counted");
    }

    async fn events_say_whose_they_are_and_how_they_are_encoded(bench: Bench) {
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            let worker = bench.worker(|worker| worker.worker_id(u64::MAX).encoding(encoding)).await;
            let all = subject::event(&path().namespace, "*");
            let mut events = bench.user_side.subscribe(all).await.expect("connected");
            // An answer to a request shows that the subscription has reached the server.
            bench.stats().await;

            let hit_rate = KvHitRate::new(worker.id(), 10, 4).expect("in range");
            worker.publish_hit_rate(&hit_rate).await.expect("connected");
            let stats = WorkerStats::builder().kv_blocks_active(42).kv_blocks_capacity(100).build().expect("in range");
            let metrics = KvMetrics::new(worker.id(), stats);
            worker.publish_metrics(&metrics).await.expect("connected");

            let content_type = encoding.content_type();
            let first = next(&mut events).await;
            assert_eq!(first.subject.as_str(), "namespace.dynamo.kv-hit-rate");
            let named = first.headers.as_ref().and_then(|headers| headers.get("Content-Type"));
            assert_eq!(named.map(HeaderValue::as_str), Some(content_type));
            assert_eq!(KvHitRate::decode(Some(content_type), &first.payload), Ok(hit_rate));
            let second = next(&mut events).await;
            assert_eq!(second.subject.as_str(), "namespace.dynamo.kv_metrics");
            assert_eq!(KvMetrics::decode(None, &second.payload), Ok(metrics));
        }
    }

    async fn two_workers_draw_different_ids(bench: Bench) {
        let (one, two) = (bench.worker(|worker| worker).await, bench.worker(|worker| worker).await);
        assert_ne!(one.id(), two.id());
        assert_ne!(one.instance(), two.instance());
    }

    async fn an_endpoint_of_any_script_has_a_name_that_nats_allows(bench: Bench) {
        let path = "dynamo/backend/gén.érate".parse().expect("a path");
        let started = Worker::builder(path).worker_id(0x1f).start(bench.worker_side.clone());
        let _worker = started.await.expect("it starts");
        let endpoint = bench.stats().await;
        assert_eq!(endpoint.subject, "dynamo_backend_9ce3f3b7.gén.érate-1f");
        assert_eq!(endpoint.name, "dynamo_backend_9ce3f3b7-g_n-_rate-1f");
    }

    async fn a_version_that_is_none_is_refused_by_name(bench: Bench) {
        let started = Worker::builder(path()).worker_id(WorkerId::new(1)).version("new").start(bench.worker_side.clone());
        let error = started.await.expect_err("no semantic version");
        assert!(matches!(error, StartError::Version { .. }));
        assert!(error.to_string().contains("version \"new\""), "{error}");
        bench.wait_until_no_worker_answers().await;
    }
}

#[tokio::test]
async fn data_that_the_server_would_refuse_is_left_out_and_the_worker_stays() {
    let Some(program) = crate::server_program("data_that_the_server_would_refuse") else {
        return;
    };
    let bench = Bench::start_with(&program, "max_payload: 16384").await;
    let size = Arc::new(AtomicUsize::new(20_000));
    let shown = size.clone();
    let _worker = bench
        .worker(|worker| worker.data(move || "x".repeat(shown.load(Ordering::Relaxed)).into()))
        .await;
    for _ in 0..3 {
        assert_eq!(bench.data().await, Value::Null);
    }
    size.store(10_000, Ordering::Relaxed);
    bench.wait_for_data("x".repeat(10_000)).await;
}
