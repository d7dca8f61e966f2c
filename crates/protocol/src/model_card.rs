//! What a Dynamo worker registers of itself in etcd: its model card, which has how much the worker can hold.
//!
//! Dynamo 1.2 to 1.6 writes one card for each worker:
//!
//! ```text
//! key    v1/mdc/{namespace}/{component}/{endpoint}/{worker id in hexadecimal}
//! value  JSON; of it, only card_json.runtime_config is read here
//! ```
//!
//! The card of a LoRA adapter has one more part at the end of its key. It describes no further worker.

use serde::Deserialize;

use crate::{EndpointPath, WorkerId};

/// How the keys of all cards begin.
pub const PREFIX: &str = "v1/mdc/";

/// How much a worker can hold, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests that it can run at once.
    pub slots: Option<u64>,
    /// KV-cache blocks that it has.
    pub kv_blocks: Option<u64>,
}

/// Why a key or a value is no model card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// The key does not name a worker.
    #[error("the key of a model card is v1/mdc/namespace/component/endpoint/id")]
    Key,
    /// The value cannot be read.
    #[error("the model card is not a JSON object with a readable card_json.runtime_config")]
    Value,
}

#[derive(Deserialize)]
struct Card {
    card_json: Body,
}

#[derive(Deserialize)]
struct Body {
    runtime_config: Option<RuntimeConfig>,
}

#[derive(Deserialize)]
struct RuntimeConfig {
    max_num_seqs: Option<u64>,
    total_kv_blocks: Option<u64>,
    data_parallel_size: Option<u64>,
}

/// Whose card this key has; `None` for the card of a LoRA adapter.
///
/// # Errors
/// [`CardError::Key`] where it is no key of a card.
///
/// ```
/// use protocol::{WorkerId, model_card};
/// let (path, worker) = model_card::read_key("v1/mdc/dynamo/backend/generate/13b0a2130cf67c1f")?.expect("a worker's");
/// assert_eq!(path.to_string(), "dynamo/backend/generate");
/// assert_eq!(worker, WorkerId::new(1418812085327264799));
/// assert_eq!(model_card::read_key("v1/mdc/dynamo/backend/generate/1f/my-adapter")?, None);
/// # Ok::<(), model_card::CardError>(())
/// ```
pub fn read_key(key: &str) -> Result<Option<(EndpointPath, WorkerId)>, CardError> {
    let parts: Option<Vec<&str>> = key.strip_prefix(PREFIX).map(|rest| rest.split('/').collect());
    let Some([namespace, component, endpoint, id, adapter @ ..]) = parts.as_deref() else {
        return Err(CardError::Key);
    };
    let (Ok(namespace), Ok(component), Ok(endpoint), Ok(id)) = (
        namespace.parse(),
        component.parse(),
        endpoint.parse(),
        WorkerId::from_hex(id),
    ) else {
        return Err(CardError::Key);
    };
    let path = EndpointPath::new(namespace, component, endpoint);
    Ok(adapter.is_empty().then_some((path, id)))
}

/// How much the worker can hold. The card has the numbers of one data-parallel rank; these are of all its ranks. Zero
/// counts as unknown.
///
/// # Errors
/// [`CardError::Value`] where the value is no card.
///
/// ```
/// use protocol::model_card::{self, Limits};
/// let value = br#"{"card_json": {"runtime_config": {"max_num_seqs": 8, "total_kv_blocks": 1000, "data_parallel_size": 2}}}"#;
/// let limits = Limits { slots: Some(16), kv_blocks: Some(2000) };
/// assert_eq!(model_card::read_limits(value)?, limits);
/// # Ok::<(), model_card::CardError>(())
/// ```
pub fn read_limits(value: &[u8]) -> Result<Limits, CardError> {
    let card: Card = serde_json::from_slice(value).map_err(|_| CardError::Value)?;
    let Some(config) = card.card_json.runtime_config else {
        return Ok(Limits::default());
    };
    let ranks = config.data_parallel_size.unwrap_or(1).max(1);
    let of_all = |number: Option<u64>| number.filter(|number| *number > 0)?.checked_mul(ranks);
    Ok(Limits {
        slots: of_all(config.max_num_seqs),
        kv_blocks: of_all(config.total_kv_blocks),
    })
}

impl Limits {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_cards_name_workers() {
        for key in [
            "",
            "v1/mdc/",
            "v1/mdc/dynamo/backend/generate",
            "v1/mdc/dynamo/backend/generate/",
            "v1/mdc/dynamo/backend/generate/XY",
            "v1/mdc/dynamo/backend/generate/00001f",
            "v1/mdc/dynamo//generate/1f",
            "v1/mdc/dynamo/backend/generate/1f1f1f1f1f1f1f1f1",
            "v1/instances/dynamo/backend/generate/1f",
            "/v1/mdc/dynamo/backend/generate/1f",
        ] {
            assert_eq!(read_key(key), Err(CardError::Key), "{key}");
        }
    }

    #[test]
    fn what_a_card_does_not_say_is_unknown() {
        let limits = |config: &str| read_limits(format!(r#"{{"card_json": {config}}}"#).as_bytes());
        for unknown in [
            "{}",
            r#"{"runtime_config": null}"#,
            r#"{"runtime_config": {}}"#,
            r#"{"runtime_config": {"max_num_seqs": null, "total_kv_blocks": 0}}"#,
            r#"{"runtime_config": {"max_num_seqs": 9223372036854775808, "data_parallel_size": 2}}"#,
        ] {
            assert_eq!(limits(unknown), Ok(Limits::default()), "{unknown}");
        }
        let one = limits(r#"{"runtime_config": {"max_num_seqs": 8, "data_parallel_size": 0}}"#);
        let expected = Limits {
            slots: Some(8),
            kv_blocks: None,
        };
        assert_eq!(one, Ok(expected));
    }

    #[test]
    fn hostile_values_are_refused() {
        let deep = format!(r#"{{"card_json": {}"#, "[".repeat(100_000));
        for value in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"card_json": "{}"}"#,
            r#"{"card_json": {"runtime_config": {"max_num_seqs": -1}}}"#,
            r#"{"card_json": {"runtime_config": {"max_num_seqs": 1e3}}}"#,
            r#"{"card_json": {"runtime_config": {"max_num_seqs": "8"}}}"#,
            "\u{0}",
            &deep,
        ] {
            assert_eq!(
                read_limits(value.as_bytes()),
                Err(CardError::Value),
                "{value:.60}"
            );
        }
        assert_eq!(read_limits(&[0xff, 0xfe]), Err(CardError::Value));
    }
}
