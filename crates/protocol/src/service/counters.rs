//! [`Counters`]: what one endpoint has counted, as its statistics report it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::HandlerError;

/// What an endpoint has counted since it started, and what it does now.
#[derive(Debug, Default)]
pub(super) struct Counters {
    answered: Mutex<Answered>,
    running: AtomicU64,
    waiting: AtomicU64,
}

/// The requests that were answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Answered {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) processing_time: Duration,
    /// Code and text of the last error; empty before the first.
    pub(super) last_error: String,
}

/// Counts one as long as it lives.
pub(super) struct Held<'a>(&'a AtomicU64);

impl Counters {
    /// Counts an answer that was given after this time.
    pub(super) fn count(&self, took: Duration, error: Option<&HandlerError>) {
        let mut answered = self.lock();
        answered.requests += 1;
        answered.processing_time += took;
        if let Some(error) = error {
            answered.errors += 1;
            answered.last_error = error.on_the_wire();
        }
    }

    pub(super) fn answered(&self) -> Answered {
        self.lock().clone()
    }

    /// Counts a request as running until the guard is dropped.
    pub(super) fn run(&self) -> Held<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        Held(&self.running)
    }

    pub(super) fn running(&self) -> u64 {
        self.running.load(Ordering::Relaxed)
    }

    pub(super) fn set_waiting(&self, requests: usize) {
        self.waiting.store(requests as u64, Ordering::Relaxed);
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Answered> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
