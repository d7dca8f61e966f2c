//! The fields of a load: their names on the wire and on the page, and where their values are.

use protocol::WorkerStats;
use serde_json::Value;

use crate::truth::Load;

/// How far apart two ratios may be that are the same: some were divided, written and read on different ways.
const RATIO_TOLERANCE: f64 = 1e-12;

/// How many fields there are.
pub(super) const COUNT: usize = 7;

/// A value for each of [`FIELDS`]; absent where nothing is said.
pub(super) type Values = [Option<f64>; COUNT];

/// One field.
pub(super) struct Field {
    /// Its name on the wire.
    pub(super) wire: &'static str,
    /// Its name on the page.
    pub(super) metric: &'static str,
    /// The sum over a pool's workers, where the page has one.
    pub(super) pool_metric: Option<&'static str>,
    is_ratio: bool,
    truth: fn(&Load) -> Option<f64>,
    sent: fn(&WorkerStats) -> Option<f64>,
}

macro_rules! count {
    ($wire:ident, $getter:ident, $metric:literal, $pool:literal) => {
        Field {
            wire: stringify!($wire),
            metric: $metric,
            pool_metric: Some($pool),
            is_ratio: false,
            truth: |load| Some(load.$wire as f64),
            sent: |stats| stats.$getter().map(|count| count as f64),
        }
    };
}

pub(super) const FIELDS: [Field; COUNT] = [
    count!(
        request_active_slots,
        request_slots_active,
        "llm_worker_request_slots_active",
        "llm_pool_request_slots_active"
    ),
    count!(
        request_total_slots,
        request_slots_capacity,
        "llm_worker_request_slots_capacity",
        "llm_pool_request_slots_capacity"
    ),
    count!(
        num_requests_waiting,
        requests_waiting,
        "llm_worker_requests_waiting",
        "llm_pool_requests_waiting"
    ),
    count!(
        kv_active_blocks,
        kv_blocks_active,
        "llm_worker_kv_blocks_active",
        "llm_pool_kv_blocks_active"
    ),
    count!(
        kv_total_blocks,
        kv_blocks_capacity,
        "llm_worker_kv_blocks_capacity",
        "llm_pool_kv_blocks_capacity"
    ),
    Field {
        wire: "gpu_cache_usage_perc",
        metric: "llm_worker_kv_usage_ratio",
        pool_metric: None,
        is_ratio: true,
        truth: |load| Some(load.gpu_cache_usage_perc),
        sent: WorkerStats::kv_usage_ratio,
    },
    Field {
        wire: "gpu_prefix_cache_hit_rate",
        metric: "llm_worker_prefix_cache_hit_ratio",
        pool_metric: None,
        is_ratio: true,
        truth: |load| load.gpu_prefix_cache_hit_rate,
        sent: WorkerStats::prefix_cache_hit_ratio,
    },
];

/// Places in [`FIELDS`] of what is active and of its capacity.
pub(super) const PAIRS: [(usize, usize); 2] = [(0, 1), (3, 4)];

impl Field {
    /// Whether two values of the field are the same.
    pub(super) fn same(&self, a: Option<f64>, b: Option<f64>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) if self.is_ratio => (a - b).abs() <= RATIO_TOLERANCE,
            (a, b) => a == b,
        }
    }

    /// Whether its values lie in 0 to 1.
    pub(super) fn is_ratio(&self) -> bool {
        self.is_ratio
    }
}

/// The values of a true load; none while the worker is down.
pub(super) fn of_load(load: Option<&Load>) -> Values {
    FIELDS.map(|field| (field.truth)(load?))
}

/// The values that data on the wire says, as a collector reads it; none where it cannot be used.
pub(super) fn of_data(data: &Value) -> Values {
    let stats = WorkerStats::read(data).ok().and_then(|reading| reading.stats);
    FIELDS.map(|field| (field.sent)(stats.as_ref()?))
}

/// A value in words.
pub(super) fn show(value: Option<f64>) -> String {
    value.map_or_else(|| "absent".to_owned(), |value| value.to_string())
}
