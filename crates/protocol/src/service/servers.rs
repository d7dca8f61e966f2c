//! [`Servers`]: where NATS is and how to log in, with the secrets kept apart from what may be shown.

mod parse;
mod redact;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};
use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::connect_error::{ConnectError, all_encrypted};
use super::denials::Denials;
use super::{Cause, CauseKind, Login, Tls};
use crate::token::is_subject_text;

/// The longest pause between two attempts to connect.
const MAX_DELAY: Duration = Duration::from_secs(4);

/// How long an attempt may take, login included, unless [`Servers::timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What reply subjects begin with, unless [`Servers::with_inbox_prefix`] says otherwise.
const INBOX: &str = "_INBOX";

/// One or more addresses of a NATS cluster, separated by commas, and what a connection to it needs. `Debug` and
/// `Display` show no secret.
///
/// User and password, or a token alone (`nats://token@host`), may be part of any of the addresses; the first that has
/// some counts for all. async-nats itself takes no credentials from an address. `ws://` and `wss://` are WebSockets.
///
/// ```
/// use protocol::service::Servers;
/// let servers: Servers = "nats://me:secret@a:4222,nats://b:4222".parse()?;
/// assert_eq!(servers.to_string(), "nats://a:4222,nats://b:4222");
/// # Ok::<(), protocol::service::ServersError>(())
/// ```
///
/// Other ways to log in, and certificates. Files are read again at each attempt to connect, so that rotated secrets and
/// certificates need no restart:
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use protocol::service::{Login, Secret, Servers};
/// let servers = "nats://nats.example:4222".parse::<Servers>()?
///     .with_login(Login::Creds(Secret::file("/etc/nats/worker.creds")))
///     .with_ca_file("/etc/nats/ca.pem")
///     .with_client_certificate("/etc/nats/worker.pem", "/etc/nats/worker.key");
/// let client = servers.connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Servers {
    addresses: Vec<ServerAddr>,
    pub(super) login: Option<Login>,
    pub(super) tls: Tls,
    inbox_prefix: String,
    timeout: Duration,
}

/// Why a text is no list of NATS addresses. Its message is fixed, so it shows no part of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not the address of a NATS server ({0})")]
pub struct ServersError(&'static str);

/// A text that replies cannot have as the beginning of their subjects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not a subject prefix: write tokens with dots between them, without wildcards and spaces, e.g. _INBOX_me"
)]
pub struct InboxPrefixError;

impl Servers {
    fn new(addresses: Vec<ServerAddr>, login: Option<Login>) -> Self {
        Self {
            addresses,
            login,
            tls: Tls::default(),
            inbox_prefix: INBOX.to_owned(),
            timeout: TIMEOUT,
        }
    }

    /// Logs in like this, whatever the addresses say.
    #[must_use]
    pub fn with_login(self, login: Login) -> Self {
        Self {
            login: Some(login),
            ..self
        }
    }

    /// Trusts the CAs in this PEM file, in place of those of the system, and connects with TLS only.
    #[must_use]
    pub fn with_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.ca = Some(path.into());
        self
    }

    /// Shows this certificate to servers that ask for one, and connects with TLS only. Both files are in PEM form.
    #[must_use]
    pub fn with_client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.tls.identity = Some((certificate.into(), key.into()));
        self
    }

    /// Begins TLS before the server says anything, as servers with `handshake_first` want it.
    #[must_use]
    pub fn with_tls_first(mut self) -> Self {
        self.tls.first = true;
        self
    }

    /// Receives replies at subjects that begin with this, in place of `_INBOX`.
    ///
    /// # Errors
    /// [`InboxPrefixError`] where no subject can begin with it.
    pub fn with_inbox_prefix(self, prefix: &str) -> Result<Self, InboxPrefixError> {
        match is_subject_text(prefix) {
            true => Ok(Self {
                inbox_prefix: prefix.to_owned(),
                ..self
            }),
            false => Err(InboxPrefixError),
        }
    }

    /// Logs in with nothing, whatever the addresses say.
    #[must_use]
    pub fn without_login(self) -> Self {
        Self { login: None, ..self }
    }

    /// Gives an attempt to connect, login included, so much time in place of 5 seconds.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Connects once. A connection that is lost later is restored. [`connect_within`](Self::connect_within) has patience.
    ///
    /// # Errors
    /// [`ConnectError`] says why no server can be reached, or none accepts the login.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        let denials = Arc::new(Denials::default());
        let noted = denials.clone();
        let options = self.options().event_callback(move |event| {
            noted.note(&event);
            std::future::ready(())
        });
        match options.connect(self.addresses()).await {
            Ok(client) => {
                denials.belong_to(&client);
                Ok(client)
            }
            Err(error) => Err(ConnectError::new(self, self.explain(&error.to_string()).await)),
        }
    }

    /// Connects, and tries again for `patience` where no server can be reached, as when the worker is started before NATS is. A
    /// connection that is lost later is restored.
    ///
    /// # Errors
    /// [`ConnectError`] says why no server can be reached. A login that is refused and a file that cannot be used are no
    /// reason to try again.
    pub async fn connect_within(&self, patience: Duration) -> Result<Client, ConnectError> {
        let deadline = Instant::now() + patience;
        let mut attempt = 1;
        loop {
            let error = match self.connect().await {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            attempt += 1;
            let next = Instant::now() + reconnect_delay(attempt);
            if next > deadline || !matches!(error.kind(), CauseKind::Unreachable | CauseKind::Limit) {
                return Err(error);
            }
            if attempt == 2 {
                info!(%error, "NATS cannot be reached yet; trying again for {} s", patience.as_secs());
            }
            sleep_until(next).await;
        }
    }

    /// The addresses, without secrets: async-nats writes them into its debug log.
    pub fn addresses(&self) -> &[ServerAddr] {
        &self.addresses
    }

    /// One address of a cluster, with the same login.
    #[must_use]
    pub fn at(&self, address: &ServerAddr) -> Self {
        Self {
            addresses: vec![address.clone()],
            ..self.clone()
        }
    }

    /// How the client logs in.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// What the subjects of replies begin with.
    pub fn inbox_prefix(&self) -> &str {
        &self.inbox_prefix
    }

    /// How long an attempt to connect may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether all files can be read now and hold what they have to, without a connection.
    ///
    /// # Errors
    /// [`Cause::File`] names the file and what is wrong with it; [`Cause::Tls`] says where TLS is asked for on an address
    /// without it.
    pub fn check(&self) -> Result<(), Cause> {
        let login = self.login.as_ref().map_or(Ok(()), Login::check);
        login.map_err(|error| Cause::File(error.to_string()))?;
        self.tls.check().map_err(|error| Cause::File(error.to_string()))?;
        match self.tls.is_wanted() && self.addresses.iter().any(|address| address.scheme() == "ws") {
            true => Err(Cause::Tls(
                "ws:// is not encrypted, and TLS is asked for: write wss://".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Options that log in, and restore a lost connection without a herd. Secrets are read at each attempt.
    pub fn options(&self) -> ConnectOptions {
        let options = match self.login.clone() {
            Some(login) => ConnectOptions::with_auth_callback(move |nonce| login.clone().answer_to(nonce)),
            None => ConnectOptions::new(),
        };
        let is_websocket = self.addresses.iter().any(ServerAddr::is_websocket);
        let options = self
            .tls
            .apply(options, all_encrypted(&self.addresses))
            .custom_inbox_prefix(&self.inbox_prefix)
            .connection_timeout(self.timeout)
            .reconnect_delay_callback(reconnect_delay);
        // Servers announce the WebSockets of their cluster without a scheme, and async-nats takes them for plain NATS.
        match is_websocket {
            true => options.ignore_discovered_servers(),
            false => options,
        }
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

/// Whether a failure to connect means that the server does not accept this client.
pub fn is_refusal(kind: ConnectErrorKind) -> bool {
    matches!(
        kind,
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation
    )
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
mod tests;
