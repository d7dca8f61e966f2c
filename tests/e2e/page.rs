//! The page as Prometheus reads it: formats, names, and Prometheus' own judgement.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use protocol::Layout;
use serde_json::json;
use tests::{Collector, Micro, NatsServer, Page, Prometheus, TestFleet, Workers, load, tools};
use tokio::process::Command;

use crate::TARGET;

/// Upstream's names, which are on the page next to our own unless `--compat off`.
pub(crate) const UPSTREAM: [&str; 9] = [
    "llm_kv_blocks_active",
    "llm_kv_blocks_total",
    "llm_requests_active_slots",
    "llm_requests_total_slots",
    "llm_load_avg",
    "llm_load_std",
    "llm_kv_hit_rate_percent",
    "llm_kv_hit_rate_isl_blocks",
    "llm_kv_hit_rate_overlap_blocks",
];

/// A collector whose page shows every family: loads, events, restarts, refused replies.
async fn full_page(more: &[&str]) -> (NatsServer, TestFleet, Collector) {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for id in 1..=3 {
        fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(id)).with_data(load(id * 10)));
    }
    let collector = Collector::watching(&server, TARGET, more).await;
    collector.has_workers(3).await;
    for id in 1..=3 {
        let event = format!(r#"{{"worker_id": {id}, "isl_blocks": 10, "overlap_blocks": 4}}"#);
        fleet.publish("namespace.dynamo.kv-hit-rate", event).await;
    }
    collector
        .shows("all events are in", |page| {
            page.sum("llm_kv_lookup_blocks_total", &[]) == 30.0
        })
        .await;
    (server, fleet, collector)
}

#[tokio::test]
async fn upstreams_names_have_upstreams_labels_and_values() {
    let (_server, _fleet, collector) = full_page(&[]).await;
    let page = collector.page().await;
    let worker = [
        ("component", "my_component"),
        ("endpoint", "my_endpoint"),
        ("worker_id", "2"),
    ];
    for (name, expected) in [
        ("llm_kv_blocks_active", 20.0),
        ("llm_kv_blocks_total", 1000.0),
        ("llm_requests_active_slots", 3.0),
        ("llm_requests_total_slots", 100.0),
        ("llm_kv_hit_rate_percent", 0.25),
        ("llm_kv_hit_rate_isl_blocks", 10.0),
        ("llm_kv_hit_rate_overlap_blocks", 4.0),
    ] {
        assert_eq!(page.value(name, &worker), Some(expected), "{name}\n{page}");
        let labels: BTreeSet<_> = page
            .samples(name, &worker)
            .flat_map(|sample| sample.labels.keys())
            .collect();
        assert_eq!(
            labels.into_iter().collect::<Vec<_>>(),
            ["component", "endpoint", "worker_id"],
            "{name}"
        );
    }
    assert_eq!(page.value("llm_load_avg", &worker[..2]), Some(20.0), "{page}");
    let deviation = page
        .value("llm_load_std", &worker[..2])
        .expect("there are workers");
    assert!((deviation - (200.0_f64 / 3.0).sqrt()).abs() < 1e-9, "{deviation}");
}

#[tokio::test]
async fn without_compatibility_upstreams_names_are_gone_and_ours_stay() {
    let (_server, _fleet, collector) = full_page(&["--compat", "off"]).await;
    let page = collector.page().await;
    let names = page.names();
    assert_eq!(
        UPSTREAM.iter().filter(|name| names.contains(*name)).count(),
        0,
        "{page}"
    );
    assert_eq!(
        page.value("llm_worker_kv_blocks_active", &[("worker_id", "2")]),
        Some(20.0),
        "{page}"
    );
}

#[tokio::test]
async fn pool_figures_are_those_of_its_workers() {
    let (_server, _fleet, collector) = full_page(&[]).await;
    let page = collector.page().await;
    let with = |label, value| [("dynamo_component", "my_component"), (label, value)];
    let kv = |quantile| [("resource", "kv"), ("quantile", quantile)];
    for (name, labels, expected) in [
        ("llm_pool_workers", with("state", "fresh"), 3.0),
        ("llm_pool_workers", with("state", "late"), 0.0),
        ("llm_pool_workers", with("state", "stale"), 0.0),
        (
            "llm_pool_kv_blocks_active",
            with("dynamo_endpoint", "my_endpoint"),
            60.0,
        ),
        (
            "llm_pool_kv_blocks_capacity",
            with("dynamo_endpoint", "my_endpoint"),
            3000.0,
        ),
        (
            "llm_pool_request_slots_active",
            with("dynamo_endpoint", "my_endpoint"),
            9.0,
        ),
        (
            "llm_pool_request_slots_capacity",
            with("dynamo_endpoint", "my_endpoint"),
            300.0,
        ),
        (
            "llm_pool_requests_waiting",
            with("dynamo_endpoint", "my_endpoint"),
            21.0,
        ),
        ("llm_pool_utilization_ratio", with("resource", "kv"), 0.02),
        ("llm_pool_utilization_ratio", with("resource", "slots"), 0.03),
        ("llm_pool_worker_quantile", kv("0"), 0.01),
        ("llm_pool_worker_quantile", kv("0.5"), 0.02),
        ("llm_pool_worker_quantile", kv("1"), 0.03),
        ("llm_pool_imbalance_ratio", with("resource", "kv"), 1.5),
        (
            "llm_pool_saturated_workers",
            with("dynamo_endpoint", "my_endpoint"),
            3.0,
        ),
        (
            "llm_pool_saturation_ratio",
            with("dynamo_endpoint", "my_endpoint"),
            1.4,
        ),
    ] {
        let value = page
            .value(name, &labels)
            .unwrap_or_else(|| panic!("{name}{labels:?}\n{page}"));
        assert!(
            (value - expected).abs() < 1e-9,
            "{name}{labels:?} is {value}, not {expected}\n{page}"
        );
    }
}

#[tokio::test]
async fn upstreams_counters_have_one_name_whatever_format_is_asked_for() {
    let (_server, _fleet, collector) = full_page(&[]).await;
    for (accept, kind) in [
        ("text/plain", "counter"),
        ("application/openmetrics-text", "unknown"),
    ] {
        let reply = collector.get("/metrics", &[("accept", accept)]).await;
        let text = String::from_utf8(reply.body).expect("text");
        for name in ["llm_kv_hit_rate_isl_blocks", "llm_kv_hit_rate_overlap_blocks"] {
            assert!(
                text.contains(&format!("# TYPE {name} {kind}\n")),
                "{accept}\n{text}"
            );
            assert!(text.contains(&format!("\n{name}{{")), "{accept}\n{text}");
            assert!(!text.contains(&format!("{name}_total")), "{accept}\n{text}");
        }
    }
}

#[tokio::test]
async fn the_format_is_what_the_client_asks_for() {
    let (_server, _fleet, collector) = full_page(&[]).await;
    let classic = "text/plain; version=0.0.4; charset=utf-8";
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, expected) in [
        ("*/*", classic),
        ("", classic),
        ("text/plain", classic),
        ("text/html,application/xhtml+xml,*/*;q=0.8", classic),
        (
            "application/openmetrics-text;version=1.0.0;q=0.1,text/plain;version=0.0.4;q=0.9",
            classic,
        ),
        ("application/openmetrics-text", open),
        (prometheus, open),
    ] {
        let reply = collector.get("/metrics", &[("accept", accept)]).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["content-type"], expected, "{accept}");
        let text = String::from_utf8(reply.body).unwrap();
        assert_eq!(text.ends_with("\n# EOF\n"), expected == open, "{accept}\n{text}");
        Page::parse(&text);
    }
}

#[tokio::test]
async fn histograms_are_whole_in_both_formats() {
    let (_server, _fleet, collector) = full_page(&[]).await;
    for page in [collector.page().await, collector.open_metrics().await] {
        for (name, at_least) in [
            ("llm_kv_hit_ratio", 3.0),
            ("llm_collector_round_duration_seconds", 1.0),
        ] {
            let count = page.value(&format!("{name}_count"), &[]).expect("it has a count");
            assert!(count >= at_least, "{page}");
            let buckets: Vec<_> = page.samples(&format!("{name}_bucket"), &[]).collect();
            let last = buckets.last().expect("it has buckets");
            assert_eq!(
                (last.labels["le"].as_str(), last.value),
                ("+Inf", count),
                "{name}\n{page}"
            );
            assert!(buckets.is_sorted_by(|a, b| a.value <= b.value), "{name}\n{page}");
        }
    }
}

#[tokio::test]
async fn both_formats_say_the_same() {
    let (_server, fleet, collector) = full_page(&["--poll-interval", "1s"]).await;
    // Names that need escapes in both.
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, None).with_id("a\"b\\c\nd"));
    collector.has_workers(4).await;
    let shown = |page: &Page| {
        page.names()
            .into_iter()
            .filter(|name| name.starts_with("llm_worker_") || name.starts_with("llm_pool_"))
            .filter(|name| *name != "llm_worker_last_seen_timestamp_seconds")
            .flat_map(|name| page.samples(name, &[]).map(|sample| format!("{sample:?}")))
            .collect::<BTreeSet<_>>()
    };
    let (classic, open) = (
        shown(&collector.page().await),
        shown(&collector.open_metrics().await),
    );
    assert!(classic.len() > 50, "{classic:#?}");
    assert_eq!(
        classic.symmetric_difference(&open).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[tokio::test]
async fn the_page_is_compressed_for_those_who_ask() {
    let (_server, _fleet, collector) = full_page(&[]).await;
    let plain = collector.get("/metrics", &[]).await;
    assert!(plain.headers.get("content-encoding").is_none());
    let packed = collector.get("/metrics", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    assert!(
        packed.body.len() < plain.body.len() / 2,
        "{} of {} bytes",
        packed.body.len(),
        plain.body.len()
    );
    let mut text = String::new();
    std::io::Read::read_to_string(
        &mut flate2::read::GzDecoder::new(packed.body.as_slice()),
        &mut text,
    )
    .unwrap();
    assert_eq!(
        Page::parse(&text).value("llm_worker_kv_blocks_active", &[("worker_id", "3")]),
        Some(30.0)
    );
}

#[tokio::test]
async fn other_paths_are_not_found_and_other_methods_not_allowed() {
    let server = NatsServer::start().await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    assert_eq!(collector.get("/metrics/", &[]).await.status, 200);
    assert_eq!(collector.get("/metrics/x", &[]).await.status, 404);
    assert_eq!(collector.get("/../etc/passwd", &[]).await.status, 404);
    let posted = tests::http_client()
        .build()
        .unwrap()
        .post(format!("{}/metrics", collector.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status().as_u16(), 405);
}

#[tokio::test]
async fn promtool_finds_nothing_to_remark_but_upstreams_names() {
    let test = "promtool_finds_nothing_to_remark_but_upstreams_names";
    let Some(promtool) = tools::program("E2E_PROMTOOL", test) else {
        return;
    };
    let (_server, _fleet, collector) = full_page(&["--compat", "off"]).await;
    let (code, remarks) = check_metrics(&promtool, collector.page().await.text()).await;
    assert_eq!((code, remarks), (Some(0), Vec::new()));

    let (_server, _fleet, collector) = full_page(&[]).await;
    let (_, remarks) = check_metrics(&promtool, collector.page().await.text()).await;
    assert!(!remarks.is_empty(), "upstream's names are not all by the book");
    for remark in remarks {
        assert!(
            UPSTREAM.iter().any(|name| remark.split(' ').next() == Some(name)),
            "{remark}"
        );
    }
}

/// What `promtool check metrics` says: its exit code and its remarks, each beginning with a metric's name.
pub(crate) async fn check_metrics(promtool: &Path, page: &str) -> (Option<i32>, Vec<String>) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(page.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut command = Command::new(promtool);
    command
        .args(["check", "metrics"])
        .stdin(Stdio::from(file))
        .kill_on_drop(true);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    (status.code(), said.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn prometheus_scrapes_the_page_and_answers_from_it() {
    let test = "prometheus_scrapes_the_page_and_answers_from_it";
    let Some(program) = tools::program("E2E_PROMETHEUS", test) else {
        return;
    };
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "4"]).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(4).await;

    let address = collector.url().trim_start_matches("http://");
    let job = json!({"job_name": "collector", "static_configs": [{"targets": [address]}]});
    let prometheus = Prometheus::start(&program, &[job]).await;
    for (query, expected) in [
        ("count(llm_worker_kv_blocks_active)", "4"),
        ("count(llm_kv_blocks_active)", "4"),
        ("sum(llm_pool_workers)", "4"),
        ("up", "1"),
    ] {
        prometheus.gives(query, expected).await;
    }
}
