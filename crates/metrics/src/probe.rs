//! Commands that look for a person: `explain`, `list`, and what is there when nothing is to be watched. They run the same
//! state machine as the collector.

mod conclusion;
mod copied;
mod denied;
mod doctor;
mod explain;
mod level;
mod list;
mod nothing;
mod pools;
mod similar;
mod table;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fleet::matching::Target;
use fleet::{Finish, Form, Inspection, PathGlob, Plan, PoolName, PoolView, Selector, Settings};
use link::Link;
use program::nats::Nats;
use program::output::print_text;
use protocol::{EndpointPath, subject};

use crate::app;
use crate::args::{ExplainArgs, LookArgs, SharedArgs};
use crate::engine::Engine;

pub use copied::Copied;
pub use doctor::{Health, doctor};
pub use nothing::nothing_to_watch;
pub use watch::watch;

/// How long a look takes at most, unless `--round-timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long a pause between replies ends a look for which no time was given: longer than in the collector, because there
/// is no second round to make up for a service that was slow in the first.
const PATIENCE: Duration = Duration::from_secs(1);

/// Every path.
const EVERYTHING: &str = "*/*/*";

/// An engine that finds every pool, with `wanted` among them.
fn engine(
    nats: &Nats,
    shared: &SharedArgs,
    wanted: Option<Selector>,
    settings: Settings,
) -> anyhow::Result<Engine> {
    let everything: PathGlob = EVERYTHING.parse()?;
    let forms = wanted.iter().filter_map(|selector| match selector {
        Selector::Path(path) => Some((path.clone(), Form::Argument)),
        _ => None,
    });
    let plan = Plan {
        forms: BTreeMap::from_iter(forms),
        patterns: shared.subject_pattern.clone(),
        // Requests are no workers.
        request_traces: Vec::new(),
        settings,
        ..Plan::watching(wanted.into_iter().chain([Selector::Glob(everything)]).collect())
    };
    let link = Link::new(nats.servers.clone(), app::options(nats, &plan));
    Ok(Engine::new(plan, link).0)
}

/// The rules of one look. There is no second round: it would begin long after the look has ended.
fn settings(shared: &SharedArgs, listen_for: Duration) -> Settings {
    let timeout = shared.round_timeout.unwrap_or(TIMEOUT);
    Settings {
        poll_interval: (timeout + listen_for) * 10,
        round_timeout: timeout,
        stall: PATIENCE,
        ..Settings::default()
    }
}

/// Takes one look.
async fn look(
    nats: &Nats,
    shared: &SharedArgs,
    wanted: Option<Selector>,
    listen_for: Duration,
) -> anyhow::Result<Engine> {
    let mut settings = settings(shared, listen_for);
    if let Some(timeout) = shared.round_timeout {
        settings.stall = timeout;
    }
    let mut engine = engine(nats, shared, wanted, settings)?;
    engine.look(listen_for).await?;
    engine.has_asked()?;
    Ok(engine)
}

/// How the round went, in words.
fn summary(seen: &Inspection) -> String {
    let ms = seen.duration.as_millis();
    match (seen.finish, seen.replies) {
        (Some(Finish::NoResponders), _) => format!(
            "no service answered at all: none on this NATS server (in this account) listens on {}",
            subject::STATS
        ),
        (_, 0) => format!("silence: a service listens, but no reply came in {ms} ms"),
        (_, 1) => format!("1 reply in {ms} ms"),
        (_, n) => format!("{n} replies in {ms} ms"),
    }
}

/// Shows how the target's workers are known, and of every service whether it is one of them, and why. A target with `*` is
/// each pool that it matches. Returns whether there are workers.
///
/// # Errors
/// Where NATS cannot be reached or asked.
pub async fn explain(
    args: ExplainArgs,
    nats: &Nats,
    shared: &SharedArgs,
    copied: &Copied,
) -> anyhow::Result<bool> {
    let ExplainArgs {
        target: wanted,
        all,
        look: args,
    } = args;
    let mut engine = look(nats, shared, Some(wanted.clone()), args.listen_for).await?;
    let link = engine.link().clone();
    let (denials, grants) = (link.denials(), link.grants());
    let paths = match &wanted {
        Selector::Path(path) => vec![path.clone()],
        Selector::Glob(glob) => matching(glob, &engine.inspect(None)),
        Selector::Services(_) => Vec::new(),
    };
    if paths.is_empty() {
        let everything = list::Report::new(&engine.inspect(None), (&denials, grants));
        let text = format!("no pool matches {wanted}. Here is what there is:\n{everything}");
        print(&everything, text, args.json)?;
        return Ok(false);
    }
    let mut has_workers = false;
    for path in paths {
        let target = Target::new(path, &shared.subject_pattern);
        let seen = engine.inspect(Some(&target));
        let report = explain::Report::new(&target, &seen, (&denials, grants), args.listen_for, copied, all);
        print(&report, report.to_string(), args.json)?;
        has_workers |= report.has_workers();
    }
    Ok(has_workers)
}

/// The paths of pools that have workers and that the glob matches.
fn matching(glob: &PathGlob, seen: &Inspection) -> Vec<EndpointPath> {
    let path = |pool: &Arc<PoolView>| match &pool.name {
        PoolName::Workers(path) if glob.matches(path) => Some(path.clone()),
        _ => None,
    };
    seen.pools.iter().filter_map(path).collect()
}

/// Prints every pool. Returns whether there is one.
///
/// # Errors
/// Where NATS cannot be reached or asked.
pub async fn list(nats: &Nats, shared: &SharedArgs, args: &LookArgs) -> anyhow::Result<bool> {
    let mut engine = look(nats, shared, None, args.listen_for).await?;
    let link = engine.link().clone();
    let (denials, grants) = (link.denials(), link.grants());
    let report = list::Report::new(&engine.inspect(None), (&denials, grants));
    print(&report, report.to_string(), args.json)?;
    Ok(report.has_workers())
}

fn print(report: &impl serde::Serialize, text: String, json: bool) -> anyhow::Result<()> {
    let text = if json {
        serde_json::to_string_pretty(report).context("failed to write JSON")? + "\n"
    } else {
        text
    };
    Ok(print_text(&text)?)
}
