//! Every reply has exactly one result for each pool.

use crate::ReplyResult::{
    self, Duplicate, Foreign, InvalidSubject, Late, Malformed, Ok as Taken, OutOfRange, OverLimit,
};

use super::*;
use bench::Message;

/// The counts of a pool that are not zero.
fn counted(bench: &Bench) -> Vec<(ReplyResult, u64)> {
    let pool = bench.pool();
    let counts = ReplyResult::ALL
        .iter()
        .map(|result| (*result, pool.replies[*result]));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn every_reply_has_exactly_one_result() {
    let mut bench = Bench::of(POOL);
    let range = r#"{"kv_active_blocks": -1, "num_requests_waiting": 3}"#;
    bench.post(2 * MS, Message::Reply(Some(1), "garbage".to_owned()));
    bench.round(&[
        worker("a", "1", 10, 0),
        worker("a", "1", 11, 0).latency(2),
        worker("b", "2", 0, 0).data(range),
        worker("c", "3", 0, 0).data(r#""text""#),
        Actor::plain("x", "x", "x").subjects(&[]),
    ]);
    bench.post(100 * MS, Message::Reply(Some(1), worker("d", "4", 1, 0).reply()));
    bench.round(&[worker("a", "1", 10, 0), worker("a", "1", 99, 0).latency(2)]);
    assert_eq!(
        counted(&bench),
        [
            (Taken, 2),
            (Foreign, 1),
            (Late, 1),
            (Duplicate, 2),
            (OutOfRange, 1),
            (Malformed, 2)
        ]
    );
    assert_eq!(bench.delivered, 9);
    assert_eq!(
        bench.workers(),
        ["1 fresh 10", "2 fresh -", "4 late -"],
        "neither late nor repeated nor refused data is shown"
    );
}

#[test]
fn the_instances_with_the_most_faults_are_named_with_their_results() {
    let mut bench = Bench::of(POOL);
    let range = r#"{"kv_active_blocks": -1, "num_requests_waiting": 3}"#;
    let slow = worker("slow", "3", 1, 0).latency(3000);
    bench
        .round(&[worker("a", "1", 10, 0), worker("b", "2", 0, 0).data(range), slow])
        .rounds(4);
    bench
        .round(&[worker("a", "1", 10, 0), worker("b", "2", 0, 0)])
        .next_round();
    let named = |bench: &Bench| -> Vec<(String, Option<String>, u64, u64)> {
        let worst = bench.snapshot().worst.iter();
        let worker = |(_, worker): &(crate::PoolName, Arc<crate::Identity>)| worker.worker_id.to_string();
        worst
            .map(|faulty| {
                let member = faulty.member.as_ref().map(worker);
                (
                    faulty.instance.to_string(),
                    member,
                    faulty.replies[OutOfRange],
                    faulty.replies[Late],
                )
            })
            .collect()
    };
    assert_eq!(
        named(&bench),
        [
            ("b".to_owned(), Some("2".to_owned()), 5, 0),
            ("slow".to_owned(), Some("3".to_owned()), 0, 5)
        ]
    );
    bench.round(&[worker("a", "1", 10, 0)]).rounds(20);
    assert!(named(&bench).is_empty(), "those that are gone are forgotten");
}

#[test]
fn a_reply_has_the_gravest_result_of_its_endpoints() {
    fn check(endpoints: &[&str], expected: ReplyResult, workers: usize) {
        let reply = format!(
            r#"{{"name": "dynamo_c", "id": "a", "endpoints": [{}]}}"#,
            endpoints.join(",")
        );
        let mut bench = Bench::of(POOL);
        bench.post(MS, Message::Reply(Some(1), reply));
        bench.next_round();
        assert_eq!(counted(&bench), [(expected, 1)], "{endpoints:?}");
        assert_eq!(bench.workers().len(), workers, "{endpoints:?}");
    }
    let good = r#"{"subject": "dynamo_c.gen-1", "data": {"kv_active_blocks": 1}}"#;
    let range =
        r#"{"subject": "dynamo_c.gen-2", "data": {"kv_active_blocks": -1, "num_requests_waiting": 0}}"#;
    let unusable = r#"{"subject": "dynamo_c.gen-3", "data": "x"}"#;
    let no_id = r#"{"subject": "dynamo_c.gen-zz", "data": null}"#;
    let other = r#"{"subject": "orders.create"}"#;
    check(&[], Foreign, 0);
    check(&[other], Foreign, 0);
    check(&[good, other], Taken, 1);
    check(&[no_id], InvalidSubject, 0);
    check(&[good, range], OutOfRange, 2);
    check(&[good, range, unusable], Malformed, 2);
    check(&[good, "3"], Malformed, 1);
    for (counter, expected) in [
        ("3", Taken),
        ("null", Taken),
        ("-3", OutOfRange),
        ("{}", Malformed),
    ] {
        let endpoint = format!(r#"{{"subject": "dynamo_c.gen-1", "num_errors": {counter}}}"#);
        check(&[&endpoint], expected, 1);
    }
}

#[test]
fn what_cannot_be_read_has_one_result_too() {
    let mut bench = Bench::of(POOL);
    for payload in ["garbage", "{", "[]", "{\"id\": \"a\", \"endpoints\": [3]}"] {
        bench.post(MS, Message::Reply(Some(1), payload.to_owned()));
    }
    bench.post(MS, Message::Reply(None, worker("a", "1", 1, 0).reply()));
    bench.post(MS, Message::Reply(Some(77), worker("a", "1", 1, 0).reply()));
    bench.next_round();
    assert_eq!(bench.pool().replies.total(), bench.delivered);
    assert_eq!(bench.count(Malformed), 6);
}

#[test]
fn a_worker_whose_load_cannot_be_used_is_not_refreshed_by_it() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 10, 0)]);
    for _ in 0..2 {
        bench.round(&[worker("a", "1", 0, 0).data("[1]")]);
    }
    assert_eq!(bench.workers(), ["1 stale -"]);
    assert_eq!(bench.pool().missing, 1, "it answered, and its load is missing");
}

#[test]
fn a_reply_is_counted_late_whatever_order_late_replies_come_in() {
    let mut bench = Bench::of(POOL);
    let reply = || worker("a", "1", 1, 0).reply();
    bench.round(&[worker("a", "1", 1, 0)]).round(&[]).round(&[]);
    bench.post(10 * MS, Message::Reply(Some(3), reply()));
    bench.post(20 * MS, Message::Reply(Some(2), reply()));
    bench.round(&[worker("a", "1", 1, 0).latency(5)]);
    assert_eq!((bench.count(Late), bench.count(Duplicate)), (2, 0));
    assert_eq!(bench.workers(), ["1 fresh 1"]);
}

#[test]
fn what_a_round_may_cost_is_bounded_and_what_is_cut_is_counted() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "1", 1, 0)]);
    let huge = " ".repeat(16 << 20);
    let round = bench.round;
    for _ in 0..70 {
        bench.handle(crate::Input::Replies(&[crate::Arrived {
            round: Some(round),
            payload: huge.as_bytes(),
        }]));
    }
    bench.next_round();
    assert_eq!((bench.count(Malformed), bench.count(OverLimit)), (63, 7));
    assert_eq!(bench.pool().replies.total(), bench.delivered + 70);
    assert_eq!(bench.said("replies are not read").len(), 1);
    assert_eq!(bench.workers(), ["1 fresh 1"], "the next round has room again");
}
