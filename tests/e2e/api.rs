//! The JSON API of a running collector, held against its page and its published schemas.

use std::fs;
use std::path::Path;

use protocol::Layout;
use serde_json::{Value, json};
use tests::{Collector, Micro, NatsServer, TestFleet};

use crate::TARGET;

async fn answer(collector: &Collector, path: &str) -> Value {
    let reply = collector.get(path, &[]).await;
    assert_eq!(
        reply.status,
        200,
        "{path}: {}",
        String::from_utf8_lossy(&reply.body)
    );
    serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Holds an answer against the schema in docs/api.
fn assert_valid(resource: &str, answer: &Value) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api");
    let path = docs.join(format!("{resource}.schema.json"));
    let schema = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut compiler = boon::Compiler::new();
    let schema = serde_json::from_str(&schema).expect("JSON");
    compiler.add_resource("schema.json", schema).expect("a schema");
    let mut schemas = boon::Schemas::new();
    let index = compiler
        .compile("schema.json", &mut schemas)
        .expect("a valid schema");
    if let Err(error) = schemas.validate(answer, index) {
        panic!("{resource}: {error:#}");
    }
}

#[tokio::test]
async fn programs_read_the_numbers_of_the_page_as_json_with_ids_as_text() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    // The largest id is one that a double cannot hold.
    for id in [100, 300, u64::MAX] {
        fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(id)));
    }
    fleet.join(&Micro::service("orders", "o1").endpoint("orders.create", json!({"depth": 3})));
    let more = ["--all-services", "--poll-interval", "200ms"];
    let collector = Collector::watching(&server, TARGET, &more).await;
    let page = collector.has_workers(3).await;
    collector
        .has("nats_service_instances", &[("state", "fresh")], 1.0)
        .await;

    let pools = answer(&collector, "/api/v1/pools").await;
    assert_valid("pools", &pools);
    let pool = &pools["pools"][0];
    assert_eq!(
        (&pool["name"], &pool["workers"]["fresh"]),
        (&json!(TARGET), &json!(3)),
        "{pool}"
    );
    let blocks = page.sum("llm_worker_kv_blocks_active", &[]);
    assert_eq!(pool["kv"]["active"].as_f64(), Some(blocks), "{pool}");
    assert_eq!(pools["collector"]["ready"], true, "{pools}");

    let workers = answer(&collector, "/api/v1/workers").await;
    assert_valid("workers", &workers);
    let ids: Vec<&str> = (workers["workers"].as_array().expect("an array").iter())
        .filter_map(|worker| worker["worker_id"].as_str())
        .collect();
    assert_eq!(ids, ["100", "300", "18446744073709551615"]);
    let one = answer(&collector, "/api/v1/workers?limit=1&offset=2&state=fresh").await;
    assert_eq!(
        (&one["total"], &one["workers"][0]["worker_hex"]),
        (&json!(3), &json!("ffffffffffffffff"))
    );

    let services = answer(&collector, "/api/v1/services?pool=orders").await;
    assert_valid("services", &services);
    assert_eq!(
        services["services"][0]["instances"][0]["instance_id"], "o1",
        "{services}"
    );

    let everything = answer(&collector, "/api/v1/snapshot").await;
    assert_valid("snapshot", &everything);
    let joined = everything["changes"].as_array().expect("an array").iter();
    let joined = joined.filter(|change| change["change"] == "joined" && change["pool"] == TARGET);
    assert_eq!(joined.count(), 3, "{everything}");

    let refused = collector.get("/api/v1/workers?colour=red", &[]).await;
    assert_eq!(refused.status, 400, "{}", String::from_utf8_lossy(&refused.body));
}

#[tokio::test]
async fn an_answer_says_that_it_cannot_be_trusted_while_nats_is_silent() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)));
    let collector = Collector::watching(&server, TARGET, &["--poll-interval", "200ms"]).await;
    collector.has_workers(1).await;
    server.pause().await;
    tests::eventually("the answer is not to be trusted", async || {
        let pools = answer(&collector, "/api/v1/pools").await;
        assert_valid("pools", &pools);
        match pools["collector"]["ready"] == false && pools["collector"]["not_ready"][0].is_string() {
            true => Ok(()),
            false => Err(pools["collector"].to_string()),
        }
    })
    .await;
    server.resume().await;
}
