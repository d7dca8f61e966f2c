//! [`Link`]: a connection and its state, usable before it is connected.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Subscriber};
use tokio::sync::{Mutex, OnceCell, watch};
use tokio::time::{sleep, timeout};
use tracing::debug;

use crate::connect::{self, ConnectError, Options};
use crate::denials::Denials;
use crate::monitor::{Counts, Monitor, Said};
use crate::violation::{Needs, Violation};
use crate::{Grants, Servers};

/// How often the state is looked at while no event comes: async-nats drops events when its queue is full.
const LOOK_AFTER: Duration = Duration::from_millis(500);

/// One NATS connection. Clones share it; each clone has its own memory of what it has seen.
///
/// It is made by [`connect`](Self::connect) or [`connect_now`](Self::connect_now), and restored by itself whenever it
/// is lost. Before that, and while it is lost, its [`state`](Self::state) can be read all the same.
#[derive(Debug, Clone)]
pub struct Link {
    pub(crate) shared: Arc<Shared>,
    counts: watch::Receiver<Counts>,
    /// Violations that were seen.
    seen: u64,
    /// What [`changed`](Self::changed) returned last.
    noticed: (bool, u64),
}

#[derive(Debug)]
pub(crate) struct Shared {
    servers: Servers,
    options: Options,
    monitor: Arc<Monitor>,
    client: OnceCell<Client>,
    /// The subscription by which [`Link::check`] makes the client send a PING.
    pub(crate) prober: Mutex<Option<Subscriber>>,
}

/// The state of a connection at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Whether it is up.
    pub connected: bool,
    /// How often it was restored.
    pub reconnects: u64,
    /// Permissions that the server denied.
    pub permission_violations: u64,
    /// Other errors that the server reported.
    pub server_errors: u64,
    /// Messages that were dropped because a subscription was full. More may have been: async-nats reports them by
    /// events, of which it drops some in a flood.
    pub dropped_messages: u64,
}

impl Link {
    /// A link that is not connected yet. It does nothing by itself.
    pub fn new(servers: Servers, options: Options) -> Self {
        Self::saying(servers, options, Said::default())
    }

    /// A further link of the same kind, not connected yet. What one of them has just said, e.g. that a permission is
    /// denied, the others do not repeat.
    #[must_use]
    pub fn another(&self) -> Self {
        let Shared {
            servers,
            options,
            monitor,
            ..
        } = &*self.shared;
        Self::saying(servers.clone(), options.clone(), monitor.said())
    }

    fn saying(servers: Servers, options: Options, said: Said) -> Self {
        let needs = Needs {
            optional: options.optional.clone(),
            grants: options.grants.clone(),
            inbox_prefix: servers.inbox_prefix().to_owned(),
        };
        let monitor = Arc::new(Monitor::new(needs, options.auth_patience, said));
        let counts = monitor.counts();
        let shared = Shared {
            servers,
            options,
            monitor,
            client: OnceCell::new(),
            prober: Mutex::new(None),
        };
        Self {
            shared: Arc::new(shared),
            counts,
            seen: 0,
            noticed: (false, 0),
        }
    }

    /// Connects, however long it takes for the server to be there. The first failure is logged, later ones less and
    /// less often. A link that has been connected returns its client.
    ///
    /// # Errors
    /// [`ConnectError`] where the server refuses this user three times in a row.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        let Shared {
            servers,
            options,
            monitor,
            client,
            ..
        } = &*self.shared;
        let connecting = || connect::patiently(servers, options, monitor);
        client.get_or_try_init(connecting).await.cloned()
    }

    /// Connects now or not at all, for commands that a person waits for.
    ///
    /// # Errors
    /// [`ConnectError`] at the first failure.
    pub async fn connect_now(&self) -> Result<Client, ConnectError> {
        let Shared {
            servers,
            options,
            monitor,
            client,
            ..
        } = &*self.shared;
        let connecting = || connect::at_once(servers, options, monitor);
        client.get_or_try_init(connecting).await.cloned()
    }

    /// The client, once the link has been connected.
    pub fn client(&self) -> Option<Client> {
        self.shared.client.get().cloned()
    }

    /// Whether the connection is up, as the client itself sees it. A server that is silent is noticed within some
    /// seconds; [`check`](Self::check) notices it at once.
    pub fn is_connected(&self) -> bool {
        let client = self.shared.client.get();
        client.is_some_and(|client| client.connection_state() == State::Connected)
            && !self.counts.borrow().is_closed
    }

    /// The state now.
    pub fn state(&self) -> LinkState {
        let (connected, connects) = self.look();
        let counts = self.counts.borrow();
        LinkState {
            connected,
            reconnects: connects.saturating_sub(1),
            permission_violations: counts.violations,
            server_errors: counts.server_errors,
            dropped_messages: counts.dropped_messages,
        }
    }

    /// Waits until the state may have changed since the last call. No change is missed when the future is dropped.
    pub async fn changed(&mut self) {
        loop {
            let found = self.look();
            if std::mem::replace(&mut self.noticed, found) != found {
                return;
            }
            tokio::select! {
                // The monitor outlives this receiver, so there is always a sender.
                _ = self.counts.changed() => return,
                () = sleep(LOOK_AFTER) => {}
            }
        }
    }

    /// Waits until the server has refused to restore the connection for longer than [`Options::auth_patience`]. Does not
    /// return while that does not happen.
    pub async fn refused(&self) -> ConnectError {
        let mut counts = self.counts.clone();
        // The monitor outlives this receiver, so there is always a sender.
        let _ = counts.wait_for(|counts| counts.is_refused).await;
        let Shared { servers, options, .. } = &*self.shared;
        ConnectError::refused_again(servers, options.auth_patience).await
    }

    /// From now on only newer violations count for [`refusal`](Self::refusal).
    pub fn mark_seen(&mut self) {
        self.seen = self.counts.borrow().violations;
    }

    /// The permission to publish to `subject`, or to subscribe to an inbox, that the server denied since
    /// [`mark_seen`](Self::mark_seen).
    pub fn refusal(&self, subject: &str) -> Option<Violation> {
        self.counts.borrow().refusal(subject, self.seen).cloned()
    }

    /// The permissions that this program needs.
    pub fn grants(&self) -> &Grants {
        &self.shared.options.grants
    }

    /// All that the server has denied to this user so far.
    pub fn denials(&self) -> Denials {
        self.counts.borrow().denials.clone()
    }

    /// Waits until the connection is lost, or the server denies a publish to `subject` or the inbox for its replies.
    pub async fn failed_or_refused(&mut self, subject: &str) {
        while self.is_connected() && self.refusal(subject).is_none() {
            self.changed().await;
        }
    }

    /// Sends what waits to be sent and closes the connection, within `limit`. While the connection is lost, there is
    /// nothing to close.
    pub async fn close(&self, limit: Duration) {
        let Some(client) = self.client().filter(|_| self.is_connected()) else {
            return;
        };
        let mut counts = self.counts.clone();
        let closing = async {
            // Draining alone may close the connection before everything is written.
            client.flush().await.ok();
            client.drain().await.ok();
            counts.wait_for(|counts| counts.is_closed).await.ok();
        };
        if timeout(limit, closing).await.is_err() {
            debug!("the NATS connection did not close in time");
        }
    }

    /// Whether it is up, and how often it was made: what is true without any event.
    fn look(&self) -> (bool, u64) {
        let client = self.shared.client.get();
        let connects = client.map_or(0, |client| client.statistics().connects.load(Ordering::Relaxed));
        (self.is_connected(), connects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::{ClientError, Event, ServerError};
    use futures_util::FutureExt;
    use tokio::time::Instant;

    fn link() -> Link {
        let servers = "nats://me:secret@127.0.0.1:1".parse().expect("an address");
        Link::new(servers, Options::named("test"))
    }

    fn feed(link: &Link, event: &Event) {
        link.shared.monitor.take_in(event, Instant::now());
    }

    #[test]
    fn a_link_without_a_connection_has_a_state() {
        let link = link();
        assert_eq!(link.state(), LinkState::default());
        assert!(!link.is_connected() && link.client().is_none());
        feed(&link, &Event::SlowConsumer(1));
        feed(
            &link,
            &Event::ServerError(ServerError::Other("maximum payload violation".to_owned())),
        );
        let state = link.state();
        assert_eq!((state.dropped_messages, state.server_errors), (1, 1));
    }

    #[tokio::test]
    async fn refusals_that_outlast_the_patience_are_final_and_name_no_secret() {
        let link = link();
        let refusal = Event::ClientError(ClientError::Other("authorization violation".to_owned()));
        feed(&link, &refusal);
        assert!(link.refused().now_or_never().is_none());
        link.shared
            .monitor
            .take_in(&refusal, Instant::now() + Duration::from_secs(60));
        let error = link.refused().await.to_string();
        assert!(
            error.contains("nats://127.0.0.1:1") && !error.contains("secret"),
            "{error}"
        );
        assert!(error.contains("for longer than 30s"), "{error}");
    }

    #[tokio::test]
    async fn each_clone_has_its_own_memory_of_violations() {
        let mut link = link();
        let violation = r#"Permissions Violation for Publish to "a""#;
        feed(
            &link,
            &Event::ServerError(ServerError::Other(violation.to_owned())),
        );
        let other = link.clone();
        link.mark_seen();
        assert!(link.refusal("a").is_none() && other.refusal("a").is_some());
        assert_eq!(link.state().permission_violations, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_noticed_once_and_not_lost_when_the_future_is_dropped() {
        let mut link = link();
        assert!(link.changed().now_or_never().is_none());
        feed(&link, &Event::LameDuckMode);
        assert!(link.changed().now_or_never().is_none(), "it changes no state");
        feed(&link, &Event::SlowConsumer(1));
        assert!(link.changed().now_or_never().is_some());
        assert!(link.changed().now_or_never().is_none());
    }
}
