//! What a page shows of each worker.

use std::collections::BTreeMap;

use protocol::EndpointPath;

use super::fields::{COUNT, FIELDS, Values};
use crate::page::{Page, Sample};

/// When a worker last gave valid statistics, in seconds of Unix time.
pub(super) const LAST_SEEN: &str = "llm_worker_last_seen_timestamp_seconds";

/// When a message of a worker was last heard, for each topic, in seconds of Unix time.
pub(super) const LAST_EVENT: &str = "llm_worker_last_event_timestamp_seconds";

/// When the last round ended that did not fail, in seconds of Unix time.
const SNAPSHOT: &str = "llm_collector_snapshot_timestamp_seconds";

/// Namespace, component and endpoint, as labels.
pub(super) type Pool<'a> = [&'a str; 3];

const POOL_LABELS: [&str; 3] = ["dynamo_namespace", "dynamo_component", "dynamo_endpoint"];

/// The workers of a page.
pub(super) struct Shown<'a> {
    /// In the order of pools and ids.
    pub(super) workers: Vec<ShownWorker<'a>>,
    /// The pools that are looked at, or `None` for all.
    pool: Option<&'a EndpointPath>,
    /// When the collector last looked.
    looked: Option<f64>,
}

/// One worker of a page.
pub(super) struct ShownWorker<'a> {
    pub(super) pool: Pool<'a>,
    pub(super) id: &'a str,
    pub(super) values: Values,
    pub(super) last_seen: Option<f64>,
    /// When any message of it was last heard.
    pub(super) last_event: Option<f64>,
}

impl<'a> Shown<'a> {
    pub(super) fn read(page: &'a Page, pool: Option<&'a EndpointPath>) -> Self {
        let mut shown = Self {
            workers: Vec::new(),
            pool,
            looked: None,
        };
        shown.looked = latest(shown.of_pools(page, SNAPSHOT).map(|(_, sample)| sample.value));
        let mut workers = BTreeMap::new();
        for (place, field) in FIELDS.iter().enumerate() {
            for (worker, sample) in shown.of_workers(page, field.metric) {
                let (values, ..): &mut (Values, _, _) = workers.entry(worker).or_default();
                values[place] = Some(sample.value);
            }
        }
        for (worker, sample) in shown.of_workers(page, LAST_SEEN) {
            workers.entry(worker).or_default().1 = Some(sample.value);
        }
        for (worker, sample) in shown.of_workers(page, LAST_EVENT) {
            let last: &mut Option<f64> = &mut workers.entry(worker).or_default().2;
            *last = latest(last.iter().copied().chain([sample.value]));
        }
        shown.workers = workers
            .into_iter()
            .map(|((pool, id), (values, last_seen, last_event))| ShownWorker {
                pool,
                id,
                values,
                last_seen,
                last_event,
            })
            .collect();
        shown
    }

    /// The samples of a metric that are about a pool that is looked at, with that pool.
    pub(super) fn of_pools(
        &self,
        page: &'a Page,
        metric: &str,
    ) -> impl Iterator<Item = (Pool<'a>, &'a Sample)> {
        let wanted = self.pool;
        page.samples(metric, &[]).filter_map(move |sample| {
            let pool = POOL_LABELS.map(|label| sample.labels.get(label).map_or("", String::as_str));
            let fits = wanted.is_none_or(|path| {
                pool == [
                    path.namespace.as_str(),
                    path.component.as_str(),
                    path.endpoint.as_str(),
                ]
            });
            fits.then_some((pool, sample))
        })
    }

    fn of_workers(
        &self,
        page: &'a Page,
        metric: &str,
    ) -> impl Iterator<Item = ((Pool<'a>, &'a str), &'a Sample)> {
        self.of_pools(page, metric)
            .filter_map(|(pool, sample)| Some(((pool, sample.labels.get("worker_id")?.as_str()), sample)))
    }

    /// The latest time that the page can know of, in seconds of Unix time: when the worker that was seen last was seen,
    /// or a later scrape at which no worker was there.
    pub(super) fn newest(&self) -> Option<f64> {
        let seen = self
            .workers
            .iter()
            .flat_map(|worker| [worker.last_seen, worker.last_event])
            .flatten();
        latest(seen.chain(self.looked))
    }
}

fn latest(times: impl Iterator<Item = f64>) -> Option<f64> {
    times.filter(|time| time.is_finite()).reduce(f64::max)
}

impl ShownWorker<'_> {
    /// Whether it is fresh: a stale one has no load on the page.
    pub(super) fn has_load(&self) -> bool {
        self.values != [None; COUNT]
    }
}
