//! The way to a connection: patiently for programs that run on, at once for commands that a person waits for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, Server};
use protocol::service::{self, Cause, CauseKind, reconnect_delay};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::failures::Failures;
use crate::monitor::Monitor;
use crate::{Grants, Servers, advice};

/// Refusals in a row after which a user that was never accepted is wrong.
const MAX_REFUSALS: u32 = 3;

/// A quiet connection is pinged this often. It counts as lost when two pings stay without an answer at the third.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// How long a user that was accepted may be refused, unless something else is wanted.
const AUTH_PATIENCE: Duration = Duration::from_secs(30);

/// How a connection is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The name under which the server lists it.
    pub name: String,
    /// Messages that a subscription can hold before further ones are dropped.
    pub subscription_capacity: usize,
    /// How long a user that was accepted before may be refused until the connection is given up.
    pub auth_patience: Duration,
    /// The permissions that are needed, for messages about those that are denied.
    pub grants: Grants,
    /// Subjects that the program also subscribes to, and can do without: a denial is no error.
    pub optional: Vec<String>,
}

impl Options {
    /// Options with this name, room for 65,536 messages in each subscription, and 30 seconds of patience.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            subscription_capacity: 1 << 16,
            auth_patience: AUTH_PATIENCE,
            grants: Grants::default(),
            optional: Vec::new(),
        }
    }
}

/// Why there is no connection: one cause and its remedy, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}{remedy}", remedy = advice::of(.failure.cause()))]
pub struct ConnectError {
    failure: service::ConnectError,
}

impl ConnectError {
    fn new(servers: &Servers, cause: Cause) -> Self {
        let failure = service::ConnectError::new(servers, cause);
        Self { failure }
    }

    /// What a server says that accepted this user before.
    pub(crate) async fn refused_again(servers: &Servers, patience: Duration) -> Self {
        let cause = match servers.explain("authorization violation").await {
            Cause::WrongLogin { sent, .. } => Cause::RefusedAgain { patience, sent },
            cause => cause,
        };
        Self::new(servers, cause)
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> CauseKind {
        self.failure.kind()
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        self.failure.cause()
    }
}

/// Connects, however long it takes for the server to be there.
pub(crate) async fn patiently(
    servers: &Servers,
    options: &Options,
    monitor: &Arc<Monitor>,
) -> Result<Client, ConnectError> {
    let (mut attempts, mut refusals) = (0_usize, 0);
    loop {
        attempts += 1;
        let failure = match attempt(servers, options, monitor).await {
            Ok(client) => {
                info!(%servers, "connected to NATS");
                return Ok(client);
            }
            Err(failure) => failure,
        };
        let is_refused = failure.kind() == async_nats::ConnectErrorKind::AuthorizationViolation;
        refusals = if is_refused { refusals + 1 } else { 0 };
        let is_final = refusals >= MAX_REFUSALS;
        // The first failure is news; later ones are logged less and less often.
        if is_final || attempts.is_power_of_two() {
            let cause = servers.explain(&failure.to_string()).await;
            if is_final {
                return Err(ConnectError::new(servers, cause));
            }
            say(servers, &cause, attempts);
        }
        sleep(reconnect_delay(attempts)).await;
    }
}

fn say(servers: &Servers, cause: &Cause, attempts: usize) {
    let advice = advice::of(cause);
    match cause.kind() {
        CauseKind::Refused => {
            warn!(%servers, attempts, "NATS refuses the connection; still trying: {cause}{advice}");
        }
        CauseKind::Tls => warn!(%servers, attempts, "TLS with NATS failed; still trying: {cause}{advice}"),
        CauseKind::Limit => {
            warn!(%servers, attempts, "NATS accepts no more connections; still trying: {cause}{advice}");
        }
        CauseKind::File | CauseKind::Unreachable => {
            warn!(%servers, attempts, "NATS cannot be reached; still trying: {cause}{advice}");
        }
    }
}

/// Connects at the first attempt or not at all.
pub(crate) async fn at_once(
    servers: &Servers,
    options: &Options,
    monitor: &Arc<Monitor>,
) -> Result<Client, ConnectError> {
    match attempt(servers, options, monitor).await {
        Ok(client) => Ok(client),
        Err(failure) => Err(ConnectError::new(
            servers,
            servers.explain(&failure.to_string()).await,
        )),
    }
}

async fn attempt(
    servers: &Servers,
    options: &Options,
    monitor: &Arc<Monitor>,
) -> Result<Client, async_nats::ConnectError> {
    let events = Arc::clone(monitor);
    let watch = Watch {
        servers: servers.clone(),
        monitor: Arc::clone(monitor),
        failures: Arc::default(),
    };
    servers
        .options()
        .name(&options.name)
        .subscription_capacity(options.subscription_capacity)
        .ping_interval(PING_INTERVAL)
        .event_callback(move |event| {
            events.take_in(&event, Instant::now());
            std::future::ready(())
        })
        // Events have no reason why an attempt to reconnect failed; the list of servers, before the next one, has.
        .reconnect_to_server_callback(move |failed, _| {
            let watch = watch.clone();
            async move {
                watch.look(&failed).await;
                None
            }
        })
        .connect(servers.addresses())
        .await
}

/// Looks at why attempts to restore a connection fail.
#[derive(Clone)]
struct Watch {
    servers: Servers,
    monitor: Arc<Monitor>,
    failures: Arc<Mutex<Failures>>,
}

impl Watch {
    async fn look(&self, pool: &[Server]) {
        let connects = self.monitor.connects();
        if connects == 0 {
            return;
        }
        for server in self.new_failures(connects, pool) {
            let (address, failure) = (server.to_string(), server.last_error.as_deref());
            let failure = failure.unwrap_or_default();
            if self.monitor.admits_failure(&address, failure, Instant::now()) {
                // Another server of the list may be well, or unwell in another way.
                let cause = self.servers.at(&server.addr).explain(failure).await;
                self.monitor.not_restored(&address, &cause);
            }
        }
    }

    fn new_failures<'a>(&self, connects: u64, pool: &'a [Server]) -> Vec<&'a Server> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for server in pool {
            let is_new = failures.is_new(connects, &server.to_string(), server.failed_attempts);
            if is_new && server.last_error.is_some() {
                new.push(server);
            }
        }
        failures.looked(connects);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_shown_escaped_and_with_its_remedy() {
        let servers: Servers = "nats://me:secret@host".parse().expect("an address");
        let error = |cause| ConnectError::new(&servers, cause).to_string();
        assert_eq!(
            error(Cause::Limit("maximum connections exceeded\n".to_owned())),
            r"NATS at nats://host accepts no more connections: maximum connections exceeded\n; raise `max_connections` of the server, or close other clients"
        );
        assert_eq!(
            error(Cause::UnknownCa),
            "TLS with NATS at nats://host failed: unknown CA: no trusted CA has signed the server's certificate; \
             give the CA with --tlsca FILE, or add it to the system's trust store; SSL_CERT_FILE names another store"
        );
        assert_eq!(
            error(Cause::File(
                "the file x of the token cannot be read: gone".to_owned()
            )),
            "the file x of the token cannot be read: gone"
        );
    }
}
