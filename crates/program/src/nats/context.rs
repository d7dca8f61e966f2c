//! Contexts of the `nats` CLI: connections with a name, in files.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::layer::{Hidden, Layer, expanded, jwt, seed};
use link::Secret;

/// A name that is about as likely meant as this is offered.
const SIMILAR: f64 = 0.7;

/// Fields that say nothing about a connection of ours.
const OTHER: [&str; 6] = [
    "description",
    "jetstream_domain",
    "jetstream_api_prefix",
    "jetstream_event_prefix",
    "color_scheme",
    "operator_mode",
];

/// Where contexts are; `None` without a home folder.
#[derive(Debug, Clone)]
pub(super) struct Folder(pub(super) Option<PathBuf>);

/// A context that was read.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) name: String,
    pub(super) chosen_by: &'static str,
    pub(super) layer: Layer,
    /// Fields that have a value and are not supported.
    pub(super) unused: Vec<String>,
}

/// Without `Debug`, because it holds secrets.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    url: String,
    user: String,
    password: String,
    token: String,
    creds: String,
    nkey: String,
    user_jwt: String,
    user_seed: String,
    cert: String,
    key: String,
    ca: String,
    tls_first: bool,
    inbox_prefix: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Folder {
    /// The folder of this user, as the `nats` CLI finds it.
    pub(super) fn of_user() -> Self {
        let variable = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let config =
            variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
        Self(config.map(|config| config.join("nats")))
    }

    /// The context that `nats context select` chose, if there is one.
    pub(super) fn load_selected(&self) -> Result<Option<Loaded>, String> {
        let Some(chosen) = self.0.as_ref().map(|folder| folder.join("context.txt")) else {
            return Ok(None);
        };
        // Most machines have none. One that cannot be read is as if it were not there, for the nats CLI, too.
        let name = fs::read_to_string(&chosen).unwrap_or_default();
        let name = name.trim();
        if name.is_empty() {
            return Ok(None);
        }
        let loaded = self.load(name).map_err(|error| {
            format!(
                "{error}. {} selects it; `--no-context` or --server do without",
                chosen.display()
            )
        })?;
        let chosen_by = "nats context select";
        Ok(Some(Loaded { chosen_by, ..loaded }))
    }

    /// The context of this name.
    pub(super) fn load(&self, name: &str) -> Result<Loaded, String> {
        let Some(folder) = self.0.as_ref().map(|folder| folder.join("context")) else {
            return Err(format!(
                "there is no context {name:?}: neither HOME nor XDG_CONFIG_HOME is set"
            ));
        };
        if name.is_empty() || name.contains("..") || name.contains('/') {
            return Err(format!(
                "{name:?} is not a context name: a name has no `/` and no `..`"
            ));
        }
        let file = folder.join(format!("{name}.json"));
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(format!(
                    "there is no context {name:?} in {}{}",
                    folder.display(),
                    self.hint(name)
                ));
            }
            Err(error) => return Err(format!("the context {} cannot be read: {error}", file.display())),
        };
        // The parser's message may repeat a value, so only the place is shown.
        let fields: Fields = serde_json::from_str(&text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            format!(
                "the context {} is not valid: see {place}; `nats context edit {name}` fixes it",
                file.display()
            )
        })?;
        fields.loaded(name, &file.display().to_string())
    }

    /// The name that was likely meant, or all that there are.
    fn hint(&self, wanted: &str) -> String {
        let names = self.names();
        let similarity = |name: &String| strsim::jaro_winkler(name, wanted);
        let nearest = names
            .iter()
            .max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
        match nearest {
            None => "; there are no contexts".to_owned(),
            Some(name) if similarity(name) >= SIMILAR => format!("; did you mean {name:?}?"),
            Some(_) => format!("; there are {}", names.join(", ")),
        }
    }

    fn names(&self) -> Vec<String> {
        let folder = self.0.as_ref().map(|folder| folder.join("context"));
        let entries = folder
            .and_then(|folder| fs::read_dir(folder).ok())
            .into_iter()
            .flatten()
            .flatten();
        let name = |entry: fs::DirEntry| {
            entry
                .file_name()
                .to_str()?
                .strip_suffix(".json")
                .map(str::to_owned)
        };
        let mut names: Vec<String> = entries.filter_map(name).collect();
        names.sort_unstable();
        names
    }
}

impl Fields {
    fn loaded(self, name: &str, file: &str) -> Result<Loaded, String> {
        let some = |text: String| (!text.is_empty()).then_some(text);
        for (field, value) in [
            ("creds", &self.creds),
            ("nkey", &self.nkey),
            ("password", &self.password),
        ] {
            let is_looked_up = value
                .split_once("://")
                .is_some_and(|(scheme, _)| LOOKED_UP.contains(&scheme));
            if is_looked_up {
                return Err(format!(
                    "the context {file} refers to an external source for {field}, which is not supported: give it with a flag, or name a file"
                ));
            }
        }
        let has_value = |value: &Value| {
            !matches!(value, Value::Null | Value::Bool(false))
                && *value != ""
                && *value != Value::Array(Vec::new())
        };
        let rest = self
            .rest
            .iter()
            .filter(|(field, value)| has_value(value) && !OTHER.contains(&field.as_str()));
        Ok(Loaded {
            name: name.to_owned(),
            chosen_by: "--context or NATS_CONTEXT",
            unused: rest.map(|(field, _)| field.clone()).collect(),
            layer: Layer {
                server: some(self.url).map(Hidden),
                user: some(self.user).map(Secret::text),
                password: some(self.password).map(Secret::text),
                token: some(self.token).map(Secret::text),
                creds: some(self.creds).map(|path| Secret::file(expanded(&path))),
                nkey: some(self.nkey).map(|value| seed(&value)),
                jwt: some(self.user_jwt).map(|value| jwt(&value)),
                seed: some(self.user_seed).map(|value| seed(&value)),
                cert: some(self.cert).map(|path| expanded(&path)),
                key: some(self.key).map(|path| expanded(&path)),
                ca: some(self.ca).map(|path| expanded(&path)),
                tls_first: self.tls_first,
                inbox_prefix: some(self.inbox_prefix),
                ..Layer::default()
            },
        })
    }
}

/// Schemes of secrets that the `nats` CLI gets from elsewhere.
const LOOKED_UP: [&str; 5] = ["op", "nsc", "env", "data", "file"];
