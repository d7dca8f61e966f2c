//! What the log says of workers that are there but not as they should be, and that nothing from outside forges a line.

use protocol::Layout;
use serde_json::json;
use tests::{Collector, Micro, NatsServer, TestFleet, finish, load, metrics};

use crate::TARGET;

/// What would forge a line, colour a terminal, and turn the direction of a text, if it were written as it is.
const HOSTILE: &str = "a\nERROR forged\u{1b}[31m\u{202e}b";

fn worker(id: u64) -> Micro {
    Micro::worker(TARGET, Layout::Hashed, Some(id))
}

/// Panics where a text has characters that a terminal would obey, or a line that was forged.
fn is_harmless(lines: impl IntoIterator<Item = impl AsRef<str>>) {
    for line in lines {
        let line = line.as_ref();
        let obeyed =
            |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!line.contains(obeyed), "{line:?}");
        assert!(!line.starts_with("ERROR forged"), "{line:?}");
    }
}

#[tokio::test]
async fn load_under_unknown_names_is_said_once_with_the_names() {
    for (data, names) in [
        (
            json!({"kvActiveBlocks": 5, "requestTotalSlots": 9}),
            ["kvActiveBlocks", "requestTotalSlots"].as_slice(),
        ),
        (json!({"data": load(5)}), &["data"]),
    ] {
        let server = NatsServer::start().await;
        let fleet = TestFleet::connect(&server).await;
        for id in [1, 2] {
            fleet.join(&worker(id).with_data(data.clone()));
        }
        let mut collector = Collector::watching(&server, TARGET, &[]).await;
        collector.has_workers(2).await;
        let said = [["WARN", "known as load", TARGET].as_slice(), names].concat();
        collector.program().says(&said).await;
        let page = collector.rounds(3).await;
        let lines = collector.program().lines_with(&["known as load"]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(page.absent("llm_worker_kv_blocks_active", &[]), "{page}");
    }
}

#[tokio::test]
async fn a_worker_that_is_missing_is_named_once_and_so_is_its_return() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for id in [1, 2, 3, 4] {
        fleet.join(&worker(id));
    }
    let more = ["--poll-interval", "1s", "--gone-after", "1000"];
    let mut collector = Collector::watching(&server, TARGET, &more).await;
    collector.has_workers(4).await;
    fleet.leave(&worker(2));
    let lost = ["WARN", TARGET, "3 of 4 workers answer; missing: 2"];
    collector.program().says(&lost).await;
    collector.rounds(3).await;
    let lines = collector.program().lines_with(&["workers answer; missing"]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    fleet.join(&worker(2));
    collector
        .program()
        .says(&["INFO", TARGET, "all 4 workers answer again"])
        .await;
}

#[tokio::test]
async fn names_from_outside_are_escaped_wherever_people_read_them() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let named = |mut micro: Micro| {
        micro.version = HOSTILE.to_owned();
        micro
    };
    fleet.join(&named(worker(1)));
    // Of two instances with one id the elder is named as rejected.
    let elder = worker(1).with_id(HOSTILE).started_at("2025-01-02T03:04:05Z");
    fleet.join(&named(elder));
    fleet.join(&named(worker(2)).with_data(json!({HOSTILE: 1})));
    fleet.join(&named(worker(3)).with_data(json!({"kv_active_blocks": HOSTILE})));
    fleet.join(&named(worker(4)).with_data(HOSTILE.into()));
    fleet.join(&named(Micro::service(HOSTILE, "o").endpoint(HOSTILE, load(9))));
    let bad_id = format!("{}.my_endpoint-{HOSTILE}", worker(1).service);
    fleet.join(&named(
        Micro::service(&worker(1).service, "x").endpoint(&bad_id, load(9)),
    ));
    let more = ["--target", "dynamo/other/e"];
    let mut collector = Collector::watching(&server, TARGET, &more).await;
    for line in [
        ["WARN", "two instances", "ERROR forged"],
        ["WARN", "known as load", "ERROR forged"],
        ["WARN", "reply rejected", "worker=\"3\""],
        ["WARN", "reply rejected", "worker=\"4\""],
        ["WARN", "no worker of", "dynamo/other/e"],
        ["WARN", "invalid subject", TARGET],
    ] {
        collector.program().says(&line).await;
    }
    collector.rounds(2).await;
    is_harmless(collector.program().log());
    for look in [["list"].as_slice(), &["explain", TARGET]] {
        let seen = finish(metrics(&[look, &["--server", server.url()]].concat())).await;
        assert_eq!(seen.code, Some(0), "{seen:?}");
        assert!(seen.stdout.contains(r"a\nERROR forged"), "{seen:?}");
        is_harmless(seen.stdout.lines().chain(seen.stderr.lines()));
    }
}

#[tokio::test]
async fn advice_can_be_pasted_into_a_shell_whatever_a_component_is_called() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(
        "dynamo/x;reboot/my_endpoint",
        Layout::Plain,
        Some(1),
    ));
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    let path = "'dynamo/x;reboot/my_endpoint'";
    let advice = format!("use --target {path}");
    collector.program().says(&["WARN", TARGET, &advice]).await;
    let look = ["explain", TARGET, "--server", server.url()];
    let explained = finish(metrics(&look)).await;
    assert!(explained.stdout.contains(&format!("use {path}")), "{explained:?}");
}
