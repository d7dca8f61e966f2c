//! The way to a connection: patiently for programs that run on, at once for commands that a person waits for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use protocol::service::{is_refusal, reconnect_delay};
use protocol::text::Shown;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::Servers;
use crate::monitor::Monitor;
use crate::server_error;

/// Authorization errors in a row after which trying goes on in vain.
pub(crate) const MAX_REFUSALS: u32 = 3;

/// A quiet connection is pinged this often. It counts as lost when two pings stay without an answer at the third.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// How long an attempt may take, login included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// How a connection is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The name under which the server lists it.
    pub name: String,
    /// Messages that a subscription can hold before further ones are dropped.
    pub subscription_capacity: usize,
}

impl Options {
    /// Options with this name, and room for 65,536 messages in each subscription.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            subscription_capacity: 1 << 16,
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server does not accept this user.
    #[error(
        "NATS at {server} refuses the connection ({reason}); check user and password, or token, in --server or NATS_URL, e.g. nats://USER:PASSWORD@HOST:4222"
    )]
    Refused {
        /// The addresses, without secrets.
        server: String,
        /// What the server said.
        reason: String,
    },
    /// The server cannot be reached, and the caller does not wait.
    #[error(
        "NATS at {server} cannot be reached: {reason}; is it running? Give its address with --server or NATS_URL"
    )]
    Unreachable {
        /// The addresses, without secrets.
        server: String,
        /// What went wrong.
        reason: String,
    },
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
        let is_refused = is_refusal(failure.kind());
        refusals = if is_refused { refusals + 1 } else { 0 };
        if refusals >= MAX_REFUSALS {
            return Err(refused(servers, &failure));
        }
        // The first failure is news; later ones are logged less and less often.
        if attempts.is_power_of_two() {
            let reason = reason(&failure);
            match is_refused {
                true => warn!(%servers, %reason, attempts, "NATS refuses the connection; still trying"),
                false => warn!(%servers, %reason, attempts, "NATS cannot be reached; still trying"),
            }
        }
        sleep(reconnect_delay(attempts)).await;
    }
}

/// Connects at the first attempt or not at all.
pub(crate) async fn at_once(
    servers: &Servers,
    options: &Options,
    monitor: &Arc<Monitor>,
) -> Result<Client, ConnectError> {
    let attempt = attempt(servers, options, monitor).await;
    attempt.map_err(|failure| match is_refusal(failure.kind()) {
        true => refused(servers, &failure),
        false => ConnectError::Unreachable {
            server: servers.to_string(),
            reason: reason(&failure),
        },
    })
}

async fn attempt(
    servers: &Servers,
    options: &Options,
    monitor: &Arc<Monitor>,
) -> Result<Client, async_nats::ConnectError> {
    let monitor = Arc::clone(monitor);
    servers
        .options()
        .name(&options.name)
        .subscription_capacity(options.subscription_capacity)
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECTION_TIMEOUT)
        .event_callback(move |event| {
            monitor.take_in(&event, Instant::now());
            std::future::ready(())
        })
        .connect(servers.addresses())
        .await
}

fn refused(servers: &Servers, failure: &impl fmt::Display) -> ConnectError {
    ConnectError::Refused {
        server: servers.to_string(),
        reason: Shown(&failure.to_string()).to_string(),
    }
}

/// What went wrong, with its remedy where that is known. The text may be the server's.
fn reason(failure: &impl fmt::Display) -> String {
    let text = failure.to_string();
    format!("{}{}", Shown(&text), server_error::advice(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_shown_escaped_and_with_its_remedy() {
        assert_eq!(
            reason(&"IO error: nats: maximum connections exceeded\n"),
            r"IO error: nats: maximum connections exceeded\n; raise `max_connections` of the server, or close other clients"
        );
        let servers: Servers = "nats://me:secret@host".parse().expect("an address");
        let error = refused(&servers, &"authorization violation").to_string();
        assert!(error.contains("NATS at nats://host refuses"), "{error}");
    }
}
