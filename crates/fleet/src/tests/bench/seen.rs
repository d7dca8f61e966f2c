//! What the core of a bench has published and said.

use std::sync::Arc;

use protocol::WorkerStats;

use super::Bench;
use crate::tests::POOL;
use crate::{Finish, Notice, PoolView, ReplyResult, Snapshot, WorkerView};

impl Bench {
    pub(in crate::tests) fn snapshot(&self) -> &Snapshot {
        self.snapshots.last().expect("published")
    }

    pub(in crate::tests) fn find(&self, pool: &str) -> Option<Arc<PoolView>> {
        let mut pools = self.snapshot().pools.iter();
        pools.find(|view| view.name.to_string() == pool).cloned()
    }

    pub(in crate::tests) fn pool(&self) -> Arc<PoolView> {
        self.find(POOL).expect("there")
    }

    pub(in crate::tests) fn names(&self) -> Vec<String> {
        self.snapshot()
            .pools
            .iter()
            .map(|pool| pool.name.to_string())
            .collect()
    }

    /// `id state active-blocks` of each worker.
    pub(in crate::tests) fn workers(&self) -> Vec<String> {
        self.pool().workers.iter().map(describe).collect()
    }

    /// The only worker.
    pub(in crate::tests) fn worker(&self) -> WorkerView {
        let [worker] = &self.pool().workers[..] else {
            panic!("{:?}", self.workers());
        };
        worker.clone()
    }

    pub(in crate::tests) fn count(&self, result: ReplyResult) -> u64 {
        self.pool().replies[result]
    }

    pub(in crate::tests) fn finished(&self, finish: Finish) -> u64 {
        self.pool().rounds[finish]
    }

    /// The notices that hold a text, in one line each.
    pub(in crate::tests) fn said(&self, text: &str) -> Vec<String> {
        self.notices
            .iter()
            .map(line)
            .filter(|line| line.contains(text))
            .collect()
    }
}

fn line(notice: &Notice) -> String {
    let fields = notice
        .fields
        .iter()
        .map(|(name, value)| format!(" {name}={value}"));
    format!("{:?} {}{}", notice.level, notice.text, fields.collect::<String>())
}

/// `id state active-blocks`
pub(in crate::tests) fn describe(worker: &WorkerView) -> String {
    let active = worker.load.as_ref().and_then(WorkerStats::kv_blocks_active);
    let active = active.map_or("-".to_owned(), |blocks| blocks.to_string());
    format!("{} {} {active}", worker.identity.worker_id, worker.state.as_str())
}
