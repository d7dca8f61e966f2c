//! Faults of a fleet, and whom they concern.

use sim::nanos::Nanos;
use sim::{Counters, Load};

use super::*;
use crate::faults::Select;
use crate::scenario::{Scenario, Setting};

const SECOND: u64 = 1_000_000_000;

/// A shipped scenario's workers under these faults alone.
fn stage(name: &str, settings: &[Setting], faults: &[Fault], connections: u32) -> Stage {
    let scenario = Scenario::load(name, settings).expect("it is shipped");
    let ids = ids::seeded(1, "pool", scenario.workers);
    let config = scenario
        .fleet(1, &ids, sim::Steps::AtOnce)
        .expect("it can be had");
    Stage::new(&config, &ids, faults, connections).expect("it can be")
}

/// What is true of four workers at each of thirty seconds, under this fault of the first.
fn truths(router: &str, fault: Option<Fault>) -> Vec<Vec<(Option<Load>, Counters)>> {
    let router: Setting = format!("traffic.router={router}").parse().expect("a setting");
    let mut stage = stage("steady", &[router], fault.as_slice(), 4);
    let look = |second: u64| {
        stage.advance(second * SECOND, &mut Journal::default(), &mut Vec::new());
        (0..4)
            .map(|place| stage.sample(place).truth)
            .map(|truth| (truth.load, truth.counters))
            .collect()
    };
    (0..=30).map(look).collect()
}

/// Law 8: a fault of one worker leaves what is true of the others as it was, and one that is only about what a
/// worker says leaves its own truth as it was, too.
#[test]
fn a_fault_of_one_worker_moves_no_other_workers_truth() {
    for router in ["none", "round_robin", "sticky"] {
        let without = truths(router, None);
        for &kind in Kind::ALL {
            let mut fault = Fault::new(kind);
            fault.select = Select::First(1);
            fault.at = Nanos(if kind == Kind::Absent { 0 } else { 5 * SECOND });
            fault.length = Some(Nanos(10 * SECOND));
            let with = truths(router, Some(fault));
            for (second, (with, without)) in with.iter().zip(&without).enumerate() {
                assert_eq!(with[1..], without[1..], "{kind:?}, {router}, second {second}");
                if !kind.is_lifecycle() {
                    assert_eq!(with[0], without[0], "{kind:?}, {router}, second {second}");
                }
            }
            assert_eq!(
                with == without,
                !kind.is_lifecycle(),
                "{kind:?} does something to the engine, or not"
            );
        }
    }
}

#[test]
fn a_crash_takes_a_worker_away_and_brings_it_back_under_the_id_that_was_asked_for() {
    for new_id in [false, true] {
        let mut fault = Fault::new(Kind::Crash);
        fault.select = Select::First(1);
        (fault.at, fault.length, fault.new_id) = (Nanos(5 * SECOND), Some(Nanos(2 * SECOND)), Some(new_id));
        let mut stage = stage("steady", &[], &[fault], 1);
        let id = stage.id(0);
        let (mut journal, mut notices) = (Journal::default(), Vec::new());
        stage.advance(6 * SECOND, &mut journal, &mut notices);
        assert!(!stage.is_up(0) && stage.is_up(1) && stage.sample(0).truth.load.is_none());
        assert_eq!(notices, []);
        stage.advance(7 * SECOND, &mut journal, &mut notices);
        assert_eq!(notices, [Notice::Up(0)]);
        assert_eq!(stage.id(0) == id, !new_id);
        let counters = stage.sample(0).truth.counters;
        assert_eq!((counters.restarts, counters.running), (1, 0));
        assert!(counters.cancelled > 0, "what it was doing is lost");
    }
}

#[test]
fn a_frozen_worker_reports_its_past_and_its_truth_goes_on() {
    let mut stage = stage("steady", &[], &[], 1);
    let (mut journal, mut notices) = (Journal::default(), Vec::new());
    stage.advance(5 * SECOND, &mut journal, &mut notices);
    let then = stage.sample(0).truth;
    stage.add(Fault::new(Kind::Freeze), &mut journal, &mut notices);
    stage.advance(9 * SECOND, &mut journal, &mut notices);
    let sample = stage.sample(0);
    assert_eq!(sample.reported, then);
    assert_ne!(sample.truth, then);
    assert_eq!(
        stage.clear(|_, fault| fault.kind == Kind::Freeze, &mut journal, &mut notices),
        1
    );
    assert_eq!(stage.sample(0).reported, stage.sample(0).truth);
}

#[test]
fn a_cut_connection_is_a_fault_of_all_who_share_it() {
    let mut fault = Fault::new(Kind::Disconnect);
    fault.select = Select::Last(1);
    let mut stage = stage("partition", &[], &[fault], 2);
    let (mut journal, mut notices) = (Journal::default(), Vec::new());
    stage.advance(0, &mut journal, &mut notices);
    let cut: Vec<bool> = (0..6)
        .map(|place| stage.sample(place).has(&[Kind::Disconnect]))
        .collect();
    assert_eq!(cut, [false, false, false, true, true, true]);
    assert_eq!(notices, [Notice::Closed(1)], "once");
    stage.clear(|_, _| true, &mut journal, &mut notices);
    assert_eq!(notices[1..], [Notice::Opened(1)], "once");
}

#[test]
fn a_scenario_that_begins_anew_has_its_profile_and_faults_again_and_keeps_its_workers() {
    let profile: Setting = "traffic.profile={spike={at=\"10s\",for=\"5s\",factor=20.0}}"
        .parse()
        .expect("a setting");
    let mut fault = Fault::new(Kind::Crash);
    (fault.select, fault.at, fault.length) = (Select::First(1), Nanos(3 * SECOND), Some(Nanos(2 * SECOND)));
    let mut stage = stage("steady", &[profile], &[fault], 1);
    let ids = stage.ids();
    let (mut journal, mut notices) = (Journal::default(), Vec::new());
    let mut arrivals = |stage: &mut Stage, from: u64, to: u64| {
        let mut count = |at: u64| {
            stage.advance(at * SECOND, &mut journal, &mut notices);
            (0..stage.len())
                .map(|place| stage.sample(place).truth.counters.arrivals)
                .sum::<u64>()
        };
        let before = count(from);
        count(to) - before
    };
    let quiet = arrivals(&mut stage, 5, 10);
    let busy = arrivals(&mut stage, 10, 15);
    assert!(busy > 5 * quiet, "{busy} in the spike, {quiet} before");
    stage.advance(60 * SECOND, &mut Journal::default(), &mut Vec::new());
    let restarts = stage.sample(0).truth.counters.restarts;
    let own = stage.add(Fault::new(Kind::Silent), &mut Journal::default(), &mut Vec::new());
    stage.start_again(&mut Journal::default(), &mut Vec::new());
    let quiet = arrivals(&mut stage, 65, 70);
    let busy = arrivals(&mut stage, 70, 75);
    assert!(busy > 5 * quiet, "{busy} in the second spike, {quiet} before");
    assert_eq!(stage.sample(0).truth.counters.restarts, restarts + 1);
    assert_eq!(stage.ids(), ids);
    let kinds: Vec<Kind> = stage.faults().map(|(_, fault)| fault.kind).collect();
    assert_eq!(kinds.len(), 2, "none occurs twice: {kinds:?}");
    assert!(
        stage.faults().any(|(number, _)| number == own),
        "what was added stays"
    );
}
