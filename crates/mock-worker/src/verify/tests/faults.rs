//! Records under a fault: what the page may then show.

use super::*;

#[test]
fn under_a_fault_a_field_is_true_or_as_it_was_sent_or_absent() {
    let sent = data(changed(3, 30.0));
    let truth = [faulty(record("7", 0.1, LOAD), Some(sent))];
    let report = check(&page(&[("7", LOAD)]), &truth, &[]);
    assert_eq!(report.summary(), "1 worker, 7 fields compared: all equal");
    check(&page(&[("7", changed(3, 30.0))]), &truth, &[]);
    check(
        &page(&[("7", changed(3, 31.0))]),
        &truth,
        &[
            "worker 7: kv_active_blocks is 31 on the page, 25 or, as sent under a fault, 30 in the truth (t.jsonl line 1)",
        ],
    );

    let absurd = [faulty(
        record("7", 0.1, LOAD),
        Some(serde_json::json!({"kv_stats": "x"})),
    )];
    let without_ratios: String = page(&[("7", LOAD)])
        .lines()
        .filter(|line| !line.contains("ratio"))
        .map(|line| format!("{line}\n"))
        .collect();
    let report = check(&without_ratios, &absurd, &[]);
    assert_eq!(report.fields, 5);
}

#[test]
fn a_reply_without_data_ties_no_value_to_the_page() {
    let truth = [
        record("6", 0.1, LOAD),
        record("7", 2.1, LOAD),
        faulty(record("7", 0.1, LOAD), None),
    ];
    let report = check(&page(&[("6", LOAD), ("7", changed(2, 5.0))]), &truth, &[]);
    assert_eq!(report.workers, 1);
}

#[test]
fn a_claimed_id_is_the_id_that_counts() {
    let claims = |claimed: &str| Record {
        claimed: Some(claimed.to_owned()),
        ..faulty(record("7", 0.1, changed(2, 5.0)), Some(data(changed(2, 5.0))))
    };
    check(&page(&[("9", changed(2, 5.0))]), &[claims("9")], &[]);
    check(&page(&[("static-ABC", changed(2, 5.0))]), &[claims("")], &[]);
    // Of two workers with one id, the collector shows either.
    let both = [record("9", 0.2, LOAD), claims("9")];
    check(&page(&[("9", LOAD)]), &both, &[]);
    check(&page(&[("9", changed(2, 5.0))]), &both, &[]);
    check(
        &page(&[("9", changed(2, 6.0))]),
        &both,
        &["worker 9: num_requests_waiting is 6 on the page, 5 in the truth (t.jsonl line 2)"],
    );
}
