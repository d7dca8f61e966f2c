//! The load of a fleet, simulated: no input or output, no clock, the same for the same seed.
//!
//! Each worker is an engine of its own. Requests come to it at random (Poisson), wait for a slot and for KV blocks,
//! hold the blocks of their prompt and one more for every so many tokens of output, and finish. When a request
//! starts, its prompt's blocks are looked up in the worker's cache, which is told as an event and added to the
//! worker's counters: the sums of the events are the counters. Times and sizes are those of a small model on one GPU.

mod prefix_cache;
mod random;
mod worker;

use std::time::Duration;

use protocol::{KvHitRate, WorkerId, WorkerStats};

use worker::Worker;

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// The same seed gives the same load.
    pub seed: u64,
    /// The workers, each with an id of its own. One more at the end changes nothing for the others.
    pub workers: Vec<WorkerId>,
    /// What each worker can do and is asked for.
    pub model: WorkerModel,
}

/// What a worker can do, and the load that comes to it.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerModel {
    /// Requests that come to it in a second, on average over the fleet: a worker gets 0.5 to 1.5 times as many.
    pub requests_per_second: f64,
    /// Requests that can run at once.
    pub slots: u64,
    /// Requests that can wait; more are rejected.
    pub max_waiting: u64,
    /// KV blocks in total.
    pub kv_blocks: u64,
    /// Tokens that a block holds.
    pub block_tokens: u64,
    /// Mean length of a prompt.
    pub input_tokens: f64,
    /// Mean length of an answer.
    pub output_tokens: f64,
    /// How many prefixes the prompts share.
    pub prefixes: u32,
    /// Length of such a prefix in blocks.
    pub prefix_blocks: u64,
    /// How many prefixes the cache holds.
    pub cached_prefixes: usize,
    /// Time that a prompt takes, whatever its length, in nanoseconds.
    pub prefill_base: u64,
    /// Time for each token of a prompt that is not cached.
    pub prefill_token: u64,
    /// Time for each token of an answer.
    pub decode_token: u64,
}

/// What a worker publishes when a request starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, since the start of the fleet.
    pub at: Duration,
    /// Which worker, as its place in [`FleetConfig::workers`].
    pub worker: usize,
    /// What it says, with that worker's id.
    pub hit_rate: KvHitRate,
}

/// What happened to a worker's requests so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that came.
    pub arrivals: u64,
    /// Of these, those the full queue turned away,
    pub rejected: u64,
    /// those in the queue now,
    pub waiting: u64,
    /// those running now,
    pub running: u64,
    /// and those that ended.
    pub finished: u64,
    /// Blocks looked up in the cache.
    pub lookup_blocks: u64,
    /// Blocks found there.
    pub hit_blocks: u64,
}

/// A fleet at a moment of its life.
#[derive(Debug, Clone)]
pub struct Fleet {
    workers: Vec<Worker>,
}

impl Fleet {
    /// A fleet at its start, without a request.
    pub fn new(config: &FleetConfig) -> Self {
        let worker =
            |(index, id): (u32, &WorkerId)| Worker::new(config.seed, index, *id, config.model.clone());
        Self {
            workers: (0..).zip(&config.workers).map(worker).collect(),
        }
    }

    /// Lives on until `to` after the start, and returns what was published meanwhile, in the order of time.
    ///
    /// Many small steps and one large one come to the same. A `to` that has passed changes nothing.
    pub fn advance(&mut self, to: Duration) -> Vec<Event> {
        let to = u64::try_from(to.as_nanos()).unwrap_or(u64::MAX);
        let mut events = Vec::new();
        for (index, worker) in self.workers.iter_mut().enumerate() {
            worker.advance(to, index, &mut events);
        }
        events.sort_by_key(|event| (event.at, event.worker));
        events
    }

    /// How many workers there are.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// The load of a worker now.
    pub fn stats(&self, worker: usize) -> WorkerStats {
        self.workers[worker].stats()
    }

    /// What happened to a worker's requests so far.
    pub fn counters(&self, worker: usize) -> Counters {
        self.workers[worker].counters()
    }
}

impl Default for WorkerModel {
    /// About two thirds busy on average: some workers idle along, the busiest queue now and then. Lengths are those
    /// of Azure's trace of conversations of 2023.
    fn default() -> Self {
        Self {
            requests_per_second: 3.0,
            slots: 32,
            max_waiting: 256,
            kv_blocks: 2048,
            block_tokens: 16,
            input_tokens: 1155.0,
            output_tokens: 211.0,
            prefixes: 64,
            prefix_blocks: 48,
            cached_prefixes: 16,
            prefill_base: 10_000_000,
            prefill_token: 15_000,
            decode_token: 20_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(seed: u64, workers: u64, model: &WorkerModel) -> FleetConfig {
        FleetConfig {
            seed,
            workers: (0..workers).map(|n| WorkerId::new(n * 1_000 + 7)).collect(),
            model: model.clone(),
        }
    }

    fn events_of(worker: usize, events: &[Event]) -> Vec<Event> {
        events
            .iter()
            .filter(|event| event.worker == worker)
            .cloned()
            .collect()
    }

    prop_compose! {
        /// Small capacities and much load, so that every limit is met.
        fn model()(
            requests_per_second in 0.0..50.0_f64,
            slots in 0..8_u64,
            max_waiting in 0..8_u64,
            kv_blocks in 1..200_u64,
            block_tokens in 1..64_u64,
            prefixes in 1..10_u32,
            prefix_blocks in 0..60_u64,
            cached_prefixes in 0..5_usize,
        ) -> WorkerModel {
            WorkerModel {
                requests_per_second,
                slots,
                max_waiting,
                kv_blocks,
                block_tokens,
                prefixes,
                prefix_blocks,
                cached_prefixes,
                ..WorkerModel::default()
            }
        }
    }

    fn steps() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(0..5_000_u64, 1..30)
    }

    proptest! {
        #[test]
        fn load_hangs_together_at_every_step(seed: u64, model in model(), steps in steps()) {
            let config = config(seed, 3, &model);
            let mut fleet = Fleet::new(&config);
            let (mut now, mut sums) = (0, [(0, 0); 3]);
            let mut last = Duration::ZERO;
            for step in steps {
                now += step;
                for event in fleet.advance(Duration::from_millis(now)) {
                    prop_assert!(event.at >= last && event.at <= Duration::from_millis(now), "time goes on");
                    last = event.at;
                    prop_assert_eq!(event.hit_rate.worker_id(), config.workers[event.worker]);
                    sums[event.worker].0 += event.hit_rate.isl_blocks();
                    sums[event.worker].1 += event.hit_rate.overlap_blocks();
                }
                last = Duration::from_millis(now);
                for (worker, sum) in sums.iter().enumerate() {
                    let counters = fleet.counters(worker);
                    let Counters { arrivals, rejected, waiting, running, finished, .. } = counters;
                    prop_assert_eq!(arrivals, rejected + waiting + running + finished);
                    prop_assert!(waiting <= model.max_waiting);
                    prop_assert_eq!((counters.lookup_blocks, counters.hit_blocks), *sum, "events are the counters");

                    let stats = fleet.stats(worker);
                    prop_assert_eq!(stats.request_slots_active(), Some(running));
                    prop_assert_eq!(stats.requests_waiting(), Some(waiting));
                    prop_assert_eq!(stats.request_slots_capacity(), Some(model.slots));
                    prop_assert_eq!(stats.kv_blocks_capacity(), Some(model.kv_blocks));
                    prop_assert!(stats.request_slots_active() <= stats.request_slots_capacity());
                    prop_assert!(stats.kv_blocks_active() <= stats.kv_blocks_capacity());
                    prop_assert!(stats.kv_blocks_active() >= Some(running), "who runs holds blocks");
                    let ratio = (sum.0 > 0).then(|| sum.1 as f64 / sum.0 as f64);
                    prop_assert_eq!(stats.prefix_cache_hit_ratio(), ratio);
                }
            }
        }

        #[test]
        fn the_size_of_the_steps_changes_nothing(seed: u64, model in model(), steps in steps()) {
            let config = config(seed, 2, &model);
            let (mut walker, mut jumper) = (Fleet::new(&config), Fleet::new(&config));
            let mut now = 0;
            let mut walked = Vec::new();
            for step in steps {
                now += step;
                walked.extend(walker.advance(Duration::from_millis(now)));
            }
            prop_assert_eq!(walked, jumper.advance(Duration::from_millis(now)));
            prop_assert_eq!(walker.stats(1), jumper.stats(1));
            prop_assert_eq!(jumper.advance(Duration::ZERO), Vec::new(), "time does not go back");
            prop_assert_eq!(walker.stats(1), jumper.stats(1));
        }

        #[test]
        fn one_more_worker_changes_nothing_for_the_others(seed: u64, model in model()) {
            let (mut small, mut large) =
                (Fleet::new(&config(seed, 2, &model)), Fleet::new(&config(seed, 3, &model)));
            let end = Duration::from_secs(60);
            let (few, more) = (small.advance(end), large.advance(end));
            for worker in 0..small.len() {
                prop_assert_eq!(events_of(worker, &few), events_of(worker, &more));
                prop_assert_eq!(small.stats(worker), large.stats(worker));
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        let run =
            |seed| Fleet::new(&config(seed, 2, &WorkerModel::default())).advance(Duration::from_secs(30));
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn the_default_load_is_worth_looking_at() {
        let mut fleet = Fleet::new(&config(0, 20, &WorkerModel::default()));
        let (mut samples, mut busy, mut queued) = (0.0, 0.0, 0);
        for second in 60..660 {
            fleet.advance(Duration::from_secs(second));
            for worker in 0..fleet.len() {
                let stats = fleet.stats(worker);
                samples += 1.0;
                busy += stats.kv_usage_ratio().expect("it has blocks");
                queued += u64::from(stats.requests_waiting() > Some(0));
            }
        }
        let usage = busy / samples;
        assert!((0.3..0.8).contains(&usage), "mean KV use {usage}");
        assert!(queued > 0, "somebody waits now and then");
        let hits = fleet.stats(0).prefix_cache_hit_ratio().expect("it looked up");
        assert!((0.1..0.9).contains(&hits), "hit ratio {hits}");
    }
}
