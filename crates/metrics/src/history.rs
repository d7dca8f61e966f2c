//! [`History`]: the last 15 minutes of every pool and of a bounded number of workers, and the rates of all of them.
//!
//! It is fed by published snapshots, outside of the engine. Each pool and worker has a ring of fixed size, so the memory
//! does not depend on how long the collector runs or how often it polls: [`Ring::BYTES`] for each.

mod charts;
mod counters;
mod feed;
mod pool_past;
mod ring;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fleet::PoolName;
use tokio::time::Instant;

use crate::published::Published;

use tally::Tally;

pub use counters::Rates;
pub use feed::Feed;
pub use pool_past::{PoolPast, WorkerPast};
pub use ring::Ring;

/// How far back it goes.
pub const SPAN: Duration = Duration::from_secs(900);

/// Time from one point to the next.
pub const STEP: Duration = Duration::from_secs(5);

/// Points of each ring.
pub const POINTS: usize = (SPAN.as_secs() / STEP.as_secs()) as usize;

/// Pools of which points are kept. A glob may find very many.
const MAX_POOLS: usize = 2_000;

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing but the counters that rates need.
    Off,
    /// Every pool, and up to this many workers and instances.
    Workers(usize),
}

impl Keep {
    /// Workers that have a ring unless the configuration says otherwise.
    pub const WORKERS: usize = 10_000;
}

/// A text that says neither how many workers are remembered nor `off`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be a number of workers from 0 to {MAX_WORKERS}, or `off`")]
pub struct KeepError;

/// Workers that can be remembered at most: what a fleet of the largest size has.
const MAX_WORKERS: usize = 200_000;

impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        match text {
            "off" => Ok(Self::Off),
            number => match number.parse() {
                Ok(workers) if workers <= MAX_WORKERS => Ok(Self::Workers(workers)),
                _ => Err(KeepError),
            },
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Workers(workers) => workers.fmt(f),
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self::Workers(Self::WORKERS)
    }
}

/// The last 15 minutes.
#[derive(Debug)]
pub struct History {
    keep: Keep,
    pools: HashMap<PoolName, PoolPast>,
    sequence: u64,
    /// Where the time of points begins.
    started: Option<Instant>,
    clock: Clock,
    /// Workers that have a ring.
    rings: usize,
    pool_rings: usize,
    /// Of permission violations.
    denials: Tally,
}

/// The time of the snapshot that was taken in last.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    /// Since the history began, on a clock that no operator can set.
    now: Duration,
    /// When the snapshot was taken, in Unix seconds.
    unix: f64,
    /// The number of the newest point of every ring.
    point: u64,
}

impl History {
    /// A history of nothing yet.
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            pools: HashMap::new(),
            sequence: 0,
            started: None,
            clock: Clock::default(),
            rings: 0,
            pool_rings: 0,
            denials: Tally::of(5),
        }
    }

    /// Takes in a snapshot, unless it was taken in already.
    pub fn take_in(&mut self, published: &Published) {
        let snapshot = &published.snapshot;
        if snapshot.sequence <= self.sequence {
            return;
        }
        self.sequence = snapshot.sequence;
        let started = *self.started.get_or_insert(published.at);
        let now = published.at.saturating_duration_since(started);
        self.clock = Clock {
            now,
            unix: snapshot.taken.as_secs_f64(),
            point: now.as_secs() / STEP.as_secs(),
        };
        self.denials.take_in(now, snapshot.link.permission_violations);
        let (max_rings, keeps_pools) = match self.keep {
            Keep::Off => (0, false),
            Keep::Workers(workers) => (workers, true),
        };
        for pool in &snapshot.pools {
            let past = match self.pools.get_mut(&pool.name) {
                Some(past) => past,
                None => {
                    let has_ring = keeps_pools && self.pool_rings < MAX_POOLS;
                    self.pool_rings += usize::from(has_ring);
                    let past = PoolPast::new(has_ring, self.clock);
                    self.pools.entry(pool.name.clone()).or_insert(past)
                }
            };
            past.take_in(pool, self.clock, self.sequence, &mut self.rings, max_rings);
        }
        if self.pools.len() > snapshot.pools.len() {
            let sequence = self.sequence;
            let (mut rings, mut pool_rings) = (0, 0);
            self.pools.retain(|_, past| {
                let is_here = past.seen_in() == sequence;
                if !is_here {
                    rings += past.rings();
                    pool_rings += usize::from(past.has_ring());
                }
                is_here
            });
            self.rings -= rings;
            self.pool_rings -= pool_rings;
        }
    }

    /// What is remembered of a pool.
    pub fn pool(&self, name: &PoolName) -> Option<&PoolPast> {
        self.pools.get(name)
    }

    /// Permissions that NATS denied in the last five minutes.
    pub fn denials(&self) -> u64 {
        self.denials.grown()
    }

    /// How many bytes it takes, approximately.
    pub fn bytes(&self) -> u64 {
        let workers: usize = self.pools.values().map(PoolPast::workers).sum();
        let rings = self.rings + self.pool_rings;
        (rings * Ring::BYTES + workers * size_of::<WorkerPast>() + self.pools.len() * size_of::<PoolPast>())
            as u64
    }
}
