//! Dynamo's load fields as mappings: where each is in either shape of the data, what it may be, and what it becomes.

use std::sync::LazyLock;

use serde_json::Value;

use super::wire::{in_unit_range, number, whole};
use super::{StatsFault, StatsShape, WorkerStats};
use crate::mapping::{Pointer, Range};

pub(super) const SLOTS_ACTIVE: &str = "request_active_slots";
pub(super) const SLOTS_CAPACITY: &str = "request_total_slots";
pub(super) const WAITING: &str = "num_requests_waiting";
pub(super) const KV_ACTIVE: &str = "kv_active_blocks";
pub(super) const KV_CAPACITY: &str = "kv_total_blocks";
pub(super) const KV_USAGE: &str = "gpu_cache_usage_perc";
pub(super) const PREFIX_HITS: &str = "gpu_prefix_cache_hit_rate";
pub(super) const RANK: &str = "data_parallel_rank";
pub(super) const WORKER_SECTION: &str = "worker_stats";
pub(super) const KV_SECTION: &str = "kv_stats";
pub(super) const WORKER_FIELDS: [&str; 4] = [SLOTS_ACTIVE, SLOTS_CAPACITY, WAITING, RANK];
pub(super) const KV_FIELDS: [&str; 4] = [KV_ACTIVE, KV_CAPACITY, KV_USAGE, PREFIX_HITS];

/// A field of Dynamo's load.
#[derive(Debug, Clone, Copy)]
pub struct LoadField {
    /// Its name on the wire.
    pub wire: &'static str,
    /// The metric that it becomes; `None` for the rank, which is none.
    pub metric: Option<&'static str>,
    section: &'static str,
    value: Target,
}

/// Which value of [`WorkerStats`] a field is.
#[derive(Debug, Clone, Copy)]
enum Target {
    Count(fn(&mut WorkerStats) -> &mut Option<u64>),
    Ratio(fn(&mut WorkerStats) -> &mut Option<f64>),
}

/// Where a field is in each shape.
pub(super) struct Pointers {
    flat: Pointer,
    nested: Pointer,
}

macro_rules! load_fields {
    ($($wire:ident in $section:ident: $kind:ident $field:ident $(as $metric:literal)?;)*) => {
        /// How Dynamo's load is read, in the terms of any other mapping.
        ///
        /// ```
        /// use protocol::StatsShape;
        /// use protocol::mapping::{LOAD_FIELDS, Range};
        /// let active = LOAD_FIELDS[4];
        /// assert_eq!(active.pointer(StatsShape::Nested).to_string(), "/kv_stats/kv_active_blocks");
        /// assert_eq!(active.pointer(StatsShape::Flat).to_string(), "/kv_active_blocks");
        /// assert_eq!(active.range(), Range::COUNT);
        /// assert_eq!(active.metric, Some("llm_worker_kv_blocks_active"));
        /// ```
        pub static LOAD_FIELDS: &[LoadField] = &[$(LoadField {
            wire: $wire,
            metric: [$($metric,)?].first().copied(),
            section: $section,
            value: Target::$kind(|stats| &mut stats.$field),
        }),*];
    };
}

load_fields! {
    SLOTS_ACTIVE in WORKER_SECTION: Count request_slots_active as "llm_worker_request_slots_active";
    SLOTS_CAPACITY in WORKER_SECTION: Count request_slots_capacity as "llm_worker_request_slots_capacity";
    WAITING in WORKER_SECTION: Count requests_waiting as "llm_worker_requests_waiting";
    RANK in WORKER_SECTION: Count data_parallel_rank;
    KV_ACTIVE in KV_SECTION: Count kv_blocks_active as "llm_worker_kv_blocks_active";
    KV_CAPACITY in KV_SECTION: Count kv_blocks_capacity as "llm_worker_kv_blocks_capacity";
    KV_USAGE in KV_SECTION: Ratio kv_usage_ratio as "llm_worker_kv_usage_ratio";
    PREFIX_HITS in KV_SECTION: Ratio prefix_cache_hit_ratio as "llm_worker_prefix_cache_hit_ratio";
}

pub(super) static POINTERS: LazyLock<Vec<Pointers>> = LazyLock::new(|| {
    let pointers = LOAD_FIELDS.iter().map(|field| Pointers {
        flat: field.pointer(StatsShape::Flat),
        nested: field.pointer(StatsShape::Nested),
    });
    pointers.collect()
});

impl Pointers {
    pub(super) fn of(&self, shape: StatsShape) -> &Pointer {
        match shape {
            StatsShape::Flat => &self.flat,
            StatsShape::Nested => &self.nested,
        }
    }
}

impl LoadField {
    /// Where the field is in data of this shape.
    pub fn pointer(&self, shape: StatsShape) -> Pointer {
        match shape {
            StatsShape::Flat => Pointer::of_keys([self.wire]),
            StatsShape::Nested => Pointer::of_keys([self.section, self.wire]),
        }
    }

    /// What it may be.
    pub fn range(&self) -> Range {
        match self.value {
            Target::Count(_) => Range::COUNT,
            Target::Ratio(_) => Range::RATIO,
        }
    }

    pub(super) fn read_into(&self, stats: &mut WorkerStats, value: &Value) -> Result<(), StatsFault> {
        match self.value {
            // A count is exact for all of 64 bits, which a float is not.
            Target::Count(target) => *target(stats) = Some(whole(value)?),
            Target::Ratio(target) => *target(stats) = Some(in_unit_range(number(value)?)?),
        }
        Ok(())
    }
}
