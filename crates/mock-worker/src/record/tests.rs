//! Recordings of simulated fleets become scenarios that do the same.

use std::collections::BTreeMap;

use serde_json::json;
use sim::nanos::Nanos;

use super::draft::Draft;
use super::fit::{self, replay};
use super::samples::{Means, Recording, Seen};
use crate::scenario::Scenario;
use crate::simulate::{Play, simulate};

/// What a collector would see of a shipped scenario.
fn recording_of(name: &str) -> Recording {
    let scenario = Scenario::load(name, &[]).expect("it is shipped");
    let play = Play {
        seed: 7,
        duration: scenario.duration,
        interval: Nanos(1_000_000_000),
        threads: 1,
        single_step: false,
        progress: false,
        scenario,
    };
    let mut lines = Vec::new();
    let path = "dynamo/my_component/my_endpoint".parse().expect("a path");
    simulate(&play, &path, &mut lines, &|_| {}).expect("it can be played");
    fit::read(&lines).expect("it was just written")
}

/// The draft of a recording, and what it does in a replay of another seed.
fn replayed(recording: &Recording) -> (Draft, Means) {
    let mut draft = Draft::of(recording, "dynamo/backend/generate").expect("there are workers");
    fit::fit(&mut draft, recording).expect("it can be fitted");
    let again = replay(&draft, 99).expect("it can be played");
    (draft, again.means(recording.seconds() / 3.0))
}

/// Whether two values differ by a share at most.
fn is_near(found: f64, wanted: f64, share: f64) -> bool {
    (found - wanted).abs() <= share * wanted
}

#[test]
fn a_steady_fleet_is_replayed_with_its_rate_its_requests_and_its_kv_use() {
    let recording = recording_of("steady");
    let recorded = recording.means(recording.seconds() / 3.0);
    let (draft, found) = replayed(&recording);
    assert_eq!(draft.workers, 4);
    let text = draft.to_toml();
    for line in ["workers = 4", "slots = 48", "total_blocks = 2048"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("[[fault]]"), "{text}");
    let (found_kv, recorded_kv) = (found.kv_usage.expect("known"), recorded.kv_usage.expect("known"));
    assert!(is_near(found_kv, recorded_kv, 0.25), "{found} for {recorded}");
    assert!(is_near(found.rate, recorded.rate, 0.15), "{found} for {recorded}");
    assert!(
        is_near(found.running, recorded.running, 0.25),
        "{found} for {recorded}"
    );
    assert!(
        (found.waiting - recorded.waiting).abs() < 5.0,
        "{found} for {recorded}"
    );
}

#[test]
fn a_spike_is_recorded_as_steps_of_the_rate() {
    let recording = recording_of("spike");
    let draft = Draft::of(&recording, "dynamo/backend/generate").expect("there are workers");
    let text = draft.to_toml();
    assert!(text.contains("profile = { steps = ["), "{text}");
    let again = replay(&draft, 1).expect("it can be played");
    // The seconds in which most requests come are those of the spike.
    let busiest = |recording: &Recording| {
        let mut seconds = recording.arrivals();
        seconds.sort_by(|a, b| b.1.total_cmp(&a.1));
        seconds.iter().take(5).map(|(at, _)| at).sum::<f64>() / 5.0
    };
    assert!((busiest(&recording) - busiest(&again)).abs() < 6.0, "{text}");
}

#[test]
fn absences_and_restarts_become_faults() {
    let seen = |restarts| Seen {
        running: 1,
        slots: Some(8),
        restarts,
        ..Seen::default()
    };
    let mut recording = Recording::default();
    for second in 0..20_u32 {
        let mut workers = BTreeMap::from([("1".to_owned(), seen(u64::from(second >= 10)))]);
        if second >= 4 {
            workers.insert("2".to_owned(), seen(0));
        }
        // Away from the sixth to the eighth second, and late once.
        if !(6..9).contains(&second) && second != 15 {
            workers.insert("3".to_owned(), seen(0));
        }
        if second < 12 {
            workers.insert("4".to_owned(), seen(0));
        }
        recording.push(f64::from(second), workers);
    }
    let text = Draft::of(&recording, "a/b/c")
        .expect("there are workers")
        .to_toml();
    let faults: Vec<String> = text
        .split("[[fault]]")
        .skip(1)
        .map(|fault| fault.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        faults,
        [
            r#"kind = "crash" select = { places = [0] } at = "9.000s" for = "1.000s""#,
            r#"kind = "absent" select = { places = [1] } at = "0.000s" for = "4.000s""#,
            r#"kind = "crash" select = { places = [2] } at = "6.000s" for = "3.000s""#,
            r#"kind = "crash" select = { places = [3] } at = "12.000s""#,
        ]
    );
    let scenario = Scenario::read("it", &text).expect("it can be played");
    assert_eq!((scenario.workers, scenario.fault.len()), (4, 4));
}

#[test]
fn the_answers_of_a_collector_are_read_once_for_each_snapshot() {
    let answer = |taken: f64, state: &str| {
        json!({
            "collector": {"taken_seconds": taken},
            "workers": [{
                "worker_id": "18446744073709551615", "state": state, "requests": 7.0, "restarts": 1,
                "load": {"requests_running": 2, "requests_capacity": 8, "requests_waiting": null, "kv_blocks_active": 30,
                         "kv_blocks_capacity": 100},
            }],
        })
    };
    let mut recording = Recording::default();
    for answer in [
        answer(100.0, "fresh"),
        answer(100.0, "fresh"),
        answer(101.5, "stale"),
    ] {
        recording.add(&answer).expect("readable");
    }
    assert_eq!((recording.len(), recording.seconds()), (2, 1.5));
    let expected = Seen {
        running: 2,
        slots: Some(8),
        waiting: 0,
        kv_active: 30,
        kv_total: Some(100),
        requests: 7.0,
        restarts: 1,
    };
    assert_eq!(recording.samples[0].workers["18446744073709551615"], expected);
    assert!(
        recording.samples[1].workers.is_empty(),
        "what is not fresh has no load"
    );
    assert!(recording.add(&json!({})).is_err());
}
