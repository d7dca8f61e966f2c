//! A real Prometheus, set up as the Prometheus operator does it.

use std::collections::BTreeSet;

use protocol::Layout;
use serde_json::{Value, json};
use tests::{Collector, Micro, NatsServer, Prometheus, TestFleet, eventually, load, tools};

use crate::TARGET;

/// The labels that the operator gives to a target.
const OPERATOR: [&str; 7] = [
    "namespace",
    "pod",
    "service",
    "endpoint",
    "container",
    "job",
    "instance",
];

/// A job that scrapes this collector as the operator sets it up.
fn scrape_config(job: &str, collector: &Collector) -> Value {
    let labels: serde_json::Map<String, Value> = OPERATOR
        .iter()
        .filter(|label| **label != "job")
        .map(|label| ((*label).to_owned(), format!("of-the-{label}").into()))
        .collect();
    let address = collector.url().trim_start_matches("http://");
    json!({"job_name": job, "honor_labels": false, "static_configs": [{"targets": [address], "labels": labels}]})
}

/// The metric names of the series that a matcher selects.
async fn names(prometheus: &Prometheus, matcher: &str) -> Result<BTreeSet<String>, String> {
    let answer = prometheus.get("series", ("match[]", matcher)).await?;
    let series = answer["data"].as_array().ok_or_else(|| answer.to_string())?;
    Ok(series
        .iter()
        .filter_map(|labels| labels["__name__"].as_str().map(str::to_owned))
        .collect())
}

#[tokio::test]
async fn prometheus_renames_no_label_of_ours_when_its_operator_labels_the_target() {
    let test = "prometheus_renames_no_label_of_ours_when_its_operator_labels_the_target";
    let Some(program) = tools::program("E2E_PROMETHEUS", test) else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)).with_data(load(10)));
    let mut orders = Micro::service("orders", "a1").endpoint("orders.create", json!({"depth": 3}));
    orders.metadata = json!({"pod": "orders-0", "namespace": "shop", "job": "x"});
    fleet.join(&orders);
    let watched = ["--all-services", "--metadata-labels", "pod,namespace,job"];
    let ours = Collector::watching(&server, TARGET, &[&watched[..], &["--compat", "off"]].concat()).await;
    let both = Collector::watching(&server, TARGET, &watched).await;
    for collector in [&ours, &both] {
        collector.has_workers(1).await;
        let info = [
            ("meta_pod", "orders-0"),
            ("meta_namespace", "shop"),
            ("meta_job", "x"),
        ];
        collector.has("nats_service_info", &info, 1.0).await;
    }
    let jobs = [scrape_config("ours", &ours), scrape_config("both", &both)];
    let prometheus = Prometheus::start(&program, &jobs).await;
    for job in ["ours", "both"] {
        eventually(
            "both kinds of families are scraped, with the operator's labels",
            async || {
                let known = names(
                    &prometheus,
                    &format!("{{job={job:?},pod=\"of-the-pod\",instance=\"of-the-instance\"}}"),
                )
                .await?;
                let wanted = [
                    "llm_worker_info",
                    "nats_service_info",
                    "nats_service_requests_total",
                    "llm_collector_up",
                ];
                match wanted.iter().all(|name| known.contains(*name)) {
                    true => Ok(()),
                    false => Err(format!("{known:?}")),
                }
            },
        )
        .await;
    }
    let mut renamed = [BTreeSet::new(), BTreeSet::new()];
    for (job, renamed) in ["ours", "both"].into_iter().zip(&mut renamed) {
        for label in OPERATOR {
            let matcher = format!("{{job={job:?},exported_{label}!=\"\"}}");
            renamed.extend(names(&prometheus, &matcher).await.unwrap());
        }
    }
    let [of_ours, of_both] = renamed;
    assert_eq!(of_ours, BTreeSet::new());
    let upstream: BTreeSet<String> = crate::page::UPSTREAM
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    assert!(of_both.is_subset(&upstream), "{of_both:?}");
    assert!(
        of_both.contains("llm_kv_blocks_active"),
        "the test sees what is renamed: {of_both:?}"
    );
}
