//! [`Servers`]: where NATS is, with the secrets kept apart from what may be shown.

use std::fmt;
use std::str::FromStr;

use async_nats::{ConnectOptions, ServerAddr};

/// One or more addresses of a NATS cluster. `Debug` and `Display` show no secret.
///
/// User and password, or a token alone (`nats://token@host`), may stand in any of the addresses; the first that has
/// some counts for all.
#[derive(Clone)]
pub struct Servers {
    addresses: Vec<ServerAddr>,
    credentials: Option<Credentials>,
}

#[derive(Clone)]
enum Credentials {
    User { name: String, password: String },
    Token(String),
}

/// Why a text is no list of NATS addresses. It shows no part of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no address of a NATS server ({0})")]
pub struct ServersError(String);

impl Servers {
    /// The addresses, without secrets: async-nats writes them into its debug log.
    pub fn addresses(&self) -> &[ServerAddr] {
        &self.addresses
    }

    /// Options that log in with what stands in the addresses.
    pub fn options(&self) -> ConnectOptions {
        match self.credentials.clone() {
            Some(Credentials::User { name, password }) => {
                ConnectOptions::with_user_and_password(name, password)
            }
            Some(Credentials::Token(token)) => ConnectOptions::with_token(token),
            None => ConnectOptions::new(),
        }
    }

    /// A text that may not even be an address, with all that may be secret replaced.
    pub fn redact(text: &str) -> String {
        let redact_one = |address: &str| match address.rsplit_once('@') {
            Some((before, host)) => match before.split_once("://") {
                Some((scheme, _)) => format!("{scheme}://***@{host}"),
                None => format!("***@{host}"),
            },
            None => address.to_owned(),
        };
        text.split(',').map(redact_one).collect::<Vec<_>>().join(",")
    }
}

impl FromStr for Servers {
    type Err = ServersError;

    fn from_str(text: &str) -> Result<Self, ServersError> {
        let mut addresses = Vec::new();
        let mut credentials = None;
        for address in text.split(',').map(str::trim) {
            let address: ServerAddr = address.parse().map_err(|error| ServersError(reason(&error)))?;
            if matches!(address.scheme(), "ws" | "wss") {
                return Err(ServersError("WebSocket is not supported".to_owned()));
            }
            if address.host().is_empty() {
                return Err(ServersError("it has no host".to_owned()));
            }
            credentials = credentials.or_else(|| Credentials::of(&address));
            addresses.push(without_userinfo(address)?);
        }
        Ok(Self {
            addresses,
            credentials,
        })
    }
}

impl Credentials {
    fn of(address: &ServerAddr) -> Option<Self> {
        let name = address.username().map(unescape)?;
        Some(match address.password().map(unescape) {
            Some(password) => Self::User { name, password },
            None => Self::Token(name),
        })
    }
}

fn without_userinfo(address: ServerAddr) -> Result<ServerAddr, ServersError> {
    let mut url = address.into_inner();
    // Both fail for URLs without a host only.
    let removed = url.set_username("").is_ok() && url.set_password(None).is_ok();
    match removed {
        true => ServerAddr::from_url(url).map_err(|error| ServersError(reason(&error))),
        false => Err(ServersError("it has no host".to_owned())),
    }
}

/// What is wrong, without the words around it. The parser's errors name no part of the text but the scheme.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("NATS server URL is invalid: ")
        .unwrap_or(&text)
        .to_owned()
}

/// Undoes the percent-encoding that user and password have in a URL.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high)
                    .zip(digit(low))
                    .map(|(high, low)| (high * 16 + low) as u8)
            }
            _ => None,
        };
        match escaped {
            Some(byte) => {
                plain.push(byte);
                rest = &rest[3..];
            }
            None => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.addresses.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}", address.as_url_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(text: &str) -> (String, Option<(String, String)>) {
        let servers: Servers = text.parse().expect(text);
        let shown = servers.to_string();
        let secrets = servers.credentials.map(|credentials| match credentials {
            Credentials::User { name, password } => (name, password),
            Credentials::Token(token) => ("token".to_owned(), token),
        });
        (shown, secrets)
    }

    #[test]
    fn credentials_are_taken_out_of_the_address() {
        fn check(text: &str, shown: &str, expected: Option<(&str, &str)>) {
            let expected = expected.map(|(name, secret)| (name.to_owned(), secret.to_owned()));
            assert_eq!(secrets(text), (shown.to_owned(), expected));
        }
        check("127.0.0.1", "nats://127.0.0.1", None);
        check(
            "nats://me:p%40ss@host:4222",
            "nats://host:4222",
            Some(("me", "p@ss")),
        );
        check("tls://t0ken@host", "tls://host", Some(("token", "t0ken")));
        check(
            "nats://a:1, nats://u:p@b:2",
            "nats://a:1,nats://b:2",
            Some(("u", "p")),
        );
        check("nats://me:100%@host", "nats://host", Some(("me", "100%")));
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        fn check(text: &str, expected: &str) {
            let error = text.parse::<Servers>().expect_err(text).to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
        check("", "no address");
        check("http://me:secret@host", "scheme");
        check("nats://me:secret@host:port", "port");
        check("ws://me:secret@host", "WebSocket");
        assert_eq!(
            Servers::redact("nats://me:secret@host:port,x"),
            "nats://***@host:port,x"
        );
        assert_eq!(Servers::redact("me:secret@host"), "***@host");
    }
}
