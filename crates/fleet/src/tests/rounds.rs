//! Rounds: which workers are waited for, and what a missed one means.

use crate::Finish;
use crate::ReplyResult::Late;

use super::*;

#[test]
fn a_worker_that_ceases_to_answer_is_stale_then_gone_and_others_stay() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0), worker("b", "2", 20, 0)]);
    for step in ["1 fresh 10", "1 stale -", "1 stale -"] {
        bench.round(&[worker("b", "2", 21, 0)]);
        assert_eq!(bench.workers(), [step, "2 fresh 21"]);
    }
    bench.round(&[worker("b", "2", 21, 0)]);
    assert_eq!(bench.workers(), ["2 fresh 21"]);
}

#[test]
fn only_fresh_workers_are_waited_for_and_missed() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0), worker("b", "2", 20, 0)]);
    let mut check = |missing, complete| {
        bench.round(&[worker("b", "2", 20, 0)]);
        let counts = (bench.pool().missing, bench.finished(Finish::Complete));
        assert_eq!(counts, (missing, complete));
    };
    check(1, 0);
    check(1, 0);
    check(0, 1);
}

#[test]
fn newcomers_are_shown_before_the_next_round() {
    let mut bench = Bench::of(POOL);
    bench
        .round(&[worker("a", "1", 10, 0)])
        .round(&[worker("a", "1", 10, 0), worker("b", "2", 20, 0).latency(100)]);
    assert_eq!(bench.workers(), ["1 fresh 10", "2 fresh 20"]);
    assert_eq!(
        bench.finished(Finish::Complete),
        1,
        "nothing waited for the newcomer"
    );
    assert_eq!(bench.count(Late), 0);
    bench.next_round();
    assert_eq!(bench.pool().missing, 0, "now it is expected");
}

#[test]
fn a_round_that_ends_for_anothers_sake_is_complete_for_the_pool_whose_workers_all_answered() {
    let mut bench = Bench::new(plan(&[POOL, "dynamo/d/gen"]));
    let (mine, other) = (worker("a", "1", 0, 0), Actor::of("d", "b", "2"));
    bench.round(&[mine.clone(), other.clone()]);
    bench.round(std::slice::from_ref(&mine));
    let of = |name: &str, finish| bench.find(name).expect("there").rounds[finish];
    assert_eq!(of(POOL, Finish::Stall), 1, "the first round knew no worker");
    assert_eq!(of(POOL, Finish::Complete), 1);
    assert_eq!(of("dynamo/d/gen", Finish::Stall), 2);
}

/// Rounds in which each of these workers was not fresh, after the first ones.
fn flaps(actors: &[Actor], rounds: u32) -> usize {
    let mut bench = Bench::of(POOL);
    bench.round(actors).rounds(2);
    let late = bench.count(Late);
    let seen = bench.snapshots.len();
    bench.rounds(rounds);
    assert_eq!(bench.count(Late), late, "{:?}", bench.notices);
    let snapshots = &bench.snapshots[seen..];
    snapshots
        .iter()
        .filter(|snapshot| snapshot.pools[0].totals().stale > 0)
        .count()
}

#[test]
fn a_worker_that_is_always_slow_is_fresh_whatever_else_answers() {
    let slow = worker("a", "1", 1, 0).latency(450);
    let between = Actor::plain("orders", "x", "orders.create").latency(400);
    let quick = worker("b", "2", 1, 0);
    assert_eq!(flaps(std::slice::from_ref(&slow), 20), 0);
    assert_eq!(flaps(&[slow.clone(), between.clone()], 20), 0);
    assert_eq!(flaps(&[slow, between, quick.clone()], 20), 0);
    assert_eq!(flaps(&[worker("a", "1", 1, 0).latency(1490), quick], 20), 0);
}

#[test]
fn a_slow_worker_is_waited_for_and_does_not_count_as_late() {
    let mut bench = Bench::of(POOL);
    let actors = [worker("a", "1", 1, 0).latency(900), worker("b", "2", 1, 0)];
    bench.round(&actors).rounds(9);
    assert_eq!(bench.workers(), ["1 fresh 1", "2 fresh 1"]);
    assert!(bench.count(Late) <= 1, "{}", bench.count(Late));
    assert!(bench.finished(Finish::Complete) >= 8);
}

#[test]
fn a_503_is_believed_while_workers_are_expected_only_when_nothing_else_comes() {
    let mut bench = Bench::of(POOL);
    let actors = [
        worker("a", "1", 1, 0).latency(300),
        worker("b", "2", 1, 0).latency(20),
    ];
    bench.round(&actors);
    for _ in 0..5 {
        let round = bench.round + 1;
        bench.post(2 * MS, bench::Message::NoResponders(round));
        bench.next_round();
    }
    assert_eq!(bench.workers(), ["1 fresh 1", "2 fresh 1"]);
    assert_eq!(bench.finished(Finish::NoResponders), 0);
    for _ in 0..4 {
        bench.round(&[]);
    }
    assert_eq!(bench.workers(), [""; 0], "a true one empties the pool");
    assert_eq!(bench.finished(Finish::NoResponders), 4);
}

#[test]
fn a_503_counts_where_rounds_are_shorter_than_the_stall_and_begin_late() {
    let mut plan = plan(&[POOL]);
    plan.settings.poll_interval = 200 * MS;
    plan.settings.round_timeout = 200 * MS;
    let mut bench = Bench::new(plan);
    for _ in 0..5 {
        bench.next_round();
        bench.now = bench.now.plus(6 * MS);
    }
    assert_eq!(bench.finished(Finish::Deadline), 0);
    assert!(bench.finished(Finish::NoResponders) >= 4);
}

#[test]
fn a_503_is_not_believed_while_other_services_are_about_to_answer() {
    let mut bench = Bench::of(POOL);
    bench.actors = vec![Actor::of("other", "a", "1").latency(100)];
    for _ in 0..4 {
        let round = bench.round + 1;
        bench.post(2 * MS, bench::Message::NoResponders(round));
        bench.next_round();
    }
    assert_eq!(bench.finished(Finish::NoResponders), 0);
    assert_eq!(bench.said("no service answered at all"), [""; 0]);
}

#[test]
fn a_round_that_cannot_be_held_in_time_is_skipped_counted_and_said() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0)]).next_round();
    bench.now = bench.now.plus(7 * SECOND);
    bench.next_round();
    assert_eq!(bench.snapshot().rounds_skipped, 3);
    assert_eq!(bench.said("rounds were skipped").len(), 1);
    bench.rounds(3);
    assert_eq!(bench.snapshot().rounds_skipped, 3);
}

#[test]
fn what_is_shown_as_fresh_is_recent_even_when_few_rounds_were_held() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0), worker("b", "2", 1, 0)]);
    bench.actors[0].is_silent = true;
    bench.now = bench.now.plus(9 * SECOND);
    bench.next_round();
    assert_eq!(
        bench.workers(),
        ["1 stale -", "2 fresh 1"],
        "one round was missed, but time has passed"
    );
}

#[test]
fn an_old_view_of_a_pool_does_not_keep_a_worker_fresh() {
    // Every round lasts as long as it may, and another service answers in its middle.
    let mut plan = plan(&[POOL, "dynamo/d/gen"]);
    plan.settings.round_timeout = plan.settings.poll_interval;
    plan.settings.stale_after = 3;
    let limit = plan.settings.fresh_for().as_secs_f64();
    let mut bench = Bench::new(plan);
    let slow = Actor::of("d", "b", "2").latency(1900);
    let other = Actor::plain("orders", "x", "orders.create").latency(1000);
    bench
        .round(&[worker("a", "1", 1, 0), slow.clone(), other.clone()])
        .next_round();
    bench.round(&[slow, other]).rounds(5);
    let fresh = bench.snapshots.iter().filter_map(|snapshot| {
        let worker = snapshot.pools[0].workers.first()?;
        let age = snapshot.taken.as_secs_f64() - worker.last_seen.expect("it answers");
        (worker.state == crate::WorkerState::Fresh).then_some(age)
    });
    let oldest = fresh.fold(0.0, f64::max);
    assert!(oldest > limit - 2.0 && oldest <= limit, "{oldest} of {limit}");
}

#[test]
fn a_worker_that_a_new_plan_takes_away_is_not_waited_for() {
    let mut bench = Bench::new(plan(&[POOL, "dynamo/d/gen"]));
    bench
        .round(&[worker("a", "1", 1, 0), Actor::of("d", "b", "2").latency(1000)])
        .next_round();
    bench.run(2 * MS);
    bench.take(plan(&[POOL]));
    bench.run(10 * MS);
    assert_eq!(
        bench.finished(Finish::Complete),
        2,
        "the round was complete without it"
    );
}
