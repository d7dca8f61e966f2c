//! `cargo xtask bench collector`: what the collector costs, next to programs that only count.
//!
//! NATS, a simulator and the collector run as processes. The yardsticks run on the same server with the same workers,
//! in turn with the collector, so a figure is a ratio of two numbers of one run. A figure that cannot be had is a line
//! of the table and does not end the bench.

mod events;
mod figure;
mod page;
mod rhythm;
mod session;
mod size;
mod stage;
mod table;
mod targets;
mod usage;

use std::fs;

use anyhow::{Context, Result, bail};

use self::figure::{Figure, thousands};
use self::session::Session;
use self::stage::Stage;
use super::super::build;
use super::super::parts::Parts;
use crate::process::{Interrupted, Processes};
use crate::provision::nats_server;
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
    /// Fail when a ratio is above twice its goal, or could not be measured
    #[arg(long)]
    check: bool,
    /// Write the table to docs/performance.md
    #[arg(long)]
    write: bool,
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
    let server = nats_server::server(workspace, processes)?;
    build(
        &["metrics", "mock-worker", "yardstick"],
        &["--release"],
        workspace,
        processes,
    )?;
    let machine = machine();
    let mut parts = Parts::new(workspace.bench())?;
    let measured = parts.start_nats(&server, processes).and_then(|url| {
        let stage = Stage::new(workspace, processes, url)?;
        measure(&stage, &args.plan())
    });
    eprintln!("xtask: stopping ...");
    let stopped = parts.stop();
    let figures = measured?;
    stopped?;

    let text = format!("{machine}\n\n{}", table::render(&figures));
    println!("{text}");
    if args.write {
        write(&text, workspace)?;
    }
    if args.check {
        check(&figures)?;
    }
    Ok(())
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
        .and_then(|fleet| Session::open(stage, fleet, workers, &[TARGET.to_owned()]));
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

/// The figures, or a line for each name that says why there are none; an interruption stays one.
fn or_failed(measured: Result<Vec<Figure>>, names: &[&'static str], workers: u32) -> Result<Vec<Figure>> {
    match measured {
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            let reason = format!("{error:#}");
            eprintln!("xtask: {} workers: failed: {reason}", thousands(workers.into()));
            let reason = reason.lines().next().unwrap_or_default().to_owned();
            let failed = |name: &&'static str| Figure::failed(name, workers, &reason);
            Ok(names.iter().map(failed).collect())
        }
        measured => measured,
    }
}

/// What it is measured on, and what else that machine does before the start.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, model)| model.trim());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "Everything runs on one machine with {cores} cores ({model}), with a load average of {load} before the start."
    )
}

fn write(text: &str, workspace: &Workspace) -> Result<()> {
    let path = workspace.performance();
    let document = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let document = table::put_into(&document, text).with_context(|| format!("in {}", path.display()))?;
    fs::write(&path, document).with_context(|| format!("failed to write {}", path.display()))?;
    eprintln!("xtask: wrote {}", path.display());
    Ok(())
}

fn check(figures: &[Figure]) -> Result<()> {
    let bad = figures.iter().filter(|figure| figure.has_regressed());
    let bad: Vec<String> = bad
        .map(|figure| format!("{} at {} workers", figure.name, thousands(figure.workers.into())))
        .collect();
    if !bad.is_empty() {
        bail!("failed to stay below twice the goal: {}", bad.join(", "));
    }
    Ok(())
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

    #[test]
    fn a_failure_is_a_line_of_the_table_and_an_interruption_is_none() {
        let failed = Err(anyhow::anyhow!("2 of 100,000 workers are fresh\nmore"));
        let figures = or_failed(failed, &[size::ROUND, size::CPU], 100_000).unwrap();
        let reason = Err("2 of 100,000 workers are fresh".to_owned());
        assert_eq!(figures.len(), 2);
        assert!(
            figures.iter().all(|figure| figure.outcome == reason),
            "{figures:?}"
        );

        let error = or_failed(Err(Interrupted.into()), &[size::ROUND], 100).unwrap_err();
        assert!(error.is::<Interrupted>());
    }

    #[test]
    fn the_check_names_every_ratio_above_twice_its_goal() {
        let ratio = |workers, value| Figure::ratio(size::ROUND, workers, Some(1.3), value, 1.0);
        check(&[ratio(100, 1.2), ratio(1_000, 2.5)]).unwrap();
        let error = check(&[ratio(100, 1.2), ratio(10_000, 2.7)])
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("round at 10,000 workers"), "{error}");
    }
}
