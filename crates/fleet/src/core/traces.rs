//! Request traces: for which pools the records of frontends count.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;
use protocol::WorkerId;
use protocol::events::RequestTrace;

use super::Core;
use crate::Now;
use crate::requests::{RequestBooks, Role};
use crate::roster::PoolKey;
use crate::snapshot::WorkerKey;

/// How long a record waits for its workers to be found. A worker reports a pass, or that it lives, every second.
const PATIENCE: Duration = Duration::from_secs(3);

/// Records that wait.
const MAX_WAITING: usize = 20_000;

/// Workers whose pool is remembered.
const MAX_REMEMBERED: usize = 200_000;

/// Records that wait for their workers, and the pools of workers that were looked for.
#[derive(Debug, Default)]
pub(super) struct Traces {
    waiting: VecDeque<(Duration, RequestTrace)>,
    pool_of: HashMap<WorkerId, PoolKey>,
}

impl Traces {
    /// When the first record has waited long enough.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        self.waiting.front().map(|(until, _)| *until)
    }
}

impl Core {
    /// Takes in records. All count for the frontends at once; for pools when their workers are known.
    pub(super) fn traces(&mut self, traces: Vec<RequestTrace>, now: Now) {
        for trace in traces {
            self.frontends.books.enter(&trace, Role::Aggregated);
            let names_workers = trace.prefill_worker.is_some() || trace.decode_worker.is_some();
            if !names_workers {
                self.frontends.unjoined += 1;
            } else if !self.join(&trace, false) {
                if self.traces.waiting.len() >= MAX_WAITING {
                    self.join_oldest();
                }
                self.traces.waiting.push_back((now.mono + PATIENCE, trace));
            }
        }
    }

    /// Counts records that have waited long enough for what is known by now.
    pub(super) fn join_waiting(&mut self, now: Now) {
        while self.traces.wake_at().is_some_and(|until| until <= now.mono) {
            self.join_oldest();
            self.dirty(now);
        }
    }

    fn join_oldest(&mut self) {
        if let Some((_, trace)) = self.traces.waiting.pop_front()
            && !self.join(&trace, true)
        {
            self.frontends.unjoined += 1;
        }
    }

    /// Counts a record for the pools of its workers; `false` where one is not known, and with `is_last` where none is.
    fn join(&mut self, trace: &RequestTrace, is_last: bool) -> bool {
        let (prefill, decode) = (trace.prefill_worker, trace.decode_worker);
        let [prefill_pool, decode_pool] = [prefill, decode].map(|id| id.and_then(|id| self.pool_with(id)));
        let is_whole =
            prefill.is_none_or(|_| prefill_pool.is_some()) && decode.is_none_or(|_| decode_pool.is_some());
        if !(is_whole || is_last) {
            return false;
        }
        let is_aggregated = prefill.is_none() || decode.is_none() || prefill == decode;
        let entries = match is_aggregated {
            true => [
                (prefill_pool.or(decode_pool), Role::Aggregated),
                (None, Role::Decode),
            ],
            false => [(prefill_pool, Role::Prefill), (decode_pool, Role::Decode)],
        };
        let mut is_joined = false;
        for (pool, role) in entries {
            let Some(pool) = pool else { continue };
            let buckets = &self.plan.buckets;
            let pool = &mut self.pools[pool];
            let books = pool
                .books
                .requests
                .get_or_insert_with(|| RequestBooks::new(buckets).into());
            books.enter(trace, role);
            pool.changed();
            is_joined = true;
        }
        self.frontends.joined += u64::from(is_joined);
        is_joined
    }

    /// The pool that has a worker of this id. Of several, because a process may serve several endpoints, it is the one that
    /// hears the worker's events.
    fn pool_with(&mut self, id: WorkerId) -> Option<PoolKey> {
        let key = WorkerKey::Id(id);
        if let Some(pool) = self.traces.pool_of.get(&id)
            && self
                .pools
                .get(*pool)
                .is_some_and(|pool| pool.by_key.contains_key(&key))
        {
            return Some(*pool);
        }
        let having = self.pools.iter().filter_map(|(pool_key, pool)| {
            let worker = pool.workers.get(*pool.by_key.get(&key)?)?;
            Some((worker.heard.is_none(), pool_key))
        });
        let (_, pool) = having.min()?;
        if self.traces.pool_of.len() >= MAX_REMEMBERED {
            self.traces.pool_of.clear();
        }
        self.traces.pool_of.insert(id, pool);
        Some(pool)
    }
}
