//! Aggregates that are published to NATS, read by `tests/python/reader.py`, on client libraries that we did not write.

use std::collections::BTreeSet;

use protocol::{Layout, subject};
use serde_json::Value;
use tests::{
    Collector, Micro, NatsServer, Page, Program, Setup, TestFleet, eventually, load, repository, tools,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::TARGET;

const SINK: (&str, &str) = ("sink", "nats");

fn aggregates() -> String {
    subject::aggregate(&TARGET.parse().expect("a path"))
}

/// Reads all aggregates of the target.
async fn reader(test: &str, url: &str) -> Option<Program> {
    let python = tools::program("E2E_PYTHON", test)?;
    let mut command = Command::new(python);
    command
        .arg(repository().join("tests/python/reader.py"))
        .args(["--server", url, &aggregates()]);
    let mut reader = Program::start("reader.py", command);
    reader.says(&["ready"]).await;
    Some(reader)
}

fn messages(reader: &Program) -> Vec<Value> {
    let lines = reader.lines_with(&["{"]);
    let read = |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    lines.iter().map(read).collect()
}

/// Waits for a message that fulfils `condition`.
async fn message(reader: &Program, promise: &str, condition: impl Fn(&Value) -> bool) -> Value {
    eventually(promise, async || {
        let found = messages(reader);
        let last = format!("of {} messages the last is {:?}", found.len(), found.last());
        found.into_iter().find(|message| condition(message)).ok_or(last)
    })
    .await
}

async fn fleet(server: &NatsServer, workers: u64) -> TestFleet {
    let fleet = TestFleet::connect(server).await;
    for id in 1..=workers {
        // The largest id is one that a double cannot hold.
        let id = if id == workers { u64::MAX } else { id };
        let blocks = id.min(workers);
        fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(id)).with_data(load(blocks)));
    }
    fleet
}

fn pushes(page: &Page, result: &str) -> f64 {
    page.sum("llm_collector_pushes_total", &[SINK, ("result", result)])
}

#[tokio::test]
async fn readers_of_dynamos_aggregate_get_it_once_a_round_and_only_if_that_is_asked_for() {
    let test = "readers_of_dynamos_aggregate_get_it_once_a_round_and_only_if_that_is_asked_for";
    let server = NatsServer::start().await;
    let Some(reader) = reader(test, server.url()).await else {
        return;
    };
    let _fleet = fleet(&server, 3).await;
    let silent = Collector::watching(&server, TARGET, &[]).await;
    silent.has_workers(3).await;
    let page = silent.rounds(3).await;
    assert_eq!(page.samples("llm_collector_pushes_total", &[SINK]).count(), 0);
    assert_eq!(messages(&reader), [] as [Value; 0]);
    assert_eq!(silent.stop().await, Some(0));

    let collector = Collector::watching(&server, TARGET, &["--publish", "upstream"]).await;
    let page = collector.has_workers(3).await;
    let whole = |found: &Value| {
        found["value"]["endpoints"]
            .as_object()
            .is_some_and(|map| map.len() == 3)
    };
    let found = message(&reader, "an aggregate with all workers is read", whole).await;
    assert_eq!(found["json"], true, "{found}");
    let aggregate = &found["value"];
    for (id, blocks) in [("1", 1), ("2", 2), ("18446744073709551615", 3)] {
        let worker = &aggregate["endpoints"][id];
        assert_eq!(worker["name"], format!("worker-{id}"), "{found}");
        let load = &worker["data"]["engine_load_metrics"];
        assert_eq!(load["kv_stats"]["kv_active_blocks"], blocks, "{found}");
    }
    for (key, name) in [("load_avg", "llm_load_avg"), ("load_std", "llm_load_std")] {
        assert_eq!(aggregate[key].as_f64(), page.value(name, &[]), "{key}: {page}");
    }

    collector.rounds(5).await;
    let read = messages(&reader).len() as f64;
    let page = collector
        .shows("messages that were read are counted", |page| {
            pushes(page, "success") >= read
        })
        .await;
    let rounds = page.sum("llm_collector_rounds_total", &[]);
    assert!(
        (5.0..=rounds).contains(&read),
        "{read} messages in {rounds} rounds: {page}"
    );
    assert_eq!(pushes(&page, "refused") + pushes(&page, "failure"), 0.0, "{page}");
}

#[tokio::test]
async fn a_pool_that_is_too_large_for_a_message_is_split_or_left_out_and_reported() {
    const MAX_PAYLOAD: usize = 8192;
    const WORKERS: u64 = 60;
    let test = "a_pool_that_is_too_large_for_a_message_is_split_or_left_out_and_reported";
    let server = NatsServer::set_up(&Setup::config(format!("max_payload: {MAX_PAYLOAD}"))).await;
    let Some(reader) = reader(test, server.url()).await else {
        return;
    };
    let _fleet = fleet(&server, WORKERS).await;
    let native = Collector::watching(&server, TARGET, &["--publish", "native"]).await;
    let page = native.has_workers(WORKERS as u32).await;
    let of_all = |found: &Value| found["value"]["pool"]["fresh"] == WORKERS;
    let first = message(&reader, "a part of the whole pool is read", of_all).await;
    let (sequence, parts) = (&first["value"]["sequence"], &first["value"]["parts"]);
    assert!(parts.as_u64() > Some(1), "{first}");
    let whole = eventually("all parts are read", async || {
        let mut found = messages(&reader);
        found.retain(|message| message["value"]["sequence"] == *sequence);
        match found.len() as u64 == parts.as_u64().unwrap_or(0) {
            true => Ok(found),
            false => Err(format!("{} of {parts}", found.len())),
        }
    })
    .await;
    let mut ids = BTreeSet::new();
    let mut blocks = 0;
    for (number, part) in (1..).zip(&whole) {
        assert!(part["bytes"].as_u64() <= Some(MAX_PAYLOAD as u64), "{part}");
        assert_eq!(part["json"], false);
        assert_eq!(part["value"]["part"], number, "they come in order");
        assert_eq!(part["value"]["schema"], 1);
        let names = ["namespace", "component", "endpoint"].map(|name| part["value"][name].as_str());
        assert_eq!(names.map(Option::unwrap_or_default).join("/"), TARGET);
        for worker in part["value"]["workers"].as_array().expect("a list") {
            assert!(ids.insert(worker["id"].as_u64()), "{worker} comes twice");
            blocks += worker["load"]["kv_blocks_active"].as_u64().unwrap_or(0);
        }
    }
    assert_eq!(ids.len() as u64, WORKERS);
    assert!(ids.contains(&Some(u64::MAX)));
    let pool = &whole[0]["value"]["pool"];
    assert_eq!(pool["kv_blocks_active"], blocks);
    assert_eq!(
        pool["load_avg"].as_f64(),
        page.value("llm_load_avg", &[]),
        "{pool}"
    );
    assert_eq!(native.stop().await, Some(0));

    let mut upstream = Collector::watching(&server, TARGET, &["--publish", "upstream"]).await;
    upstream.has_workers(WORKERS as u32).await;
    let page = upstream
        .shows("pools that are left out are counted", |page| {
            pushes(page, "refused") >= 3.0
        })
        .await;
    let lines = upstream
        .program()
        .lines_with(&["WARN", "too large", "--publish native", TARGET]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        page.value("llm_collector_permission_violations_total", &[]),
        Some(0.0)
    );
}

#[tokio::test]
async fn a_user_who_may_not_publish_learns_which_permissions_suffice_and_rounds_go_on() {
    const LINE: &str = r#"publish: ["$SRV.STATS", "$SRV.STATS.>", "$SRV.INFO.>", "namespace.dynamo.l2c.my_component.my_endpoint"]"#;
    let user = |name: &str, more: &str| {
        format!(
            r#"{{ user: {name}, password: {name}, permissions: {{ publish: ["$SRV.STATS", "$SRV.STATS.>", "$SRV.INFO.>"{more}],
                subscribe: ["_INBOX.>", "namespace.>", "dynamo.>"] }} }}"#
        )
    };
    let users = [
        "{ user: open, password: open }".to_owned(),
        user("least", ""),
        user("enough", &format!(", {:?}", aggregates())),
    ];
    let config = format!("authorization {{ users = [ {} ] }}", users.join("\n"));
    let server = NatsServer::configured(&config, Some(("open", "open"))).await;
    let _fleet = fleet(&server, 2).await;
    let at = |user: &str| format!("nats://{user}:{user}@{}", server.address());
    let arguments = ["--target", TARGET, "--publish", "native"];

    let mut denied = Collector::start(&at("least"), &arguments).await;
    denied.has_workers(2).await;
    denied.program().says(&["permission denied", LINE]).await;
    denied
        .shows("refusals are counted", |page| pushes(page, "refused") >= 2.0)
        .await;
    let page = denied
        .keeps("rounds go on", 3, |page| {
            page.sum("llm_collector_rounds_total", &[("finish", "error")]) == 0.0
        })
        .await;
    assert_eq!(pushes(&page, "success"), 0.0, "{page}");
    assert_eq!(denied.ready().await, 200);
    let lines = denied.program().lines_with(&["permission denied"]);
    assert_eq!(lines.len(), 1, "{lines:?}");

    let allowed = Collector::start(&at("enough"), &arguments).await;
    let page = allowed
        .shows("snapshots arrive", |page| pushes(page, "success") >= 3.0)
        .await;
    assert_eq!(pushes(&page, "refused"), 0.0, "{page}");
}

/// A way to a server on which the connection that publishes aggregates is no longer read after its first message.
async fn stalling(server: &NatsServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("nats://{}", listener.local_addr().expect("it is bound"));
    let server = server.address().to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let server = TcpStream::connect(server).await.expect("the server is there");
                let ((mut from, mut to_client), (mut from_server, mut to)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
                let (mut read, mut seen) = (vec![0; 4096], String::new());
                while let Ok(count @ 1..) = from.read(&mut read).await {
                    seen.push_str(&String::from_utf8_lossy(&read[..count]));
                    if seen.contains("metrics-publish") && seen.contains("PUB namespace.") {
                        std::future::pending::<()>().await;
                    }
                    to.write_all(&read[..count]).await.expect("the server reads");
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_server_that_no_longer_reads_aggregates_delays_no_round_and_the_latest_snapshot_waits() {
    let server = NatsServer::start().await;
    let _fleet = fleet(&server, 20).await;
    let url = stalling(&server).await;
    let collector = Collector::start(&url, &["--target", TARGET, "--publish", "native"]).await;
    collector.has_workers(20).await;
    let dropped = |page: &Page| page.value("llm_collector_push_dropped_snapshots_total", &[SINK]);
    let page = collector
        .shows("snapshots are dropped", |page| dropped(page) >= Some(3.0))
        .await;
    assert_eq!(
        page.value("llm_collector_push_queue_snapshots", &[SINK]),
        Some(1.0),
        "{page}"
    );
    let complete = |page: &Page| page.sum("llm_collector_rounds_total", &[("finish", "complete")]);
    let before = complete(&page);
    let page = collector.rounds(5).await;
    assert!(complete(&page) >= before + 5.0, "rounds go on: {page}");
    assert_eq!(pushes(&page, "success"), 0.0, "{page}");
    assert_eq!(collector.stop().await, Some(0));
}

#[tokio::test]
async fn publishing_goes_on_after_an_outage() {
    let mut server = NatsServer::start_on(tests::free_port()).await;
    let _fleet = fleet(&server, 2).await;
    let collector = Collector::watching(&server, TARGET, &["--publish", "upstream"]).await;
    collector
        .shows("snapshots arrive", |page| pushes(page, "success") >= 1.0)
        .await;
    server.stop().await;
    collector.has("llm_collector_nats_connected", &[], 0.0).await;
    server.start_again().await;
    let page = collector.has_workers(2).await;
    let before = pushes(&page, "success");
    collector
        .shows("snapshots arrive again", |page| pushes(page, "success") > before)
        .await;
}
