//! Notices: what is said of each pool, how often, and that it is about the last rounds.

use super::*;
use crate::Plan;
use bench::Message;

const CAMEL: &str = "Dynamo component MyComponent in namespace dynamo";

/// What is said of `dynamo/my_component/my_endpoint` after two rounds of these.
fn absence(actors: &[(&str, &str)]) -> String {
    let mut bench = Bench::of("dynamo/my_component/my_endpoint");
    let actor = |(id, (subject, description)): (usize, &(&str, &str))| {
        let service = subject.split('.').next().unwrap_or_default();
        Actor::plain(service, &id.to_string(), subject).info(Info::Says((*description).to_owned()))
    };
    bench.round(&actors.iter().enumerate().map(actor).collect::<Vec<_>>());
    assert_eq!(bench.said("no worker"), [""; 0], "the first round is not sure");
    bench.next_round();
    let [said] = &bench.said("no worker")[..] else {
        return bench.said("").join("; ");
    };
    said.clone()
}

#[test]
fn an_absence_says_what_was_seen_instead_and_what_to_type() {
    let subject = |id: u32| format!("dynamo_mycomponent_593024f1.my_endpoint-{id}");
    assert_eq!(
        absence(&[(&subject(1), CAMEL), (&subject(2), CAMEL)]),
        "Warn no worker of dynamo/my_component/my_endpoint answered; 2 workers of dynamo/MyComponent/my_endpoint did \
         (component differs in letter case and punctuation): use --target dynamo/MyComponent/my_endpoint \
         target=dynamo/my_component/my_endpoint"
    );
    let longer = "dynamo_my_component_1854ce00.my_endpoint_v2-1";
    let said = absence(&[(longer, "Dynamo component my_component in namespace dynamo")]);
    assert!(
        said.contains("(longer endpoint name): use --target dynamo/my_component/my_endpoint_v2"),
        "{said}"
    );
}

#[test]
fn silence_no_service_and_others_are_three_messages() {
    assert!(absence(&[]).contains("no service answered at all"));
    assert!(absence(&[("orders.create", "")]).contains("1 other service did, but its name is not similar"));
    assert!(absence(&[("dynamo_my_component.my_endpoint-1", "")]).contains("1 worker answers now"));
    let mut bench = Bench::of(POOL);
    let slow = Actor::plain("x", "x", "orders.create").latency(1800);
    bench.round(&[slow]).next_round();
    assert!(
        bench.said("but no reply came in time").len() == 1,
        "{:?}",
        bench.notices
    );
}

#[test]
fn where_no_service_answers_the_prefix_that_was_asked_is_named_and_is_worth_a_check() {
    let usual = absence(&[]);
    assert!(usual.contains("listens on $SRV.STATS"), "{usual}");
    assert!(usual.contains("or check --server. "), "{usual}");
    let prefix = "fleet.a".parse().expect("a prefix");
    let mut plan = plan(&[POOL]);
    plan.selectors
        .push(crate::Selector::Services(crate::NameGlob::new("orders")));
    let mut bench = Bench::asking(prefix, plan);
    bench.rounds(2);
    for advice in [
        "Start a worker, or check --server and --service-prefix",
        "Start it, or check --server and --service-prefix",
    ] {
        let said = bench.said(advice);
        assert!(
            matches!(&said[..], [said] if said.contains("listens on fleet.a.STATS")),
            "{:?}",
            bench.notices
        );
    }
}

#[test]
fn workers_that_appear_are_said_once() {
    let mut bench = Bench::of(POOL);
    bench
        .round(&[worker("a", "1", 1, 0), worker("b", "2", 1, 0)])
        .rounds(40);
    assert_eq!(bench.said("").len(), 1, "{:?}", bench.notices);
    assert_eq!(bench.said("2 workers answer now").len(), 1);
}

#[test]
fn a_partial_loss_is_said_once_with_the_names_and_so_is_its_end() {
    let four: Vec<Actor> = (1..=4)
        .map(|id| worker(&format!("i{id}"), &id.to_string(), 1, 0))
        .collect();
    let mut bench = Bench::of(POOL);
    bench.round(&four).next_round();
    bench.round(&four[..3]).next_round();
    assert_eq!(
        bench.said("3 of 4 workers answer; missing: 4").len(),
        1,
        "{:?}",
        bench.notices
    );
    bench.round(&four).next_round();
    assert_eq!(bench.said("all 4 workers answer again").len(), 1);
    for _ in 0..20 {
        bench.round(&four[..3]).rounds(2);
        bench.round(&four);
    }
    let lost = bench.said("workers answer; missing").len();
    assert!(lost <= 5, "{lost} times in 160 s");
}

#[test]
fn workers_that_leave_are_named() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0), worker("b", "2", 1, 0)]);
    bench.round(&[worker("a", "1", 1, 0)]).rounds(10);
    let said = bench.said("left: ");
    assert_eq!(
        said,
        ["Info 1 worker left: 2 (silent for too long) target=dynamo/c/gen"]
    );
    assert_eq!(bench.said("answer again"), [""; 0], "none came back");
}

#[test]
fn workers_that_come_and_go_make_no_more_lines_than_ones_that_stay_away() {
    let mut bench = Bench::of(POOL);
    for n in 0..30 {
        let here = worker(&format!("a{n}"), &format!("{:x}", n + 1), 1, 0);
        bench.round(&[here]).round(&[]).rounds(5);
    }
    let minutes = 30 * 7 * 2 / 60;
    for text in ["all workers gone", "1 worker answers now", "left: "] {
        let said = bench.said(text).len();
        assert!(
            (1..=minutes + 1).contains(&said),
            "{text}: {said} times in {minutes} minutes"
        );
    }
}

#[test]
fn what_happened_long_ago_does_not_explain_todays_silence() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0)]);
    bench.post(
        2050 * MS,
        Message::Reply(Some(1), worker("old", "9", 1, 0).reply()),
    );
    bench.post(
        2060 * MS,
        Message::Reply(Some(bench.round + 1), "garbage".to_owned()),
    );
    bench.rounds(2);
    bench.publish_event(
        "namespace.dynamo.kv_metrics",
        br#"{"worker_id": 77, "active_decode_blocks": 4}"#,
    );
    bench.hear();
    bench.rounds(30);
    bench.round(&[Actor::plain("x", "x", "orders.create")]).rounds(20);
    let said = bench.said("all workers gone");
    assert!(!said.is_empty());
    for old in ["later than a round", "cannot be read", "do not name a component"] {
        assert!(said.iter().all(|line| !line.contains(old)), "{said:?}");
    }
}

#[test]
fn events_that_name_no_component_are_reported_where_no_worker_answers() {
    let mut bench = Bench::of(POOL);
    let other = Actor::plain("x", "x", "orders.create");
    bench.round(&[other]);
    for _ in 0..3 {
        bench.publish_event(
            "namespace.dynamo.kv_metrics",
            br#"{"worker_id": 77, "active_decode_blocks": 4}"#,
        );
        bench.hear();
        bench.next_round();
    }
    assert_eq!(
        bench.said("do not name a component").len(),
        1,
        "{:?}",
        bench.notices
    );
}

#[test]
fn events_of_one_pools_workers_are_no_hint_about_another() {
    let mut bench = Bench::new(plan(&[POOL, "dynamo/d/gen"]));
    bench.round(&[Actor::of("d", "b", "2")]);
    for _ in 0..5 {
        bench.publish_event(
            "namespace.dynamo.kv_metrics",
            br#"{"worker_id": 2, "active_decode_blocks": 4}"#,
        );
        bench.hear();
        bench.next_round();
    }
    assert_eq!(bench.said("do not name a component"), [""; 0]);
    assert!(!bench.said("no worker of dynamo/c/gen").is_empty());
}

#[test]
fn load_data_with_no_known_field_is_said_once_per_pool_with_the_fields() {
    let camel = |id: u32| {
        let data = r#"{"kvActiveBlocks": 1, "requestActiveSlots": 2}"#;
        worker(&format!("i{id}"), &id.to_string(), 0, 0).data(data)
    };
    let mut bench = Bench::of(POOL);
    bench.round(&[camel(1), camel(2), camel(3)]).rounds(10);
    let said = bench.said("has no field that is known as load");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("kvActiveBlocks"), "{said:?}");
    assert!(said[0].contains("requestActiveSlots"), "{said:?}");
    assert!(said[0].contains("target=dynamo/c/gen"), "{said:?}");
}

#[test]
fn an_absence_whose_key_changes_is_not_said_more_often() {
    let mut bench = Bench::of("dynamo/my_component/my_endpoint");
    for round in 0..30 {
        let subject = |n: u32| format!("dynamo_my_component.my_endpoint-z{round}x{n}");
        let count = 1 + round % 3;
        let actors: Vec<Actor> = (0..count)
            .map(|n| Actor::plain("dynamo_my_component", &format!("i{round}-{n}"), &subject(n)))
            .collect();
        bench.round(&actors);
    }
    let said = bench.said("no worker of");
    assert!(said.len() <= 3, "{said:?}");
}

#[test]
fn every_one_of_many_empty_pools_is_explained_in_the_end() {
    let selectors: Vec<String> = (0..60).map(|n| format!("dynamo/c{n}/gen")).collect();
    let selectors: Vec<_> = selectors
        .iter()
        .map(|text| text.parse().expect("a selector"))
        .collect();
    let mut bench = Bench::new(Plan {
        selectors,
        ..plan(&[])
    });
    bench.round(&[Actor::plain("x", "x", "orders.create")]).rounds(30);
    for n in 0..60 {
        let said = bench.said(&format!("no worker of dynamo/c{n}/gen ")).len();
        assert!((1..=2).contains(&said), "{n}: {said}");
    }
}

#[test]
fn replies_that_cannot_be_read_are_said_seldom() {
    let mut bench = Bench::of(POOL);
    bench.actors = vec![Actor::plain("x", "x", "orders.create").latency(5)];
    for _ in 0..20 {
        for n in 0..50 {
            let round = bench.round + 1;
            bench.post((n + 10) * MS, Message::Reply(Some(round), format!("garbage {n}")));
        }
        bench.next_round();
    }
    assert_eq!(bench.said("a service sent a reply that cannot be read").len(), 1);
    assert!(
        bench
            .said("no worker of")
            .iter()
            .any(|line| line.contains("cannot be read"))
    );
}

#[test]
fn two_instances_with_one_id_are_named_seldom() {
    let mut bench = Bench::of(POOL);
    bench
        .round(&[worker("a", "1", 1, 0), worker("b", "1", 1, 0)])
        .rounds(20);
    let said = bench.said("two instances answer for one worker id");
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn of_two_instances_with_one_id_the_one_that_is_not_shown_is_named_whichever_replies_first() {
    for (elder, younger) in [(1, 2), (2, 1)] {
        let mut bench = Bench::of(POOL);
        bench.round(&[
            worker("elder", "1", 1, 0).latency(elder),
            worker("younger", "1", 1, 0)
                .started("2026-02-03T00:00:00Z")
                .latency(younger),
        ]);
        let said = bench.said("two instances answer for one worker id");
        let named = "younger is shown, which is the younger, and elder is not";
        assert!(said[0].contains(named), "{said:?}");
        let duplicates = &bench.pool().duplicates;
        assert_eq!(duplicates.len(), 1);
        let duplicate = &duplicates[0];
        assert_eq!(
            (&*duplicate.worker.service_id, &*duplicate.other),
            ("younger", "elder")
        );
        assert_eq!(bench.workers(), ["1 fresh 1"], "they are one worker");
        bench
            .round(&[worker("younger", "1", 1, 0).started("2026-02-03T00:00:00Z")])
            .rounds(5);
        assert!(bench.pool().duplicates.is_empty(), "the other is gone");
    }
}
