//! Proof that a collector's page shows the truth: every worker, every field, and nothing else.
//!
//! A page is compared with the records of a truth file, which workers write before they send. Without a truth the page
//! is held against itself alone.

mod compare;
mod fetch;
mod fields;
mod laws;
mod own;
mod published;
mod report;
mod shown;

use std::path::{Path, PathBuf};

use anyhow::{Context, Error};
use clap::Args;
use program::output::print_text;
use protocol::EndpointPath;

use crate::args::InvalidInput;
use crate::expect::Expect;
use crate::page::Page;
use crate::truth::{Entry, Records, TruthError};
use compare::Comparison;
use published::Messages;
use shown::Shown;

pub use report::{Difference, Kind, Report};

/// How many differences are printed; the others are counted.
const PRINTED: usize = 50;

/// Flags of a verification.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The page of the collector, e.g. http://127.0.0.1:9091/metrics
    #[arg(long, value_name = "URL", value_parser = url)]
    pub metrics: String,

    /// The truth file of the workers; without it, the page is only checked for consistency
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,

    /// The pool of the workers, as namespace/component/endpoint [default: all on the page]
    #[arg(long, value_name = "PATH")]
    pub pool: Option<EndpointPath>,

    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// What is compared.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The pool whose workers the truth has; all pools of the page where absent.
    pub pool: Option<EndpointPath>,
    /// How differences call the truth file.
    pub file: Option<String>,
}

/// Compares a page with the records of a truth, each with its line.
///
/// For each worker that the page shows with load, the last record counts that was sent by the time it was last seen.
/// Where a fault was in force, a field may be absent, or be as it was sent. All records without a fault are
/// checked for themselves too: what was sent is what was true, and counts fit each other.
///
/// Of workers of a version of Dynamo, what they published counts: sums exactly, from the message on with which the
/// collector began to listen, and gauges as one of the last messages says.
///
/// # Errors
/// [`TruthError`] where a record cannot be read.
pub fn compare<T>(page: &Page, truth: T, options: &Options) -> Result<Report, TruthError>
where
    T: IntoIterator<Item = Result<(usize, Entry), TruthError>>,
{
    let shown = Shown::read(page, options.pool.as_ref());
    let mut report = Report::new(options.file.clone());
    own::check(page, &shown, &mut report);
    let mut comparison = Comparison::new(&shown);
    let mut messages = Messages::new(page, &shown);
    for numbered in truth {
        match numbered? {
            (line, Entry::Reply(record)) => {
                laws::check(line, &record, &mut report);
                comparison.take(line, &record);
                if record.sent.is_some() {
                    messages.take_reply(&record.worker);
                }
            }
            (line, Entry::Published(published)) => {
                comparison.take_published(&published);
                messages.take(line, &published);
            }
        }
    }
    comparison.finish(&messages, &mut report);
    messages.finish(&mut report);
    Ok(report)
}

/// Holds a page against itself: numbers are finite, counts within capacities, pools the sums of their workers.
pub fn check_page(page: &Page, options: &Options) -> Report {
    let shown = Shown::read(page, options.pool.as_ref());
    let mut report = Report::new(options.file.clone());
    own::check(page, &shown, &mut report);
    report.count_shown(&shown);
    report
}

/// Fetches the page, compares it with the truth and with what is expected, prints what differs to stdout and reports a
/// summary in a form for stderr. Returns whether nothing differs.
///
/// # Errors
/// Where the page or the truth cannot be read, or stdout cannot be written.
pub fn run(args: &VerifyArgs, expect: Option<&Expect>, report_line: &dyn Fn(&str)) -> anyhow::Result<bool> {
    let failed = |path: &Path| format!("failed to read {}", path.display());
    let records = match &args.truth {
        Some(path) => {
            Some(Records::open(path).map_err(|error| InvalidInput(Error::new(error).context(failed(path))))?)
        }
        None => None,
    };
    // The page is fetched before records are read: they are written before replies are sent, so the truth has all that
    // the page can show.
    let text = fetch::page(&args.metrics)?;
    let page = Page::parse(&text).with_context(|| format!("failed to read {}", args.metrics))?;
    drop(text);
    let options = Options {
        pool: args.pool.clone(),
        file: args.truth.as_ref().map(|path| path.display().to_string()),
    };
    let mut report = match (records, &args.truth) {
        (Some(records), Some(path)) => compare(&page, records, &options).with_context(|| failed(path))?,
        _ => check_page(&page, &options),
    };
    if let Some(expect) = expect {
        report.broken = broken(expect, &page, &mut report);
    }
    let text = match args.json {
        true => serde_json::to_string(&report)? + "\n",
        false => report.lines(PRINTED).map(|line| line + "\n").collect(),
    };
    print_text(&text)?;
    for hint in &report.hints {
        report_line(&format!("hint: {hint}\n"));
    }
    report_line(&format!("{}\n", report.summary()));
    Ok(report.is_good())
}

/// Without a truth, the page's virtual time is unknown; then only those bounds are looked at that hold at all times.
fn broken(expect: &Expect, page: &Page, report: &mut Report) -> Vec<String> {
    if let Some(time) = report.time_ns {
        return expect.broken(page, time);
    }
    let (always, sometimes): (Vec<_>, Vec<_>) = expect.bound.iter().partition(|bound| bound.holds_always());
    if !sometimes.is_empty() {
        report.hints.push(format!(
            "{} bounds hold at some times only and were left out: without a truth with unix_seconds the time of the page is unknown",
            sometimes.len()
        ));
    }
    always
        .into_iter()
        .filter_map(|bound| bound.broken(page))
        .collect()
}

fn url(text: &str) -> Result<String, String> {
    match text.strip_prefix("http://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("it is not an http:// address; write e.g. http://127.0.0.1:9091/metrics".to_owned()),
    }
}

#[cfg(test)]
mod tests;
