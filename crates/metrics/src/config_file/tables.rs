//! Keys whose values may be tables. Each table comes to the text that the flag takes, so there is one parser.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeValue, Error, ValueDeserializer};

use crate::mapping::MappingTable;

/// What to watch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Target {
    /// namespace/component/endpoint, with `*` for any text within a name.
    path: String,
    /// Labels of all its series.
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// What the workers of some pools can hold, where they do not report it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Capacity {
    /// The pools: namespace/component/endpoint, with `*` for any text within a name.
    pools: String,
    /// Requests that each worker can run at once.
    #[schemars(range(min = 1))]
    slots: Option<u64>,
    /// KV-cache blocks that each worker has.
    #[schemars(range(min = 1))]
    kv_blocks: Option<u64>,
}

/// A table as the text of the key's flag, or `None` where the key takes no table.
///
/// # Errors
/// Where the table has a key that is unknown, missing, or of the wrong type.
pub(super) fn text_of(key: &str, table: Spanned<DeValue<'_>>) -> Option<Result<String, Error>> {
    let table = ValueDeserializer::from(table);
    let text = match key {
        "target" => Target::deserialize(table).map(|target| match target.labels.is_empty() {
            true => target.path,
            false => {
                let pairs = target
                    .labels
                    .iter()
                    .map(|(name, value)| format!("{name}={}", Value::from(value.as_str())));
                format!("{}{{{}}}", target.path, pairs.collect::<Vec<_>>().join(","))
            }
        }),
        "mapping" => MappingTable::deserialize(table).map(|table| {
            let text = serde_json::to_string(&table);
            text.unwrap_or_default()
        }),
        "capacity" => Capacity::deserialize(table).map(|capacity| {
            let limits = [("slots", capacity.slots), ("kv_blocks", capacity.kv_blocks)];
            let set = limits
                .iter()
                .filter_map(|(name, limit)| Some(format!("{name}={}", (*limit)?)));
            format!("{}:{}", capacity.pools, set.collect::<Vec<_>>().join(","))
        }),
        _ => return None,
    };
    Some(text)
}

/// The schema of a table that the key takes next to texts.
pub(super) fn schema_of(key: &str, generator: &mut SchemaGenerator) -> Option<Value> {
    let schema = match key {
        "target" => generator.subschema_for::<Target>(),
        "capacity" => generator.subschema_for::<Capacity>(),
        "mapping" => generator.subschema_for::<MappingTable>(),
        _ => return None,
    };
    Some(schema.to_value())
}
