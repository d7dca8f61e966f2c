//! [`WorkerStats`]: the load of one worker, checked, from either wire shape.
//!
//! On the wire it is the `data` of an endpoint in a STATS reply: flat (Dynamo up to 0.3.1) or nested in
//! `worker_stats` and `kv_stats` (0.3.2 to 0.8.1). Counts are whole numbers, ratios lie in 0..1. A worker that
//! says one thing wrong is still a worker: the field is refused by name, the rest is kept.

mod fault;
mod fields;
mod strict;
mod wire;
mod write;

pub use fault::{StatsError, StatsFault, StatsRefusal};
pub use fields::{LOAD_FIELDS, LoadField};
pub(crate) use strict::Data;
pub use wire::{StatsShape, StatsShapeError};
pub(crate) use wire::{number, type_name, whole};

use fields::{KV_ACTIVE, KV_USAGE, PREFIX_HITS, SLOTS_ACTIVE};
use wire::in_unit_range;

/// The load of one worker. Every value is in range; what the worker does not say is `None`.
///
/// ```
/// use protocol::WorkerStats;
/// let stats = WorkerStats::builder()
///     .slots_active(3)
///     .slots_capacity(100)
///     .requests_waiting(7)
///     .kv_blocks_active(42)
///     .kv_blocks_capacity(100)
///     .prefix_cache_hit_ratio(0.25)
///     .build()?;
/// assert_eq!(stats.kv_blocks_active(), Some(42));
/// assert_eq!(stats.kv_usage_ratio(), Some(0.42));
///
/// let error = WorkerStats::builder().kv_blocks_active(101).kv_blocks_capacity(100).build().unwrap_err();
/// assert_eq!(error.to_string(), "kv_active_blocks is 101, above its capacity of 100");
/// # Ok::<(), protocol::StatsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkerStats {
    request_slots_active: Option<u64>,
    request_slots_capacity: Option<u64>,
    requests_waiting: Option<u64>,
    kv_blocks_active: Option<u64>,
    kv_blocks_capacity: Option<u64>,
    kv_usage_ratio: Option<f64>,
    prefix_cache_hit_ratio: Option<f64>,
    data_parallel_rank: Option<u64>,
}

/// What the `data` of one endpoint says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatsReading {
    /// The load, or `None` without load: the data is absent, `null`, or an object of some other schema.
    pub stats: Option<WorkerStats>,
    /// The shape it came in, or `None` without load.
    pub shape: Option<StatsShape>,
    /// Fields that were refused; the others are in `stats`.
    pub refused: Vec<StatsError>,
    /// The names of the fields in an object without any known load field, at most 8 of at most 40 characters: load
    /// of another schema, such as `kvActiveBlocks`. Empty for everything else.
    pub other_fields: Vec<String>,
}

/// Puts [`WorkerStats`] together; [`build`](Self::build) checks them.
#[derive(Debug, Clone, Default)]
pub struct WorkerStatsBuilder(WorkerStats);

macro_rules! getters {
    ($($(#[$docs:meta])* $field:ident: $type:ty),* $(,)?) => {
        $($(#[$docs])* pub fn $field(&self) -> Option<$type> { self.$field })*
    };
}

impl WorkerStats {
    /// Starts with nothing said.
    pub fn builder() -> WorkerStatsBuilder {
        WorkerStatsBuilder::default()
    }

    getters! {
        /// Requests running now; at most the capacity.
        request_slots_active: u64,
        /// The most requests that can run at once.
        request_slots_capacity: u64,
        /// Requests queued in the worker.
        requests_waiting: u64,
        /// KV-cache blocks held now; at most the capacity.
        kv_blocks_active: u64,
        /// KV-cache blocks in total.
        kv_blocks_capacity: u64,
        /// KV-cache use as the worker reports it, 0..1.
        kv_usage_ratio: f64,
        /// Share of looked-up prefix blocks that the worker's cache had, as it reports it, 0..1.
        prefix_cache_hit_ratio: f64,
        /// Which rank of a data-parallel group this worker is, counted from 0.
        data_parallel_rank: u64,
    }

    /// Takes this load and fills in from `newer` all that it says. The result is in range: where an active count
    /// and a capacity said at different times contradict each other, the older one is forgotten.
    ///
    /// ```
    /// use protocol::WorkerStats;
    /// let older = WorkerStats::builder().kv_blocks_active(40).kv_blocks_capacity(100).build()?;
    /// let newer = WorkerStats::builder().kv_blocks_active(120).build()?;
    /// let stats = older.updated_by(&newer);
    /// assert_eq!((stats.kv_blocks_active(), stats.kv_blocks_capacity()), (Some(120), None));
    /// # Ok::<(), protocol::StatsError>(())
    /// ```
    pub fn updated_by(&self, newer: &Self) -> Self {
        let mut merged = Self {
            request_slots_active: newer.request_slots_active.or(self.request_slots_active),
            request_slots_capacity: newer.request_slots_capacity.or(self.request_slots_capacity),
            requests_waiting: newer.requests_waiting.or(self.requests_waiting),
            kv_blocks_active: newer.kv_blocks_active.or(self.kv_blocks_active),
            kv_blocks_capacity: newer.kv_blocks_capacity.or(self.kv_blocks_capacity),
            kv_usage_ratio: newer.kv_usage_ratio.or(self.kv_usage_ratio),
            prefix_cache_hit_ratio: newer.prefix_cache_hit_ratio.or(self.prefix_cache_hit_ratio),
            data_parallel_rank: newer.data_parallel_rank.or(self.data_parallel_rank),
        };
        // Where an active count is above a capacity that was said at another time, the older no longer holds.
        let active_is_newer =
            [newer.request_slots_active, newer.kv_blocks_active].map(|count| count.is_some());
        for ((active, capacity, _), active_is_newer) in merged.pairs().into_iter().zip(active_is_newer) {
            if capacity.is_some_and(|capacity| *active > Some(capacity)) {
                *(if active_is_newer { capacity } else { active }) = None;
            }
        }
        merged
    }

    /// The load of a data-parallel group: counts are summed over its ranks, ratios averaged.
    ///
    /// ```
    /// use protocol::WorkerStats;
    /// let rank = WorkerStats::builder().kv_blocks_active(40).kv_blocks_capacity(100).build()?;
    /// let group = WorkerStats::of_ranks([&rank, &rank]);
    /// assert_eq!((group.kv_blocks_active(), group.kv_usage_ratio()), (Some(80), Some(0.4)));
    /// # Ok::<(), protocol::StatsError>(())
    /// ```
    pub fn of_ranks<'a>(ranks: impl IntoIterator<Item = &'a Self>) -> Self {
        let ranks: Vec<&Self> = ranks.into_iter().collect();
        let total = |value: fn(&Self) -> Option<u64>| {
            ranks
                .iter()
                .filter_map(|rank| value(rank))
                .reduce(u64::saturating_add)
        };
        let mean = |value: fn(&Self) -> Option<f64>| {
            let values: Vec<f64> = ranks.iter().filter_map(|rank| value(rank)).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let mut group = Self {
            request_slots_active: total(Self::request_slots_active),
            request_slots_capacity: total(Self::request_slots_capacity),
            requests_waiting: total(Self::requests_waiting),
            kv_blocks_active: total(Self::kv_blocks_active),
            kv_blocks_capacity: total(Self::kv_blocks_capacity),
            kv_usage_ratio: mean(Self::kv_usage_ratio),
            prefix_cache_hit_ratio: mean(Self::prefix_cache_hit_ratio),
            data_parallel_rank: None,
        };
        // If only some ranks report their capacity, the sums need not fit each other.
        group.drop_pairs_above_capacity();
        group
    }

    /// This load with running and queued requests that another source reports.
    ///
    /// ```
    /// use protocol::WorkerStats;
    /// let stats = WorkerStats::builder().kv_blocks_active(40).build()?.with_requests(3, 7);
    /// assert_eq!((stats.request_slots_active(), stats.requests_waiting()), (Some(3), Some(7)));
    /// # Ok::<(), protocol::StatsError>(())
    /// ```
    #[must_use]
    pub fn with_requests(mut self, active: u64, waiting: u64) -> Self {
        self.request_slots_active = Some(active);
        self.requests_waiting = Some(waiting);
        self
    }

    /// This load with capacities that its operator knows, where it reports none itself. One below what is active cannot be
    /// true, and is left out.
    ///
    /// ```
    /// use protocol::WorkerStats;
    /// let stats = WorkerStats::builder().kv_blocks_active(40).build()?;
    /// assert_eq!(stats.clone().with_capacities(None, Some(160)).kv_usage_ratio(), Some(0.25));
    /// assert_eq!(stats.with_capacities(None, Some(30)).kv_blocks_capacity(), None);
    /// # Ok::<(), protocol::StatsError>(())
    /// ```
    #[must_use]
    pub fn with_capacities(mut self, slots: Option<u64>, kv_blocks: Option<u64>) -> Self {
        let fits = |active: Option<u64>, known: Option<u64>| {
            known.filter(|known| active.is_none_or(|active| active <= *known))
        };
        if self.request_slots_capacity.is_none() {
            self.request_slots_capacity = fits(self.request_slots_active, slots);
        }
        if self.kv_blocks_capacity.is_none() {
            self.kv_blocks_capacity = fits(self.kv_blocks_active, kv_blocks);
            if self.kv_usage_ratio.is_none()
                && let (Some(active), Some(capacity @ 1..)) = (self.kv_blocks_active, self.kv_blocks_capacity)
            {
                self.kv_usage_ratio = Some(active as f64 / capacity as f64);
            }
        }
        self
    }

    /// What is active, what there is, and the name of the former on the wire.
    fn pairs(&mut self) -> [(&mut Option<u64>, &mut Option<u64>, &'static str); 2] {
        [
            (
                &mut self.request_slots_active,
                &mut self.request_slots_capacity,
                SLOTS_ACTIVE,
            ),
            (
                &mut self.kv_blocks_active,
                &mut self.kv_blocks_capacity,
                KV_ACTIVE,
            ),
        ]
    }

    /// Whether any load is known; a rank alone is none.
    fn has_load(&self) -> bool {
        let no_load = Self {
            data_parallel_rank: self.data_parallel_rank,
            ..Self::default()
        };
        *self != no_load
    }

    fn drop_pairs_above_capacity(&mut self) -> Vec<StatsError> {
        let mut errors = Vec::new();
        for (active_field, capacity_field, field) in self.pairs() {
            if let (Some(active), Some(capacity)) = (*active_field, *capacity_field)
                && active > capacity
            {
                (*active_field, *capacity_field) = (None, None);
                errors.push(StatsError {
                    field,
                    fault: StatsFault::AboveCapacity { active, capacity },
                });
            }
        }
        errors
    }
}

impl WorkerStatsBuilder {
    /// Requests running now; at most the capacity.
    #[must_use]
    pub fn slots_active(mut self, active: u64) -> Self {
        self.0.request_slots_active = Some(active);
        self
    }

    /// The most requests that can run at once.
    #[must_use]
    pub fn slots_capacity(mut self, capacity: u64) -> Self {
        self.0.request_slots_capacity = Some(capacity);
        self
    }

    /// Requests queued in the worker.
    #[must_use]
    pub fn requests_waiting(mut self, waiting: u64) -> Self {
        self.0.requests_waiting = Some(waiting);
        self
    }

    /// KV-cache blocks held now; at most the capacity. With the capacity it sets the use ratio, unless that is set.
    #[must_use]
    pub fn kv_blocks_active(mut self, active: u64) -> Self {
        self.0.kv_blocks_active = Some(active);
        self
    }

    /// KV-cache blocks in total.
    #[must_use]
    pub fn kv_blocks_capacity(mut self, capacity: u64) -> Self {
        self.0.kv_blocks_capacity = Some(capacity);
        self
    }

    /// KV-cache use, 0..1.
    #[must_use]
    pub fn kv_usage_ratio(mut self, ratio: f64) -> Self {
        self.0.kv_usage_ratio = Some(ratio);
        self
    }

    /// Share of looked-up prefix blocks that were cached, 0..1.
    #[must_use]
    pub fn prefix_cache_hit_ratio(mut self, ratio: f64) -> Self {
        self.0.prefix_cache_hit_ratio = Some(ratio);
        self
    }

    /// The rank within a data-parallel group, counted from 0.
    #[must_use]
    pub fn data_parallel_rank(mut self, rank: u64) -> Self {
        self.0.data_parallel_rank = Some(rank);
        self
    }

    /// Checks all and returns the stats.
    ///
    /// # Errors
    /// [`StatsError`] names the first field out of range: a ratio outside 0..1 or not finite, or an active
    /// count above its capacity.
    pub fn build(self) -> Result<WorkerStats, StatsError> {
        let mut stats = self.0;
        if let Some(error) = stats.drop_pairs_above_capacity().into_iter().next() {
            return Err(error);
        }
        if stats.kv_usage_ratio.is_none()
            && let (Some(active), Some(capacity @ 1..)) = (stats.kv_blocks_active, stats.kv_blocks_capacity)
        {
            stats.kv_usage_ratio = Some(active as f64 / capacity as f64);
        }
        let ratios = [
            (KV_USAGE, stats.kv_usage_ratio),
            (PREFIX_HITS, stats.prefix_cache_hit_ratio),
        ];
        for (field, ratio) in ratios {
            if let Some(ratio) = ratio {
                in_unit_range(ratio).map_err(|fault| StatsError { field, fault })?;
            }
        }
        Ok(stats)
    }
}
