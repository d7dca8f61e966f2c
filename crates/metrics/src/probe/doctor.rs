//! `metrics doctor`: whether everything that the collector needs is there, each thing tried, with its remedy.

mod attempt;
mod finding;
mod fleet_checks;
mod link_checks;
#[cfg(test)]
mod tests;

use std::io::stdout;

use fleet::Plan;
use link::Link;
use program::terminal;
use tokio::time::Instant;

use self::finding::{Check, Finding, Report};
use super::level::Level;
use super::{Looking, print, settings};
use crate::app;
use crate::args::DoctorArgs;
use crate::engine::Engine;

/// What the doctor has found, by what is to be done first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing has to be fixed.
    Clean,
    /// A permission is missing.
    Denied,
    /// A pool that is to be watched has no workers.
    NoWorkers,
    /// Something else has to be fixed.
    Unwell,
}

/// Checks the connection and what there is, and prints what it found.
///
/// # Errors
/// Where NATS cannot be reached, or the connection is lost.
pub async fn doctor(args: DoctorArgs, looking: &Looking) -> anyhow::Result<Health> {
    let nats = &looking.nats;
    let servers = &nats.servers;
    let settings = settings(&looking.shared, args.look.listen_for);
    let plan = looking.plan(&args.target, settings)?;
    // Records of requests are worth having, and not needed.
    let needed = Plan {
        request_traces: Vec::new(),
        ..plan.clone()
    };
    let link = Link::new(servers.clone(), app::options(nats, &needed, &looking.published));
    let begun = Instant::now();
    let client = link.connect_now().await?;
    let text = format!("connected to {servers} in {} ms", begun.elapsed().as_millis());
    let mut findings = vec![
        Finding::new(Level::Ok, Check::Connection, text),
        link_checks::server(&client.server_info(), link_checks::is_compatible(&client)),
    ];
    let attempts = attempt::all(&link, &client, &nats.service_prefix).await?;
    findings.extend(link_checks::round_trip(&attempts));

    let (mut engine, published) = Engine::new(plan, link.clone(), nats.service_prefix.clone());
    engine.look(args.look.listen_for).await?;
    let seen = engine.inspect(None);
    let seconds = args.look.listen_for.as_secs_f64();
    findings.extend(link_checks::permissions(
        &attempts,
        &link.denials(),
        (&nats.service_prefix, servers.inbox_prefix()),
        link.grants(),
    ));
    let replies = seen.instances.len() as u64;
    findings.extend(fleet_checks::limits(replies, client.max_payload()));
    let hearing = published.borrow().snapshot.hearing.clone();
    findings.extend(fleet_checks::clocks(&seen, &hearing));
    if attempts.stats != attempt::Outcome::Denied {
        // Nothing is known of services that may not be asked.
        findings.extend(fleet_checks::services(&seen));
    }
    findings.extend(fleet_checks::in_turn(&seen));
    findings.extend(fleet_checks::pools(&seen, seconds));
    findings.extend(fleet_checks::mappings(&seen));
    findings.extend(fleet_checks::targets(&args.target, &seen, seconds));

    let report = Report::new(findings, terminal::has_colours(&stdout()) && !args.look.json);
    print(&report, report.to_string(), args.look.json)?;
    Ok(health(&report))
}

fn health(report: &Report) -> Health {
    if report.is_clean() {
        Health::Clean
    } else if report.has(Level::Error, Check::Permission) {
        Health::Denied
    } else if report.has(Level::Warning, Check::Target) {
        Health::NoWorkers
    } else {
        Health::Unwell
    }
}
