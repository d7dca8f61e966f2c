//! `metrics config show`: every value and where it comes from. Secrets are hidden.

use std::fmt;

use link::Servers;
use serde_json::{Map, Value, json};

use super::keys::{Form, Key};
use super::{Loaded, Setting, Source};
use crate::view::SettingRow;

/// What is shown of a secret.
const HIDDEN: &str = "***";

/// The width of what is said before a source, where it fits.
const COLUMN: usize = 48;

impl Loaded {
    /// Every key as a file would set it, with the source of its value.
    pub fn show(&self) -> String {
        let lines = self.settings.iter().map(|setting| {
            let name = &setting.key.name;
            let set = match setting.values() {
                Value::Null => format!("# {name} is not set"),
                value => format!("{name} = {value}"),
            };
            format!("{set:COLUMN$}  # {}\n", setting.source)
        });
        lines.collect()
    }

    /// The same as JSON: for each key its value and its source.
    pub fn show_json(&self) -> String {
        let settings = self.settings.iter().map(|setting| {
            let shown = json!({ "value": setting.values(), "source": setting.source.json() });
            (setting.key.name.clone(), shown)
        });
        let shown: Map<String, Value> = settings.collect();
        format!("{:#}\n", Value::Object(shown))
    }
}

impl Loaded {
    /// The same as rows of a screen.
    pub(crate) fn rows(&self) -> Vec<SettingRow> {
        let rows = self.settings.iter().map(|setting| SettingRow {
            key: setting.key.name.clone(),
            value: match setting.values() {
                Value::Null => String::new(),
                value => value.to_string(),
            },
            source: setting.source.to_string(),
            is_default: matches!(setting.source, Source::Default),
        });
        rows.collect()
    }
}

impl Setting {
    /// Whether the file says it.
    pub(super) fn is_in_file(&self) -> bool {
        matches!(self.source, Source::File { .. })
    }

    /// The value, or null where it is not set.
    fn values(&self) -> Value {
        let mut values: Vec<Value> = self.values.iter().map(|value| shown(&self.key, value)).collect();
        match self.key.is_list {
            true => Value::Array(values),
            false => values.pop().unwrap_or_default(),
        }
    }
}

/// A flag's text as the value of the key.
pub(super) fn shown(key: &Key, text: &str) -> Value {
    if key.is_secret {
        let is_address = ["server", "etcd"].contains(&key.name.as_str());
        return if is_address {
            Servers::redact(text).into()
        } else {
            HIDDEN.into()
        };
    }
    let value = match key.form {
        Form::Switch => Some(Value::Bool(text == "true")),
        Form::Whole(_) | Form::Number => serde_json::from_str(text).ok(),
        Form::Time | Form::Text => None,
    };
    value.unwrap_or_else(|| text.into())
}

impl Source {
    fn json(&self) -> Value {
        match self {
            Self::Flag => json!({ "kind": "flag" }),
            Self::Environment(name) => json!({ "kind": "environment", "name": name }),
            Self::File { path, line } => json!({ "kind": "file", "file": path, "line": line }),
            Self::Default => json!({ "kind": "default" }),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File { path, line } => write!(f, "file {}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}
