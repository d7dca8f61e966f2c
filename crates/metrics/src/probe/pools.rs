//! [`Pool`]: a pool of workers as `list` and `explain` show it. Its figures are those of the page.

use std::collections::{BTreeMap, BTreeSet};

use fleet::{EventScope, Inspection, PoolName, PoolView, Resource, Seen, Source, WorkerView};
use protocol::EndpointPath;
use serde::Serialize;

use super::reading::{self, Reading};

/// One pool of workers.
#[derive(Debug, Serialize)]
pub(super) struct Pool {
    pub(super) path: EndpointPath,
    pub(super) namespace: String,
    pub(super) component: String,
    pub(super) endpoint: String,
    /// All workers, as `llm_pool_workers` counts them.
    pub(super) workers: usize,
    pub(super) fresh: usize,
    #[serde(flatten)]
    pub(super) load: Load,
    /// How they are known.
    pub(super) sources: BTreeSet<&'static str>,
    /// How many publish what their engine does in each forward pass.
    pub(super) forward_passes: usize,
    /// The releases that publish events as they do.
    pub(super) generations: BTreeSet<&'static str>,
    pub(super) layouts: BTreeSet<String>,
    pub(super) versions: BTreeSet<String>,
    /// Where their load comes from.
    #[serde(rename = "load")]
    pub(super) schemas: BTreeSet<&'static str>,
    /// Endpoints whose data cannot be used, so that they are not counted as workers.
    pub(super) unusable: usize,
    pub(super) duplicates: Vec<Duplicate>,
    /// What its operator calls it.
    pub(super) labels: BTreeMap<String, String>,
    pub(super) mappings: Vec<Reading>,
}

/// The load of a pool's fresh workers.
#[derive(Debug, Default, Serialize)]
pub(super) struct Load {
    pub(super) kv_usage_ratio: Option<f64>,
    pub(super) requests_running: Option<u64>,
    pub(super) requests_capacity: Option<u64>,
    pub(super) requests_waiting: Option<u64>,
}

/// One worker id that several service instances report.
#[derive(Debug, Serialize)]
pub(super) struct Duplicate {
    pub(super) worker_id: String,
    /// The instance whose numbers are shown.
    pub(super) shown: String,
    /// The instances that are left out.
    pub(super) left_out: Vec<String>,
}

/// Every pool of workers, by path.
pub(super) fn of(seen: &Inspection) -> Vec<Pool> {
    let mut pools: BTreeMap<EndpointPath, Pool> = BTreeMap::new();
    for view in &seen.pools {
        if let PoolName::Workers(path) = &view.name
            && !view.workers.is_empty()
        {
            pools.insert(path.clone(), Pool::new(path.clone(), view));
        }
    }
    for instance in &seen.instances {
        for endpoint in &instance.endpoints {
            let Some(PoolName::Workers(path)) = &endpoint.pool else {
                continue;
            };
            if let Seen::Worker {
                shape: "undecodable", ..
            } = endpoint.seen
            {
                let pool = pools.entry(path.clone());
                pool.or_insert_with(|| Pool::empty(path.clone())).unusable += 1;
            }
        }
    }
    for (path, pool) in &mut pools {
        pool.duplicates = duplicates(path, seen);
        pool.mappings = reading::of(seen, |name| is_of(name, path));
    }
    pools.into_values().collect()
}

/// The worker ids of a pool that several instances report.
pub(super) fn duplicates(path: &EndpointPath, seen: &Inspection) -> Vec<Duplicate> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for instance in &seen.instances {
        for endpoint in &instance.endpoints {
            if let Seen::Worker {
                pool: PoolName::Workers(of),
                key,
                is_duplicate: true,
                ..
            } = &endpoint.seen
                && of == path
            {
                let left_out = found.entry(key.to_string()).or_default();
                left_out.push(instance.id.to_string());
            }
        }
    }
    let workers = view_of(path, seen).map_or(&[][..], |view| view.workers.as_slice());
    let shown = |id: &str| {
        let mut workers = workers.iter();
        workers.find(|worker| *worker.identity.worker_id == *id)
    };
    let named = found.into_iter().map(|(worker_id, left_out)| Duplicate {
        shown: shown(&worker_id).map_or_else(String::new, |worker| worker.identity.service_id.to_string()),
        worker_id,
        left_out,
    });
    named.collect()
}

/// Whether the pool is that of this path.
pub(super) fn is_of(name: &PoolName, path: &EndpointPath) -> bool {
    matches!(name, PoolName::Workers(of) if of == path)
}

/// The pool of this path, if it is there.
pub(super) fn view_of<'a>(path: &EndpointPath, seen: &'a Inspection) -> Option<&'a PoolView> {
    let mut pools = seen.pools.iter();
    pools.find(|pool| is_of(&pool.name, path)).map(AsRef::as_ref)
}

impl Pool {
    fn empty(path: EndpointPath) -> Self {
        Self {
            namespace: path.namespace.to_string(),
            component: path.component.to_string(),
            endpoint: path.endpoint.to_string(),
            path,
            workers: 0,
            fresh: 0,
            load: Load::default(),
            sources: BTreeSet::new(),
            forward_passes: 0,
            generations: BTreeSet::new(),
            layouts: BTreeSet::new(),
            versions: BTreeSet::new(),
            schemas: BTreeSet::new(),
            unusable: 0,
            duplicates: Vec::new(),
            labels: BTreeMap::new(),
            mappings: Vec::new(),
        }
    }

    fn new(path: EndpointPath, view: &PoolView) -> Self {
        let totals = view.totals();
        let mut pool = Self {
            workers: view.workers.len(),
            fresh: totals.fresh,
            load: Load {
                kv_usage_ratio: totals.utilization[1].or_else(|| {
                    let kv = Resource::ALL
                        .iter()
                        .position(|resource| *resource == Resource::Kv);
                    Some(totals.spreads[kv?]?.mean)
                }),
                requests_running: totals.slots_active,
                requests_capacity: totals.slots_capacity,
                requests_waiting: totals.waiting,
            },
            labels: view.labels.iter().cloned().collect(),
            ..Self::empty(path)
        };
        for worker in view.workers.iter() {
            pool.note(worker);
        }
        pool
    }

    fn note(&mut self, worker: &WorkerView) {
        let identity = &worker.identity;
        let source = worker.source();
        if source != Source::Events {
            self.sources.insert(Source::Service.as_str());
            self.layouts.insert(identity.layout.to_string());
            self.versions.insert(identity.version.to_string());
        }
        self.schemas.insert(worker.schema);
        let Some(events) = worker.events.as_ref().filter(|events| events.is_heard) else {
            return;
        };
        self.sources.insert(Source::Events.as_str());
        self.forward_passes += usize::from(events.passes.is_some());
        self.generations.extend(events.scope.map(EventScope::generation));
    }
}
