//! `cargo xtask bench collector`: what the collector costs, next to programs that only count.
//!
//! NATS, a simulator and the collector run as processes. The yardsticks run on the same server with the same workers,
//! in turn with the collector, so a figure is a ratio of two numbers of one run. A figure that cannot be had is a line
//! of the table and does not end the bench.

mod events;
pub(super) mod rhythm;
pub(super) mod session;
mod size;
mod targets;

use anyhow::Result;

use self::figure::{Figure, thousands};
use self::session::Session;
use self::stage::Stage;
use super::report::{self, or_failed};
use super::{figure, page, stage, usage};
use crate::process::Processes;
use crate::workspace::Workspace;

const SIZES: [u32; 4] = [100, 1_000, 10_000, 100_000];
/// The number of workers from which on memory and pages count.
const LARGE: u32 = 10_000;
/// The pool of the simulator.
const TARGET: &str = "dynamo/my_component/my_endpoint";

/// Measure what the collector costs, next to a program that only counts the replies
///
/// Takes less than six minutes, and with --quick less than 90 seconds, after the build. Goals are in the table;
/// docs/performance.md says how each figure is measured.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench collector                     all figures
  cargo xtask bench collector --write             the same, written to docs/performance.md
  cargo xtask bench collector --workers 10000     one size only
  cargo xtask bench collector --quick --check     what CI runs")]
pub(crate) struct Args {
    /// Numbers of workers; many targets and events are measured with 1,000 [default: 100,1000,10000,100000]
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100_000))]
    workers: Vec<u32>,
    /// Measure few rounds, and at most 10,000 workers unless --workers says more
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    flags: report::Flags,
}

/// How much is measured.
#[derive(Debug, Clone, PartialEq)]
struct Plan {
    sizes: Vec<u32>,
    /// Stretches of rounds for each size, over which medians are taken.
    blocks: u32,
    /// Rounds in each.
    rounds: u32,
    /// How often one target and many take turns.
    turns: u32,
    event_seconds: u64,
    /// Whether rounds are also measured while a page is read every second.
    scraper: bool,
}

impl Args {
    fn plan(&self) -> Plan {
        let (blocks, rounds, turns, event_seconds) = match self.quick {
            true => (1, 3, 1, 4),
            false => (3, 4, 2, 10),
        };
        let is_default = |size: &u32| !self.quick || *size <= LARGE;
        let sizes = match self.workers.is_empty() {
            true => SIZES.into_iter().filter(is_default).collect(),
            false => self.workers.clone(),
        };
        Plan {
            sizes,
            blocks,
            rounds,
            turns,
            event_seconds,
            scraper: !self.quick,
        }
    }
}

pub(super) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    report::run("collector", &args.flags, workspace, processes, |stage| {
        measure(stage, &args.plan())
    })
}

fn measure(stage: &Stage<'_>, plan: &Plan) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for workers in &plan.sizes {
        figures.extend(of_size(stage, *workers, plan)?);
    }
    if plan.sizes.contains(&targets::WORKERS) {
        let measured = targets::measure(stage, plan);
        figures.extend(or_failed(measured, &[targets::NAME], targets::WORKERS)?);
    }
    Ok(figures)
}

fn of_size(stage: &Stage<'_>, workers: u32, plan: &Plan) -> Result<Vec<Figure>> {
    eprintln!("xtask: {} workers: starting ...", thousands(workers.into()));
    let started = stage
        .simulator(workers)
        .and_then(|fleet| Session::open(stage, fleet, workers, &[TARGET.to_owned()], &[]));
    let measured = started.and_then(|session| {
        let (mut figures, idle) = size::measure(&session, plan)?;
        if workers == targets::WORKERS {
            let events = events::measure(&session, idle, plan);
            figures.extend(or_failed(events, &[events::NAME], workers)?);
        }
        Ok(figures)
    });
    or_failed(measured, &[size::ROUND, size::CPU], workers)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Name;
    use super::*;
    use crate::cli::{Cli, Command as Subcommand};

    fn args(line: &[&str]) -> Args {
        let cli = Cli::parse_from(["xtask", "bench", "collector"].iter().chain(line));
        let Subcommand::Bench(super::super::Args {
            name: Name::Collector(args),
        }) = cli.command
        else {
            panic!("not bench collector")
        };
        args
    }

    #[test]
    fn sizes_are_those_of_the_command_line_or_all_that_fit_the_time() {
        let check = |line: &[&str], expected: &[u32]| {
            assert_eq!(args(line).plan().sizes, expected, "{line:?}");
        };
        check(&[], &SIZES);
        check(&["--quick"], &[100, 1_000, 10_000]);
        check(&["--workers", "100,1000"], &[100, 1_000]);
        check(&["--quick", "--workers", "50000"], &[50_000]);
    }
}
