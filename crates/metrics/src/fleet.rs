//! What is known about every target's workers: one owner, fed by rounds and events, read through snapshots.
//!
//! Pure: time is an argument. This module must not know async-nats, axum or prometheus-client.

mod complaints;
mod pool;
mod settle;
mod snapshot;
mod spread;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use protocol::{Description, EndpointPath, EventError, KvHitRate, KvMetrics, StatsReply};

use crate::gather::{Expected, Finish};
use crate::intake::{Judgement, ReplyResult, judge};
use crate::matching::Target;

pub use pool::{EventResult, NearMissCount};
pub use snapshot::{Histogram, LinkView, PoolView, Snapshot, WorkerState, WorkerView};
pub use spread::Resource;

use pool::Pool;

/// When workers age, and what counts as full.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetSettings {
    /// Missed rounds after which a worker is stale.
    pub stale_after: u32,
    /// Missed rounds after which a worker is gone.
    pub gone_after: u32,
    /// Waiting requests at which a worker counts as saturated.
    pub queue_target: f64,
    /// KV use at which a worker counts as saturated.
    pub kv_target: f64,
}

impl FleetSettings {
    /// What holds unless the user says otherwise.
    pub const DEFAULT: Self = Self {
        stale_after: 2,
        gone_after: 5,
        queue_target: 5.0,
        kv_target: 0.8,
    };
}

/// The state of all targets.
#[derive(Debug)]
pub struct Fleet {
    settings: FleetSettings,
    pools: Vec<Pool>,
    grace: u32,
}

/// How a round went, for the books.
#[derive(Debug, Clone, Copy)]
pub struct RoundSummary {
    /// Why it ended.
    pub finish: Finish,
    /// From the request to now.
    pub duration: Duration,
    /// When it ended.
    pub now: SystemTime,
}

/// A reply of a round, or the fact that one could not be read.
pub type MaybeReply = Option<Arc<StatsReply>>;

/// Rounds after a reconnect in which a missing worker is not held against it, because subscriptions spread through
/// a cluster only gradually.
const GRACE_ROUNDS: u32 = 2;

impl Fleet {
    /// An empty fleet.
    pub fn new(targets: Vec<Target>, settings: FleetSettings) -> Self {
        Self {
            settings,
            pools: targets.into_iter().map(Pool::new).collect(),
            grace: 0,
        }
    }

    /// Who should answer the next round: all fresh workers.
    pub fn expected(&self) -> HashSet<Expected> {
        self.pools
            .iter()
            .flat_map(|pool| pool.expected(&self.settings))
            .collect()
    }

    /// The targets' paths.
    pub fn paths(&self) -> impl Iterator<Item = &EndpointPath> {
        self.pools.iter().map(|pool| &pool.target.path)
    }

    /// Whether the description of this reply's instance decides anything.
    pub fn wants_description(&self, reply: &StatsReply) -> bool {
        reply.endpoints.iter().any(|e| {
            self.pools
                .iter()
                .any(|pool| pool.target.wants_description(&e.subject))
        })
    }

    /// Whether some target has no workers, so that near misses matter.
    pub fn lacks_workers(&self) -> bool {
        self.pools.iter().any(|pool| pool.workers.is_empty())
    }

    /// Takes in all replies of a round.
    ///
    /// Within a round the first reply of an instance counts; of two instances with the same worker id, the one that
    /// started last.
    pub fn apply_round(
        &mut self,
        replies: &[MaybeReply],
        describe: impl Fn(&StatsReply) -> Option<Description>,
        summary: RoundSummary,
    ) {
        let failed = summary.finish == Finish::Error;
        let answered: HashSet<(&str, &str)> = replies
            .iter()
            .flatten()
            .flat_map(|reply| {
                reply
                    .endpoints
                    .iter()
                    .map(|endpoint| (reply.id.as_str(), endpoint.subject.as_str()))
            })
            .collect();
        for at in 0..self.pools.len() {
            let finish = self.pools[at].finish(summary.finish, &answered, &self.settings);
            let judged = self.judge_all(at, replies, &describe);
            let misses = match (failed, self.grace > 0) {
                (true, _) => Misses::UntilStale,
                (false, true) => Misses::Forgiven,
                (false, false) => Misses::Counted,
            };
            self.pools[at].apply_round(&judged, finish, summary, misses, &self.settings);
        }
        if !failed {
            self.grace = self.grace.saturating_sub(1);
        }
    }

    /// Takes in a reply that came after its round had ended.
    pub fn apply_between_rounds(
        &mut self,
        reply: &MaybeReply,
        describe: impl Fn(&StatsReply) -> Option<Description>,
        arrival: Arrival,
        now: SystemTime,
    ) {
        for at in 0..self.pools.len() {
            let judged = self.judge_all(at, std::slice::from_ref(reply), &describe);
            self.pools[at].apply_between_rounds(&judged[0], arrival, now, &self.settings);
        }
    }

    /// The connection is gone: nothing that is known is current.
    pub fn link_lost(&mut self) {
        for pool in &mut self.pools {
            pool.link_lost(&self.settings);
        }
    }

    /// The connection is back: not all workers need hear of it at once.
    pub fn link_restored(&mut self) {
        self.grace = GRACE_ROUNDS;
    }

    /// Takes in a hit-rate event that came at a subject of these targets.
    pub fn apply_hit_rate(&mut self, targets: &[usize], event: &Result<KvHitRate, EventError>) {
        for &target in targets {
            self.pools[target].apply_hit_rate(event);
        }
    }

    /// Takes in a load event that came at a subject of these targets.
    pub fn apply_metrics(&mut self, targets: &[usize], event: &Result<KvMetrics, EventError>) {
        for &target in targets {
            self.pools[target].apply_metrics(event);
        }
    }

    /// What everyone else may see.
    pub fn snapshot(&self, link: LinkView) -> Snapshot {
        Snapshot {
            pools: self.pools.iter().map(|pool| pool.view(&self.settings)).collect(),
            link,
        }
    }

    fn judge_all(
        &self,
        at: usize,
        replies: &[MaybeReply],
        describe: &impl Fn(&StatsReply) -> Option<Description>,
    ) -> Vec<Judgement> {
        let target = &self.pools[at].target;
        let others = || {
            self.pools
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, pool)| pool)
        };
        let claims = |subject: &str| others().any(|pool| pool.target.is_static(subject));
        let unreadable = || Judgement {
            result: ReplyResult::Malformed,
            sightings: Vec::new(),
            near_misses: Vec::new(),
        };
        replies
            .iter()
            .map(|reply| match reply {
                Some(reply) => judge(target, reply, describe(reply).as_ref(), claims),
                None => unreadable(),
            })
            .collect()
    }
}

/// What it means that a worker did not answer a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Misses {
    /// It ages.
    Counted,
    /// Nothing: the connection was restored just now.
    Forgiven,
    /// The round failed. What is known grows old, but nobody is gone for that.
    UntilStale,
}

/// What the round knew of an instance whose reply came after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was waited for, in vain.
    Late,
    /// It had answered already.
    Repeated,
    /// It was not known.
    Newcomer,
}

type Counts<K> = BTreeMap<K, u64>;
type Workers = HashMap<crate::intake::WorkerKey, worker::Worker>;
