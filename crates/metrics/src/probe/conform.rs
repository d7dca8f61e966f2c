//! `metrics conform`: whether workers, in any language, keep to the protocol, each rule tried on the wire, with its remedy.

mod asking;
mod checks;
mod drain;
mod events;
mod found;
mod report;

use std::io::stdout;

use fleet::matching::Target;
use link::Link;
use program::terminal;

use self::asking::Asking;
use self::found::Found;
use self::report::Report;
use super::{Looking, TIMEOUT, print, settings};
use crate::app;
use crate::args::ConformArgs;

/// Workers that are checked; what is wrong with one is mostly wrong with all of a pool.
const MOST_WORKERS: usize = 20;

/// How the workers did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conformity {
    /// All checks passed or were left out.
    Conforms,
    /// A check failed.
    Fails,
    /// There is no worker, and nothing that is nearly one.
    NoWorkers,
}

/// Checks the workers of a path and prints what it found.
///
/// # Errors
/// Where NATS cannot be reached, or the connection is lost.
pub async fn conform(args: ConformArgs, looking: &Looking) -> anyhow::Result<Conformity> {
    let nats = &looking.nats;
    let plan = looking.plan(&[], settings(&looking.shared, args.look.listen_for))?;
    let link = Link::new(nats.servers.clone(), app::options(nats, &plan, &[]));
    let client = link.connect_now().await?;
    let timeout = looking.shared.round_timeout.unwrap_or(TIMEOUT);
    let asking = Asking::new(client, nats.service_prefix.clone(), timeout);
    let target = Target::new(args.target.clone(), &looking.rules.patterns);

    // Events are listened to from the beginning, because requests cause some.
    let listening = events::listen(&asking, &target.path, args.look.listen_for).await?;
    let found = Found::look(&asking, &target).await?;
    let mut findings = found.findings(&target, &asking.prefix);
    let workers = &found.workers[..found.workers.len().min(MOST_WORKERS)];
    for worker in workers {
        findings.extend(checks::of(&asking, &target, worker, &args).await?);
    }
    findings.extend(listening.findings(workers).await);
    if let (Some(patience), Some(worker)) = (args.drain, workers.first()) {
        let payload = args.request.as_deref().unwrap_or_default();
        findings.push(drain::watch(&asking, worker, payload, patience).await?);
    }
    let has_colours = terminal::has_colours(&stdout()) && !args.look.json;
    let report = Report::new(
        target.path.to_string(),
        found.workers.len(),
        findings,
        has_colours,
    );
    print(&report, report.to_string(), args.look.json)?;
    Ok(report.conformity())
}
