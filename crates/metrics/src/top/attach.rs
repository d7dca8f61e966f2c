//! [`Attach`]: the address of a running collector's page.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::{ClientBuilder, Url};

use crate::client::{self, Trust};
use crate::sinks::Receiver;

/// What is before the path of a socket.
const SOCKET: &str = "unix:";

/// What is asked for on a socket, which needs no name.
const ON_SOCKET: &str = "http://localhost";

/// A page over HTTP, at a port or at a unix socket.
#[derive(Debug, Clone)]
pub struct Attach {
    receiver: Receiver,
    socket: Option<PathBuf>,
}

impl Attach {
    /// Reads `http://HOST:PORT`, `https://HOST:PORT`, `HOST:PORT` or `unix:PATH`. `ca` is a file with the CAs that are
    /// trusted in place of those of the system.
    ///
    /// # Errors
    /// What is wrong, and what to write. An address may hold a password, so no part of it is shown.
    pub(crate) fn read(text: &str, ca: Option<&Path>) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix(SOCKET) {
            return match (path, ca) {
                ("", _) => Err("--attach names no socket; write e.g. unix:/run/metrics.sock".to_owned()),
                (_, Some(_)) => Err("--attach-tlsca has no effect on a socket; leave it out".to_owned()),
                (path, None) => Ok(Self::at_socket(path.into())),
            };
        }
        let text = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let mut receiver: Receiver = text.parse().map_err(|error: crate::sinks::ReceiverError| {
            let reason = error.reason();
            format!("--attach is not the address of a collector: {reason}; write e.g. http://metrics:9091")
        })?;
        if let Some(ca) = ca {
            if receiver.url.scheme() != "https" {
                return Err("--attach-tlsca has no effect unless --attach begins with https://".to_owned());
            }
            receiver.trust = Trust::read(ca)
                .map_err(|problem| format!("--attach-tlsca: the file {} {problem}", ca.display()))?;
        }
        Ok(Self {
            receiver,
            socket: None,
        })
    }

    /// A page without TLS and passwords.
    pub(crate) fn at_socket(path: PathBuf) -> Self {
        Self {
            receiver: ON_SOCKET.parse().expect("it is an address"),
            socket: Some(path),
        }
    }

    /// A client that reaches it.
    pub(super) fn client(&self) -> ClientBuilder {
        let client = client::builder(self.receiver.trust.clone());
        match &self.socket {
            Some(path) => client.unix_socket(path.as_path()),
            None => client,
        }
    }

    /// Where a resource of the API is.
    pub(super) fn url(&self, resource: &str, query: &str) -> Url {
        let mut url = self.receiver.url.clone();
        let path = format!("{}/api/v1/{resource}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        url
    }

    /// User and password, if there are any.
    pub(super) fn credentials(&self) -> Option<(&str, &str)> {
        let (user, password) = self.receiver.credentials.as_ref()?;
        Some((user, password))
    }
}

impl From<Receiver> for Attach {
    fn from(receiver: Receiver) -> Self {
        Self {
            receiver,
            socket: None,
        }
    }
}

/// The address without secrets.
impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "{SOCKET}{}", path.display()),
            None => f.write_str(self.receiver.to_string().trim_end_matches('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_a_host_or_a_socket() {
        let check = |text: &str, shown: &str, asked: &str| {
            let attach = Attach::read(text, None).expect(text);
            assert_eq!(attach.to_string(), shown);
            assert_eq!(attach.url("overview", "").as_str(), asked);
        };
        check(
            "metrics:9091",
            "http://metrics:9091",
            "http://metrics:9091/api/v1/overview",
        );
        check(
            "https://me:secret@ops/llm/",
            "https://ops/llm",
            "https://ops/llm/api/v1/overview",
        );
        check(
            "unix:/run/metrics.sock",
            "unix:/run/metrics.sock",
            "http://localhost/api/v1/overview",
        );
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_what_to_write() {
        let check = |text: &str, ca: Option<&str>, part: &str| {
            let reason = Attach::read(text, ca.map(Path::new)).expect_err(text);
            assert!(reason.contains(part) && !reason.contains("secret"), "{reason}");
        };
        check("unix:", None, "unix:/run/metrics.sock");
        check("unix:/run/metrics.sock", Some("/absent"), "leave it out");
        check("http://me:secret@p:99999", None, "http://metrics:9091");
        check("http://p", Some("/absent"), "https://");
        check("https://p", Some("/absent"), "the file /absent cannot be read");
    }
}
