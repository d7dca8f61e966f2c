//! What a user relies on: who is shown, with which numbers, and what is counted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use protocol::{EventError, KvHitRate, KvMetrics, StatsReply, WorkerId, WorkerStats};

use super::*;
use crate::intake::ReplyResult::{self, Duplicate, Foreign, Late, Malformed, Ok as Taken, OutOfRange};

/// One target, and rounds written as text.
struct Bench {
    fleet: Fleet,
    now: SystemTime,
}

/// A reply of one worker: service instance, worker id in hexadecimal, active KV blocks, requests.
fn worker(instance: &str, id: &str, active: u64, requests: u64) -> MaybeReply {
    reply(
        instance,
        id,
        "2026-01-01T00:00:00Z",
        requests,
        &format!(r#"{{"kv_active_blocks": {active}}}"#),
    )
}

fn reply(instance: &str, id: &str, started: &str, requests: u64, data: &str) -> MaybeReply {
    let nanos = requests * 1_000_000_000;
    let text = format!(
        r#"{{"name": "dynamo_c", "id": "{instance}", "started": "{started}", "endpoints":
           [{{"subject": "dynamo_c.gen-{id}", "num_requests": {requests}, "processing_time": {nanos}, "data": {data}}}]}}"#
    );
    Some(Arc::new(StatsReply::decode(text.as_bytes()).expect("readable")))
}

impl Bench {
    fn new() -> Self {
        let settings = FleetSettings {
            gone_after: 4,
            ..FleetSettings::DEFAULT
        };
        let target = Target::new("dynamo/c/gen".parse().expect("a path"), &[]);
        Self {
            fleet: Fleet::new(vec![target], settings),
            now: SystemTime::UNIX_EPOCH,
        }
    }

    fn round(&mut self, replies: &[MaybeReply], finish: Finish) -> &mut Self {
        self.now += Duration::from_secs(2);
        let summary = RoundSummary {
            finish,
            duration: Duration::from_millis(5),
            now: self.now,
        };
        self.fleet.apply_round(replies, |_| None, summary);
        self
    }

    fn between(&mut self, reply: &MaybeReply, arrival: Arrival) -> &mut Self {
        self.fleet
            .apply_between_rounds(reply, |_| None, arrival, self.now);
        self
    }

    fn pool(&self) -> PoolView {
        self.fleet.snapshot(LinkView::default()).pools.remove(0)
    }

    /// `id state active-blocks` of each worker.
    fn workers(&self) -> Vec<String> {
        let describe = |worker: &WorkerView| {
            let active = worker.stats.as_ref().and_then(WorkerStats::kv_blocks_active);
            let active = active.map_or("-".to_owned(), |n| n.to_string());
            format!("{} {} {active}", worker.worker_id, worker.state.as_str())
        };
        self.pool().workers.iter().map(describe).collect()
    }

    fn count(&self, result: ReplyResult) -> u64 {
        self.pool().replies.get(&result).copied().unwrap_or(0)
    }
}

#[test]
fn a_worker_that_ceases_to_answer_is_stale_then_gone_and_others_stay() {
    let mut bench = Bench::new();
    bench.round(
        &[worker("a", "1", 10, 0), worker("b", "2", 20, 0)],
        Finish::Complete,
    );
    let steps = ["1 fresh 10", "1 stale -", "1 stale -"];
    for step in steps {
        bench.round(&[worker("b", "2", 21, 0)], Finish::Stall);
        assert_eq!(bench.workers(), [step, "2 fresh 21"]);
    }
    bench.round(&[worker("b", "2", 21, 0)], Finish::Stall);
    assert_eq!(bench.workers(), ["2 fresh 21"]);
}

#[test]
fn only_fresh_workers_are_waited_for_and_missed() {
    let mut bench = Bench::new();
    bench.round(
        &[worker("a", "1", 10, 0), worker("b", "2", 20, 0)],
        Finish::Complete,
    );
    assert_eq!(bench.fleet.expected().len(), 2);
    bench.round(&[worker("b", "2", 20, 0)], Finish::Stall);
    assert_eq!((bench.fleet.expected().len(), bench.pool().missing), (2, 1));
    bench.round(&[worker("b", "2", 20, 0)], Finish::Stall);
    assert_eq!((bench.fleet.expected().len(), bench.pool().missing), (1, 1));
    bench.round(&[worker("b", "2", 20, 0)], Finish::Complete);
    assert_eq!(bench.pool().missing, 0);
}

#[test]
fn counters_never_run_backwards_over_restarts() {
    fn check(second: &MaybeReply, restarts: u64, requests: f64) {
        let mut bench = Bench::new();
        bench
            .round(&[worker("a", "1", 0, 7)], Finish::Complete)
            .round(std::slice::from_ref(second), Finish::Complete);
        let worker = bench.pool().workers.remove(0);
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
    check(&reply("a", "1", "2026-01-02T00:00:00Z", 8, "null"), 1, 15.0);
}

#[test]
fn a_counter_that_is_missing_or_refused_once_neither_restarts_the_worker_nor_counts_twice() {
    for written in ["null", "{}", "-5", "Infinity", "true"] {
        let text = format!(
            r#"{{"id": "a", "started": "2026-01-01T00:00:00Z", "endpoints": [{{"subject": "dynamo_c.gen-1", "num_requests": {written}}}]}}"#
        );
        let odd = Some(Arc::new(StatsReply::decode(text.as_bytes()).expect("readable")));
        let mut bench = Bench::new();
        for reply in [worker("a", "1", 0, 1000), odd, worker("a", "1", 0, 1001)] {
            bench.round(&[reply], Finish::Complete);
        }
        let worker = bench.pool().workers.remove(0);
        assert_eq!((worker.restarts, worker.requests), (0, 1001.0), "{written}");
    }
}

#[test]
fn a_start_time_that_is_missing_or_unreadable_in_one_reply_is_no_restart() {
    for written in ["", "yesterday"] {
        let mut bench = Bench::new();
        for started in ["2026-01-01T00:00:00Z", written, "2026-01-01T00:00:00Z"] {
            bench.round(&[reply("a", "1", started, 1000, "{}")], Finish::Complete);
        }
        let worker = &bench.pool().workers[0];
        assert_eq!((worker.restarts, worker.requests), (0, 1000.0), "{written:?}");
        bench.round(
            &[reply("a", "1", "2026-01-02T00:00:00Z", 1000, "{}")],
            Finish::Complete,
        );
        let worker = &bench.pool().workers[0];
        assert_eq!(
            (worker.restarts, worker.requests),
            (1, 2000.0),
            "another start time is one"
        );
    }
}

#[test]
fn the_younger_of_two_instances_with_one_id_wins_even_over_rounds_that_it_misses() {
    let younger = |requests| reply("young", "1", "2026-01-02T00:00:00Z", requests, "{}");
    let older = reply("old", "1", "2026-01-01T00:00:00Z", 3, "{}");
    let mut bench = Bench::new();
    bench.round(&[younger(10), older.clone()], Finish::Complete);
    bench.round(std::slice::from_ref(&older), Finish::Stall);
    bench.between(&older, Arrival::Newcomer);
    bench.round(&[older.clone(), younger(11)], Finish::Complete);
    let pool = bench.pool();
    assert_eq!((pool.workers[0].restarts, pool.workers[0].requests), (0, 11.0));
    assert_eq!((bench.count(Taken), bench.count(Duplicate)), (2, 4));
    for _ in 0..4 {
        bench.round(std::slice::from_ref(&older), Finish::Stall);
    }
    bench.round(&[older], Finish::Complete);
    assert_eq!(
        &*bench.pool().workers[0].service_id,
        "old",
        "once the younger is gone, the older has the id"
    );
}

#[test]
fn an_instance_that_answers_under_another_id_gives_its_old_one_up_at_once() {
    let younger = |id| reply("young", id, "2026-01-02T00:00:00Z", 10, "{}");
    let older = reply("old", "1", "2026-01-01T00:00:00Z", 3, "{}");
    let mut bench = Bench::new();
    bench.round(&[younger("1"), older.clone()], Finish::Complete);
    assert_eq!(&*bench.pool().workers[0].service_id, "young");
    bench.round(&[younger("2"), older], Finish::Complete);
    let owners: Vec<_> = bench
        .pool()
        .workers
        .iter()
        .map(|w| w.service_id.to_string())
        .collect();
    assert_eq!(owners, ["old", "young"]);
    assert_eq!((bench.count(Taken), bench.count(Duplicate)), (3, 1));
}

#[test]
fn one_reply_that_serves_an_id_in_two_layouts_is_one_worker_and_no_duplicate() {
    let text = r#"{"name": "dynamo_c", "id": "a", "endpoints": [
        {"subject": "dynamo_c.gen-1"}, {"subject": "dynamo_c_HASH.gen-1"}]}"#;
    let hashed = protocol::Layout::Hashed
        .service_name(&"dynamo".parse().expect("a name"), &"c".parse().expect("a name"))
        .expect("a service name");
    let text = text.replace("dynamo_c_HASH", hashed.as_str());
    let both = Some(Arc::new(StatsReply::decode(text.as_bytes()).expect("readable")));
    let mut bench = Bench::new();
    bench.round(&[both], Finish::Complete);
    assert_eq!((bench.count(Taken), bench.count(Duplicate)), (1, 0));
    assert_eq!(bench.workers().len(), 1);
}

#[test]
fn of_two_instances_with_one_id_the_younger_is_shown_and_the_other_counted() {
    let old = reply("zz", "1", "2026-01-01T00:00:00Z", 0, r#"{"kv_active_blocks": 1}"#);
    let young = reply("aa", "1", "2026-01-02T00:00:00Z", 0, r#"{"kv_active_blocks": 2}"#);
    for order in [[old.clone(), young.clone()], [young.clone(), old.clone()]] {
        let mut bench = Bench::new();
        for round in 1..=3 {
            bench.round(&order, Finish::Complete);
            assert_eq!(bench.workers(), ["1 fresh 2"]);
            assert_eq!((bench.count(Taken), bench.count(Duplicate)), (round, round));
        }
        assert_eq!(bench.pool().workers[0].restarts, 0, "a namesake is no restart");
    }
    let mut bench = Bench::new();
    bench
        .round(std::slice::from_ref(&young), Finish::Complete)
        .between(&old, Arrival::Newcomer);
    assert_eq!(
        (bench.workers(), bench.count(Duplicate)),
        (vec!["1 fresh 2".to_owned()], 1)
    );
}

#[test]
fn an_instance_id_that_another_service_claims_costs_its_owner_nothing() {
    let text = r#"{"name": "impostor", "id": "a", "endpoints": [{"subject": "orders.create"}, {"subject": "dynamo_c.gen-2"}]}"#;
    let impostor = Some(Arc::new(StatsReply::decode(text.as_bytes()).expect("readable")));
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.round(&[impostor.clone(), worker("a", "1", 10, 0)], Finish::Complete);
        assert_eq!(bench.workers(), ["1 fresh 10", "2 fresh -"]);
    }
    assert_eq!((bench.count(Taken), bench.count(Duplicate)), (6, 0));
}

#[test]
fn every_reply_has_exactly_one_result() {
    let mut bench = Bench::new();
    let unreadable: MaybeReply = None;
    let stranger = StatsReply::decode(br#"{"id": "x", "endpoints": []}"#).expect("readable");
    bench.round(
        &[
            worker("a", "1", 10, 0),
            worker("a", "1", 11, 0),
            reply(
                "b",
                "2",
                "",
                0,
                r#"{"kv_active_blocks": -1, "num_requests_waiting": 3}"#,
            ),
            reply("c", "3", "", 0, r#""text""#),
            Some(Arc::new(stranger)),
            unreadable,
        ],
        Finish::Stall,
    );
    bench
        .between(&worker("d", "4", 1, 0), Arrival::Late)
        .between(&worker("a", "1", 99, 0), Arrival::Repeated);
    let results = ReplyResult::ALL.map(|result| bench.count(result));
    assert_eq!(results.iter().sum::<u64>(), 8);
    let expected = [
        (Taken, 1),
        (Foreign, 1),
        (Late, 1),
        (Duplicate, 2),
        (OutOfRange, 1),
        (Malformed, 2),
    ];
    for (result, count) in expected {
        assert_eq!(bench.count(result), count, "{result:?}");
    }
    assert_eq!(
        bench.workers(),
        ["1 fresh 10", "2 fresh -"],
        "neither late nor repeated nor refused data is shown"
    );
}

#[test]
fn a_worker_whose_load_cannot_be_used_is_not_refreshed_by_it() {
    let mut bench = Bench::new();
    bench.round(&[worker("a", "1", 10, 0)], Finish::Complete);
    for _ in 0..2 {
        bench.round(&[reply("a", "1", "", 0, "[1]")], Finish::Complete);
    }
    assert_eq!(bench.workers(), ["1 stale -"]);
}

#[test]
fn newcomers_are_shown_before_the_next_round() {
    let mut bench = Bench::new();
    bench
        .round(&[worker("a", "1", 10, 0)], Finish::Complete)
        .between(&worker("b", "2", 20, 0), Arrival::Newcomer);
    assert_eq!(bench.workers(), ["1 fresh 10", "2 fresh 20"]);
    assert_eq!(bench.fleet.expected().len(), 2);
}

#[test]
fn nothing_old_is_shown_as_current_while_nats_is_away_and_nobody_is_gone_for_it() {
    let mut bench = Bench::new();
    bench.round(&[worker("a", "1", 10, 0)], Finish::Complete);
    bench.fleet.link_lost();
    assert_eq!(bench.workers(), ["1 stale -"]);
    for _ in 0..10 {
        bench.round(&[], Finish::Error);
    }
    assert_eq!(bench.workers(), ["1 stale -"]);
    assert!(!bench.pool().up);
    bench.fleet.link_restored();
    for _ in 0..2 {
        bench.round(&[], Finish::NoResponders);
        assert_eq!(
            bench.workers(),
            ["1 stale -"],
            "subscriptions may take a moment to spread"
        );
    }
    bench.round(&[worker("a", "1", 12, 0)], Finish::Complete);
    assert_eq!(bench.workers(), ["1 fresh 12"]);
}

#[test]
fn values_grow_old_while_rounds_fail() {
    let mut bench = Bench::new();
    bench.round(&[worker("a", "1", 10, 0)], Finish::Complete);
    for _ in 0..10 {
        bench.round(&[], Finish::Error);
    }
    assert_eq!(bench.workers(), ["1 stale -"]);
}

#[test]
fn a_static_worker_is_told_by_its_service_instance() {
    let static_worker = |instance: &str, active: u64| {
        let text = format!(
            r#"{{"id": "{instance}", "endpoints": [{{"subject": "dynamo_c.gen", "data": {{"kv_active_blocks": {active}}}}}]}}"#
        );
        Some(Arc::new(StatsReply::decode(text.as_bytes()).expect("readable")))
    };
    let mut bench = Bench::new();
    bench.round(&[static_worker("a", 1), static_worker("b", 2)], Finish::Stall);
    assert_eq!(bench.workers(), ["static-a fresh 1", "static-b fresh 2"]);
}

#[test]
fn hits_are_counted_for_the_worker_they_name_and_others_are_not_attributed() {
    let mut bench = Bench::new();
    bench.round(
        &[worker("a", "1", 0, 0), worker("b", "2", 0, 0)],
        Finish::Complete,
    );
    let hit = |id: u64, looked_up, found| KvHitRate::new(WorkerId::new(id), looked_up, found);
    for event in [
        hit(1, 10, 4),
        hit(1, 10, 6),
        hit(3, 10, 10),
        hit(1, 0, 0),
        hit(1, 1, 2),
    ] {
        bench.fleet.apply_hit_rate(&[0], &event);
    }
    let pool = bench.pool();
    let counted: Vec<_> = pool
        .workers
        .iter()
        .map(|w| (w.lookup_blocks, w.hit_blocks))
        .collect();
    assert_eq!(counted, [(20, 10), (0, 0)]);
    assert_eq!(
        pool.hit_ratios.counts.iter().sum::<u64>(),
        2,
        "an event that looked up nothing has no ratio"
    );
    let results = EventResult::ALL.map(|result| pool.events.get(&result).copied().unwrap_or(0));
    assert_eq!(results, [3, 0, 1, 1]);
}

#[test]
fn load_of_workers_whose_statistics_carry_none_comes_from_events() {
    let event = |rank: u64, active: u64| {
        let text = format!(r#"{{"worker_id": 1, "dp_rank": {rank}, "active_decode_blocks": {active}}}"#);
        KvMetrics::decode(None, text.as_bytes())
    };
    let mut bench = Bench::new();
    bench.round(&[reply("a", "1", "", 0, "null")], Finish::Complete);
    assert_eq!(
        (bench.workers(), bench.pool().workers[0].schema),
        (vec!["1 fresh -".to_owned()], "none")
    );
    bench.fleet.apply_metrics(&[0], &event(0, 5));
    bench.fleet.apply_metrics(&[0], &event(1, 7));
    bench.fleet.apply_metrics(&[0], &event(1, 8));
    assert_eq!(
        (bench.workers(), bench.pool().workers[0].schema),
        (vec!["1 fresh 13".to_owned()], "event")
    );
    bench.round(&[reply("a", "1", "", 0, "null")], Finish::Complete);
    assert_eq!(
        bench.workers(),
        ["1 fresh 13"],
        "events tell changes only, so their load holds"
    );
    bench.round(&[reply("b", "1", "", 0, "null")], Finish::Complete);
    assert_eq!(
        bench.workers(),
        ["1 fresh -"],
        "a restarted worker has not told its load yet"
    );
    let refused: Result<KvMetrics, EventError> = KvMetrics::decode(None, b"garbage");
    bench.fleet.apply_metrics(&[0], &refused);
    assert_eq!(bench.pool().events.get(&EventResult::Malformed), Some(&1));
}

#[test]
fn a_newcomer_that_told_its_load_before_it_was_found_is_shown_with_it() {
    let event = |id: u64| {
        KvMetrics::decode(
            None,
            format!(r#"{{"worker_id": {id}, "active_decode_blocks": {id}}}"#).as_bytes(),
        )
    };
    let mut bench = Bench::new();
    for id in 1..=2 {
        bench.fleet.apply_metrics(&[0], &event(id));
    }
    assert_eq!(
        bench.pool().events.get(&EventResult::UnknownWorker),
        Some(&2),
        "they are counted all the same"
    );
    bench.round(&[reply("a", "1", "", 0, "null")], Finish::Stall);
    assert_eq!(bench.workers(), ["1 fresh 1"]);
    bench
        .round(&[], Finish::Deadline)
        .round(&[reply("b", "2", "", 0, "null")], Finish::Stall);
    assert_eq!(
        bench.workers()[1],
        "2 fresh -",
        "what is older than two rounds is forgotten"
    );
}

#[test]
fn what_a_worker_says_of_itself_is_not_overruled_by_a_routers_estimate() {
    let event = |fields: &str| KvMetrics::decode(None, format!(r#"{{"worker_id": 1, {fields}}}"#).as_bytes());
    let router = r#""active_decode_blocks": 5, "active_prefill_tokens": 1200"#;
    let mut bench = Bench::new();
    bench.round(&[reply("a", "1", "", 0, "null")], Finish::Complete);
    let mut check = |fields: &str, expected: &str| {
        bench.fleet.apply_metrics(&[0], &event(fields));
        assert_eq!(bench.workers(), [expected], "{fields}");
    };
    check(router, "1 fresh 5");
    check(r#""active_decode_blocks": 60"#, "1 fresh 60");
    check(router, "1 fresh 60");
    check(r#""active_decode_blocks": 61"#, "1 fresh 61");
    check(r#""active_decode_blocks": 3, "kv_used_blocks": 70"#, "1 fresh 70");
    check(r#""active_decode_blocks": 62"#, "1 fresh 70");
    check(r#""kv_used_blocks": 0"#, "1 fresh 0");
}

#[test]
fn a_round_that_ends_for_anothers_sake_is_complete_for_the_target_whose_workers_all_answered() {
    let mut bench = Bench::new();
    bench.round(&[worker("a", "1", 0, 0)], Finish::Stall);
    bench.round(&[worker("a", "1", 0, 0)], Finish::Stall);
    bench.round(&[], Finish::Deadline);
    let rounds = bench.pool().rounds;
    assert_eq!(
        rounds.get(&Finish::Stall),
        Some(&1),
        "the first round knew nobody"
    );
    assert_eq!(rounds.get(&Finish::Complete), Some(&1));
    assert_eq!(rounds.get(&Finish::Deadline), Some(&1));
}
