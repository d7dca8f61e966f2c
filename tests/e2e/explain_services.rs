//! `metrics explain` of plain services, and what the commands that look once say of mappings and labels in a file.

use std::fs;
use std::path::PathBuf;

use protocol::Layout;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Collector, Finished, Micro, NatsServer, TestFleet, finish, metrics};

use crate::TARGET;

const CONFIG: &str = r#"
[[target]]
path = "dynamo/my_component/my_endpoint"
labels = { team = "search" }

[[mapping]]
service = "orders"
pointer = "/queue/*"
name = "orders_queued"
type = "gauge"
help = "Orders that wait."
labels = ["region"]
max = 10.0

[[mapping]]
service = "orders"
pointer = "/mode"
name = "orders_mode"
type = "gauge"
help = "A text, which is no number."

[[mapping]]
target = "dynamo/*/*"
pointer = "/gpu/celsius"
name = "gpu_celsius"
type = "gauge"
unit = "celsius"
help = "Temperature."
"#;

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("metrics.toml");
    fs::write(&path, text).expect("written");
    (folder, path)
}

async fn run(server: &NatsServer, arguments: &[&str]) -> Finished {
    finish(metrics(&[arguments, &["--server", server.url()]].concat())).await
}

fn order(id: &str, data: Value) -> Micro {
    Micro::service("orders", id)
        .endpoint("orders.create", data)
        .with_counters(4, 1, 2_000_000)
}

/// Two instances of `orders`, of which one has data that no mapping takes, and a service of another name.
async fn shop(server: &NatsServer) -> TestFleet {
    let fleet = TestFleet::connect(server).await;
    fleet.join(&order("a1", json!({"queue": {"eu": 1, "us": 2}, "mode": 3})));
    fleet.join(&order(
        "b2",
        json!({"queue": {"eu": 1, "us": 99}, "mode": "\u{1b}[31mauto"}),
    ));
    fleet.join(&Micro::service("billing-eu", "c3").endpoint("billing.pay", json!(null)));
    fleet
}

#[tokio::test]
async fn a_plain_service_is_explained_with_what_mappings_read_and_what_they_cannot() {
    let server = NatsServer::start().await;
    let _fleet = shop(&server).await;
    let (_folder, path) = file(CONFIG);
    let config = ["--config", path.to_str().expect("UTF-8")];
    let seen = run(&server, &[["explain", "orders"].as_slice(), &config].concat()).await;
    assert_eq!(seen.code, Some(0), "{seen:?}");
    let text = &seen.stdout;
    assert!(text.starts_with("orders has 2 instances"), "{text}");
    assert!(
        text.contains("Of 2 mappings there, 2 cannot read every value."),
        "{text}"
    );
    let command = text
        .lines()
        .find(|line| line.starts_with("  metrics "))
        .expect("a command");
    for words in ["--service orders", &config.join(" "), "--server nats://"] {
        assert!(
            command.contains(words),
            "it can be copied with {words}: {command}"
        );
    }
    for line in [
        "orders_queued from /queue/*: read from 2 of 2 instances, 3 values",
        "out_of_range in 1 instance: the value at /queue/us is above the limit of 10; the last one is 99",
        "orders_mode from /mode: read from 1 of 2 instances, 1 value",
        r#"wrong_type in 1 instance: the value at /mode is a string, not a number; the last one is "\u001b[31mauto""#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "a terminal would obey it\n{text}");

    let json = run(
        &server,
        &[["explain", "--service", "ord*", "--json"].as_slice(), &config].concat(),
    )
    .await;
    let report: Value = serde_json::from_str(&json.stdout).expect("one document");
    let endpoint = &report["endpoints"][0];
    assert_eq!(
        (&endpoint["instances"], &endpoint["requests"]),
        (&json!(2), &json!(8.0)),
        "{report}"
    );
    assert_eq!(
        endpoint["mappings"][0]["faults"][0]["place"], "/queue/us",
        "{report}"
    );
    let ids: Vec<_> = report["instances"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, ["a1", "b2"], "{report}");
}

#[tokio::test]
async fn a_service_that_is_not_there_comes_with_what_is_and_exit_code_3() {
    let server = NatsServer::start().await;
    let _fleet = shop(&server).await;
    let slip = run(&server, &["explain", "Orders"]).await;
    assert_eq!(slip.code, Some(3), "{slip:?}");
    let meant = "Did you mean orders, which has 2 instances?\n\n  metrics explain orders --server";
    assert!(slip.stdout.contains(meant), "{}", slip.stdout);
    let none = run(&server, &["explain", "payments"]).await;
    assert_eq!(none.code, Some(3), "{none:?}");
    for word in [
        "No instance of payments answers",
        "billing-eu",
        "orders.create",
        "metrics list",
    ] {
        assert!(none.stdout.contains(word), "{word}\n{}", none.stdout);
    }
    let both = run(&server, &["explain", "orders", "--service", "orders"]).await;
    assert_eq!(both.code, Some(2), "{both:?}");
    let path = run(&server, &["explain", "--service", TARGET]).await;
    assert_eq!(path.code, Some(2), "{path:?}");
    assert!(path.stderr.contains("write it without --service"), "{path:?}");
}

#[tokio::test]
async fn explain_list_and_doctor_use_the_mappings_and_labels_of_the_file() {
    let server = NatsServer::start().await;
    let fleet = shop(&server).await;
    for (id, gpu) in [(1, json!({"celsius": 61})), (2, json!({"celsius": "hot"}))] {
        let mut data = tests::load(5);
        data["gpu"] = gpu;
        fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(id)).with_data(data));
    }
    let (_folder, path) = file(CONFIG);
    let config = ["--listen-for", "0s", "--config", path.to_str().expect("UTF-8")];
    let with = async |words: &[&str]| run(&server, &[words, &config].concat()).await;

    let explained = with(&["explain", TARGET]).await;
    assert_eq!(explained.code, Some(0), "{explained:?}");
    for line in [
        "gpu_celsius from /gpu/celsius: read from 1 of 2 workers, 1 value",
        r#"the value at /gpu/celsius is a string, not a number; the last one is "hot""#,
    ] {
        assert!(explained.stdout.contains(line), "{line}\n{}", explained.stdout);
    }
    assert!(!explained.stdout.contains("orders_mode"), "{}", explained.stdout);

    let list = with(&["list"]).await;
    for line in [
        "team=search",
        "the mapping to gpu_celsius cannot read every value: read from 1 of 2 workers",
        "orders: the mapping to orders_mode cannot read every value: read from 1 of 2 instances; `metrics explain orders` shows why",
    ] {
        assert!(list.stdout.contains(line), "{line}\n{}", list.stdout);
    }

    let doctor = with(&["doctor", "--json"]).await;
    assert_eq!(doctor.code, Some(9), "{doctor:?}");
    let report: Value = serde_json::from_str(&doctor.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("a list");
    let mappings: Vec<_> = findings
        .iter()
        .filter(|finding| finding["check"] == "mapping")
        .collect();
    assert_eq!(mappings.len(), 3, "{report}");
    assert!(
        mappings.iter().all(|finding| finding["level"] == "warning"),
        "{report}"
    );

    let mapping = r#"{ target = "dynamo/*/*", pointer = "/nowhere", name = "nowhere", type = "gauge", help = "Nothing." }"#;
    let by_flag = run(
        &server,
        &["explain", TARGET, "--listen-for", "0s", "--mapping", mapping],
    )
    .await;
    let missing = "missing in 2 workers: the value at /nowhere is missing";
    assert!(by_flag.stdout.contains(missing), "{by_flag:?}");
}

#[tokio::test]
async fn the_log_advises_in_the_words_of_the_file_where_the_target_is_there() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(
        "dynamo/planner/my_endpoint",
        Layout::Hashed,
        Some(1),
    ));
    fleet.join(&Micro::service("Orders", "x").endpoint("o.e", json!(null)));
    let found = "\"dynamo/planner/my_endpoint\"";
    for (text, advice) in [
        (
            format!("target = [\"{TARGET}\"]"),
            format!("write {found} in the list `target` of the configuration file"),
        ),
        (
            format!("[[target]]\npath = \"{TARGET}\""),
            format!("write path = {found} in [[target]] of the configuration file"),
        ),
        (
            "component = \"my_component\"\nendpoint = \"my_endpoint\"".to_owned(),
            "write component = \"planner\" in the configuration file".to_owned(),
        ),
        (
            "service = [\"orders\"]".to_owned(),
            "write \"Orders\" in the list `service` of the configuration file".to_owned(),
        ),
    ] {
        let (_folder, path) = file(&text);
        let mut collector =
            Collector::start(server.url(), &["--config", path.to_str().expect("UTF-8")]).await;
        collector.program().says(&["WARN", &advice]).await;
    }
}
