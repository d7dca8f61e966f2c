//! What a fleet's processes publish, by what happened.

use protocol::codec::open;
use protocol::events::{ForwardPass, RequestTrace, SequenceChange, SequenceEvent};
use protocol::{KvMetrics, LoadSource};
use sim::{Group, RequestChange};

use super::*;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// Workers that are up, of which one may have a fault.
#[derive(Default)]
struct Calm {
    fault: Option<Fault>,
    is_down: bool,
}

impl Circumstances for Calm {
    fn faults(&self, _: usize, _: u64) -> Vec<&Fault> {
        self.fault.iter().collect()
    }

    fn is_up(&self, _: usize) -> bool {
        !self.is_down
    }

    fn load(&self, _: usize) -> Option<sim::Load> {
        Some(sim::Load {
            kv_active_blocks: 3,
            kv_total_blocks: 9,
            ..sim::Load::default()
        })
    }

    fn block_size(&self, _: usize) -> u64 {
        16
    }
}

struct Fleet {
    publishers: Publishers,
    calm: Calm,
}

impl Fleet {
    fn of(generation: Generation) -> Self {
        let path = "dynamo/backend/generate".parse().expect("a path");
        let workers = [WorkerId::new(7), WorkerId::new(8)].map(|id| (id, true));
        let publishers = Publishers::new(generation, &path, "traces", 1, workers.into_iter());
        Self {
            publishers: publishers.expect("it has subjects"),
            calm: Calm::default(),
        }
    }

    /// What is published of worker 0 alone, or by router and frontend.
    fn until(&mut self, to: u64, mut journal: Journal) -> Vec<Published> {
        let mut out = Vec::new();
        self.publishers
            .publish(&mut journal, to, 1_795_578_164_347, &self.calm, &mut out);
        assert!(journal.is_empty());
        out.retain(|published| published.place != Some(1));
        out
    }
}

fn pass(time_ns: u64, kv_active_blocks: u64) -> Journal {
    let pass = Pass {
        time_ns,
        wall_ns: 7 * MS,
        kv_active_blocks,
        decode: Group {
            requests: 2,
            tokens: 90,
            variance: 25.0,
        },
        ..Pass::default()
    };
    Journal {
        passes: vec![pass],
        ..Journal::default()
    }
}

fn request(time_ns: u64, change: RequestChange) -> RequestEvent {
    RequestEvent {
        time_ns,
        worker: 0,
        request: 3,
        change,
    }
}

fn passes(published: &[Published]) -> Vec<(u64, ForwardPass)> {
    let is_pass = |one: &&Published| one.topic == Topic::ForwardPass.as_str();
    let read = |one: &Published| {
        let opened = open(None, &one.payload).expect("it opens");
        (one.time_ns, ForwardPass::read(&opened).expect("a pass"))
    };
    published.iter().filter(is_pass).map(read).collect()
}

#[test]
fn a_heartbeat_comes_when_no_pass_ended_for_a_second_and_counts_on() {
    let mut fleet = Fleet::of(Generation::V1_6);
    let mut journal = pass(SECOND / 2, 1);
    journal.passes.extend(pass(3 * SECOND, 1).passes);
    let published = fleet.until(4 * SECOND + 1, journal);
    let found: Vec<(u64, u64, bool)> = passes(&published)
        .iter()
        .map(|(at, pass)| (*at, pass.counter_id, pass.is_heartbeat()))
        .collect();
    let expected = [
        (SECOND / 2, 1, false),
        (3 * SECOND / 2, 2, true),
        (5 * SECOND / 2, 3, true),
        (3 * SECOND, 4, false),
        (4 * SECOND, 5, true),
    ];
    assert_eq!(found, expected);
    let (_, first) = passes(&published)[0];
    assert_eq!(first.wall_time, 0.007);
    assert_eq!(
        (
            first.scheduled.decode_requests,
            first.scheduled.decode_kv_variance
        ),
        (2, 25.0)
    );
    assert_eq!(first.worker_id, WorkerId::new(7));
}

#[test]
fn a_load_is_published_once_a_millisecond_after_it_changed() {
    let mut fleet = Fleet::of(Generation::V1_6);
    let loads = |published: Vec<Published>| -> Vec<(u64, Option<u64>)> {
        let read = |one: &Published| {
            let event = KvMetrics::decode(None, &one.payload).expect("a load");
            assert_eq!(event.source, LoadSource::Engine);
            (one.time_ns, event.stats.kv_blocks_active())
        };
        let is_load = |one: &&Published| one.topic == Topic::KvMetrics.as_str();
        published.iter().filter(is_load).map(read).collect()
    };
    // The first one comes at the start.
    assert_eq!(loads(fleet.until(10 * MS, Journal::default())), [(MS, Some(0))]);
    let mut journal = pass(20 * MS, 5);
    journal.passes.extend(pass(20 * MS + MS / 2, 6).passes);
    journal.passes.extend(pass(30 * MS, 6).passes);
    assert_eq!(loads(fleet.until(40 * MS, journal)), [(21 * MS, Some(6))]);
    assert_eq!(loads(fleet.until(50 * MS, pass(45 * MS, 6))), []);
}

#[test]
fn publishers_are_the_process_first_and_numbers_of_their_own_later() {
    let ids = |generation| {
        let mut fleet = Fleet::of(generation);
        let published = fleet.until(SECOND, pass(SECOND / 2, 4));
        let publisher = |one: &Published| open(None, &one.payload).expect("it opens").publisher;
        let found: Vec<_> = published.iter().filter_map(publisher).collect();
        assert_eq!(found.len(), published.len());
        found
    };
    let of_process = ids(Generation::V1_2);
    assert!(of_process.iter().all(|publisher| publisher.id == 7));
    let random = ids(Generation::V1_4);
    assert!(
        random
            .iter()
            .all(|publisher| publisher.id <= MOST_PUBLISHER_ID && publisher.id != 7)
    );
    // One counts the loads, and one the passes.
    let mut sequences: Vec<(u64, u64)> = random.iter().map(|one| (one.id, one.sequence)).collect();
    sequences.sort_unstable();
    sequences.dedup();
    assert_eq!(sequences.len(), random.len());
    assert_ne!(ids(Generation::V1_6)[0].id, 7);
}

#[test]
fn a_router_reports_three_times_for_a_request_what_it_takes_a_worker_to_have() {
    let journal = || Journal {
        requests: vec![
            request(
                MS,
                RequestChange::Arrived {
                    input: 37,
                    cached: 16,
                    ahead: 2,
                },
            ),
            request(2 * MS, RequestChange::Started { cached: 32 }),
            request(9 * MS, RequestChange::FirstToken),
            request(29 * MS, RequestChange::Ended { output: Some(5) }),
        ],
        ..Journal::default()
    };
    for (generation, expected) in [
        (Generation::V1_2, 3),
        (Generation::V1_4, 3),
        (Generation::V1_6, 0),
    ] {
        let published = Fleet::of(generation).until(30 * MS, journal());
        let estimates: Vec<KvMetrics> = published
            .iter()
            .filter(|one| one.place.is_none() && one.topic == Topic::KvMetrics.as_str())
            .map(|one| KvMetrics::decode(None, &one.payload).expect("a load"))
            .collect();
        assert_eq!(estimates.len(), expected, "{generation}");
        assert!(estimates.iter().all(|one| one.source == LoadSource::Router));
        let tokens: Vec<_> = estimates.iter().map(|one| one.active_prefill_tokens).collect();
        assert_eq!(tokens, [Some(21), Some(0), Some(0)][..expected]);
        let blocks: Vec<_> = estimates.iter().map(|one| one.stats.kv_blocks_active()).collect();
        assert_eq!(blocks, [Some(2), Some(2), Some(0)][..expected]);
        let marks: Vec<&Published> = published
            .iter()
            .filter(|one| one.topic == Topic::ActiveSequences.as_str())
            .collect();
        assert_eq!(marks.len(), usize::from(generation == Generation::V1_6));
        for mark in marks {
            let opened = open(None, &mark.payload).expect("it opens");
            let event = SequenceEvent::read(&opened).expect("a request");
            assert_eq!(event.change, SequenceChange::PrefillCompleted);
            assert_eq!(
                (mark.time_ns, mark.place, event.worker_id),
                (9 * MS, Some(0), WorkerId::new(7))
            );
            assert_eq!(event.router_id, 7);
        }
        let traces: Vec<RequestTrace> = published
            .iter()
            .filter(|one| one.subject == "traces")
            .map(|one| RequestTrace::read(&one.payload).expect("JSON").expect("an end"))
            .collect();
        match generation {
            Generation::V1_2 => assert!(traces.is_empty()),
            Generation::V1_4 => {
                assert_eq!((traces[0].output_tokens, traces[0].ttft), (Some(5), None));
            }
            _ => {
                let trace = &traces[0];
                assert_eq!((trace.ttft, trace.total), (Some(0.008), Some(0.028)));
                assert_eq!((trace.prefill_wait, trace.prefill), (Some(0.001), Some(0.007)));
                assert_eq!((trace.avg_itl, trace.cached_tokens), (Some(0.005), Some(32)));
                assert_eq!(
                    (trace.queue_depth, trace.decode_worker),
                    (Some(2), Some(WorkerId::new(7)))
                );
                assert!(trace.refused.is_empty(), "{:?}", trace.refused);
            }
        }
    }
}

#[test]
fn faults_lose_messages_that_are_numbered_or_withhold_them() {
    let mut fleet = Fleet::of(Generation::V1_6);
    let mut check = |kind: Option<Kind>, at: u64, expected: &[(u64, bool)]| {
        fleet.calm.fault = kind.map(Fault::new);
        let published = fleet.until(at, pass(at, 1));
        let lost = published
            .iter()
            .filter(|one| one.topic == Topic::ForwardPass.as_str());
        let lost: Vec<bool> = lost.map(|one| one.is_lost).collect();
        let found: Vec<(u64, bool)> = passes(&published)
            .iter()
            .map(|(_, pass)| pass.counter_id)
            .zip(lost)
            .collect();
        assert_eq!(found, expected);
    };
    check(None, SECOND / 2, &[(1, false)]);
    check(Some(Kind::Silent), SECOND, &[(2, true)]);
    check(Some(Kind::Freeze), 3 * SECOND / 2, &[]);
    check(Some(Kind::Late), 2 * SECOND, &[(3, false)]);
}

#[test]
fn a_process_that_is_gone_says_nothing_and_the_next_one_counts_anew() {
    let mut fleet = Fleet::of(Generation::V1_6);
    let first = passes(&fleet.until(SECOND / 2, pass(SECOND / 2, 1)));
    fleet.calm.is_down = true;
    assert_eq!(fleet.until(9 * SECOND, Journal::default()), []);
    fleet.calm.is_down = false;
    assert_eq!(fleet.until(10 * SECOND, Journal::default()), []);
    fleet.publishers.start(0, WorkerId::new(70), 10 * SECOND);
    let again = fleet.until(11 * SECOND, Journal::default());
    let found = passes(&again);
    assert_eq!((first[0].1.counter_id, found.len()), (1, 1));
    assert_eq!(
        (found[0].1.counter_id, found[0].1.worker_id),
        (1, WorkerId::new(70))
    );
    let load = KvMetrics::decode(None, &again[0].payload).expect("a load");
    assert_eq!(
        (again[0].time_ns, load.stats.kv_blocks_active()),
        (10 * SECOND + MS, Some(0))
    );
}

#[test]
fn events_of_older_generations_are_json_and_then_enveloped() {
    let hit = HitEvent {
        time_ns: 5,
        worker: 0,
        lookup_blocks: 10,
        hit_blocks: 4,
    };
    let first = |generation| {
        let journal = Journal {
            hits: vec![hit],
            ..Journal::default()
        };
        Fleet::of(generation).until(SECOND, journal)
    };
    let text = |one: &Published| String::from_utf8_lossy(&one.payload).into_owned();
    let oldest = first(Generation::V0_1);
    assert_eq!(oldest.len(), 1, "there is no load event yet");
    assert_eq!(
        text(&oldest[0]),
        r#"{"worker_id":7,"isl_blocks":10,"overlap_blocks":4}"#
    );
    let older = first(Generation::V0_5);
    assert_eq!(text(&older[0]), text(&oldest[0]));
    let load = KvMetrics::decode(None, &older[1].payload).expect("a load");
    assert_eq!(
        (load.stats.kv_blocks_active(), load.stats.kv_blocks_capacity()),
        (Some(3), Some(9))
    );
    assert!(text(&older[1]).starts_with(r#"{"worker_id":7,"data":{"#));
    let enveloped = first(Generation::V0_9);
    let hit = protocol::KvHitRate::decode(None, &enveloped[0].payload).expect("a hit rate");
    assert_eq!(
        (hit.isl_blocks(), hit.overlap_blocks(), hit.dp_rank()),
        (10, 4, 0)
    );
    let load = KvMetrics::decode(None, &enveloped[1].payload).expect("a load");
    assert_eq!(
        (load.source, load.stats.kv_blocks_active()),
        (LoadSource::Worker, Some(0))
    );
    assert_eq!(
        first(Generation::V1_2).len(),
        2,
        "a load and a heartbeat, and no hit rate"
    );
}
