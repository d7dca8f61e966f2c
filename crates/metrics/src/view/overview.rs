//! [`Overview`]: the first screen. What is wrong, and every pool in a line.

use std::collections::BTreeMap;

use fleet::{PoolName, PoolView, QUANTILES};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Figure, Header, HeatKey, Level, Moment, Problem, Severity, Spark, problem, rounded};
use crate::history::PoolPast;

/// The state of everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// The collector, and whether the figures are current.
    pub header: Header,
    /// What is wrong, the gravest first.
    pub problems: Vec<Problem>,
    /// Pools of workers: by the gravest problem, then by the largest saturation, then by name.
    pub pools: Vec<PoolRow>,
    /// Endpoints of plain services, in the same order.
    pub services: Vec<ServiceRow>,
}

/// A pool of workers in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PoolRow {
    /// Its place in the table, from 0.
    pub rank: usize,
    /// `namespace/component/endpoint`.
    pub name: String,
    /// Labels that its operator gives it.
    pub labels: BTreeMap<String, String>,
    /// The worst level of its workers' saturation; `stale` where no worker is fresh.
    pub level: Level,
    /// The gravest of its problems.
    pub severity: Option<Severity>,
    /// Whether the last round got an answer, or a definite "no responders".
    pub up: bool,
    /// Its workers by state.
    pub members: Members,
    /// KV-cache use, as a ratio over all workers.
    pub kv: Option<f64>,
    /// KV-cache use over workers.
    pub kv_spread: Option<Spread>,
    /// Use of slots, as a ratio over all workers.
    pub slots: Option<f64>,
    /// Queued requests over all workers.
    pub waiting: Option<u64>,
    /// The largest queue of a worker.
    pub waiting_max: Option<Figure>,
    /// The largest saturation of a worker: 1 is its target.
    pub saturation_max: Option<Figure>,
    /// Workers at their target or above.
    pub saturated: Option<usize>,
    /// Requests per second.
    pub requests_per_second: Option<f64>,
    /// Failed requests by requests.
    pub error_ratio: Option<f64>,
    /// Blocks found in the prefix cache by blocks looked up.
    pub hit_ratio: Option<f64>,
    /// The largest KV use by the mean; of waiting requests, where KV use is not known.
    pub imbalance: Option<f64>,
    /// Changes of its workers in the last hour, without those that joined in the first minute.
    pub changes_last_hour: u64,
    /// The last 15 minutes.
    pub spark: Spark,
}

/// An endpoint of a plain service in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceRow {
    /// Its place in the table, from 0.
    pub rank: usize,
    /// `service/endpoint`.
    pub name: String,
    /// The service.
    pub service: String,
    /// Its endpoint; empty for a service that is watched by name and has not answered.
    pub endpoint: String,
    /// Labels that its operator gives it.
    pub labels: BTreeMap<String, String>,
    /// `stale` where no instance is fresh.
    pub level: Level,
    /// The gravest of its problems.
    pub severity: Option<Severity>,
    /// Whether the last round got an answer, or a definite "no responders".
    pub up: bool,
    /// Its instances by state.
    pub members: Members,
    /// Requests per second.
    pub requests_per_second: Option<f64>,
    /// Failed requests by requests.
    pub error_ratio: Option<f64>,
    /// Mean time spent on a request.
    pub processing_seconds: Option<f64>,
    /// Changes of its instances in the last hour, without those that joined in the first minute.
    pub changes_last_hour: u64,
    /// The last 15 minutes.
    pub spark: Spark,
}

/// Members of a pool by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Members {
    /// All.
    pub total: usize,
    /// They answered recently, in time.
    pub fresh: usize,
    /// They missed several rounds.
    pub stale: usize,
    /// They answer, but only after their rounds have ended.
    pub late: usize,
}

/// A distribution over workers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The median.
    pub p50: Figure,
    /// 99 % of workers are below.
    pub p99: Figure,
    /// The largest.
    pub max: Figure,
    /// The configured target.
    pub target: f64,
}

impl Overview {
    /// The overview of a moment.
    pub fn new(moment: &Moment<'_>) -> Self {
        let problems = problem::all(moment);
        let severities = problem::by_pool(&problems);
        let severity = |name: &str| severities.get(name).copied();
        let (mut pools, mut services) = (Vec::new(), Vec::new());
        for pool in &moment.published.snapshot.pools {
            let name = pool.name.to_string();
            let severity = severity(&name);
            match &pool.name {
                PoolName::Workers(_) => pools.push(PoolRow::new(name, pool, severity, moment)),
                PoolName::Service { service, endpoint } => {
                    services.push(ServiceRow::new(name, (service, endpoint), pool, severity, moment));
                }
            }
        }
        let saturation = |row: &PoolRow| row.saturation_max.map_or(-1.0, |figure| figure.value);
        pools.sort_by(|a, b| {
            (b.severity.cmp(&a.severity))
                .then(saturation(b).total_cmp(&saturation(a)))
                .then_with(|| a.name.cmp(&b.name))
        });
        let rate = |row: &ServiceRow| row.requests_per_second.unwrap_or(-1.0);
        services.sort_by(|a, b| {
            (b.severity.cmp(&a.severity))
                .then(rate(b).total_cmp(&rate(a)))
                .then_with(|| a.name.cmp(&b.name))
        });
        for (rank, row) in pools.iter_mut().enumerate() {
            row.rank = rank;
        }
        for (rank, row) in services.iter_mut().enumerate() {
            row.rank = rank;
        }
        Self {
            header: Header::new(moment, &problems),
            problems,
            pools,
            services,
        }
    }
}

impl PoolRow {
    pub(super) fn new(
        name: String,
        pool: &PoolView,
        severity: Option<Severity>,
        moment: &Moment<'_>,
    ) -> Self {
        let totals = pool.totals();
        let [slots, kv] = totals.utilization;
        let [_, kv_spread, waiting, saturation] = &totals.spreads;
        let settings = &pool.settings;
        let past = moment.history.pool(&pool.name);
        let rates = past.map_or_else(Default::default, PoolPast::rates);
        let saturation_max = saturation.map(|spread| Figure::new(spread.quantiles[MAX], 1.0));
        let mean_hit = || {
            let ratios = pool.workers.iter().filter_map(|worker| {
                let load = worker.load.as_ref()?;
                load.prefix_cache_hit_ratio()
            });
            let (sum, count) = ratios.fold((0.0, 0), |(sum, count), ratio| (sum + ratio, count + 1));
            (count > 0).then(|| sum / f64::from(count))
        };
        Self {
            rank: 0,
            name,
            labels: labels(pool),
            level: match (totals.fresh, saturation_max) {
                (0, _) => Level::Stale,
                (_, Some(figure)) => figure.level,
                (_, None) => Level::None,
            },
            severity,
            up: pool.up,
            members: Members::of(pool),
            kv: kv.map(rounded),
            kv_spread: kv_spread.map(|spread| {
                let figure = |place: usize| Figure::new(spread.quantiles[place], settings.kv_target);
                Spread {
                    p50: figure(P50),
                    p99: figure(P99),
                    max: figure(MAX),
                    target: settings.kv_target,
                }
            }),
            slots: slots.map(rounded),
            waiting: totals.waiting,
            waiting_max: waiting.map(|spread| Figure::new(spread.quantiles[MAX], settings.queue_target)),
            saturation_max,
            saturated: totals.saturated,
            requests_per_second: rates.requests.map(rounded),
            error_ratio: rates.errors.map(rounded),
            hit_ratio: rates.hits.or_else(mean_hit).map(rounded),
            imbalance: (kv_spread.and_then(|spread| spread.imbalance()))
                .or_else(|| waiting.and_then(|spread| spread.imbalance()))
                .map(rounded),
            changes_last_hour: past.map_or(0, PoolPast::changes_last_hour),
            spark: moment.history.spark(&pool.name, HeatKey::Kv),
        }
    }
}

impl ServiceRow {
    fn new(
        name: String,
        (service, endpoint): (&str, &str),
        pool: &PoolView,
        severity: Option<Severity>,
        moment: &Moment<'_>,
    ) -> Self {
        let past = moment.history.pool(&pool.name);
        let rates = past.map_or_else(Default::default, PoolPast::rates);
        let fresh = pool.totals().fresh;
        Self {
            rank: 0,
            name,
            service: service.to_owned(),
            endpoint: endpoint.to_owned(),
            labels: labels(pool),
            level: if fresh == 0 { Level::Stale } else { Level::Ok },
            severity,
            up: pool.up,
            members: Members::of(pool),
            requests_per_second: rates.requests.map(rounded),
            error_ratio: rates.errors.map(rounded),
            processing_seconds: rates.processing,
            changes_last_hour: past.map_or(0, PoolPast::changes_last_hour),
            spark: moment.history.spark(&pool.name, HeatKey::Requests),
        }
    }
}

impl Members {
    pub(super) fn of(pool: &PoolView) -> Self {
        let totals = pool.totals();
        Self {
            total: pool.workers.len(),
            fresh: totals.fresh,
            stale: totals.stale,
            late: totals.late,
        }
    }
}

const P50: usize = 1;
const P99: usize = 3;
const MAX: usize = QUANTILES.len() - 1;
const _: () = assert!(QUANTILES[P50] == 0.5 && QUANTILES[P99] == 0.99 && QUANTILES[MAX] == 1.0);

pub(super) fn labels(pool: &PoolView) -> BTreeMap<String, String> {
    pool.labels.iter().cloned().collect()
}
