//! Finds and reads scenarios; what is wrong is reported with its line and the nearest key.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use program::source::{self, Problem, nearest, nearest_in_message};
use serde::Deserialize;
use toml::{Table, Value};

use super::{SHIPPED, Scenario, forms};

/// The longest scenario file that is read, in bytes: 1 MiB.
const MAX_BYTES: usize = 1 << 20;

/// A key of a scenario that is set otherwise: `traffic.rate=5`.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    key: String,
    value: Value,
    text: String,
}

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// It is none of the shipped ones, and no file.
    #[error(
        "there is no scenario {name:?}{hint}; `mock-worker list` names all, and a file is named with its path"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// The file cannot be read.
    #[error("failed to read {file}: {source}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not a scenario.
    #[error("{name} is not a scenario:\n{reason}")]
    Text {
        /// The scenario's name or file.
        name: String,
        /// What is wrong, with the line where it is in one place.
        reason: String,
    },
    /// A setting does not fit.
    #[error("failed to set {setting} in {name}: {reason}")]
    Setting {
        /// The scenario's name or file.
        name: String,
        /// The setting.
        setting: String,
        /// Why.
        reason: String,
    },
    /// The parts are well-formed, and one of them cannot be.
    #[error("{name} cannot be run: {reason}")]
    Impossible {
        /// The scenario's name or file.
        name: String,
        /// The key and what is wrong with it.
        reason: String,
    },
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text
            .split_once('=')
            .ok_or("it has no `=`; write e.g. traffic.rate=5")?;
        let key = key.trim();
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err("it has no key; write e.g. traffic.rate=5".to_owned());
        }
        // What is not a TOML value is a text: command lines are written without quotes.
        let table: Option<Table> = format!("v = {value}").parse().ok();
        let value = table
            .and_then(|mut table| table.remove("v"))
            .unwrap_or_else(|| Value::String(value.trim().to_owned()));
        Ok(Self {
            key: key.to_owned(),
            value,
            text: text.to_owned(),
        })
    }
}

impl Setting {
    /// A setting of a value that is known already.
    pub fn new(key: &str, value: impl Into<Value> + Display) -> Self {
        Self {
            key: key.to_owned(),
            text: format!("{key}={value}"),
            value: value.into(),
        }
    }

    /// A setting of a whole table, of which errors speak as `text`.
    pub(crate) fn of_table(key: &str, value: Table, text: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: Value::Table(value),
            text: text.to_owned(),
        }
    }

    /// The key, e.g. `traffic.rate`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same key of a table within.
    pub(super) fn within(&self, table: &str) -> Self {
        Self {
            key: format!("{table}.{}", self.key),
            ..self.clone()
        }
    }

    pub(crate) fn apply(&self, table: &mut Table) -> Result<(), String> {
        let mut keys: Vec<&str> = self.key.split('.').collect();
        let last = keys.pop().expect("a key has a part");
        let mut path = String::new();
        let mut place = Slot::Table(table);
        for key in keys {
            let next = place.enter(key, &path)?;
            path = if path.is_empty() {
                key.to_owned()
            } else {
                format!("{path}.{key}")
            };
            place = match next {
                Value::Table(table) => Slot::Table(table),
                Value::Array(array) => Slot::Array(array),
                // A word such as "poisson" gives way to a form with parameters.
                word @ Value::String(_) => {
                    *word = Value::Table(Table::new());
                    let Value::Table(table) = word else {
                        unreachable!("it was made one")
                    };
                    Slot::Table(table)
                }
                _ => return Err(format!("{path} is not a table")),
            };
        }
        *place.enter(last, &path)? = self.value.clone();
        Ok(())
    }
}

enum Slot<'a> {
    Table(&'a mut Table),
    Array(&'a mut Vec<Value>),
}

/// Tables that say one thing out of several: another one takes its place.
const ONE_OF: [&str; 5] = ["process", "profile", "input", "output", "select"];

impl<'a> Slot<'a> {
    fn enter(self, key: &str, path: &str) -> Result<&'a mut Value, String> {
        match self {
            Self::Table(table)
                if ONE_OF.contains(&path.rsplit('.').next().unwrap_or(path)) && !table.contains_key(key) =>
            {
                table.clear();
                Ok(table.entry(key).or_insert_with(|| Value::Table(Table::new())))
            }
            Self::Table(table) => Ok(table.entry(key).or_insert_with(|| Value::Table(Table::new()))),
            Self::Array(array) => {
                let length = array.len();
                let place: usize = key
                    .parse()
                    .map_err(|_| format!("{path} is a list; name a place in it, counted from 0"))?;
                array
                    .get_mut(place)
                    .ok_or_else(|| format!("{path} has {length} entries, counted from 0"))
            }
        }
    }
}

/// The text of a scenario and the folder of its file.
pub(super) fn find(name: &str) -> Result<(String, Option<PathBuf>), ScenarioError> {
    if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok(((*text).to_owned(), None));
    }
    let file = Path::new(name);
    let is_file = name.contains('/') || file.extension().is_some_and(|extension| extension == "toml");
    if !is_file && !file.is_file() {
        return Err(ScenarioError::Unknown {
            name: name.to_owned(),
            hint: nearest(name, SHIPPED.iter().map(|(shipped, _)| *shipped))
                .map(did_you_mean)
                .unwrap_or_default(),
        });
    }
    let text = read(file).map_err(|source| ScenarioError::Read {
        file: file.to_owned(),
        source,
    })?;
    let no_scenario = |reason: String| ScenarioError::Text {
        name: name.to_owned(),
        reason,
    };
    if text.len() > MAX_BYTES {
        return Err(no_scenario(format!("it is longer than {MAX_BYTES} bytes")));
    }
    if text.trim().is_empty() {
        let remedy = "start from a shipped one, e.g. with `mock-worker show steady`";
        return Err(no_scenario(format!("it is empty; {remedy}")));
    }
    Ok((text, Some(file.parent().unwrap_or(Path::new("")).to_owned())))
}

/// Reads a file, and of a very long one its beginning.
fn read(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// Reads the text of the scenario `name`, and applies all settings or none.
pub(super) fn parse(name: &str, text: &str, settings: &[Setting]) -> Result<Scenario, ScenarioError> {
    let no_scenario = |error: toml::de::Error| ScenarioError::Text {
        name: name.to_owned(),
        reason: shown(name, text, &error),
    };
    // Read as it is first: its errors have lines, those of a changed table have none.
    let scenario: Scenario = toml::from_str(text).map_err(no_scenario)?;
    if settings.is_empty() {
        return Ok(scenario);
    }
    let mut table: Table = toml::from_str(text).map_err(no_scenario)?;
    let refused = |setting: &Setting, reason: String| ScenarioError::Setting {
        name: name.to_owned(),
        setting: setting.text.clone(),
        reason,
    };
    for setting in settings {
        setting
            .apply(&mut table)
            .map_err(|reason| refused(setting, reason))?;
    }
    // Who asks for requests that have a rate of their own does without that of the file.
    let is_said = |key: &str| settings.iter().any(|setting| setting.key.starts_with(key));
    let has_its_own = ["traffic.trace", "traffic.process.onoff", "traffic.process.closed"];
    if has_its_own.into_iter().any(is_said)
        && !is_said("traffic.rate")
        && let Some(Value::Table(traffic)) = table.get_mut("traffic")
    {
        traffic.remove("rate");
    }
    Scenario::deserialize(table.clone()).map_err(|error| {
        // Whose fault it is: the first one with which the table can no longer be read.
        let reason = message_in(&table, &error);
        let mut table: Table = toml::from_str(text).expect("it was read before");
        let culprit = settings.iter().find(|setting| {
            setting.apply(&mut table).is_ok() && Scenario::deserialize(table.clone()).is_err()
        });
        let setting = culprit.or(settings.last()).expect("there is one");
        refused(setting, reason)
    })
}

/// An error of the parser as the line of the text with a caret, and with the nearest key where one is unknown.
fn shown(name: &str, text: &str, error: &toml::de::Error) -> String {
    // A text that is no TOML at all has no words to look at.
    let bare_word = Some(error).filter(|error| is_about_forms(error.message()));
    let bare_word = bare_word
        .and_then(|_| text.parse::<Table>().ok())
        .and_then(|table| forms::hint(&table));
    let problem = Problem {
        message: bare_word.unwrap_or_else(|| error.message().to_owned()),
        places: error
            .span()
            .map(|place| (place, String::new()))
            .into_iter()
            .collect(),
        help: nearest_in_message(error.message()).map(|nearest| format!("did you mean `{nearest}`?")),
    };
    let shown = source::render(name, text, &[problem], false);
    shown.trim_end().to_owned()
}

/// Whether serde took offence at the form of a value, and not at the value.
fn is_about_forms(message: &str) -> bool {
    message.contains("variant") && !message.contains("unknown variant")
        || message.contains("invalid type: string")
}

/// The same in one line, for a table that has no text.
pub(crate) fn message_in(table: &Table, error: &toml::de::Error) -> String {
    if let Some(hint) = forms::hint(table).filter(|_| is_about_forms(error.message())) {
        return hint;
    }
    let hint = nearest_in_message(error.message())
        .map(did_you_mean)
        .unwrap_or_default();
    format!("{}{hint}", error.to_string().trim_end())
}

fn did_you_mean(name: &str) -> String {
    format!("; did you mean `{name}`?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_reported_with_its_line_and_the_nearest_key() {
        let check = |text: &str, expected: &[&str]| {
            let error = parse("my.toml", text, &[]).expect_err(text).to_string();
            assert!(error.starts_with("my.toml is not a scenario:\n"), "{error}");
            for part in expected {
                assert!(error.contains(part), "{part:?} is not in {error}");
            }
        };
        check(
            "description = \"x\"\n[traffic]\nrtae = 3.0\n",
            &["my.toml:3:1", "unknown field `rtae`", "did you mean `rate`?"],
        );
        check(
            "description = \"x\"\n\n[[fault]]\nkind = \"trunkated\"\n",
            &["my.toml:4:8", "`trunkated`", "did you mean `truncated`?"],
        );
        check(
            "description = \"x\"\nduration = \"soon\"\n",
            &["my.toml:2:12", "500ms"],
        );
        check(
            "description = \"x\"\n[traffic]\nprofile = \"diurnal\"\n",
            &[
                "my.toml:3:11",
                "profile \"diurnal\" has parameters",
                "{ diurnal = { period = \"24h\"",
            ],
        );
        check(
            "description = \"x\"\n[[fault]]\nkind = \"late\"\nselect = \"first\"\n",
            &["my.toml:4:", "select = { first = 2 }"],
        );
        check("workers = 3\n", &["missing field `description`"]);
        check("description = \n", &["my.toml:1:"]);
    }

    #[test]
    fn an_unknown_scenario_is_answered_with_the_nearest() {
        let error = find("stedy").expect_err("no such scenario").to_string();
        assert!(
            error.contains("did you mean `steady`?") && error.contains("mock-worker list"),
            "{error}"
        );
        let error = find("nosuch").expect_err("no such scenario").to_string();
        assert!(
            !error.contains("did you mean") && error.contains("mock-worker list"),
            "{error}"
        );
        let error = find("no/such/file.toml").expect_err("no such file").to_string();
        assert!(error.contains("no/such/file.toml"), "{error}");
    }

    #[test]
    fn values_on_a_command_line_need_no_quotes() {
        let value = |text: &str| text.parse::<Setting>().expect("a setting").value;
        assert_eq!(value("a=3"), Value::Integer(3));
        assert_eq!(value("a=0.5"), Value::Float(0.5));
        assert_eq!(value("a=5s"), Value::String("5s".to_owned()));
        assert_eq!(value("a=\"5s\""), Value::String("5s".to_owned()));
        assert_eq!(value("a=[1]"), Value::Array(vec![Value::Integer(1)]));
        assert!("a".parse::<Setting>().is_err() && "=3".parse::<Setting>().is_err());
    }
}
