//! [`PoolSpec`]: one of several pools that run side by side, as a scenario lists them.

use std::collections::BTreeSet;

use protocol::EndpointPath;
use serde::Deserialize;
use sim::WorkerSpec;

use super::{Scenario, TrafficSpec, Variant, default_workers};
use crate::expect::Expect;
use crate::faults::Fault;

/// A pool of a scenario that has several.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSpec {
    /// Whose workers they are: namespace/component/endpoint.
    pub path: String,
    /// How many workers.
    #[serde(default = "default_workers")]
    pub workers: u32,
    /// What each worker can do.
    #[serde(default)]
    pub worker: WorkerSpec,
    /// Workers that differ from the others.
    #[serde(default)]
    pub variant: Vec<Variant>,
    /// What is asked of them.
    #[serde(default)]
    pub traffic: TrafficSpec,
    /// What goes wrong.
    #[serde(default)]
    pub fault: Vec<Fault>,
}

impl Scenario {
    /// Each pool as a scenario of its own, with the path of its workers; without one, it is whatever the command line says.
    ///
    /// # Errors
    /// Names the pool whose path is none.
    pub fn pools(&self) -> Result<Vec<(Option<EndpointPath>, Self)>, String> {
        if self.pool.is_empty() {
            return Ok(vec![(None, self.clone())]);
        }
        let pools = self.pool.iter().enumerate();
        pools.map(|(place, pool)| self.of_pool(place, pool)).collect()
    }

    fn of_pool(&self, place: usize, pool: &PoolSpec) -> Result<(Option<EndpointPath>, Self), String> {
        let path = pool.path.parse::<EndpointPath>();
        let path = path.map_err(|error| format!("pool {}: path: {error}", place + 1))?;
        let scenario = Self {
            workers: pool.workers,
            worker: pool.worker.clone(),
            variant: pool.variant.clone(),
            traffic: pool.traffic.clone(),
            fault: pool.fault.clone(),
            expect: Expect::default(),
            pool: Vec::new(),
            place: Some(place),
            ..self.clone()
        };
        Ok((Some(path), scenario))
    }

    /// # Errors
    /// Says which pool cannot be, and why.
    pub(super) fn check_pools(&self) -> Result<(), String> {
        let is_said = self.workers != default_workers()
            || self.worker != WorkerSpec::default()
            || self.traffic != TrafficSpec::default()
            || !self.variant.is_empty()
            || !self.fault.is_empty();
        if is_said {
            return Err(
                "it has pools, so workers, worker, variant, traffic and fault belong into each [[pool]]; a flag sets e.g. \
                 --set pool.0.workers=3"
                    .to_owned(),
            );
        }
        let mut paths = BTreeSet::new();
        for (place, (path, pool)) in self.pools()?.into_iter().enumerate() {
            let name = format!("pool {}", place + 1);
            if !paths.insert(path.map(|path| path.to_string())) {
                return Err(format!("{name}: another pool has its path"));
            }
            pool.check().map_err(|reason| format!("{name}: {reason}"))?;
        }
        Ok(())
    }
}
