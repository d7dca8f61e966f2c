//! A row of JSON Lines: a JSON object with times, lengths and ids of blocks.

use serde_json::{Map, Value};

use super::read::{Entry, nanos, tokens, wrong};
use super::{TimeUnit, TraceFault};
use crate::lines::json_reason;

pub(super) const TIME: &str = "timestamp";
pub(super) const IDS: &str = "hash_ids";
const INPUT: &str = "input_length";
const OUTPUT: &str = "output_length";
const DELAY: &str = "delay";
const SESSION: &str = "session_id";

/// Whether a row has the keys by which Qwen-Bailian's differ from Mooncake's.
pub(super) fn is_qwen(line: &str) -> bool {
    let fields: Option<Map<String, Value>> = serde_json::from_str(line).ok();
    fields.is_some_and(|fields| fields.contains_key("chat_id"))
}

pub(super) fn entry(line: &str, unit: TimeUnit) -> Result<Entry, TraceFault> {
    let fields: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| TraceFault::NoObject(json_reason(&error)))?;
    let session = session(&fields)?;
    let time = match (fields.get(TIME), fields.get(DELAY)) {
        // A turn that follows another has a pause in place of a time.
        (None | Some(Value::Null), Some(_)) if session.is_some() => None,
        (value, _) => Some(read_time(TIME, value, unit)?),
    };
    let delay = match (time, fields.get(DELAY)) {
        (None, value) => read_time(DELAY, value, unit)?,
        (Some(_), _) => 0,
    };
    Ok(Entry {
        time,
        delay: u64::try_from(delay).unwrap_or(u64::MAX),
        session,
        input_tokens: length(&fields, INPUT, 1)?,
        output_tokens: length(&fields, OUTPUT, 0)?,
        hash_ids: hash_ids(&fields)?,
    })
}

fn read_time(field: &'static str, value: Option<&Value>, unit: TimeUnit) -> Result<i128, TraceFault> {
    let number = value.and_then(Value::as_f64);
    nanos(unit, number, value.and_then(Value::as_u64))
        .map_err(|expected| wrong(field, &show(value), expected))
}

fn length(fields: &Map<String, Value>, field: &'static str, least: u64) -> Result<u64, TraceFault> {
    let value = fields.get(field);
    tokens(field, value.and_then(Value::as_u64), least, &show(value))
}

fn session(fields: &Map<String, Value>) -> Result<Option<Box<str>>, TraceFault> {
    match fields.get(SESSION) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(session)) => Ok(Some(session.as_str().into())),
        Some(Value::Number(session)) => Ok(Some(session.to_string().into())),
        value => Err(wrong(SESSION, &show(value), "a text or a number")),
    }
}

fn hash_ids(fields: &Map<String, Value>) -> Result<Option<Box<[u64]>>, TraceFault> {
    let ids = match fields.get(IDS) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(ids)) => ids,
        value => return Err(wrong(IDS, &show(value), "a list of whole numbers")),
    };
    let read = |id: &Value| {
        id.as_u64()
            .ok_or_else(|| wrong(IDS, &format!("a list with {id}"), "ids that are whole numbers"))
    };
    ids.iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn show(value: Option<&Value>) -> String {
    value.map_or_else(|| "missing".to_owned(), Value::to_string)
}
