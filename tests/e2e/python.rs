//! A worker in Python: `tests/python/worker.py`, on the client library nats-py.

use rustix::process::Signal;
use tests::{Collector, NatsServer, Program, repository, tools};
use tokio::process::Command;

/// What the worker holds for each request.
const BLOCKS: f64 = 10.0;
const TARGET: &str = "Snake.Pit/Py-Component/gen-erate";
const WORKER: [(&str, &str); 1] = [("worker_id", "18446744073709551615")];

/// Starts the worker, or says that it cannot be.
async fn start(test: &str, server: &NatsServer, more: &[&str]) -> Option<Program> {
    let python = tools::program("E2E_PYTHON", test)?;
    let mut command = Command::new(python);
    command
        .arg(repository().join("tests/python/worker.py"))
        .args(["--server", server.url()])
        .args([
            "--namespace",
            "Snake.Pit",
            "--component",
            "Py-Component",
            "--endpoint",
            "gen-erate",
        ])
        .args(more);
    let mut worker = Program::start("worker.py", command);
    worker.says(&["ready"]).await;
    Some(worker)
}

#[tokio::test]
async fn a_worker_in_python_is_found_and_read_exactly() {
    let server = NatsServer::start().await;
    let test = "a_worker_in_python_is_found_and_read_exactly";
    let load = [
        "--waiting",
        "9",
        "--slots-active",
        "3",
        "--kv-active",
        "42",
        "--kv-total",
        "100",
    ];
    let identity = ["--worker-id", "18446744073709551615", "--kv-usage", "0.42"];
    let Some(mut worker) = start(test, &server, &[load.as_slice(), &identity].concat()).await else {
        return;
    };
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let page = collector.has_workers(1).await;
    for (name, expected) in [
        ("llm_worker_request_slots_active", 3.0),
        ("llm_worker_request_slots_capacity", 100.0),
        ("llm_worker_requests_waiting", 9.0),
        ("llm_worker_kv_blocks_active", 42.0),
        ("llm_worker_kv_blocks_capacity", 100.0),
        ("llm_worker_kv_usage_ratio", 0.42),
        ("llm_worker_prefix_cache_hit_ratio", 0.25),
        ("nats_service_requests_total", 0.0),
    ] {
        assert_eq!(page.value(name, &WORKER), Some(expected), "{name}\n{page}");
    }
    let info = [
        ("dynamo_component", "Py-Component"),
        ("dynamo_namespace", "Snake.Pit"),
        ("layout", "plain"),
        ("schema", "nested"),
    ];
    assert_eq!(page.value("llm_worker_info", &info), Some(1.0), "{page}");
    assert_eq!(
        page.sum("llm_collector_replies_total", &[("result", "malformed")]),
        0.0,
        "{page}"
    );

    let client = server.client().await;
    let subject = "snake_pit_py-component.gen-erate-ffffffffffffffff";
    for _ in 0..2 {
        client.request(subject, "hello".into()).await.unwrap();
    }
    collector.has("nats_service_requests_total", &WORKER, 2.0).await;

    worker.signal(Signal::TERM);
    assert_eq!(worker.ended().await.code(), Some(0));
    collector
        .shows("it is gone", |page| page.sum("llm_pool_workers", &[]) == 0.0)
        .await;
}

#[tokio::test]
async fn pythons_nan_costs_its_own_field_alone() {
    let server = NatsServer::start().await;
    let test = "pythons_nan_costs_its_own_field_alone";
    let Some(_worker) = start(
        test,
        &server,
        &[
            "--kv-usage",
            "nan",
            "--kv-active",
            "42",
            "--worker-id",
            "18446744073709551615",
        ],
    )
    .await
    else {
        return;
    };
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let page = collector.has_workers(1).await;
    assert!(page.absent("llm_worker_kv_usage_ratio", &WORKER), "{page}");
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &WORKER),
        Some(42.0),
        "{page}"
    );
    let results = |result| page.sum("llm_collector_replies_total", &[("result", result)]);
    assert!(
        results("out_of_range") >= 1.0 && results("malformed") == 0.0,
        "{page}"
    );
}

#[tokio::test]
async fn the_load_of_a_worker_in_python_follows_its_requests_and_none_is_lost_at_its_end() {
    let server = NatsServer::start().await;
    let test = "the_load_of_a_worker_in_python_follows_its_requests";
    let Some(mut worker) = start(test, &server, &["--layout", "hashed", "--seconds", "3"]).await else {
        return;
    };
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let page = collector.has_workers(1).await;
    assert_eq!(page.sum("llm_worker_kv_blocks_active", &[]), 0.0, "{page}");
    let info = [("layout", "hashed")];
    assert_eq!(page.sum("llm_worker_info", &info), 1.0, "{page}");

    let client = server.client().await;
    let reply = client
        .request(protocol::ServicePrefix::default().stats(), "".into())
        .await
        .expect("it answers");
    let reply = protocol::StatsReply::decode(&reply.payload).expect("readable");
    let subject = reply.endpoints[0].subject.clone();
    let asking = tokio::spawn(async move {
        let asked = (0..4).map(|_| client.request(subject.clone(), "hello".into()));
        futures_util::future::join_all(asked).await
    });
    collector.has("llm_worker_request_slots_active", &[], 4.0).await;
    collector
        .has("llm_worker_kv_blocks_active", &[], 4.0 * BLOCKS)
        .await;
    let page = collector
        .shows("its events are there", |page| {
            page.sum("llm_collector_events_total", &[("result", "ok")]) >= 8.0
        })
        .await;
    let events = |result| page.sum("llm_collector_events_total", &[("result", result)]);
    assert_eq!(
        (events("malformed"), events("out_of_range")),
        (0.0, 0.0),
        "{page}"
    );

    worker.signal(Signal::TERM);
    assert_eq!(worker.ended().await.code(), Some(0));
    for answer in asking.await.expect("no panic") {
        assert_eq!(answer.expect("begun before the end").payload, "hello");
    }
}
