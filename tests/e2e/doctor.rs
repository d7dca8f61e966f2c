//! `metrics doctor` on real servers.

use protocol::Layout;
use serde_json::Value;
use tests::{Finished, Micro, NatsServer, TestFleet, Workers, finish, free_port, metrics};

use crate::TARGET;

const OPEN: Option<(&str, &str)> = Some(("open", "open"));

async fn doctor(url: &str, arguments: &[&str]) -> Finished {
    let look = ["doctor", "--listen-for", "300ms", "--server", url];
    finish(metrics(&[look.as_slice(), arguments].concat())).await
}

/// A configuration in which a user without a name has these permissions, and the test has all.
fn config(permissions: &str) -> String {
    format!(
        "authorization {{ users = [
            {{ user: open, password: open }}
            {{ user: narrow, password: narrow, permissions: {{
{permissions}
            }} }}
        ] }}
        no_auth_user: narrow"
    )
}

/// The findings of one level, from JSON.
fn findings(output: &Finished, level: &str) -> Vec<Value> {
    let report: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let all = report["findings"].as_array().expect("findings").clone();
    all.into_iter()
        .filter(|finding| finding["level"] == level)
        .collect()
}

#[tokio::test]
async fn a_user_who_may_not_publish_is_given_the_lines_that_mend_it_and_they_do() {
    let lacking = r#"publish: ["$SRV.STATS.>", "$SRV.INFO.>"], subscribe: ["_INBOX.>", "namespace.>"]"#;
    let server = NatsServer::configured(&config(lacking), OPEN).await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)));

    let ill = doctor(server.url(), &[]).await;
    assert_eq!(ill.code, Some(6), "{ill:?}");
    let denied = "may not publish to $SRV.STATS:";
    assert!(
        ill.stdout
            .lines()
            .any(|line| line.starts_with("error") && line.contains(denied)),
        "{ill:?}"
    );
    let line = |start: &str| {
        let mut lines = ill.stdout.lines().map(str::trim);
        lines
            .find(|line| line.starts_with(start))
            .expect("the line that fixes it")
            .to_owned()
    };
    // As an operator does it: the two lines are copied into the configuration.
    let fixed = [line("publish: ["), line("subscribe: [")].join("\n");
    server.reconfigure(&config(&fixed)).await;

    let well = doctor(server.url(), &[]).await;
    assert_eq!(well.code, Some(0), "{well:?}");
    assert!(well.stdout.contains("0 errors, 0 warnings"), "{well:?}");
    assert!(well.stdout.contains(&format!("{TARGET}: 1 worker")), "{well:?}");
}

#[tokio::test]
async fn each_permission_is_tried_and_the_missing_one_is_named() {
    let all = [
        ("publish", "$SRV.STATS.>"),
        ("publish", "$SRV.INFO.>"),
        ("subscribe", "_INBOX.>"),
        ("subscribe", "namespace.>"),
    ];
    for (verb, subject) in all {
        let server =
            NatsServer::configured(&config(&format!("{verb}: {{ deny: [{subject:?}] }}")), OPEN).await;
        let ill = doctor(server.url(), &["--json"]).await;
        assert_eq!(ill.code, Some(6), "{subject}: {ill:?}");
        let errors = findings(&ill, "error");
        let [error] = errors.as_slice() else {
            panic!("{subject}: {errors:?}")
        };
        let text = error["text"].as_str().unwrap_or_default();
        let stem = subject.trim_end_matches('>');
        assert!(
            text.contains(&format!("may not {verb} to {stem}")),
            "{subject}: {text}"
        );
        let remedy = error["remedy"].as_str().unwrap_or_default();
        assert!(remedy.contains(subject), "{subject}: {remedy}");
    }
}

#[tokio::test]
async fn a_healthy_server_is_described_with_its_pools() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "2"]).await;
    let well = doctor(server.url(), &["dynamo/*/my_endpoint"]).await;
    assert_eq!(well.code, Some(0), "{well:?}");
    for part in [
        "nats-server 2.",
        "round trip",
        "ms",
        "may publish to $SRV.STATS",
        "may subscribe to _INBOX.>",
        "max_payload is 1 MiB",
        &format!("{TARGET}: 2 workers"),
        "dynamo/*/my_endpoint has 2 workers",
    ] {
        assert!(well.stdout.contains(part), "{part} in {well:?}");
    }
}

#[tokio::test]
async fn a_target_without_workers_a_wrong_clock_and_a_small_payload_are_warnings() {
    let server = NatsServer::configured("max_payload: 65536", None).await;
    let absent = doctor(server.url(), &[TARGET]).await;
    assert_eq!(absent.code, Some(3), "{absent:?}");
    assert!(
        absent.stdout.contains(&format!("{TARGET} has no workers")),
        "{absent:?}"
    );
    assert!(absent.stdout.contains("DYN_EVENT_PLANE"), "{absent:?}");

    let fleet = TestFleet::connect(&server).await;
    let future = Micro::worker(TARGET, Layout::Hashed, Some(1)).started_at("2126-01-02T03:04:05Z");
    fleet.join(&future);
    let ill = doctor(server.url(), &["--json"]).await;
    let warnings = findings(&ill, "warning");
    let checks: Vec<&str> = warnings
        .iter()
        .filter_map(|finding| finding["check"].as_str())
        .collect();
    assert_eq!(checks, ["limits", "clocks"], "{ill:?}");
    assert_eq!(ill.code, Some(9), "{ill:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_said_with_its_address() {
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    let away = doctor(&nowhere, &[]).await;
    assert_eq!(away.code, Some(7), "{away:?}");
    assert!(away.stderr.contains(&nowhere), "{away:?}");
}
