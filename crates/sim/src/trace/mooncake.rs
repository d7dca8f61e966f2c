//! A line of a Mooncake trace: a JSON object with times in milliseconds and ids of blocks.

use serde_json::{Map, Value};

use super::{Entry, TraceFault, tokens, wrong};
use crate::lines::json_reason;

/// Tokens that a hash id of a Mooncake trace stands for; the last one of a prompt stands for what is left.
pub const MOONCAKE_BLOCK_TOKENS: u64 = 512;

pub(super) const TIME: &str = "timestamp";
const INPUT: &str = "input_length";
const OUTPUT: &str = "output_length";
const IDS: &str = "hash_ids";

/// The latest time in milliseconds: some 30,000 years, and no float below it loses a millisecond.
const MAX_TIME: f64 = 1e15;

pub(super) fn entry(line: &str) -> Result<Entry, TraceFault> {
    let fields: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| TraceFault::NoObject(json_reason(&error)))?;
    let input_tokens = length(&fields, INPUT)?;
    Ok(Entry {
        time: time(&fields)?,
        input_tokens,
        output_tokens: length(&fields, OUTPUT)?,
        hash_ids: hash_ids(&fields, input_tokens)?,
    })
}

/// Nanoseconds since whenever the trace counts from.
fn time(fields: &Map<String, Value>) -> Result<i128, TraceFault> {
    let value = fields.get(TIME);
    match value.and_then(Value::as_f64) {
        Some(milliseconds) if (0.0..=MAX_TIME).contains(&milliseconds) => {
            // A whole number is taken as such: a float of so many nanoseconds would be off by some.
            let whole = value.and_then(Value::as_u64);
            Ok(whole.map_or_else(
                || (milliseconds * 1e6).round() as i128,
                |whole| i128::from(whole) * 1_000_000,
            ))
        }
        _ => Err(wrong(
            TIME,
            &show(value),
            format!("a number of milliseconds from 0 to {MAX_TIME:e}"),
        )),
    }
}

fn length(fields: &Map<String, Value>, field: &'static str) -> Result<u64, TraceFault> {
    let value = fields.get(field);
    tokens(field, value.and_then(Value::as_u64), &show(value))
}

fn hash_ids(fields: &Map<String, Value>, input_tokens: u64) -> Result<Box<[u64]>, TraceFault> {
    let blocks = input_tokens.div_ceil(MOONCAKE_BLOCK_TOKENS);
    let expected = || {
        format!("{blocks} ids, one for every {MOONCAKE_BLOCK_TOKENS} of the {input_tokens} tokens of {INPUT}")
    };
    let value = fields.get(IDS);
    let Some(Value::Array(ids)) = value else {
        return Err(wrong(IDS, &show(value), expected()));
    };
    if u64::try_from(ids.len()) != Ok(blocks) {
        return Err(wrong(IDS, &format!("a list of {}", ids.len()), expected()));
    }
    ids.iter()
        .map(|id| {
            id.as_u64()
                .ok_or_else(|| wrong(IDS, &format!("a list with {id}"), "ids that are whole numbers"))
        })
        .collect()
}

fn show(value: Option<&Value>) -> String {
    value.map_or_else(|| "missing".to_owned(), Value::to_string)
}
