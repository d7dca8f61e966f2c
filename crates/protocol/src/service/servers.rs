//! [`Servers`]: where NATS is, with the secrets kept apart from what may be shown.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

/// The longest pause between two attempts to connect.
const MAX_DELAY: Duration = Duration::from_secs(4);

/// The schemes that [`Servers::redact`] may show: those of NATS, and those that are written by mistake.
const KNOWN_SCHEMES: [&str; 6] = ["nats", "tls", "ws", "wss", "http", "https"];

const NO_HOST: ServersError = ServersError("it has no host");
const BAD_PORT: ServersError = ServersError(
    "its port is not a number up to 65535; percent-encode `/`, `?`, `#`, `@`, `,` and `:` in a password or token",
);
const MORE_THAN_A_HOST: ServersError = ServersError(
    "it has a path, query or fragment, which a NATS address does not take; \
     percent-encode `/`, `?`, `#`, `@`, `,` and `:` in a password or token",
);

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

/// Why a text is no list of NATS addresses. Its message is fixed, so it shows no part of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no address of a NATS server ({0})")]
pub struct ServersError(&'static str);

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

    /// A text that may not even be a list of addresses, with all that may be secret replaced by `***`.
    ///
    /// A secret may hold commas and `@`, so all up to the last `@` is hidden. What follows is shown only if all of it is
    /// plain hosts and ports: a single odd piece means that any of its neighbours may belong to a secret.
    ///
    /// A secret that is itself a valid host or port is shown: `nats://me:12345`, without an `@`, is an address.
    pub fn redact(text: &str) -> String {
        if text.trim().is_empty() {
            return String::new();
        }
        let (hidden, shown) = match text.rsplit_once('@') {
            Some((_, behind)) => ("***@", behind),
            None => ("", text),
        };
        let pieces: Vec<&str> = shown.split(',').map(str::trim).collect();
        let is_plain = pieces.iter().enumerate().all(|(index, piece)| {
            // A scheme does not follow an `@`.
            let may_have_scheme = index > 0 || hidden.is_empty();
            is_host_and_port(piece) || (may_have_scheme && is_plain_address(piece))
        });
        match is_plain {
            true => format!("{hidden}{}", pieces.join(",")),
            false => "***".to_owned(),
        }
    }
}

impl FromStr for Servers {
    type Err = ServersError;

    fn from_str(text: &str) -> Result<Self, ServersError> {
        let mut addresses = Vec::new();
        let mut credentials = None;
        for address in text.split(',').map(str::trim) {
            let address: ServerAddr = address.parse().map_err(|error| reason(&error))?;
            if matches!(address.scheme(), "ws" | "wss") {
                return Err(ServersError("WebSocket is not supported"));
            }
            if address.host().is_empty() {
                return Err(NO_HOST);
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

/// The bare address, which is all that is ever shown: a raw `/`, `?` or `#` moves the rest of a password behind the host.
fn without_userinfo(address: ServerAddr) -> Result<ServerAddr, ServersError> {
    let mut url = address.into_inner();
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(MORE_THAN_A_HOST);
    }
    // Both fail for URLs without a host only.
    let removed = url.set_username("").is_ok() && url.set_password(None).is_ok();
    match removed {
        true => ServerAddr::from_url(url).map_err(|error| reason(&error)),
        false => Err(NO_HOST),
    }
}

/// What is wrong, in our own words: the parser's message repeats the scheme, which may be a user or a token.
fn reason(error: &std::io::Error) -> ServersError {
    let text = error.to_string();
    match text.strip_prefix("NATS server URL is invalid: ") {
        Some("empty host") => NO_HOST,
        Some("invalid port number") => BAD_PORT,
        Some(_) => ServersError("it is not a valid URL"),
        None => ServersError("its scheme is neither `nats` nor `tls`"),
    }
}

fn is_plain_address(text: &str) -> bool {
    match text.split_once("://") {
        Some((scheme, rest)) => KNOWN_SCHEMES.contains(&scheme) && is_host_and_port(rest),
        None => is_host_and_port(text),
    }
}

fn is_host_and_port(text: &str) -> bool {
    // The colons of an IPv6 address are within its brackets.
    let host_end = text.find(']').map_or_else(|| text.find(':'), |end| Some(end + 1));
    let (host, port) = text.split_at(host_end.unwrap_or(text.len()));
    is_host(host) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

fn is_host(text: &str) -> bool {
    match text.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()),
        None => {
            let is_host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            !text.is_empty() && text.chars().all(is_host_char)
        }
    }
}

fn is_port(text: &str) -> bool {
    // `u16` alone would take a `+` too.
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
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

    /// All that may be written to a log or a terminal for this text.
    fn outputs(text: &str) -> Vec<String> {
        let mut outputs = vec![Servers::redact(text)];
        match text.parse::<Servers>() {
            Ok(servers) => {
                outputs.extend([format!("{servers}"), format!("{servers:?}")]);
                outputs.extend(servers.addresses().iter().map(|address| format!("{address:?}")));
            }
            Err(error) => outputs.extend([format!("{error}"), format!("{error:?}")]),
        }
        outputs
    }

    fn assert_hidden(text: &str) {
        for output in outputs(text) {
            assert!(
                !output.to_lowercase().contains("secret"),
                "{text:?} shows {output:?}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        fn check(text: &str, expected: &str) {
            let error = text.parse::<Servers>().expect_err(text).to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
            assert_hidden(text);
        }
        check("", "no host");
        check("a,,b", "no host");
        check("nats:///secret", "no host");
        check("http://me:secret@host", "scheme");
        check("secret://me@host", "scheme");
        check("nats://me:secret@host:port", "port");
        check("nats://svc:topsecret", "port");
        check("nats://svc:top,secret@h", "port");
        check("ws://me:secret@host", "WebSocket");
        check("nats://me:secret@[::1", "not a valid URL");
        check("nats://me:secret@a b", "not a valid URL");
    }

    #[test]
    fn a_path_query_or_fragment_is_refused_with_advice() {
        for text in [
            "nats://me:12/secret@h",
            "nats://me:12?secret@h",
            "nats://me:12#secret@h",
            "nats://h/secret",
            "nats://h//",
            "nats://h?token=secret",
            "nats://h?",
            "nats://h#x",
            "nats://h#",
            "nats:/svc:topsecret@h",
            "nats:\t//me:12/secret@h://",
            "nats://a,nats://h/secret",
        ] {
            assert_eq!(text.parse::<Servers>().expect_err(text), MORE_THAN_A_HOST);
            assert_hidden(text);
        }
        assert!(MORE_THAN_A_HOST.to_string().contains("percent-encode `/`"));
        assert_eq!(secrets("nats://h/").0, "nats://h/");
        assert_eq!(
            secrets("nats://me:a%2Fb%3F%23%2C@h"),
            (
                "nats://h".to_owned(),
                Some(("me".to_owned(), "a/b?#,".to_owned()))
            )
        );
    }

    #[test]
    fn redaction_shows_plain_hosts_only() {
        fn check(text: &str, expected: &str) {
            assert_eq!(Servers::redact(text), expected, "{text:?}");
        }
        for plain in [
            "",
            "host",
            "a:1,tls://b-2.example:65535",
            "http://127.0.0.1:4222",
            "nats://[::1]:4222,[::1]",
        ] {
            check(plain, plain);
        }
        check(" a , b ", "a,b");
        check("me:secret@host", "***@host");
        check("nats://me:secret@host:4222", "***@host:4222");
        check("nats://me:secret@[::1]:4222", "***@[::1]:4222");
        check("nats://me:secret@a,nats://b:4222", "***@a,nats://b:4222");
        check("nats://a:4222,nats://me:secret@b", "***@b");
        check("nats://svc:topsecret,x@h", "***@h");
        check("nats://svc:a,topsecret,b@h", "***@h");
        check("nats://svc:a@topsecret,b@h", "***@h");
        check("nats:/svc:topsecret@h", "***@h");
        check("nats://me:secret@host:port,x", "***");
        for odd in [
            "svc:topsecret",
            "nats://svc:topsecret",
            "nats://svc:top,secret",
            "nats://svc:1,top/,secret",
            "nats://svc:1,,secret",
            "nats://svc:99999,secret",
            "nats://svc:+1,secret",
            "nats://svc:,secret",
            "nats:/svc:topsecret",
            "secret://host",
            "me@nats://secret",
            "h/secret",
            "h?token=secret",
            "h%73ecret",
            "sécret",
            "[secret]",
            "[::1]secret",
            "x[::1]:secret",
            "]:secret",
        ] {
            check(odd, "***");
        }
    }

    #[test]
    fn no_combination_of_shapes_shows_a_secret() {
        fn check(text: &str) {
            // Here the secret is the host of a valid address.
            let is_host = |address: &ServerAddr| address.host().to_lowercase().contains("secret");
            let servers = text.parse::<Servers>();
            if !servers.is_ok_and(|servers| servers.addresses.iter().any(is_host)) {
                assert_hidden(text);
            }
        }
        let starts = [
            "",
            "nats://",
            "nats:/",
            "nats:",
            "ws://",
            "http://",
            "://",
            "a:1,nats://",
            "x://",
        ];
        let users = ["svc:", "svc:1,", "svc:1/", "svc:a@", "svc", ":", ""];
        let marks = [
            "", ",", "@", "/", "?", "#", ":", "%40", "://", " ", "\t", "\\", ";",
        ];
        let ends = [
            "@h", "@h:4222", "@h:port", "@h,b:1", "@h/", "@[::1]:1", "@h,x y", "@", "@,", "@h,c@d",
        ];
        for start in starts {
            for user in users {
                for before in marks {
                    for after in marks {
                        for end in ends {
                            check(&format!("{start}{user}{before}Secret{after}{end}"));
                        }
                        // The text after an `@` is the host.
                        if before != "@" {
                            check(&format!("{start}svc:{before}Secret{after}"));
                        }
                    }
                }
            }
        }
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
