//! Traces as they are played.

use super::*;
use crate::journal::{RequestChange, RequestEvent};
use crate::trace::{Trace, TraceFormat, TraceOptions};

#[test]
fn a_trace_is_played_from_when_it_begins_and_again_when_it_is_over() {
    let lines = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,5,6\n2023-11-16 18:00:04,5,6\n";
    let trace = Arc::new(Trace::parse(&TraceFormat::Azure.into(), lines).expect("well-formed"));
    let idle = traffic(Process::Poisson, 0.0, Lengths::Fixed(1), Lengths::Fixed(1));
    for (repeat, expected) in [(false, [0, 1, 1, 2, 2, 2]), (true, [0, 1, 1, 2, 2, 3])] {
        let replay = Replay {
            trace: trace.clone(),
            speedup: 2.0,
            repeat,
        };
        let mut fleet = Fleet::new(&config(1, &WorkerSpec::default(), idle.clone())).expect("valid");
        fleet.advance(100 * SECOND, &mut Journal::default());
        let mut arrivals = vec![fleet.view(0).counters.arrivals];
        fleet.replace_traffic(Traffic {
            replay: Some(replay),
            ..idle.clone()
        });
        for second in [100, 101, 102, 103, 104] {
            fleet.advance(second * SECOND + 1, &mut Journal::default());
            arrivals.push(fleet.view(0).counters.arrivals);
        }
        assert_eq!(arrivals, expected, "repeat: {repeat}");
    }
}

#[test]
fn a_turn_comes_so_long_after_the_end_of_the_one_before_it() {
    let text = r#"{"session_id": "a", "timestamp": 0, "input_length": 10, "output_length": 5}
{"session_id": "a", "delay": 3000, "input_length": 30, "output_length": 5}
{"session_id": "a", "delay": 1000, "input_length": 40, "output_length": 5}
"#;
    let trace = Arc::new(Trace::parse(&TraceOptions::default(), text).expect("well-formed"));
    let replay = Replay {
        trace,
        speedup: 2.0,
        repeat: false,
    };
    let traffic = Traffic {
        replay: Some(replay),
        ..traffic(Process::Poisson, 0.0, Lengths::Fixed(1), Lengths::Fixed(1))
    };
    let config = FleetConfig {
        steps: Steps::Reported,
        ..config(1, &WorkerSpec::default(), traffic)
    };
    let mut fleet = Fleet::new(&config).expect("valid");
    let mut journal = Journal::default();
    fleet.advance(100 * SECOND, &mut journal);
    let times = |is_it: fn(&RequestChange) -> bool| -> Vec<u64> {
        let events: Vec<&RequestEvent> = journal.requests.iter().filter(|e| is_it(&e.change)).collect();
        events.iter().map(|event| event.time_ns).collect()
    };
    let arrived = times(|change| matches!(change, RequestChange::Arrived { .. }));
    let ended = times(|change| matches!(change, RequestChange::Ended { .. }));
    assert_eq!(
        (arrived.len(), ended.len()),
        (3, 3),
        "nothing follows the last turn"
    );
    assert_eq!(arrived[1] - ended[0], 3 * SECOND / 2, "at twice the speed");
    assert_eq!(arrived[2] - ended[1], SECOND / 2);
}
