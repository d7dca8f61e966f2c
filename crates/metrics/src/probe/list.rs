//! `metrics list`: every pool of workers that there is, under the names to ask for it by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fleet::{Inspection, InstanceReport, PoolName, Seen};
use protocol::EndpointPath;
use protocol::text::Shown;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pools: Vec<Pool>,
    other_services: BTreeMap<String, usize>,
    round: String,
    unreadable_replies: u64,
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
    pub(super) fn new(seen: &Inspection) -> Self {
        let mut pools: BTreeMap<EndpointPath, Pool> = BTreeMap::new();
        let mut other_services = BTreeMap::new();
        for instance in &seen.instances {
            let mut is_worker = false;
            for endpoint in &instance.endpoints {
                let Seen::Worker {
                    pool: PoolName::Workers(path),
                    layout,
                    shape,
                    ..
                } = &endpoint.seen
                else {
                    continue;
                };
                is_worker = true;
                let pool = pools
                    .entry(path.clone())
                    .or_insert_with(|| Pool::new(path.clone()));
                pool.workers += 1;
                pool.layouts.insert(layout.to_string());
                pool.versions.insert(instance.version.to_string());
                pool.load.insert(shape);
            }
            if !is_worker {
                *other_services.entry(label(instance)).or_default() += 1;
            }
        }
        Self {
            pools: pools.into_values().collect(),
            other_services,
            round: super::summary(seen),
            unreadable_replies: seen.unreadable,
        }
    }

    pub(super) fn has_workers(&self) -> bool {
        !self.pools.is_empty()
    }
}

fn label(instance: &InstanceReport) -> String {
    match instance.endpoints.is_empty() {
        true => format!("{} (serves no endpoint)", instance.service),
        false => instance.service.to_string(),
    }
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
                    .map(|text| Shown(text).to_string())
                    .collect::<Vec<_>>()
                    .join(",")
            };
            let rows = self.pools.iter().map(|pool| {
                let load = pool.load.iter().copied().collect::<Vec<_>>().join(",");
                [
                    Shown(&pool.path.to_string()).up_to(400).to_string(),
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
            writeln!(f, "other service: {} ({count})", Shown(name))?;
        }
        if self.unreadable_replies > 0 {
            writeln!(f, "replies that cannot be read: {}", self.unreadable_replies)?;
        }
        Ok(())
    }
}
