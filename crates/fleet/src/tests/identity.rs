//! Which instance speaks for a worker, and counters that never run backwards.

use crate::ReplyResult::{Duplicate, Ok as Taken};

use super::*;

#[test]
fn counters_never_run_backwards_over_restarts() {
    fn check(second: &Actor, restarts: u64, requests: f64) {
        let mut bench = Bench::of(POOL);
        bench
            .round(&[worker("a", "1", 0, 7)])
            .round(std::slice::from_ref(second));
        let worker = bench.worker();
        assert_eq!(
            (worker.restarts, worker.requests),
            (restarts, requests),
            "{second:?}"
        );
        assert_eq!(worker.processing_seconds, Some(requests));
    }
    check(&worker("a", "1", 0, 9), 0, 9.0);
    check(&worker("b", "1", 0, 2), 1, 9.0);
    check(&worker("a", "1", 0, 2), 1, 9.0);
    check(&worker("a", "1", 0, 8).started("2026-01-02T00:00:00Z"), 1, 15.0);
}

#[test]
fn a_counter_that_is_missing_or_refused_once_neither_restarts_the_worker_nor_counts_twice() {
    for written in ["null", "{}", "-5", "Infinity", "true"] {
        let mut odd = worker("a", "1", 0, 1000);
        written.clone_into(&mut odd.requests);
        let mut bench = Bench::of(POOL);
        for reply in [worker("a", "1", 0, 1000), odd, worker("a", "1", 0, 1001)] {
            bench.round(&[reply]);
        }
        let worker = bench.worker();
        assert_eq!((worker.restarts, worker.requests), (0, 1001.0), "{written}");
    }
}

#[test]
fn a_start_time_that_is_missing_or_unreadable_in_one_reply_is_no_restart() {
    for written in ["", "yesterday"] {
        let mut bench = Bench::of(POOL);
        for started in ["2026-01-01T00:00:00Z", written, "2026-01-01T00:00:00Z"] {
            bench.round(&[worker("a", "1", 0, 1000).started(started)]);
        }
        let known = bench.worker();
        assert_eq!((known.restarts, known.requests), (0, 1000.0), "{written:?}");
        bench.round(&[worker("a", "1", 0, 1000).started("2026-01-02T00:00:00Z")]);
        let known = bench.worker();
        assert_eq!(
            (known.restarts, known.requests),
            (1, 2000.0),
            "another start time is one"
        );
    }
}

#[test]
fn a_restart_whose_first_reply_leaves_a_counter_out_is_counted_once() {
    let anew = |requests: u64, seconds: &str| {
        let mut anew = worker("a", "1", 0, requests).started("2026-01-02T00:00:00Z");
        seconds.clone_into(&mut anew.seconds);
        anew
    };
    let mut bench = Bench::of(POOL);
    bench
        .round(&[worker("a", "1", 0, 100)])
        .round(&[anew(5, "null")])
        .round(&[anew(6, "1000000000")]);
    let worker = bench.worker();
    assert_eq!((worker.restarts, worker.requests), (1, 106.0));
    assert_eq!(worker.processing_seconds, Some(101.0));
}

#[test]
fn the_younger_of_two_instances_with_one_id_wins_even_over_rounds_that_it_misses() {
    let younger = |requests| worker("young", "1", 0, requests).started("2026-01-02T00:00:00Z");
    let older = worker("old", "1", 0, 3);
    let mut bench = Bench::of(POOL);
    bench
        .round(&[younger(10), older.clone()])
        .round(std::slice::from_ref(&older))
        .round(&[older.clone(), younger(11)]);
    let known = bench.worker();
    assert_eq!((known.restarts, known.requests), (0, 11.0));
    assert_eq!((bench.count(Taken), bench.count(Duplicate)), (2, 3));
    for _ in 0..4 {
        bench.round(std::slice::from_ref(&older));
    }
    bench.round(&[older]);
    assert_eq!(
        &*bench.worker().identity.service_id,
        "old",
        "once the younger is gone, the older has the id"
    );
}

#[test]
fn an_instance_that_answers_under_another_id_gives_its_old_one_up_at_once() {
    let younger = |id| worker("young", id, 0, 10).started("2026-01-02T00:00:00Z");
    let older = worker("old", "1", 0, 3);
    for first in [[younger("1"), older.clone()], [older.clone(), younger("1")]] {
        for second in [[younger("2"), older.clone()], [older.clone(), younger("2")]] {
            let mut bench = Bench::of(POOL);
            bench.round(&first);
            assert_eq!(&*bench.worker().identity.service_id, "young");
            bench.round(&second);
            let pool = bench.pool();
            let owners: Vec<&str> = pool.workers.iter().map(|w| &*w.identity.service_id).collect();
            assert_eq!(owners, ["old", "young"]);
            assert_eq!((bench.count(Taken), bench.count(Duplicate)), (3, 1));
        }
    }
}

#[test]
fn the_reply_of_a_double_waits_no_longer_than_the_round() {
    let younger = worker("young", "1", 0, 10).started("2026-01-02T00:00:00Z");
    let older = worker("old", "1", 0, 3);
    let mut bench = Bench::of(POOL);
    bench.round(&[younger, older.clone()]).round(&[older]);
    assert_eq!((bench.count(Taken), bench.count(Duplicate)), (1, 2));
    assert_eq!(&*bench.worker().identity.service_id, "young");
}

#[test]
fn one_reply_that_serves_an_id_in_two_layouts_is_one_worker_and_no_duplicate() {
    let path: protocol::EndpointPath = POOL.parse().expect("a path");
    let hashed = protocol::Layout::Hashed.service_name(&path.namespace, &path.component);
    let hashed = format!("{}.gen-1", hashed.expect("a service name"));
    let both = worker("a", "1", 0, 0).subjects(&["dynamo_c.gen-1", &hashed]);
    let mut bench = Bench::of(POOL);
    bench.round(&[both]).next_round();
    assert_eq!((bench.count(Taken), bench.count(Duplicate)), (2, 0));
    assert_eq!(bench.workers().len(), 1);
}

#[test]
fn of_two_instances_with_one_id_the_younger_is_shown_and_the_other_counted() {
    let old = worker("zz", "1", 1, 0);
    let young = worker("aa", "1", 2, 0).started("2026-01-02T00:00:00Z");
    for order in [[old.clone(), young.clone()], [young.clone(), old.clone()]] {
        let mut bench = Bench::of(POOL);
        for round in 1..=3 {
            bench.round(&order);
            assert_eq!(bench.workers(), ["1 fresh 2"]);
            assert_eq!((bench.count(Taken), bench.count(Duplicate)), (round, round));
        }
        assert_eq!(bench.worker().restarts, 0, "a namesake is no restart");
    }
    let mut bench = Bench::of(POOL);
    bench.round(&[young, old.latency(1000)]);
    let shown = (bench.workers(), bench.count(Duplicate));
    assert_eq!(shown, (vec!["1 fresh 2".to_owned()], 1), "after the round");
}

#[test]
fn instances_that_differ_in_their_service_alone_do_not_alternate() {
    let real = || worker("a", "1", 1, 5);
    let mut other = worker("a", "1", 2, 3);
    "impostor".clone_into(&mut other.service);
    let after = |orders: &[[Actor; 2]]| {
        let mut bench = Bench::of(POOL);
        for order in orders {
            bench.round(order);
        }
        (bench.workers(), bench.worker().requests, bench.worker().restarts)
    };
    let (first, second) = ([real(), other.clone()], [other, real()]);
    let shown = after(&[first.clone(), second.clone(), first.clone()]);
    assert_eq!(shown, after(&[second.clone(), second, first]));
    assert_eq!(shown.2, 0, "restarts");
}

#[test]
fn an_instance_id_that_another_service_claims_costs_its_owner_nothing() {
    let impostor =
        Actor::plain("impostor", "a", "orders.create").subjects(&["orders.create", "dynamo_c.gen-2"]);
    let mut bench = Bench::of(POOL);
    for _ in 0..3 {
        bench.round(&[impostor.clone(), worker("a", "1", 10, 0)]);
        assert_eq!(bench.workers(), ["1 fresh 10", "2 fresh -"]);
    }
    assert_eq!((bench.count(Taken), bench.count(Duplicate)), (6, 0));
}

#[test]
fn a_static_worker_is_identified_by_its_service_instance() {
    let fixed = |instance: &str, active| worker(instance, "", active, 0).subjects(&["dynamo_c.gen"]);
    let mut bench = Bench::of(POOL);
    bench.round(&[fixed("a", 1), fixed("b", 2)]);
    assert_eq!(bench.workers(), ["static-a fresh 1", "static-b fresh 2"]);
}

#[test]
fn processing_time_is_read_by_how_it_is_written() {
    for (written, seconds) in [("2000000000", 2.0), ("2.0", 2.0), ("2", 2e-9)] {
        let mut actor = worker("a", "1", 0, 0);
        written.clone_into(&mut actor.seconds);
        let mut bench = Bench::of(POOL);
        bench.round(&[actor]);
        assert_eq!(bench.worker().processing_seconds, Some(seconds), "{written}");
    }
}

#[test]
fn the_time_to_acknowledge_a_request_is_not_shown_as_time_spent_on_it() {
    let loaded = r#"{"kv_active_blocks": 1}"#;
    for (version, data, is_shown) in [
        ("0.9.1", "null", true),
        ("0.9.1", loaded, true),
        ("1.0.2", "null", false),
        ("1.6.1", "null", false),
        ("10.0.0-rc1", "null", false),
        ("1.6.1", loaded, true),
        ("", "null", true),
        ("x", "null", true),
    ] {
        let mut bench = Bench::of(POOL);
        bench.round(&[worker("a", "1", 0, 5).version(version).data(data)]);
        let worker = bench.worker();
        assert_eq!(worker.requests, 5.0, "{version} {data}");
        let shown = worker.processing_seconds;
        assert_eq!(shown, is_shown.then_some(5.0), "{version} {data}");
    }
}

#[test]
fn a_younger_instance_whose_reply_waited_for_its_description_is_answered_for_once() {
    // The reply of the younger to round 2 waits until round 3, which the older one has answered by then.
    let mut bench = Bench::of(POOL);
    let older = worker("old", "1", 1, 0);
    let other = worker("other", "2", 1, 0);
    bench.round(&[older.clone(), other.clone()]);
    let mut younger = worker("young", "1", 2, 0)
        .started("2026-01-02T00:00:00Z")
        .info(Info::Never);
    younger.latency = 1400 * MS;
    bench.round(&[older.clone(), other.clone(), younger.clone()]);
    younger.latency = 300 * MS;
    bench.round(&[older, other.latency(600), younger]);
    assert_eq!(bench.pool().missing, 0);
    assert_eq!(
        bench.finished(crate::Finish::Complete),
        2,
        "round 3 waits for the other worker"
    );
    assert_eq!(bench.workers(), ["1 fresh 2", "2 fresh 1"]);
}

#[test]
fn a_worker_that_another_instance_has_made_is_found_by_one_that_answered_before() {
    let younger = || worker("young", "1", 2, 9).started("2026-01-02T00:00:00Z");
    let mut bench = Bench::of(POOL);
    bench.round(&[younger().data("[1]"), worker("old", "1", 1, 3).latency(2)]);
    assert_eq!(bench.workers(), ["1 fresh 1"]);
    bench.round(&[younger()]);
    assert_eq!(bench.workers(), ["1 fresh 2"]);
    assert_eq!(bench.finished(crate::Finish::Complete), 1);
    assert_eq!(bench.pool().missing, 0);
}

#[test]
fn a_second_instance_whose_load_cannot_be_used_does_not_answer_for_the_first() {
    let second = worker("b", "1", 0, 0).started("2026-01-02T00:00:00Z").data("[1]");
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0).latency(90)]);
    bench.round(&[worker("a", "1", 1, 0).latency(90), second, worker("c", "2", 1, 0)]);
    for _ in 0..8 {
        bench.next_round();
        assert_eq!(bench.workers(), ["1 fresh 1", "2 fresh 1"]);
    }
    assert_eq!(bench.count(crate::ReplyResult::Malformed), 9);
}
