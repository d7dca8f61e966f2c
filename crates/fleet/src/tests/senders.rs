//! Workers that are known by their events, alone or as well.

use protocol::codec::Envelope;
use protocol::events::Topic;

use super::*;
use crate::{Capacity, EventResult, Plan, Source, WorkerView};

const PASSES: &str = "namespace.dynamo.component.c.endpoint.gen.forward-pass-metrics";
const LOADS: &str = "namespace.dynamo.component.c.endpoint.gen.kv_metrics";

/// A pass of a quarter of a second; without requests, a heartbeat.
fn pass(id: u64, rank: u64, counter: u64, running: u64, queued: u64) -> String {
    let is_pass = u64::from(running + queued > 0);
    let (seconds, prefill) = (is_pass as f64 / 4.0, is_pass);
    format!(
        r#"{{"version": 1, "worker_id": "{id}", "dp_rank": {rank}, "counter_id": {counter}, "wall_time": {seconds},
            "scheduled_requests": {{"num_decode_requests": {running}, "sum_decode_kv_tokens": {running},
                "num_prefill_requests": {prefill}, "sum_prefill_tokens": {tokens}}},
            "queued_requests": {{"num_prefill_requests": {queued}, "sum_prefill_tokens": {waiting}}}}}"#,
        tokens = prefill * 100,
        waiting = queued * 100,
    )
}

fn used(id: u64, blocks: u64) -> String {
    format!(
        r#"{{"worker_id": {id}, "dp_rank": 0, "active_decode_blocks": null, "active_prefill_tokens": null, "kv_used_blocks": {blocks}}}"#
    )
}

/// Publishes an event, which is shown at once.
fn hear(bench: &mut Bench, subject: &str, event: &str) {
    bench.publish_event(subject, event.as_bytes());
    bench.hear();
}

/// Sends heartbeats for some seconds.
fn heartbeats(bench: &mut Bench, id: u64, seconds: u32) {
    for second in 0..seconds {
        bench.publish_event(PASSES, pass(id, 0, u64::from(second), 0, 0).as_bytes());
        bench.hand_over();
        bench.run(SECOND);
    }
}

fn state(bench: &Bench) -> String {
    match bench.pool().workers.first() {
        Some(worker) => format!("{} {}", worker.state.as_str(), worker.source().as_str()),
        None => "none".to_owned(),
    }
}

fn first(bench: &Bench) -> WorkerView {
    bench.worker()
}

#[test]
fn a_worker_that_only_publishes_events_is_a_member_of_its_pool() {
    for selector in [POOL, "dynamo/*/*", "dyn*/c/*", "*/*/*"] {
        let mut bench = Bench::of(selector);
        bench.round(&[]);
        hear(&mut bench, PASSES, &pass(u64::MAX - 1, 0, 0, 3, 2));
        hear(&mut bench, LOADS, &used(u64::MAX - 1, 42));
        let worker = first(&bench);
        assert_eq!(&*worker.identity.worker_id, "18446744073709551614", "{selector}");
        assert_eq!((worker.source(), worker.schema), (Source::Events, "event"));
        assert_eq!(worker.last_seen, None);
        let load = worker.load.expect("reported");
        let shown = (
            load.request_slots_active(),
            load.requests_waiting(),
            load.kv_blocks_active(),
        );
        assert_eq!(shown, (Some(4), Some(2), Some(42)));
        assert_eq!(
            (load.request_slots_capacity(), load.kv_usage_ratio()),
            (None, None),
            "nobody reports them"
        );
        let events = worker.events.expect("heard");
        let engine = events.engine.expect("reported");
        assert_eq!(
            (engine.running, engine.queued, engine.queued_tokens),
            ([1, 3], [2, 0], [200, 0])
        );
        let passes = events.passes.expect("reported");
        assert_eq!((passes.passes, passes.seconds), (1, 0.25));
        assert_eq!((passes.prefill_tokens, passes.decode_steps), (100, 3));
        assert_eq!(bench.pool().pass_seconds.count(), 1);
        assert_eq!(bench.pool().events[EventResult::Ok], 2);
    }
}

#[test]
fn a_worker_that_answers_and_publishes_is_one_worker() {
    let hear_first = |bench: &mut Bench| {
        bench.round(&[]);
        hear(bench, PASSES, &pass(7, 0, 0, 3, 2));
        bench.round(&[Actor::of("c", "a", "7")]);
    };
    let answer_first = |bench: &mut Bench| {
        bench.round(&[Actor::of("c", "a", "7")]);
        hear(bench, PASSES, &pass(7, 0, 0, 3, 2));
    };
    for order in [&hear_first as &dyn Fn(&mut Bench), &answer_first] {
        let mut bench = Bench::of(POOL);
        order(&mut bench);
        assert_eq!(bench.pool().workers.len(), 1);
        let worker = first(&bench);
        assert_eq!((worker.source(), worker.restarts), (Source::Both, 0));
        assert_eq!(&*worker.identity.service_id, "a");
        assert_eq!(worker.load.expect("by events").request_slots_active(), Some(4));
    }
}

/// What a worker does before it is silent, for how many seconds it is, and how it is shown then.
type Silence<'a> = (&'a str, &'a dyn Fn(&mut Bench), u32, &'a str);

#[test]
fn what_silence_means_depends_on_what_a_worker_publishes() {
    let by_passes = |bench: &mut Bench| hear(bench, PASSES, &pass(7, 0, 0, 3, 2));
    let by_load = |bench: &mut Bench| hear(bench, LOADS, &used(7, 42));
    let by_both = |bench: &mut Bench| {
        bench.round(&[Actor::of("c", "a", "7")]);
        hear(bench, LOADS, &used(7, 42));
        bench.actors.clear();
    };
    let table: [Silence<'_>; 12] = [
        ("heartbeats", &by_passes, 3, "fresh events"),
        ("heartbeats", &by_passes, 5, "stale events"),
        ("heartbeats", &by_passes, 9, "stale events"),
        ("heartbeats", &by_passes, 12, "none"),
        ("changes", &by_load, 9, "fresh events"),
        ("changes", &by_load, 59, "fresh events"),
        ("changes", &by_load, 62, "stale events"),
        ("changes", &by_load, 590, "stale events"),
        ("changes", &by_load, 602, "none"),
        ("answers and changes", &by_both, 1, "fresh srv,events"),
        ("answers and changes", &by_both, 8, "stale srv,events"),
        ("answers and changes", &by_both, 16, "none"),
    ];
    for (what, begin, silence, expected) in table {
        let mut bench = Bench::of(POOL);
        bench.round(&[]);
        begin(&mut bench);
        bench.run(silence * SECOND);
        assert_eq!(state(&bench), expected, "{what}, {silence} s of silence");
    }
}

#[test]
fn heartbeats_keep_a_worker_whose_other_events_are_rare() {
    let mut bench = Bench::of(POOL);
    bench.round(&[]);
    hear(&mut bench, LOADS, &used(7, 42));
    heartbeats(&mut bench, 7, 30);
    assert_eq!(
        (state(&bench), bench.workers()),
        ("fresh events".to_owned(), vec!["7 fresh 42".to_owned()])
    );
    heartbeats(&mut bench, 7, 40);
    assert_eq!(
        bench.workers(),
        ["7 fresh -"],
        "blocks that were reported so long ago are unknown"
    );
    let events = first(&bench).events.expect("heard");
    assert!(
        events.topics[Topic::KvMetrics as usize].is_some(),
        "their age is shown"
    );
}

#[test]
fn a_worker_is_gone_in_time_however_long_the_poll_interval_is() {
    let mut slow = plan(&[POOL]);
    slow.settings.poll_interval = 3600 * SECOND;
    slow.settings.event_gone_after = 5 * SECOND;
    let mut bench = Bench::new(slow);
    bench.run(SECOND);
    hear(&mut bench, PASSES, &pass(7, 0, 0, 3, 2));
    assert_eq!(state(&bench), "fresh events");
    bench.run(4 * SECOND);
    assert_eq!(state(&bench), "stale events");
    bench.run(3 * SECOND);
    assert_eq!(state(&bench), "none");
}

#[test]
fn an_outage_of_the_link_makes_no_sender_gone() {
    let mut bench = Bench::of(POOL);
    bench.round(&[]);
    hear(&mut bench, PASSES, &pass(7, 0, 0, 3, 2));
    bench.lose_link();
    bench.run(60 * SECOND);
    assert_eq!(state(&bench), "stale events");
    bench.restore_link();
    bench.run(5 * SECOND);
    assert_eq!(state(&bench), "stale events");
    assert!(first(&bench).events.expect("known").engine.is_none());
    bench.run(8 * SECOND);
    assert_eq!(state(&bench), "none", "after the outage it has its time again");
}

#[test]
fn an_event_without_an_endpoint_belongs_to_the_worker_it_names_or_to_the_only_endpoint() {
    const COMPONENT: &str = "namespace.dynamo.component.c.forward-pass-metrics";
    let shown = |selectors: &[&str], actors: &[Actor]| {
        let mut bench = Bench::new(plan(selectors));
        bench.round(actors);
        hear(&mut bench, COMPONENT, &pass(7, 0, 0, 3, 2));
        let snapshot = bench.snapshots.last().expect("published").clone();
        let heard = |worker: &&WorkerView| worker.events.is_some();
        let pools = snapshot
            .pools
            .iter()
            .filter(|pool| pool.workers.iter().any(|w| heard(&w)));
        let names: Vec<String> = pools.map(|pool| pool.name.to_string()).collect();
        (names.join(" "), snapshot.hearing.unassigned.no_endpoint)
    };
    let known = Actor::of("c", "a", "7");
    assert_eq!(shown(&[POOL], &[]), (POOL.to_owned(), 0));
    assert_eq!(
        shown(&["*/c/gen"], &[]),
        (POOL.to_owned(), 0),
        "the glob names an endpoint"
    );
    assert_eq!(
        shown(&["dynamo/c/other", POOL], std::slice::from_ref(&known)),
        (POOL.to_owned(), 0)
    );
    assert_eq!(shown(&["dynamo/*/*"], &[known]), (POOL.to_owned(), 0));
    assert_eq!(shown(&["dynamo/*/*"], &[]), (String::new(), 1));
    assert_eq!(
        shown(&["dynamo/c/other", POOL], &[]),
        (String::new(), 0),
        "each of two counts it as an unknown worker's"
    );
    assert_eq!(shown(&["dynamo/d/gen"], &[]), (String::new(), 0));
}

#[test]
fn an_event_that_names_only_a_namespace_makes_a_member_where_nothing_else_can_be_meant() {
    const NAMESPACE: &str = "namespace.dynamo.kv_metrics";
    let envelope = |publisher_id: u64| {
        let load = serde_json_load();
        let payload = protocol::Encoding::MessagePack.encode(&load).expect("encodes");
        let envelope = Envelope {
            publisher_id,
            sequence: 0,
            published_at: 0,
            topic: "kv_metrics".into(),
            payload,
        };
        protocol::Encoding::MessagePack
            .encode(&envelope)
            .expect("encodes")
    };
    let shown = |selectors: &[&str], publisher: u64, actors: &[Actor]| {
        let mut bench = Bench::new(plan(selectors));
        bench.round(&[]);
        bench.publish_event(NAMESPACE, &envelope(publisher));
        bench.hear();
        assert_eq!(
            bench.find(POOL).map(|pool| pool.workers.len()),
            Some(0),
            "a request may find it"
        );
        bench.round(actors).next_round();
        bench.find(POOL).expect("there").workers.len()
    };
    assert_eq!(
        shown(&[POOL], 7, &[]),
        1,
        "the worker itself, by its publisher's id"
    );
    assert_eq!(shown(&[POOL], 99, &[]), 0, "a router");
    assert_eq!(shown(&[POOL, "dynamo/d/gen"], 7, &[]), 0, "it may be either's");
    assert_eq!(
        shown(&[POOL], 7, &[Actor::of("d", "x", "7")]),
        0,
        "it is another component's"
    );
}

/// A load event of Dynamo 1.0, of worker 7.
fn serde_json_load() -> std::collections::BTreeMap<&'static str, u64> {
    [("worker_id", 7), ("dp_rank", 0), ("active_decode_blocks", 5)].into()
}

#[test]
fn a_worker_that_names_only_its_namespace_is_a_member_however_often_it_publishes() {
    let mut bench = Bench::of(POOL);
    bench.round(&[]);
    for _ in 0..60 {
        bench.publish_event("namespace.dynamo.kv_metrics", used(7, 42).as_bytes());
        bench.hand_over();
        bench.run(SECOND / 10);
    }
    assert_eq!(bench.workers(), ["7 fresh 42"]);
}

#[test]
fn capacities_that_are_configured_bring_use_and_saturation_back() {
    let capacity = |pools: &str, slots, kv_blocks| Capacity {
        pools: pools.parse().expect(pools),
        slots,
        kv_blocks,
    };
    let mut bench = Bench::new(Plan {
        capacities: vec![
            capacity("x/*/*", Some(1), None),
            capacity("dynamo/*/gen", Some(8), Some(168)),
        ],
        ..plan(&[POOL])
    });
    bench.round(&[worker("b", "2", 50, 0).data(r#"{"kv_active_blocks": 50, "kv_total_blocks": 100}"#)]);
    hear(&mut bench, PASSES, &pass(7, 0, 0, 3, 2));
    hear(&mut bench, LOADS, &used(7, 42));
    let loads: Vec<_> = bench
        .pool()
        .workers
        .iter()
        .map(|w| w.load.clone().expect("known"))
        .collect();
    assert_eq!(
        loads[0].kv_blocks_capacity(),
        Some(100),
        "what a worker reports itself counts"
    );
    assert_eq!(
        (loads[1].kv_usage_ratio(), loads[1].request_slots_capacity()),
        (Some(0.25), Some(8))
    );
    hear(&mut bench, LOADS, &used(7, 200));
    let load = bench.pool().workers[1].load.clone().expect("known");
    assert_eq!(
        (load.kv_blocks_active(), load.kv_blocks_capacity()),
        (Some(200), None),
        "it cannot be so small"
    );
}

#[test]
fn a_plan_that_leaves_a_pool_out_forgets_its_senders() {
    let mut bench = Bench::of("*/*/*");
    bench.round(&[]);
    hear(&mut bench, PASSES, &pass(7, 0, 0, 3, 2));
    assert_eq!(bench.names(), [POOL]);
    bench.take(plan(&["other/x/y"]));
    assert_eq!(bench.names(), ["other/x/y"]);
    hear(&mut bench, PASSES, &pass(7, 0, 1, 3, 2));
    assert_eq!(bench.names(), ["other/x/y"]);
    bench.core.assert_consistent();
}

#[test]
fn the_loss_of_messages_is_counted_for_the_worker() {
    let mut bench = Bench::of(POOL);
    bench.round(&[]);
    for counter in [4, 5, 9, 0, 1] {
        hear(&mut bench, PASSES, &pass(7, 0, counter, 3, 2));
    }
    hear(&mut bench, PASSES, &pass(7, 1, 50, 3, 2));
    let events = first(&bench).events.expect("heard");
    assert_eq!(events.lost[Topic::ForwardPass as usize], 3);
    assert_eq!(events.engine.expect("reported").running, [2, 6], "both ranks");
}
