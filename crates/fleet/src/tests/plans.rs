//! Plans: globs make and drop pools, exclusions hold, and a new plan takes effect at once.

use super::*;
use crate::Plan;

fn of(component: &str, id: &str) -> Actor {
    Actor::of(component, &format!("{component}{id}"), id).data(r#"{"kv_active_blocks": 1}"#)
}

fn excluding(selectors: &[&str], excludes: &[&str]) -> Plan {
    Plan {
        excludes: excludes.iter().map(|glob| glob.parse().expect(glob)).collect(),
        ..plan(selectors)
    }
}

#[test]
fn a_glob_makes_a_pool_when_a_worker_appears_and_drops_it_when_the_last_is_gone() {
    let mut bench = Bench::of("dynamo/*/*");
    bench.round(&[of("c", "1")]);
    assert_eq!(bench.names(), ["dynamo/c/gen"]);
    bench.round(&[of("c", "1"), of("b", "2"), of("b", "3")]);
    assert_eq!(bench.names(), ["dynamo/b/gen", "dynamo/c/gen"]);
    bench.round(&[of("c", "1")]).rounds(3);
    assert_eq!(bench.names(), ["dynamo/c/gen"]);
    assert_eq!(bench.said("2 workers left").len(), 1, "{:?}", bench.notices);
    bench.round(&[of("c", "1"), of("b", "2")]);
    assert_eq!(bench.names(), ["dynamo/b/gen", "dynamo/c/gen"]);
    bench.round(&[]).rounds(6);
    assert_eq!(bench.names(), [""; 0]);
}

#[test]
fn a_pool_found_by_a_glob_stays_while_its_worker_answers_with_load_that_cannot_be_used() {
    let mut bench = Bench::of("dynamo/*/*");
    bench.round(&[of("c", "1").data("[1]")]).rounds(8);
    assert_eq!(bench.names(), [POOL]);
    assert_eq!(
        bench.count(crate::ReplyResult::Malformed),
        9,
        "it is not made anew each time"
    );
    bench.round(&[of("c", "1")]);
    assert_eq!(bench.workers(), ["1 fresh 1"]);
    bench.round(&[of("c", "1").data("[1]")]).rounds(8);
    assert_eq!(bench.names(), [POOL]);
    assert_eq!(bench.workers(), [""; 0]);
    bench.round(&[]).rounds(8);
    assert_eq!(bench.names(), [""; 0]);
}

#[test]
fn an_exact_path_is_reported_while_it_has_no_workers() {
    let mut bench = Bench::new(plan(&["dynamo/z/gen", POOL, "dynamo/z/gen", "*/*/gen"]));
    bench.round(&[of("a", "1")]);
    assert_eq!(
        bench.names(),
        ["dynamo/z/gen", POOL, "dynamo/a/gen"],
        "in the order of the plan"
    );
    assert_eq!(bench.workers(), [""; 0]);
}

#[test]
fn an_excluded_path_is_watched_by_no_selector() {
    let mut bench = Bench::new(excluding(&[POOL, "dynamo/*/gen"], &["*/secret/*", "dynamo/c/*"]));
    bench.round(&[of("c", "1"), of("secret", "2"), of("b", "3")]);
    assert_eq!(bench.names(), ["dynamo/b/gen"]);
    bench.take(plan(&[POOL, "dynamo/*/gen"]));
    bench.next_round();
    assert_eq!(bench.names(), [POOL, "dynamo/b/gen", "dynamo/secret/gen"]);
    bench.take(excluding(&["dynamo/*/gen"], &["*/secret/*"]));
    assert_eq!(bench.names(), ["dynamo/b/gen", POOL], "at once");
}

#[test]
fn a_pool_that_both_plans_have_keeps_its_workers_and_its_books() {
    let mut bench = Bench::of(POOL);
    bench
        .round(&[of("c", "1").requests(7)])
        .round(&[of("c", "1").requests(3)]);
    let before = bench.pool();
    for selectors in [&["dynamo/d/gen", POOL][..], &["dynamo/*/gen"], &[POOL]] {
        bench.take(plan(selectors));
        let after = bench.pool();
        assert_eq!(after.workers[0].requests, 10.0, "{selectors:?}");
        assert_eq!(after.replies, before.replies, "{selectors:?}");
        assert_eq!(after.rounds, before.rounds, "{selectors:?}");
    }
}

#[test]
fn a_pool_that_a_new_plan_leaves_out_leaves_nothing_behind() {
    let mut bench = Bench::new(plan(&[POOL, "dynamo/d/gen"]));
    let actors = [
        of("c", "1"),
        of("d", "1"),
        of("d", "2").started("2026-01-02T00:00:00Z"),
    ];
    bench.round(&actors).next_round();
    bench.take(plan(&[POOL]));
    assert_eq!(bench.names(), [POOL]);
    let leads_there = |subject: &String| subject.contains("component.d.");
    assert!(!bench.listening.iter().any(leads_there));
    bench.core.assert_consistent();
    bench.rounds(2);
    assert_eq!(bench.workers(), ["1 fresh 1"]);
    assert_eq!(bench.pool().missing, 0);
}

#[test]
fn a_plan_and_its_inverse_restore_the_pools_of_a_glob() {
    let mut bench = Bench::of("dynamo/*/*");
    bench.round(&[of("b", "1"), of("c", "2")]).next_round();
    let names = bench.names();
    bench.take(plan(&["other/x/y"]));
    assert_eq!(bench.names(), ["other/x/y"]);
    bench.take(plan(&["dynamo/*/*"]));
    assert_eq!(bench.names(), names);
    bench.next_round();
    assert_eq!(bench.workers(), ["2 fresh 1"]);
    assert_eq!(bench.pool().missing, 0);
}

#[test]
fn an_instance_whose_description_decides_under_a_new_plan_alone_is_asked_for_it_then() {
    let mut bench = Bench::of("other/x/y");
    bench.round(&[of("b", "1")]).next_round();
    bench.take(plan(&["dynamo/*/*"]));
    bench.next_round();
    assert_eq!(bench.names(), ["dynamo/b/gen"]);
}

#[test]
fn new_settings_take_effect_at_once() {
    let mut bench = Bench::of(POOL);
    bench.round(&[of("c", "1"), of("c", "2")]).round(&[of("c", "1")]);
    assert_eq!(bench.workers(), ["1 fresh 1", "2 fresh 1"]);
    let mut strict = plan(&[POOL]);
    strict.settings.stale_after = 1;
    bench.take(strict);
    assert_eq!(bench.workers(), ["1 fresh 1", "2 stale -"]);
}

#[test]
fn a_shorter_interval_does_not_wait_for_the_end_of_the_one_before() {
    let mut slow = plan(&[POOL]);
    (slow.settings.poll_interval, slow.settings.round_timeout) = (3600 * SECOND, SECOND);
    let mut bench = Bench::new(slow);
    bench.round(&[of("c", "1")]);
    bench.take(plan(&[POOL]));
    assert!(bench.core.wake_at() <= bench.now.mono + plan(&[POOL]).settings.poll_interval);
}

#[test]
fn topics_and_subjects_of_traces_are_listened_to_from_the_plan_that_has_them_to_the_one_that_has_not() {
    let hears = |bench: &Bench, part: &str| bench.listening.iter().any(|subject| subject.contains(part));
    let mut bench = Bench::of(POOL);
    bench.round(&[]);
    assert!(!hears(&bench, "kv-events") && hears(&bench, protocol::subject::REQUEST_TRACE));
    let mut more = plan(&[POOL]);
    more.settings.topics.kv_events = true;
    more.request_traces = vec!["my.traces".to_owned()];
    bench.take(more);
    assert!(hears(&bench, "kv-events") && hears(&bench, "my.traces"));
    assert!(!hears(&bench, protocol::subject::REQUEST_TRACE));
    bench.take(plan(&[POOL]));
    assert!(!hears(&bench, "kv-events") && !hears(&bench, "my.traces"));
}

#[test]
fn a_pool_found_by_a_glob_is_not_made_anew_by_each_late_reply_of_its_worker() {
    let mut bench = Bench::of("dynamo/*/*");
    let late = of("c", "1").data("[1]").latency(13_000);
    bench.round(&[late, of("b", "2")]).rounds(8);
    let seen = bench.snapshots.len();
    bench.rounds(20);
    for snapshot in &bench.snapshots[seen..] {
        assert_eq!(snapshot.pools.len(), 2);
    }
}
