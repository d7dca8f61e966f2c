//! What is watched: exact paths, globs and what they exclude, and names that only one layout can carry.

use std::collections::BTreeSet;

use protocol::Layout;
use serde_json::json;
use tests::{Collector, Finished, Micro, NatsServer, Page, TestFleet, Workers, finish, metrics};

use crate::TARGET;

/// A worker of Dynamo 0.5.1 whose names only the plain layout can carry.
const ODD: &str = "_a.b/c d/e";
const ODD_SUBJECT: &str = "a_b_c_d.e-390da209124bd75f";
const ODD_ID: [(&str, &str); 1] = [("worker_id", "4111120194704496479")];

fn odd_worker() -> Micro {
    Micro::service("a_b_c_d", "odd")
        .described("Dynamo component c d in namespace _a.b")
        .endpoint(ODD_SUBJECT, tests::load(5))
}

fn worker(path: &str, id: u64) -> Micro {
    Micro::worker(path, Layout::Hashed, Some(id))
}

/// The pools that the page has, by component.
fn components(page: &Page) -> BTreeSet<&str> {
    page.values_of("dynamo_component", "llm_pool_workers")
}

fn fresh(page: &Page, component: &str) -> f64 {
    page.sum(
        "llm_pool_workers",
        &[("dynamo_component", component), ("state", "fresh")],
    )
}

async fn list(server: &NatsServer) -> Finished {
    finish(metrics(&["list", "--server", server.url()])).await
}

#[tokio::test]
async fn a_glob_shows_the_pools_of_components_as_they_start_and_drops_one_when_its_workers_are_gone() {
    let server = NatsServer::start().await;
    let decode = ["--component", "decode", "--workers", "2"];
    let decode = Workers::start(&server, &[decode.as_slice(), &["--first-id", "1"]].concat()).await;
    let mut collector = Collector::watching(&server, "dynamo/*/*", &[]).await;
    let page = collector.has_workers(2).await;
    assert_eq!(components(&page), BTreeSet::from(["decode"]), "{page}");

    let prefill = ["--component", "prefill", "--workers", "3", "--first-id", "100"];
    let _prefill = Workers::start(&server, &prefill).await;
    let page = collector.has_workers(5).await;
    assert_eq!(components(&page), BTreeSet::from(["decode", "prefill"]), "{page}");
    assert_eq!((fresh(&page, "decode"), fresh(&page, "prefill")), (2.0, 3.0));

    decode.kill().await;
    let page = collector
        .shows("the pool without workers is dropped", |page| {
            components(page) == BTreeSet::from(["prefill"])
        })
        .await;
    assert_eq!(fresh(&page, "prefill"), 3.0, "{page}");
    assert!(!page.text().contains("decode"), "nothing of it is left\n{page}");
    collector
        .program()
        .says(&["INFO", "left: ", "dynamo/decode/my_endpoint"])
        .await;
    assert_eq!(collector.ready().await, 200);
}

#[tokio::test]
async fn a_pool_that_a_glob_dropped_comes_back_with_its_workers() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let (staying, leaving) = (worker("dynamo/a/e", 1), worker("dynamo/b/e", 2));
    fleet.join(&staying);
    fleet.join(&leaving);
    let collector = Collector::watching(&server, "*/*/*", &[]).await;
    collector.has_workers(2).await;
    fleet.leave(&leaving);
    collector
        .shows("its pool is dropped", |page| {
            components(page) == BTreeSet::from(["a"])
        })
        .await;
    fleet.join(&leaving);
    let page = collector.has_workers(2).await;
    assert_eq!(components(&page), BTreeSet::from(["a", "b"]), "{page}");
}

#[tokio::test]
async fn a_glob_selects_by_every_part_of_the_path_and_what_is_excluded_is_not_shown() {
    let paths = [
        "dynamo/decode/generate",
        "dynamo/prefill/generate",
        "dynamo/test-decode/generate",
        "dynamo/decode/clear",
        "prod/decode/generate",
    ];
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for (path, id) in paths.into_iter().zip(1..) {
        fleet.join(&worker(path, id));
    }
    fleet.join(&Micro::service("orders", "o").endpoint("orders.create", tests::load(9)));
    for (selector, exclude, expected) in [
        ("*/*/*", "no/such/path", [1, 2, 3, 4, 5].as_slice()),
        ("dynamo/*/*", "no/such/path", &[1, 2, 3, 4]),
        ("dynamo/*/*", "dynamo/test-*/*", &[1, 2, 4]),
        ("*/*/generate", "*/test-*/*", &[1, 2, 5]),
        ("*/*code/*", "dynamo/*/*", &[5]),
        ("d*/p*/g*", "no/such/path", &[2]),
    ] {
        let collector = Collector::watching(&server, selector, &["--exclude", exclude]).await;
        collector.has_workers(expected.len() as u32).await;
        let page = collector.rounds(2).await;
        let shown = page.values_of("worker_id", "llm_worker_kv_blocks_active");
        let expected: Vec<String> = expected.iter().map(u64::to_string).collect();
        let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
        assert_eq!(shown, expected, "{selector} without {exclude}\n{page}");
    }
}

#[tokio::test]
async fn a_target_is_shown_without_workers_and_a_glob_next_to_it_does_not_take_its_workers() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker("dynamo/other/e", 2));
    let collector = Collector::watching(&server, TARGET, &["--target", "*/*/*"]).await;
    let page = collector.has_workers(1).await;
    assert_eq!(
        components(&page),
        BTreeSet::from(["my_component", "other"]),
        "{page}"
    );

    fleet.join(&worker(TARGET, 1));
    let page = collector.has_workers(2).await;
    assert_eq!(
        fresh(&page, "my_component"),
        1.0,
        "each worker is shown once\n{page}"
    );
}

#[tokio::test]
async fn names_that_only_the_plain_layout_can_carry_are_found_by_path_by_glob_and_by_list() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&odd_worker());
    for selector in [ODD, "_a.b/*/*", "*/c */e", "*/*/*"] {
        let collector = Collector::watching(&server, selector, &[]).await;
        let page = collector.has_workers(1).await;
        let names = [
            ("dynamo_namespace", "_a.b"),
            ("dynamo_component", "c d"),
            ("dynamo_endpoint", "e"),
            ODD_ID[0],
        ];
        assert_eq!(
            page.value("llm_worker_kv_blocks_active", &names),
            Some(5.0),
            "{selector}\n{page}"
        );
        let info = [ODD_ID[0], ("layout", "plain")];
        assert_eq!(page.value("llm_worker_info", &info), Some(1.0), "{page}");
    }
    let listed = list(&server).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let line = listed.stdout.lines().find(|line| line.starts_with(ODD));
    let words: Vec<&str> = line.unwrap_or_default()[ODD.len()..].split_whitespace().collect();
    assert_eq!(
        words,
        ["1/1", "0%", "3/100", "7", "srv", "0.1.0", "plain"],
        "{listed:?}"
    );
    let explained = finish(metrics(&["explain", ODD, "--server", server.url()])).await;
    assert_eq!(explained.code, Some(0), "{explained:?}");
    assert!(explained.stdout.contains("1 worker matched"), "{explained:?}");
}

#[tokio::test]
async fn an_event_of_one_target_is_no_unknown_workers_event_of_another_in_its_namespace() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let (full, empty) = ("dynamo/full/e", "dynamo/empty/e");
    fleet.join(&worker(full, 1));
    let mut collector = Collector::watching(&server, full, &["--target", empty]).await;
    collector.has_workers(1).await;

    let hit = json!({"worker_id": 1, "isl_blocks": 10, "overlap_blocks": 4});
    fleet
        .publish("namespace.dynamo.kv-hit-rate", hit.to_string())
        .await;
    let page = collector
        .has("llm_kv_lookup_blocks_total", &[("worker_id", "1")], 10.0)
        .await;
    let events = |result| page.sum("llm_collector_events_total", &[("result", result)]);
    let results = ["ok", "foreign", "unknown_worker"].map(events);
    assert_eq!(results, [1.0, 1.0, 0.0], "{page}");
    collector.program().says(&["WARN", "no worker of", empty]).await;
    collector.rounds(2).await;
    let hints = collector.program().lines_with(&["DYN_REQUEST_PLANE"]);
    assert_eq!(hints, [""; 0], "events of a known worker explain nothing");
}
