//! Which worker of a pool a request goes to.

use serde::Deserialize;

use super::engine::{Engine, Mode};
use super::random::{Purpose, Random};
use super::request::Request;

/// How requests are spread over the workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Every worker has requests of its own, as if there were a router for each.
    #[default]
    None,
    /// One after the other.
    RoundRobin,
    /// Any, each as likely as the others.
    Random,
    /// The one with the fewest requests, running or waiting.
    LeastLoaded,
    /// The one with the most of the prompt cached, unless it is much busier than others.
    KvAware,
    /// Always the same one for a conversation or user.
    Sticky,
}

/// Picks a worker for each request. It sees what workers report, and does not know their faults.
#[derive(Debug, Clone)]
pub(super) struct Router {
    policy: Policy,
    next: usize,
    random: Random,
}

impl Router {
    pub(super) fn new(policy: Policy, seed: u64) -> Self {
        Self {
            policy,
            next: 0,
            random: Random::new(seed, u32::MAX, Purpose::Routing),
        }
    }

    /// Whether it wants to know what workers have cached.
    pub(super) fn looks_into_caches(&self) -> bool {
        self.policy == Policy::KvAware
    }

    pub(super) fn pick(&mut self, request: &Request, workers: &[Engine], now: u64) -> usize {
        let count = workers.len();
        if count == 1 {
            return 0;
        }
        match self.policy {
            Policy::None | Policy::RoundRobin => {
                self.next = (self.next + 1) % count;
                (self.next + count - 1) % count
            }
            Policy::Random => self.random.uniform(0, count as u64 - 1) as usize,
            Policy::Sticky => (scatter(request.session) % count as u64) as usize,
            Policy::LeastLoaded => self.least(workers, |worker| requests(worker, now)),
            Policy::KvAware => self.least(workers, |worker| {
                let blocks = worker.capacity().blocks(request.input);
                // Both are counted in what must still be done before the request's first token: prompts to compute.
                let to_compute = blocks - worker.hit(&request.chain).min(blocks);
                to_compute + blocks * requests(worker, now) / worker.capacity().slots.max(1)
            }),
        }
    }

    /// The worker with the least cost, of several the next in turn, so that equal ones share the load. Workers that
    /// take no requests come last.
    fn least(&mut self, workers: &[Engine], cost: impl Fn(&Engine) -> u64) -> usize {
        let count = workers.len();
        let turn = self.next;
        let best = (0..count)
            .map(|offset| (turn + offset) % count)
            .min_by_key(|&at| (workers[at].mode() != Mode::Up, cost(&workers[at])))
            .expect("a pool has workers");
        self.next = (best + 1) % count;
        best
    }
}

fn requests(worker: &Engine, now: u64) -> u64 {
    let counters = worker.view(now).counters;
    counters.running + counters.waiting
}

/// Numbers that follow each other go to different workers.
fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
