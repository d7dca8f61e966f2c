//! `metrics list`: every pool of workers that there is, under the names to ask for it by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fleet::{EventScope, Inspection, InstanceReport, PoolName, Seen, Source, WorkerView};
use protocol::EndpointPath;
use protocol::text::Shown;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pools: Vec<Pool>,
    nameless: Vec<Nameless>,
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
    /// How they are known.
    sources: BTreeSet<&'static str>,
    /// How many publish what their engine does in each forward pass.
    forward_passes: usize,
    /// The releases that publish events as they do.
    generations: BTreeSet<&'static str>,
    layouts: BTreeSet<String>,
    versions: BTreeSet<String>,
    load: BTreeSet<&'static str>,
}

/// Workers whose path is not known, because their events name no endpoint.
#[derive(Debug, Serialize)]
struct Nameless {
    namespace: String,
    component: Option<String>,
    workers: usize,
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
                pool.sources.insert(Source::Service.as_str());
                pool.layouts.insert(layout.to_string());
                pool.versions.insert(instance.version.to_string());
                pool.load.insert(shape);
            }
            if !is_worker {
                *other_services.entry(label(instance)).or_default() += 1;
            }
        }
        for view in &seen.pools {
            if let PoolName::Workers(path) = &view.name
                && !view.workers.is_empty()
            {
                pools
                    .entry(path.clone())
                    .or_insert_with(|| Pool::new(path.clone()))
                    .hear(&view.workers);
            }
        }
        let nameless = seen.nameless.iter().map(|(place, workers)| Nameless {
            namespace: place.namespace.to_string(),
            component: place.component.as_ref().map(ToString::to_string),
            workers: *workers,
        });
        Self {
            pools: pools.into_values().collect(),
            nameless: nameless.collect(),
            other_services,
            round: super::summary(seen),
            unreadable_replies: seen.unreadable,
        }
    }

    pub(super) fn has_workers(&self) -> bool {
        !self.pools.is_empty() || !self.nameless.is_empty()
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
            sources: BTreeSet::new(),
            forward_passes: 0,
            generations: BTreeSet::new(),
            layouts: BTreeSet::new(),
            versions: BTreeSet::new(),
            load: BTreeSet::new(),
        }
    }

    /// Adds what events report.
    fn hear(&mut self, workers: &[WorkerView]) {
        for worker in workers {
            let Some(events) = worker.events.as_ref().filter(|events| events.is_heard) else {
                continue;
            };
            self.sources.insert(Source::Events.as_str());
            self.workers += usize::from(worker.source() == Source::Events);
            self.forward_passes += usize::from(events.passes.is_some());
            self.generations.extend(events.scope.map(EventScope::generation));
            self.load.remove("none");
            self.load.insert("event");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pools.is_empty() {
            writeln!(f, "no pool of workers; {}", self.round)?;
        } else {
            let join = |set: &BTreeSet<String>| {
                set.iter()
                    .map(|text| Shown(text).to_string())
                    .collect::<Vec<_>>()
                    .join(",")
            };
            let plain = |set: &BTreeSet<&str>| set.iter().copied().collect::<Vec<_>>().join(",");
            let rows = self.pools.iter().map(|pool| {
                let generations = pool
                    .generations
                    .iter()
                    .map(|releases| format!("Dynamo {releases}"));
                let versions = pool.versions.iter().map(|version| Shown(version).to_string());
                [
                    Shown(&pool.path.to_string()).up_to(400).to_string(),
                    pool.workers.to_string(),
                    plain(&pool.sources),
                    format!("{}/{}", pool.forward_passes, pool.workers),
                    versions.chain(generations).collect::<Vec<_>>().join(","),
                    join(&pool.layouts),
                    plain(&pool.load),
                ]
            });
            let head =
                ["PATH", "WORKERS", "SOURCE", "FPM", "GENERATION", "LAYOUT", "LOAD"].map(str::to_owned);
            let rows: Vec<[String; 7]> = std::iter::once(head).chain(rows).collect();
            let width = |column: usize| {
                rows.iter()
                    .map(|row| row[column].chars().count())
                    .max()
                    .unwrap_or(0)
            };
            let widths: [usize; 7] = std::array::from_fn(width);
            for row in &rows {
                let line: String = row
                    .iter()
                    .zip(widths)
                    .map(|(cell, width)| format!("{cell:<width$}  "))
                    .collect();
                writeln!(f, "{}", line.trim_end())?;
            }
        }
        for Nameless {
            namespace,
            component,
            workers,
        } in &self.nameless
        {
            let component = component.as_deref().unwrap_or("*");
            let place = format!("{namespace}/{component}");
            writeln!(
                f,
                "{}: {workers} workers, heard by events that name no {}; watch them by --target {}",
                Shown(&place),
                if component == "*" { "component" } else { "endpoint" },
                Shown(&format!("{place}/ENDPOINT")),
            )?;
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
