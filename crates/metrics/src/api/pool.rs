//! [`Pool`]: a pool of workers, with the figures of `/metrics`.

use std::collections::BTreeMap;

use fleet::{
    Change, ChangeCounts, EventResult, Finish, PoolName, PoolView, QUANTILES, ReplyResult, Settings,
    Snapshot, Spread,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::Query;

/// A pool of workers. Its load is that of its fresh workers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pool<'a> {
    /// `namespace/component/endpoint`.
    name: String,
    namespace: &'a str,
    component: &'a str,
    endpoint: &'a str,
    /// Labels that its operator gives it.
    labels: BTreeMap<&'a str, &'a str>,
    /// Whether the last round got an answer, or a definite "no responders".
    up: bool,
    workers: Members,
    /// Running requests.
    slots: Usage,
    /// KV-cache blocks.
    kv: Usage,
    /// Queued requests.
    waiting: Waiting,
    saturation: Saturation,
    /// Workers that were expected in the last round and did not answer it.
    missing: u64,
    /// When the last round ended that did not fail, in Unix seconds.
    round_ended_seconds: Option<f64>,
    /// Rounds by the reason why they ended.
    rounds: BTreeMap<&'static str, u64>,
    /// Replies by result.
    replies: BTreeMap<&'static str, u64>,
    /// Events by result.
    events: BTreeMap<&'static str, u64>,
    /// Changes of its workers. At any time `joined` less `left` is the number of its workers.
    changes: BTreeMap<&'static str, u64>,
    /// Workers whose id another instance reports, too; the first 64.
    duplicates: Vec<Duplicate<'a>>,
}

/// Members of a pool, by state.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Members {
    total: usize,
    /// They answered recently, in time.
    fresh: usize,
    /// They missed several rounds.
    stale: usize,
    /// They answer, but only after their rounds have ended.
    late: usize,
}

/// How much of something limited is used.
#[derive(Debug, Serialize, JsonSchema)]
struct Usage {
    /// In use, over all workers that report it.
    active: Option<u64>,
    /// In total, over all workers that report it.
    capacity: Option<u64>,
    /// `active / capacity` over the workers that report both.
    ratio: Option<f64>,
    /// How the ratios of the workers are distributed.
    spread: Option<Quantiles>,
}

/// The queues of workers.
#[derive(Debug, Serialize, JsonSchema)]
struct Waiting {
    /// Over all workers.
    total: Option<u64>,
    /// How the queues are distributed.
    spread: Option<Quantiles>,
}

/// `max(waiting / queue target, KV use / KV target)` of each worker.
#[derive(Debug, Serialize, JsonSchema)]
struct Saturation {
    /// Workers whose saturation is 1 or more.
    workers: Option<usize>,
    /// How it is distributed.
    spread: Option<Quantiles>,
    /// The KV use at which a worker is saturated.
    kv_target: f64,
    /// The queue at which a worker is saturated.
    queue_target: f64,
}

/// A distribution over workers.
#[derive(Debug, Serialize, JsonSchema)]
struct Quantiles {
    min: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
    mean: f64,
    /// The population standard deviation.
    stddev: f64,
    /// `max / mean`; `null` where the mean is 0.
    imbalance: Option<f64>,
}

/// A worker id that several instances report.
#[derive(Debug, Serialize, JsonSchema)]
struct Duplicate<'a> {
    /// In decimal.
    worker_id: &'a str,
    /// The instance whose numbers are shown.
    shown: &'a str,
    /// The one whose numbers are not.
    left_out: &'a str,
}

/// All pools of workers that a query selects.
pub(super) fn all<'a>(snapshot: &'a Snapshot, query: &Query) -> Vec<Pool<'a>> {
    let pools = snapshot.pools.iter();
    pools
        .filter(|pool| query.selects_pool(&pool.name))
        .filter_map(|pool| Pool::new(pool))
        .collect()
}

impl<'a> Pool<'a> {
    fn new(view: &'a PoolView) -> Option<Self> {
        let PoolName::Workers(path) = &view.name else {
            return None;
        };
        let totals = view.totals();
        let [slots, kv, waiting, saturation] = &totals.spreads;
        let [slots_ratio, kv_ratio] = totals.utilization;
        let duplicates = view.duplicates.iter().map(|duplicate| Duplicate {
            worker_id: &duplicate.worker.worker_id,
            shown: &duplicate.worker.service_id,
            left_out: &duplicate.other,
        });
        let Settings {
            kv_target,
            queue_target,
            ..
        } = view.settings;
        Some(Self {
            name: path.to_string(),
            namespace: path.namespace.as_str(),
            component: path.component.as_str(),
            endpoint: path.endpoint.as_str(),
            labels: labels(view),
            up: view.up,
            workers: Members::of(view),
            slots: Usage {
                active: totals.slots_active,
                capacity: totals.slots_capacity,
                ratio: slots_ratio,
                spread: slots.as_ref().map(Quantiles::of),
            },
            kv: Usage {
                active: totals.kv_active,
                capacity: totals.kv_capacity,
                ratio: kv_ratio,
                spread: kv.as_ref().map(Quantiles::of),
            },
            waiting: Waiting {
                total: totals.waiting,
                spread: waiting.as_ref().map(Quantiles::of),
            },
            saturation: Saturation {
                workers: totals.saturated,
                spread: saturation.as_ref().map(Quantiles::of),
                kv_target,
                queue_target,
            },
            missing: view.missing,
            round_ended_seconds: view.round_ended.map(|ended| ended.as_secs_f64()),
            rounds: Finish::ALL
                .iter()
                .map(|finish| (finish.as_str(), view.rounds[*finish]))
                .collect(),
            replies: ReplyResult::ALL
                .iter()
                .map(|result| (result.as_str(), view.replies[*result]))
                .collect(),
            events: EventResult::ALL
                .iter()
                .map(|result| (result.as_str(), view.events[*result]))
                .collect(),
            changes: changes(&view.changes),
            duplicates: duplicates.collect(),
        })
    }
}

/// The labels that its operator gives a pool.
pub(super) fn labels(view: &PoolView) -> BTreeMap<&str, &str> {
    let labels = view.labels.iter();
    labels
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// Changes by kind.
pub(super) fn changes(counts: &ChangeCounts) -> BTreeMap<&'static str, u64> {
    Change::ALL
        .iter()
        .map(|change| (change.as_str(), counts[*change]))
        .collect()
}

impl Members {
    pub(super) fn of(view: &PoolView) -> Self {
        let totals = view.totals();
        Self {
            total: view.workers.len(),
            fresh: totals.fresh,
            stale: totals.stale,
            late: totals.late,
        }
    }
}

impl Quantiles {
    fn of(spread: &Spread) -> Self {
        const { assert!(QUANTILES.len() == 5) }
        let [min, p50, p90, p99, max] = spread.quantiles;
        Self {
            min,
            p50,
            p90,
            p99,
            max,
            mean: spread.mean,
            stddev: spread.stddev,
            imbalance: spread.imbalance(),
        }
    }
}
