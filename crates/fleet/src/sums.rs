//! [`Sums`]: what all instances of a plain service's endpoint have counted, also those that are gone.
//!
//! A sum never runs backwards. What an instance had counted when it went is remembered for a while, so that one which was
//! only cut off is not counted twice when it comes back.

use time::OffsetDateTime;

use crate::remembered::Remembered;
use crate::snapshot::{PoolName, WorkerKey};
use crate::worker::{Counters, Worker};

/// Instances that are remembered after they went.
const MAX_DEPARTED: usize = 50_000;

/// Pools that are remembered after they went.
const MAX_POOLS: usize = 10_000;

/// The counters of an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Requests.
    pub requests: f64,
    /// Failed requests.
    pub errors: f64,
    /// Time spent on requests, in seconds.
    pub processing_seconds: f64,
}

/// What an instance had counted when it went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Departed {
    pub(crate) counters: Counters,
    pub(crate) started: Option<OffsetDateTime>,
}

/// What went, for as many as there is room.
#[derive(Debug, Default)]
pub(crate) struct Departures {
    instances: Remembered<(PoolName, WorkerKey), Departed>,
    pools: Remembered<PoolName, Sums>,
}

impl Sums {
    /// Adds what `now` has more than `before`.
    pub(crate) fn add_since(&mut self, now: Self, before: Self) {
        self.requests += (now.requests - before.requests).max(0.0);
        self.errors += (now.errors - before.errors).max(0.0);
        self.processing_seconds += (now.processing_seconds - before.processing_seconds).max(0.0);
    }

    /// The larger of each: fractions that are added in another order may give a little less.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            requests: self.requests.max(other.requests),
            errors: self.errors.max(other.errors),
            processing_seconds: self.processing_seconds.max(other.processing_seconds),
        }
    }
}

impl Departures {
    /// An instance of a plain service goes.
    pub(crate) fn gone(&mut self, pool: &PoolName, worker: &Worker) {
        if matches!(pool, PoolName::Service { .. }) {
            let key = (pool.clone(), worker.identity.key.clone());
            self.instances.put(key, worker.departed(), MAX_DEPARTED);
        }
    }

    /// It is back.
    pub(crate) fn back(&mut self, pool: &PoolName, key: &WorkerKey) -> Option<Departed> {
        match pool {
            PoolName::Service { .. } => self.instances.take(&(pool.clone(), key.clone())),
            PoolName::Workers(_) => None,
        }
    }

    /// A pool goes.
    pub(crate) fn pool_gone(&mut self, pool: &PoolName, sums: Sums) {
        self.pools.put(pool.clone(), sums, MAX_POOLS);
    }

    /// It is back.
    pub(crate) fn pool_back(&mut self, pool: &PoolName) -> Sums {
        self.pools.take(pool).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_does_not_run_backwards() {
        let mut sums = Sums::default();
        let of = |requests| Sums {
            requests,
            ..Sums::default()
        };
        sums.add_since(of(5.0), of(2.0));
        sums.add_since(of(1.0), of(2.0));
        assert_eq!(sums, of(3.0));
        assert_eq!(sums.max(of(2.0)), of(3.0));
    }
}
