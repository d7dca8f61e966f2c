//! The laws of the simulation, over random scenarios. Those that hold at every event (the pool's equation, what
//! became of the requests, work conservation, first in first out) are looked at by the engine itself in debug builds,
//! so every run here is a test of them.

mod latencies;
mod theory;
mod traces;

use proptest::prelude::*;

use super::*;
use crate::nanos::Nanos;

const SECOND: u64 = 1_000_000_000;

fn nanos(seconds: f64) -> Nanos {
    Nanos::from_seconds(seconds)
}

fn config(workers: usize, spec: &WorkerSpec, traffic: Traffic) -> FleetConfig {
    FleetConfig {
        seed: 1,
        workers: vec![spec.clone(); workers],
        traffic,
        policy: Policy::None,
        steps: Steps::AtOnce,
    }
}

fn traffic(process: Process, rate: f64, input: Lengths, output: Lengths) -> Traffic {
    Traffic {
        process,
        rate,
        profile: Profile::Flat,
        spread: 0.0,
        input,
        output,
        prefixes: None,
        turns: None,
        replay: None,
    }
}

fn process() -> impl Strategy<Value = Process> {
    prop_oneof![
        Just(Process::Constant),
        Just(Process::Poisson),
        (0.3..4.0_f64).prop_map(|cv| Process::Gamma { cv }),
        (0.3..4.0_f64).prop_map(|cv| Process::Weibull { cv }),
        (1.0..60.0_f64, 0.1..3.0_f64).prop_map(|(rate_on, mean)| Process::Onoff {
            rate_on,
            rate_off: 0.5,
            mean_on: nanos(mean),
            mean_off: nanos(2.0 * mean),
        }),
        (1..30_u32, 0.0..2.0_f64).prop_map(|(users, think)| Process::Closed {
            users,
            think: nanos(think),
        }),
    ]
}

fn profile() -> impl Strategy<Value = Profile> {
    prop_oneof![
        Just(Profile::Flat),
        (0.0..2.0_f64, 0.0..3.0_f64).prop_map(|(from, to)| Profile::Ramp {
            from,
            to,
            over: nanos(10.0)
        }),
        Just(Profile::Diurnal {
            period: nanos(8.0),
            amplitude: 1.0
        }),
        Just(Profile::Spike {
            every: None,
            at: nanos(3.0),
            length: nanos(3.0),
            factor: 5.0
        }),
        Just(Profile::Drain {
            at: nanos(5.0),
            over: nanos(3.0)
        }),
    ]
}

fn lengths(most: u64) -> impl Strategy<Value = Lengths> {
    prop_oneof![
        (1..most).prop_map(Lengths::Fixed),
        (1..most / 2).prop_map(move |min| Lengths::Uniform { min, max: most }),
        (1.0..most as f64, 0.0..2.0_f64).prop_map(move |(mean, cv)| Lengths::Lognormal {
            mean,
            cv,
            max: 4 * most
        }),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        3 => Just(Policy::None),
        1 => Just(Policy::RoundRobin),
        1 => Just(Policy::Random),
        1 => Just(Policy::LeastLoaded),
        1 => Just(Policy::KvAware),
        1 => Just(Policy::Sticky),
    ]
}

prop_compose! {
    /// Small capacities and much load, so that every limit is met.
    fn spec()(
        slots in 1..12_u64,
        max_waiting in 1..12_u64,
        total_blocks in 8..200_u64,
        block_size in 1..40_u64,
        token_budget in 1..3000_u64,
        squared in 0..20_u64,
    ) -> WorkerSpec {
        WorkerSpec {
            slots: Some(slots),
            max_waiting: Some(max_waiting),
            total_blocks: Some(total_blocks),
            block_size: Some(block_size),
            token_budget: Some(token_budget),
            prefill_token_squared: Some(Nanos(squared)),
            ..WorkerSpec::default()
        }
    }
}

prop_compose! {
    fn scenario()(
        seed: u64,
        spec in spec(),
        process in process(),
        rate in 0.2..40.0_f64,
        profile in profile(),
        spread in 0.0..1.0_f64,
        input in lengths(600),
        output in lengths(80),
        prefixes in prop::option::of((1..6_u32, 1..400_u64, 0.0..=1.0_f64)),
        turns in prop::option::of((1.0..5.0_f64, 0.0..1.0_f64)),
        policy in policy(),
    ) -> FleetConfig {
        FleetConfig {
            seed,
            workers: vec![spec; 3],
            traffic: Traffic {
                process,
                rate,
                profile,
                spread,
                input,
                output,
                prefixes: prefixes.map(|(groups, tokens, share)| Prefixes { groups, zipf: 1.0, tokens, share }),
                turns: turns.map(|(mean, think)| Turns { mean, think: nanos(think) }),
                replay: None,
            },
            policy,
            steps: Steps::AtOnce,
        }
    }
}

/// What is done to workers from outside, and when.
fn changes() -> impl Strategy<Value = Vec<(u64, usize, Change)>> {
    let change = prop_oneof![
        Just(Change::Crash),
        Just(Change::Drain),
        Just(Change::Start),
        Just(Change::FlushCache),
        (1..300_u64, 1..50_u64, 0..4_u64).prop_map(|(input, output, ticket)| Change::Submit {
            input,
            output,
            ticket
        }),
        (0..4_u64).prop_map(|ticket| Change::Cancel { ticket }),
    ];
    prop::collection::vec((0..10_000_u64, 0..3_usize, change), 0..8).prop_map(|mut changes| {
        changes.sort_by_key(|(at, ..)| *at);
        changes
    })
}

/// All that can be seen of a run: every worker at every look, and every event.
#[derive(Debug, PartialEq)]
struct Story {
    views: Vec<View>,
    journal: Journal,
}

/// Lives for ten seconds, looking at all workers every `look` milliseconds.
fn live(config: &FleetConfig, changes: &[(u64, usize, Change)], look: u64, threads: usize) -> Story {
    let mut fleet = Fleet::new(config).expect("valid");
    let mut story = Story {
        views: Vec::new(),
        journal: Journal::default(),
    };
    let mut changes = changes.iter().peekable();
    for time in (0..=10_000).step_by(look as usize) {
        while let Some((at, worker, change)) = changes.next_if(|(at, ..)| *at <= time) {
            fleet.advance_on(threads, at * 1_000_000, &mut story.journal);
            fleet.change(*worker, *change, &mut story.journal);
        }
        fleet.advance_on(threads, time * 1_000_000, &mut story.journal);
        story
            .views
            .extend((0..fleet.len()).map(|worker| fleet.view(worker)));
    }
    story
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Laws 1, 2, 3 and 5, on what is seen from outside.
    #[test]
    fn what_is_seen_hangs_together(config in scenario(), changes in changes()) {
        let story = live(&config, &changes, 97, 1);
        for view in &story.views {
            let c = view.counters;
            let ended = c.rejected + c.unservable + c.finished + c.cancelled;
            prop_assert_eq!(c.arrivals, ended + c.waiting + c.running, "law 2");
            prop_assert_eq!(c.starts, c.finished + c.cancelled_running + c.running + c.preemptions, "law 3");
            prop_assert!(c.hit_blocks <= c.lookup_blocks, "law 5");
            if let Some(load) = view.load {
                prop_assert!(load.request_active_slots <= load.request_total_slots, "law 1");
                prop_assert!(load.kv_active_blocks <= load.kv_total_blocks, "law 1");
                prop_assert!((0.0..=1.0).contains(&load.gpu_cache_usage_perc), "law 1");
                prop_assert_eq!((load.request_active_slots, load.num_requests_waiting), (c.running, c.waiting));
            }
        }
        for worker in 0..config.workers.len() {
            let of_worker = |value: fn(&HitEvent) -> u64| -> u64 {
                story.journal.hits.iter().filter(|event| event.worker == worker).map(value).sum()
            };
            let last = story.views[story.views.len() - config.workers.len() + worker].counters;
            prop_assert_eq!(of_worker(|e| e.lookup_blocks), last.lookup_blocks, "law 5: events are the counters");
            prop_assert_eq!(of_worker(|e| e.hit_blocks), last.hit_blocks, "law 5: events are the counters");
        }
        prop_assert!(story.journal.hits.is_sorted_by_key(|event| event.time_ns), "law 4");
    }

    /// Law 8: jumps and single steps give the same story.
    #[test]
    fn steps_taken_at_once_and_one_by_one_come_to_the_same(config in scenario(), changes in changes()) {
        let singly = FleetConfig { steps: Steps::Single, ..config.clone() };
        prop_assert_eq!(live(&config, &changes, 37, 1), live(&singly, &changes, 37, 1));
    }

    /// Laws 8 and 10: steps that are reported change nothing, and come to what the counters have.
    #[test]
    fn passes_and_requests_that_are_reported_are_the_counters(config in scenario(), changes in changes()) {
        let reported = FleetConfig { steps: Steps::Reported, ..config.clone() };
        let (plain, story) = (live(&config, &changes, 37, 1), live(&reported, &changes, 37, 1));
        prop_assert_eq!(&plain.views, &story.views);
        prop_assert_eq!(&plain.journal.hits, &story.journal.hits);
        prop_assert!(plain.journal.passes.is_empty() && plain.journal.requests.is_empty());
        let workers = config.workers.len();
        for worker in 0..workers {
            let view = &story.views[story.views.len() - workers + worker];
            let c = view.counters;
            let mut passes = story.journal.passes.iter().filter(|pass| pass.worker == worker).peekable();
            let (mut prompts, mut tokens, mut last) = (0, 0, None);
            while let Some(pass) = passes.next() {
                prompts += pass.prefill.tokens;
                tokens += pass.decode.requests;
                prop_assert!(pass.prefill.requests + pass.decode.requests > 0, "a pass does something");
                let begun = pass.time_ns - pass.wall_ns;
                prop_assert!(last.is_none_or(|last: u64| last <= begun), "passes follow each other");
                last = Some(pass.time_ns);
                if let (None, Some(load), 0) = (passes.peek(), view.load, c.restarts) {
                    prop_assert_eq!(pass.kv_active_blocks, load.kv_active_blocks);
                }
            }
            prop_assert_eq!(prompts, c.input_tokens);
            let of_worker = |wanted: fn(RequestChange) -> bool| {
                let events = story.journal.requests.iter().filter(|event| event.worker == worker);
                events.filter(|event| wanted(event.change)).count() as u64
            };
            let first_tokens = of_worker(|change| change == RequestChange::FirstToken);
            // The end of a prompt brings a token too; one that was set back has a prompt again.
            prop_assert!(tokens + first_tokens <= c.output_tokens);
            prop_assert!(c.output_tokens <= tokens + first_tokens + c.preemptions);
            prop_assert_eq!(of_worker(|change| matches!(change, RequestChange::Arrived { .. })), c.arrivals);
            let finished = |change| matches!(change, RequestChange::Ended { output: Some(_) });
            prop_assert_eq!(of_worker(finished), c.finished);
            let failed = |change| matches!(change, RequestChange::Ended { output: None });
            prop_assert_eq!(of_worker(failed), c.rejected + c.unservable + c.cancelled);
            let started = of_worker(|change| matches!(change, RequestChange::Started { .. }));
            // What began during the step under way is not in view yet.
            prop_assert!(c.starts <= started + c.preemptions);
        }
    }

    /// Law 8: neither threads nor the size of the steps in which time advances move anything.
    #[test]
    fn threads_and_strides_change_nothing(config in scenario(), changes in changes()) {
        let story = live(&config, &changes, 10, 1);
        prop_assert_eq!(&story, &live(&config, &changes, 10, 3));
        let reported = FleetConfig { steps: Steps::Reported, ..config.clone() };
        prop_assert_eq!(live(&reported, &changes, 1000, 1).journal, live(&reported, &changes, 1000, 3).journal);
        let coarse = live(&config, &changes, 10_000, 1);
        prop_assert_eq!(&story.journal.hits, &coarse.journal.hits);
        prop_assert_eq!(&story.views[story.views.len() - 3..], &coarse.views[3..]);
    }

    /// Law 8: a worker more, or a fault of another, leaves a worker's life as it was.
    #[test]
    fn workers_with_requests_of_their_own_do_not_notice_each_other(
        config in scenario(),
        changes in changes(),
    ) {
        let config = FleetConfig { policy: Policy::None, ..config };
        let mut larger = config.clone();
        larger.workers.push(WorkerSpec::default());
        let others: Vec<_> = changes.into_iter().filter(|(_, worker, _)| *worker == 0).collect();
        let (alone, among) = (live(&config, &[], 500, 1), live(&larger, &others, 500, 1));
        for (few, more) in alone.views.chunks(3).zip(among.views.chunks(4)) {
            prop_assert_eq!(&few[1..3], &more[1..3]);
        }
    }

    /// Law 8: the seed decides, and nothing else.
    #[test]
    fn the_seed_decides(config in scenario()) {
        prop_assert_eq!(live(&config, &[], 1000, 1), live(&config, &[], 1000, 1));
    }
}

#[test]
fn another_seed_is_another_story() {
    let lengths = || Lengths::Lognormal {
        mean: 100.0,
        cv: 1.0,
        max: 1000,
    };
    let config = config(
        1,
        &WorkerSpec::default(),
        traffic(Process::Poisson, 5.0, lengths(), lengths()),
    );
    let other = FleetConfig {
        seed: 2,
        ..config.clone()
    };
    assert_ne!(live(&config, &[], 100, 1), live(&other, &[], 100, 1));
}

#[test]
fn a_request_that_is_set_back_keeps_its_tokens() {
    let spec = WorkerSpec {
        total_blocks: Some(20),
        block_size: Some(16),
        ..WorkerSpec::default()
    };
    let config = config(
        1,
        &spec,
        traffic(Process::Constant, 20.0, Lengths::Fixed(60), Lengths::Fixed(200)),
    );
    let mut fleet = Fleet::new(&config).expect("valid");
    fleet.advance(60 * SECOND, &mut Journal::default());
    let counters = fleet.view(0).counters;
    assert!(counters.preemptions > 0, "blocks are scarce: {counters:?}");
    assert!(counters.finished > 0, "{counters:?}");
    // Every token of an answer is made once, however often its request was set back.
    let underway = counters.output_tokens - 200 * counters.finished;
    assert!(
        underway < 200 * (counters.running + counters.waiting),
        "{counters:?}"
    );
}

#[test]
fn turns_of_a_conversation_find_what_was_said_before() {
    let spec = WorkerSpec {
        total_blocks: Some(4096),
        ..WorkerSpec::default()
    };
    let mut traffic = traffic(Process::Poisson, 0.5, Lengths::Fixed(200), Lengths::Fixed(50));
    traffic.turns = Some(Turns {
        mean: 4.0,
        think: nanos(1.0),
    });
    let mut fleet = Fleet::new(&config(1, &spec, traffic)).expect("valid");
    fleet.advance(120 * SECOND, &mut Journal::default());
    let counters = fleet.view(0).counters;
    let rate = counters.hit_blocks as f64 / counters.lookup_blocks as f64;
    // Of four turns, the later three find all but the newest prompt.
    assert!((0.5..0.9).contains(&rate), "hit rate {rate}: {counters:?}");
}

#[test]
fn a_closed_process_never_has_more_requests_than_users() {
    let process = Process::Closed {
        users: 5,
        think: nanos(0.5),
    };
    let traffic = traffic(process, 0.0, Lengths::Fixed(100), Lengths::Fixed(50));
    let mut fleet = Fleet::new(&config(2, &WorkerSpec::default(), traffic)).expect("valid");
    let mut most = 0;
    for time in 1..2000 {
        fleet.advance(time * SECOND / 20, &mut Journal::default());
        let counters = fleet.view(0).counters;
        most = most.max(counters.running + counters.waiting);
    }
    assert_eq!(most, 5);
    assert!(fleet.view(0).counters.finished > 100);
}

#[test]
fn users_who_are_turned_away_do_not_stop_the_clock() {
    let process = Process::Closed {
        users: 50,
        think: Nanos(0),
    };
    let spec = WorkerSpec {
        slots: Some(1),
        max_waiting: Some(1),
        ..WorkerSpec::default()
    };
    let traffic = traffic(process, 0.0, Lengths::Fixed(100), Lengths::Fixed(50));
    let mut fleet = Fleet::new(&config(1, &spec, traffic)).expect("valid");
    fleet.advance(10 * SECOND, &mut Journal::default());
    let counters = fleet.view(0).counters;
    assert!(counters.finished > 20 && counters.rejected > 1000, "{counters:?}");
    assert!(counters.rejected < 50 * 100, "{counters:?}");
}

#[test]
fn a_request_from_outside_takes_its_turn_and_can_be_taken_back() {
    let spec = WorkerSpec {
        slots: Some(1),
        ..WorkerSpec::default()
    };
    let traffic = traffic(Process::Constant, 0.0, Lengths::Fixed(1), Lengths::Fixed(1));
    let mut fleet = Fleet::new(&config(1, &spec, traffic)).expect("valid");
    let mut journal = Journal::default();
    for ticket in 1..=2 {
        let (input, output) = (10, 100);
        fleet.change(
            0,
            Change::Submit {
                input,
                output,
                ticket,
            },
            &mut journal,
        );
    }
    assert_eq!(fleet.progress(0, 2), Progress::Underway { tokens: 0 });
    fleet.advance(SECOND / 2, &mut journal);
    let Progress::Underway { tokens } = fleet.progress(0, 1) else {
        panic!("it cannot be done yet");
    };
    // 16 ms for the prompt and the first token, then about 6 ms each.
    assert!((70..90).contains(&tokens), "{tokens}");
    assert_eq!(
        fleet.progress(0, 2),
        Progress::Underway { tokens: 0 },
        "there is one slot"
    );
    fleet.change(0, Change::Cancel { ticket: 1 }, &mut journal);
    fleet.advance(SECOND, &mut journal);
    assert_eq!(fleet.progress(0, 1), Progress::Gone);
    assert!(matches!(fleet.progress(0, 2), Progress::Underway { tokens: 1.. }));
    fleet.advance(3 * SECOND, &mut journal);
    assert_eq!(fleet.progress(0, 2), Progress::Gone);
    let counters = fleet.view(0).counters;
    assert_eq!((counters.finished, counters.cancelled), (1, 1));
}
