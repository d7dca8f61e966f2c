//! The mappings that are built in: Dynamo's load, in the form of the file. The reader of replies and this text come from
//! one declaration, [`LOAD_FIELDS`].

use protocol::StatsShape;
use protocol::mapping::LOAD_FIELDS;
use serde_json::Value;

use crate::export::catalogue;

const INTRODUCTION: &str = "
# Built in: Dynamo's load. These mappings are always there, for both shapes in which workers report it; as counts they take
# whole numbers only. They show the form. Their names are taken, so a mapping of your own needs another one.
";

/// The built-in mappings, as a comment.
pub(super) fn commented() -> String {
    let tables = tables();
    let lines = tables.lines().map(|line| match line {
        "" => "#\n".to_owned(),
        line => format!("#   {line}\n"),
    });
    format!("{INTRODUCTION}#\n{}", lines.collect::<String>())
}

/// The same as TOML.
fn tables() -> String {
    let catalogue = catalogue();
    let mut text = String::new();
    for field in LOAD_FIELDS {
        let entry = catalogue.iter().find(|entry| Some(entry.name) == field.metric);
        let Some(entry) = entry else { continue };
        let range = field.range();
        for shape in [StatsShape::Flat, StatsShape::Nested] {
            let texts = [
                ("target", Some("*/*/*")),
                ("pointer", Some(&*field.pointer(shape).to_string())),
                ("name", Some(entry.name)),
                ("type", Some("gauge")),
                (
                    "unit",
                    entry
                        .unit
                        .filter(|unit| entry.name.ends_with(&format!("_{unit}"))),
                ),
                ("help", Some(entry.help)),
            ]
            .map(|(key, text)| (key, text.map(Value::from)));
            let rest = [
                ("min", range.min.map(Value::from)),
                ("max", range.max.map(Value::from)),
                ("optional", Some(true.into())),
            ];
            text.push_str(if text.is_empty() { "" } else { "\n" });
            text.push_str("[[mapping]]\n");
            for (key, value) in texts.into_iter().chain(rest) {
                // What JSON writes of these, TOML reads.
                text.extend(value.map(|value| format!("{key} = {value}\n")));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use protocol::mapping::Range;
    use serde::Deserialize;

    use super::*;
    use crate::mapping::MappingTable;

    #[derive(Deserialize)]
    struct File {
        mapping: Vec<MappingTable>,
    }

    #[test]
    fn the_built_in_mappings_are_those_by_which_load_is_read() {
        let text = commented();
        let uncommented: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.contains("[["))
            .map(|line| line.trim_start_matches('#').trim())
            .collect();
        let file: File = toml::from_str(&uncommented.join("\n")).expect("TOML");
        let metrics = LOAD_FIELDS.iter().filter(|field| field.metric.is_some());
        let expected: Vec<_> = metrics
            .flat_map(|field| [StatsShape::Flat, StatsShape::Nested].map(|shape| (field, shape)))
            .collect();
        assert_eq!(file.mapping.len(), expected.len());
        for (table, (field, shape)) in file.mapping.iter().zip(expected) {
            assert_eq!(Some(&*table.name), field.metric);
            assert_eq!(table.pointer, field.pointer(shape).to_string());
            let Range { min, max, .. } = field.range();
            assert_eq!((table.min, table.max), (min, max), "{}", table.name);
            // All of it but the name could be a mapping of anyone's.
            let error = table.check().expect_err("the name is taken");
            assert!(error.reason.contains("already a metric"), "{error}");
            let other = MappingTable {
                name: table.name.replace("llm_worker", "my"),
                ..table.clone()
            };
            other
                .check()
                .unwrap_or_else(|error| panic!("{}: {error}", other.name));
        }
    }
}
