//! Replies that come after their round.

use crate::ReplyResult::{Late, Ok as Taken};
use crate::{Finish, WorkerState};

use super::*;
use bench::Message;

#[test]
fn every_reply_to_an_earlier_round_is_counted_late_however_late_it_comes() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0)]);
    bench.actors = vec![worker("b", "2", 1, 0)];
    for (delay, round) in [(2500, 1), (4500, 1), (30_000, 1), (62_000, 2)] {
        let reply = worker(&format!("late-{delay}"), &format!("{delay:x}"), 1, 0).reply();
        bench.post(delay * MS, Message::Reply(Some(round), reply));
    }
    bench.rounds(35);
    assert_eq!(bench.count(Late), 4);
    assert_eq!(bench.pool().replies.total(), bench.delivered);
}

#[test]
fn a_worker_that_is_only_ever_late_is_shown_as_late_next_to_quick_ones() {
    let slow = worker("slow", "1", 1, 7).latency(3000);
    let mut bench = Bench::of(POOL);
    bench.round(&[slow, worker("b", "2", 20, 0)]).rounds(3);
    let seen = bench.snapshots.len();
    bench.rounds(10);
    for snapshot in &bench.snapshots[seen..] {
        let workers: Vec<String> = snapshot.pools[0].workers.iter().map(bench::describe).collect();
        assert_eq!(workers, ["1 late -", "2 fresh 20"]);
    }
    assert_eq!(bench.pool().totals().late, 1);
    assert_eq!(bench.pool().missing, 0, "it is not waited for");
    assert!(bench.finished(Finish::Complete) >= 12);
    assert_eq!(bench.count(Late), 13, "each of its replies");
    assert_eq!(bench.pool().workers[0].requests, 7.0);
}

#[test]
fn a_worker_that_is_late_is_named_in_a_limited_warning_that_says_what_to_change() {
    let slow = worker("slow", "1f", 1, 0).latency(3000);
    let mut bench = Bench::of(POOL);
    bench.round(&[slow, worker("b", "2", 20, 0)]).rounds(20);
    let warnings = bench.said("later than a round lasts: raise --poll-interval");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].starts_with("Warn a worker answers after 3.0 s"),
        "{warnings:?}"
    );
    assert!(
        warnings[0].contains("target=dynamo/c/gen worker=31"),
        "{warnings:?}"
    );
    bench.rounds(20);
    let warnings = bench.said("later than a round lasts: raise --poll-interval");
    assert_eq!(warnings.len(), 2, "again after a minute");
}

#[test]
fn the_first_reply_of_a_late_worker_is_late_too() {
    for info in [
        Info::Never,
        Info::NoResponders,
        Info::Says("Dynamo component c in namespace dynamo".into()),
    ] {
        let mut bench = Bench::of(POOL);
        bench
            .round(&[worker("slow", "1", 1, 0).latency(3000).info(info.clone())])
            .rounds(3);
        assert_eq!((bench.count(Late), bench.count(Taken)), (3, 0), "{info:?}");
        assert_eq!(bench.workers(), ["1 late -"]);
    }
}

#[test]
fn a_pool_whose_workers_are_all_late_is_explained() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("slow", "1", 1, 0).latency(3000)]).rounds(6);
    let said = bench.said("no worker of dynamo/c/gen answered");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("its replies come later than a round lasts"),
        "{said:?}"
    );
}

#[test]
fn a_late_worker_that_becomes_quick_is_fresh_and_one_that_dies_is_gone() {
    let slow = || worker("slow", "1", 1, 0).latency(3000);
    let other = || worker("b", "2", 20, 0);
    let mut bench = Bench::of(POOL);
    bench.round(&[slow(), other()]).rounds(3);
    bench.round(&[slow().latency(10), other()]).next_round();
    assert_eq!(bench.workers(), ["1 fresh 1", "2 fresh 20"]);
    bench.round(&[slow(), other()]).rounds(4);
    assert_eq!(bench.pool().workers[0].state, WorkerState::Late);
    bench.round(&[other()]).rounds(6);
    assert_eq!(bench.workers(), ["2 fresh 20"]);
}

#[test]
fn a_reply_that_waited_for_a_description_counts_from_when_it_came() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0).latency(100).info(Info::Never)]);
    let last_seen = bench.worker().last_seen.expect("it answers");
    let asked_at = bench.asked_at.as_secs_f64() + 999_900.0;
    assert!(
        (last_seen - asked_at - 0.1).abs() < 1e-6,
        "{}",
        last_seen - asked_at
    );
}

#[test]
fn an_instance_that_is_only_ever_late_does_not_keep_a_worker_from_one_that_answers() {
    let younger = worker("young", "1", 1, 0)
        .started("2026-01-02T00:00:00Z")
        .latency(3000);
    let older = worker("old", "1", 2, 0);
    for first in [&younger, &older] {
        let mut bench = Bench::of(POOL);
        bench.round(std::slice::from_ref(first)).next_round();
        bench.round(&[younger.clone(), older.clone()]).rounds(2);
        assert_eq!(bench.workers(), ["1 fresh 2"]);
    }
}
