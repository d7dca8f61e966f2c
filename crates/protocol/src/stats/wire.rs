//! Load as JSON: two shapes, the names of their fields, and numbers as clients write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{StatsError, StatsFault, StatsReading, StatsRefusal, WorkerStats};

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

/// A text that names no [`StatsShape`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no shape of stats; write flat or nested")]
pub struct StatsShapeError(String);

impl WorkerStats {
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

    /// Appends what [`to_data`](Self::to_data) writes as JSON text, for those who write much of it.
    ///
    /// ```
    /// use protocol::{StatsShape, WorkerStats};
    /// let stats = WorkerStats::builder().requests(3, 100, 7).build()?;
    /// let mut text = Vec::new();
    /// stats.write_data(StatsShape::Flat, &mut text);
    /// assert_eq!(text, br#"{"request_active_slots":3,"request_total_slots":100,"num_requests_waiting":7}"#);
    /// # Ok::<(), protocol::StatsError>(())
    /// ```
    pub fn write_data(&self, shape: StatsShape, out: &mut Vec<u8>) {
        let worker = [
            (SLOTS_ACTIVE, self.request_slots_active),
            (SLOTS_CAPACITY, self.request_slots_capacity),
            (WAITING, self.requests_waiting),
            (RANK, self.data_parallel_rank),
        ];
        let kv = [
            (KV_ACTIVE, self.kv_blocks_active),
            (KV_CAPACITY, self.kv_blocks_capacity),
        ];
        let ratios = [
            (KV_USAGE, self.kv_usage_ratio),
            (PREFIX_HITS, self.prefix_cache_hit_ratio),
        ];
        let mut fields = Fields { out, is_first: true };
        if shape == StatsShape::Nested {
            fields.open(WORKER_SECTION);
        } else {
            fields.out.push(b'{');
        }
        worker
            .into_iter()
            .for_each(|(name, value)| fields.write(name, value));
        if shape == StatsShape::Nested {
            fields.out.push(b'}');
            fields.open(KV_SECTION);
        }
        kv.into_iter().for_each(|(name, value)| fields.write(name, value));
        ratios
            .into_iter()
            .for_each(|(name, value)| fields.write(name, value));
        if shape == StatsShape::Nested {
            out.extend_from_slice(br#"},"spec_decode_stats":null}"#);
        } else {
            out.push(b'}');
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

pub(super) const SLOTS_ACTIVE: &str = "request_active_slots";
const SLOTS_CAPACITY: &str = "request_total_slots";
const WAITING: &str = "num_requests_waiting";
pub(super) const KV_ACTIVE: &str = "kv_active_blocks";
const KV_CAPACITY: &str = "kv_total_blocks";
pub(super) const KV_USAGE: &str = "gpu_cache_usage_perc";
pub(super) const PREFIX_HITS: &str = "gpu_prefix_cache_hit_rate";
const RANK: &str = "data_parallel_rank";
const WORKER_SECTION: &str = "worker_stats";
const KV_SECTION: &str = "kv_stats";

/// Writes the fields of a JSON object one by one.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

impl Fields<'_> {
    /// Begins an object within the outermost one, which the first of them opens.
    fn open(&mut self, section: &str) {
        self.out.push(if section == WORKER_SECTION { b'{' } else { b',' });
        self.out.push(b'"');
        self.out.extend_from_slice(section.as_bytes());
        self.out.extend_from_slice(b"\":{");
        self.is_first = true;
    }

    fn write(&mut self, name: &str, value: Option<impl Serialize>) {
        let Some(value) = value else { return };
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        serde_json::to_writer(&mut *self.out, &value).expect("numbers are JSON, and a vector takes all");
    }
}

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
pub(crate) fn whole(value: &Value) -> Result<u64, StatsFault> {
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

pub(super) fn in_unit_range(ratio: f64) -> Result<f64, StatsFault> {
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
            let data = stats.to_data(shape);
            let mut text = Vec::new();
            stats.write_data(shape, &mut text);
            assert_eq!(
                serde_json::from_slice::<Value>(&text).ok(),
                Some(data.clone()),
                "as text"
            );
            let reading = WorkerStats::read(&data).expect("our own");
            assert_eq!(
                (reading.stats.as_ref(), reading.shape),
                (Some(&stats), Some(shape))
            );
        }
    }
}
