//! Runs a bench of the collector: what it needs is built and started; its figures are printed, checked, and written down.

use std::fs;

use anyhow::{Context, Result, bail};

use super::super::build;
use super::super::parts::{Parts, Programs};
use super::figure::{Figure, thousands};
use super::stage::Stage;
use super::table;
use crate::process::{Interrupted, Processes};
use crate::provision::nats_server;
use crate::workspace::Workspace;

/// What is done with the figures.
#[derive(Debug, clap::Args)]
pub(super) struct Flags {
    /// Fail when a ratio is above twice its goal, or could not be measured
    #[arg(long)]
    check: bool,
    /// Write the table to docs/performance.md
    #[arg(long)]
    write: bool,
}

/// Measures against a server of our own, or that of `NATS_URL`; `name` is that of the bench.
pub(super) fn run(
    name: &str,
    flags: &Flags,
    workspace: &Workspace,
    processes: &Processes,
    measure: impl FnOnce(&Stage<'_>) -> Result<Vec<Figure>>,
) -> Result<()> {
    let server = nats_server::server(workspace, processes)?;
    build(
        &["metrics", "mock-worker", "yardstick"],
        &["--release"],
        workspace,
        processes,
    )?;
    let machine = machine();
    let mut parts = Parts::new(workspace.bench(), Programs::Built)?;
    let measured = parts.start_nats(&server, processes).and_then(|url| {
        let stage = Stage::new(workspace, processes, url)?;
        measure(&stage)
    });
    eprintln!("xtask: stopping ...");
    let stopped = parts.stop();
    let figures = measured?;
    stopped?;

    let text = format!("{machine}\n\n{}", table::render(&figures));
    println!("{text}");
    if flags.write {
        write(name, &text, workspace)?;
    }
    if flags.check {
        check(&figures)?;
    }
    Ok(())
}

/// The figures, or a line for each name that says why there are none; an interruption stays one.
pub(super) fn or_failed(
    measured: Result<Vec<Figure>>,
    names: &[&'static str],
    workers: u32,
) -> Result<Vec<Figure>> {
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

fn write(name: &str, text: &str, workspace: &Workspace) -> Result<()> {
    let path = workspace.performance();
    let document = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let document =
        table::put_into(&document, name, text).with_context(|| format!("in {}", path.display()))?;
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
    use super::*;

    const ROUND: &str = "round";
    const CPU: &str = "CPU";

    #[test]
    fn a_failure_is_a_line_of_the_table_and_an_interruption_is_none() {
        let failed = Err(anyhow::anyhow!("2 of 100,000 workers are fresh\nmore"));
        let figures = or_failed(failed, &[ROUND, CPU], 100_000).unwrap();
        let reason = Err("2 of 100,000 workers are fresh".to_owned());
        assert_eq!(figures.len(), 2);
        assert!(
            figures.iter().all(|figure| figure.outcome == reason),
            "{figures:?}"
        );

        let error = or_failed(Err(Interrupted.into()), &[ROUND], 100).unwrap_err();
        assert!(error.is::<Interrupted>());
    }

    #[test]
    fn the_check_names_every_ratio_above_twice_its_goal() {
        let ratio = |workers, value| Figure::ratio(ROUND, workers, Some(1.3), value, 1.0);
        check(&[ratio(100, 1.2), ratio(1_000, 2.5)]).unwrap();
        let error = check(&[ratio(100, 1.2), ratio(10_000, 2.7)])
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("round at 10,000 workers"), "{error}");
    }
}
