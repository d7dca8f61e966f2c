//! [`Requests`]: the requests on their way, as the router and the frontend know them.

use std::collections::HashMap;

use protocol::WorkerId;
use protocol::events::write::{LoadCounts, Replay, RequestEnd, TraceWorkers, TracedRequest};
use sim::{RequestChange, RequestEvent};

use crate::ids;

/// The requests on their way.
#[derive(Debug)]
pub(super) struct Requests {
    seed: u64,
    underway: HashMap<(usize, u64), Underway>,
    /// What the router takes each worker to have: blocks of prompts, and tokens of prompts still to be computed.
    estimates: Vec<(u64, u64)>,
    /// How many have come.
    count: u64,
}

/// A request on its way.
#[derive(Debug, Clone, Copy)]
struct Underway {
    number: u64,
    worker: WorkerId,
    arrived: u64,
    input: u64,
    ahead: u64,
    /// Of its prompt, the tokens that the cache had when it came, and those that it had when it began.
    expected: u64,
    cached: u64,
    blocks: u64,
    /// Tokens that the router takes for not yet computed.
    left: u64,
    started: Option<u64>,
    first_token: Option<u64>,
}

/// What became of a request, for router and frontend.
#[derive(Debug)]
pub(super) struct Became {
    pub(super) worker: WorkerId,
    pub(super) estimate: LoadCounts,
    /// The id of the request, where this is its first token.
    pub(super) first_token: Option<String>,
    /// A record, where it got its whole answer.
    pub(super) trace: Option<RequestEnd>,
}

impl Requests {
    pub(super) fn new(seed: u64, workers: usize) -> Self {
        Self {
            seed,
            underway: HashMap::new(),
            estimates: vec![(0, 0); workers],
            count: 0,
        }
    }

    /// Takes in what became of a request of the worker that has this id now.
    pub(super) fn take(
        &mut self,
        event: RequestEvent,
        id: WorkerId,
        block_size: u64,
        unix_ms: u64,
    ) -> Option<Became> {
        let RequestEvent {
            time_ns,
            worker,
            request,
            change,
        } = event;
        let key = (worker, request);
        let (blocks, tokens) = &mut self.estimates[worker];
        let (mut first_token, mut trace) = (None, None);
        let id = match change {
            RequestChange::Arrived { input, cached, ahead } => {
                let underway = Underway {
                    number: self.count,
                    worker: id,
                    arrived: time_ns,
                    input,
                    ahead,
                    expected: cached,
                    cached: 0,
                    blocks: input / block_size,
                    left: input - cached,
                    started: None,
                    first_token: None,
                };
                self.count += 1;
                *blocks += underway.blocks;
                *tokens += underway.left;
                self.underway.insert(key, underway);
                id
            }
            RequestChange::Started { cached } => {
                let underway = self.underway.get_mut(&key)?;
                underway.cached = cached;
                underway.started = Some(time_ns);
                return None;
            }
            RequestChange::FirstToken => {
                let underway = self.underway.get_mut(&key)?;
                underway.first_token = Some(time_ns);
                first_token = Some(underway.id(self.seed));
                *tokens -= std::mem::take(&mut underway.left);
                underway.worker
            }
            RequestChange::Ended { output } => {
                let underway = self.underway.remove(&key)?;
                *blocks -= underway.blocks;
                *tokens -= underway.left;
                trace = output.map(|output| underway.trace(self.seed, output, block_size, time_ns, unix_ms));
                underway.worker
            }
        };
        Some(Became {
            worker: id,
            estimate: LoadCounts {
                worker_id: id,
                active_decode_blocks: Some(*blocks),
                active_prefill_tokens: Some(*tokens),
                ..LoadCounts::default()
            },
            first_token,
            trace,
        })
    }
}

impl Underway {
    /// A number of its own, for each purpose.
    fn draw(&self, seed: u64, purpose: u64) -> u64 {
        ids::again(ids::again(WorkerId::new(seed), self.number), purpose).get()
    }

    /// Its id, a random UUID.
    fn id(&self, seed: u64) -> String {
        let (high, low) = (self.draw(seed, 0), self.draw(seed, 1));
        let (version, variant) = (high & 0xfff | 0x4000, (low >> 48) & 0x3fff | 0x8000);
        format!(
            "{:08x}-{:04x}-{version:04x}-{variant:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            low & 0xffff_ffff_ffff
        )
    }

    fn trace(&self, seed: u64, output: u64, block_size: u64, ended: u64, unix_ms: u64) -> RequestEnd {
        let draw = |purpose| self.draw(seed, purpose);
        let milliseconds = |from: u64, to: u64| (to - from) as f64 / 1e6;
        let started = self.started.unwrap_or(self.arrived);
        let first_token = self.first_token.unwrap_or(ended);
        let total = milliseconds(self.arrived, ended);
        let generating = milliseconds(first_token, ended);
        RequestEnd {
            event_time_unix_ms: unix_ms,
            request: TracedRequest {
                request_id: self.id(seed),
                input_tokens: Some(self.input),
                output_tokens: Some(output),
                cached_tokens: Some(self.cached),
                request_received_ms: Some(unix_ms.saturating_sub(total as u64)),
                prefill_wait_time_ms: Some(milliseconds(self.arrived, started)),
                prefill_time_ms: Some(milliseconds(started, first_token)),
                ttft_ms: Some(milliseconds(self.arrived, first_token)),
                total_time_ms: Some(total),
                avg_itl_ms: (output > 1).then(|| generating / (output - 1) as f64),
                kv_hit_rate: Some(self.expected as f64 / self.input as f64),
                kv_transfer_estimated_latency_ms: None,
                queue_depth: Some(self.ahead),
                worker: Some(TraceWorkers {
                    prefill_worker_id: Some(self.worker),
                    prefill_dp_rank: Some(0),
                    decode_worker_id: Some(self.worker),
                    decode_dp_rank: Some(0),
                }),
                replay: Some(Replay {
                    trace_block_size: block_size,
                    input_length: self.input,
                    input_sequence_hashes: (0..self.input.div_ceil(block_size))
                        .map(|block| draw(2 + block))
                        .collect(),
                }),
            },
        }
    }
}

/// The record as Dynamo 1.4 writes it.
pub(super) fn short(trace: RequestEnd) -> RequestEnd {
    let TracedRequest {
        request_id,
        output_tokens,
        request_received_ms,
        replay,
        ..
    } = trace.request;
    RequestEnd {
        request: TracedRequest {
            request_id,
            output_tokens,
            request_received_ms,
            replay,
            ..TracedRequest::default()
        },
        ..trace
    }
}
