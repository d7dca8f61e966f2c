//! [`Books`]: what a sink counts, for the page.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use crate::export::{Sink, SinkView};

/// Counters that the sink writes and the page reads.
#[derive(Debug)]
pub(super) struct Books {
    sink: Sink,
    last_success_millis: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    rejected: AtomicU64,
    waiting: AtomicU64,
    dropped: AtomicU64,
}

impl Books {
    pub(super) fn of(sink: Sink) -> Self {
        Self {
            sink,
            last_success_millis: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(super) fn sink(&self) -> Sink {
        self.sink
    }

    pub(super) fn succeeded(&self) {
        self.succeeded.fetch_add(1, Relaxed);
        self.last_success_millis.store(unix_millis(), Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(super) fn refused(&self, requests: u64) {
        self.refused.fetch_add(requests, Relaxed);
    }

    pub(super) fn rejected(&self, points: u64) {
        self.rejected.fetch_add(points, Relaxed);
    }

    pub(super) fn dropped(&self, snapshots: u64) {
        self.dropped.fetch_add(snapshots, Relaxed);
    }

    pub(super) fn waiting(&self, snapshots: usize) {
        self.waiting.store(snapshots as u64, Relaxed);
    }

    pub(super) fn view(&self) -> SinkView {
        let last_success = self.last_success_millis.load(Relaxed);
        SinkView {
            sink: self.sink,
            last_success: (last_success > 0).then(|| Duration::from_millis(last_success)),
            succeeded: self.succeeded.load(Relaxed),
            failed: self.failed.load(Relaxed),
            refused: self.refused.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
        }
    }
}

pub(super) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}
