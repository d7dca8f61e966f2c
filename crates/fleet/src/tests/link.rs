//! The link: what is shown while NATS is away, and what a silent server means.

use crate::Finish;

use super::*;
use bench::Message;

#[test]
fn nothing_old_is_shown_as_current_while_nats_is_away_and_no_worker_is_gone_for_it() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0)]);
    bench.lose_link();
    assert_eq!(bench.workers(), ["1 stale -"]);
    bench.run(20 * SECOND);
    assert_eq!(bench.workers(), ["1 stale -"]);
    assert!(!bench.pool().up && !bench.snapshot().up);
    bench.actors.clear();
    bench.restore_link();
    for _ in 0..2 {
        bench.run(2 * SECOND);
        assert_eq!(
            bench.workers(),
            ["1 stale -"],
            "subscriptions may take a moment to spread"
        );
    }
    bench.round(&[worker("a", "1", 12, 0)]);
    assert_eq!(bench.workers(), ["1 fresh 12"]);
    assert!(bench.snapshot().up);
}

#[test]
fn a_reconnect_that_was_too_quick_to_be_seen_makes_old_values_stale_too() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0).latency(30)]);
    bench.restore_link();
    assert_eq!(bench.workers(), ["1 stale -"]);
    bench.run(400 * MS);
    assert_eq!(bench.workers(), ["1 fresh 10"], "a round begins at once");
}

#[test]
fn values_grow_old_while_rounds_fail() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0)]);
    bench.actors[0].is_silent = true;
    for _ in 0..10 {
        let round = bench.round + 1;
        bench.is_alive = false;
        bench.next_round();
        assert!(bench.round >= round);
    }
    assert_eq!(bench.workers(), ["1 stale -"]);
}

#[test]
fn a_request_that_is_refused_is_a_failed_round_and_says_why() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0)]);
    for _ in 0..10 {
        bench.is_alive = false;
        bench.run(2 * MS);
        let round = bench.round;
        let reason = Some("permissions violation".to_owned());
        bench.handle(crate::Input::AskFailed { round, reason });
        assert!(!bench.snapshot().up);
        bench.run(1998 * MS);
    }
    assert_eq!(bench.workers(), ["1 stale -"], "not gone");
    let said = bench.said("the services could not be asked: permissions violation");
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a_silent_link_is_a_failed_round_in_which_no_worker_is_gone_and_none_is_blamed() {
    let mut bench = Bench::of(POOL);
    bench
        .round(&[worker("a", "1", 10, 0), worker("b", "2", 10, 0)])
        .next_round();
    bench.is_alive = false;
    bench.rounds(20);
    assert_eq!(bench.workers(), ["1 stale -", "2 stale -"]);
    assert_eq!(bench.finished(Finish::Error), 20);
    assert!(!bench.snapshot().up);
    let said = bench.said("the NATS server does not answer");
    assert_eq!(said.len(), 1, "{said:?}");
    for blame in ["no worker of", "workers answer; missing", "given up"] {
        assert_eq!(bench.said(blame), [""; 0]);
    }
    bench.is_alive = true;
    bench.next_round();
    assert_eq!(bench.workers(), ["1 fresh 10", "2 fresh 10"]);
}

#[test]
fn a_server_that_answers_too_late_for_the_round_is_not_proved() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0)]);
    bench.is_alive = false;
    let round = bench.round;
    bench.next_round();
    bench.post(MS, Message::LinkChecked(round + 1, true));
    bench.rounds(3);
    assert_eq!(bench.finished(Finish::Error), 4);
}

#[test]
fn up_is_false_after_silent_rounds() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0)]);
    assert!(bench.snapshot().up);
    bench.round(&[worker("a", "1", 10, 0).latency(1990)]);
    assert!(!bench.snapshot().up, "the link works, and no reply came");
    assert_eq!(bench.finished(Finish::Deadline), 1);
    bench.round(&[]);
    assert!(bench.snapshot().up, "no responders is an answer");
}

#[test]
fn up_is_false_after_rounds_of_garbage() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0)]);
    for with_503 in [false, true] {
        let round = bench.round + 1;
        bench.actors = vec![worker("a", "1", 10, 0).latency(1990)];
        bench.post(17 * MS, Message::Reply(Some(round), "garbage".to_owned()));
        if with_503 {
            bench.post(18 * MS, Message::NoResponders(round));
        }
        bench.next_round();
        assert!(!bench.snapshot().up, "{with_503}");
        assert!(!bench.pool().up);
    }
}

#[test]
fn before_there_is_a_link_rounds_fail_and_nothing_is_asked() {
    let mut bench = Bench::of(POOL);
    bench.link.connected = false;
    bench.run(11 * SECOND);
    assert_eq!((bench.round, bench.snapshot().up), (0, false));
    assert_eq!(bench.finished(Finish::Error), 5);
    assert_eq!(bench.said("no worker of"), [""; 0]);
    bench.link.connected = true;
    bench.handle(crate::Input::Link(bench.link));
    assert_ne!(bench.round, 0, "asked at once");
}
