//! The OpenMetrics page, rendered from a snapshot: a worker that is not in it is not on the page.

use std::collections::BTreeSet;
use std::fmt::Error;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use protocol::{EndpointPath, WorkerStats};

use super::catalogue::{self as c, Family, Kind};
use crate::args::Compat;
use crate::fleet::{EventResult, Histogram, PoolView, Resource, Snapshot, WorkerState, WorkerView};
use crate::gather::Finish;
use crate::intake::ReplyResult;

const QUANTILES: [(f64, &str); 5] = [(0.0, "0"), (0.5, "0.5"), (0.9, "0.9"), (0.99, "0.99"), (1.0, "1")];

pub(super) fn render(snapshot: &Arc<Snapshot>, compat: Compat) -> Result<String, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page {
        snapshot: snapshot.clone(),
        compat,
    }));
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &registry)?;
    Ok(page)
}

#[derive(Debug)]
struct Page {
    snapshot: Arc<Snapshot>,
    compat: Compat,
}

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut writer = Writer { encoder };
        self.workers(&mut writer)?;
        self.pools(&mut writer)?;
        self.collector(&mut writer)?;
        if self.compat == Compat::Upstream {
            self.upstream(&mut writer)
        } else {
            Ok(())
        }
    }
}

/// Labels of one sample.
type Labels<'a> = Vec<(&'static str, &'a str)>;

type WorkerValue = fn(&WorkerView) -> Option<f64>;

/// A value of the worker's load, by name.
macro_rules! load {
    ($field:ident) => {
        |worker| Some(worker.stats.as_ref()?.$field()? as f64)
    };
}

const WORKER_FAMILIES: [(&Family, WorkerValue); 16] = [
    (&c::SLOTS_ACTIVE, load!(request_slots_active)),
    (&c::SLOTS_CAPACITY, load!(request_slots_capacity)),
    (&c::WAITING, load!(requests_waiting)),
    (&c::KV_ACTIVE, load!(kv_blocks_active)),
    (&c::KV_CAPACITY, load!(kv_blocks_capacity)),
    (&c::KV_USAGE, |worker| worker.stats.as_ref()?.kv_usage_ratio()),
    (&c::PREFIX_HITS, |worker| {
        worker.stats.as_ref()?.prefix_cache_hit_ratio()
    }),
    (&c::SATURATION, |worker| worker.saturation),
    (&c::LAST_SEEN, |worker| Some(unix(worker.last_seen))),
    (&c::RESTARTS, |worker| Some(worker.restarts as f64)),
    (&c::REQUESTS, |worker| Some(worker.requests)),
    (&c::ERRORS, |worker| Some(worker.errors)),
    (&c::PROCESSING, |worker| worker.processing_seconds),
    (&c::STARTED, |worker| {
        Some(worker.started?.unix_timestamp_nanos() as f64 / 1e9)
    }),
    (&c::LOOKUPS, |worker| Some(worker.lookup_blocks as f64)),
    (&c::HITS, |worker| Some(worker.hit_blocks as f64)),
];

const UPSTREAM_FAMILIES: [(&Family, WorkerValue); 7] = [
    (&c::UP_KV_ACTIVE, load!(kv_blocks_active)),
    (&c::UP_KV_TOTAL, load!(kv_blocks_capacity)),
    (&c::UP_SLOTS_ACTIVE, load!(request_slots_active)),
    (&c::UP_SLOTS_TOTAL, load!(request_slots_capacity)),
    (&c::UP_HIT_RATE, |worker| {
        worker.stats.as_ref()?.prefix_cache_hit_ratio()
    }),
    (&c::UP_LOOKUPS, |worker| Some(worker.lookup_blocks as f64)),
    (&c::UP_HITS, |worker| Some(worker.hit_blocks as f64)),
];

type PoolValue = fn(&PoolView) -> Option<f64>;

/// A count of the workers' load, summed.
macro_rules! total {
    ($field:ident) => {
        |pool| Some(pool.sum(WorkerStats::$field)? as f64)
    };
}

const POOL_FAMILIES: [(&Family, PoolValue); 10] = [
    (&c::POOL_SLOTS_ACTIVE, total!(request_slots_active)),
    (&c::POOL_SLOTS_CAPACITY, total!(request_slots_capacity)),
    (&c::POOL_WAITING, total!(requests_waiting)),
    (&c::POOL_KV_ACTIVE, total!(kv_blocks_active)),
    (&c::POOL_KV_CAPACITY, total!(kv_blocks_capacity)),
    (&c::POOL_SATURATION, |pool| {
        Some(pool.spread(Resource::Saturation)?.mean())
    }),
    (&c::POOL_SATURATED, |pool| Some(pool.saturated()? as f64)),
    (&c::UP, |pool| Some(f64::from(pool.up))),
    (&c::MISSING, |pool| Some(pool.missing as f64)),
    (&c::SNAPSHOT_AT, |pool| pool.snapshot_at.map(unix)),
];

impl Page {
    fn workers(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        for (family, value) in WORKER_FAMILIES {
            let of_pool = |pool| worker_samples(pool, worker_labels, value);
            writer.write(family, self.snapshot.pools.iter().flat_map(of_pool))?;
        }
        let identities = self.snapshot.pools.iter().flat_map(|pool| {
            pool.workers.iter().map(|worker| {
                let mut labels = worker_labels(&pool.target.path, worker);
                labels.extend([
                    ("worker_hex", worker.worker_hex.as_str()),
                    ("service_id", &worker.service_id),
                    ("version", worker.version.as_str()),
                    ("layout", worker.layout.as_str()),
                    ("schema", worker.schema),
                ]);
                (labels, 1.0)
            })
        });
        writer.write(&c::INFO, identities)
    }

    fn pools(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let pools = &self.snapshot.pools;
        writer.write(
            &c::POOL_WORKERS,
            pools.iter().flat_map(|pool| {
                [WorkerState::Fresh, WorkerState::Stale].map(|state| {
                    (
                        with(pool_labels(pool), "state", state.as_str()),
                        pool.count(state) as f64,
                    )
                })
            }),
        )?;
        for (family, value) in POOL_FAMILIES {
            writer.write(
                family,
                pools
                    .iter()
                    .filter_map(|pool| Some((pool_labels(pool), value(pool)?))),
            )?;
        }
        let by_resource = || {
            pools
                .iter()
                .flat_map(|pool| Resource::ALL.map(|resource| (pool, resource)))
        };
        let labels = |pool, resource: Resource| with(pool_labels(pool), "resource", resource.as_str());
        let utilization = by_resource().filter_map(|(pool, r)| Some((labels(pool, r), pool.utilization(r)?)));
        writer.write(&c::POOL_UTILIZATION, utilization)?;
        let spreads: Vec<_> = by_resource()
            .filter_map(|(pool, r)| Some((labels(pool, r), pool.spread(r)?)))
            .collect();
        let quantiles = spreads.iter().flat_map(|(labels, spread)| {
            QUANTILES.map(|(q, text)| (with(labels.clone(), "quantile", text), spread.quantile(q)))
        });
        writer.write(&c::POOL_QUANTILE, quantiles)?;
        writer.write(
            &c::POOL_STDDEV,
            spreads
                .iter()
                .map(|(labels, spread)| (labels.clone(), spread.stddev())),
        )?;
        let imbalances = spreads
            .iter()
            .filter_map(|(labels, spread)| Some((labels.clone(), spread.imbalance()?)));
        writer.write(&c::POOL_IMBALANCE, imbalances)?;
        writer.histograms(
            &c::HIT_RATIO,
            pools.iter().map(|pool| (pool_labels(pool), &pool.hit_ratios)),
        )
    }

    fn collector(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let pools = &self.snapshot.pools;
        writer.histograms(
            &c::ROUND_DURATION,
            pools.iter().map(|pool| (pool_labels(pool), &pool.round_seconds)),
        )?;
        let count = |count: Option<&u64>| count.copied().unwrap_or(0) as f64;
        let rounds = pools.iter().flat_map(|pool| {
            Finish::ALL.map(|f| {
                (
                    with(pool_labels(pool), "finish", f.as_str()),
                    count(pool.rounds.get(&f)),
                )
            })
        });
        writer.write(&c::ROUNDS, rounds)?;
        let replies = pools.iter().flat_map(|pool| {
            ReplyResult::ALL.map(|r| {
                (
                    with(pool_labels(pool), "result", r.as_str()),
                    count(pool.replies.get(&r)),
                )
            })
        });
        writer.write(&c::REPLIES, replies)?;
        let events = pools.iter().flat_map(|pool| {
            EventResult::ALL.map(|r| {
                (
                    with(pool_labels(pool), "result", r.as_str()),
                    count(pool.events.get(&r)),
                )
            })
        });
        writer.write(&c::EVENTS, events)?;
        let ignored = pools.iter().map(|pool| {
            (
                with(pool_labels(pool), "reason", "too_many_workers"),
                pool.ignored as f64,
            )
        });
        writer.write(&c::IGNORED, ignored)?;
        let link = &self.snapshot.link;
        writer.write(
            &c::VIOLATIONS,
            [(Labels::new(), link.permission_violations as f64)],
        )?;
        writer.write(&c::CONNECTED, [(Labels::new(), f64::from(link.connected))])?;
        writer.write(&c::RECONNECTS, [(Labels::new(), link.reconnects as f64)])?;
        let build = vec![
            ("version", env!("CARGO_PKG_VERSION")),
            ("revision", option_env!("GIT_REVISION").unwrap_or("unknown")),
        ];
        writer.write(&c::BUILD_INFO, [(build, 1.0)])
    }

    /// Upstream's labels have no namespace: of two targets that differ in it only, the first is shown.
    fn upstream(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let mut shown = BTreeSet::new();
        let pools: Vec<&PoolView> = self
            .snapshot
            .pools
            .iter()
            .filter(|pool| shown.insert((&pool.target.path.component, &pool.target.path.endpoint)))
            .collect();
        for (family, value) in UPSTREAM_FAMILIES {
            let samples = pools
                .iter()
                .flat_map(|pool| worker_samples(pool, worker_labels, value));
            writer.write(
                family,
                samples.map(|(labels, value)| (without_namespace(labels), value)),
            )?;
        }
        let spreads: Vec<_> = pools
            .iter()
            .filter_map(|pool| Some((without_namespace(pool_labels(pool)), pool.load_spread()?)))
            .collect();
        writer.write(
            &c::UP_LOAD_AVG,
            spreads
                .iter()
                .map(|(labels, spread)| (labels.clone(), spread.mean())),
        )?;
        writer.write(
            &c::UP_LOAD_STD,
            spreads
                .iter()
                .map(|(labels, spread)| (labels.clone(), spread.stddev())),
        )
    }
}

fn worker_samples<'a>(
    pool: &'a PoolView,
    labels: fn(&'a EndpointPath, &'a WorkerView) -> Labels<'a>,
    value: WorkerValue,
) -> impl Iterator<Item = (Labels<'a>, f64)> {
    pool.workers
        .iter()
        .filter_map(move |worker| Some((labels(&pool.target.path, worker), value(worker)?)))
}

fn pool_labels(pool: &PoolView) -> Labels<'_> {
    let path = &pool.target.path;
    vec![
        ("namespace", path.namespace.as_str()),
        ("component", path.component.as_str()),
        ("endpoint", path.endpoint.as_str()),
    ]
}

fn worker_labels<'a>(path: &'a EndpointPath, worker: &'a WorkerView) -> Labels<'a> {
    vec![
        ("namespace", path.namespace.as_str()),
        ("component", path.component.as_str()),
        ("endpoint", path.endpoint.as_str()),
        ("worker_id", worker.worker_id.as_str()),
    ]
}

fn without_namespace(labels: Labels<'_>) -> Labels<'_> {
    labels
        .into_iter()
        .filter(|(name, _)| *name != "namespace")
        .collect()
}

fn with<'a>(mut labels: Labels<'a>, name: &'static str, value: &'a str) -> Labels<'a> {
    labels.push((name, value));
    labels
}

fn unix(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

struct Writer<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Writer<'_> {
    /// Writes a family of gauges or counters; one without samples is left out.
    fn write<'s>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels<'s>, f64)>,
    ) -> Result<(), Error> {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let kind = match family.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Unknown => MetricType::Unknown,
            Kind::Gauge | Kind::Histogram => MetricType::Gauge,
        };
        let mut metric = self
            .encoder
            .encode_descriptor(family.name, family.help, None, kind)?;
        for (labels, value) in samples {
            // A family without labels has no braces either.
            match labels.is_empty() {
                true => write_sample(&mut metric, family.kind, value)?,
                false => write_sample(&mut metric.encode_family(&labels)?, family.kind, value)?,
            }
        }
        Ok(())
    }

    fn histograms<'s>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels<'s>, &'s Histogram)>,
    ) -> Result<(), Error> {
        let mut metric =
            self.encoder
                .encode_descriptor(family.name, family.help, None, MetricType::Histogram)?;
        for (labels, histogram) in samples {
            // The encoder adds the buckets up.
            let bounds = histogram.bounds.iter().copied().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(histogram.counts.iter().copied()).collect();
            let count = histogram.counts.iter().sum();
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                histogram.sum,
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}

/// Whole numbers are written as such: people and their scripts look for `4`, not `4.0`.
fn write_sample(sample: &mut MetricEncoder<'_>, kind: Kind, value: f64) -> Result<(), Error> {
    match (kind, whole(value)) {
        (Kind::Counter, Some(n)) => sample.encode_counter::<NoLabelSet, u64, f64>(&n, None),
        (Kind::Counter, None) => sample.encode_counter::<NoLabelSet, f64, f64>(&value, None),
        (_, Some(n)) => sample.encode_gauge(&n),
        (_, None) => sample.encode_gauge(&value),
    }
}

/// The value as a whole number, if it is one that a float holds exactly.
fn whole(value: f64) -> Option<u64> {
    (value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value)).then_some(value as u64)
}
