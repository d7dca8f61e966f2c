//! The task that reads from etcd how much workers can hold, and follows what changes there.

mod address;
mod gateway;
mod messages;

use std::time::Duration;

use anyhow::Context;
use fleet::{RegistryNews, RegistryReport};
use link::{Limiter, reconnect_delay};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep};
use tracing::{info, warn};

pub use address::{EtcdServers, EtcdServersError};

use self::gateway::{Failure, Gateway};
use self::messages::Cards;
use crate::engine::Report;

/// How often the store is asked whether it still has a leader. A watch of a member that is cut off from the others
/// stays open, and is silent.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How often the same line is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How reading ended.
enum Ended {
    /// The store could not be read any longer.
    Failed(Failure),
    /// Nothing takes reports.
    Closed,
}

/// Reads the store as long as the program runs, however often it goes away and comes back.
pub(crate) async fn run(servers: EtcdServers, reports: mpsc::Sender<Report>) -> anyhow::Result<()> {
    let mut reading = Reading {
        reports,
        cards: Cards::default(),
        limiter: Limiter::new(LOG_INTERVAL),
        failures: 0,
        is_reading: false,
    };
    for server in 0.. {
        reading.report(false, RegistryNews::None).await?;
        sleep(reconnect_delay(reading.failures + 1)).await;
        let failure = match reading.follow(&servers, server).await {
            Ended::Failed(failure) => failure,
            Ended::Closed => break,
        };
        reading.failures += 1;
        // A connection that is lost and made again at once is no news; otherwise the next failure says why.
        if std::mem::take(&mut reading.is_reading) {
            continue;
        }
        if let Some(left_out) = reading.limiter.admit("failed", Instant::now()) {
            warn!(%servers, reason = %failure, left_out, "etcd cannot be read, and capacities stay as they are; still trying");
        }
    }
    anyhow::bail!("nothing takes reports")
}

/// What outlives a connection.
struct Reading {
    reports: mpsc::Sender<Report>,
    cards: Cards,
    limiter: Limiter<String>,
    /// Failures since the store could be read.
    failures: usize,
    is_reading: bool,
}

impl Reading {
    /// Reads all that one of the servers has, and then what changes, until that fails.
    async fn follow(&mut self, servers: &EtcdServers, server: usize) -> Ended {
        match self.try_follow(servers, server).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn try_follow(
        &mut self,
        servers: &EtcdServers,
        server: usize,
    ) -> Result<std::convert::Infallible, Ended> {
        let gateway = Gateway::connect(servers, server).await?;
        let (all, revision) = gateway.read_all(&mut self.cards).await?;
        let workers = all.len();
        let mut watch = gateway.watch(revision + 1).await?;
        self.report(true, RegistryNews::All(all))
            .await
            .map_err(|_| Ended::Closed)?;
        (self.failures, self.is_reading) = (0, true);
        if let Some(left_out) = self.limiter.admit("connected", Instant::now()) {
            info!(%servers, workers, left_out, "capacities are read from etcd");
        }
        let mut checks = interval_at(Instant::now() + CHECK_INTERVAL, CHECK_INTERVAL);
        loop {
            tokio::select! {
                changes = watch.next(&mut self.cards) => {
                    let news = RegistryNews::Changes(changes?);
                    self.report(true, news).await.map_err(|_| Ended::Closed)?;
                }
                _ = checks.tick() => gateway.check().await?,
            }
        }
    }

    async fn report(&self, connected: bool, news: RegistryNews) -> anyhow::Result<()> {
        let report = RegistryReport {
            connected,
            unreadable: self.cards.unreadable,
            news,
        };
        self.reports
            .send(Report::Registry(report))
            .await
            .context("nothing takes reports")
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
