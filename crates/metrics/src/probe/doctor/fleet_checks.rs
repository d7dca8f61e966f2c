//! What a look at the fleet shows: limits, clocks, services, pools, targets.

use std::collections::BTreeMap;

use fleet::{Hearing, Inspection, PathGlob, PoolName, Scope, Selector};
use protocol::EndpointPath;

use super::super::conclusion::{Conclusion, Presence};
use super::super::copied::quoted;
use super::super::in_turn::OneByOne;
use super::super::level::Level;
use super::super::pools::{self, Pool};
use super::super::reading::Reading;
use super::finding::{Check, Finding};

/// What one reply is taken to have, in bytes: those of Dynamo's workers have about as many.
const REPLY_BYTES: u64 = 600;

/// What the server lets wait for a client unless `max_pending` says otherwise; clients cannot read it.
const MAX_PENDING: u64 = 64 << 20;

/// The largest reply that the worker SDK sends.
const LARGEST_REPLY: usize = 256 << 10;

/// Seconds by which a worker may have started in the future: clocks differ a little everywhere.
const CLOCK_SLACK: f64 = 5.0;

/// Whether a round's replies and the largest single one pass.
pub(super) fn limits(replies: u64, max_payload: usize) -> Vec<Finding> {
    let bytes = replies * REPLY_BYTES;
    let noun = if replies == 1 { "reply" } else { "replies" };
    let expected = format!(
        "a round of {replies} {noun} of about {REPLY_BYTES} B each is {}",
        size(bytes)
    );
    let pending = if bytes > MAX_PENDING / 2 {
        Finding::new(
            Level::Warning,
            Check::Limits,
            format!(
                "{expected}; a server whose max_pending is {} by default may cut this client off",
                size(MAX_PENDING)
            ),
        )
        .with_remedy(format!(
            "set max_pending in the server's configuration to {} or more",
            size(bytes * 4)
        ))
    } else {
        let text = format!(
            "{expected}; a server lets {} wait by default (max_pending)",
            size(MAX_PENDING)
        );
        Finding::new(Level::Ok, Check::Limits, text)
    };
    let passes = format!("max_payload is {}", size(max_payload as u64));
    let payload = if max_payload < LARGEST_REPLY {
        let text = format!("{passes}: a service with many endpoints or much data cannot answer");
        let remedy = format!(
            "set max_payload in the server's configuration to {} or more",
            size(LARGEST_REPLY as u64)
        );
        Finding::new(Level::Warning, Check::Limits, text).with_remedy(remedy)
    } else {
        Finding::new(Level::Ok, Check::Limits, passes)
    };
    vec![pending, payload]
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.0} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.0} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// Whether the clocks of workers and of this machine agree.
pub(super) fn clocks(seen: &Inspection, hearing: &Hearing) -> Vec<Finding> {
    let now = seen.now.as_secs_f64();
    let mut ahead: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    for pool in &seen.pools {
        for started in pool.workers.iter().filter_map(|worker| worker.started) {
            if started > now + CLOCK_SLACK {
                let (count, most) = ahead.entry(pool.name.to_string()).or_default();
                *count += 1;
                *most = most.max(started - now);
            }
        }
    }
    let mut findings: Vec<Finding> = ahead
        .into_iter()
        .map(|(pool, (count, most))| {
            let text = format!("{count} of the workers of {pool} started in the future, by up to {most:.0} s");
            Finding::new(Level::Warning, Check::Clocks, text)
                .with_remedy("set the clocks of their machines and of this one by NTP; ages and restarts are wrong until then")
        })
        .collect();
    let skewed: u64 = hearing.skewed.iter().sum();
    if skewed > 0 {
        let text = format!(
            "{skewed} events were published later than they came by this machine's clock, or days before; their delays are not shown"
        );
        findings.push(Finding::new(Level::Note, Check::Clocks, text));
    }
    if findings.is_empty() {
        findings.push(Finding::new(
            Level::Ok,
            Check::Clocks,
            "no worker started in the future, and no event was published in it",
        ));
    }
    findings
}

/// Every pool that is there, and what its workers need to show more.
pub(super) fn pools(seen: &Inspection, seconds: f64) -> Vec<Finding> {
    let mut findings: Vec<Finding> = pools::of(seen)
        .iter()
        .flat_map(|pool| of_pool(pool, seen, seconds))
        .collect();
    for (place, workers) in &seen.nameless {
        let text = format!("{place}: {workers} workers publish events that name no endpoint");
        findings.push(Finding::new(Level::Note, Check::Pool, text).with_remedy(format!(
            "watch them by --target with an endpoint of your choice after {place}"
        )));
    }
    findings
}

fn of_pool(pool: &Pool, seen: &Inspection, seconds: f64) -> Vec<Finding> {
    let path = &pool.path;
    let mut findings = Vec::new();
    let conclusion = Conclusion::of(
        &path.to_string(),
        pools::view_of(path, seen),
        seconds,
        &seen.service_prefix,
    );
    if conclusion.presence != Presence::Nothing {
        let releases: Vec<&str> = pool.generations.iter().copied().collect();
        let releases = match releases.is_empty() {
            true => String::new(),
            false => format!(" of Dynamo {}", releases.join(", ")),
        };
        let noun = if pool.workers == 1 { "worker" } else { "workers" };
        let text = format!("{path}: {} {noun}{releases}. {}", pool.workers, conclusion.text);
        findings.push(Finding::new(conclusion.level, Check::Pool, text));
    }
    if pool.unusable > 0 {
        let text = format!("{path}: the data of {} endpoints cannot be used", pool.unusable);
        findings
            .push(Finding::new(Level::Warning, Check::Pool, text).with_remedy("`metrics explain` shows why"));
    }
    for duplicate in &pool.duplicates {
        let text = format!("{path}: {duplicate}");
        findings.push(
            Finding::new(Level::Warning, Check::Pool, text).with_remedy("give each worker an id of its own"),
        );
    }
    findings
}

/// Other services, and replies that cannot be read.
pub(super) fn services(seen: &Inspection) -> Vec<Finding> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let is_worker = |name: &Option<PoolName>| matches!(name, Some(PoolName::Workers(_)));
    for instance in &seen.instances {
        if !instance
            .endpoints
            .iter()
            .any(|endpoint| is_worker(&endpoint.pool))
        {
            *names.entry(&instance.service).or_default() += 1;
        }
    }
    let mut findings = Vec::new();
    match names.len() {
        0 if seen.instances.is_empty() => findings.push(Finding::new(
            Level::Note,
            Check::Services,
            super::super::summary(seen),
        )),
        0 => {}
        n => {
            let instances: usize = names.values().sum();
            let text =
                format!("{n} other services answer, with {instances} instances; `metrics list` shows them");
            findings.push(Finding::new(Level::Ok, Check::Services, text));
        }
    }
    if seen.unreadable > 0 {
        let text = format!("{} replies cannot be read", seen.unreadable);
        let remedy = "a service answers with something other than statistics of the NATS micro protocol; the log of the collector names it with --log debug";
        findings.push(Finding::new(Level::Warning, Check::Replies, text).with_remedy(remedy));
    }
    findings
}

/// Whether each configured mapping reads what it is about.
pub(super) fn mappings(seen: &Inspection) -> Vec<Finding> {
    let finding = |mapping: &std::sync::Arc<fleet::Mapping>| {
        let reading = Reading::of(mapping, seen, |_| true);
        let text = |what: &str| format!("{} from {:?}: {what}", reading.metric, reading.pointer);
        if reading.of == 0 {
            let nothing = "there is no service or worker whose data it would read";
            return Finding::new(Level::Note, Check::Mapping, text(nothing));
        }
        match reading.faults.is_empty() {
            true => Finding::new(Level::Ok, Check::Mapping, text(&reading.share())),
            false => {
                let what = format!(
                    "{}; what it cannot read: {}",
                    reading.share(),
                    reading.failing_in()
                );
                Finding::new(Level::Warning, Check::Mapping, text(&what))
                    .with_remedy(mapping_remedy(&mapping.scope))
            }
        }
    };
    seen.mappings.iter().map(finding).collect()
}

fn mapping_remedy(scope: &Scope) -> String {
    let whose = match scope {
        Scope::Services { service, .. } => service.to_string(),
        Scope::Workers(path) => path.to_string(),
    };
    let whose = quoted(&whose);
    format!(
        "`metrics explain {whose}` shows why; correct the mapping, or what the service puts into its data"
    )
}

/// Whether each request brings the replies of all instances.
pub(super) fn in_turn(seen: &Inspection) -> Option<Finding> {
    let OneByOne { text, remedy, .. } = OneByOne::of(seen)?;
    Some(Finding::new(Level::Warning, Check::Replies, text).with_remedy(remedy))
}

/// Whether what is to be watched is there.
pub(super) fn targets(targets: &[Selector], seen: &Inspection, seconds: f64) -> Vec<Finding> {
    let pools = pools::of(seen);
    let count = |matches: &dyn Fn(&EndpointPath) -> bool| -> usize {
        let matching = pools.iter().filter(|pool| matches(&pool.path));
        matching.map(|pool| pool.workers).sum()
    };
    let finding = |target: &Selector| {
        let workers = match target {
            Selector::Path(path) => count(&|other| other == path),
            Selector::Glob(glob) => count(&|other| PathGlob::matches(glob, other)),
            Selector::Services(_) => return None,
        };
        Some(match workers {
            0 => Finding::new(Level::Warning, Check::Target, format!("{target} has no workers"))
                .with_remedy(Conclusion::of(&target.to_string(), None, seconds, &seen.service_prefix).text),
            1 => Finding::new(Level::Ok, Check::Target, format!("{target} has 1 worker")),
            n => Finding::new(Level::Ok, Check::Target, format!("{target} has {n} workers")),
        })
    };
    targets.iter().filter_map(finding).collect()
}
