//! [`Payload`]: the fields of a message, from which follow its JSON Schema and its table in `docs/protocol.md`.

use protocol::StatsShape;
use protocol::mapping::{LOAD_FIELDS, Range};
use serde_json::{Map, Value, json};

/// A message that a worker, a router or a frontend writes.
pub(crate) struct Payload {
    /// Its topic, or the name of its schema.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Whether it is a list of so many at most.
    pub(crate) list_of: Option<u64>,
    pub(crate) fields: &'static [Field],
}

/// One field of a map.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it must be there; else it may be missing or null.
    pub(crate) is_required: bool,
    pub(crate) about: &'static str,
}

/// What a field holds.
pub(crate) enum Kind {
    /// A whole number of 64 bits.
    Count,
    /// A whole number up to this one.
    CountTo(u64),
    /// The same as decimal text.
    TextId,
    /// A number from 0 to this one.
    Number(f64),
    Bool,
    /// A text of so many bytes at most, and of one at least.
    Text(u64),
    Words(&'static [&'static str]),
    /// The load, nested.
    Load,
    Map(&'static [Field]),
    /// One of several: a word, or a map under its name.
    Choice(&'static [(&'static str, Option<&'static [Field]>)]),
    /// A list of which only the length is read.
    List,
}

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The name of the schema of the load, which is a payload without a topic.
pub(crate) const LOAD: &str = "load";

impl Payload {
    pub(crate) fn schema(&self) -> Value {
        let event = map(self.fields);
        let mut schema = match self.list_of {
            None => event,
            Some(most) => json!({"type": "array", "maxItems": most, "items": event}),
        };
        schema["$schema"] = DRAFT.into();
        schema["title"] = self.title.into();
        schema
    }

    /// A table of Markdown. Fields of a map within are named with its name before theirs.
    pub(crate) fn table(&self) -> String {
        let mut table = "| field | has | means | where it is missing |\n|---|---|---|---|\n".to_owned();
        rows("", self.fields, &mut table);
        table
    }
}

/// What new workers should write in `data`; readers take more.
pub(crate) fn load_schema() -> Value {
    let mut schema = load();
    schema["$schema"] = DRAFT.into();
    schema["title"] = "The load in the data of a worker's endpoint, nested".into();
    schema
}

/// The fields of the load, by their sections.
pub(crate) fn load_table() -> String {
    let mut table = "| field | section | means | range |\n|---|---|---|---|\n".to_owned();
    for (section, name, range) in load_fields() {
        let (means, most) = match name.as_str() {
            "request_active_slots" => ("requests running now", ", at most `request_total_slots`"),
            "request_total_slots" => ("the most requests that can run at once", ""),
            "num_requests_waiting" => ("requests queued in the worker", ""),
            "data_parallel_rank" => ("the rank within a data-parallel group", ""),
            "kv_active_blocks" => ("KV-cache blocks held now", ", at most `kv_total_blocks`"),
            "kv_total_blocks" => ("KV-cache blocks in total", ""),
            "gpu_cache_usage_perc" => ("use of the KV cache; a ratio, despite its name", ""),
            "gpu_prefix_cache_hit_rate" => ("share of looked-up prefix blocks that the cache had", ""),
            other => panic!("{other} has no meaning in the table"),
        };
        let range = if range == Range::COUNT { "count" } else { "0 to 1" };
        table.push_str(&format!("| `{name}` | `{section}` | {means} | {range}{most} |\n"));
    }
    table
}

/// Section, name and range of each field of the load.
fn load_fields() -> Vec<(String, String, Range)> {
    let parts = |field: &protocol::mapping::LoadField| {
        let pointer = field.pointer(StatsShape::Nested).to_string();
        let (section, name) = pointer[1..].split_once('/').expect("a section and a field");
        (section.to_owned(), name.to_owned(), field.range())
    };
    LOAD_FIELDS.iter().map(parts).collect()
}

fn load() -> Value {
    let mut sections: Map<String, Value> = Map::new();
    for (section, name, range) in load_fields() {
        let value = match range == Range::COUNT {
            true => or_null(count(u64::MAX)),
            false => or_null(number(1.0)),
        };
        let section = sections
            .entry(section)
            .or_insert_with(|| json!({"type": ["object", "null"], "properties": {}}));
        section["properties"][name] = value;
    }
    json!({"type": ["object", "null"], "properties": sections})
}

fn map(fields: &[Field]) -> Value {
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.is_required)
        .map(|field| field.name)
        .collect();
    let mut properties = Map::new();
    for field in fields {
        let mut value = value(&field.kind);
        if !field.is_required {
            value = or_null(value);
        }
        value["description"] = field.about.replace('`', "").into();
        properties.insert(field.name.to_owned(), value);
    }
    json!({"type": "object", "required": required, "properties": properties})
}

fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Count => count(u64::MAX),
        Kind::CountTo(most) => count(*most),
        Kind::TextId => json!({"type": "string", "pattern": "^[0-9]{1,20}$"}),
        Kind::Number(most) => number(*most),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Text(most) => json!({"type": "string", "minLength": 1, "maxLength": most}),
        Kind::Words(words) => json!({"type": "string", "enum": words}),
        Kind::Load => load(),
        Kind::Map(fields) => map(fields),
        Kind::Choice(choices) => {
            let choice = |(name, fields): &(&str, Option<&'static [Field]>)| match fields {
                None => json!({"const": name}),
                Some(fields) => {
                    json!({"type": "object", "required": [name], "properties": {(*name): map(fields)}})
                }
            };
            json!({"oneOf": choices.iter().map(choice).collect::<Vec<_>>()})
        }
        Kind::List => json!({"type": "array"}),
    }
}

fn or_null(mut value: Value) -> Value {
    match value.get("type") {
        Some(Value::String(kind)) => value["type"] = json!([kind, "null"]),
        Some(_) => {}
        None => value["oneOf"]
            .as_array_mut()
            .expect("a choice")
            .push(json!({"type": "null"})),
    }
    if let Some(words) = value.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    value
}

fn count(most: u64) -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": most})
}

fn number(most: f64) -> Value {
    json!({"type": "number", "minimum": 0, "maximum": most})
}

fn rows(before: &str, fields: &[Field], table: &mut String) {
    for field in fields {
        let name = format!("{before}{}", field.name);
        let has = match &field.kind {
            Kind::Count => "count".to_owned(),
            Kind::CountTo(most) => format!("count up to {most}"),
            Kind::TextId => "decimal text".to_owned(),
            Kind::Number(most) if *most == 1.0 => "0 to 1".to_owned(),
            Kind::Number(most) if *most >= 1e15 => "number, not negative".to_owned(),
            Kind::Number(most) => format!("0 to {most}"),
            Kind::Bool => "`true` or `false`".to_owned(),
            Kind::Text(most) => format!("text of 1 to {most} bytes"),
            Kind::Words(words) => quoted(words),
            Kind::Load => "the [load](#the-load)".to_owned(),
            Kind::Map(_) => "map".to_owned(),
            Kind::Choice(choices) => quoted(&choices.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
            Kind::List => "list".to_owned(),
        };
        let missing = if field.is_required { "refused" } else { "" };
        table.push_str(&format!("| `{name}` | {has} | {} | {missing} |\n", field.about));
        match &field.kind {
            Kind::Map(fields) => rows(&format!("{name}."), fields, table),
            Kind::Choice(choices) => {
                for (choice, fields) in *choices {
                    rows(&format!("{name}.{choice}."), fields.unwrap_or_default(), table);
                }
            }
            _ => {}
        }
    }
}

/// `a`, `b` or `c`.
fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
