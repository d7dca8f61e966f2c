//! [`Servers`]: where NATS is, with the secrets kept apart from what may be shown.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

/// The longest pause between two attempts to connect.
const MAX_DELAY: Duration = Duration::from_secs(4);

/// One or more addresses of a NATS cluster, separated by commas. `Debug` and `Display` show no secret.
///
/// User and password, or a token alone (`nats://token@host`), may stand in any of the addresses; the first that has
/// some counts for all. async-nats itself takes no credentials from an address.
///
/// ```
/// use protocol::service::Servers;
/// let servers: Servers = "nats://me:secret@a:4222,nats://b:4222".parse()?;
/// assert_eq!(servers.to_string(), "nats://a:4222,nats://b:4222");
/// # Ok::<(), protocol::service::ServersError>(())
/// ```
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
    /// Connects once, with the credentials that stand in the addresses.
    ///
    /// # Errors
    /// Where no server can be reached, or none accepts the credentials; see [`is_refusal`].
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        self.options().connect(self.addresses()).await
    }

    /// The addresses, without secrets: async-nats writes them into its debug log.
    pub fn addresses(&self) -> &[ServerAddr] {
        &self.addresses
    }

    /// Options that log in with what stands in the addresses, and restore a lost connection without a herd.
    pub fn options(&self) -> ConnectOptions {
        let options = match self.credentials.clone() {
            Some(Credentials::User { name, password }) => {
                ConnectOptions::with_user_and_password(name, password)
            }
            Some(Credentials::Token(token)) => ConnectOptions::with_token(token),
            None => ConnectOptions::new(),
        };
        options.reconnect_delay_callback(reconnect_delay)
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

/// How long to wait before an attempt to connect, the first being 1.
///
/// It doubles from 50 ms up to 4 s, and up to half of it is taken off at random, so that the many processes that lost
/// one server do not come back in step. The first attempt has nothing to wait for.
pub fn reconnect_delay(attempt: usize) -> Duration {
    let Some(doublings) = attempt.checked_sub(2) else {
        return Duration::ZERO;
    };
    let doubled = Duration::from_millis(50) * (1 << doublings.min(7));
    doubled.min(MAX_DELAY).mul_f64(rand::random_range(0.5..=1.0))
}

/// Whether a failure to connect means that the server does not accept who we are.
pub fn is_refusal(kind: ConnectErrorKind) -> bool {
    matches!(
        kind,
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation
    )
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
    percent_decode_str(text).decode_utf8_lossy().into_owned()
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

    #[test]
    fn the_first_attempt_is_at_once_and_the_pauses_are_bounded() {
        assert_eq!(reconnect_delay(1), Duration::ZERO);
        for attempt in 0..100 {
            assert!(reconnect_delay(attempt) <= MAX_DELAY);
        }
        assert!(reconnect_delay(100) >= MAX_DELAY / 2);
    }
}
