//! Latencies that are recorded, next to the counters and to what is reported of each request.

use super::*;
use crate::journal::RequestChange;
use crate::{Bounds, Latencies};

fn recorded(steps: Steps, stride: u64) -> (Vec<Latencies>, Vec<View>) {
    // Few blocks, so that requests are set back too.
    let spec = WorkerSpec {
        total_blocks: Some(300),
        slots: Some(16),
        ..WorkerSpec::default()
    };
    let traffic = traffic(Process::Poisson, 3.0, Lengths::Fixed(700), Lengths::Fixed(200));
    let mut config = config(2, &spec, traffic);
    config.steps = steps;
    let mut fleet = Fleet::new(&config).expect("valid");
    fleet.record_latencies(&Bounds::VLLM);
    let mut time = 0;
    while time < 60 * SECOND {
        time = (time + stride).min(60 * SECOND);
        fleet.advance(time, &mut Journal::default());
        // Looking changes nothing, in the middle of steps that are taken at once either.
        assert!(fleet.latencies(0).is_some());
    }
    let latencies = (0..2).map(|worker| fleet.latencies(worker).expect("recorded").clone());
    (
        latencies.collect(),
        (0..2).map(|worker| fleet.view(worker)).collect(),
    )
}

#[test]
fn latencies_are_those_of_single_steps_however_often_they_are_looked_at() {
    let (single, truth) = recorded(Steps::Single, 60 * SECOND);
    assert!(truth[0].counters.preemptions > 0 && truth[0].counters.finished > 50);
    for stride in [SECOND / 7, 13 * SECOND, 60 * SECOND] {
        assert_eq!(
            recorded(Steps::AtOnce, stride),
            (single.clone(), truth.clone()),
            "{stride}"
        );
    }
}

#[test]
fn latencies_add_up_to_the_counters_and_to_what_is_reported() {
    let traffic = traffic(Process::Poisson, 3.0, Lengths::Fixed(700), Lengths::Fixed(200));
    let mut config = config(1, &WorkerSpec::default(), traffic);
    config.steps = Steps::Reported;
    let mut fleet = Fleet::new(&config).expect("valid");
    fleet.record_latencies(&Bounds::VLLM);
    let mut journal = Journal::default();
    fleet.advance(60 * SECOND, &mut journal);
    let counters = fleet.view(0).counters;
    let latencies = fleet.latencies(0).expect("recorded").clone();
    assert!(
        counters.finished > 100 && counters.preemptions == 0,
        "{counters:?}"
    );
    assert_eq!(latencies.end_to_end.count(), counters.finished);
    assert_eq!(latencies.prompt_tokens.sum, 700 * counters.finished);
    assert_eq!(
        latencies.cached_tokens_total, 0,
        "prompts of this traffic have nothing in common"
    );
    assert_eq!(latencies.computed_tokens, latencies.prompt_tokens);
    assert_eq!(latencies.generation_tokens.sum, 200 * counters.finished);
    let tokens = latencies.inter_token.count() + latencies.first_token.count();
    assert_eq!(
        tokens, counters.output_tokens,
        "each is the first or comes after another"
    );
    let sum = |wanted: fn(&RequestChange) -> bool| -> u64 {
        let events = journal.requests.iter().filter(|event| wanted(&event.change));
        events.map(|event| event.time_ns).sum()
    };
    let ended: Vec<u64> = journal
        .requests
        .iter()
        .filter(|event| matches!(event.change, RequestChange::Ended { .. }))
        .map(|event| event.request)
        .collect();
    let arrived: u64 = journal
        .requests
        .iter()
        .filter(|event| {
            matches!(event.change, RequestChange::Arrived { .. }) && ended.contains(&event.request)
        })
        .map(|event| event.time_ns)
        .sum();
    let end_to_end = sum(|change| matches!(change, RequestChange::Ended { .. })) - arrived;
    assert_eq!(latencies.end_to_end.sum, end_to_end);
    let parts = latencies.queue.sum + latencies.prefill.sum + latencies.decode.sum;
    assert_eq!(parts, latencies.end_to_end.sum);
}
