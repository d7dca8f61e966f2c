//! Every shipped scenario that is small enough, played on a real server with the real programs: at each moment at which
//! something changes, the collector's page is held against the truth and against what the scenario promises.
//!
//! The workers' time stops while the page is looked at, so what it has to show is known to the last digit.

mod play;

use std::collections::BTreeSet;
use std::time::Duration;

use mock_worker::faults::Kind;
use mock_worker::scenario::{SHIPPED, Scenario};
use mock_worker::truth::Record;
use tests::Page;

use self::play::Play;

/// Scenarios that last longer, or have more workers, take too much of a machine for a test. Minutes of the workers' time
/// pass in a moment.
const LONGEST_SECONDS: f64 = 900.0;
const MOST_WORKERS: u32 = 64;

macro_rules! played {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                play_through($name).await;
            }
        )*

        /// The scenarios that have a test.
        const PLAYED: &[&str] = &[$($name,)*];
    };
}

played! {
    steady_is_shown_as_it_is: "steady",
    idle_is_shown_as_it_is: "idle",
    compat_random_is_shown_as_it_is: "compat-random",
    bursty_is_shown_as_it_is: "bursty",
    onoff_code_is_shown_as_it_is: "onoff-code",
    ramp_is_shown_as_it_is: "ramp",
    diurnal_is_shown_as_it_is: "diurnal",
    spike_is_shown_as_it_is: "spike",
    overload_is_shown_as_it_is: "overload",
    kv_cliff_is_shown_as_it_is: "kv-cliff",
    prefill_bound_is_shown_as_it_is: "prefill-bound",
    decode_bound_is_shown_as_it_is: "decode-bound",
    hot_prefix_is_shown_as_it_is: "hot-prefix",
    cold_cache_is_shown_as_it_is: "cold-cache",
    cache_flush_is_shown_as_it_is: "cache-flush",
    multi_turn_is_shown_as_it_is: "multi-turn",
    imbalance_is_shown_as_it_is: "imbalance",
    straggler_is_shown_as_it_is: "straggler",
    hetero_is_shown_as_it_is: "hetero",
    rolling_restart_is_shown_as_it_is: "rolling-restart",
    scale_out_is_shown_as_it_is: "scale-out",
    scale_in_is_shown_as_it_is: "scale-in",
    drain_is_shown_as_it_is: "drain",
    crash_is_shown_as_it_is: "crash",
    flap_is_shown_as_it_is: "flap",
    partition_is_shown_as_it_is: "partition",
    slow_replies_is_shown_as_it_is: "slow-replies",
    late_worker_is_shown_as_it_is: "late-worker",
    malformed_one_is_shown_as_it_is: "malformed-one",
    malformed_mix_is_shown_as_it_is: "malformed-mix",
    identity_is_shown_as_it_is: "identity",
    nan_inf_is_shown_as_it_is: "nan-inf",
    all_zero_is_shown_as_it_is: "all-zero",
    frozen_is_shown_as_it_is: "frozen",
    events_chaos_is_shown_as_it_is: "events-chaos",
    trace_mooncake_is_shown_as_it_is: "trace-mooncake",
    trace_azure_is_shown_as_it_is: "trace-azure",
}

async fn play_through(name: &str) {
    let mut play = Play::begin(name, &[]).await;
    for moment in play.moments() {
        play.go_on_to(moment).await;
        play.is_right().await;
    }
}

#[test]
fn every_shipped_scenario_that_is_small_enough_is_played() {
    let is_playable = |name: &&str| {
        let scenario = Scenario::load(name, &[]).expect("it is shipped");
        scenario.duration.seconds() <= LONGEST_SECONDS && scenario.workers <= MOST_WORKERS
    };
    let names = SHIPPED.iter().map(|(name, _)| *name);
    let playable: BTreeSet<&str> = names.filter(is_playable).collect();
    assert_eq!(PLAYED.iter().copied().collect::<BTreeSet<&str>>(), playable);
}

#[tokio::test]
async fn malformed_one_leaves_the_other_seven_exact() {
    let mut play = Play::begin("malformed-one", &[]).await;
    for moment in play.moments() {
        let page = play.go_on_to(moment).await;
        play.is_right().await;
        let (spoiled, exact): (Vec<Record>, Vec<Record>) = play
            .latest()
            .into_values()
            .partition(|record| !record.faults.is_empty());
        assert_eq!((spoiled.len(), exact.len()), (1, 7));
        assert!(!page.text().contains(&spoiled[0].worker), "{page}");
        let load = |record: &Record| record.stats.expect("it is up");
        let blocks: u64 = exact.iter().map(|record| load(record).kv_active_blocks).sum();
        assert_eq!(
            page.value("llm_pool_kv_blocks_active", &[]),
            Some(blocks as f64),
            "{page}"
        );
        for record in &exact {
            let worker = [("worker_id", record.worker.as_str())];
            let shown = page.value("llm_worker_kv_blocks_active", &worker);
            assert_eq!(shown, Some(load(record).kv_active_blocks as f64), "{page}");
        }
    }
    play.counts_every_reply(|record| match record.faults.is_empty() {
        true => "ok",
        false => "malformed",
    })
    .await;
}

/// What a collector has to make of a reply, by what the record says of it.
fn expected_result(record: &Record) -> &'static str {
    use Kind::*;
    let Some(kind) = Kind::ALL
        .iter()
        .find(|kind| record.faults.iter().any(|fault| fault == kind.as_str()))
    else {
        return "ok";
    };
    match kind {
        DuplicateId => "duplicate",
        NonHex => "invalid_subject",
        // Without the dash, all of it is the name of another endpoint.
        NoDash | PrefixTwin | OtherComponent => "foreign",
        Nan | Overflow | BeyondF32 | BeyondF64 | UsageAboveOne => "out_of_range",
        _ => "ok",
    }
}

#[tokio::test]
async fn identity_nan_inf_and_chaos_of_events_leave_no_nan_on_the_page_and_count_every_refused_reply_under_its_reason()
 {
    for name in ["identity", "nan-inf", "events-chaos"] {
        let mut play = Play::begin(name, &[]).await;
        for moment in play.moments() {
            let page = play.go_on_to(moment).await;
            let odd = page.all().iter().find(|sample| !sample.value.is_finite());
            assert!(odd.is_none(), "{name}: {odd:?}");
        }
        play.counts_every_reply(expected_result).await;
    }
}

#[tokio::test]
async fn after_a_fault_clears_the_page_is_right_within_two_rounds() {
    let mut play = Play::begin("steady", &["--connections", "2"]).await;
    let fresh = |page: &Page| page.sum("llm_pool_workers", &[("state", "fresh")]);
    play.go_on_to(Duration::from_secs(10)).await;
    play.is_right().await;
    // Each with the number of workers that are left while it lasts.
    for (seconds, (kind, left)) in (11..).zip([
        ("silent", 3.0),
        ("drop", 3.0),
        ("late", 3.0),
        ("freeze", 4.0),
        ("crash", 3.0),
        ("disconnect", 2.0),
        ("truncated", 3.0),
        ("garbage", 3.0),
        ("empty", 3.0),
        ("all_zeros", 4.0),
        ("random", 4.0),
        ("negative", 4.0),
        ("usage_above_one", 4.0),
        ("duplicate_id", 3.0),
        ("no_dash", 3.0),
        ("max_id", 4.0),
        ("other_component", 3.0),
        ("storm", 4.0),
    ]) {
        play.ctl(&["fault", &format!("kind={kind}"), "select.last=1"])
            .await;
        let page = play.go_on_to(Duration::from_secs(seconds)).await;
        assert_eq!(fresh(&page), left, "{kind}\n{page}");
        play.is_right_with(&[]).await;
        play.ctl(&["clear", kind]).await;
        let page = play.settled().await;
        assert_eq!(fresh(&page), 4.0, "{kind}\n{page}");
        // Its promises are about workers that never crashed.
        play.is_right_with(&[]).await;
        assert_eq!(play.speaking().len(), 4, "{kind}");
    }
}

#[tokio::test]
async fn a_wrong_number_is_found_and_reported_with_its_worker_and_field() {
    let mut play = Play::begin("steady", &[]).await;
    play.go_on_to(Duration::from_secs(20)).await;
    let wrong = play.truth().with_file_name("wrong.jsonl");
    let mut records = play.records();
    std::fs::write(&wrong, lines(&records)).expect("it can be written");
    let done = play.verify(&wrong, &[]).await;
    assert_eq!(done.code, Some(0), "a copy is as good: {done:?}");

    let last = records.last_mut().expect("there is one");
    let worker = last.worker.clone();
    let stats = last.stats.as_mut().expect("it is up");
    stats.num_requests_waiting += 7;
    let sent = last.sent.as_mut().expect("it spoke");
    sent["worker_stats"]["num_requests_waiting"] = stats.num_requests_waiting.into();
    std::fs::write(&wrong, lines(&records)).expect("it can be written");
    let done = play.verify(&wrong, &[]).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    let reported = done
        .stdout
        .lines()
        .filter(|line| line.contains(&worker) && line.contains("num_requests_waiting"));
    assert_eq!(
        (reported.count(), done.stdout.lines().count()),
        (1, 1),
        "{}",
        done.stdout
    );
}

fn lines(records: &[Record]) -> String {
    let line = |record: &Record| serde_json::to_string(record).expect("it is JSON") + "\n";
    records.iter().map(line).collect()
}
