//! [`Recording`]: raw messages of real Dynamo workers, as the protocol crate keeps them.

use serde_json::Value;

use crate::repository;

/// The messages of one runtime version.
#[derive(Debug, Clone)]
pub struct Recording {
    /// STATS replies, byte for byte.
    pub stats: Vec<String>,
    /// INFO replies, byte for byte.
    pub infos: Vec<String>,
    /// Events: subject and payload.
    pub events: Vec<(String, String)>,
}

impl Recording {
    /// Reads the recording of a name such as `dynamo-0.1.1`.
    ///
    /// # Panics
    /// When there is none, or it is not in its documented form.
    pub fn of(name: &str) -> Self {
        let path = repository()
            .join("crates/protocol/tests/fixtures")
            .join(format!("{name}.json"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let recording: Value = serde_json::from_str(&text).expect("a recording is JSON");
        let texts = |field: &str| list(&recording, field).iter().map(text_of).collect();
        Self {
            stats: texts("stats_replies"),
            infos: texts("info_replies"),
            events: list(&recording, "events")
                .iter()
                .map(|event| (text_of(&event["subject"]), text_of(&event["raw"])))
                .collect(),
        }
    }
}

fn list<'a>(recording: &'a Value, field: &str) -> &'a [Value] {
    recording[field]
        .as_array()
        .unwrap_or_else(|| panic!("{field} is a list"))
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
