//! Descriptions: what an instance says about itself overrules its subject, and waiting for it delays nothing else.

use protocol::{Layout, WorkerId, WorkerSubject};

use super::*;
use crate::ReplyResult::{Foreign, Ok as Taken};

#[test]
fn a_description_that_comes_late_overrules_the_service_name() {
    // The service name of `Dyn.amo/C/gen` is the same in the plain layout.
    let says = |text: &str| Info::Says(text.to_owned());
    for first in [Info::Never, Info::NoResponders] {
        let mut bench = Bench::of(POOL);
        bench.round(&[worker("a", "1", 1, 0).info(first.clone()), worker("b", "2", 2, 0)]);
        bench.rounds(2);
        assert_eq!(
            bench.workers(),
            ["1 fresh 1", "2 fresh 2"],
            "until then the name decides"
        );
        bench.actors[0].info = says("Dynamo component C in namespace dynamo");
        bench.rounds(4);
        assert_eq!(bench.workers(), ["2 fresh 2"], "{first:?}");
        assert_eq!(bench.pool().missing, 0);
        assert_eq!(bench.pool().replies.total(), bench.delivered);
    }
}

#[test]
fn a_description_of_another_component_keeps_an_instance_out_from_the_start() {
    let mut bench = Bench::of(POOL);
    let other = worker("a", "1", 1, 0).info(Info::Says("Dynamo component C in namespace dynamo".to_owned()));
    bench.round(&[other]).rounds(3);
    assert_eq!(bench.workers(), [""; 0]);
    assert_eq!((bench.count(Taken), bench.count(Foreign)), (0, bench.delivered));
}

#[test]
fn newcomers_do_not_keep_a_silent_instance_from_being_asked_again() {
    let mut bench = Bench::of(POOL);
    let mut silent = worker("a", "ffff", 1, 0).info(Info::Never);
    for round in 0..25_u32 {
        if round == 2 {
            silent.info = Info::Says("Dynamo component C in namespace dynamo".to_owned());
        }
        let newcomers = (0..10_u32).map(|n| {
            let id = format!("{:x}", round * 10 + n + 1);
            worker(&format!("n{id}"), &id, 1, 0).latency(1 + n * 200)
        });
        bench.round(&newcomers.chain([silent.clone()]).collect::<Vec<_>>());
    }
    assert!(bench.workers().iter().all(|worker| !worker.starts_with("65535 ")));
}

#[test]
fn a_service_that_never_answers_info_delays_its_own_first_replies_alone() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "ffff", 1, 0)]);
    let quiet = (0..50).map(|id| worker(&format!("q{id}"), &format!("{id:x}"), 0, 0).info(Info::Never));
    bench.actors = quiet.chain([worker("a", "ffff", 2, 0)]).collect();
    let round = bench.round;
    while bench.round == round {
        bench.run(10 * MS);
    }
    bench.run(50 * MS);
    assert_eq!(bench.workers(), ["65535 fresh 2"]);
    bench.run(600 * MS);
    assert_eq!(bench.workers().len(), 51);
    assert_eq!(bench.count(Taken), 52);
}

#[test]
fn an_instance_that_answers_just_after_another_is_there_in_the_same_round() {
    let path = "dynamo/c/gen".parse().expect("a path");
    let hashed = |id: u64| {
        let subject = WorkerSubject::new(&path, Layout::Hashed, Some(WorkerId::new(id))).expect("a name");
        Actor {
            service: subject.service().to_string(),
            subjects: vec![subject.to_string()],
            ..Actor::of("c", &id.to_string(), "")
        }
    };
    // Only their descriptions say where they belong, and the second is asked for its own when the first pause is over.
    for (between, info) in [(1, 1), (1, 200), (100, 1), (249, 200)] {
        let mut bench = Bench::of("*/*/*");
        let (mut one, mut two) = (hashed(1).latency(1), hashed(2).latency(1 + between));
        (one.info_latency, two.info_latency) = (info * MS, info * MS);
        bench.actors = vec![one, two];
        let round = bench.round;
        while bench.round == round {
            bench.run(10 * MS);
        }
        bench.run(800 * MS);
        assert_eq!(bench.workers(), ["1 fresh -", "2 fresh -"], "{between} {info}");
    }
}

#[test]
fn a_known_instance_is_not_asked_for_its_description_again() {
    let mut bench = Bench::of(POOL);
    let plain = Actor::plain("dynamo_c", "x", "dynamo_c.gen-2");
    bench.round(&[worker("a", "1", 1, 0), plain]).rounds(30);
    let asked: usize = bench
        .questions
        .iter()
        .map(|question| question.instances.len())
        .sum();
    assert_eq!(asked, 2);
    assert_eq!(bench.workers(), ["1 fresh 1", "2 fresh -"]);
}

#[test]
fn a_silent_instance_is_asked_seldom_in_the_end() {
    let mut bench = Bench::of(POOL);
    bench
        .round(&[worker("a", "1", 1, 0).info(Info::Never)])
        .rounds(149);
    let asked = bench.questions.len();
    assert!((10..=20).contains(&asked), "{asked} times in 5 minutes");
}

#[test]
fn descriptions_are_asked_once_per_service_where_many_instances_are_new() {
    let mut bench = Bench::of(POOL);
    let actors: Vec<Actor> = (0..500)
        .map(|id| worker(&format!("i{id}"), &format!("{id:x}"), 1, 0))
        .collect();
    bench.round(&actors);
    let for_all = bench
        .questions
        .iter()
        .filter(|question| question.instances.is_empty())
        .count();
    assert!(
        for_all >= 1 && bench.questions.len() <= 3,
        "{:?}",
        bench.questions.len()
    );
    assert_eq!(bench.workers().len(), 500);
}
#[test]
fn a_real_worker_whose_component_has_a_space_is_found() {
    let mut bench = Bench::of("_a.b/c d/e");
    let real = Actor::plain("a_b_c_d", "x", "a_b_c_d.e-390da209124bd75f")
        .info(Info::Says("Dynamo component c d in namespace _a.b".to_owned()));
    bench.round(&[real]);
    let pool = bench.find("_a.b/c d/e").expect("there");
    assert_eq!(pool.workers.len(), 1);
    assert_eq!(&*pool.workers[0].identity.worker_hex, "390da209124bd75f");
}
