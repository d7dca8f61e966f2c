//! [`Service`]: a service that is there and is no worker, as `list` and `explain` show it in one line.

use std::collections::{BTreeMap, BTreeSet};

use fleet::{Inspection, InstanceReport, PoolName};
use protocol::text::Shown;
use serde::Serialize;

use super::reading::{self, Reading};
use crate::table::{NOTHING, Table};

/// Endpoints of one service that are named.
const NAMED_ENDPOINTS: usize = 3;

/// One service.
#[derive(Debug, Serialize)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) instances: usize,
    versions: BTreeSet<String>,
    /// The subjects that it serves.
    endpoints: BTreeSet<String>,
    pub(super) mappings: Vec<Reading>,
}

/// Every service whose instances belong to no pool of workers, by name.
pub(super) fn of(seen: &Inspection) -> Vec<Service> {
    let mut services: BTreeMap<&str, Service> = BTreeMap::new();
    let is_worker = |instance: &&InstanceReport| {
        let mut pools = instance
            .endpoints
            .iter()
            .filter_map(|endpoint| endpoint.pool.as_ref());
        pools.any(|pool| matches!(pool, PoolName::Workers(_)))
    };
    for instance in seen.instances.iter().filter(|instance| !is_worker(instance)) {
        let service = services.entry(&instance.service).or_insert_with(|| Service {
            name: instance.service.to_string(),
            instances: 0,
            versions: BTreeSet::new(),
            endpoints: BTreeSet::new(),
            mappings: reading::of(seen, |pool| is_of(pool, &instance.service)),
        });
        service.instances += 1;
        service.versions.insert(instance.version.to_string());
        let subjects = instance
            .endpoints
            .iter()
            .map(|endpoint| endpoint.subject.to_string());
        service.endpoints.extend(subjects);
    }
    services.into_values().collect()
}

/// Whether the pool is of an endpoint of this service.
pub(super) fn is_of(pool: &PoolName, name: &str) -> bool {
    matches!(pool, PoolName::Service { service, .. } if **service == *name)
}

/// Services, one in each line.
pub(super) fn table<'a>(services: impl IntoIterator<Item = &'a Service>) -> Table<4> {
    let head = ["SERVICE", "INSTANCES", "VERSION", "ENDPOINTS"];
    Table::of_texts(head, services.into_iter().map(Service::row))
}

/// Texts of one cell, safe to show.
pub(super) fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let shown: Vec<String> = texts.into_iter().map(|text| Shown(text).to_string()).collect();
    match shown.is_empty() {
        true => NOTHING.to_owned(),
        false => shown.join(","),
    }
}

/// The first few texts of one cell, and how many more there are.
pub(super) fn first_few(texts: &BTreeSet<String>) -> String {
    let mut few = joined(texts.iter().take(NAMED_ENDPOINTS).map(String::as_str));
    if let Some(more @ 1..) = texts.len().checked_sub(NAMED_ENDPOINTS) {
        few.push_str(&format!(" and {more} more"));
    }
    few
}

impl Service {
    fn row(&self) -> [String; 4] {
        [
            Shown(&self.name).to_string(),
            self.instances.to_string(),
            joined(self.versions.iter().map(String::as_str)),
            first_few(&self.endpoints),
        ]
    }
}
