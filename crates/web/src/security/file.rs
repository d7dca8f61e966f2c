//! The web configuration file of Prometheus' exporter-toolkit, and the files that it names.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use axum::http::{HeaderName, HeaderValue};
use program::source::{nearest, nearest_in_message};
use serde::Deserialize;
use serde_saphyr::{Error, options};

use super::ConfigError;

/// Bytes of a file; a longer one is none of a web configuration.
const LONGEST: u64 = 1 << 20;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebConfig {
    pub(super) tls_server_config: Option<TlsConfig>,
    pub(super) http_server_config: Option<HttpConfig>,
    pub(super) basic_auth_users: Option<BTreeMap<String, Secret>>,
    rate_limit: Option<serde::de::IgnoredAny>,
}

/// `tls_server_config`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsConfig {
    pub(super) cert: Option<String>,
    pub(super) key: Option<Secret>,
    pub(super) client_ca: Option<String>,
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) client_auth_type: Option<String>,
    pub(super) client_ca_file: Option<PathBuf>,
    pub(super) client_allowed_sans: Option<Vec<String>>,
    pub(super) min_version: Option<String>,
    pub(super) max_version: Option<String>,
    pub(super) cipher_suites: Option<Vec<String>>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
    pub(super) curve_preferences: Option<Vec<String>>,
}

/// `http_server_config`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpConfig {
    http2: Option<bool>,
    headers: Option<BTreeMap<String, String>>,
}

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// The text of the file and of all that it names, as they were read. Two that are equal say the same.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Sources {
    pub(super) path: PathBuf,
    text: String,
    named: BTreeMap<PathBuf, Vec<u8>>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sources({})", self.path.display())
    }
}

impl Sources {
    /// Reads the file, and what it names.
    ///
    /// # Errors
    /// Where one of them cannot be read, or the file is wrong.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let refused = |reason: String| ConfigError::new(path, reason);
        let text = read(path).map_err(refused)?;
        let text = String::from_utf8(text).map_err(|_| refused("it is no text in UTF-8".to_owned()))?;
        let mut sources = Self {
            path: path.to_owned(),
            text,
            named: BTreeMap::new(),
        };
        let tls = sources.parse()?.tls_server_config.unwrap_or_default();
        for (key, named) in [
            ("cert_file", tls.cert_file),
            ("key_file", tls.key_file),
            ("client_ca_file", tls.client_ca_file),
        ] {
            let Some(named) = named.filter(|named| !named.as_os_str().is_empty()) else {
                continue;
            };
            let full = sources.beside(&named);
            let bytes = read(&full)
                .map_err(|reason| refused(format!("{key} {} cannot be used: {reason}", full.display())))?;
            sources.named.insert(named, bytes);
        }
        Ok(sources)
    }

    /// Whether nothing is set.
    pub(super) fn is_empty(&self) -> bool {
        let is_comment = |line: &str| matches!(line.trim(), "" | "---" | "...") || line.trim().starts_with('#');
        self.text.lines().all(is_comment)
    }

    /// A file that the configuration names, as it was read.
    pub(super) fn named(&self, path: &Path) -> Option<&[u8]> {
        self.named.get(path).map(Vec::as_slice)
    }

    /// A relative path begins where the file is.
    fn beside(&self, named: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(named)
    }

    /// What the file says.
    ///
    /// # Errors
    /// Where it is no YAML, or has a key that is unknown.
    pub(super) fn parse(&self) -> Result<WebConfig, ConfigError> {
        if self.is_empty() {
            return Ok(WebConfig::default());
        }
        // A snippet could show a secret.
        let options = options! { with_snippet: false };
        let parsed = serde_saphyr::from_str_with_options::<Option<WebConfig>>(&self.text, options);
        let config = parsed.map_err(|error| ConfigError::new(&self.path, reason(&error)))?;
        let config = config.unwrap_or_default();
        if config.rate_limit.is_some() {
            let reason = "rate_limit is not supported; remove it: --http-max-connections limits what clients cost";
            return Err(ConfigError::new(&self.path, reason));
        }
        Ok(config)
    }
}

fn reason(error: &Error) -> String {
    let text = error.to_string();
    match nearest_in_message(&text) {
        Some(near) => format!("{text}; did you mean `{near}`?"),
        None => text,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("it is a folder".to_owned());
    }
    if metadata.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

/// The headers that the toolkit allows, with their values where not every one is allowed.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

/// Headers that every response gets.
pub(super) fn headers(config: Option<HttpConfig>) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let Some(HttpConfig { http2, headers }) = config else {
        return Ok(Vec::new());
    };
    if http2 == Some(true) {
        tracing::info!("http2 has no effect: clients are served over HTTP/1.1, which all of them speak");
    }
    let mut read = Vec::new();
    for (name, value) in headers.unwrap_or_default() {
        let Some((_, allowed)) = HEADERS.iter().find(|(known, _)| *known == name) else {
            let names = HEADERS.map(|(known, _)| known);
            let near = nearest(&name, names).map_or_else(
                || format!("; the headers are {}", names.join(", ")),
                |near| format!("; did you mean `{near}`?"),
            );
            return Err(format!("the header {name:?} cannot be set{near}"));
        };
        if value.is_empty() {
            continue;
        }
        if !allowed.is_empty() && !allowed.contains(&value.as_str()) {
            return Err(format!("{name} is {value:?}; write {}", allowed.join(" or ")));
        }
        let value =
            HeaderValue::from_str(&value).map_err(|_| format!("the value of {name} cannot be sent in a header"))?;
        let name: HeaderName = name.parse().map_err(|_| format!("{name:?} is no header"))?;
        read.push((name, value));
    }
    Ok(read)
}
