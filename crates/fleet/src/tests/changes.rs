//! What changes in the lives of workers: what counts as a change, that it is counted once, and what is said of it.

use super::*;
use crate::{Change, Detail, RECENT_CHANGES};

/// The changes that were counted: joined, left, stale, recovered, restarted, replaced, refused.
fn counted(bench: &Bench) -> [u64; 7] {
    let pool = bench.pool();
    std::array::from_fn(|at| pool.changes[Change::ALL[at]])
}

/// `worker change detail` of the last changes.
fn recent(bench: &Bench) -> Vec<String> {
    let changes = bench.snapshot().changes.iter();
    let text = |change: &crate::WorkerChange| {
        let text = format!(
            "{} {} {}",
            change.worker.worker_id,
            change.change.as_str(),
            change.detail
        );
        text.trim().to_owned()
    };
    changes.map(text).collect()
}

fn pass(bench: &mut Bench, worker: u64, counter: u64) {
    let text = format!(
        r#"{{"worker_id": "{worker}", "dp_rank": 0, "counter_id": {counter}, "wall_time": 0.01,
            "scheduled_requests": {{"num_decode_requests": 1}}, "queued_requests": {{}}}}"#
    );
    bench.publish_event(
        "namespace.dynamo.component.c.endpoint.gen.forward-pass-metrics",
        text.as_bytes(),
    );
    bench.hear();
}

#[test]
fn each_change_of_a_worker_is_counted_and_remembered_once() {
    let mut bench = Bench::of(POOL);
    bench.round(&[]);
    assert_eq!(counted(&bench), [0; 7], "before anything happened");
    bench.round(&[worker("a", "1", 1, 9)]);
    assert_eq!(counted(&bench), [1, 0, 0, 0, 0, 0, 0]);
    bench.round(&[]).rounds(2);
    assert_eq!(counted(&bench), [1, 0, 1, 0, 0, 0, 0]);
    bench.round(&[worker("a", "1", 1, 10)]);
    assert_eq!(counted(&bench), [1, 0, 1, 1, 0, 0, 0]);
    bench.round(&[worker("a", "1", 1, 2).started("2026-01-02T00:00:00Z")]);
    assert_eq!(counted(&bench), [1, 0, 1, 1, 1, 0, 0]);
    bench.round(&[worker("b", "1", 1, 3).started("2026-01-03T00:00:00Z")]);
    assert_eq!(counted(&bench), [1, 0, 1, 1, 1, 1, 0]);
    bench.round(&[]).rounds(6);
    assert_eq!(counted(&bench), [1, 1, 2, 1, 1, 1, 0]);
    bench.rounds(3);
    assert_eq!(counted(&bench), [1, 1, 2, 1, 1, 1, 0]);
    let lines = [
        "1 joined",
        "1 stale",
        "1 recovered",
        "1 restarted",
        "1 replaced in place of a",
        "1 stale",
        "1 left silent for too long",
    ];
    assert_eq!(recent(&bench), lines);
    let replaced = &bench.snapshot().changes[4];
    assert_eq!(replaced.detail, Detail::InPlaceOf("a".into()));
    assert_eq!(&*replaced.worker.service_id, "b");
}

#[test]
fn what_is_refused_is_a_change_of_the_worker_once_until_it_is_mended() {
    let mut bench = Bench::of(POOL);
    let bad = || worker("a", "1", 0, 0).data(r#"{"kv_active_blocks": -1, "num_requests_waiting": 3}"#);
    bench.round(&[bad()]).rounds(40);
    assert_eq!(counted(&bench), [1, 0, 0, 0, 0, 0, 1], "every reply is as bad");
    let lines = recent(&bench);
    assert!(
        lines[1].starts_with("1 refused") && lines[1].contains("kv_active_blocks"),
        "{lines:?}"
    );
    bench.round(&[worker("a", "1", 1, 0)]).rounds(2);
    assert_eq!(counted(&bench), [1, 0, 0, 0, 0, 0, 1]);
    bench.round(&[bad()]).rounds(2);
    assert_eq!(
        counted(&bench),
        [1, 0, 0, 0, 0, 0, 2],
        "and it was mended between"
    );
    assert_eq!(bench.said("reported what cannot be used"), Vec::<String>::new());
}

#[test]
fn a_crash_under_a_new_id_leaves_a_trace_of_both_ids() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 9), worker("z", "9", 1, 0)]);
    bench.round(&[worker("b", "2", 1, 0), worker("z", "9", 1, 0)]);
    assert_eq!(
        counted(&bench),
        [3, 0, 0, 0, 0, 0, 0],
        "the new one comes at once"
    );
    bench.rounds(5);
    assert_eq!(counted(&bench), [3, 1, 1, 0, 0, 0, 0]);
    let ids = [
        "1 joined",
        "9 joined",
        "2 joined",
        "1 stale",
        "1 left silent for too long",
    ];
    assert_eq!(recent(&bench), ids);
    assert_eq!(
        bench.said("1 worker joined: 2 target").len(),
        1,
        "{:?}",
        bench.notices
    );
    assert_eq!(bench.said("1 worker left: 1 (").len(), 1, "{:?}", bench.notices);
}

#[test]
fn all_changes_of_a_round_are_one_line_and_ten_workers_are_named() {
    let many = |count: u64| -> Vec<Actor> {
        let one = |id| worker(&format!("i{id:02}"), &format!("{id:x}"), 1, 0);
        (1..=count).map(one).collect()
    };
    let mut bench = Bench::of(POOL);
    bench.round(&many(2)).round(&many(1002)).rounds(2);
    let said = bench.said(" joined: ");
    let line = "Info 1000 workers joined: 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 990 more target=dynamo/c/gen";
    assert_eq!(said, [line]);
    assert_eq!(bench.said("").len(), 2, "{:?}", bench.notices);
    let recent = &bench.snapshot().changes;
    assert_eq!(recent.len(), RECENT_CHANGES);
    assert!(recent.iter().all(|change| change.change == Change::Joined));
}

#[test]
fn while_nothing_changes_the_list_of_changes_is_shared() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 9)]).next_round();
    let before = bench.snapshot().changes.clone();
    bench.rounds(3);
    assert!(Arc::ptr_eq(&before, &bench.snapshot().changes));
}

#[test]
fn a_lost_connection_makes_workers_stale_once_and_its_return_lets_them_recover() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0), worker("b", "2", 1, 0)]);
    bench.lose_link();
    assert_eq!(counted(&bench), [2, 0, 2, 0, 0, 0, 0], "at once");
    bench.run(20 * SECOND);
    assert_eq!(counted(&bench), [2, 0, 2, 0, 0, 0, 0]);
    bench.restore_link();
    bench.rounds(3);
    assert_eq!(counted(&bench), [2, 0, 2, 2, 0, 0, 0]);
    assert_eq!(
        bench.said("2 workers answer again: 1, 2").len(),
        1,
        "{:?}",
        bench.notices
    );
}

#[test]
fn the_counts_of_a_pool_that_was_dropped_go_on_when_it_comes_back() {
    let mut bench = Bench::of("dynamo/*/*");
    bench.round(&[worker("a", "1", 1, 0)]).round(&[]).rounds(6);
    assert_eq!(bench.names(), [""; 0]);
    let trace = ["1 joined", "1 stale", "1 left silent for too long"];
    assert_eq!(
        recent(&bench),
        trace,
        "what has happened is known without the pool"
    );
    bench.round(&[worker("b", "2", 1, 0)]);
    assert_eq!(counted(&bench), [2, 1, 1, 0, 0, 0, 0]);
}

#[test]
fn workers_that_a_new_plan_leaves_out_have_left() {
    let mut bench = Bench::of("dynamo/*/*");
    bench.round(&[worker("a", "1", 1, 0)]);
    bench.take(plan(&["other/x/y"]));
    assert_eq!(recent(&bench)[1..], ["1 left no longer in this pool"]);
    bench.take(plan(&["dynamo/*/*"]));
    bench.rounds(2);
    assert_eq!(counted(&bench), [2, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn workers_that_are_known_by_their_events_have_the_same_life() {
    let mut bench = Bench::of(POOL);
    for counter in 10..14 {
        pass(&mut bench, 7, counter);
    }
    assert_eq!(counted(&bench), [1, 0, 0, 0, 0, 0, 0]);
    pass(&mut bench, 7, 1);
    pass(&mut bench, 7, 2);
    assert_eq!(counted(&bench), [1, 0, 0, 0, 1, 0, 0], "its counter went back");
    assert_eq!(bench.worker().restarts, 1);
    bench.run(5 * SECOND);
    assert_eq!(counted(&bench), [1, 0, 1, 0, 1, 0, 0]);
    pass(&mut bench, 7, 3);
    assert_eq!(counted(&bench), [1, 0, 1, 1, 1, 0, 0]);
    bench.run(20 * SECOND);
    assert_eq!(counted(&bench), [1, 1, 2, 1, 1, 0, 0]);
}

#[test]
fn two_first_messages_that_change_places_are_no_restart() {
    let mut bench = Bench::of(POOL);
    for counter in [1, 0, 2, 3] {
        pass(&mut bench, 7, counter);
    }
    assert_eq!(counted(&bench), [1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn two_instances_that_report_one_id_are_no_changes() {
    let old = worker("old", "1", 1, 0);
    let young = worker("young", "1", 2, 0).started("2026-01-02T00:00:00Z");
    let mut bench = Bench::of(POOL);
    bench.round(&[old.clone(), young.clone()]);
    for round in 0..4 {
        let order = if round % 2 == 0 {
            [&young, &old]
        } else {
            [&old, &young]
        };
        bench.round(&order.map(Clone::clone));
    }
    assert_eq!(counted(&bench), [1, 0, 0, 0, 0, 0, 0]);
}
