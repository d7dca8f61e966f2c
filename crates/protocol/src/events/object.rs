//! Events as generic objects, for the general readers of [`KvHitRate`](super::KvHitRate) and
//! [`KvMetrics`](super::KvMetrics).

use serde_json::{Map, Value};

use super::EventError;
use crate::WorkerId;
use crate::codec::Opened;

/// The fields of an event. One that is an array has the fields of `order`, and at least `least` of them.
pub(super) fn object(
    opened: &Opened<'_>,
    order: &[&str],
    least: usize,
) -> Result<Map<String, Value>, EventError> {
    match opened.value()? {
        Value::Object(fields) => Ok(fields),
        Value::Array(values) if (least..=order.len()).contains(&values.len()) => {
            let names = order.iter().map(|name| (*name).to_owned());
            Ok(names.zip(values).collect())
        }
        _ => Err(EventError::NotAnObject),
    }
}

/// A worker's id, which may be decimal text.
pub(super) fn id(fields: &Map<String, Value>, name: &'static str) -> Result<WorkerId, EventError> {
    match fields.get(name) {
        Some(Value::String(text)) => text.parse().map_err(|_| EventError::Field(name)),
        _ => required(fields, name).map(WorkerId::new),
    }
}

pub(super) fn required(fields: &Map<String, Value>, name: &'static str) -> Result<u64, EventError> {
    optional(fields, name)?.ok_or(EventError::Field(name))
}

pub(super) fn optional(fields: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, EventError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match (value.as_u64(), value.as_f64()) {
            (Some(whole), _) => Ok(Some(whole)),
            (None, Some(number)) if number < 0.0 => Err(EventError::Negative(name)),
            _ => Err(EventError::Field(name)),
        },
    }
}
