//! The connection to NATS: made patiently, and restored without a herd.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ClientError, ConnectErrorKind, Event};
use protocol::service::{Servers, is_refusal, reconnect_delay};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, info, warn};

/// Refusals in a row after which trying goes on in vain.
const MAX_REFUSALS: u32 = 3;

/// How long it may take to close the connection.
const CLOSING: Duration = Duration::from_millis(500);

/// A connection that will never be.
#[derive(Debug, thiserror::Error)]
#[error(
    "NATS at {servers} refused to log in {MAX_REFUSALS} times in a row; check user and password, or token, in --server or NATS_URL"
)]
pub(super) struct Refused {
    servers: Servers,
}

/// A connection that is restored whenever it is lost.
#[derive(Debug)]
pub(super) struct Connection {
    /// The client.
    pub(super) client: Client,
    servers: Servers,
    refusals: watch::Receiver<u32>,
}

impl Connection {
    /// Connects, however long it takes for the server to be there.
    ///
    /// # Errors
    /// [`Refused`] where the server is there and does not let us in.
    pub(super) async fn open(servers: &Servers) -> Result<Self, Refused> {
        let (monitor, refusals) = Monitor::new();
        let mut refused = 0;
        for attempt in 1_usize.. {
            let error = match connect(servers, &monitor).await {
                Ok(client) => {
                    info!(%servers, "connected to NATS");
                    return Ok(Self {
                        client,
                        servers: servers.clone(),
                        refusals,
                    });
                }
                Err(error) => error,
            };
            refused = if is_refusal(error.kind()) { refused + 1 } else { 0 };
            if refused >= MAX_REFUSALS {
                break;
            }
            // The first failure is news; later ones are told less and less often.
            if refused > 0 {
                warn!(%servers, attempt, "NATS refuses to log in; trying on");
            } else if attempt.is_power_of_two() {
                warn!(%servers, reason = %error, attempt, "NATS cannot be reached; trying on");
            }
            tokio::time::sleep(reconnect_delay(attempt)).await;
        }
        Err(Refused {
            servers: servers.clone(),
        })
    }

    /// Waits until the server refuses to let us in again after a loss; for ever, if all is well.
    pub(super) async fn refused(&self) -> Refused {
        let mut refusals = self.refusals.clone();
        if refusals
            .wait_for(|refusals| *refusals >= MAX_REFUSALS)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
        Refused {
            servers: self.servers.clone(),
        }
    }

    /// Whether it stands now.
    pub(super) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Closes it, after everything has been sent.
    pub(super) async fn close(self) {
        // While it is lost, async-nats takes no commands, and there is nothing to close.
        if self.is_up() && timeout(CLOSING, self.client.drain()).await.is_err() {
            debug!("the NATS connection did not close in time");
        }
    }
}

/// Takes in what async-nats tells about the connection.
#[derive(Debug)]
struct Monitor {
    refusals: watch::Sender<u32>,
    was_connected: AtomicBool,
    slow: AtomicU32,
}

impl Monitor {
    fn new() -> (Arc<Self>, watch::Receiver<u32>) {
        let (refusals, receiver) = watch::channel(0);
        let monitor = Self {
            refusals,
            was_connected: AtomicBool::new(false),
            slow: AtomicU32::new(0),
        };
        (Arc::new(monitor), receiver)
    }

    fn take_in(&self, event: &Event) {
        match event {
            Event::Connected => {
                self.refusals.send_replace(0);
                if self.was_connected.swap(true, Ordering::Relaxed) {
                    info!("connected to NATS again");
                }
            }
            Event::Disconnected => warn!("the NATS connection is lost; trying to restore it"),
            Event::ClientError(ClientError::Other(reason))
                if *reason == ConnectErrorKind::AuthorizationViolation.to_string() =>
            {
                self.refusals.send_modify(|refusals| *refusals += 1);
            }
            // While the server is away, every attempt fails; that it is lost has been said.
            Event::ClientError(_) => {}
            Event::ServerError(reason) => warn!(%reason, "the NATS server reports an error"),
            Event::SlowConsumer(_) => {
                let dropped = self.slow.fetch_add(1, Ordering::Relaxed) + 1;
                if dropped.is_power_of_two() {
                    warn!(
                        dropped,
                        "requests were dropped, for they come faster than they are handled"
                    );
                }
            }
            Event::LameDuckMode => info!("the NATS server is about to shut down"),
            Event::Draining | Event::Closed => {}
        }
    }
}

async fn connect(servers: &Servers, monitor: &Arc<Monitor>) -> Result<Client, async_nats::ConnectError> {
    let monitor = monitor.clone();
    servers
        .options()
        .name("mock-worker")
        .event_callback(move |event| {
            monitor.take_in(&event);
            std::future::ready(())
        })
        .connect(servers.addresses())
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_count_in_a_row() {
        let (monitor, refusals) = Monitor::new();
        let refusal = Event::ClientError(ClientError::Other("authorization violation".to_owned()));
        monitor.take_in(&refusal);
        monitor.take_in(&refusal);
        assert_eq!(*refusals.borrow(), 2);
        monitor.take_in(&Event::Connected);
        assert_eq!(*refusals.borrow(), 0, "a connection ends the row");
        monitor.take_in(&Event::ClientError(ClientError::Other("IO error".to_owned())));
        assert_eq!(*refusals.borrow(), 0, "a server that is away refuses nobody");
    }
}
