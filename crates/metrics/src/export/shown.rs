//! What of a snapshot is on the page: the pools with their label text, and the workers and instances that fit.

use std::collections::HashSet;

use fleet::{PoolName, PoolView, Snapshot, WorkerView};
use protocol::EndpointPath;

use super::Moment;
use super::cap::{Demand, share};
use super::labels::{OwnLabels, Pool, ServicePool, Texts, UpstreamPool};
use super::options::{Compat, ExportOptions, InstanceSeries, WorkerSeries};
use super::{collector, mapped, pools, services, workers};

/// All pools, each with as many members as fit.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) pools: Vec<ShownPool<'a>>,
    pub(super) services: Vec<ShownService<'a>>,
}

/// One pool of workers.
#[derive(Debug)]
pub(super) struct ShownPool<'a> {
    pub(super) view: &'a PoolView,
    pub(super) path: &'a EndpointPath,
    /// Upstream's labels have no namespace: of pools that differ in it only, upstream's names show the first.
    pub(super) has_upstream: bool,
    /// The most series that one of its workers has because of its events.
    pub(super) events: usize,
    /// The most series that one of its workers has because of mappings.
    mapped: u64,
    shown: usize,
}

/// One endpoint of a plain service.
#[derive(Debug)]
pub(super) struct ShownService<'a> {
    pub(super) view: &'a PoolView,
    service: &'a str,
    endpoint: &'a str,
    /// Whether its instances have series.
    has_instances: bool,
    /// The most series that one of its instances has because of mappings.
    mapped: u64,
    shown: usize,
}

impl<'a> Shown<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, moment: &Moment, options: &ExportOptions) -> Self {
        let mut seen = HashSet::new();
        let (mut pools, mut services) = (Vec::with_capacity(snapshot.pools.len()), Vec::new());
        for view in &snapshot.pools {
            match &view.name {
                PoolName::Workers(path) => {
                    let mut is_first = || seen.insert((&path.component, &path.endpoint));
                    pools.push(ShownPool {
                        view,
                        path,
                        has_upstream: options.compat == Compat::Upstream && is_first(),
                        events: workers::series_of_events(view),
                        mapped: mapped::series_each(view),
                        shown: 0,
                    });
                }
                PoolName::Service { service, endpoint } => services.push(ShownService {
                    view,
                    service,
                    endpoint,
                    has_instances: options.instance_series == InstanceSeries::On,
                    mapped: mapped::series_each(view),
                    shown: 0,
                }),
            }
        }
        let fixed = |pool: &ShownPool<'_>| {
            let upstream = if pool.has_upstream {
                pools::UPSTREAM_SERIES
            } else {
                0
            };
            pools::SERIES + pools::event_series(pool.view) + upstream
        };
        let of_services = services.len() as u64 * services::SERIES;
        let fixed = collector::series(snapshot, moment) + pools.iter().map(fixed).sum::<u64>() + of_services;
        let of_pools = pools.iter().map(|pool| pool.demand(options.worker_series));
        let demands: Vec<Demand> = of_pools
            .chain(services.iter().map(ShownService::demand))
            .collect();
        let shares = share(&demands, options.max_series.saturating_sub(fixed));
        let shown = pools.iter_mut().map(|pool| &mut pool.shown);
        let shown = shown.chain(services.iter_mut().map(|pool| &mut pool.shown));
        for (shown, share) in shown.zip(shares) {
            *shown = usize::try_from(share).unwrap_or(usize::MAX);
        }
        Self { pools, services }
    }

    /// How many workers and instances are on the page.
    pub(super) fn members(&self) -> usize {
        let workers = self.pools.iter().map(|pool| pool.workers().len());
        let instances = self.services.iter().map(|pool| pool.instances().len());
        workers.chain(instances).sum()
    }

    /// All pools, with their members of which something is on the page, and those of which nothing is.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a PoolView, &'a [WorkerView], &'a [WorkerView])> {
        let pools = self
            .pools
            .iter()
            .map(|pool| (pool.view, pool.workers(), pool.left_out()));
        let services = self.services.iter();
        pools.chain(services.map(|pool| (pool.view, pool.members(), pool.left_out())))
    }

    /// The label text of all pools of workers, in their order.
    pub(super) fn pool_labels(&self) -> Texts<Pool> {
        let mut texts = Texts::default();
        texts.render(self.pools.iter().map(|ShownPool { path, view, .. }| {
            let names = [
                path.namespace.as_str(),
                path.component.as_str(),
                path.endpoint.as_str(),
            ];
            (names, &*view.labels)
        }));
        texts
    }

    /// The label text of the pools that have upstream's names.
    pub(super) fn upstream_pool_labels(&self) -> Texts<UpstreamPool> {
        let pools = self.pools.iter().filter(|pool| pool.has_upstream);
        let mut texts = Texts::default();
        texts.render(pools.map(|pool| {
            let names = [pool.path.component.as_str(), pool.path.endpoint.as_str()];
            (names, &[][..])
        }));
        texts
    }

    /// The label text of all endpoints of services, in their order.
    pub(super) fn service_labels(&self) -> Texts<ServicePool> {
        let mut texts = Texts::default();
        let names = |pool: &ShownService<'a>| ([pool.service, pool.endpoint], &*pool.view.labels);
        texts.render(self.services.iter().map(names));
        texts
    }
}

impl<'a> ShownPool<'a> {
    fn demand(&self, series: WorkerSeries) -> Demand {
        Demand {
            workers: self.view.workers.len() as u64,
            series_each: workers::series_each(series, self.has_upstream, self.events) + self.mapped,
        }
    }

    /// The workers that are on the page.
    pub(super) fn workers(&self) -> &'a [WorkerView] {
        &self.view.workers[..self.shown]
    }

    /// The workers that are not.
    pub(super) fn left_out(&self) -> &'a [WorkerView] {
        &self.view.workers[self.shown..]
    }
}

impl<'a> ShownService<'a> {
    fn demand(&self) -> Demand {
        let own = if self.has_instances {
            services::INSTANCE_SERIES
        } else {
            0
        };
        Demand {
            workers: self.view.workers.len() as u64,
            series_each: own + self.mapped,
        }
    }

    /// The instances of which something is on the page, if only what mappings find.
    pub(super) fn members(&self) -> &'a [WorkerView] {
        &self.view.workers[..self.shown]
    }

    /// The instances that have series of their own on the page.
    pub(super) fn instances(&self) -> &'a [WorkerView] {
        match self.has_instances {
            true => self.members(),
            false => &[],
        }
    }

    /// The instances that are not on the page, because they do not fit.
    pub(super) fn left_out(&self) -> &'a [WorkerView] {
        &self.view.workers[self.shown..]
    }

    /// Whether instances have series of their own.
    pub(super) fn has_instances(&self) -> bool {
        self.has_instances
    }

    /// The label values of one of its instances.
    pub(super) fn labels_of<'i>(&'i self, instance: &'i WorkerView) -> ([&'i str; 3], &'i OwnLabels) {
        let names = [self.service, self.endpoint, &*instance.identity.worker_id];
        (names, &self.view.labels)
    }
}
