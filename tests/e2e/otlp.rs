//! The export by OTLP, received by a real collector of OpenTelemetry.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use tests::{Collector, NatsServer, OtlpReceiver, Page, Point, Relay, TestFleet, eventually, tools};

use crate::TARGET;
use crate::sinks::workers;

/// Workers by what was received of a metric.
fn by_worker(points: &[Point], name: &str) -> BTreeMap<String, f64> {
    let of_metric = points.iter().filter(|point| point.metric[0] == name);
    of_metric
        .map(|point| (point.labels["worker_id"].clone(), point.number("Value")))
        .collect()
}

fn on_page(page: &Page, name: &str) -> BTreeMap<String, f64> {
    let samples = page.samples(name, &[]);
    samples
        .map(|sample| (sample.labels["worker_id"].clone(), sample.value))
        .collect()
}

#[tokio::test]
async fn a_real_collector_of_opentelemetry_receives_what_the_page_shows() {
    let test = "a_real_collector_of_opentelemetry_receives_what_the_page_shows";
    let Some(program) = tools::program("E2E_ROTEL", test) else {
        return;
    };
    let receiver = OtlpReceiver::start(&program).await;
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let workers = workers(3);
    workers.iter().for_each(|worker| fleet.join(worker));
    let flags = [
        "--otlp-endpoint",
        receiver.endpoint(),
        "--otlp-interval",
        "200ms",
        "--otlp-attribute",
        "deployment.environment.name=test",
    ];
    let collector = Collector::watching(&server, TARGET, &flags).await;
    let arrived = [("sink", "otlp"), ("result", "success")];
    collector.has_workers(3).await;
    let page = collector
        .shows("exports are counted", |page| {
            page.value("llm_collector_pushes_total", &arrived) > Some(1.0)
        })
        .await;

    let active = "llm_worker_kv_blocks_active";
    let points = eventually("all workers are received", async || {
        let points = receiver.latest();
        // An export is printed point by point; this family is among the last.
        let is_whole = by_worker(&points, "llm_worker_info").len() == 3;
        if is_whole {
            Ok(points)
        } else {
            Err(format!("{points:?}"))
        }
    })
    .await;
    let numbers = [
        "llm_worker_kv_usage_ratio",
        "llm_worker_requests_waiting",
        "nats_service_requests_total",
    ];
    for name in [&[active, "llm_worker_info"][..], &numbers].concat() {
        assert_eq!(by_worker(&points, name), on_page(&page, name), "{name}");
    }
    let sample = page
        .samples(active, &[("worker_id", "2")])
        .next()
        .expect("it is shown");
    let is_it = |point: &&Point| point.metric[0] == active && point.labels["worker_id"] == "2";
    let point = points.iter().find(is_it).expect("it is received");
    let labels: BTreeMap<String, String> = sample.labels.clone().into_iter().collect();
    assert_eq!(point.labels, labels);

    let resource = &point.resource;
    assert_eq!(resource["service.name"], "llm-metrics");
    assert_eq!(resource["deployment.environment.name"], "test");
    assert!(resource["service.instance.id"].contains(':'), "{resource:?}");
    assert!(!resource["service.version"].is_empty(), "{resource:?}");

    let of = |name: &str| points.iter().find(|point| point.metric[0] == name).expect(name);
    let ratio = of("llm_worker_kv_usage_ratio");
    assert_eq!(ratio.metric[1..], ["1", "Gauge"].map(str::to_owned));
    let counter = of("llm_collector_rounds_total");
    assert_eq!(counter.metric[2], "Sum");
    assert!(counter.is_cumulative);
    let started = page
        .value("process_start_time_seconds", &[])
        .expect("it is shown");
    let since = counter.number("StartTimestamp") / 1e9 - started;
    assert!(
        (-1.0..60.0).contains(&since),
        "the process started {since} s before its counters"
    );

    let time = of("llm_collector_round_duration_seconds");
    assert_eq!(time.metric[1..], ["s", "Histogram"].map(str::to_owned));
    let buckets = |field: &str| {
        let all = time.fields.iter().filter(|(name, _)| name.starts_with(field));
        all.count()
    };
    assert_eq!(buckets("Buckets #"), buckets("ExplicitBounds #") + 1);
    let counts: f64 = (0..buckets("Buckets #"))
        .map(|bucket| time.number(&format!("Buckets #{bucket}, Count")))
        .sum();
    assert_eq!(
        counts,
        time.number("Count"),
        "buckets are not cumulative: {time:?}"
    );

    let names: BTreeSet<&str> = points.iter().map(|point| point.metric[0].as_str()).collect();
    let shown = [
        "llm_pool_workers",
        "llm_collector_up",
        "process_cpu_seconds_total",
    ];
    assert!(shown.iter().all(|name| names.contains(name)), "{names:?}");

    fleet.leave(&workers[1]);
    eventually("a worker that is gone is exported no more", async || {
        let received = by_worker(&receiver.latest(), active);
        let expected = BTreeMap::from([("1".to_owned(), 10.0), ("3".to_owned(), 30.0)]);
        if received == expected {
            Ok(())
        } else {
            Err(format!("{received:?}"))
        }
    })
    .await;
    assert_eq!(collector.stop().await, Some(0));
}

#[tokio::test]
async fn what_happened_since_the_last_export_is_exported_at_shutdown() {
    let test = "what_happened_since_the_last_export_is_exported_at_shutdown";
    let Some(program) = tools::program("E2E_ROTEL", test) else {
        return;
    };
    let receiver = OtlpReceiver::start(&program).await;
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let endpoint = ["--otlp-endpoint", receiver.endpoint(), "--otlp-interval", "1h"];
    let collector = Collector::watching(&server, TARGET, &endpoint).await;
    let arrived = [("sink", "otlp"), ("result", "success")];
    collector.has("llm_collector_pushes_total", &arrived, 1.0).await;
    workers(3).iter().for_each(|worker| fleet.join(worker));
    collector.has_workers(3).await;
    assert_eq!(collector.stop().await, Some(0));
    eventually(
        "the workers that came later are received",
        async || match by_worker(&receiver.latest(), "llm_worker_info").len() {
            3 => Ok(()),
            others => Err(format!("{others} workers")),
        },
    )
    .await;
}

#[tokio::test]
async fn an_export_is_repeated_where_the_protocol_allows_it_and_what_a_receiver_rejects_is_counted() {
    let test = "an_export_is_repeated_where_the_protocol_allows_it_and_what_a_receiver_rejects_is_counted";
    let Some(program) = tools::program("E2E_ROTEL", test) else {
        return;
    };
    let receiver = OtlpReceiver::start(&program).await;
    let relay = Relay::to(receiver.endpoint()).await;
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    workers(3).iter().for_each(|worker| fleet.join(worker));
    relay.answer(Some("HTTP/1.1 503 Service Unavailable"));
    // One export is all that there is: without another attempt nothing would arrive.
    let flags = ["--otlp-endpoint", relay.url(), "--otlp-interval", "1h"];
    let mut collector = Collector::watching(&server, TARGET, &flags).await;
    let pushes = |page: &Page, result: &str| {
        let labels = [("sink", "otlp"), ("result", result)];
        page.value("llm_collector_pushes_total", &labels)
            .unwrap_or_default()
    };
    collector
        .shows("attempts fail", |page| pushes(page, "failure") >= 2.0)
        .await;
    relay.answer(None);
    collector
        .shows("the export arrives", |page| pushes(page, "success") == 1.0)
        .await;
    eventually("it is received", async || match receiver.latest().len() {
        0 => Err("nothing".to_owned()),
        _ => Ok(()),
    })
    .await;
    assert_eq!(collector.stop().await, Some(0));

    let partial = ExportMetricsServiceResponse {
        partial_success: Some(ExportMetricsPartialSuccess {
            rejected_data_points: 7,
            error_message: "too many labels".to_owned(),
        }),
    };
    relay.answer_with("HTTP/1.1 200 OK", &partial.encode_to_vec());
    collector = Collector::watching(&server, TARGET, &flags).await;
    collector
        .has(
            "llm_collector_push_rejected_points_total",
            &[("sink", "otlp")],
            7.0,
        )
        .await;
    let parts = ["WARN", "rejected some of its points", "too many labels"];
    collector.program().says(&parts).await;
    assert_eq!(collector.stop().await, Some(0));

    relay.answer(Some("HTTP/1.1 400 Bad Request"));
    let before = relay.seen().len();
    collector = Collector::watching(&server, TARGET, &flags).await;
    collector
        .shows("the export is refused", |page| pushes(page, "refused") == 1.0)
        .await;
    collector.rounds(2).await;
    assert_eq!(
        relay.seen().len(),
        before + 1,
        "what is refused is not sent again"
    );
    assert_eq!(collector.stop().await, Some(0));
}
