//! What the state machine costs: taking in replies of new workers (route), of known ones (apply), and publishing.

use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use fleet::{Arrived, Core, Effect, Input, LinkView, Now, Plan};
use protocol::ServicePrefix;

const SIZES: [u64; 2] = [1_000, 100_000];

/// Replies that come at once.
const BATCH: usize = 128;

fn main() {
    divan::main();
}

/// A fleet that answers, and the time.
struct Bench {
    core: Core,
    now: Now,
    round: u64,
}

fn reply(id: u64, requests: u64) -> Vec<u8> {
    format!(
        r#"{{"type":"io.nats.micro.v1.stats_response","name":"dynamo_c","id":"INSTANCE{id:016}","version":"0.0.1","metadata":{{}},"started":"2026-01-01T00:00:00.123456789Z","endpoints":[{{"name":"dynamo_c-gen-{id:x}","subject":"dynamo_c.gen-{id:x}","queue_group":"q","num_requests":{requests},"num_errors":0,"last_error":"","processing_time":{requests}000,"average_processing_time":1000,"data":{{"worker_stats":{{"request_active_slots":3,"request_total_slots":256,"num_requests_waiting":1,"data_parallel_rank":0}},"kv_stats":{{"kv_active_blocks":{requests},"kv_total_blocks":100000,"gpu_cache_usage_perc":0.25,"gpu_prefix_cache_hit_rate":0.5}},"spec_decode_stats":null}}}}]}}"#
    )
    .into_bytes()
}

fn replies(workers: u64, requests: u64) -> Vec<Vec<u8>> {
    (1..=workers).map(|id| reply(id, requests)).collect()
}

impl Bench {
    fn new() -> Self {
        let plan = Plan::watching(vec!["dynamo/c/gen".parse().expect("a path")]);
        let now = Now::default();
        let mut bench = Self {
            core: Core::new(plan, ServicePrefix::default(), now),
            now,
            round: 0,
        };
        bench.handle(Input::Link(LinkView {
            connected: true,
            ..LinkView::default()
        }));
        bench
    }

    fn handle(&mut self, input: Input<'_>) {
        for effect in self.core.handle(input, self.now) {
            if let Effect::Ask { round } = effect {
                self.round = round;
            }
        }
    }

    /// One round in which all answer.
    fn round(&mut self, replies: &[Vec<u8>]) {
        for batch in replies.chunks(BATCH) {
            let round = Some(self.round);
            let arrived: Vec<_> = batch.iter().map(|payload| Arrived { round, payload }).collect();
            self.handle(Input::Replies(&arrived));
        }
    }

    /// Goes on to the next round.
    fn next(&mut self) {
        let round = self.round;
        while self.round == round {
            let wake = self.core.wake_at().saturating_sub(self.now.mono);
            self.now = self.now.plus(wake.max(Duration::from_millis(1)));
            self.handle(Input::Tick);
        }
    }

    /// A fleet all of whose workers are known.
    fn known(workers: u64) -> Self {
        let mut bench = Self::new();
        for requests in 0..3 {
            bench.round(&replies(workers, requests));
            bench.next();
        }
        bench
    }
}

/// The first reply of each worker: read, held, routed and taken in.
#[divan::bench(args = SIZES, sample_count = 5)]
fn route(bencher: Bencher<'_, '_>, workers: u64) {
    let replies = replies(workers, 1);
    bencher
        .counter(ItemsCount::new(workers))
        .with_inputs(Bench::new)
        .bench_local_values(|mut bench| {
            bench.round(&replies);
            bench.next();
            bench
        });
}

/// A reply of a worker that is known: read and taken in. The last one ends the round, and publishes.
#[divan::bench(args = SIZES, sample_count = 20)]
fn apply(bencher: Bencher<'_, '_>, workers: u64) {
    let mut bench = Bench::known(workers);
    let replies = replies(workers, 9);
    bencher.counter(ItemsCount::new(workers)).bench_local(|| {
        bench.round(black_box(&replies));
        bench.next();
    });
}

/// A snapshot in which every worker has changed, and the beginning of the next round.
#[divan::bench(args = SIZES, sample_count = 20)]
fn snapshot(bencher: Bencher<'_, '_>, workers: u64) {
    let mut bench = Bench::known(workers);
    bencher.counter(ItemsCount::new(workers)).bench_local(|| {
        // A lost link changes all of them.
        let reconnects = bench.round;
        bench.handle(Input::Link(LinkView {
            connected: true,
            reconnects,
            ..LinkView::default()
        }));
    });
}
