//! `mock-worker record`: a fleet that a collector watches, written down as a scenario that can be replayed.
//!
//! What a collector shows of a fleet is a sample each second: who is there, what runs and waits, how full the caches are, how many
//! requests were finished. From it follow the workers, their capacities, the rate of requests and how it changes, absences and
//! restarts. Lengths of prompts and answers are not shown; they are fitted, so that the simulated engine runs as many requests
//! and holds as many blocks.

mod draft;
mod fetch;
mod fit;
mod samples;
#[cfg(test)]
mod tests;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use program::output::print_text;
use sim::nanos::Nanos;

use draft::Draft;
use samples::Recording;

/// Fewer samples than this show no rate.
const FEWEST: usize = 5;

/// Flags of `record`.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// The collector, e.g. http://127.0.0.1:9091
    #[arg(long, value_name = "URL", value_parser = url)]
    pub url: String,

    /// The pool to record, as namespace/component/endpoint [default: the only one that the collector watches]
    #[arg(long, value_name = "PATH")]
    pub pool: Option<String>,

    /// How long to record
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = crate::args::some_time)]
    pub duration: Nanos,

    /// Time from one sample to the next; a snapshot of the collector is taken once
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = crate::args::some_time)]
    pub interval: Nanos,
}

fn url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("write the address of a collector, e.g. http://127.0.0.1:9091".to_owned()),
    }
}

/// Records for as long as the flags say, and prints a scenario. What was recorded goes to `report_line`.
///
/// # Errors
/// Where the collector cannot be asked, or has too little to show.
pub fn run(args: &RecordArgs, report_line: &dyn Fn(&str)) -> anyhow::Result<bool> {
    let pool = match &args.pool {
        Some(pool) => pool.clone(),
        None => only_pool(&args.url)?,
    };
    report_line(&format!("recording {pool} for {} s\n", args.duration.seconds()));
    let mut recording = Recording::default();
    let end = Instant::now() + Duration::from_nanos(args.duration.0);
    loop {
        let next = Instant::now() + Duration::from_nanos(args.interval.0);
        recording.add(&fetch::workers(&args.url, &pool)?)?;
        if next >= end {
            break;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the next sample is due at a time, and nothing else is to be done"
        )]
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    if recording.len() < FEWEST {
        bail!(
            "{} snapshots are too few to show a rate: record longer, or let the collector ask more often",
            recording.len()
        );
    }
    let (text, summary) = scenario(&recording, &pool)?;
    report_line(&summary);
    print_text(&text)?;
    Ok(true)
}

/// The scenario of a recording, and a summary of it for a person.
fn scenario(recording: &Recording, pool: &str) -> anyhow::Result<(String, String)> {
    let mut draft = Draft::of(recording, pool).context("the recording shows no workers with a load")?;
    let replayed = fit::fit(&mut draft, recording)?;
    let summary = format!(
        "recorded {recorded}\nreplayed {replayed}\n",
        recorded = draft.recorded
    );
    Ok((draft.to_toml(), summary))
}

fn only_pool(url: &str) -> anyhow::Result<String> {
    let pools = fetch::pools(url)?;
    match &pools[..] {
        [pool] => Ok(pool.clone()),
        [] => bail!("the collector at {url} watches no pool of workers"),
        pools => bail!(
            "the collector at {url} watches several pools: choose one with --pool, of {}",
            pools.join(", ")
        ),
    }
}
