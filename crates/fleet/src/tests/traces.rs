//! Requests, as frontends report them: for which pools they count.

use super::*;
use crate::{Histogram, Measure, PoolView, Role};

const DECODE: &str = "dynamo/decode/gen";
const PREFILL: &str = "dynamo/prefill/gen";

/// A record of a request whose first token took 0.5 s and whose prompt had ten tokens, four of them cached.
fn record(workers: &str) -> String {
    format!(
        r#"{{"event_type": "request_end", "request": {{"input_tokens": 10, "cached_tokens": 4, "output_tokens": 20,
            "ttft_ms": 500, "avg_itl_ms": 10, "total_time_ms": 700, "prefill_wait_time_ms": 100, "prefill_time_ms": 400,
            "queue_depth": 3{workers}}}}}"#
    )
}

fn by(prefill: u64, decode: u64) -> String {
    record(&format!(
        r#", "worker": {{"prefill_worker_id": {prefill}, "decode_worker_id": {decode}}}"#
    ))
}

/// A frontend publishes a record.
fn report(bench: &mut Bench, record: &str) {
    bench.reader.add_trace(record.as_bytes());
    bench.hand_over();
    bench.publish();
}

fn speak(bench: &mut Bench, component: &str, id: u64) {
    let event = format!(r#"{{"worker_id": {id}, "kv_used_blocks": 1}}"#);
    let subject = format!("namespace.dynamo.component.{component}.endpoint.gen.kv_metrics");
    bench.publish_event(&subject, event.as_bytes());
    bench.hand_over();
}

/// The measured requests of a pool: first tokens as aggregated, prefill and decode worker, ends, and prompts.
fn measured(bench: &Bench, name: &str) -> [u64; 5] {
    let pool: Option<Arc<PoolView>> = bench.find(name);
    let Some(books) = pool.and_then(|pool| pool.requests.clone()) else {
        return [0; 5];
    };
    let count = |measure: Measure| books.measures[measure as usize].count();
    let [aggregated, prefill, decode] = Role::ALL.map(|role| books.ttft[role as usize].count());
    [
        aggregated,
        prefill,
        decode,
        count(Measure::Duration),
        count(Measure::InputTokens),
    ]
}

/// Joined, and not.
fn requests(bench: &Bench) -> (u64, u64) {
    let frontends = bench.snapshot().frontends.clone().expect("reported");
    (frontends.joined, frontends.unjoined)
}

fn two_pools() -> Bench {
    let mut bench = Bench::new(plan(&[PREFILL, DECODE]));
    bench.round(&[]);
    speak(&mut bench, "prefill", u64::MAX);
    speak(&mut bench, "decode", 7);
    bench
}

#[test]
fn a_request_counts_for_the_pools_of_its_workers_by_what_they_did() {
    let mut bench = two_pools();
    report(&mut bench, &by(u64::MAX, 7));
    assert_eq!(measured(&bench, PREFILL), [0, 1, 0, 0, 1]);
    assert_eq!(measured(&bench, DECODE), [0, 0, 1, 1, 0]);
    report(&mut bench, &by(7, 7));
    assert_eq!(measured(&bench, DECODE), [1, 0, 1, 2, 1]);
    assert_eq!(requests(&bench), (2, 0));
    let books = bench
        .find(DECODE)
        .expect("there")
        .requests
        .clone()
        .expect("measured");
    assert_eq!((books.cached_tokens, books.queue_depth), (4, Some(3)));
    let sum = |histogram: &Histogram| histogram.sum;
    assert_eq!(sum(&books.ttft[Role::Aggregated as usize]), 0.5);
    assert_eq!(sum(&books.measures[Measure::Itl as usize]), 0.02);
    assert_eq!(sum(&books.measures[Measure::OutputTokens as usize]), 40.0);
    assert_eq!(sum(&books.measures[Measure::PrefillWait as usize]), 0.1);
}

#[test]
fn histograms_begin_anew_where_a_new_plan_has_other_bounds_and_go_on_elsewhere() {
    let mut bench = two_pools();
    report(&mut bench, &by(7, 7));
    assert_eq!(measured(&bench, DECODE), [1, 0, 0, 1, 1]);
    let mut other = plan(&[PREFILL, DECODE]);
    other.buckets.set("ttft=0.25,0.75".parse().expect("buckets"));
    bench.take(other);
    assert_eq!(measured(&bench, DECODE), [0, 0, 0, 1, 1]);
    report(&mut bench, &by(7, 7));
    assert_eq!(measured(&bench, DECODE), [1, 0, 0, 2, 2]);
    let frontends = bench.snapshot().frontends.clone().expect("reported");
    let ttft = &frontends.books.ttft[Role::Aggregated as usize];
    assert_eq!(
        (&*ttft.bounds, &*ttft.counts),
        (&[0.25, 0.75][..], &[0, 1, 0][..])
    );
}

#[test]
fn a_request_waits_a_little_for_a_worker_that_is_not_known_yet() {
    let mut bench = two_pools();
    report(&mut bench, &by(9, 9));
    assert_eq!((measured(&bench, DECODE), requests(&bench)), ([0; 5], (0, 0)));
    speak(&mut bench, "decode", 9);
    bench.run(4 * SECOND).publish();
    assert_eq!(
        (measured(&bench, DECODE), requests(&bench)),
        ([1, 0, 0, 1, 1], (1, 0))
    );
}

#[test]
fn a_request_without_known_workers_counts_for_the_frontends_alone() {
    let mut bench = two_pools();
    report(&mut bench, &by(8, 9));
    report(&mut bench, &record(""));
    bench.run(4 * SECOND).publish();
    assert_eq!(requests(&bench), (0, 2));
    assert_eq!(
        (measured(&bench, DECODE), measured(&bench, PREFILL)),
        ([0; 5], [0; 5])
    );
    let frontends = bench.snapshot().frontends.clone().expect("reported");
    assert_eq!(frontends.books.ttft[0].count(), 2);
    assert_eq!(frontends.books.cached_tokens, 8);
    report(&mut bench, &by(8, 7));
    bench.run(4 * SECOND).publish();
    assert_eq!(
        measured(&bench, DECODE),
        [0, 0, 1, 1, 0],
        "what one of two workers did counts"
    );
    assert_eq!(requests(&bench), (1, 2));
}

#[test]
fn records_that_may_hold_prompts_are_dropped_and_counted() {
    let mut bench = two_pools();
    for odd in [
        r#"{"event_type": "request_payload", "request": {"messages": "secret"}}"#,
        r#"{"request": {"messages": "secret"}, "event_type": "request_payload"}"#,
        "{",
        r#"{"event_type": "request_end", "request": {"ttft_ms": -1, "output_tokens": 5}}"#,
    ] {
        report(&mut bench, odd);
    }
    let records = bench.snapshot().frontends.clone().expect("reported").records;
    assert_eq!((records.ok, records.out_of_range), (1, 1));
    assert_eq!((records.ignored, records.malformed), (2, 1));
    let shown = format!("{:?} {:?}", bench.notices, bench.snapshot());
    assert!(!shown.contains("secret"));
}

#[test]
fn of_two_pools_with_one_worker_the_one_that_hears_it_has_its_requests() {
    let mut bench = Bench::new(plan(&["dynamo/decode/clear", DECODE]));
    let both = Actor::of("decode", "a", "7").subjects(&["dynamo_decode.gen-7", "dynamo_decode.clear-7"]);
    bench.round(&[both]);
    speak(&mut bench, "decode", 7);
    report(&mut bench, &by(7, 7));
    assert_eq!(measured(&bench, DECODE), [1, 0, 0, 1, 1]);
    assert_eq!(measured(&bench, "dynamo/decode/clear"), [0; 5]);
}
