//! Events: whose they are, and when what they report is no longer current.

use protocol::events::Topic;

use super::*;
use crate::EventResult;

const HITS: &str = "namespace.dynamo.kv-hit-rate";
const LOADS: &str = "namespace.dynamo.kv_metrics";

/// Publishes load events.
fn publish(bench: &mut Bench, events: &[String]) {
    for event in events {
        bench.publish_event(LOADS, event.as_bytes());
    }
    bench.hear();
}

fn hit(id: u64, looked_up: u64, found: u64) -> String {
    format!(r#"{{"worker_id": {id}, "isl_blocks": {looked_up}, "overlap_blocks": {found}}}"#)
}

fn active(rank: u64, blocks: u64) -> String {
    format!(r#"{{"worker_id": 1, "dp_rank": {rank}, "active_decode_blocks": {blocks}}}"#)
}

/// A worker whose statistics carry no load.
fn idle(instance: &str, id: &str) -> Actor {
    Actor::of("c", instance, id)
}

#[test]
fn hits_are_counted_for_the_worker_they_name_and_others_are_not_attributed() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 0, 0), worker("b", "2", 0, 0)]);
    for (id, looked_up, found) in [(1, 10, 4), (1, 10, 6), (3, 10, 10), (1, 0, 0), (1, 1, 2)] {
        bench.publish_event(HITS, hit(id, looked_up, found).as_bytes());
    }
    bench.hear();
    let pool = bench.pool();
    let counted: Vec<_> = pool
        .workers
        .iter()
        .map(|w| (w.lookup_blocks, w.hit_blocks))
        .collect();
    assert_eq!(counted, [(20, 10), (0, 0)]);
    assert_eq!(
        pool.hit_ratios.count(),
        2,
        "an event that looked up nothing has no ratio"
    );
    let results: Vec<u64> = EventResult::ALL
        .iter()
        .map(|result| pool.events[*result])
        .collect();
    assert_eq!(results, [3, 0, 1, 1, 0]);
}

#[test]
fn load_of_workers_whose_statistics_carry_none_comes_from_events() {
    let mut bench = Bench::of(POOL);
    bench.round(&[idle("a", "1")]);
    assert_eq!(
        (bench.workers(), bench.worker().schema),
        (vec!["1 fresh -".to_owned()], "none")
    );
    publish(&mut bench, &[active(0, 5), active(1, 7), active(1, 8)]);
    assert_eq!(
        (bench.workers(), bench.worker().schema),
        (vec!["1 fresh 13".to_owned()], "event")
    );
    bench.next_round();
    assert_eq!(
        bench.workers(),
        ["1 fresh 13"],
        "events report changes only, so their load holds"
    );
    bench.round(&[idle("b", "1").started("2026-01-02T00:00:00Z")]);
    assert_eq!(
        bench.workers(),
        ["1 fresh -"],
        "a restarted worker has not reported its load yet"
    );
    publish(&mut bench, &["garbage".to_owned()]);
    assert_eq!(bench.pool().events[EventResult::Malformed], 1);
}

#[test]
fn a_newcomer_that_reported_its_load_before_it_was_found_is_shown_with_it() {
    let event = |id: u64| format!(r#"{{"worker_id": {id}, "active_decode_blocks": {id}}}"#);
    let mut bench = Bench::of(POOL);
    bench.round(&[]);
    publish(&mut bench, &[event(1), event(2)]);
    bench.run(300 * MS);
    assert_eq!(
        bench.pool().events[EventResult::UnknownWorker],
        2,
        "they are counted all the same"
    );
    bench.round(&[idle("a", "1")]);
    assert_eq!(bench.workers(), ["1 fresh 1"]);
    bench.round(&[]).round(&[idle("b", "2")]);
    assert_eq!(
        bench.workers()[1],
        "2 fresh -",
        "what is older than two rounds is forgotten"
    );
}

#[test]
fn what_a_worker_says_of_itself_is_not_overruled_by_a_routers_estimate() {
    let event = |fields: &str| format!(r#"{{"worker_id": 1, {fields}}}"#);
    let router = r#""active_decode_blocks": 5, "active_prefill_tokens": 1200"#;
    let mut bench = Bench::of(POOL);
    bench.round(&[idle("a", "1")]);
    let mut check = |fields: &str, expected: &str| {
        publish(&mut bench, &[event(fields)]);
        assert_eq!(bench.workers(), [expected], "{fields}");
    };
    check(router, "1 fresh 5");
    check(r#""active_decode_blocks": 60"#, "1 fresh 60");
    check(router, "1 fresh 60");
    check(r#""active_decode_blocks": 61"#, "1 fresh 61");
    check(r#""active_decode_blocks": 3, "kv_used_blocks": 70"#, "1 fresh 70");
    check(r#""active_decode_blocks": 62"#, "1 fresh 70");
    check(r#""kv_used_blocks": 0"#, "1 fresh 0");
}

#[test]
fn load_that_events_reported_is_unknown_after_a_gap_of_the_link_until_it_is_reported_again() {
    let mut bench = Bench::of(POOL);
    bench.round(&[idle("a", "1")]);
    publish(&mut bench, &[active(0, 300), active(1, 35)]);
    assert_eq!(bench.workers(), ["1 fresh 335"]);
    bench.lose_link();
    bench.run(1500 * MS);
    bench.restore_link();
    bench.next_round();
    assert_eq!(bench.workers(), ["1 fresh -"]);
    publish(&mut bench, &[active(0, 30)]);
    assert_eq!(bench.workers(), ["1 fresh 30"], "a rank that left is not summed");
}

#[test]
fn load_that_events_reported_has_an_age_and_a_limit_for_each_rank() {
    let mut bench = Bench::of(POOL);
    bench.round(&[idle("a", "1")]);
    publish(&mut bench, &[active(0, 10), active(1, 5)]);
    let reported = |bench: &Bench| {
        let events = bench.worker().events;
        events.and_then(|events| events.topics[Topic::KvMetrics as usize])
    };
    let reported_at = reported(&bench).expect("reported");
    assert!((bench.now.unix.as_secs_f64() - reported_at) < 1.0);
    for _ in 0..4 {
        bench.rounds(10);
        publish(&mut bench, &[active(0, 11)]);
    }
    assert_eq!(
        bench.workers(),
        ["1 fresh 11"],
        "rank 1 has not been heard for 80 s"
    );
    bench.rounds(31);
    assert_eq!(bench.workers(), ["1 fresh -"]);
    assert!(reported(&bench).is_some(), "its age is still shown");
}

#[test]
fn an_event_about_a_worker_of_one_pool_is_no_unknown_workers_for_another() {
    let mut bench = Bench::new(plan(&[POOL, "dynamo/d/gen"]));
    bench.round(&[idle("a", "1"), Actor::of("d", "b", "2")]);
    for id in [1, 2, 2] {
        let event = format!(r#"{{"worker_id": {id}, "active_decode_blocks": 4}}"#);
        bench.publish_event(LOADS, event.as_bytes());
        bench.publish_event(HITS, hit(id, 10, 5).as_bytes());
    }
    bench.hear();
    let counted = |bench: &Bench, name: &str| {
        let events = bench.find(name).expect("there").events;
        [EventResult::Ok, EventResult::UnknownWorker, EventResult::Foreign].map(|result| events[result])
    };
    assert_eq!(
        (counted(&bench, POOL), counted(&bench, "dynamo/d/gen")),
        ([2, 0, 4], [4, 0, 2])
    );
    bench.publish_event(LOADS, br#"{"worker_id": 9, "active_decode_blocks": 4}"#);
    bench.publish_event(LOADS, b"garbage");
    bench.hear();
    assert_eq!(
        (counted(&bench, POOL), counted(&bench, "dynamo/d/gen")),
        ([2, 1, 4], [4, 1, 2])
    );
    for pool in [POOL, "dynamo/d/gen"] {
        let events = bench.find(pool).expect("there").events;
        assert_eq!(events.total(), 8, "{pool}: one result for each event");
    }
}

#[test]
fn a_batch_that_is_added_up_counts_every_event() {
    let mut bench = Bench::of(POOL);
    bench.round(&[idle("a", "1")]);
    for n in 0..1000 {
        bench.publish_event(LOADS, active(n % 4, n).as_bytes());
    }
    bench.hear();
    assert_eq!(bench.pool().events[EventResult::Ok], 1000);
    assert_eq!(bench.workers(), ["1 fresh 3990"], "the last of each rank");
}
