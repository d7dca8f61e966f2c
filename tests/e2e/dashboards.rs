//! deploy/: dashboards, rules and autoscalers ask only for what there is, and get an answer from a real Prometheus.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::{Collector, Micro, NatsServer, Prometheus, TestFleet, Workers, eventually, repository, tools};
use tokio::time::{Duration, interval};

use self::words::{legend, words};
use crate::alerts::{rules, scraping};

const DASHBOARDS: [&str; 3] = ["llm-pools", "nats-services", "collector"];

/// Labels that Prometheus gives to every series of a target, those of `absent` among them.
const OF_TARGETS: [&str; 4] = ["instance", "job", "pod", "node"];

/// Labels of names.
type Labels = BTreeMap<String, BTreeSet<String>>;

/// A query with what uses it and how its series are called.
#[derive(Debug)]
struct Asked {
    by: String,
    query: String,
    legend: String,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard(name: &str) -> Value {
    serde_json::from_str(&read(&format!("deploy/grafana/{name}.json"))).expect("it is JSON")
}

/// All queries of a dashboard's panels.
fn panels(name: &str) -> Vec<Asked> {
    let dashboard = dashboard(name);
    let panels = dashboard["panels"].as_array().expect("there are panels");
    let targets = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| Asked {
            by: format!("{name}: {}", panel["title"]),
            query: target["expr"].as_str().expect("a query").to_owned(),
            legend: target["legendFormat"].as_str().unwrap_or_default().to_owned(),
        })
    });
    targets.collect()
}

/// The names and labels that docs/metrics.md lists, with those of a histogram's samples.
fn catalogue() -> Labels {
    let mut all = Labels::new();
    for row in read("docs/metrics.md").lines() {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [name, kind, labels, ..] = cells[..] else {
            continue;
        };
        let Some(name) = name.strip_prefix("| `").and_then(|name| name.strip_suffix('`')) else {
            continue;
        };
        let mut labels: BTreeSet<String> = labels.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        if kind == "histogram" {
            labels.insert("le".to_owned());
            for suffix in ["_bucket", "_sum", "_count"] {
                all.insert(format!("{name}{suffix}"), labels.clone());
            }
        } else {
            all.insert(name.to_owned(), labels);
        }
    }
    all
}

/// What is asked for and is not there.
fn unknown(asked: &Asked, known: &Labels) -> Vec<String> {
    let words = words(&asked.query);
    let mut allowed: BTreeSet<&str> = OF_TARGETS.into();
    let mut wrong = Vec::new();
    for metric in words.metrics.iter().filter(|metric| **metric != "up") {
        match known.get(metric) {
            Some(labels) => allowed.extend(labels.iter().map(String::as_str)),
            None => wrong.push(format!("{}: no metric {metric}", asked.by)),
        }
    }
    let labels = words.labels.into_iter().chain(legend(&asked.legend));
    let odd = labels.filter(|label| !allowed.contains(label.as_str()));
    wrong.extend(odd.map(|label| format!("{}: no label {label}", asked.by)));
    wrong
}

#[test]
fn dashboards_ask_only_for_metrics_and_labels_of_the_catalogue() {
    let known = catalogue();
    assert!(known.len() > 100, "{known:?}");
    for name in DASHBOARDS {
        let panels = panels(name);
        assert!(panels.len() > 10, "{name}");
        for asked in panels {
            assert_eq!(unknown(&asked, &known), [""; 0], "{}", asked.query);
        }
        for variable in dashboard(name)["templating"]["list"]
            .as_array()
            .expect("variables")
        {
            let values = variable["definition"].as_str().unwrap_or_default();
            let Some(of) = values.strip_prefix("label_values(") else {
                assert_eq!(variable["type"], "datasource");
                continue;
            };
            let (query, label) = of
                .trim_end_matches(')')
                .rsplit_once(", ")
                .expect("a metric and a label");
            let asked = Asked {
                by: format!("{name}: {}", variable["name"]),
                query: query.to_owned(),
                legend: format!("{{{{{label}}}}}"),
            };
            assert_eq!(unknown(&asked, &known), [""; 0], "{values}");
        }
    }
    let wrong = Asked {
        by: "x".to_owned(),
        query: "sum by (rank) (llm_pool_workerz{state=\"fresh\"})".to_owned(),
        legend: "{{zone}}".to_owned(),
    };
    let found = unknown(&wrong, &known);
    assert_eq!(found.len(), 4, "the check sees what is wrong: {found:?}");
}

/// The rules that this Prometheus has loaded: name, query and whether they record.
async fn loaded(prometheus: &Prometheus) -> Vec<(String, String, bool)> {
    let answer = prometheus.get("rules", ("", "")).await.expect("it answers");
    let groups = answer["data"]["groups"].as_array().expect("groups");
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rule = |rule: &Value| {
        (
            text(&rule["name"]),
            text(&rule["query"]),
            rule["type"] == "recording",
        )
    };
    rules.map(rule).collect()
}

/// The query of deploy/kubernetes/keda.yaml.
fn keda() -> String {
    let text = read("deploy/kubernetes/keda.yaml");
    let query = text.lines().find_map(|line| line.trim().strip_prefix("query: "));
    query.expect("it has a query").to_owned()
}

/// The query that prometheus-adapter makes for deploy/kubernetes/hpa.yaml.
fn hpa() -> String {
    let text = read("deploy/kubernetes/hpa.yaml");
    let value = |key: &str| {
        let line = text
            .lines()
            .find_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key));
        line.unwrap_or_else(|| panic!("it has no {key}"))
    };
    let series = value("seriesQuery: ").split('"').nth(1).expect("a name");
    let matchers: Vec<String> = ["namespace", "component", "endpoint"]
        .map(|label| format!("dynamo_{label}={:?}", value(&format!("dynamo_{label}: "))))
        .into();
    value("metricsQuery: ")
        .replace("<<.Series>>", series)
        .replace("<<.LabelMatchers>>", &matchers.join(","))
}

/// A query as Grafana sends it, where all is chosen.
fn sent(query: &str, collector: &str) -> String {
    ["$namespace", "$component", "$endpoint", "$service"]
        .iter()
        .fold(query.to_owned(), |query, variable| query.replace(variable, ".*"))
        .replace("$collector", collector)
        .replace("$__rate_interval", "10s")
}

#[tokio::test]
async fn no_panel_is_empty_while_workers_and_services_are_at_work_and_autoscalers_get_one_number() {
    let test = "no_panel_is_empty_while_workers_and_services_are_at_work_and_autoscalers_get_one_number";
    let Some(program) = tools::program("E2E_PROMETHEUS", test) else {
        return;
    };
    let server = NatsServer::start().await;
    let of = |component: &'static str| {
        [
            "--namespace",
            "prod",
            "--component",
            component,
            "--endpoint",
            "generate",
        ]
    };
    let answering = [
        &["run", "steady", "--seed", "1", "--name", "a", "--speed", "5"][..],
        &of("decode"),
    ]
    .concat();
    let publishing = [
        &[
            "run",
            "steady",
            "--seed",
            "1",
            "--name",
            "b",
            "--speed",
            "5",
            "--generation",
            "1.6",
        ][..],
        &of("events"),
    ];
    let _answering = Workers::start(&server, &answering).await;
    let _publishing = Workers::start(&server, &publishing.concat()).await;
    let fleet = TestFleet::connect(&server).await;
    let orders = Micro::service("orders", "a1").endpoint("orders.create", json!({}));
    fleet.join(&orders);
    let watched = ["--target", "prod/*/*", "--service", "orders"];
    let collector = Collector::start(server.url(), &watched).await;
    let prometheus = Prometheus::with_rules(&program, &[scraping(&collector)], &rules()).await;
    let mut requests = 0;
    let mut tick = interval(Duration::from_millis(200));
    let work = async {
        loop {
            tick.tick().await;
            requests += 2;
            fleet.join(
                &orders
                    .clone()
                    .with_counters(requests, requests / 10, requests * 1_000_000),
            );
        }
    };
    let address = collector.url().trim_start_matches("http://").to_owned();
    let ask = async {
        for asked in DASHBOARDS.into_iter().flat_map(panels) {
            let query = sent(&asked.query, &address);
            eventually(&format!("{} is not empty", asked.by), async || {
                match prometheus.query(&query).await?.is_empty() {
                    true => Err(query.clone()),
                    false => Ok(()),
                }
            })
            .await;
        }
        for query in [keda(), hpa()] {
            let series = prometheus.query(&query).await.expect("the query is right");
            assert_eq!(series.len(), 1, "{query}: {series:?}");
            let ratio: f64 = series[0]["value"][1].as_str().unwrap().parse().unwrap();
            assert!((0.01..10.0).contains(&ratio), "{query}: {ratio}");
        }
        let mut known = catalogue();
        let rules = loaded(&prometheus).await;
        for (name, query, records) in &rules {
            let asked = Asked {
                by: name.clone(),
                query: query.clone(),
                legend: String::new(),
            };
            assert_eq!(unknown(&asked, &known), [""; 0], "{query}");
            if *records {
                let labels = words(query)
                    .metrics
                    .iter()
                    .flat_map(|metric| known[metric].clone())
                    .collect();
                known.insert(name.clone(), labels);
            }
        }
        assert!(rules.len() > 30, "{rules:?}");
    };
    tokio::select! {
        () = work => {}
        () = ask => {}
    }
}
