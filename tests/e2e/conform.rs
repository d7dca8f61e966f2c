//! `metrics conform` against workers of the SDK, in Python, simulated, recorded, and against some with a fault each.

use rustix::process::Signal;
use serde_json::Value;
use tests::{
    Finished, Micro, NatsServer, Program, Recording, TestFleet, Workers, built, finish, load, metrics,
    repository, tools,
};
use tokio::process::Command;

const TARGET: &str = "dynamo/my_component/my_endpoint";

fn conform(server: &NatsServer, target: &str, more: &[&str]) -> Command {
    metrics(&[["conform", target, "--server", server.url()].as_slice(), more].concat())
}

async fn report(server: &NatsServer, target: &str, more: &[&str]) -> (Option<i32>, Value) {
    let more = [["--json", "--listen-for", "0s"].as_slice(), more].concat();
    let Finished { code, stdout, stderr } = finish(conform(server, target, &more)).await;
    let report = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    (code, report)
}

/// The outcome and the text with its remedy of the one finding of a check.
fn finding(report: &Value, check: &str) -> (String, String) {
    let findings = report["findings"].as_array().expect("a list");
    let found: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["check"] == check)
        .collect();
    let [found] = found[..] else {
        panic!("one {check} in {report:#}")
    };
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (text("outcome"), format!("{} {}", text("text"), text("remedy")))
}

/// Checks a worker that does everything right, to its end.
async fn passes_to_the_end(server: &NatsServer, mut worker: Program, target: &str) {
    let more = [
        "--without-reply",
        "--request",
        "one two",
        "--drain",
        "30s",
        "--listen-for",
        "3s",
    ];
    let mut conforming = Program::start("conform", conform(server, target, &more));
    conforming.says(&["stop the worker"]).await;
    worker.signal(Signal::TERM);
    assert_eq!(
        conforming.ended().await.code(),
        Some(0),
        "{}",
        conforming.log_tail()
    );
    assert_eq!(worker.ended().await.code(), Some(0));
    let log = conforming.log().join("\n");
    for passed in [
        "answers PING",
        "describes itself",
        "statistics are complete",
        "load is in range",
        "do no harm",
        "a request is answered",
        "counts it",
        "kv-hit-rate",
        "without losing one",
        "no check failed",
    ] {
        assert!(log.contains(passed), "{passed}: {log}");
    }
}

#[tokio::test]
async fn a_worker_of_the_sdk_conforms_to_its_end() {
    let server = NatsServer::start().await;
    let mut command = built("examples/full_worker");
    command.env("NATS_URL", server.url());
    let mut worker = Program::start("full_worker", command);
    worker.says(&["ready"]).await;
    passes_to_the_end(&server, worker, TARGET).await;
}

#[tokio::test]
async fn the_worker_in_python_conforms_to_its_end() {
    let Some(python) = tools::program("E2E_PYTHON", "the_worker_in_python_conforms_to_its_end") else {
        return;
    };
    let server = NatsServer::start().await;
    let mut command = Command::new(python);
    command
        .arg(repository().join("tests/python/worker.py"))
        .args(["--server", server.url()]);
    let mut worker = Program::start("worker.py", command);
    worker.says(&["ready"]).await;
    passes_to_the_end(&server, worker, TARGET).await;
}

#[tokio::test]
async fn simulated_workers_conform() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "3"]).await;
    let (code, report) = report(&server, TARGET, &["--request", "hello"]).await;
    assert_eq!(
        (code, &report["workers"]),
        (Some(0), &Value::from(3)),
        "{report:#}"
    );
}

#[tokio::test]
async fn recorded_workers_of_dynamo_conform_in_what_was_recorded() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join_recording(&Recording::of("dynamo-0.5.1"));
    let (_, report) = report(&server, "dynamo/MyComponent/my_endpoint", &[]).await;
    for check in ["discovery", "info", "stats"] {
        let findings = report["findings"].as_array().expect("a list").iter();
        let mut of_check = findings.filter(|finding| finding["check"] == check).peekable();
        assert!(of_check.peek().is_some(), "{check} {report:#}");
        assert!(
            of_check.all(|finding| finding["outcome"] == "pass"),
            "{check} {report:#}"
        );
    }
}

#[tokio::test]
async fn each_fault_is_named_with_what_mends_it() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let micro = |id: &str, subject: &str, data: Value| {
        let service = Micro::service("dynamo_my_component", id);
        service
            .described("Dynamo component my_component in namespace dynamo")
            .endpoint(subject, data)
    };
    let padded = micro("padded", "dynamo_my_component.my_endpoint-0000002a", load(1));
    fleet.join(&padded);
    let (code, faults) = report(&server, TARGET, &[]).await;
    assert_eq!(code, Some(9), "{faults:#}");
    let (outcome, text) = finding(&faults, "discovery");
    assert_eq!(outcome, "fail");
    assert!(text.contains("one instance of a service does"), "{text}");
    assert!(
        text.contains("mend what is wrong with the subjects that follow"),
        "{text}"
    );
    let (outcome, text) = finding(&faults, "subject");
    assert_eq!(outcome, "fail");
    assert!(text.contains("leading zeros"), "{text}");
    assert!(
        text.contains("write the id in lower-case hexadecimal without leading zeros"),
        "{text}"
    );
    fleet.leave(&padded);

    let overfull = serde_json::json!({"kv_stats": {"kv_active_blocks": 9, "kv_total_blocks": 3}, "worker_stats": {"num_requests_waiting": 1}});
    let overfull =
        micro("overfull", "dynamo_my_component.my_endpoint-2a", overfull).described("my own worker");
    fleet.join(&overfull);
    let (code, faults) = report(&server, TARGET, &["--request", "hello"]).await;
    assert_eq!(code, Some(9), "{faults:#}");
    for (check, named) in [
        ("load", "kv_active_blocks is 9, above its capacity of 3"),
        (
            "info",
            "and not \"Dynamo component my_component in namespace dynamo\"",
        ),
        ("requests", "nothing serves the endpoint's subject"),
        ("counters", "`num_requests` is still 0"),
    ] {
        let (outcome, text) = finding(&faults, check);
        assert!(outcome == "fail" && text.contains(named), "{check}: {text}");
    }
    fleet.leave(&overfull);

    let (code, nothing) = report(&server, TARGET, &[]).await;
    assert_eq!(code, Some(3), "{nothing:#}");
}
