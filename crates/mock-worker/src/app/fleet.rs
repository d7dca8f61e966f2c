//! The workers on NATS, each with the load of its simulated twin.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use async_nats::Client;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use protocol::WorkerStats;
use protocol::service::Worker;
use tracing::{info, warn};

use super::answer;
use crate::args::Config;

/// How many workers start at the same time.
const AT_ONCE: usize = 64;

/// How many subjects the log names.
const NAMED_SUBJECTS: usize = 3;

/// What all workers report as their load. Written by the simulation, read by the stats closures.
#[derive(Debug, Clone)]
pub(super) struct Loads(Arc<[Mutex<WorkerStats>]>);

impl Loads {
    pub(super) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Mutex::default()).collect())
    }

    pub(super) fn set(&self, worker: usize, stats: WorkerStats) {
        *self.0[worker].lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }

    /// The lock is held for the copy alone.
    pub(super) fn get(&self, worker: usize) -> WorkerStats {
        self.0[worker]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The workers that are registered on NATS.
#[derive(Debug)]
pub(super) struct Workers(Vec<Worker>);

impl Workers {
    /// Registers them all, and says so.
    pub(super) async fn start(config: &Config, client: &Client, loads: &Loads) -> anyhow::Result<Self> {
        let start = |(index, id)| {
            let loads = loads.clone();
            Worker::builder(config.path.clone())
                .worker_id(id)
                .layout(config.layout)
                .stats_shape(config.stats_shape)
                .encoding(config.encoding)
                .version(env!("CARGO_PKG_VERSION"))
                .stats(move || loads.get(index))
                .handler(answer::characters)
                .start(client.clone())
        };
        let workers: Vec<Worker> = stream::iter(config.ids.iter().copied().enumerate())
            .map(start)
            .buffered(AT_ONCE)
            .try_collect()
            .await
            .context("failed to start a worker")?;
        let first = workers.first().context("there is no worker to start")?;
        let subjects: Vec<String> = workers
            .iter()
            .take(NAMED_SUBJECTS)
            .map(|worker| worker.subject().to_string())
            .collect();
        info!(
            workers = workers.len(),
            path = %first.path(),
            service = %first.subject().service(),
            subjects = subjects.join(" "),
            "ready"
        );
        Ok(Self(workers))
    }

    pub(super) fn get(&self, worker: usize) -> &Worker {
        &self.0[worker]
    }

    /// Stops them all within `grace`.
    pub(super) async fn shutdown(self, grace: Duration) {
        // All of them at the same time: each may need the whole grace.
        let stopped = join_all(self.0.into_iter().map(|worker| worker.shutdown(grace))).await;
        let failures: Vec<_> = stopped.into_iter().filter_map(Result::err).collect();
        if let Some(reason) = failures.first() {
            warn!(workers = failures.len(), %reason, "some workers did not stop in order");
        }
    }
}
