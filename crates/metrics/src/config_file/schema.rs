//! `metrics config schema`: a JSON Schema of the file, for editors.

use std::time::Duration;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::keys::{self, Form, Key};
use super::show::shown;
use super::tables;

/// The schema, as text.
pub fn schema() -> String {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let keys = keys::all();
    let properties = keys
        .iter()
        .map(|key| (key.name.clone(), property(key, &mut generator)));
    let properties: Map<String, Value> = properties.collect();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of metrics",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "$defs": generator.take_definitions(true),
    });
    format!("{schema:#}\n")
}

fn property(key: &Key, generator: &mut SchemaGenerator) -> Value {
    let words = key.words();
    let mut one = match key.form {
        Form::Switch => generator.subschema_for::<bool>(),
        Form::Whole(16) => generator.subschema_for::<u16>(),
        Form::Whole(32) => generator.subschema_for::<u32>(),
        Form::Whole(_) => generator.subschema_for::<u64>(),
        Form::Number => generator.subschema_for::<f64>(),
        Form::Time => schemars::json_schema!({ "type": ["string", "number"], "examples": [time()] }),
        Form::Text if !words.is_empty() => schemars::json_schema!({ "enum": words }),
        Form::Text => generator.subschema_for::<String>(),
    }
    .to_value();
    if let Some(table) = tables::schema_of(&key.name, generator) {
        one = json!({ "anyOf": [one, table] });
    }
    let mut schema = match key.is_list {
        true => json!({ "type": "array", "items": one }),
        false => one,
    };
    schema["description"] = key.help().into();
    if let Some(default) = key.default() {
        schema["default"] = shown(key, &default);
    }
    schema
}

/// A time as people write it.
fn time() -> String {
    humantime::format_duration(Duration::from_millis(2500)).to_string()
}
