//! What is said of a pool whose workers are gone while others are there, and what is never advised.

use super::*;
use crate::Plan;

const OTHER: &str = "dynamo/d/gen";

fn other() -> Actor {
    Actor::of("d", "d", "9")
}

/// What was said about a pool's absence.
fn said(bench: &Bench, pool: &str) -> Vec<String> {
    let lines = bench.said(&format!("target={pool}"));
    lines
        .into_iter()
        .filter(|line| line.starts_with("Warn"))
        .collect()
}

#[test]
fn of_two_pools_the_one_that_dies_is_named_within_two_rounds_with_its_own_numbers() {
    for selectors in [&[POOL, OTHER][..], &["dynamo/*/*"]] {
        let mut bench = Bench::new(plan(selectors));
        bench
            .round(&[worker("a", "1", 1, 0), worker("b", "2", 1, 0), other()])
            .rounds(3);
        bench.round(&[other()]);
        assert_eq!(said(&bench, POOL), [""; 0], "one round may be an accident");
        bench.next_round();
        let line = "Warn all workers gone (2 answered until 4 s ago); other pools answer, so NATS is fine target=dynamo/c/gen";
        assert_eq!(said(&bench, POOL), [line], "{selectors:?}");
        bench.rounds(20);
        assert_eq!(said(&bench, POOL).len(), 1, "{:?}", bench.notices);
        assert_eq!(said(&bench, OTHER), [""; 0]);
    }
}

#[test]
fn an_absent_pool_never_advises_to_watch_what_is_watched_already_or_excluded() {
    let near = |component: &str, id: u64| Actor::of(component, &format!("i{id}"), &format!("{id:x}"));
    let actors = [near("C", 1), near("C", 2)];
    let absent = |plan: Plan| {
        let mut bench = Bench::new(plan);
        bench.round(&actors).rounds(3);
        said(&bench, POOL)
    };
    assert!(absent(plan(&[POOL]))[0].contains("use --target dynamo/C/gen"));
    let watched =
        "Warn no worker of dynamo/c/gen answered; 2 services of other watched pools did target=dynamo/c/gen";
    assert_eq!(absent(plan(&[POOL, "dynamo/C/gen"])), [watched]);
    assert_eq!(absent(plan(&[POOL, "*/C/*"])), [watched]);
    let excluding = Plan {
        excludes: vec!["*/C/*".parse().expect("a glob")],
        ..plan(&[POOL])
    };
    let excluded = "Warn no worker of dynamo/c/gen answered; 2 services that --exclude leaves out did target=dynamo/c/gen";
    assert_eq!(absent(excluding), [excluded]);
}

#[test]
fn workers_that_come_back_under_another_name_are_advised_with_the_loss() {
    let mut bench = Bench::new(plan(&[POOL, OTHER]));
    bench.round(&[worker("a", "1", 1, 0), other()]).next_round();
    bench.round(&[Actor::of("C", "b", "2"), other()]).rounds(2);
    let lines = said(&bench, POOL);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("all workers gone (1 answered until"),
        "{lines:?}"
    );
    assert!(
        lines[0].contains("so NATS is fine; 1 similar service answered (component"),
        "{lines:?}"
    );
}

#[test]
fn where_no_pool_answers_it_is_said_what_does() {
    let after = |actors: &[Actor]| {
        let mut bench = Bench::of(POOL);
        bench.round(&[worker("a", "1", 1, 0)]).next_round();
        bench.round(actors).rounds(2);
        said(&bench, POOL)
    };
    let silent = after(&[]);
    assert!(
        silent[0].contains("all workers gone (1 answered until 4 s ago); no service answers at all"),
        "{silent:?}"
    );
    let services = after(&[Actor::plain("x", "x", "orders.create")]);
    assert!(
        services[0].contains("other services answer, so NATS is fine"),
        "{services:?}"
    );
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0)]).next_round();
    bench.is_alive = false;
    bench.rounds(4);
    assert!(
        bench.said("all workers gone").is_empty(),
        "a server that does not answer proves nothing"
    );
}

#[test]
fn workers_that_are_known_by_their_events_are_missed_too() {
    let mut bench = Bench::new(plan(&[POOL, OTHER]));
    bench.round(&[other()]);
    for counter in 0..3 {
        let text = format!(
            r#"{{"worker_id": "7", "dp_rank": 0, "counter_id": {counter}, "wall_time": 0.01,
                "scheduled_requests": {{"num_decode_requests": 1}}, "queued_requests": {{}}}}"#
        );
        let subject = "namespace.dynamo.component.c.endpoint.gen.forward-pass-metrics";
        bench.publish_event(subject, text.as_bytes());
        bench.hear();
    }
    bench.rounds(5);
    let lines = said(&bench, POOL);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("all workers gone (1 was heard until")),
        "{:?}",
        bench.notices
    );
}

#[test]
fn a_pool_whose_workers_answer_too_late_is_not_called_gone() {
    let mut bench = Bench::new(plan(&[POOL, OTHER]));
    bench.round(&[worker("a", "1", 1, 0), other()]).rounds(3);
    bench
        .round(&[worker("a", "1", 1, 0).latency(1700), other()])
        .rounds(10);
    assert!(bench.said("all workers gone").is_empty(), "{:?}", bench.notices);
}
