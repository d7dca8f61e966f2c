//! A collector that hears the workers, and what it has used.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::super::figure::thousands;
use super::super::page::Page;
use super::super::stage::Stage;
use super::super::usage::Cpu;
use super::{RANKS, WORKERS};
use crate::process::Running;

/// Where the yardsticks publish, unless they are asked for another path.
const TARGET: &str = "dynamo/my_component/my_endpoint";
/// How long the collector may take to show all workers.
const HEARD: Duration = Duration::from_secs(30);
/// How long the heartbeats may take.
const PUBLISH: Duration = Duration::from_secs(10);

/// The collector; it ends with this.
#[derive(Debug)]
pub(super) struct Listener<'a> {
    pub(super) stage: &'a Stage<'a>,
    pub(super) page: Page,
    collector: Running,
}

impl<'a> Listener<'a> {
    /// Starts a collector and publishes heartbeats until it shows all workers.
    ///
    /// # Errors
    /// Says how many it shows when the time is over.
    pub(super) fn open(stage: &'a Stage<'a>) -> Result<Self> {
        eprintln!("xtask: {} workers: starting ...", thousands(WORKERS.into()));
        let (collector, port) = stage.collector(&[TARGET.to_owned()], &[])?;
        let mut listener = Self {
            stage,
            page: Page::new(port),
            collector,
        };
        let started = Instant::now();
        let mut last = "its page was not there yet".to_owned();
        while started.elapsed() < HEARD {
            if let Some(status) = listener.collector.ended()? {
                bail!("the collector has ended: {status}");
            }
            // With one message for each rank, a source publishes heartbeats alone.
            stage.finish(source(stage, "passes", (WORKERS * RANKS).into())?, PUBLISH)?;
            listener.wait(Duration::from_secs(1))?;
            match listener.page.scrape() {
                Ok(page) if page.fresh == f64::from(WORKERS) => return Ok(listener),
                Ok(page) => last = format!("{} of {WORKERS} workers are fresh", page.fresh),
                Err(error) => last = format!("{error:#}"),
            }
        }
        bail!("{last} after {HEARD:?}")
    }

    pub(super) fn wait(&self, time: Duration) -> Result<()> {
        self.stage.processes.wait(Some(time), || Ok(None::<()>)).map(drop)
    }

    pub(super) fn cpu(&self) -> Result<Cpu> {
        Cpu::of(self.collector.pid()).context("failed to read what the collector has used")
    }
}

/// Starts the yardstick that publishes so many messages of a kind, at its own rate.
pub(super) fn source(stage: &Stage<'_>, kind: &str, messages: u64) -> Result<Running> {
    let [messages, workers, ranks] =
        [messages, WORKERS.into(), RANKS.into()].map(|number| number.to_string());
    stage.yardstick(&[
        kind,
        "--messages",
        &messages,
        "--workers",
        &workers,
        "--ranks",
        &ranks,
    ])
}
