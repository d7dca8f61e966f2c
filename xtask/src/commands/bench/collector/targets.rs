//! Many targets next to one, over as many workers.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Plan;
use super::figure::{Figure, median};
use super::rhythm::READING;
use super::session::Session;
use super::stage::Stage;

pub(super) const NAME: &str = "CPU with 200 targets";
pub(super) const WORKERS: u32 = 1_000;
const POOLS: u32 = 200;
/// How long the workers may take to start.
const START: Duration = Duration::from_secs(30);

pub(super) fn measure(stage: &Stage<'_>, plan: &Plan) -> Result<Vec<Figure>> {
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for turn in 1..=plan.turns {
        eprintln!("xtask: {POOLS} targets: turn {turn} of {} ...", plan.turns);
        one.push(cpu(stage, 1, plan.rounds)?);
        many.push(cpu(stage, POOLS, plan.rounds)?);
    }
    Ok(vec![Figure::ratio(
        NAME,
        WORKERS,
        Some(1.2),
        median(many),
        median(one),
    )])
}

/// The collector's CPU time for a worker and round, in seconds.
fn cpu(stage: &Stage<'_>, pools: u32, rounds: u32) -> Result<f64> {
    let (count, each) = (pools.to_string(), (WORKERS / pools).to_string());
    let mut fleet = stage.yardstick(&["pools", "--pools", &count, "--workers", &each])?;
    stage
        .ready(&mut fleet, START)
        .context("failed to start the workers")?;
    let targets: Vec<String> = (1..=pools)
        .map(|pool| format!("dynamo/pool_{pool}/generate"))
        .collect();
    let session = Session::open(stage, fleet, WORKERS, &targets, &[])?;
    let cpu = session.cpu_of_rounds(rounds, READING)?;
    Ok(cpu / f64::from(rounds * WORKERS))
}
