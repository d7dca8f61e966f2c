//! Commands that look for a person: `explain`, `list`, `doctor`, `conform`, and what is there when nothing is to be watched. They run the same
//! state machine as the collector.

mod conclusion;
mod conform;
mod copied;
mod denied;
mod doctor;
mod explain;
mod in_turn;
mod level;
mod list;
mod nothing;
mod pools;
mod reading;
mod service;
mod services;
mod similar;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fleet::matching::Target;
use fleet::{
    Finish, Form, Inspection, NameGlob, PathGlob, Plan, PoolName, PoolView, Scope, Selector, Settings,
};
use link::Link;
use program::nats::Nats;
use program::output::print_text;
use protocol::EndpointPath;
use tokio::sync::watch::Receiver;

use crate::app;
use crate::args::{ExplainArgs, LookArgs, SharedArgs};
use crate::engine::Engine;
use crate::published::Published;
use crate::view::HOST_KEYS;

pub use conform::{Conformity, conform};
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

/// What a command that looks needs to know.
#[derive(Debug)]
pub struct Looking {
    /// Flags of every command.
    pub shared: SharedArgs,
    /// How to connect.
    pub nats: Nats,
    /// By which rules the collector would read what is there.
    pub rules: Plan,
    /// Subjects to which the collector would publish aggregates.
    pub published: Vec<String>,
    /// For commands to copy.
    pub copied: Copied,
}

impl Looking {
    /// A plan that finds every pool, with `wanted` among them, and the services that mappings read; or nothing but the
    /// services that are wanted.
    fn plan(&self, wanted: &[Selector], settings: Settings) -> anyhow::Result<Plan> {
        let everything: PathGlob = EVERYTHING.parse()?;
        let mapped = self
            .rules
            .mappings
            .iter()
            .filter_map(|mapping| match &mapping.scope {
                Scope::Services { service, .. } => Some(Selector::Services(service.clone())),
                Scope::Workers(_) => None,
            });
        let selectors = match wanted {
            [Selector::Services(_)] => wanted.to_vec(),
            paths => paths
                .iter()
                .cloned()
                .chain([Selector::Glob(everything)])
                .chain(mapped)
                .collect(),
        };
        let forms = wanted.iter().filter_map(|selector| match selector {
            Selector::Path(path) => Some((path.clone(), Form::Argument)),
            _ => None,
        });
        Ok(Plan {
            selectors,
            forms: forms.collect(),
            settings,
            // What the collector leaves out is shown here.
            excluded_services: Vec::new(),
            ..self.rules.clone()
        })
    }

    /// An engine for commands that list or explain.
    fn engine(&self, wanted: &[Selector], settings: Settings) -> anyhow::Result<Engine> {
        // Requests are no workers.
        let plan = Plan {
            request_traces: Vec::new(),
            ..self.plan(wanted, settings)?
        };
        let link = Link::new(
            self.nats.servers.clone(),
            app::options(&self.nats, &plan, &self.published),
        );
        Ok(Engine::new(plan, link, self.nats.service_prefix.clone()).0)
    }

    /// An engine that watches every pool of workers and every plain service, and what it publishes. Of each instance it knows
    /// where it runs, if that is in its metadata.
    pub(crate) fn gathering(&self, settings: Settings) -> anyhow::Result<(Engine, Receiver<Published>)> {
        let mut plan = Plan {
            request_traces: Vec::new(),
            ..self.plan(&[], settings)?
        };
        plan.selectors.push(Selector::Services(NameGlob::new("*")));
        if plan.metadata.is_empty() {
            let labels = HOST_KEYS.iter().map(|key| key.parse());
            plan.metadata = labels.collect::<Result<_, _>>()?;
        }
        let link = Link::new(self.nats.servers.clone(), app::options(&self.nats, &plan, &[]));
        Ok(Engine::new(plan, link, self.nats.service_prefix.clone()))
    }

    /// The rules of looking again and again at this interval.
    pub(crate) fn rhythm(&self, interval: Duration) -> Settings {
        Settings {
            poll_interval: interval,
            round_timeout: self.shared.round_timeout.unwrap_or(TIMEOUT).min(interval),
            ..Settings::default()
        }
    }

    /// Takes one look.
    async fn look(&self, wanted: &[Selector], listen_for: Duration) -> anyhow::Result<Engine> {
        let mut settings = settings(&self.shared, listen_for);
        if let Some(timeout) = self.shared.round_timeout {
            settings.stall = timeout;
        }
        let mut engine = self.engine(wanted, settings)?;
        engine.look(listen_for).await?;
        engine.has_asked()?;
        Ok(engine)
    }
}

/// The rules of one look. There is no second round: it would begin long after the look has ended.
fn settings(shared: &SharedArgs, listen_for: Duration) -> Settings {
    let timeout = shared.round_timeout.unwrap_or(TIMEOUT);
    Settings {
        poll_interval: (timeout + listen_for) * 10,
        round_timeout: timeout,
        stall: PATIENCE,
        asks_again: true,
        ..Settings::default()
    }
}

/// How the round went, in words.
fn summary(seen: &Inspection) -> String {
    let ms = seen.duration.as_millis();
    match (seen.finish, seen.replies) {
        (Some(Finish::NoResponders), _) => format!(
            "no service answered at all: none on this NATS server (in this account) listens on {}",
            seen.service_prefix.stats()
        ),
        (_, 0) => format!("a service listens, but no reply came in {ms} ms"),
        (_, 1) => format!("1 reply in {ms} ms"),
        (_, n) => format!("{n} replies in {ms} ms"),
    }
}

/// Shows how the target's workers are known, and of every service whether it is one of them, and why; or which instances a
/// plain service has. A target with `*` is each pool or service that it matches. Returns whether there are workers or
/// instances.
///
/// # Errors
/// Where NATS cannot be reached or asked.
pub async fn explain(args: ExplainArgs, looking: &Looking) -> anyhow::Result<bool> {
    let ExplainArgs {
        target,
        service,
        all,
        look: args,
    } = args;
    let wanted = target.or(service.map(Selector::Services));
    let wanted = wanted.context("name what to explain")?;
    if let Selector::Services(glob) = &wanted {
        return explain_services(glob, all, args.json, looking).await;
    }
    let mut engine = looking
        .look(std::slice::from_ref(&wanted), args.listen_for)
        .await?;
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
        let target = Target::new(path, &looking.rules.patterns);
        let seen = engine.inspect(Some(&target));
        let listened = args.listen_for;
        let report = explain::Report::new(&target, &seen, (&denials, grants), listened, &looking.copied, all);
        print(&report, report.to_string(), args.json)?;
        has_workers |= report.has_workers();
    }
    Ok(has_workers)
}

/// Shows which instances the services have that the glob matches. Returns whether there are any.
async fn explain_services(glob: &NameGlob, all: bool, json: bool, looking: &Looking) -> anyhow::Result<bool> {
    // Services publish no events.
    let wanted = [Selector::Services(glob.clone())];
    let mut engine = looking.look(&wanted, Duration::ZERO).await?;
    let link = engine.link().clone();
    let (denials, grants) = (link.denials(), link.grants());
    let seen = engine.inspect(None);
    let mut names = service::matching(glob, &seen);
    if names.is_empty() {
        names.insert(glob.to_string());
    }
    let excluded = &looking.rules.excluded_services;
    let mut has_instances = false;
    for (place, name) in names.iter().enumerate() {
        let report = service::Report::new(name, excluded, &seen, (&denials, grants), &looking.copied, all);
        let before = if place > 0 { "\n" } else { "" };
        print(&report, format!("{before}{report}"), json)?;
        has_instances |= report.has_endpoints();
    }
    Ok(has_instances)
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
pub async fn list(looking: &Looking, args: &LookArgs) -> anyhow::Result<bool> {
    let mut engine = looking.look(&[], args.listen_for).await?;
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
