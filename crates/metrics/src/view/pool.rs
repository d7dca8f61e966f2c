//! [`PoolScreen`]: one pool, with every worker of it.

use fleet::{PoolName, PoolView, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Chart, Header, Level, Moment, Outlier, PoolRow, Problem, Sort, Subject, WorkerRow, outliers, problem,
};

/// One pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PoolScreen {
    /// The collector, and whether the figures are current.
    pub header: Header,
    /// Its name.
    pub name: String,
    /// Whether it is an endpoint of a plain service, whose members are instances without load.
    pub is_service: bool,
    /// The pool as in the overview.
    pub pool: PoolRow,
    /// The KV use at which a worker is saturated.
    pub kv_target: f64,
    /// The queue at which a worker is saturated.
    pub queue_target: f64,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// The few workers that differ most from the others.
    pub outliers: Vec<Outlier>,
    /// How KV use is distributed over its workers, or queues, where KV use is not known.
    pub histogram: Vec<Bin>,
    /// What the histogram shows.
    pub histogram_key: HeatKey,
    /// The last 15 minutes.
    pub charts: Vec<Chart>,
    /// How many workers there are that the filter leaves.
    pub matching: usize,
    /// Workers: stale ones first, then by saturation, unless another order is asked for.
    pub workers: Vec<WorkerRow>,
}

/// A bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bin {
    /// The smallest value in it.
    pub from: f64,
    /// Values in it are smaller than this, or equal to it in the last bar.
    pub to: f64,
    /// Workers.
    pub count: usize,
    /// The level of its smallest value.
    pub level: Level,
}

/// A figure of a worker that the heat strip or a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeatKey {
    /// KV-cache use.
    Kv,
    /// Queued requests.
    Waiting,
    /// Use of slots.
    Slots,
    /// Requests per second.
    Requests,
    /// Failed requests by requests.
    Errors,
    /// Blocks found in the prefix cache by blocks looked up.
    Hits,
    /// Time since it was last heard.
    Age,
}

impl HeatKey {
    /// All keys.
    pub const ALL: [Self; 7] = [
        Self::Kv,
        Self::Waiting,
        Self::Slots,
        Self::Requests,
        Self::Errors,
        Self::Hits,
        Self::Age,
    ];

    /// The word that JSON has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::Waiting => "waiting",
            Self::Slots => "slots",
            Self::Requests => "requests",
            Self::Errors => "errors",
            Self::Hits => "hits",
            Self::Age => "age",
        }
    }

    /// What it is called in a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Kv => "KV use",
            Self::Waiting => "Waiting",
            Self::Slots => "Slots",
            Self::Requests => "Requests/s",
            Self::Errors => "Errors",
            Self::Hits => "Hit ratio",
            Self::Age => "Last seen",
        }
    }

    /// The value of a worker, and its level where there is a target. Without a target the level is `none`, and the
    /// value is shaded by its share of the largest one in the pool.
    pub fn of(self, row: &WorkerRow) -> (Option<f64>, Level) {
        let (value, level) = match self {
            Self::Kv => (row.kv.map(|kv| kv.value), row.kv.map(|kv| kv.level)),
            Self::Waiting => (
                row.waiting.map(|waiting| waiting.value),
                row.waiting.map(|waiting| waiting.level),
            ),
            Self::Slots => (
                row.slots.map(|slots| slots.value),
                row.slots.map(|slots| slots.level),
            ),
            Self::Requests => (row.requests_per_second, None),
            Self::Errors => (row.error_ratio, None),
            Self::Hits => (row.hit_ratio, None),
            Self::Age => (row.last_seen_seconds.map(|seconds| seconds as f64), None),
        };
        match (row.level, level.unwrap_or_default()) {
            (Level::Stale, _) => (value, Level::Stale),
            (Level::New, Level::Ok) => (value, Level::New),
            (_, level) => (value, level),
        }
    }
}

impl PoolScreen {
    /// The screen of a pool; `None` where there is no pool of this name.
    pub fn new(name: &str, moment: &Moment<'_>) -> Option<Self> {
        let pool = find(name, &moment.published.snapshot)?;
        let problems = problem::all(moment);
        let header = Header::new(moment, &problems);
        let severity = problem::by_pool(&problems).get(name).copied();
        let about = |problem: &Problem| match &problem.subject {
            Subject::Collector => true,
            Subject::Pool { pool } | Subject::Worker { pool, .. } => pool == name,
        };
        let problems = problems.into_iter().filter(about).collect();
        let past = moment.history.pool(&pool.name);
        let mut workers: Vec<WorkerRow> = pool
            .workers
            .iter()
            .map(|worker| {
                let past = past.and_then(|past| past.worker(&worker.identity.key));
                WorkerRow::new(worker, pool, past, moment)
            })
            .collect();
        Sort::default().apply(&mut workers);
        let (histogram_key, histogram) = histogram(pool, &workers);
        Some(Self {
            header,
            name: name.to_owned(),
            is_service: matches!(pool.name, PoolName::Service { .. }),
            pool: PoolRow::new(name.to_owned(), pool, severity, moment),
            kv_target: pool.settings.kv_target,
            queue_target: pool.settings.queue_target,
            problems,
            matching: workers.len(),
            outliers: outliers::of(&workers),
            histogram,
            histogram_key,
            charts: moment.history.pool_charts(pool),
            workers,
        })
    }
}

impl PoolScreen {
    /// The same with other workers.
    pub(super) fn with_workers(&self, workers: Vec<WorkerRow>) -> Self {
        Self {
            header: self.header.clone(),
            name: self.name.clone(),
            pool: self.pool.clone(),
            problems: self.problems.clone(),
            outliers: self.outliers.clone(),
            histogram: self.histogram.clone(),
            charts: self.charts.clone(),
            workers,
            ..*self
        }
    }
}

/// The pool of this name.
pub(super) fn find<'a>(name: &str, snapshot: &'a Snapshot) -> Option<&'a PoolView> {
    let pools = snapshot.pools.iter();
    pools
        .map(|pool| &**pool)
        .find(|pool| pool.name.to_string() == name)
}

/// Bars of a histogram.
const BINS: usize = 10;

fn histogram(pool: &PoolView, workers: &[WorkerRow]) -> (HeatKey, Vec<Bin>) {
    let values = |key: HeatKey| -> Vec<f64> { workers.iter().filter_map(|row| key.of(row).0).collect() };
    let (kv, waiting) = (values(HeatKey::Kv), values(HeatKey::Waiting));
    let (key, values, target) = match kv.is_empty() && !waiting.is_empty() {
        true => (HeatKey::Waiting, waiting, pool.settings.queue_target),
        false => (HeatKey::Kv, kv, pool.settings.kv_target),
    };
    if values.is_empty() {
        return (key, Vec::new());
    }
    let largest = values.iter().copied().fold(0.0, f64::max);
    let width = match key {
        HeatKey::Waiting => (largest.max(2.0 * target) / BINS as f64).ceil(),
        _ => 1.0 / BINS as f64,
    };
    let mut counts = [0; BINS];
    for value in values {
        counts[((value / width) as usize).min(BINS - 1)] += 1;
    }
    let bins = counts.into_iter().enumerate().map(|(index, count)| {
        let from = index as f64 * width;
        Bin {
            from: super::rounded(from),
            to: super::rounded(from + width),
            count,
            level: Level::of(from / target),
        }
    });
    (key, bins.collect())
}
