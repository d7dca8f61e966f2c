//! Pages and truths written by hand, and what is said of them.

mod faults;
mod published;
mod running;

use super::*;
use crate::truth::Record;

/// When the page saw its workers, in seconds of Unix time.
const SEEN: f64 = 1_700_000_000.5;

/// The seven fields of a load, in the order of the page.
type Fields = [f64; 7];

const LOAD: Fields = [2.0, 8.0, 1.0, 25.0, 100.0, 0.25, 0.5];

const METRICS: [&str; 7] = [
    "llm_worker_request_slots_active",
    "llm_worker_request_slots_capacity",
    "llm_worker_requests_waiting",
    "llm_worker_kv_blocks_active",
    "llm_worker_kv_blocks_capacity",
    "llm_worker_kv_usage_ratio",
    "llm_worker_prefix_cache_hit_ratio",
];

fn labels(endpoint: &str) -> String {
    format!("dynamo_namespace=\"n\",dynamo_component=\"c\",dynamo_endpoint=\"{endpoint}\"")
}

/// A page of one pool with the sums of its workers.
fn page_of(endpoint: &str, workers: &[(&str, Fields)]) -> String {
    let mut text = String::new();
    let labels = labels(endpoint);
    for (place, metric) in METRICS.iter().enumerate() {
        for (id, fields) in workers {
            text += &format!("{metric}{{{labels},worker_id=\"{id}\"}} {}\n", fields[place]);
        }
        if place < 5 && !workers.is_empty() {
            let sum: f64 = workers.iter().map(|(_, fields)| fields[place]).sum();
            text += &format!("{}{{{labels}}} {sum}\n", metric.replace("_worker_", "_pool_"));
        }
    }
    for (id, _) in workers {
        text += &format!("llm_worker_last_seen_timestamp_seconds{{{labels},worker_id=\"{id}\"}} {SEEN}\n");
    }
    text
}

fn page(workers: &[(&str, Fields)]) -> String {
    page_of("e", workers)
}

fn data(fields: Fields) -> serde_json::Value {
    serde_json::json!({
        "worker_stats": {"request_active_slots": fields[0], "request_total_slots": fields[1],
            "num_requests_waiting": fields[2]},
        "kv_stats": {"kv_active_blocks": fields[3], "kv_total_blocks": fields[4],
            "gpu_cache_usage_perc": fields[5], "gpu_prefix_cache_hit_rate": fields[6]},
    })
}

/// A record without a fault, made some seconds before the page saw the worker.
fn record(id: &str, before: f64, fields: Fields) -> Record {
    let stats = serde_json::json!({
        "request_active_slots": fields[0] as u64, "request_total_slots": fields[1] as u64,
        "num_requests_waiting": fields[2] as u64, "kv_active_blocks": fields[3] as u64,
        "kv_total_blocks": fields[4] as u64, "gpu_cache_usage_perc": fields[5],
        "gpu_prefix_cache_hit_rate": fields[6],
    });
    Record {
        time_ns: 60_000_000_000 - (before * 1e9) as u64,
        unix_seconds: Some(SEEN - before),
        worker: id.to_owned(),
        claimed: None,
        stats: serde_json::from_value(stats).expect("it is a load"),
        sent: Some(data(fields)),
        faults: Vec::new(),
        counters: crate::truth::Counters::default(),
    }
}

fn faulty(record: Record, sent: Option<serde_json::Value>) -> Record {
    Record {
        sent,
        faults: vec!["a_fault".to_owned()],
        ..record
    }
}

fn report_on(page: &str, truth: &[Record]) -> Report {
    let page = Page::parse(page).expect("it is a page");
    let options = Options {
        pool: None,
        file: Some("t.jsonl".to_owned()),
    };
    let entries = truth.iter().cloned().map(|record| Entry::Reply(Box::new(record)));
    compare(&page, (1..).zip(entries).map(Ok), &options).expect("all are records")
}

/// Expects exactly these differences.
fn check(page: &str, truth: &[Record], expected: &[&str]) -> Report {
    let report = report_on(page, truth);
    let lines: Vec<String> = report.lines(usize::MAX).collect();
    assert_eq!(lines, expected);
    report
}

fn changed(place: usize, value: f64) -> Fields {
    let mut fields = LOAD;
    fields[place] = value;
    fields
}

#[test]
fn a_page_that_shows_the_truth_passes() {
    let page = page(&[("7", LOAD), ("8", changed(2, 0.0))]);
    let truth = [
        record("7", 2.1, changed(2, 5.0)),
        record("8", 2.1, LOAD),
        record("7", 0.1, LOAD),
        record("8", 0.1, changed(2, 0.0)),
        // The page was fetched before these.
        record("7", -1.9, changed(2, 6.0)),
    ];
    let report = check(&page, &truth, &[]);
    assert!(report.is_good());
    assert_eq!(report.summary(), "2 workers, 14 fields compared: all equal");
    assert_eq!((report.records, report.time_ns), (Some(5), Some(59_900_000_000)));
}

#[test]
fn a_wrong_number_is_reported_with_worker_field_and_line() {
    let page = page(&[("7", changed(3, 24.0)), ("8", changed(6, 0.5 + 1e-9))]);
    let truth = [record("7", 0.1, LOAD), record("8", 0.1, LOAD)];
    let expected = [
        "worker 7: kv_active_blocks is 24 on the page, 25 in the truth (t.jsonl line 1)",
        "worker 8: gpu_prefix_cache_hit_rate is 0.500000001 on the page, 0.5 in the truth (t.jsonl line 2)",
    ];
    let report = check(&page, &truth, &expected);
    assert!(!report.is_good());
    assert_eq!(report.summary(), "2 workers, 14 fields compared: 2 differences");
}

#[test]
fn a_ratio_may_have_been_divided_on_another_way() {
    check(
        &page(&[("7", changed(6, 0.5 + 1e-13))]),
        &[record("7", 0.1, LOAD)],
        &[],
    );
}

#[test]
fn an_old_value_is_no_longer_the_truth() {
    let truth = [record("7", 2.1, LOAD), record("7", 0.1, changed(2, 5.0))];
    let expected = "worker 7: num_requests_waiting is 1 on the page, 5 in the truth (t.jsonl line 2)";
    check(&page(&[("7", LOAD)]), &truth, &[expected]);
}

#[test]
fn a_field_that_the_page_leaves_out_is_missed() {
    let page: String = page(&[("7", LOAD)])
        .lines()
        .filter(|line| !line.starts_with(METRICS[6]))
        .map(|line| format!("{line}\n"))
        .collect();
    let expected =
        "worker 7: gpu_prefix_cache_hit_rate is absent on the page, 0.5 in the truth (t.jsonl line 1)";
    check(&page, &[record("7", 0.1, LOAD)], &[expected]);
    let mut unasked = record("7", 0.1, LOAD);
    unasked
        .stats
        .as_mut()
        .expect("it is up")
        .gpu_prefix_cache_hit_rate = None;
    unasked.sent.as_mut().expect("it was sent")["kv_stats"]["gpu_prefix_cache_hit_rate"] =
        serde_json::Value::Null;
    check(&page, &[unasked], &[]);
}

#[test]
fn a_worker_that_the_page_lacks_is_missed_while_it_speaks() {
    let truth = [
        record("9", 10.0, LOAD),
        record("7", 0.1, LOAD),
        record("8", 2.2, LOAD),
        record("8", 0.2, LOAD),
    ];
    let expected = "worker 8: load is absent on the page, present in the truth (t.jsonl line 4)";
    check(&page(&[("7", LOAD)]), &truth, &[expected]);
    // A first reply may have come when its round had ended.
    check(&page(&[("7", LOAD)]), &truth[1..3], &[]);
}

#[test]
fn a_worker_that_is_down_or_faulty_need_not_be_on_the_page() {
    let down = Record {
        unix_seconds: None,
        stats: None,
        sent: None,
        ..record("8", 0.1, LOAD)
    };
    let truth = [
        record("7", 0.1, LOAD),
        record("8", 2.0, LOAD),
        down,
        record("9", 2.0, LOAD),
        faulty(record("9", 0.1, LOAD), None),
    ];
    check(&page(&[("7", LOAD)]), &truth, &[]);
}

#[test]
fn where_all_fell_silent_the_page_is_as_new_as_its_last_look() {
    let looked = format!(
        "llm_collector_snapshot_timestamp_seconds{{{}}} {}\n",
        labels("e"),
        SEEN + 2.0
    );
    let stale: String = page(&[("7", LOAD)])
        .lines()
        .filter(|line| line.contains("last_seen"))
        .map(|line| format!("{line}\n"))
        .collect();
    let down = Record {
        time_ns: 61_900_000_000,
        stats: None,
        sent: None,
        faults: vec!["drain".to_owned()],
        ..record("7", -1.9, LOAD)
    };
    let truth = [record("7", 2.1, LOAD), record("7", 0.1, LOAD), down];
    let gone = "worker 7: load is absent on the page, present in the truth (t.jsonl line 2)";
    check(&stale, &truth, &[gone]);
    let report = check(&(stale + &looked), &truth, &[]);
    assert_eq!(report.time_ns, Some(61_900_000_000));
}

#[test]
fn an_unknown_worker_is_reported() {
    let expected = "worker 8: worker is there on the page, unknown in the truth";
    check(
        &page(&[("7", LOAD), ("8", LOAD)]),
        &[record("7", 0.1, LOAD)],
        &[expected],
    );
}

#[test]
fn a_load_that_no_worker_had_sent_by_then_is_reported() {
    let expected = "worker 7: load is there, llm_worker_last_seen_timestamp_seconds 1700000000.5 on the page, \
                    not sent by any worker until then in the truth";
    let report = check(&page(&[("7", LOAD)]), &[record("7", -0.1, LOAD)], &[expected]);
    assert!(report.is_empty());
}

#[test]
fn a_truth_that_contradicts_itself_is_reported_wherever_it_is() {
    let mut liar = record("7", 5.0, LOAD);
    liar.sent = Some(data(changed(2, 2.0)));
    liar.counters.arrivals = 3;
    liar.counters.hit_blocks = 1;
    let crowded = record("7", 4.0, changed(0, 9.0));
    let silent = Record {
        sent: None,
        ..record("7", 3.0, changed(5, 0.5))
    };
    let forgiven = faulty(
        Record {
            counters: liar.counters,
            ..record("7", 2.0, changed(0, 9.0))
        },
        None,
    );
    let truth = [liar, crowded, silent, forgiven, record("7", 0.1, LOAD)];
    let expected = [
        "worker 7: hit_blocks is 1 in the truth, it should be at most 0, as lookup_blocks (t.jsonl line 1)",
        "worker 7: arrivals is 3 in the truth, it should be 0, the sum of rejected, unservable, waiting, running, \
         finished and cancelled (t.jsonl line 1)",
        "worker 7: num_requests_waiting is 2 as sent, 1 in the truth (t.jsonl line 1)",
        "worker 7: request_active_slots is 9 in the truth, it should be at most 8, as request_total_slots \
         (t.jsonl line 2)",
        "worker 7: request_active_slots is absent as sent, 9 in the truth (t.jsonl line 2)",
        "worker 7: request_total_slots is absent as sent, 8 in the truth (t.jsonl line 2)",
        "worker 7: gpu_cache_usage_perc is 0.5 in the truth, it should be 0.25, kv_active_blocks by \
         kv_total_blocks (t.jsonl line 3)",
        "worker 7: data is absent as sent, a load in the truth (t.jsonl line 3)",
    ];
    check(&page(&[("7", LOAD)]), &truth, &expected);
}

#[test]
fn a_page_that_contradicts_itself_is_reported_without_a_truth() {
    let text = page(&[("7", [9.0, 8.0, 1.5, 25.0, 100.0, 1.25, f64::NAN])])
        .replace("llm_pool_kv_blocks_active{", "llm_pool_kv_blocks_passive{")
        + "h_bucket{le=\"+Inf\"} 1\n";
    let page = Page::parse(&text).expect("it is a page");
    let report = check_page(&page, &Options::default());
    let expected = [
        "llm_worker_prefix_cache_hit_ratio{dynamo_component=\"c\",dynamo_endpoint=\"e\",dynamo_namespace=\"n\",worker_id=\"7\"} is NaN \
         on the page, it should be a finite number",
        "worker 7: llm_worker_request_slots_active is 9 on the page, it should be at most 8, as \
         llm_worker_request_slots_capacity",
        "worker 7: llm_worker_requests_waiting is 1.5 on the page, it should be a whole number",
        "worker 7: llm_worker_kv_usage_ratio is 1.25 on the page, it should be from 0 to 1",
        "llm_pool_kv_blocks_active of n/c/e is absent on the page, it should be 25, the sum of \
         llm_worker_kv_blocks_active",
    ];
    assert_eq!(report.lines(50).collect::<Vec<_>>(), expected);
    assert_eq!(
        report.lines(1).collect::<Vec<_>>(),
        [expected[0], "and 4 more"],
        "and no more than asked for"
    );
    assert_eq!(
        report.summary(),
        "1 worker, 7 fields on the page, compared with no truth: 5 differences"
    );
}

#[test]
fn an_empty_comparison_does_not_pass() {
    let report = check(&page(&[]), &[], &[]);
    assert!(!report.is_good());
    assert_eq!(
        report.summary(),
        "no worker was compared: the page shows none with load that the truth has a reply of"
    );
    let page = Page::parse("").expect("it is a page");
    assert!(
        check_page(&page, &Options::default()).is_good(),
        "without a truth nothing is promised"
    );
}

#[test]
fn a_truth_of_another_time_is_hinted_at() {
    let hint = |truth: &[Record]| report_on(&page(&[("7", LOAD)]), truth).hints.join(" ");
    assert_eq!(
        hint(&[record("7", 3.0, LOAD)]),
        "the truth file ends 3.0 s before the page (a stale copy?)"
    );
    assert_eq!(hint(&[record("7", 0.9, LOAD)]), "");
    let offline = Record {
        unix_seconds: None,
        ..record("7", 0.1, LOAD)
    };
    assert!(hint(&[offline]).contains("simulation offline"));
}

#[test]
fn other_pools_are_left_out_on_demand() {
    let text = page(&[("7", LOAD)]) + &page_of("other", &[("8", LOAD)]);
    let page = Page::parse(&text).expect("it is a page");
    let differences = |pool: Option<&str>| {
        let options = Options {
            pool: pool.map(|path| path.parse().expect("it is a path")),
            file: None,
        };
        let truth = [Ok((1, Entry::Reply(Box::new(record("7", 0.1, LOAD)))))];
        compare(&page, truth, &options)
            .expect("it is a record")
            .differences
            .len()
    };
    assert_eq!(differences(None), 1, "worker 8 is unknown");
    assert_eq!(differences(Some("n/c/e")), 0);
}

#[test]
fn a_flood_of_differences_is_counted_and_not_kept() {
    let truth: Vec<Record> = (0..1500).map(|_| record("7", 0.1, changed(5, 0.5))).collect();
    let report = report_on(&page(&[("7", changed(5, 0.5))]), &truth);
    assert_eq!((report.differences.len(), report.more), (1000, 500));
    assert_eq!(report.lines(2).last().as_deref(), Some("and 1498 more"));
}
