//! Wires it all: connects, starts the workers, lets time pass, and stops in order.

mod answer;
mod connection;
mod fleet;
mod telling;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, MissedTickBehavior, timeout_at};
use tracing::info;

use crate::args::Config;
use crate::sim::{Fleet, FleetConfig, WorkerModel};
use connection::Connection;
use fleet::{Loads, Workers};
use telling::{ChangedLoads, Tale, Teller};

/// How often the simulation catches up with the clock.
const TICK: Duration = Duration::from_millis(100);

/// Runs the workers until `shutdown` is ready, then stops them in order.
///
/// # Errors
/// Where NATS refuses to let us in, or a worker.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    tokio::pin!(shutdown);
    let connection = tokio::select! {
        connection = Connection::open(&config.servers) => connection?,
        () = &mut shutdown => {
            info!("stopped before NATS was reached");
            return Ok(());
        }
    };
    let mut load = Load::new(&config);
    let workers = tokio::select! {
        workers = Workers::start(&config, &connection.client, &load.loads) => workers?,
        refused = connection.refused() => return Err(refused.into()),
        () = &mut shutdown => {
            info!("stopped before all workers were registered");
            return Ok(());
        }
    };
    let workers = Arc::new(workers);
    let (mut teller, mut telling) = Teller::start(workers.clone(), connection.client.clone());

    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let start = Instant::now();
    let ended = loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            refused = connection.refused() => break Err(refused),
            _ = ticks.tick() => teller.tell(load.advance(start.elapsed())),
        }
    };
    info!(grace = ?config.grace, "stopping");
    let deadline = Instant::now() + config.grace;
    // The last events go out before their workers do.
    drop(teller);
    if !connection.is_up() || timeout_at(deadline, &mut telling).await.is_err() {
        telling.abort();
        let _ = telling.await;
    }
    let workers = Arc::into_inner(workers).context("failed to stop the task that publishes events")?;
    workers
        .shutdown(deadline.saturating_duration_since(Instant::now()))
        .await;
    connection.close().await;
    info!("stopped");
    ended.map_err(Into::into)
}

/// The simulation and what is told of it.
struct Load {
    fleet: Fleet,
    loads: Loads,
    changed: Option<ChangedLoads>,
}

impl Load {
    fn new(config: &Config) -> Self {
        let fleet = Fleet::new(&FleetConfig {
            seed: config.seed,
            workers: config.ids.clone(),
            model: WorkerModel {
                requests_per_second: config.request_rate,
                ..WorkerModel::default()
            },
        });
        info!(seed = config.seed, "load is drawn from this seed");
        let workers = fleet.len();
        let load = Self {
            fleet,
            loads: Loads::new(workers),
            changed: config
                .event_interval
                .map(|interval| ChangedLoads::new(interval, workers)),
        };
        // A worker has a load from its first reply on.
        load.show();
        load
    }

    /// Lives on until `now`, shows the new loads, and returns what there is to tell.
    fn advance(&mut self, now: Duration) -> Vec<Tale> {
        let events = self.fleet.advance(now);
        self.show();
        let mut tales: Vec<Tale> = events
            .into_iter()
            .map(|event| Tale::HitRate(event.worker, event.hit_rate))
            .collect();
        if let Some(changed) = &mut self.changed {
            tales.extend(changed.due(now, |worker| self.loads.get(worker)));
        }
        tales
    }

    fn show(&self) {
        for worker in 0..self.fleet.len() {
            self.loads.set(worker, self.fleet.stats(worker));
        }
    }
}
