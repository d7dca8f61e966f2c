//! The web configuration file of Prometheus' exporter-toolkit, and the files that it names.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use axum::http::{HeaderName, HeaderValue};
use program::source::nearest;
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
        let text = String::from_utf8(text).map_err(|_| refused("it is not UTF-8 text".to_owned()))?;
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
        let is_comment =
            |line: &str| matches!(line.trim(), "" | "---" | "...") || line.trim().starts_with('#');
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
            let reason =
                "rate_limit is not supported; remove it: --http-max-connections limits what clients cost";
            return Err(ConfigError::new(&self.path, reason));
        }
        Ok(config)
    }
}

/// What is wrong, without any value: it may be a secret.
fn reason(error: &Error) -> String {
    match error.without_snippet() {
        Error::SerdeUnknownField {
            field,
            expected,
            location,
        } => {
            let near = nearest(field, expected.iter().copied()).map_or_else(
                || format!("the keys here are {}", expected.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            format!("line {}: unknown key `{field}`; {near}", location.line())
        }
        Error::SerdeInvalidType {
            expected, location, ..
        }
        | Error::SerdeInvalidValue {
            expected, location, ..
        } => format!("line {}: what is set here is not {expected}", location.line()),
        other => other.to_string(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file, and could not be read again".to_owned());
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
        let value = HeaderValue::from_str(&value)
            .map_err(|_| format!("the value of {name} cannot be sent in a header"))?;
        let name: HeaderName = name.parse().map_err(|_| format!("{name:?} is not a header"))?;
        read.push((name, value));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        std::fs::write(&path, text).expect("written");
        let read = Sources::read(&path).and_then(|sources| crate::Policy::of(&sources));
        let error = read
            .err()
            .unwrap_or_else(|| panic!("{text} is accepted"))
            .to_string();
        let (_, reason) = error.split_once("web.yml: ").expect("the path comes first");
        reason.to_owned()
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_reason_and_the_remedy() {
        fn check(text: &str, expected: &str) {
            let reason = refused(text);
            assert!(reason.contains(expected), "{text}: {reason}");
        }
        check("a: [", "line 1");
        check(
            "tls_server_confg: {}",
            "line 1: unknown key `tls_server_confg`; did you mean `tls_server_config`?",
        );
        check(
            "\ntls_server_config:\n  cert-file: x",
            "line 3: unknown key `cert-file`; did you mean `cert_file`?",
        );
        check(
            "zzz: 1",
            "the keys here are tls_server_config, http_server_config, basic_auth_users",
        );
        check("rate_limit: {burst: 1}", "rate_limit is not supported");
        check("tls_server_config: {cert_file: gone.pem}", "cert_file ");
        check("tls_server_config: {key: x}", "no cert_file and no cert");
        check(
            "tls_server_config: {client_auth_type: NoClientCert}",
            "no cert_file",
        );
        check(
            "tls_server_config: {cert: x, key: y}",
            "the certificate has no certificate in PEM",
        );
        check(
            "http_server_config: {headers: {X-Frame-Option: deny}}",
            "did you mean `X-Frame-Options`?",
        );
        check(
            "http_server_config: {headers: {X-Frame-Options: allow}}",
            "write deny or sameorigin",
        );
        check("basic_auth_users: {a: secret-word}", "not a bcrypt hash");
        check("basic_auth_users: {a: x, a: y}", "duplicate");
    }

    #[test]
    fn no_secret_is_shown() {
        for text in [
            "basic_auth_users: secret-word",
            "basic_auth_users: {a: {secret-word: 1}}",
            "basic_auth_users: {a: secret-word}",
            "basic_auth_users:\n  a: secret-word\n b: c",
            "basic_auth_users: {a: secret-word, a: secret-word}",
            "tls_server_config: {cert: x, key: [secret-word]}",
            "tls_server_config: {cert: x, key: secret-word}",
            "http_server_config: secret-word",
        ] {
            let reason = refused(text);
            assert!(!reason.contains("secret-word"), "{text}: {reason}");
        }
    }

    #[test]
    fn an_empty_file_and_one_without_tls_are_accepted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        for (text, is_empty) in [
            ("", true),
            ("# nothing yet\n---\n", true),
            ("tls_server_config: {}", false),
            ("tls_server_config:\nbasic_auth_users:\n", false),
            (
                "http_server_config: {http2: false, headers: {X-XSS-Protection: ''}}",
                false,
            ),
        ] {
            std::fs::write(&path, text).expect("written");
            let sources = Sources::read(&path).expect(text);
            assert_eq!(sources.is_empty(), is_empty, "{text}");
            let policy = crate::Policy::of(&sources).expect(text);
            assert!(policy.tls.is_none() && policy.headers.is_empty(), "{text}");
        }
    }
}
