//! Load as JSON: two shapes, the names of their fields, and how the numbers of lax clients are read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::{KV_FIELDS, KV_SECTION, LOAD_FIELDS, POINTERS, WORKER_FIELDS, WORKER_SECTION};
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
#[error("{0:?} is not a shape of stats; write flat or nested")]
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
        let mut refused = Vec::new();
        let mut section = |name| match nested {
            true => section(name, fields.get(name), &mut refused),
            false => Some(fields),
        };
        let (worker, kv) = (section(WORKER_SECTION), section(KV_SECTION));
        let mut stats = Self::default();
        for (field, pointers) in LOAD_FIELDS.iter().zip(POINTERS.iter()) {
            pointers.of(shape).find(data, &mut |_, found| {
                if let Some(fault) = found
                    .ok()
                    .and_then(|value| field.read_into(&mut stats, value).err())
                {
                    let field = field.wire;
                    refused.push(StatsError { field, fault });
                }
            });
        }
        refused.extend(stats.drop_pairs_above_capacity());
        if stats.has_load() {
            return Ok(StatsReading {
                stats: Some(stats),
                shape: Some(shape),
                refused,
                other_fields: Vec::new(),
            });
        }
        if !refused.is_empty() {
            return Err(StatsRefusal::NothingUsable(refused));
        }
        Ok(StatsReading {
            other_fields: if nested {
                other_fields([(worker, &WORKER_FIELDS[..]), (kv, &KV_FIELDS)])
            } else {
                other_fields([(Some(fields), &[WORKER_FIELDS, KV_FIELDS].concat()[..])])
            },
            ..StatsReading::default()
        })
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

/// The fields of a JSON object.
type Fields = Map<String, Value>;

/// How many names of unknown fields are kept, and how many characters of each.
const MAX_OTHER_FIELDS: usize = 8;
const MAX_OTHER_CHARS: usize = 40;

/// The names in data that has no known load field, each object with the fields known in it.
fn other_fields<'a>(objects: impl IntoIterator<Item = (Option<&'a Fields>, &'a [&'a str])>) -> Vec<String> {
    let mut others = Vec::new();
    for (fields, known) in objects {
        for name in fields.into_iter().flat_map(Fields::keys) {
            if known.contains(&name.as_str()) {
                return Vec::new();
            }
            if others.len() < MAX_OTHER_FIELDS {
                others.push(name.chars().take(MAX_OTHER_CHARS).collect());
            }
        }
    }
    others
}

fn section<'a>(
    field: &'static str,
    value: Option<&'a Value>,
    refused: &mut Vec<StatsError>,
) -> Option<&'a Fields> {
    match value {
        None | Some(Value::Null) => None,
        Some(Value::Object(fields)) => Some(fields),
        Some(other) => {
            let fault = StatsFault::NotAnObject(type_name(other));
            refused.push(StatsError { field, fault });
            None
        }
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

pub(crate) fn number(value: &Value) -> Result<f64, StatsFault> {
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

pub(crate) fn type_name(value: &Value) -> &'static str {
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
    use serde_json::json;

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
            json!({"kv_stats": null}),
            json!({"kv_stats": {}}),
            json!({"data_parallel_rank": 1, "custom": 1}),
            json!({"kv_active_blocks": null, "custom": 1}),
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
    fn data_of_another_schema_is_no_error_and_its_fields_are_named() {
        fn check(data: Value, expected: &[&str]) {
            let reading = WorkerStats::read(&data).expect("no error");
            let named = StatsReading {
                other_fields: expected.iter().map(|&name| name.to_owned()).collect(),
                ..StatsReading::default()
            };
            assert_eq!(reading, named, "{data}");
        }
        check(
            json!({"kvActiveBlocks": 1, "kvTotalBlocks": 2}),
            &["kvActiveBlocks", "kvTotalBlocks"],
        );
        check(json!({"data": {"kv_active_blocks": 1}}), &["data"]);
        check(
            json!({"worker_stats": {"waiting": 1}, "kv_stats": {"active": 1}, "x": 1}),
            &["waiting", "active"],
        );
        check(
            json!({"worker_stats": {"kv_active_blocks": 1}}),
            &["kv_active_blocks"],
        );
        check(json!({"é".repeat(50): 1}), &[&"é".repeat(40)]);
        let many: Value = (0..9).map(|at| (format!("f{at}"), Value::from(at))).collect();
        check(many, &["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"]);
    }

    #[test]
    fn what_is_written_is_read_back_in_either_shape() {
        let stats = WorkerStats::builder()
            .slots_active(3)
            .slots_capacity(100)
            .requests_waiting(7)
            .kv_blocks_active(42)
            .kv_blocks_capacity(100)
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
