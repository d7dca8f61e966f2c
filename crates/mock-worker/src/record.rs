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

use anyhow::bail;
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

    /// A pool to record, as namespace/component/endpoint; may be repeated [default: all that the collector watches]
    #[arg(long, value_name = "PATH")]
    pub pool: Vec<String>,

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
    let pools = match args.pool.is_empty() {
        false => args.pool.clone(),
        true => fetch::pools(&args.url)?,
    };
    if pools.is_empty() {
        bail!("the collector at {} watches no pool of workers", args.url);
    }
    report_line(&format!(
        "recording {} for {} s\n",
        pools.join(", "),
        args.duration.seconds()
    ));
    let mut recordings = vec![Recording::default(); pools.len()];
    let end = Instant::now() + Duration::from_nanos(args.duration.0);
    loop {
        let next = Instant::now() + Duration::from_nanos(args.interval.0);
        for (pool, recording) in pools.iter().zip(&mut recordings) {
            recording.add(&fetch::workers(&args.url, pool)?)?;
        }
        if next >= end {
            break;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the next sample is due at a time, and nothing else is to be done"
        )]
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let mut drafts = Vec::new();
    for (pool, recording) in pools.iter().zip(&recordings) {
        if recording.len() < FEWEST {
            bail!(
                "{} snapshots are too few to show a rate: record longer, or let the collector ask more often",
                recording.len()
            );
        }
        let Some(mut draft) = Draft::of(recording, pool) else {
            report_line(&format!("{pool} is left out: it shows no workers\n"));
            continue;
        };
        let replayed = fit::fit(&mut draft, recording)?;
        report_line(&format!(
            "{pool}\nrecorded {}\nreplayed {replayed}\n",
            draft.recorded
        ));
        drafts.push(draft);
    }
    let text = match &drafts[..] {
        [] => bail!("the recording shows no workers with a load"),
        [draft] => draft.to_toml(),
        drafts => Draft::all_to_toml(drafts),
    };
    print_text(&text)?;
    Ok(true)
}
