//! Topics that are listened to where they are asked for: what caches store, and requests as routers assign them.

use protocol::events::Topic;

use super::*;
use crate::{CACHE_TIERS, CacheCounts, EventResult, OptInTopics, SequencesView, Source};

const CACHES: &str = "namespace.dynamo.component.c.endpoint.gen.kv-events";
const REQUESTS: &str = "namespace.dynamo.component.c.endpoint.gen.active_sequences_events";
const LOADS: &str = "namespace.dynamo.component.c.endpoint.gen.kv_metrics";

/// A bench that listens to both topics, before its first round.
fn bench() -> Bench {
    let mut plan = plan(&[POOL]);
    plan.settings.topics = OptInTopics {
        kv_events: true,
        active_sequences: true,
    };
    let mut bench = Bench::new(plan);
    bench.round(&[]);
    bench
}

fn hear(bench: &mut Bench, subject: &str, event: &str) {
    bench.publish_event(subject, event.as_bytes());
    bench.hear();
}

fn kv(id: u64, rank: u64, event_id: u64, tier: &str, data: &str) -> String {
    format!(
        r#"{{"worker_id": {id}, {tier} "event": {{"event_id": {event_id}, "data": {data}, "dp_rank": {rank}}}}}"#
    )
}

const DEVICE: &str = r#""storage_tier": "device","#;
const DISK: &str = r#""storage_tier": "disk","#;

fn stored(blocks: usize) -> String {
    let block = r#"{"block_hash": 1, "tokens_hash": 2}"#;
    format!(
        r#"{{"stored": {{"parent_hash": null, "blocks": [{}]}}}}"#,
        vec![block; blocks].join(",")
    )
}

fn removed(blocks: usize) -> String {
    format!(
        r#"{{"removed": {{"block_hashes": [{}]}}}}"#,
        vec!["1"; blocks].join(",")
    )
}

fn cache(bench: &Bench) -> CacheCounts {
    *bench.worker().events.expect("heard").cache.expect("reported")
}

/// Blocks that were stored and removed in a tier.
fn tier(counts: &CacheCounts, name: &str) -> (u64, u64) {
    let place = CACHE_TIERS.iter().position(|tier| *tier == name).expect(name);
    (counts.stored[place], counts.removed[place])
}

const ADD: &str = r#"{"AddRequest": {"token_sequence": [1, 2], "isl": 37, "overlap": 0}}"#;
const FIRST: &str = r#""MarkPrefillCompleted""#;
const FREE: &str = r#""Free""#;

/// What a router reports; where its id is that of the worker, the worker does.
fn request(request: &str, worker: u64, data: &str, router: u64, lora: Option<&str>) -> String {
    let lora = lora.map_or("null".to_owned(), |lora| format!("{lora:?}"));
    format!(
        r#"{{"request_id": "{request}", "worker": {{"worker_id": {worker}, "dp_rank": 0}}, "data": {data},
            "router_id": {router}, "lora_name": {lora}}}"#
    )
}

fn sequences(bench: &Bench) -> SequencesView {
    *bench.worker().events.expect("heard").sequences.expect("reported")
}

#[test]
fn what_a_cache_stores_and_removes_is_counted_by_tier() {
    let mut bench = bench();
    hear(&mut bench, CACHES, &kv(7, 0, 1, DEVICE, &stored(3)));
    // From Dynamo 1.4 on a message holds many.
    let many = [
        kv(7, 0, 2, DEVICE, &removed(1)),
        kv(7, 0, 3, DISK, &stored(2)),
        kv(7, 0, 4, "", &stored(5)),
        kv(7, 0, 5, r#""storage_tier": "moon","#, &removed(4)),
        kv(7, 0, 6, DEVICE, r#""cleared""#),
    ];
    hear(&mut bench, CACHES, &format!("[{}]", many.join(",")));
    let counts = cache(&bench);
    assert_eq!(tier(&counts, "device"), (3, 1));
    assert_eq!(tier(&counts, "disk"), (2, 0));
    assert_eq!(tier(&counts, "unknown"), (5, 0), "Dynamo 1.0 does not say where");
    assert_eq!(tier(&counts, "other"), (0, 4));
    assert_eq!(counts.clears, 1);
    let worker = bench.worker();
    assert_eq!(
        (worker.source(), worker.state.as_str()),
        (Source::Events, "fresh")
    );
    assert_eq!(worker.events.expect("heard").lost, [0; Topic::ALL.len()]);
    assert_eq!(bench.pool().events[EventResult::Ok], 2, "messages");
}

#[test]
fn events_of_caches_that_did_not_come_are_counted_for_the_worker() {
    let mut bench = bench();
    for (rank, id) in [
        (0, 4),
        (0, 5),
        (0, 9),
        (1, 50),
        (0, 0),
        (0, 1),
        (1, 52),
        (0, u64::MAX),
        (0, 0),
    ] {
        hear(&mut bench, CACHES, &kv(7, rank, id, DEVICE, &stored(1)));
    }
    let lost = bench.worker().events.expect("heard").lost;
    assert_eq!(lost[Topic::KvEvents as usize], 4);
    let many = [kv(7, 0, 3, DEVICE, &stored(1)), kv(7, 0, 5, DEVICE, &stored(1))];
    hear(&mut bench, CACHES, &format!("[{}]", many.join(",")));
    let lost = bench.worker().events.expect("heard").lost;
    assert_eq!(
        lost[Topic::KvEvents as usize],
        7,
        "between two messages, and within one"
    );
}

#[test]
fn what_cannot_be_read_is_counted_and_changes_nothing() {
    let mut bench = bench();
    for (subject, event) in [
        (CACHES, "[]".to_owned()),
        (CACHES, kv(7, 0, 1, DEVICE, r#""paused""#)),
        (CACHES, "garbage".to_owned()),
        (REQUESTS, request("r", 7, r#""Paused""#, 7, None)),
        (REQUESTS, request("", 7, ADD, 7, None)),
        (REQUESTS, request("r", 7, ADD, 7, Some(&"x".repeat(256)))),
    ] {
        hear(&mut bench, subject, &event);
    }
    assert_eq!(bench.pool().events[EventResult::Malformed], 6);
    assert_eq!(bench.pool().workers.len(), 0);
}

#[test]
fn topics_that_are_not_asked_for_are_not_listened_to() {
    let mut bench = Bench::of(POOL);
    bench.round(&[]);
    hear(&mut bench, CACHES, &kv(7, 0, 1, DEVICE, &stored(1)));
    hear(&mut bench, REQUESTS, &request("r", 7, ADD, 7, None));
    assert_eq!(bench.pool().workers.len(), 0);
    assert_eq!(bench.pool().events.total(), 0);
}

#[test]
fn requests_are_assigned_until_they_are_done_and_first_tokens_count_once() {
    let mut bench = bench();
    bench.round(&[Actor::of("c", "a", "7")]);
    for (id, data, router, lora) in [
        ("a", ADD, 99, None),
        ("b", ADD, 99, Some("l\"1")),
        ("c", ADD, 98, Some("l\"1")),
        ("d", ADD, 98, Some("")),
        ("a", FIRST, 99, None),
        ("a", FIRST, 7, None),
        ("b", FIRST, 7, None),
        ("a", FREE, 99, None),
        ("c", FREE, 98, Some("l\"1")),
        ("c", FREE, 98, Some("l\"1")),
        ("unknown", FREE, 98, None),
    ] {
        bench.publish_event(REQUESTS, request(id, 7, data, router, lora).as_bytes());
    }
    bench.hear();
    let known = sequences(&bench);
    assert_eq!((known.assigned, known.first_tokens), (Some(2), 2));
    assert_eq!(known.loras, [("l\"1".into(), 1)]);
    assert_eq!(bench.pool().events[EventResult::Ok], 11);
}

#[test]
fn where_only_workers_report_requests_it_is_unknown_how_many_are_assigned() {
    let mut bench = bench();
    hear(&mut bench, REQUESTS, &request("a", 7, FIRST, 7, None));
    let known = sequences(&bench);
    assert_eq!((known.assigned, known.first_tokens), (None, 1));
    assert_eq!(bench.worker().source(), Source::Events);
}

#[test]
fn a_worker_lives_by_what_it_reports_itself_and_not_by_what_routers_report_of_it() {
    for (router, expected) in [(7, Some("fresh")), (99, None)] {
        let mut bench = bench();
        hear(&mut bench, REQUESTS, &request("r", 7, ADD, router, None));
        let state = bench.pool().workers.first().map(|worker| worker.state.as_str());
        assert_eq!(state, expected, "reported by {router}");
    }
    for (router, expected) in [(7, "fresh"), (99, "stale")] {
        let mut bench = bench();
        hear(
            &mut bench,
            LOADS,
            r#"{"worker_id": 7, "dp_rank": 0, "kv_used_blocks": 42}"#,
        );
        for _ in 0..7 {
            bench.run(10 * SECOND);
            hear(&mut bench, REQUESTS, &request("r", 7, FIRST, router, None));
        }
        assert_eq!(bench.worker().state.as_str(), expected, "reported by {router}");
    }
}

#[test]
fn a_request_whose_end_is_lost_does_not_count_indefinitely() {
    let mut bench = bench();
    bench.round(&[Actor::of("c", "a", "7")]);
    hear(&mut bench, REQUESTS, &request("lost", 7, ADD, 99, Some("l")));
    bench.run(590 * SECOND);
    hear(&mut bench, REQUESTS, &request("new", 7, ADD, 99, Some("l")));
    assert_eq!(sequences(&bench).assigned, Some(2));
    bench.run(25 * SECOND);
    let known = sequences(&bench);
    assert_eq!(
        (known.assigned, &known.loras[..]),
        (Some(1), &[("l".into(), 1)][..])
    );
    hear(&mut bench, REQUESTS, &request("new", 7, FREE, 99, Some("l")));
    assert_eq!(sequences(&bench).loras, [("l".into(), 0)]);
    bench.run(590 * SECOND);
    assert_eq!(sequences(&bench).loras.len(), 1);
    bench.run(25 * SECOND);
    assert_eq!(sequences(&bench).loras, [], "an adapter is forgotten in the end");
}

#[test]
fn after_an_outage_or_a_restart_what_was_assigned_is_not_known() {
    let mut bench = bench();
    bench.round(&[Actor::of("c", "a", "7")]);
    let add = |bench: &mut Bench, id: &str| hear(bench, REQUESTS, &request(id, 7, ADD, 99, None));
    add(&mut bench, "a");
    bench.lose_link();
    bench.run(5 * SECOND);
    bench.restore_link();
    assert_eq!(sequences(&bench).assigned, None);
    add(&mut bench, "b");
    assert_eq!(sequences(&bench).assigned, Some(1));
    bench.round(&[Actor::of("c", "a", "7").started("2026-01-02T00:00:00Z")]);
    assert_eq!(sequences(&bench).assigned, None);
    add(&mut bench, "c");
    assert_eq!(sequences(&bench).assigned, Some(1));
}
