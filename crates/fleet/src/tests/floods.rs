//! Floods: work is bounded for each input, source and round, and no service starves another.

use crate::ReplyResult::{Duplicate, Late, Ok as Taken, OverLimit};

use super::*;
use crate::core::events::MAX_POOLS;
use bench::Message;

#[test]
fn thousands_of_new_instances_that_never_answer_info_delay_nothing_and_are_asked_seldom() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "ffffff", 1, 0)]);
    let mute = |id: usize| worker(&format!("m{id}"), &format!("{id:x}"), 0, 0).info(Info::Never);
    let mut actors: Vec<Actor> = (0..3000).map(mute).collect();
    actors.push(worker("a", "ffffff", 7, 0));
    let (questions, effects) = (bench.questions.len(), bench.effects);
    bench.round(&actors);
    assert_eq!(
        bench.workers().last().map(String::as_str),
        Some("16777215 fresh 7")
    );
    assert_eq!(bench.workers().len(), 3001, "they are judged by their subjects");
    let asked = bench.questions.len() - questions;
    assert!(asked <= 5, "{asked} requests for descriptions");
    let effects = bench.effects - effects;
    assert!(effects <= 40, "{effects} effects in a round");
    assert_eq!(bench.count(Taken), bench.delivered);
}

#[test]
fn new_ids_that_answer_no_info_do_not_hide_a_real_newcomer() {
    let mut bench = Bench::of(POOL);
    let known = worker("a", "ffffff", 1, 0);
    bench.round(std::slice::from_ref(&known));
    for round in 0..10 {
        let (questions, effects) = (bench.questions.len(), bench.effects);
        // 150 new ids a second, in the service's own name.
        let invented = (0..300).map(|n| {
            worker(&format!("m{round}-{n}"), &format!("{round:x}{n:03x}"), 0, 0)
                .info(Info::Never)
                .latency(1 + n * 4)
        });
        let mut actors: Vec<Actor> = invented.collect();
        actors.push(known.clone());
        if round >= 5 {
            actors.push(worker("real", "eeeeee", 5, 0).latency(700));
        }
        bench.round(&actors);
        let asked = (bench.questions.len() - questions, bench.effects - effects);
        assert!(asked.0 <= 16 && asked.1 <= 80, "{asked:?}");
        let shown = bench.workers().iter().any(|worker| worker == "15658734 fresh 5");
        assert_eq!(shown, round >= 5, "round {round}");
    }
    let described = bench
        .questions
        .iter()
        .any(|question| question.instances.iter().any(|id| **id == *"real"));
    assert!(
        described
            || bench
                .questions
                .iter()
                .any(|question| question.instances.is_empty())
    );
}

#[test]
fn eight_thousand_newcomers_behind_one_known_worker_are_shown_within_four_rounds_and_none_is_late() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "ffffff", 1, 0)]).next_round();
    let newcomer = |id: u32| worker(&format!("n{id}"), &format!("{id:x}"), 1, 0).latency(2 + id / 16);
    let mut actors: Vec<Actor> = (0..8000).map(newcomer).collect();
    actors.push(worker("a", "ffffff", 1, 0));
    bench.round(&actors).rounds(3);
    assert_eq!(bench.pool().totals().fresh, 8001);
    assert_eq!(bench.count(Late), 0);
    assert_eq!(bench.count(Taken), bench.delivered);
}

#[test]
fn a_source_that_never_ceases_to_reply_is_counted_and_neither_prolongs_rounds_nor_fills_the_log() {
    let mut bench = Bench::of(POOL);
    let repeating = worker("a", "1", 1, 0).copies(2000);
    bench.round(&[repeating, worker("b", "2", 2, 0).latency(1200)]);
    let notices = bench.notices.len();
    for _ in 0..3 {
        // It goes on through the whole round, and through the next.
        for n in 0..3000 {
            let reply = worker("a", "1", 1, 0).reply();
            let round = bench.round + 1;
            bench.post(n * MS, Message::Reply(Some(round), reply));
        }
        bench.next_round();
        assert_eq!(bench.workers(), ["1 fresh 1", "2 fresh 2"]);
    }
    assert!(bench.count(Duplicate) > 10_000);
    let said = bench.notices.len() - notices;
    assert!(said <= 2, "{:?}", &bench.notices[notices..]);
    bench.actors.clear();
    bench.rounds(3);
    assert_eq!(bench.pool().replies.total(), bench.delivered);
    assert_eq!(
        bench.pool().totals().fresh,
        0,
        "a worker ages however often it repeated itself"
    );
}

#[test]
fn a_source_that_repeats_an_old_reply_without_end_is_not_fresh_for_it() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0), worker("b", "2", 2, 0)]);
    bench.actors.remove(0);
    for n in 0..5000_u32 {
        bench.post(
            n * 2 * MS,
            Message::Reply(Some(1), worker("a", "1", 1, 0).reply()),
        );
    }
    bench.rounds(2);
    assert_ne!(bench.workers()[0], "1 fresh 1");
    assert!(bench.notices.len() < 10, "{:?}", bench.notices);
    bench.rounds(8);
    assert_eq!(bench.pool().replies.total(), bench.delivered);
}

#[test]
fn trouble_with_many_workers_does_not_silence_other_warnings() {
    let mut bench = Bench::of(POOL);
    let bad = |id: u32| worker(&format!("i{id}"), &format!("{id:x}"), 0, 0).data("[1]");
    bench.round(&(0..1000).map(bad).collect::<Vec<_>>());
    let said = bench.said("reply rejected, in whole or in part").len();
    assert!((1..=300).contains(&said), "{said}");
    bench.is_alive = false;
    bench.rounds(2);
    assert_eq!(bench.said("the NATS server does not answer").len(), 1);
}

#[test]
fn one_service_that_claims_more_ids_than_there_is_room_for_does_not_displace_others() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "ffffff", 1, 0)]);
    bench.core.fill_roster("dynamo_c");
    let claimed = worker("one-more", "1", 0, 0).info(Info::Never);
    let actors = [
        worker("a", "ffffff", 2, 0),
        claimed,
        worker("real", "eeeeee", 3, 0),
    ];
    bench.round(&actors).rounds(2);
    assert_eq!(bench.workers(), ["15658734 fresh 3", "16777215 fresh 2"]);
    assert!(bench.count(OverLimit) >= 3);
    assert!(bench.pool().ignored >= 3);
    assert_eq!(bench.pool().replies.total(), bench.delivered);
    assert_eq!(bench.said("new service instances are left out").len(), 1);
    assert!(bench.questions.len() <= 8, "{}", bench.questions.len());
    bench.rounds(6);
    assert_eq!(
        bench.workers().len(),
        3,
        "the room of what has gone is given to others"
    );
}

#[test]
fn one_instance_with_more_endpoints_in_each_round_is_bounded() {
    let mut bench = Bench::of(POOL);
    for round in 0..5 {
        let subjects: Vec<String> = (0..1000)
            .map(|n| format!("dynamo_c.gen-{round}{n:03x}"))
            .collect();
        let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
        bench.round(&[worker("a", "", 1, 0).subjects(&subjects)]);
    }
    assert!(bench.core.slots() <= 2048, "{}", bench.core.slots());
    assert_eq!(bench.pool().totals().fresh, 2000);
    bench.core.assert_consistent();
}

#[test]
fn services_of_many_names_that_come_and_go_leave_nothing_behind() {
    let mut bench = Bench::of(POOL);
    for round in 0..12 {
        let passing = |n: u32| Actor::plain(&format!("s{round}-{n}"), "x", "orders.create");
        bench.round(&(0..400).map(passing).collect::<Vec<_>>());
    }
    bench.round(&[]).rounds(8);
    assert_eq!(bench.core.memory(), Vec::<(&str, usize)>::new());
}

#[test]
fn senders_and_their_pools_have_a_limit_and_a_flood_of_made_up_names_keeps_nothing_for_long() {
    let mut bench = Bench::of("*/*/*");
    bench.round(&[]);
    let pass = |id: usize| {
        format!(
            r#"{{"worker_id": "{id}", "dp_rank": 0, "counter_id": 1, "wall_time": 0.0,
                "scheduled_requests": {{}}, "queued_requests": {{}}}}"#
        )
    };
    for n in 0..MAX_POOLS + 10 {
        let subject = format!("namespace.x.component.c{n}.endpoint.gen.forward-pass-metrics");
        bench.publish_event(&subject, pass(n).as_bytes());
    }
    bench.hear();
    assert_eq!(bench.snapshot().pools.len(), MAX_POOLS);
    assert_eq!(bench.snapshot().hearing.unassigned.over_limit, 10);
    assert_eq!(bench.said("seen only through events are left out").len(), 1);
    bench.run(15 * SECOND).rounds(2);
    assert_eq!(bench.snapshot().pools.len(), 0);
    bench.publish_event(
        "namespace.x.component.real.endpoint.gen.forward-pass-metrics",
        pass(1).as_bytes(),
    );
    bench.hear();
    assert_eq!(bench.names(), ["x/real/gen"]);
}
