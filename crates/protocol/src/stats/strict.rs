//! The fast path of [`WorkerStats::read`]: load as well-behaved workers write it, read without an allocation.
//!
//! Anything that the lenient reader would refuse, convert or complain about fails here, so the lenient reader names
//! it.

use serde::de::{Error, MapAccess};

use super::wire::{
    KV_ACTIVE, KV_CAPACITY, KV_SECTION, KV_USAGE, PREFIX_HITS, RANK, SLOTS_ACTIVE, SLOTS_CAPACITY, WAITING,
    WORKER_SECTION, in_unit_range,
};
use super::{StatsReading, StatsShape, WorkerStats};
use crate::record::{Count, Into, Number, Record, Skip, fill};

/// The `data` of an endpoint or event while it is read.
pub(crate) struct Data {
    flat: Section,
    worker: Option<Section>,
    kv: Option<Section>,
    /// How many levels of brackets may still open within the data.
    levels: usize,
}

/// The load fields of one object. A section has only some of them; the others are unknown there.
#[derive(Default)]
struct Section {
    slots_active: Option<Count>,
    slots_capacity: Option<Count>,
    waiting: Option<Count>,
    rank: Option<Count>,
    kv_active: Option<Count>,
    kv_capacity: Option<Count>,
    kv_usage: Option<Number>,
    prefix_hits: Option<Number>,
    has_others: bool,
    levels: usize,
}

impl Data {
    /// Starts with nothing read. The data itself is the first level; `None` where not even that is allowed.
    pub(crate) fn within(levels: usize) -> Option<Self> {
        let levels = levels.checked_sub(1)?;
        Some(Self {
            flat: Section {
                levels,
                ..Section::default()
            },
            worker: None,
            kv: None,
            levels,
        })
    }

    /// What the data says; `None` where the lenient reader has to look at it.
    pub(crate) fn reading(self) -> Option<StatsReading> {
        let is_nested = self.worker.is_some() || self.kv.is_some();
        let (worker, kv, shape) = if is_nested {
            let worker = self.worker.unwrap_or_default();
            let kv = self.kv.unwrap_or_default();
            if kv.knows_worker_fields() || worker.knows_kv_fields() {
                return None;
            }
            (worker, kv, StatsShape::Nested)
        } else {
            let kv = Section {
                kv_active: self.flat.kv_active,
                kv_capacity: self.flat.kv_capacity,
                kv_usage: self.flat.kv_usage,
                prefix_hits: self.flat.prefix_hits,
                ..Section::default()
            };
            (self.flat, kv, StatsShape::Flat)
        };
        let is_known = worker.knows_worker_fields() || kv.knows_kv_fields();
        if !is_known && (worker.has_others || kv.has_others) {
            return None;
        }
        let count = |count: Option<Count>| count.and_then(|Count(count)| count);
        let ratio = |number: Option<Number>| match number {
            Some(Number(Some(ratio))) => in_unit_range(ratio).map(Some),
            Some(Number(None)) | None => Ok(None),
        };
        let mut stats = WorkerStats {
            request_slots_active: count(worker.slots_active),
            request_slots_capacity: count(worker.slots_capacity),
            requests_waiting: count(worker.waiting),
            kv_blocks_active: count(kv.kv_active),
            kv_blocks_capacity: count(kv.kv_capacity),
            kv_usage_ratio: ratio(kv.kv_usage).ok()?,
            prefix_cache_hit_ratio: ratio(kv.prefix_hits).ok()?,
            data_parallel_rank: count(worker.rank),
        };
        if !stats.drop_pairs_above_capacity().is_empty() {
            return None;
        }
        Some(match stats.has_load() {
            true => StatsReading {
                stats: Some(stats),
                shape: Some(shape),
                ..StatsReading::default()
            },
            false => StatsReading::default(),
        })
    }

    fn section<'de, A: MapAccess<'de>>(
        slot: &mut Option<Section>,
        levels: usize,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let levels = levels
            .checked_sub(1)
            .ok_or_else(|| A::Error::custom("nested too deep"))?;
        let mut section = Section {
            levels,
            ..Section::default()
        };
        map.next_value_seed(Into(&mut section))?;
        fill(slot, section)
    }
}

impl Section {
    fn knows_worker_fields(&self) -> bool {
        let fields = [self.slots_active, self.slots_capacity, self.waiting, self.rank];
        fields.iter().any(Option::is_some)
    }

    fn knows_kv_fields(&self) -> bool {
        self.kv_active.is_some()
            || self.kv_capacity.is_some()
            || self.kv_usage.is_some()
            || self.prefix_hits.is_some()
    }
}

impl<'de> Record<'de> for Data {
    fn field<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<(), A::Error> {
        match name {
            WORKER_SECTION => Self::section(&mut self.worker, self.levels, map),
            KV_SECTION => Self::section(&mut self.kv, self.levels, map),
            _ => self.flat.field(name, map),
        }
    }
}

impl<'de> Record<'de> for Section {
    fn field<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<(), A::Error> {
        match name {
            SLOTS_ACTIVE => fill(&mut self.slots_active, map.next_value()?),
            SLOTS_CAPACITY => fill(&mut self.slots_capacity, map.next_value()?),
            WAITING => fill(&mut self.waiting, map.next_value()?),
            RANK => fill(&mut self.rank, map.next_value()?),
            KV_ACTIVE => fill(&mut self.kv_active, map.next_value()?),
            KV_CAPACITY => fill(&mut self.kv_capacity, map.next_value()?),
            KV_USAGE => fill(&mut self.kv_usage, map.next_value()?),
            PREFIX_HITS => fill(&mut self.prefix_hits, map.next_value()?),
            _ => {
                self.has_others = true;
                map.next_value_seed(Skip { levels: self.levels })
            }
        }
    }
}
