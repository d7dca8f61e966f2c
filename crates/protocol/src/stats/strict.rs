//! The fast path of [`WorkerStats::read`]: load as well-behaved workers write it, read without an allocation.
//!
//! Anything that the lenient reader would refuse, convert or complain about fails here, so the lenient reader names
//! it.

use serde::de::{Error, MapAccess};

use super::fields::{
    KV_ACTIVE, KV_CAPACITY, KV_SECTION, KV_USAGE, PREFIX_HITS, RANK, SLOTS_ACTIVE, SLOTS_CAPACITY, WAITING,
    WORKER_SECTION,
};
use super::wire::in_unit_range;
use super::{StatsReading, StatsShape, WorkerStats};
use crate::record::{Count, Into, Number, Record, Skip, fill, first};
use crate::scan::{Field, Fields, Name, Pass, Scanner};

/// The fields of a section, in the order in which workers write them. Those of `kv_stats` are the last four.
const SECTION: [&str; 8] = [
    SLOTS_ACTIVE,
    SLOTS_CAPACITY,
    WAITING,
    RANK,
    KV_ACTIVE,
    KV_CAPACITY,
    KV_USAGE,
    PREFIX_HITS,
];
const KV_FIELDS: usize = 4;

static SECTION_NAMES: [Name; 8] = Name::all(SECTION);
static DATA_NAMES: [Name; 11] = Name::all([
    WORKER_SECTION,
    KV_SECTION,
    "spec_decode_stats",
    SLOTS_ACTIVE,
    SLOTS_CAPACITY,
    WAITING,
    RANK,
    KV_ACTIVE,
    KV_CAPACITY,
    KV_USAGE,
    PREFIX_HITS,
]);
/// Where the fields of a section begin in [`DATA_NAMES`].
const FLAT_FIELDS: usize = 3;

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
    pub(crate) fn reading(&self) -> Option<StatsReading> {
        let is_nested = self.worker.is_some() || self.kv.is_some();
        let none = Section::default();
        let (worker, kv, shape) = if is_nested {
            let worker = self.worker.as_ref().unwrap_or(&none);
            let kv = self.kv.as_ref().unwrap_or(&none);
            if kv.knows_worker_fields() || worker.knows_kv_fields() {
                return None;
            }
            (worker, kv, StatsShape::Nested)
        } else {
            (&self.flat, &self.flat, StatsShape::Flat)
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

    /// Reads the data; `false` where there is `null` instead.
    #[inline]
    pub(crate) fn scan(&mut self, scanner: &mut Scanner<'_>) -> Option<bool> {
        if !scanner.opens_object()? {
            return Some(false);
        }
        let mut fields = Fields::new(&DATA_NAMES, 0);
        loop {
            match scanner.field(&mut fields)? {
                Field::Known(0) => Self::scan_section(&mut self.worker, self.levels, 0, scanner)?,
                Field::Known(1) => Self::scan_section(&mut self.kv, self.levels, KV_FIELDS, scanner)?,
                Field::Known(place) => self.flat.scan(place.checked_sub(FLAT_FIELDS), scanner)?,
                Field::Other => self.flat.scan(None, scanner)?,
                Field::End => return Some(true),
            }
        }
    }

    fn scan_section(
        slot: &mut Option<Section>,
        levels: usize,
        next: usize,
        scanner: &mut Scanner<'_>,
    ) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        let section = Section {
            levels,
            ..Section::default()
        };
        first(slot, section)?;
        let section = slot.as_mut()?;
        if !scanner.opens_object()? {
            return Some(());
        }
        let mut fields = Fields::new(&SECTION_NAMES, next);
        loop {
            match scanner.field(&mut fields)? {
                Field::Known(place) => section.scan(Some(place), scanner)?,
                Field::Other => section.scan(None, scanner)?,
                Field::End => return Some(()),
            }
        }
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

/// Where the value of one field goes.
enum Slot<'s> {
    Count(&'s mut Option<Count>),
    Number(&'s mut Option<Number>),
}

impl Section {
    /// Where the field at this place of [`SECTION`] goes.
    #[inline]
    fn slot(&mut self, place: usize) -> Option<Slot<'_>> {
        Some(match place {
            0 => Slot::Count(&mut self.slots_active),
            1 => Slot::Count(&mut self.slots_capacity),
            2 => Slot::Count(&mut self.waiting),
            3 => Slot::Count(&mut self.rank),
            4 => Slot::Count(&mut self.kv_active),
            5 => Slot::Count(&mut self.kv_capacity),
            6 => Slot::Number(&mut self.kv_usage),
            7 => Slot::Number(&mut self.prefix_hits),
            _ => return None,
        })
    }

    /// Reads the value of the field at this place.
    #[inline]
    fn scan(&mut self, place: Option<usize>, scanner: &mut Scanner<'_>) -> Option<()> {
        match place.and_then(|place| self.slot(place)) {
            Some(Slot::Count(slot)) => first(slot, Count(scanner.count()?)),
            Some(Slot::Number(slot)) => first(slot, Number(scanner.float()?)),
            None => {
                self.has_others = true;
                scanner.pass(self.levels, Pass::Value)
            }
        }
    }

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
        let known = SECTION.iter().position(|known| *known == name);
        match known.and_then(|place| self.slot(place)) {
            Some(Slot::Count(slot)) => fill(slot, map.next_value()?),
            Some(Slot::Number(slot)) => fill(slot, map.next_value()?),
            None => {
                self.has_others = true;
                map.next_value_seed(Skip { levels: self.levels })
            }
        }
    }
}
