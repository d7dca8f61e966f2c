//! The connection to NATS: made patiently, watched closely.

use std::time::Duration;

use async_nats::{Client, ClientError, ConnectErrorKind, Event, ServerError};
use protocol::service::{Servers, is_refusal, reconnect_delay};
use protocol::subject;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::fleet::LinkView;

/// Replies that one inbox can hold before they are dropped: twice the largest fleet.
const INBOX_CAPACITY: usize = 1 << 18;

/// Authorization errors in a row after which trying goes on in vain.
const MAX_REFUSALS: u32 = 3;

/// Why no connection can be had, now or ever.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server does not accept who we are.
    #[error(
        "NATS at {server} refuses the connection ({reason}); give a user that it accepts, e.g. --server nats://USER:PASSWORD@HOST:4222"
    )]
    Refused {
        /// Where, without secrets.
        server: String,
        /// What the server said.
        reason: String,
    },
    /// The server cannot be reached; only where the caller does not want to wait.
    #[error(
        "NATS at {server} cannot be reached: {reason}; is it running? Give its address with --server or NATS_URL"
    )]
    Unreachable {
        /// Where, without secrets.
        server: String,
        /// What went wrong.
        reason: String,
    },
}

/// What is known about the connection; cheap to clone, always current.
#[derive(Debug, Clone)]
pub struct Link {
    state: watch::Receiver<LinkState>,
    seen: u64,
}

/// Feeds a [`Link`].
#[derive(Debug)]
pub struct LinkReporter(watch::Sender<LinkState>);

#[derive(Debug, Clone, Default)]
struct LinkState {
    connected: bool,
    connects: u64,
    violations: u64,
    last_violation: String,
    /// Refused attempts to restore the connection, in a row.
    refusals: u32,
}

impl Link {
    /// A link that is not connected yet, and its reporter.
    pub fn new() -> (LinkReporter, Self) {
        let (sender, state) = watch::channel(LinkState::default());
        (LinkReporter(sender), Self { state, seen: 0 })
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.state.borrow().connected
    }

    /// Waits until the server refuses to let us in again after a loss; for ever, if all is well.
    pub async fn refused(&mut self) {
        while self.state.borrow_and_update().refusals < MAX_REFUSALS {
            self.changed().await;
        }
    }

    /// The figures that go onto the page.
    pub fn view(&self) -> LinkView {
        let state = self.state.borrow();
        LinkView {
            connected: state.connected,
            reconnects: state.connects.saturating_sub(1),
            permission_violations: state.violations,
        }
    }

    /// Waits until the connection stands; the client reports it a moment after it is made.
    pub async fn connected(&mut self) {
        while !self.is_connected() {
            self.changed().await;
        }
    }

    /// Waits for the next change.
    pub async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// From now on only newer refusals count.
    pub fn mark_seen(&mut self) {
        self.seen = self.state.borrow_and_update().violations;
    }

    /// Waits until the connection is lost, or a publish to `subject` or the subscription for its replies is refused.
    pub async fn failed_or_refused(&mut self, subject: &str) {
        loop {
            if !self.is_connected() || self.refusal(subject).is_some() {
                return;
            }
            self.changed().await;
        }
    }

    /// What the server said when it refused `subject` or an inbox since [`mark_seen`](Self::mark_seen).
    pub fn refusal(&self, subject: &str) -> Option<String> {
        let state = self.state.borrow();
        let concerns =
            state.last_violation.contains(&format!("\"{subject}\"")) || is_of_inbox(&state.last_violation);
        (state.violations > self.seen && concerns).then(|| state.last_violation.clone())
    }
}

impl LinkReporter {
    fn take_in(&self, event: &Event) {
        match event {
            Event::Connected => {
                let connects = {
                    self.0.send_modify(|state| {
                        state.connected = true;
                        state.connects += 1;
                        state.refusals = 0;
                    });
                    self.0.borrow().connects
                };
                if connects > 1 {
                    info!("NATS connection restored");
                }
            }
            Event::Disconnected => {
                warn!("NATS connection lost; trying to restore it");
                self.0.send_modify(|state| state.connected = false);
            }
            Event::ServerError(ServerError::Other(text)) if is_violation(text) => {
                self.0.send_modify(|state| {
                    state.violations += 1;
                    state.last_violation.clone_from(text);
                });
                // A refused round says so itself; what else is refused is told less and less often.
                if !text.contains(subject::STATS)
                    && !is_of_inbox(text)
                    && self.0.borrow().violations.is_power_of_two()
                {
                    warn!(violation = %text, "permission denied");
                }
            }
            Event::ServerError(reason) => warn!(%reason, "NATS server reports an error"),
            Event::ClientError(ClientError::Other(reason))
                if *reason == ConnectErrorKind::AuthorizationViolation.to_string() =>
            {
                self.0.send_modify(|state| state.refusals += 1);
            }
            // While the server is away, every attempt fails; that it is lost has been said.
            Event::ClientError(_) => {}
            Event::SlowConsumer(subscription) => {
                warn!(subscription, "replies were dropped: the collector is too slow");
            }
            Event::LameDuckMode => info!("NATS server is about to shut down"),
            Event::Draining | Event::Closed => {}
        }
    }
}

fn is_violation(text: &str) -> bool {
    text.to_lowercase().contains("permissions violation")
}

/// Connects, however long it takes.
///
/// # Errors
/// [`ConnectError::Refused`] after three refusals in a row.
pub async fn connect(servers: &Servers, reporter: LinkReporter) -> Result<Client, ConnectError> {
    let reporter = std::sync::Arc::new(reporter);
    let (mut attempts, mut refusals) = (0_usize, 0);
    loop {
        attempts += 1;
        let failure = match attempt(servers, &reporter).await {
            Ok(client) => {
                info!(%servers, "NATS connected");
                return Ok(client);
            }
            Err(failure) => failure,
        };
        refusals = if is_refusal(failure.kind()) {
            refusals + 1
        } else {
            0
        };
        if refusals >= MAX_REFUSALS {
            return Err(ConnectError::Refused {
                server: servers.to_string(),
                reason: failure.to_string(),
            });
        }
        let delay = reconnect_delay(attempts);
        // The first failure is news, and later ones are repeated less and less often.
        if attempts.is_power_of_two() {
            warn!(%servers, reason = %failure, attempts, "NATS cannot be reached; still trying");
        }
        tokio::time::sleep(delay).await;
    }
}

/// Connects now or not at all, for commands that a person waits for.
///
/// # Errors
/// [`ConnectError`] at the first failure.
pub async fn connect_now(servers: &Servers, reporter: LinkReporter) -> Result<Client, ConnectError> {
    attempt(servers, &std::sync::Arc::new(reporter))
        .await
        .map_err(|failure| {
            let (server, reason) = (servers.to_string(), failure.to_string());
            match failure.kind() {
                kind if is_refusal(kind) => ConnectError::Refused { server, reason },
                _ => ConnectError::Unreachable { server, reason },
            }
        })
}

async fn attempt(
    servers: &Servers,
    reporter: &std::sync::Arc<LinkReporter>,
) -> Result<Client, async_nats::ConnectError> {
    let reporter = reporter.clone();
    servers
        .options()
        .name("metrics")
        .subscription_capacity(INBOX_CAPACITY)
        .ping_interval(Duration::from_secs(10))
        .connection_timeout(Duration::from_secs(5))
        .event_callback(move |event| {
            reporter.take_in(&event);
            std::future::ready(())
        })
        .connect(servers.addresses())
        .await
}

/// What a refused round means, with its remedy.
pub fn refusal(violation: &str) -> String {
    if is_of_inbox(violation) {
        "permission denied for the inbox of replies: allow this user to subscribe to _INBOX.>".to_owned()
    } else {
        format!(
            "permission denied for {}: allow this user to publish to {}",
            subject::STATS,
            subject::SERVICE_API
        )
    }
}

fn is_of_inbox(violation: &str) -> bool {
    violation.to_lowercase().contains("for subscription to \"_inbox")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_concerns_the_request_or_the_inbox() {
        let (reporter, mut link) = Link::new();
        let violation = |text: &str| Event::ServerError(ServerError::Other(text.to_owned()));
        reporter.take_in(&violation(r#"Permissions Violation for Publish to "$SRV.STATS""#));
        assert!(link.refusal("$SRV.STATS").is_some());
        link.mark_seen();
        assert!(link.refusal("$SRV.STATS").is_none(), "an old one does not count");
        reporter.take_in(&violation(r#"Permissions Violation for Publish to "other""#));
        assert!(
            link.refusal("$SRV.STATS").is_none(),
            "another subject does not count"
        );
        reporter.take_in(&violation(
            r#"Permissions Violation for Subscription to "_INBOX.x""#,
        ));
        assert!(link.refusal("$SRV.STATS").is_some());
        assert_eq!(link.view().permission_violations, 3);
    }
}
