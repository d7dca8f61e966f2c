//! [`Receiver`]: the address of what takes a push and how to get in, with secrets kept apart from what may be shown.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::client::Trust;

/// An address over HTTP. `Debug` and `Display` show no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Receiver {
    pub(crate) url: Url,
    /// User and password of basic authentication.
    pub(crate) credentials: Option<(String, String)>,
    /// A file with a bearer token.
    pub(super) token_file: Option<PathBuf>,
    /// Whose certificates are accepted.
    pub(crate) trust: Trust,
}

/// Why a text is no such address. Its message is fixed, so it shows no part of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not the address of a receiver ({0})")]
pub struct ReceiverError(&'static str);

impl ReceiverError {
    /// What is wrong with it.
    pub(crate) const fn reason(&self) -> &'static str {
        self.0
    }
}

impl FromStr for Receiver {
    type Err = ReceiverError;

    fn from_str(text: &str) -> Result<Self, ReceiverError> {
        let wrong = ReceiverError(
            "its scheme, host or port cannot be read; percent-encode `/`, `?`, `#`, `@` and `:` in a password",
        );
        let mut url = Url::parse(text).map_err(|_| wrong.clone())?;
        let trust = match url.scheme() {
            "http" => Trust::Nothing,
            "https" => Trust::System,
            _ => return Err(ReceiverError("its scheme is neither http nor https")),
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (name, password) => Some((decode(name), decode(password.unwrap_or_default()))),
        };
        url.set_username("")
            .and_then(|()| url.set_password(None))
            .map_err(|()| wrong)?;
        Ok(Self {
            url,
            credentials,
            token_file: None,
            trust,
        })
    }
}

impl Receiver {
    /// Whether it is reached by TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A query may hold a token.
        let mut shown = self.url.clone();
        if shown.query().is_some() {
            shown.set_query(Some("***"));
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_secrets() {
        fn check(text: &str, shown: &str, credentials: Option<(&str, &str)>) {
            let receiver: Receiver = text.parse().expect(text);
            assert_eq!(receiver.to_string(), shown);
            assert_eq!(format!("{receiver:?}"), format!("Receiver({shown})"));
            let has = receiver.credentials.as_ref();
            assert_eq!(has.map(|(name, password)| (&**name, &**password)), credentials);
        }
        check("http://p:9090/api/v1/write", "http://p:9090/api/v1/write", None);
        check(
            "http://me:s%40ecret@p/write",
            "http://p/write",
            Some(("me", "s@ecret")),
        );
        check("https://p/write?token=secret", "https://p/write?***", None);
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for text in ["", "secret", "ftp://me:secret@p", "http://me:secret@p:99999"] {
            let error = text.parse::<Receiver>().expect_err(text).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
