//! A fleet and a collector that watches it: waiting until all is steady, and measuring from then on.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::figure::thousands;
use super::page::{Page, Scrape};
use super::rhythm::{INTERVAL, Rhythm};
use super::stage::Stage;
use super::usage::{Cpu, Memory};
use crate::process::Running;

/// How long the collector may take to show all workers.
const COMPLETE: Duration = Duration::from_secs(30);
/// How long all workers must be shown before anything is measured: the first two rounds are over then.
const STEADY: Duration = Duration::from_secs(3);
/// How often the page is read until then.
const LOOK: Duration = Duration::from_secs(1);

/// The programs of one measurement; they end with it, the collector first.
#[derive(Debug)]
pub(in super::super) struct Session<'a> {
    pub(in super::super) stage: &'a Stage<'a>,
    pub(in super::super) workers: u32,
    pub(in super::super) page: Page,
    rhythm: Rhythm,
    collector: Running,
    _fleet: Running,
}

impl<'a> Session<'a> {
    /// Starts a collector with more flags on a fleet that runs, and waits until it shows all workers, for two rounds at least.
    ///
    /// # Errors
    /// Says how many it shows when the time is over.
    pub(in super::super) fn open(
        stage: &'a Stage<'a>,
        fleet: Running,
        workers: u32,
        targets: &[String],
        flags: &[String],
    ) -> Result<Self> {
        let (mut collector, port) = stage.collector(targets, flags)?;
        let page = Page::new(port);
        let first = wait_until_steady(stage, &mut collector, &page, workers)?;
        Ok(Self {
            stage,
            workers,
            rhythm: Rhythm::of(&first)?,
            page,
            collector,
            _fleet: fleet,
        })
    }

    /// Waits until so much time has passed since the beginning of a round.
    pub(in super::super) fn wait_for(&self, after: Duration) -> Result<()> {
        self.wait(self.rhythm.until(after))
    }

    pub(in super::super) fn wait(&self, time: Duration) -> Result<()> {
        self.stage.processes.wait(Some(time), || Ok(None::<()>)).map(drop)
    }

    pub(in super::super) fn cpu(&self) -> Result<Cpu> {
        Cpu::of(self.collector.pid())
    }

    pub(in super::super) fn memory(&self) -> Result<Memory> {
        Memory::of(self.collector.pid())
    }

    /// The CPU time of so many rounds, in seconds.
    pub(in super::super) fn cpu_of_rounds(&self, rounds: u32, after: Duration) -> Result<f64> {
        self.wait_for(after)?;
        let before = self.cpu()?;
        self.wait(rounds * INTERVAL)?;
        Ok(self.cpu()?.since(&before).as_secs_f64())
    }
}

fn wait_until_steady(
    stage: &Stage<'_>,
    collector: &mut Running,
    page: &Page,
    workers: u32,
) -> Result<Scrape> {
    let started = Instant::now();
    let mut looked = started;
    let mut all_since = None;
    let mut last = "its page was not there yet".to_owned();
    let steady = stage.processes.wait(Some(COMPLETE), || {
        if let Some(status) = collector.ended()? {
            bail!("the collector has ended: {status}");
        }
        if looked.elapsed() < LOOK {
            return Ok(None);
        }
        let view = page.scrape();
        looked = Instant::now();
        match view {
            Ok(view) if view.fresh == f64::from(workers) => {
                let since = *all_since.get_or_insert(looked);
                return Ok((looked - since >= STEADY).then_some(view));
            }
            Ok(view) => {
                all_since = None;
                last = format!(
                    "{} of {} workers are fresh",
                    thousands(view.fresh as u64),
                    thousands(workers.into())
                );
            }
            Err(error) => last = format!("{error:#}"),
        }
        Ok(None)
    })?;
    steady.with_context(|| format!("{last} after {} s", started.elapsed().as_secs()))
}
