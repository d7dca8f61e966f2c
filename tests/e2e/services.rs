//! Plain NATS services, of any client library: found, counted, and named so that Prometheus renames nothing.

mod prometheus;

use async_nats::service::ServiceExt;
use futures_util::StreamExt;
use protocol::Layout;
use protocol::service::Worker;
use rustix::process::Signal;
use serde_json::json;
use tests::{Collector, Micro, NatsServer, Page, Program, TestFleet, repository, tools};
use tokio::process::Command;

use crate::TARGET;

/// Starts the service in Python, or says that it cannot be.
pub(crate) async fn python(test: &str, server: &NatsServer, pod: &str) -> Option<Program> {
    let interpreter = tools::program("E2E_PYTHON", test)?;
    let mut command = Command::new(interpreter);
    let script = repository().join("tests/python/orders.py");
    command.arg(script).args(["--server", server.url(), "--pod", pod]);
    let mut service = Program::start("orders.py", command);
    service.says(&["ready"]).await;
    Some(service)
}

async fn watching(server: &NatsServer, arguments: &[&str]) -> Collector {
    Collector::start(server.url(), arguments).await
}

fn instances(page: &Page, endpoint: &str) -> f64 {
    let labels = [("nats_endpoint", endpoint), ("state", "fresh")];
    page.sum("nats_service_instances", &labels)
}

#[tokio::test]
async fn a_service_in_python_is_counted_endpoint_by_endpoint() {
    let server = NatsServer::start().await;
    let test = "a_service_in_python_is_counted_endpoint_by_endpoint";
    let Some(mut service) = python(test, &server, "orders-0").await else {
        return;
    };
    let more = [
        "--all-services",
        "--metadata-labels",
        "pod,app.kubernetes.io/name,none",
    ];
    let collector = watching(&server, &more).await;
    let client = server.client().await;
    for _ in 0..3 {
        client.request("orders.create", "x".into()).await.unwrap();
    }
    for _ in 0..2 {
        client.request("orders.cancel", "x".into()).await.unwrap();
    }
    let create = [("nats_service", "orders"), ("nats_endpoint", "create")];
    let cancel = [("nats_service", "orders"), ("nats_endpoint", "cancel")];
    collector.has("nats_service_requests_total", &cancel, 2.0).await;
    let page = collector.has("nats_service_requests_total", &create, 3.0).await;
    assert_eq!(
        page.value("nats_service_endpoint_requests_total", &create),
        Some(3.0),
        "{page}"
    );
    assert_eq!(
        page.value("nats_service_errors_total", &cancel),
        Some(2.0),
        "{page}"
    );
    assert_eq!(
        page.value("nats_service_errors_total", &create),
        Some(0.0),
        "{page}"
    );
    let seconds = page.value("nats_service_processing_seconds_total", &create);
    assert!(
        seconds.is_some_and(|seconds| seconds > 0.0 && seconds < 10.0),
        "{page}"
    );
    assert!(
        page.value("nats_service_start_time_seconds", &create).is_some(),
        "{page}"
    );
    assert_eq!(instances(&page, "daily"), 1.0, "{page}");
    let info = [
        ("nats_endpoint", "create"),
        ("version", "1.2.0"),
        ("description", "takes orders"),
        ("queue_group", "clerks"),
        ("meta_pod", "orders-0"),
        ("meta_app_kubernetes_io_name", "shop"),
        ("meta_none", ""),
    ];
    assert_eq!(page.value("nats_service_info", &info), Some(1.0), "{page}");
    let refused = |result| page.sum("llm_collector_replies_total", &[("result", result)]);
    assert_eq!(
        (refused("malformed"), refused("out_of_range")),
        (0.0, 0.0),
        "{page}"
    );
    assert!(refused("ok") > 0.0, "{page}");

    if let Some(promtool) = tools::program("E2E_PROMTOOL", test) {
        let (code, remarks) = crate::page::check_metrics(&promtool, page.text()).await;
        assert_eq!((code, remarks), (Some(0), Vec::new()));
    }
    service.signal(Signal::TERM);
    assert_eq!(service.ended().await.code(), Some(0));
    collector
        .shows("it is gone", |page| {
            page.samples("nats_service_instances", &[]).next().is_none()
        })
        .await;
}

#[tokio::test]
async fn the_sums_of_a_service_stay_when_it_restarts_and_shrinks() {
    let server = NatsServer::start().await;
    let test = "the_sums_of_a_service_stay_when_it_restarts_and_shrinks";
    let Some(mut first) = python(test, &server, "orders-0").await else {
        return;
    };
    let Some(_second) = python(test, &server, "orders-1").await else {
        return;
    };
    let collector = watching(&server, &["--service", "orders", "--instance-series", "off"]).await;
    collector
        .shows("both are there", |page| instances(page, "create") == 2.0)
        .await;
    let client = server.client().await;
    let ask = async |times: u32| {
        for _ in 0..times {
            client.request("orders.create", "x".into()).await.unwrap();
        }
    };
    let create = [("nats_service", "orders"), ("nats_endpoint", "create")];
    let sum = "nats_service_endpoint_requests_total";
    ask(20).await;
    let page = collector.has(sum, &create, 20.0).await;
    assert_eq!(
        page.samples("nats_service_requests_total", &[]).count(),
        0,
        "{page}"
    );

    first.signal(Signal::TERM);
    first.ended().await;
    let page = collector.shows("one is left", |page| {
        let all = page.sum("nats_service_instances", &[("nats_endpoint", "create")]);
        assert!(
            page.value(sum, &create) >= Some(20.0),
            "the sum ran backwards\n{page}"
        );
        all == 1.0
    });
    assert_eq!(page.await.value(sum, &create), Some(20.0));
    let _again = python(test, &server, "orders-0").await;
    ask(5).await;
    collector.has(sum, &create, 25.0).await;
}

#[tokio::test]
async fn a_service_of_another_client_and_workers_that_no_path_selects_are_not_overlooked() {
    let server = NatsServer::start().await;
    let client = server.client().await;
    let service = client
        .service_builder()
        .description("adds")
        .start("math", "2.0.0")
        .await
        .unwrap();
    let mut endpoint = service
        .endpoint_builder()
        .name("add")
        .add("math.add")
        .await
        .unwrap();
    let answering = tokio::spawn(async move {
        while let Some(request) = endpoint.next().await {
            request.respond(Ok("2".into())).await.unwrap();
        }
    });
    let fleet = TestFleet::connect(&server).await;
    for id in 1..=3 {
        fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(id)));
    }
    let collector = watching(&server, &["--all-services", "--exclude-service", "secret*"]).await;
    fleet.join(&Micro::service("secret-1", "x").endpoint("secret.e", json!(null)));
    client.request("math.add", "1".into()).await.unwrap();
    collector
        .has("nats_service_requests_total", &[("nats_service", "math")], 1.0)
        .await;
    let page = collector
        .shows("workers are instances", |page| {
            instances(page, "my_endpoint") == 3.0
        })
        .await;
    let endpoints = page
        .samples("nats_service_instances", &[("state", "fresh")])
        .count();
    assert_eq!(
        endpoints, 2,
        "workers are one pool, and nothing secret is shown\n{page}"
    );
    assert!(page.absent("llm_pool_workers", &[]), "{page}");

    // A path that selects them comes first.
    let collector = watching(&server, &["--all-services", "--target", TARGET]).await;
    let page = collector.has_workers(3).await;
    assert_eq!(instances(&page, "my_endpoint"), 0.0, "{page}");
    answering.abort();
}

#[tokio::test]
async fn a_service_that_is_named_and_absent_is_zero_and_the_log_says_so() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::service("Orders", "x").endpoint("o.e", json!(null)));
    let mut collector = watching(&server, &["--service", "orders"]).await;
    let absent = [
        ("nats_service", "orders"),
        ("nats_endpoint", ""),
        ("state", "fresh"),
    ];
    collector.has("nats_service_instances", &absent, 0.0).await;
    collector
        .program()
        .says(&["no instance of orders answered", "use --service Orders"])
        .await;
    fleet.join(&Micro::service("orders", "y").endpoint("orders.create", json!("anything")));
    let page = collector
        .shows("it is there", |page| instances(page, "orders-create") == 1.0)
        .await;
    assert!(page.absent("nats_service_instances", &absent), "{page}");
}

#[tokio::test]
async fn a_worker_of_the_sdk_says_where_it_runs() {
    let server = NatsServer::start().await;
    let worker = Worker::builder(TARGET.parse().unwrap())
        .metadata("pod", "backend-7f")
        .metadata("model", "tiny")
        .start(server.client().await)
        .await
        .unwrap();
    let collector = Collector::watching(&server, TARGET, &["--metadata-labels", "host,pod,model"]).await;
    let info = [("meta_pod", "backend-7f"), ("meta_model", "tiny")];
    let page = collector.has("llm_worker_info", &info, 1.0).await;
    let host = page.samples("llm_worker_info", &[]).next().unwrap().labels["meta_host"].clone();
    assert!(!host.is_empty(), "{page}");
    worker.shutdown(std::time::Duration::from_secs(1)).await.unwrap();
}
