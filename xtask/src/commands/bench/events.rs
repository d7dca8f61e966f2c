//! `cargo xtask bench events`: what the collector uses for each event of Dynamo 1.x, next to a program that only counts
//! the same events at the same time, and whether its page shows all of them.

mod flood;
mod listener;

use anyhow::Result;

use self::flood::{FORWARD_PASSES, REQUESTS};
use self::listener::Listener;
use super::figure::Figure;
use super::report::{self, or_failed};
use super::stage::Stage;
use crate::process::Processes;
use crate::workspace::Workspace;

/// Workers, and ranks of each: 500 engines that make 100 passes a second.
const WORKERS: u32 = 250;
const RANKS: u32 = 2;

/// Measure what the collector uses for events of Dynamo 1.x, next to a program that only counts them
///
/// Publishes 50,000 forward passes and then 10,000 records of requests a second, and compares the page with what was
/// published. Takes three minutes, and with --quick half a minute, after the build.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench events                     all figures
  cargo xtask bench events --write             the same, written to docs/performance.md
  cargo xtask bench events --quick --check     what CI runs")]
pub(crate) struct Args {
    /// Measure once, for a few seconds
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    flags: report::Flags,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Seconds for which events of one kind are published.
    seconds: u64,
    /// How often, over which medians are taken.
    turns: u32,
}

pub(super) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let plan = match args.quick {
        true => Plan { seconds: 3, turns: 1 },
        false => Plan {
            seconds: 20,
            turns: 3,
        },
    };
    report::run("events", &args.flags, workspace, processes, |stage| {
        measure(stage, plan)
    })
}

fn measure(stage: &Stage<'_>, plan: Plan) -> Result<Vec<Figure>> {
    let listener = match Listener::open(stage) {
        Ok(listener) => listener,
        Err(error) => return or_failed(Err(error), &[FORWARD_PASSES.cpu, REQUESTS.cpu], WORKERS),
    };
    let mut figures = Vec::new();
    for flood in [&FORWARD_PASSES, &REQUESTS] {
        let measured = flood.measure(&listener, plan);
        figures.extend(or_failed(measured, &[flood.cpu], WORKERS)?);
    }
    Ok(figures)
}
