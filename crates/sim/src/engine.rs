//! One worker's engine: requests wait for a slot and KV blocks, run step by step, and end.
//!
//! An engine lives from step to step. At the start of one it decides who decodes, who is set back for want of
//! blocks and who is admitted; at its end each decoding request has one more token. What it reports is the state at
//! the end of its last step.
//!
//! While no request prefills and none can be admitted, the next steps are known, and they are taken at once; how long
//! they take together is an arithmetic series. A request that may be admitted cuts such a jump at the end of the
//! step it falls into. Jumps and single steps come to the same, and a law says so.

mod invariants;
mod latencies;
mod spec;
mod step;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;

use super::journal::{Pass, RequestChange};
use super::kv_pool::{KvPool, Link, SegmentKey, blocks_of};
use super::request::{Ended, Ending, Request};
use crate::Steps;

pub use latencies::{Bounds, Histogram, Latencies};
pub(crate) use spec::Capacity;
pub use spec::{Preset, WorkerSpec};
pub use view::{Counters, Load, Progress, View};

use step::Step;
use view::Shown;

/// Whether a worker takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Up,
    /// It finishes what it has, and then is down.
    Draining,
    /// It is not there.
    Down,
}

/// What one worker is and does. It knows no clock: times are nanoseconds since the start, and never go back.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    capacity: Arc<Capacity>,
    steps: Steps,
    mode: Mode,
    pool: KvPool,
    waiting: VecDeque<Queued>,
    /// In the order in which they were admitted.
    running: Vec<Running>,
    step: Option<Step>,
    /// What the step under way will be reported as.
    pass: Pass,
    /// Counts the steps that were planned; the end of one that was planned anew is void.
    epoch: u64,
    counters: Counters,
    /// The counters when it came up last.
    before: Counters,
    has_been_up: bool,
    shown: Shown,
    /// Recorded only if it is asked for.
    latencies: Option<Box<Latencies>>,
}

#[derive(Debug, Clone)]
struct Queued {
    request: Request,
    /// Few are, and queues are long.
    set_back: Option<Box<SetBack>>,
}

/// What a request had when it was set back.
#[derive(Debug, Clone)]
struct SetBack {
    /// Tokens of its answer.
    generated: u64,
    started: u64,
    /// Tokens of the prompt that were computed when it started first.
    computed: u64,
    first_token: Option<u64>,
}

impl Queued {
    /// Tokens of its answer that it has.
    fn generated(&self) -> u64 {
        self.set_back.as_ref().map_or(0, |set_back| set_back.generated)
    }
}

#[derive(Debug, Clone)]
struct Running {
    request: Request,
    /// Tokens of its answer so far.
    generated: u64,
    /// Tokens in the KV-cache, once the prompt is through.
    kv: u64,
    /// Tokens of the prompt still to be taken.
    prefill_left: u64,
    /// Of these, those that this step takes.
    chunk: u64,
    /// Blocks held, those of the chain included.
    blocks: u64,
    started: u64,
    /// Tokens of the prompt that were computed at first; the rest was in the cache.
    computed: u64,
    first_token: Option<u64>,
    cancelled: bool,
}

/// What an engine reports while it works.
pub(crate) trait Listener {
    /// A prompt's blocks were looked up at admission.
    fn looked_up(&mut self, at: u64, blocks: u64, hits: u64);
    /// A step has ended; the listener knows which worker took it.
    fn passed(&mut self, pass: Pass);
    /// Something became of a request.
    fn changed(&mut self, at: u64, request: u64, change: RequestChange);
    /// A request ended.
    fn ended(&mut self, ended: Ended);
}

impl Engine {
    pub(crate) fn new(capacity: Arc<Capacity>, steps: Steps) -> Self {
        Self {
            pool: KvPool::new(capacity.total_blocks),
            capacity,
            steps,
            mode: Mode::Up,
            waiting: VecDeque::new(),
            running: Vec::new(),
            step: None,
            pass: Pass::default(),
            epoch: 0,
            counters: Counters::default(),
            before: Counters::default(),
            has_been_up: true,
            shown: Shown::default(),
            latencies: None,
        }
    }

    /// From now on latencies are recorded.
    pub(crate) fn record_latencies(&mut self, bounds: &Bounds) {
        self.latencies
            .get_or_insert_with(|| Box::new(Latencies::new(bounds)));
    }

    /// What has been recorded up to now.
    pub(crate) fn latencies(&mut self, now: u64) -> Option<&Latencies> {
        self.settle(now);
        self.latencies.as_deref()
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// How many leading blocks of a chain the cache holds.
    pub(crate) fn hit(&self, chain: &[Link]) -> u64 {
        self.pool.hit(chain)
    }

    /// When the step under way ends, and its number.
    pub(crate) fn step_end(&self) -> Option<(u64, u64)> {
        self.step.as_ref().map(|step| (step.end, self.epoch))
    }

    /// A request comes.
    pub(crate) fn arrive(&mut self, request: Request, now: u64, listener: &mut impl Listener) {
        self.counters.arrivals += 1;
        if self.is_reported() {
            let cached = self.pool.hit(&request.chain) * self.capacity.block_size;
            let change = RequestChange::Arrived {
                input: request.input,
                cached: cached.min(request.input - 1),
                ahead: self.waiting.len() as u64,
            };
            listener.changed(now, request.id, change);
        }
        let longest = request.input.saturating_add(request.output);
        let ending = if self.mode != Mode::Up {
            Some(Ending::Rejected)
        } else if self.capacity.blocks(longest) > self.capacity.total_blocks {
            Some(Ending::Unservable)
        } else if self.waiting.len() as u64 >= self.capacity.max_waiting {
            Some(Ending::Rejected)
        } else {
            None
        };
        match ending {
            Some(ending) => self.end(request, ending, now, None, listener),
            None => {
                let is_next = self.waiting.is_empty();
                self.waiting.push_back(Queued {
                    request,
                    set_back: None,
                });
                // Behind others in the queue it changes nothing: the head cannot be admitted before a request ends.
                if is_next {
                    self.look_again(now, listener);
                }
            }
        }
        self.debug_check(now);
    }

    /// The caller of a request has gone away.
    pub(crate) fn cancel(&mut self, ticket: u64, now: u64, listener: &mut impl Listener) {
        let is_it = |request: &Request| request.ticket == Some(ticket);
        if let Some(at) = self.waiting.iter().position(|queued| is_it(&queued.request)) {
            let queued = self.waiting.remove(at).expect("it was found there");
            self.end(queued.request, Ending::Cancelled, now, None, listener);
            if at == 0 {
                self.look_again(now, listener);
            }
        } else if let Some(running) = self.running.iter_mut().find(|running| is_it(&running.request)) {
            running.cancelled = true;
            self.look_again(now, listener);
        }
        self.debug_check(now);
    }

    /// Takes no more requests, finishes those it has, and is down then.
    pub(crate) fn drain(&mut self) {
        if self.mode == Mode::Up {
            self.mode = Mode::Draining;
        }
        self.retire();
    }

    /// Is gone at once, with all that it was doing.
    pub(crate) fn crash(&mut self, now: u64, listener: &mut impl Listener) {
        // The steps of a jump that have ended did what they did.
        self.settle(now);
        self.mode = Mode::Down;
        self.step = None;
        self.epoch += 1;
        self.counters.cancelled_running += self.running.len() as u64;
        let running = std::mem::take(&mut self.running)
            .into_iter()
            .map(|running| running.request);
        let waiting = std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|queued| queued.request);
        for request in running.chain(waiting).collect::<Vec<_>>() {
            self.end(request, Ending::Cancelled, now, None, listener);
        }
        self.pool = KvPool::new(self.capacity.total_blocks);
        self.show();
        self.debug_check(now);
    }

    /// Is there again, with an empty cache.
    pub(crate) fn start(&mut self) {
        if self.mode == Mode::Down {
            self.counters.restarts += u64::from(self.has_been_up);
            self.before = self.counters;
            self.has_been_up = true;
        }
        self.mode = Mode::Up;
        self.show();
    }

    /// Was never there so far: a worker that joins later begins like this.
    pub(crate) fn absent(&mut self) {
        self.mode = Mode::Down;
        self.has_been_up = false;
    }

    /// Loses the part of its cache that no request holds.
    pub(crate) fn flush_cache(&mut self) {
        self.pool.flush();
    }

    /// Whether steps and requests are reported.
    fn is_reported(&self) -> bool {
        self.steps == Steps::Reported
    }

    fn end(
        &mut self,
        request: Request,
        ending: Ending,
        at: u64,
        kept: Option<Link>,
        listener: &mut impl Listener,
    ) {
        let counter = match ending {
            Ending::Finished => &mut self.counters.finished,
            Ending::Rejected => &mut self.counters.rejected,
            Ending::Unservable => &mut self.counters.unservable,
            Ending::Cancelled => &mut self.counters.cancelled,
        };
        *counter += 1;
        if self.is_reported() {
            let output = (ending == Ending::Finished).then_some(request.output);
            listener.changed(at, request.id, RequestChange::Ended { output });
        }
        self.counters.response_ns += at - request.arrived;
        let kept_blocks = kept.map_or(0, |kept| kept.blocks);
        let covered = (blocks_of(&request.chain) + kept_blocks) * self.capacity.block_size;
        listener.ended(Ended {
            request,
            ending,
            at,
            kept,
            covered,
        });
    }

    /// The full blocks of its own that a finished request leaves in the cache.
    fn kept(&self, running: &Running) -> Link {
        let full = running.kv / self.capacity.block_size;
        Link {
            key: SegmentKey::Request(running.request.id),
            blocks: full.saturating_sub(blocks_of(&running.request.chain)),
        }
    }

    /// A worker that drains is down once nothing is left.
    fn retire(&mut self) {
        if self.mode == Mode::Draining && self.running.is_empty() && self.waiting.is_empty() {
            self.mode = Mode::Down;
            self.pool = KvPool::new(self.capacity.total_blocks);
            self.show();
        }
    }
}
