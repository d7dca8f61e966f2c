//! One worker: requests arrive, wait for a slot and KV blocks, run, and finish.

use std::collections::VecDeque;

use protocol::{KvHitRate, WorkerId, WorkerStats};

use super::prefix_cache::PrefixCache;
use super::random::{Purpose, Random};
use super::{Counters, Event, WorkerModel};

/// A worker at a moment of its life. It knows no clock; all times are nanoseconds since the fleet's start.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    id: WorkerId,
    model: WorkerModel,
    now: u64,
    /// Mean gap between arrivals in seconds; `None` where none arrives.
    mean_gap: Option<f64>,
    next_arrival: Option<u64>,
    waiting: VecDeque<Request>,
    running: Vec<Running>,
    /// Blocks set aside for the running requests, up to their ends: so a request that runs never lacks one.
    reserved: u64,
    cache: PrefixCache,
    counters: Counters,
    arrivals: Random,
    lengths: Random,
    prefixes: Random,
}

#[derive(Debug, Clone)]
struct Request {
    input_tokens: u64,
    output_tokens: u64,
    prefix: u32,
}

#[derive(Debug, Clone)]
struct Running {
    request: Request,
    first_token: u64,
    finish: u64,
}

impl Worker {
    pub(super) fn new(seed: u64, index: u32, id: WorkerId, model: WorkerModel) -> Self {
        let stream = |purpose| Random::new(seed, index, purpose);
        // No two workers of a real fleet are equally busy.
        let pace = 0.5 + stream(Purpose::Pace).unit();
        let mut worker = Self {
            id,
            now: 0,
            mean_gap: (model.requests_per_second > 0.0).then(|| 1.0 / (model.requests_per_second * pace)),
            next_arrival: None,
            waiting: VecDeque::new(),
            running: Vec::new(),
            reserved: 0,
            cache: PrefixCache::default(),
            counters: Counters::default(),
            arrivals: stream(Purpose::Arrivals),
            lengths: stream(Purpose::Lengths),
            prefixes: stream(Purpose::Prefixes),
            model,
        };
        worker.schedule_arrival();
        worker
    }

    /// Lives up to `to` and adds what it published to `events`, each with `index`.
    pub(super) fn advance(&mut self, to: u64, index: usize, events: &mut Vec<Event>) {
        loop {
            let finish = self.running.iter().map(|running| running.finish).min();
            // At the same moment, who finishes makes room before who arrives.
            match (finish, self.next_arrival) {
                (Some(at), arrival) if at <= to && arrival.is_none_or(|arrival| at <= arrival) => {
                    self.now = at;
                    self.finish();
                }
                (_, Some(at)) if at <= to => {
                    self.now = at;
                    self.arrive();
                }
                _ => break,
            }
            self.admit(index, events);
        }
        self.now = self.now.max(to);
    }

    /// The load as the worker reports it now.
    pub(super) fn stats(&self) -> WorkerStats {
        let model = &self.model;
        let held = self.running.iter().map(|running| self.held_blocks(running)).sum();
        let Counters {
            lookup_blocks,
            hit_blocks,
            ..
        } = self.counters;
        let mut stats = WorkerStats::builder()
            .requests(self.running.len() as u64, model.slots, self.waiting.len() as u64)
            .kv_blocks(held, model.kv_blocks);
        if lookup_blocks > 0 {
            stats = stats.prefix_cache_hit_ratio(hit_blocks as f64 / lookup_blocks as f64);
        }
        stats
            .build()
            .expect("reserved blocks and slots are within the capacity")
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            waiting: self.waiting.len() as u64,
            running: self.running.len() as u64,
            ..self.counters
        }
    }

    fn schedule_arrival(&mut self) {
        self.next_arrival = self.mean_gap.map(|mean| {
            self.now
                .saturating_add(nanoseconds(self.arrivals.exponential(mean)))
        });
    }

    fn arrive(&mut self) {
        let request = self.draw_request();
        self.schedule_arrival();
        self.counters.arrivals += 1;
        if self.waiting.len() as u64 >= self.model.max_waiting {
            self.counters.rejected += 1;
        } else {
            self.waiting.push_back(request);
        }
    }

    fn draw_request(&mut self) -> Request {
        // A request that no empty worker could hold would wait for ever, so lengths end at half of the capacity.
        let most = (self.model.kv_blocks * self.model.block_tokens / 2).max(1);
        let mut draw = |mean, cv| (self.lengths.log_normal(mean, cv) as u64).clamp(1, most);
        Request {
            input_tokens: draw(self.model.input_tokens, 0.96),
            output_tokens: draw(self.model.output_tokens, 0.77),
            prefix: self.prefixes.popular(self.model.prefixes),
        }
    }

    /// Starts what stands at the head of the queue while slots and blocks allow.
    fn admit(&mut self, index: usize, events: &mut Vec<Event>) {
        while let Some(head) = self.waiting.front() {
            let need = self.blocks(head.input_tokens + head.output_tokens);
            let fits = self.reserved + need <= self.model.kv_blocks;
            if self.running.len() as u64 >= self.model.slots || !fits {
                return;
            }
            let request = self.waiting.pop_front().expect("it has a head");
            self.reserved += need;
            events.push(self.start(request, index));
        }
    }

    fn start(&mut self, request: Request, index: usize) -> Event {
        let isl_blocks = self.blocks(request.input_tokens);
        let resident = self.cache.touch(request.prefix, self.model.cached_prefixes);
        let overlap_blocks = if resident {
            isl_blocks.min(self.model.prefix_blocks)
        } else {
            0
        };
        self.counters.lookup_blocks += isl_blocks;
        self.counters.hit_blocks += overlap_blocks;

        let known_tokens = (overlap_blocks * self.model.block_tokens).min(request.input_tokens);
        let prefill =
            self.model.prefill_base + self.model.prefill_token * (request.input_tokens - known_tokens);
        let first_token = self.now + prefill;
        self.running.push(Running {
            first_token,
            finish: first_token + self.model.decode_token * request.output_tokens,
            request,
        });
        Event {
            at: std::time::Duration::from_nanos(self.now),
            worker: index,
            hit_rate: KvHitRate::new(self.id, isl_blocks, overlap_blocks)
                .expect("hits are a part of lookups"),
        }
    }

    /// Ends the request whose time it is; of several, the one admitted first.
    fn finish(&mut self) {
        let due = self.running.iter().position(|running| running.finish == self.now);
        let Running { request, .. } = self.running.remove(due.expect("its time has come"));
        self.reserved -= self.blocks(request.input_tokens + request.output_tokens);
        self.counters.finished += 1;
    }

    /// Blocks that a running request holds now: its prompt from the start, and its output as it comes.
    fn held_blocks(&self, running: &Running) -> u64 {
        let decoded = self.now.saturating_sub(running.first_token) / self.model.decode_token.max(1);
        let request = &running.request;
        self.blocks(request.input_tokens + decoded.min(request.output_tokens))
    }

    fn blocks(&self, tokens: u64) -> u64 {
        tokens.div_ceil(self.model.block_tokens)
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    // A float cast saturates, so a gap of centuries stays one.
    (seconds * 1e9) as u64
}
