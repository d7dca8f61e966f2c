//! Instances of which one at a time answers a request for all: none is lost, and the cause is named.

use super::bench::Hearing;
use super::*;
use crate::{InTurn, ReplyResult};

const QUEUE: &str = "share a queue group";
const EXPORT: &str = "response_type";

fn workers(count: u64) -> Vec<Actor> {
    let worker = |id: u64| worker(&format!("i{id}"), &id.to_string(), id, 0);
    (1..=count).map(worker).collect()
}

fn other(component: &str, count: u64) -> Vec<Actor> {
    let other = |id: u64| Actor::of(component, &format!("{component}{id}"), &id.to_string());
    (1..=count).map(other).collect()
}

fn bench(hearing: Hearing, actors: &[Vec<Actor>]) -> Bench {
    let mut bench = Bench::new(plan(&["dynamo/*/gen"]));
    bench.hearing = hearing;
    bench.actors = actors.concat();
    bench
}

/// After the only round of a look.
fn look(hearing: Hearing, actors: &[Vec<Actor>]) -> Bench {
    let mut plan = plan(&["dynamo/*/gen"]);
    plan.settings.asks_again = true;
    let mut bench = Bench::new(plan);
    (bench.hearing, bench.actors) = (hearing, actors.concat());
    bench.next_round();
    bench
}

/// Whether each of the last snapshots shows so many fresh workers.
fn shows(bench: &Bench, from: usize, pool: &str, fresh: usize) -> bool {
    let totals = |snapshot: &Arc<crate::Snapshot>| {
        let pool = snapshot.pools.iter().find(|view| view.name.to_string() == pool);
        pool.map(|pool| pool.totals().fresh)
    };
    bench.snapshots[from..]
        .iter()
        .all(|snapshot| totals(snapshot) == Some(fresh))
}

fn cause(bench: &mut Bench) -> Option<InTurn> {
    bench.core.inspect(None, None, bench.now).in_turn
}

#[test]
fn an_export_that_passes_one_reply_loses_no_worker_and_is_named_once_with_its_remedy() {
    let (c, d) = (workers(3), other("d", 3));
    let actors: Vec<_> = c.into_iter().zip(d).map(|(c, d)| vec![c, d]).collect();
    let mut bench = bench(Hearing::One, &actors);
    bench.rounds(6);
    let seen = bench.snapshots.len();
    bench.rounds(20);
    assert!(shows(&bench, seen, POOL, 3));
    assert!(shows(&bench, seen, "dynamo/d/gen", 3));
    let said = bench.said(EXPORT);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(r#"exports: [{service: "$SRV.>", response_type: "Stream"}]"#),
        "{said:?}"
    );
    assert_eq!(bench.said(QUEUE), [""; 0]);
    assert_eq!(bench.count(ReplyResult::Duplicate), 0);
    assert_eq!(cause(&mut bench), Some(InTurn::Export));
}

#[test]
fn one_look_recognises_why_instances_answer_in_turn() {
    let others = || other("d", 1);
    for (hearing, actors, expected) in [
        (Hearing::One, [workers(3), others()], Some(InTurn::Export)),
        (Hearing::One, [workers(3), Vec::new()], Some(InTurn::Either)),
        (
            Hearing::OneOfEachService,
            [workers(3), Vec::new()],
            Some(InTurn::Either),
        ),
        (Hearing::All, [workers(3), others()], None),
        (Hearing::All, [workers(1), Vec::new()], None),
        (Hearing::All, [Vec::new(), Vec::new()], None),
    ] {
        let (mut bench, is_lone) = (look(hearing, &actors), actors.concat().len() == 1);
        assert_eq!(cause(&mut bench), expected, "{hearing:?}");
        match expected.is_some() || is_lone {
            true => assert_eq!(bench.requests, 12),
            false => assert_eq!(bench.requests, 1),
        }
        if expected.is_some() {
            assert!(shows(&bench, bench.snapshots.len() - 1, POOL, 3), "{hearing:?}");
        }
    }
}

#[test]
fn one_look_is_not_misled_by_a_slow_instance() {
    for ms in [300, 600, 1000] {
        let mut slow = workers(2);
        slow[1] = slow[1].clone().latency(ms);
        let mut bench = look(
            Hearing::All,
            &[slow, other("d", 1).into_iter().map(|d| d.latency(ms)).collect()],
        );
        assert_eq!(cause(&mut bench), None, "{ms} ms");
    }
}

#[test]
fn where_only_one_service_is_there_both_causes_are_named_and_no_worker_is_lost() {
    for hearing in [Hearing::OneOfEachService, Hearing::One] {
        let mut bench = bench(hearing, &[workers(4)]);
        bench.rounds(4);
        let seen = bench.snapshots.len();
        bench.rounds(20);
        assert!(shows(&bench, seen, POOL, 4), "{hearing:?}");
        let said = bench.said(EXPORT);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(QUEUE), "{said:?}");
        assert_eq!(cause(&mut bench), Some(InTurn::Either));
        assert_eq!(bench.count(ReplyResult::Duplicate), 0);
        assert_eq!(bench.said("workers answer; missing"), [""; 0]);
    }
}

#[test]
fn a_queue_group_beside_other_services_is_not_called_an_export() {
    for others in [other("d", 1), other("d", 2)] {
        let mut bench = bench(Hearing::OneOfEachService, &[workers(4), others]);
        bench.rounds(8);
        let seen = bench.snapshots.len();
        bench.rounds(20);
        assert!(shows(&bench, seen, POOL, 4));
        assert!(!bench.said(QUEUE).is_empty());
        assert_eq!(bench.said(EXPORT), [""; 0]);
        assert_eq!(cause(&mut bench), Some(InTurn::QueueGroup));
    }
}

#[test]
fn an_export_is_named_when_a_second_service_comes() {
    let mut bench = bench(Hearing::One, &[workers(3)]);
    bench.rounds(6);
    assert_eq!(cause(&mut bench), Some(InTurn::Either));
    bench.actors.extend(other("d", 1));
    bench.rounds(12);
    assert_eq!(cause(&mut bench), Some(InTurn::Export));
    assert_eq!(bench.said("all services together").len(), 1);
}

#[test]
fn an_export_that_is_mended_is_no_longer_worked_around() {
    let mut bench = bench(Hearing::One, &[workers(3), other("d", 2)]);
    bench.rounds(10);
    bench.hearing = Hearing::All;
    bench.rounds(8);
    assert_eq!(bench.said("answer together now").len(), 2);
    assert_eq!(bench.said(" left: "), [""; 0]);
    assert_eq!(cause(&mut bench), None);
    let (asked, seen) = (bench.asked_alone, bench.snapshots.len());
    bench.rounds(10);
    assert_eq!(bench.asked_alone, asked);
    assert!(shows(&bench, seen, POOL, 3));
}

#[test]
fn a_worker_that_is_alone_is_suspected_of_nothing() {
    let mut bench = bench(Hearing::All, &[workers(1)]);
    bench.rounds(32);
    assert_eq!(cause(&mut bench), None);
    assert_eq!(bench.said("in turn"), [""; 0]);
    assert_eq!(bench.requests, 32);
    assert_eq!(bench.workers(), ["1 fresh 1"]);
}

#[test]
fn fleets_that_shrink_restart_or_fall_silent_are_suspected_of_nothing() {
    let all = || [workers(3), other("d", 2)];
    let mut bench = bench(Hearing::All, &all());
    bench.rounds(3);
    for left in [
        [workers(1), other("d", 1)].concat(),
        workers(1),
        Vec::new(),
        all().concat(),
        other("d", 2),
        [workers(1), other("d", 2)].concat(),
    ] {
        bench.actors = left;
        bench.rounds(4);
    }
    for round in 0..20 {
        // One worker that begins anew under another name each time.
        bench.round(&[worker(
            &format!("new{round}"),
            &format!("{:x}", 100 + round),
            1,
            0,
        )]);
    }
    let mut causes = vec![cause(&mut bench)];
    causes.retain(Option::is_some);
    assert_eq!(causes, []);
    for text in [QUEUE, EXPORT, "together"] {
        assert_eq!(bench.said(text), [""; 0]);
    }
}

#[test]
fn an_instance_that_takes_nearly_a_whole_round_does_not_take_turns() {
    for (interval, latencies) in [(2000, [1600, 1740, 1990]), (200, [90, 120, 190])] {
        for latency in latencies {
            let mut plan = plan(&["dynamo/*/gen"]);
            plan.settings.poll_interval = interval * MS;
            plan.settings.round_timeout = interval * MS;
            let mut bench = Bench::new(plan);
            bench.actors = vec![worker("a", "1", 1, 0), Actor::of("d", "c", "3")];
            bench.actors.push(worker("b", "2", 1, 0).latency(latency));
            bench.actors.push(Actor::of("e", "f", "4").latency(latency));
            bench.rounds(20);
            assert_eq!(cause(&mut bench), None, "{latency} of {interval} ms");
            assert_eq!(bench.said(QUEUE), [""; 0]);
        }
    }
}

#[test]
fn rounds_that_are_shorter_than_the_stall_lose_no_worker_either() {
    let mut plan = plan(&["dynamo/*/gen"]);
    plan.settings.poll_interval = 200 * MS;
    plan.settings.round_timeout = 200 * MS;
    let mut bench = Bench::new(plan);
    (bench.hearing, bench.actors) = (Hearing::One, [workers(3), other("d", 1)].concat());
    bench.rounds(10);
    let seen = bench.snapshots.len();
    bench.rounds(20);
    assert!(shows(&bench, seen, POOL, 3));
    assert_eq!(cause(&mut bench), Some(InTurn::Export));
}

#[test]
fn a_merely_slow_instance_does_not_take_turns() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0), worker("b", "2", 1, 0)]);
    for round in 0..20 {
        let latency = if round % 3 == 0 { 1200 } else { 10 };
        let others = Actor::of("d", "c", "3").latency(latency);
        bench.round(&[
            worker("a", "1", 1, 0),
            worker("b", "2", 1, 0).latency(latency),
            others,
        ]);
    }
    assert_eq!(bench.said(QUEUE), [""; 0]);
    assert_eq!(cause(&mut bench), None);
    assert_eq!(bench.workers(), ["1 fresh 1", "2 fresh 1"]);
}

#[test]
fn an_instance_that_misses_one_request_now_and_then_does_not_take_turns() {
    let mut bench = bench(Hearing::All, &[workers(2), other("d", 2)]);
    for _ in 0..5 {
        bench.rounds(9);
        bench.hearing = Hearing::OneOfEachService;
        bench.next_round();
        bench.hearing = Hearing::All;
    }
    assert_eq!(cause(&mut bench), None);
    assert_eq!(bench.said(QUEUE), [""; 0]);
}
