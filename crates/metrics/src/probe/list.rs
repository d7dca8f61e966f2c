//! `metrics list`: every pool of workers that there is, under the names to ask for it by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use protocol::subject::SubjectParts;
use protocol::{Description, EndpointPath, StatsReply, SubjectPattern, WorkerStats};
use serde::Serialize;

use super::Look;
use crate::matching::{Outcome, Target, full_namespace};

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pools: Vec<Pool>,
    other_services: BTreeMap<String, usize>,
    round: String,
    unreadable_replies: usize,
}

#[derive(Debug, Serialize)]
struct Pool {
    path: EndpointPath,
    namespace: String,
    component: String,
    endpoint: String,
    workers: usize,
    layouts: BTreeSet<String>,
    versions: BTreeSet<String>,
    load: BTreeSet<&'static str>,
}

impl Report {
    pub(super) fn new(look: &Look, patterns: &[SubjectPattern]) -> Self {
        let mut pools: BTreeMap<EndpointPath, Pool> = BTreeMap::new();
        let mut other_services = BTreeMap::new();
        for reply in look.replies() {
            let description = look.descriptions.get(reply);
            let mut is_worker = false;
            for endpoint in &reply.endpoints {
                let Some((path, layout)) = identify(&endpoint.subject, description.as_ref(), patterns) else {
                    continue;
                };
                is_worker = true;
                let pool = pools.entry(path.clone()).or_insert_with(|| Pool::new(path));
                pool.workers += 1;
                pool.layouts.insert(layout);
                pool.versions.insert(reply.version.clone());
                pool.load
                    .insert(match endpoint.data.as_ref().ok().map(WorkerStats::read) {
                        Some(Ok(reading)) => reading.shape.map_or("none", |shape| shape.as_str()),
                        _ => "undecodable",
                    });
            }
            if !is_worker {
                *other_services.entry(label(reply)).or_default() += 1;
            }
        }
        Self {
            pools: pools.into_values().collect(),
            other_services,
            round: look.summary(),
            unreadable_replies: look.unreadable(),
        }
    }

    pub(super) fn has_workers(&self) -> bool {
        !self.pools.is_empty()
    }
}

fn label(reply: &StatsReply) -> String {
    if reply.endpoints.is_empty() {
        format!("{} (serves no endpoint)", reply.service)
    } else {
        reply.service.clone()
    }
}

/// The path under which `--target` finds the worker, and how its subject is written.
fn identify(
    subject: &str,
    description: Option<&Description>,
    patterns: &[SubjectPattern],
) -> Option<(EndpointPath, String)> {
    let described = description.and_then(|description| {
        let parts = SubjectParts::split(subject)?;
        let endpoint = parts.guess().0.parse().ok()?;
        let namespace = full_namespace(description, parts.service);
        Some(EndpointPath::new(
            namespace,
            description.component.clone(),
            endpoint,
        ))
    });
    let guessed = patterns
        .iter()
        .filter_map(|pattern| Some(pattern.guess(subject)?.0));
    described.into_iter().chain(guessed).find_map(|path| {
        match Target::new(path.clone(), patterns).classify(subject, description) {
            Outcome::Matched { layout, .. } => Some((path, layout.to_string())),
            _ => None,
        }
    })
}

impl Pool {
    fn new(path: EndpointPath) -> Self {
        Self {
            namespace: path.namespace.to_string(),
            component: path.component.to_string(),
            endpoint: path.endpoint.to_string(),
            path,
            workers: 0,
            layouts: BTreeSet::new(),
            versions: BTreeSet::new(),
            load: BTreeSet::new(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pools.is_empty() {
            writeln!(f, "no workers; {}", self.round)?;
        } else {
            let join = |set: &BTreeSet<String>| {
                set.iter()
                    .map(|text| text.escape_debug().to_string())
                    .collect::<Vec<_>>()
                    .join(",")
            };
            let rows = self.pools.iter().map(|pool| {
                let load = pool.load.iter().copied().collect::<Vec<_>>().join(",");
                [
                    pool.path.to_string(),
                    pool.workers.to_string(),
                    join(&pool.layouts),
                    join(&pool.versions),
                    load,
                ]
            });
            let head = ["PATH", "WORKERS", "LAYOUT", "VERSION", "LOAD"].map(str::to_owned);
            let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
            let width = |column: usize| {
                rows.iter()
                    .map(|row| row[column].chars().count())
                    .max()
                    .unwrap_or(0)
            };
            let widths: [usize; 5] = std::array::from_fn(width);
            for row in &rows {
                let line: String = row
                    .iter()
                    .zip(widths)
                    .map(|(cell, width)| format!("{cell:<width$}  "))
                    .collect();
                writeln!(f, "{}", line.trim_end())?;
            }
        }
        for (name, count) in &self.other_services {
            writeln!(f, "other service: {} ({count})", name.escape_debug())?;
        }
        if self.unreadable_replies > 0 {
            writeln!(f, "replies that cannot be read: {}", self.unreadable_replies)?;
        }
        Ok(())
    }
}
