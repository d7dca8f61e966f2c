//! Publishes the events of the simulation: hit rates as they happen, loads when they changed.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use protocol::{KvHitRate, KvMetrics, WorkerStats};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use super::fleet::Workers;

/// How many ticks may wait for the connection. What comes on top is lost, as are events on NATS nobody listens to.
const BACKLOG: usize = 16;

/// What a worker has to say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tale {
    HitRate(usize, KvHitRate),
    Load(usize, WorkerStats),
}

/// Which loads are due: those that changed since they were told last, once an interval.
#[derive(Debug)]
pub(super) struct ChangedLoads {
    interval: Duration,
    next: Duration,
    told: Vec<Option<WorkerStats>>,
}

impl ChangedLoads {
    pub(super) fn new(interval: Duration, workers: usize) -> Self {
        Self {
            interval,
            next: Duration::ZERO,
            told: vec![None; workers],
        }
    }

    /// What is to be told at `now`, the time since the start.
    pub(super) fn due(&mut self, now: Duration, load: impl Fn(usize) -> WorkerStats) -> Vec<Tale> {
        if now < self.next {
            return Vec::new();
        }
        // Intervals that were slept through are not made up for.
        while self.next <= now {
            self.next += self.interval;
        }
        let mut tales = Vec::new();
        for (worker, told) in self.told.iter_mut().enumerate() {
            let load = load(worker);
            if told.as_ref() != Some(&load) {
                *told = Some(load.clone());
                tales.push(Tale::Load(worker, load));
            }
        }
        tales
    }
}

/// Takes what is to be told and never makes the simulation wait.
#[derive(Debug)]
pub(super) struct Teller {
    batches: mpsc::Sender<Vec<Tale>>,
    client: Client,
    lost: usize,
}

impl Teller {
    /// A teller, and the task behind it, which ends when the teller is dropped and all is told.
    pub(super) fn start(workers: Arc<Workers>, client: Client) -> (Self, JoinHandle<()>) {
        let (batches, mut received) = mpsc::channel(BACKLOG);
        let task = tokio::spawn(async move {
            while let Some(batch) = received.recv().await {
                tell(&workers, batch).await;
            }
        });
        let teller = Self {
            batches,
            client,
            lost: 0,
        };
        (teller, task)
    }

    /// While the connection is lost, so is what is told: async-nats would keep some of it and tell it much later.
    pub(super) fn tell(&mut self, batch: Vec<Tale>) {
        let size = batch.len();
        let taken =
            self.client.connection_state() == State::Connected && self.batches.try_send(batch).is_ok();
        if !taken {
            if self.lost == 0 && size > 0 {
                warn!("events are lost, for the NATS connection does not take them");
            }
            self.lost += size;
        } else if self.lost > 0 {
            info!(lost = self.lost, "events are published again");
            self.lost = 0;
        }
    }
}

async fn tell(workers: &Workers, batch: Vec<Tale>) {
    for tale in batch {
        let published = match tale {
            Tale::HitRate(worker, event) => workers.get(worker).publish_hit_rate(&event).await,
            Tale::Load(worker, stats) => {
                let worker = workers.get(worker);
                worker.publish_metrics(&KvMetrics::new(worker.id(), stats)).await
            }
        };
        if let Err(error) = published {
            debug!(%error, "an event was not published");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_told_once_an_interval_and_only_when_it_changed() {
        let mut loads = ChangedLoads::new(Duration::from_secs(1), 2);
        let load = |active| {
            WorkerStats::builder()
                .kv_blocks(active, 100)
                .build()
                .expect("in range")
        };
        let mut check = |milliseconds, [first, second]: [u64; 2], expected: &[usize]| {
            let due = loads.due(Duration::from_millis(milliseconds), |worker| {
                load(if worker == 0 { first } else { second })
            });
            let workers: Vec<usize> = due
                .iter()
                .map(|tale| match tale {
                    Tale::Load(worker, _) | Tale::HitRate(worker, _) => *worker,
                })
                .collect();
            assert_eq!(workers, expected, "at {milliseconds} ms");
        };
        check(0, [1, 1], &[0, 1]);
        check(900, [2, 1], &[]);
        check(1_000, [2, 1], &[0]);
        check(2_000, [2, 1], &[]);
        check(7_300, [3, 3], &[0, 1]);
        check(7_400, [4, 4], &[]);
        check(8_000, [4, 3], &[0]);
    }
}
