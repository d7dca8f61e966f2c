//! [`WorkerStats`]: the load of one worker, checked, from either wire shape.
//!
//! On the wire it is the `data` of an endpoint in a STATS reply: flat (Dynamo up to 0.3.1) or nested in
//! `worker_stats` and `kv_stats` (0.3.2 to 0.8.1). Counts are whole numbers, ratios lie in 0..1. A worker that
//! says one thing wrong is still a worker: the field is refused by name, the rest is kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The load of one worker. Every value is in range; what the worker does not say is `None`.
///
/// ```
/// use protocol::WorkerStats;
/// let stats = WorkerStats::builder().requests(3, 100, 7).kv_blocks(42, 100).prefix_cache_hit_ratio(0.25).build()?;
/// assert_eq!(stats.kv_blocks_active(), Some(42));
/// assert_eq!(stats.kv_usage_ratio(), Some(0.42));
///
/// let error = WorkerStats::builder().kv_blocks(101, 100).build().unwrap_err();
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

/// How [`WorkerStats`] are written as JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatsShape {
    /// All fields side by side; Dynamo up to 0.3.1.
    Flat,
    /// `worker_stats` and `kv_stats`; Dynamo 0.3.2 and later, and our own workers.
    #[default]
    Nested,
}

/// One field that is wrong, and how.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field} {fault}")]
pub struct StatsError {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: StatsFault,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsFault {
    /// It is no number at all.
    #[error("is {0}, not a number")]
    NotANumber(&'static str),
    /// One of the sections `worker_stats` and `kv_stats` is no object.
    #[error("is {0}, not an object")]
    NotAnObject(&'static str),
    /// A count has a fractional part.
    #[error("is {0}, not a whole number")]
    NotWhole(f64),
    /// It is NaN, infinite, or a literal too large for a float.
    #[error("is not finite")]
    NotFinite,
    /// It is below zero.
    #[error("is negative")]
    Negative,
    /// A count does not fit 64 bits.
    #[error("does not fit 64 bits")]
    TooLarge,
    /// A ratio is above one.
    #[error("is {0}, above 1")]
    AboveOne(f64),
    /// An active count is above its capacity; both are refused, for either may be wrong.
    #[error("is {active}, above its capacity of {capacity}")]
    AboveCapacity {
        /// What is said to be in use.
        active: u64,
        /// What is said to exist.
        capacity: u64,
    },
}

impl StatsFault {
    /// Whether the field has the right type and only its value is wrong.
    pub fn is_out_of_range(&self) -> bool {
        !matches!(
            self,
            Self::NotANumber(_) | Self::NotAnObject(_) | Self::NotWhole(_)
        )
    }
}

/// What the `data` of one endpoint says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatsReading {
    /// The load, or `None` where the data carries none: absent, `null`, or an object of some other schema.
    pub stats: Option<WorkerStats>,
    /// The shape it came in, or `None` without load.
    pub shape: Option<StatsShape>,
    /// Fields that were refused; the others stand in `stats`.
    pub refused: Vec<StatsError>,
}

/// Data of which nothing can be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsRefusal {
    /// The data is JSON, but no object.
    #[error("the load data is {0}, not an object")]
    NotAnObject(&'static str),
    /// Every load field in it is wrong.
    #[error("no load field is usable: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NothingUsable(Vec<StatsError>),
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

    /// Reads the `data` of one endpoint, in either shape; see [`StatsReading`].
    ///
    /// A number may be written as an integer, a float, or a numeric string. `null` is the same as absent.
    ///
    /// # Errors
    /// [`StatsRefusal`] where the data is no object, or has load fields of which none can be used.
    ///
    /// ```
    /// use protocol::WorkerStats;
    /// let data = serde_json::json!({"kv_active_blocks": 42, "kv_total_blocks": 100, "gpu_cache_usage_perc": -1});
    /// let reading = WorkerStats::read(&data)?;
    /// assert_eq!(reading.stats.and_then(|stats| stats.kv_blocks_active()), Some(42));
    /// assert_eq!(reading.refused[0].to_string(), "gpu_cache_usage_perc is negative");
    /// # Ok::<(), protocol::StatsRefusal>(())
    /// ```
    pub fn read(data: &Value) -> Result<StatsReading, StatsRefusal> {
        let fields = match data {
            Value::Null => return Ok(StatsReading::default()),
            Value::Object(fields) => fields,
            other => return Err(StatsRefusal::NotAnObject(type_name(other))),
        };
        let nested = fields.contains_key(WORKER_SECTION) || fields.contains_key(KV_SECTION);
        let shape = if nested {
            StatsShape::Nested
        } else {
            StatsShape::Flat
        };
        let mut reader = Reader { refused: Vec::new() };
        let section = |name| if nested { fields.get(name) } else { Some(data) };
        let worker = reader.section(WORKER_SECTION, section(WORKER_SECTION));
        let kv = reader.section(KV_SECTION, section(KV_SECTION));
        let mut stats = Self {
            request_slots_active: reader.count(worker, SLOTS_ACTIVE),
            request_slots_capacity: reader.count(worker, SLOTS_CAPACITY),
            requests_waiting: reader.count(worker, WAITING),
            kv_blocks_active: reader.count(kv, KV_ACTIVE),
            kv_blocks_capacity: reader.count(kv, KV_CAPACITY),
            kv_usage_ratio: reader.ratio(kv, KV_USAGE),
            prefix_cache_hit_ratio: reader.ratio(kv, PREFIX_HITS),
            data_parallel_rank: reader.count(worker, RANK),
        };
        for error in stats.drop_pairs_above_capacity() {
            reader.refused.push(error);
        }
        if stats
            != (Self {
                data_parallel_rank: stats.data_parallel_rank,
                ..Self::default()
            })
        {
            return Ok(StatsReading {
                stats: Some(stats),
                shape: Some(shape),
                refused: reader.refused,
            });
        }
        if reader.refused.is_empty() {
            Ok(StatsReading::default())
        } else {
            Err(StatsRefusal::NothingUsable(reader.refused))
        }
    }

    /// Writes the `data` of an endpoint; [`read`](Self::read) reads it back. Fields of which nothing is known are
    /// left out.
    ///
    /// ```
    /// use protocol::{StatsShape, WorkerStats};
    /// let stats = WorkerStats::builder().requests(3, 100, 7).build()?;
    /// assert_eq!(stats.to_data(StatsShape::Flat)["num_requests_waiting"], 7);
    /// assert_eq!(stats.to_data(StatsShape::Nested)["worker_stats"]["num_requests_waiting"], 7);
    /// # Ok::<(), protocol::StatsError>(())
    /// ```
    pub fn to_data(&self, shape: StatsShape) -> Value {
        let worker = fields([
            (SLOTS_ACTIVE, self.request_slots_active.map(Value::from)),
            (SLOTS_CAPACITY, self.request_slots_capacity.map(Value::from)),
            (WAITING, self.requests_waiting.map(Value::from)),
            (RANK, self.data_parallel_rank.map(Value::from)),
        ]);
        let kv = fields([
            (KV_ACTIVE, self.kv_blocks_active.map(Value::from)),
            (KV_CAPACITY, self.kv_blocks_capacity.map(Value::from)),
            (KV_USAGE, self.kv_usage_ratio.map(Value::from)),
            (PREFIX_HITS, self.prefix_cache_hit_ratio.map(Value::from)),
        ]);
        match shape {
            StatsShape::Flat => Value::Object(worker.into_iter().chain(kv).collect()),
            StatsShape::Nested => {
                json!({ WORKER_SECTION: worker, KV_SECTION: kv, "spec_decode_stats": null })
            }
        }
    }

    /// Takes this load and fills in from `newer` all that it says. The result is in range: where an active count
    /// and a capacity said at different times contradict each other, the older one is forgotten.
    ///
    /// ```
    /// use protocol::WorkerStats;
    /// let older = WorkerStats::builder().kv_blocks(40, 100).build()?;
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
    /// let rank = WorkerStats::builder().kv_blocks(40, 100).build()?;
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
        // Where only some ranks tell their capacity, the sums need not fit each other.
        group.drop_pairs_above_capacity();
        group
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
    /// Requests running, the most that can run, and those queued.
    #[must_use]
    pub fn requests(mut self, active: u64, capacity: u64, waiting: u64) -> Self {
        self.0.request_slots_active = Some(active);
        self.0.request_slots_capacity = Some(capacity);
        self.0.requests_waiting = Some(waiting);
        self
    }

    /// KV-cache blocks held and in total. Sets the use ratio from them, unless that has been said.
    #[must_use]
    pub fn kv_blocks(mut self, active: u64, capacity: u64) -> Self {
        self.0.kv_blocks_active = Some(active);
        self.0.kv_blocks_capacity = Some(capacity);
        self
    }

    /// KV-cache blocks held, where the total is not known.
    #[must_use]
    pub fn kv_blocks_active(mut self, active: u64) -> Self {
        self.0.kv_blocks_active = Some(active);
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

impl StatsShape {
    /// The shape's name in flags and labels: `flat` or `nested`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Nested => "nested",
        }
    }
}

impl fmt::Display for StatsShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no [`StatsShape`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no shape of stats; write flat or nested")]
pub struct StatsShapeError(String);

impl FromStr for StatsShape {
    type Err = StatsShapeError;

    fn from_str(text: &str) -> Result<Self, StatsShapeError> {
        match text {
            "flat" => Ok(Self::Flat),
            "nested" => Ok(Self::Nested),
            _ => Err(StatsShapeError(text.to_owned())),
        }
    }
}

const SLOTS_ACTIVE: &str = "request_active_slots";
const SLOTS_CAPACITY: &str = "request_total_slots";
const WAITING: &str = "num_requests_waiting";
const KV_ACTIVE: &str = "kv_active_blocks";
const KV_CAPACITY: &str = "kv_total_blocks";
const KV_USAGE: &str = "gpu_cache_usage_perc";
const PREFIX_HITS: &str = "gpu_prefix_cache_hit_rate";
const RANK: &str = "data_parallel_rank";
const WORKER_SECTION: &str = "worker_stats";
const KV_SECTION: &str = "kv_stats";

fn fields<const N: usize>(pairs: [(&'static str, Option<Value>); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

struct Reader {
    refused: Vec<StatsError>,
}

impl Reader {
    fn section<'a>(
        &mut self,
        field: &'static str,
        value: Option<&'a Value>,
    ) -> Option<&'a Map<String, Value>> {
        match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(fields)) => Some(fields),
            Some(other) => {
                let fault = StatsFault::NotAnObject(type_name(other));
                self.refused.push(StatsError { field, fault });
                None
            }
        }
    }

    fn count(&mut self, section: Option<&Map<String, Value>>, field: &'static str) -> Option<u64> {
        self.field(section, field, whole)
    }

    fn ratio(&mut self, section: Option<&Map<String, Value>>, field: &'static str) -> Option<f64> {
        self.field(section, field, |value| number(value).and_then(in_unit_range))
    }

    fn field<T>(
        &mut self,
        section: Option<&Map<String, Value>>,
        field: &'static str,
        read: impl FnOnce(&Value) -> Result<T, StatsFault>,
    ) -> Option<T> {
        let value = section?.get(field).filter(|value| !value.is_null())?;
        read(value)
            .map_err(|fault| self.refused.push(StatsError { field, fault }))
            .ok()
    }
}

/// Reads a whole number; exact for all of `u64` where it is written as an integer.
fn whole(value: &Value) -> Result<u64, StatsFault> {
    if let Some(exact) = value.as_u64() {
        return Ok(exact);
    }
    if let Some(exact) = value.as_str().and_then(|text| text.parse().ok()) {
        return Ok(exact);
    }
    let number = number(value)?;
    match number {
        n if n < 0.0 => Err(StatsFault::Negative),
        n if n.fract() != 0.0 => Err(StatsFault::NotWhole(n)),
        // 2^64 as a float; at and above it the cast would saturate.
        n if n >= 18_446_744_073_709_551_616.0 => Err(StatsFault::TooLarge),
        n => Ok(n as u64),
    }
}

fn number(value: &Value) -> Result<f64, StatsFault> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    match number {
        None => Err(StatsFault::NotANumber(type_name(value))),
        Some(n) if n.is_finite() => Ok(n),
        Some(_) => Err(StatsFault::NotFinite),
    }
}

fn in_unit_range(ratio: f64) -> Result<f64, StatsFault> {
    match ratio {
        r if !r.is_finite() => Err(StatsFault::NotFinite),
        r if r < 0.0 => Err(StatsFault::Negative),
        r if r > 1.0 => Err(StatsFault::AboveOne(r)),
        // Adding zero turns -0.0 into 0.0.
        r => Ok(r + 0.0),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_clients_write_them_and_refused_by_name() {
        fn check(written: Value, expected: Result<u64, &str>) {
            let data = json!({ "num_requests_waiting": written, "kv_active_blocks": 1 });
            let reading = WorkerStats::read(&data).expect("one field is good");
            let waiting = reading.stats.expect("has load").requests_waiting();
            let refused = reading
                .refused
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert_eq!(waiting.ok_or(refused.as_str()), expected, "{written}");
        }
        check(json!(7), Ok(7));
        check(json!(7.0), Ok(7));
        check(json!("7"), Ok(7));
        check(json!(u64::MAX), Ok(u64::MAX));
        check(json!(7.5), Err("num_requests_waiting is 7.5, not a whole number"));
        check(json!(-1), Err("num_requests_waiting is negative"));
        check(json!(1e39), Err("num_requests_waiting does not fit 64 bits"));
        check(json!("NaN"), Err("num_requests_waiting is not finite"));
        check(json!("1e400"), Err("num_requests_waiting is not finite"));
        check(
            json!(true),
            Err("num_requests_waiting is a boolean, not a number"),
        );
    }

    #[test]
    fn ratios_lie_between_zero_and_one() {
        fn check(written: Value, expected: Result<f64, &str>) {
            let data = json!({ "gpu_cache_usage_perc": written, "kv_active_blocks": 1 });
            let reading = WorkerStats::read(&data).expect("one field is good");
            let ratio = reading.stats.expect("has load").kv_usage_ratio();
            let refused = reading
                .refused
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert_eq!(ratio.ok_or(refused.as_str()), expected, "{written}");
        }
        check(json!(0), Ok(0.0));
        check(json!(1), Ok(1.0));
        check(json!(0.25), Ok(0.25));
        check(json!(42.0), Err("gpu_cache_usage_perc is 42, above 1"));
        check(json!(-0.5), Err("gpu_cache_usage_perc is negative"));
        check(json!("Infinity"), Err("gpu_cache_usage_perc is not finite"));
    }

    #[test]
    fn both_counts_of_a_pair_go_when_more_is_active_than_exists() {
        let data = json!({"request_active_slots": 9, "request_total_slots": 8, "num_requests_waiting": 1});
        let reading = WorkerStats::read(&data).expect("waiting is good");
        let stats = reading.stats.expect("has load");
        assert_eq!(
            (stats.request_slots_active(), stats.request_slots_capacity()),
            (None, None)
        );
        assert_eq!(stats.requests_waiting(), Some(1));
        assert!(reading.refused[0].fault.is_out_of_range());
    }

    #[test]
    fn data_without_load_is_no_error_and_data_that_is_all_wrong_is() {
        for none in [
            json!(null),
            json!({}),
            json!({"custom": 1}),
            json!({"kv_stats": null}),
            json!({"kv_stats": {}}),
        ] {
            assert_eq!(WorkerStats::read(&none), Ok(StatsReading::default()), "{none}");
        }
        for refused in [
            json!("x"),
            json!([1]),
            json!(3),
            json!({"kv_active_blocks": -1}),
            json!({"kv_stats": 3}),
        ] {
            assert!(WorkerStats::read(&refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn what_is_written_is_read_back_in_either_shape() {
        let stats = WorkerStats::builder()
            .requests(3, 100, 7)
            .kv_blocks(42, 100)
            .prefix_cache_hit_ratio(0.25)
            .data_parallel_rank(1)
            .build()
            .expect("in range");
        for shape in [StatsShape::Flat, StatsShape::Nested] {
            let reading = WorkerStats::read(&stats.to_data(shape)).expect("our own");
            assert_eq!(
                (reading.stats.as_ref(), reading.shape),
                (Some(&stats), Some(shape))
            );
        }
    }
}
