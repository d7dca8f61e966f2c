//! Workers that publish events, and what `metrics explain` and `metrics list` say of them.

use std::time::Duration;

use protocol::Layout;
use serde_json::{Value, json};
use tests::{Collector, Finished, Micro, NatsServer, TestFleet, finish, metrics};
use tokio::task::JoinHandle;
use tokio::time::interval;

const TARGET: &str = "dynamo/backend/generate";
const PASSES: &str = "namespace.dynamo.component.backend.endpoint.generate.forward-pass-metrics";
const LOADS: &str = "namespace.dynamo.component.backend.endpoint.generate.kv_metrics";
const ID: u64 = 18_446_744_073_709_551_557;

fn heartbeat(counter: u64) -> String {
    json!({"version": 1, "worker_id": ID.to_string(), "dp_rank": 0, "counter_id": counter, "wall_time": 0.0,
           "scheduled_requests": {}, "queued_requests": {}})
    .to_string()
}

fn used(blocks: u64) -> String {
    json!({"worker_id": ID, "dp_rank": 0, "kv_used_blocks": blocks}).to_string()
}

/// Publishes every tenth of a second until it is dropped.
struct Publishing(JoinHandle<()>);

impl Publishing {
    async fn start(server: &NatsServer, subject: &'static str, event: fn(u64) -> String) -> Self {
        let client = server.client().await;
        Self(tokio::spawn(async move {
            let mut ticks = interval(Duration::from_millis(100));
            for counter in 0.. {
                ticks.tick().await;
                client
                    .publish(subject, event(counter).into())
                    .await
                    .expect("publishes");
            }
        }))
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn explain(server: &NatsServer) -> Finished {
    let look = ["explain", TARGET, "--listen-for", "1s", "--server", server.url()];
    finish(metrics(&look)).await
}

async fn list(server: &NatsServer, json: bool) -> Finished {
    let look = ["list", "--listen-for", "1s", "--server", server.url(), "--json"];
    finish(metrics(&look[..if json { 6 } else { 5 }])).await
}

fn says(explained: &Finished, code: i32, texts: &[&str], others: &[&str]) {
    assert_eq!(explained.code, Some(code), "{explained:?}");
    for text in texts {
        assert!(
            explained.stdout.contains(text),
            "{text} is missing: {explained:?}"
        );
    }
    for text in others {
        assert!(!explained.stdout.contains(text), "{text}: {explained:?}");
    }
}

const NOTHING: &str = "nothing of dynamo/backend/generate is on this NATS server";
const EVENT_PLANE: &str = "DYN_EVENT_PLANE=nats and NATS_SERVER";
const PASS_PORT: &str = "DYN_FORWARDPASS_METRIC_PORT";
const NORMAL: &str = "known by their events alone. That is normal since Dynamo 1.0";
const REQUEST_PLANE: &str = "DYN_REQUEST_PLANE";

#[tokio::test]
async fn explain_says_what_is_there_and_what_to_set_in_each_of_four_cases() {
    let server = NatsServer::start().await;
    says(
        &explain(&server).await,
        3,
        &[NOTHING, EVENT_PLANE, "Dynamo 1.3 and later"],
        &[NORMAL],
    );

    let fleet = TestFleet::connect(&server).await;
    let worker = Micro::worker(TARGET, Layout::Plain, Some(ID))
        .with_data(Value::Null)
        .of_version("1.6.1");
    fleet.join(&worker);
    says(
        &explain(&server).await,
        0,
        &["answer requests and publish no events", EVENT_PLANE, PASS_PORT],
        &[NOTHING, NORMAL, REQUEST_PLANE],
    );

    let passes = Publishing::start(&server, PASSES, heartbeat).await;
    says(
        &explain(&server).await,
        0,
        &["answer requests and publish events", "nothing is missing"],
        &[NOTHING, NORMAL, EVENT_PLANE, REQUEST_PLANE],
    );

    fleet.leave(&worker);
    says(
        &explain(&server).await,
        0,
        &[
            NORMAL,
            "nothing is missing",
            &format!("worker {ID}, Dynamo 1.4 or later: forward-pass-metrics"),
        ],
        &[NOTHING, EVENT_PLANE, REQUEST_PLANE],
    );

    drop(passes);
    let _loads = Publishing::start(&server, LOADS, used).await;
    says(
        &explain(&server).await,
        0,
        &[NORMAL, "No forward-pass-metrics came", PASS_PORT],
        &[NOTHING, EVENT_PLANE, REQUEST_PLANE],
    );
}

#[tokio::test]
async fn list_shows_pools_that_are_only_heard() {
    let server = NatsServer::start().await;
    let _passes = Publishing::start(&server, PASSES, heartbeat).await;
    let _old = Publishing::start(
        &server,
        "namespace.old.component.prefill.forward-pass-metrics",
        heartbeat,
    )
    .await;
    let listed = list(&server, false).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let row = listed
        .stdout
        .lines()
        .find(|line| line.starts_with(TARGET))
        .expect("the pool");
    for cell in ["events", "1/1", "1.4 or later"] {
        assert!(row.contains(cell), "{cell}: {row}");
    }
    assert!(
        listed.stdout.contains("--target old/prefill/ENDPOINT"),
        "{listed:?}"
    );
    let parsed: Value = serde_json::from_str(&list(&server, true).await.stdout).expect("JSON");
    let pool = &parsed["pools"][0];
    assert_eq!(
        (&pool["endpoint"], &pool["forward_passes"]),
        (&json!("generate"), &json!(1)),
        "{parsed}"
    );
    assert_eq!(parsed["nameless"][0]["component"], "prefill", "{parsed}");
}

#[tokio::test]
async fn explain_takes_a_pattern_and_explains_each_pool_that_it_matches() {
    let server = NatsServer::start().await;
    let look = [
        "explain",
        "dyn*/*/generate",
        "--listen-for",
        "1s",
        "--server",
        server.url(),
    ];
    let missed = finish(metrics(&look)).await;
    says(&missed, 3, &["no pool matches dyn*/*/generate"], &[NORMAL]);
    let _passes = Publishing::start(&server, PASSES, heartbeat).await;
    let found = finish(metrics(&look)).await;
    says(
        &found,
        0,
        &[&format!("target {TARGET}"), NORMAL],
        &["no pool matches"],
    );
}

#[tokio::test]
async fn a_namespace_may_be_a_pattern_because_operators_append_a_hash_to_it() {
    let server = NatsServer::start().await;
    let _old = Publishing::start(
        &server,
        "namespace.prod-7f3a.component.backend.endpoint.generate.forward-pass-metrics",
        heartbeat,
    )
    .await;
    let arguments = [
        "--namespace",
        "prod-*",
        "--component",
        "backend",
        "--endpoint",
        "generate",
    ];
    let collector = Collector::start(server.url(), &arguments).await;
    let page = collector.has_workers(1).await;
    let full = [("dynamo_namespace", "prod-7f3a")];
    assert_eq!(page.sum("llm_worker_info", &full), 1.0, "{page}");
}

#[tokio::test]
async fn every_selector_hears_a_worker_once_and_its_log_names_no_request_plane() {
    for target in [TARGET, "dynamo*/*/*", "*/backend/generate"] {
        let server = NatsServer::start().await;
        let passes = Publishing::start(&server, PASSES, heartbeat).await;
        let mut collector = Collector::watching(&server, target, &["--event-gone-after", "2s"]).await;
        let page = collector.has_workers(1).await;
        let id = ID.to_string();
        let info = [
            ("worker_id", id.as_str()),
            ("source", "events"),
            ("capacity_source", "none"),
        ];
        assert_eq!(page.value("llm_worker_info", &info), Some(1.0), "{page}");
        assert_eq!(page.sum("llm_collector_event_gaps_total", &[]), 0.0, "{page}");
        drop(passes);
        collector
            .shows("the silent worker is gone", |page| {
                page.absent("llm_worker_info", &info[..1])
            })
            .await;
        let log = collector.program().log().join("\n");
        assert!(!log.contains(REQUEST_PLANE), "{log}");
    }
}
