//! What of a snapshot is on the page: the pools with their label text, and the workers that fit.

use std::collections::HashSet;

use fleet::{PoolName, PoolView, Snapshot, WorkerView};
use protocol::EndpointPath;

use super::cap::{Demand, share};
use super::labels::{Pool, Texts, UpstreamPool};
use super::options::{Compat, ExportOptions, WorkerSeries};
use super::{collector, pools, workers};

/// One pool of workers.
#[derive(Debug)]
pub(super) struct ShownPool<'a> {
    pub(super) view: &'a PoolView,
    pub(super) path: &'a EndpointPath,
    /// Upstream's labels have no namespace: of pools that differ in it only, upstream's names show the first.
    pub(super) has_upstream: bool,
    /// The most series that one of its workers has because of its events.
    pub(super) events: usize,
    shown: usize,
}

impl<'a> ShownPool<'a> {
    /// All pools of workers, each with as many workers as fit.
    pub(super) fn all(snapshot: &'a Snapshot, options: &ExportOptions) -> Vec<Self> {
        let mut seen = HashSet::new();
        let mut pools: Vec<Self> = Vec::with_capacity(snapshot.pools.len());
        for view in &snapshot.pools {
            if let PoolName::Workers(path) = &view.name {
                let mut is_first = || seen.insert((&path.component, &path.endpoint));
                pools.push(Self {
                    view,
                    path,
                    has_upstream: options.compat == Compat::Upstream && is_first(),
                    events: workers::series_of_events(view),
                    shown: 0,
                });
            }
        }
        let fixed = |pool: &Self| {
            pools::SERIES
                + pools::event_series(pool.view)
                + if pool.has_upstream {
                    pools::UPSTREAM_SERIES
                } else {
                    0
                }
        };
        let fixed: u64 = collector::series(snapshot) + pools.iter().map(fixed).sum::<u64>();
        let demands: Vec<Demand> = pools
            .iter()
            .map(|pool| pool.demand(options.worker_series))
            .collect();
        let shares = share(&demands, options.max_series.saturating_sub(fixed));
        for (pool, share) in pools.iter_mut().zip(shares) {
            pool.shown = usize::try_from(share).unwrap_or(usize::MAX);
        }
        pools
    }

    fn demand(&self, series: WorkerSeries) -> Demand {
        Demand {
            workers: self.view.workers.len() as u64,
            series_each: workers::series_each(series, self.has_upstream, self.events),
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

/// The label text of all pools, in their order.
pub(super) fn pool_labels(pools: &[ShownPool<'_>]) -> Texts<Pool> {
    let mut texts = Texts::default();
    texts.render(pools.iter().map(|ShownPool { path, view, .. }| {
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
pub(super) fn upstream_pool_labels(pools: &[ShownPool<'_>]) -> Texts<UpstreamPool> {
    let pools = pools.iter().filter(|pool| pool.has_upstream);
    let mut texts = Texts::default();
    texts.render(pools.map(|pool| {
        (
            [pool.path.component.as_str(), pool.path.endpoint.as_str()],
            &[][..],
        )
    }));
    texts
}
