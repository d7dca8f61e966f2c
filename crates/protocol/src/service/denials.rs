//! [`Denials`]: what a server denied a client, so that a worker's start can fail with the permission that is missing.
//!
//! A server denies a subscription by a message of its own, which async-nats passes on as an event of the connection and to
//! nothing else. A connection that [`Servers::connect`](super::Servers::connect) made remembers such messages here, where the start
//! of a worker finds them.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use async_nats::{Client, Event, ServerError, Statistics};
use tokio::sync::Notify;
use tracing::warn;

use super::seldom::Seldom;
use crate::text::Shown;

/// More than a worker has subscriptions; what a server denies later is only logged.
const MOST: usize = 64;

/// What the server of a connection has denied.
#[derive(Debug, Default)]
pub(super) struct Denials {
    texts: Mutex<Vec<String>>,
    changed: Notify,
    warnings: Seldom,
    losses: Seldom,
}

/// All connections made here. Their statistics identify them: a client has one for as long as it lives.
static CONNECTIONS: Mutex<Vec<(Weak<Statistics>, Arc<Denials>)>> = Mutex::new(Vec::new());

impl Denials {
    /// Notes what an event says.
    pub(super) fn note(&self, event: &Event) {
        match event {
            Event::ServerError(ServerError::Other(text)) if is_denial(text) => {
                if let Some(left_out) = self.warnings.admit(Instant::now()) {
                    warn!(error = %Shown(text), left_out, "NATS denied a permission: {}", remedy(text));
                }
                let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
                if texts.len() < MOST {
                    texts.push(text.clone());
                }
                drop(texts);
                self.changed.notify_waiters();
            }
            Event::SlowConsumer(_) => {
                if let Some(left_out) = self.losses.admit(Instant::now()) {
                    warn!(
                        left_out,
                        "messages were dropped, because the process does not read them fast enough: let no handler block its thread"
                    );
                }
            }
            _ => {}
        }
    }

    /// Remembers that these are the denials of `client`.
    pub(super) fn belong_to(self: &Arc<Self>, client: &Client) {
        let mut connections = CONNECTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|(statistics, _)| statistics.strong_count() > 0);
        connections.push((Arc::downgrade(&client.statistics()), self.clone()));
    }

    /// The denials of `client`, where they are known.
    pub(super) fn of(client: &Client) -> Option<Arc<Self>> {
        let statistics = Arc::downgrade(&client.statistics());
        let connections = CONNECTIONS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = connections.iter().find(|(known, _)| known.ptr_eq(&statistics));
        known.map(|(_, denials)| denials.clone())
    }

    /// Waits for the next denial.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether a subscription was denied whose subject is this.
    pub(super) fn subscription(&self, subject: &str) -> bool {
        self.has(
            |text| text.to_ascii_lowercase().contains("for subscription"),
            subject,
        )
    }

    /// Whether a message was denied whose subject is this.
    pub(super) fn publish(&self, subject: &str) -> bool {
        self.has(|text| text.to_ascii_lowercase().contains("for publish"), subject)
    }

    fn has(&self, kind: impl Fn(&str) -> bool, subject: &str) -> bool {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_about = |text: &String| kind(text) && text.split('"').nth(1) == Some(subject);
        texts.iter().any(is_about)
    }
}

fn is_denial(text: &str) -> bool {
    text.to_ascii_lowercase().contains("permissions violation")
}

/// What to do about it, for the log.
fn remedy(text: &str) -> &'static str {
    match text.to_ascii_lowercase().contains("for subscription") {
        true => "let the worker's NATS user subscribe to this subject",
        false => {
            "let the worker's NATS user publish to this subject, or have `allow_responses` where it is a reply"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_known_by_its_kind_and_subject() {
        let denials = Denials::default();
        for text in [
            r#"Permissions Violation for Subscription to "$SRV.STATS""#,
            r#"Permissions Violation for Publish to "$SRV.INFO.svc.id""#,
            r#"Permissions Violation for Subscription to "svc.gen-1f" using queue "q""#,
            "Stale Connection",
        ] {
            denials.note(&Event::ServerError(ServerError::Other(text.to_owned())));
        }
        assert!(denials.subscription("$SRV.STATS") && !denials.publish("$SRV.STATS"));
        assert!(denials.subscription("svc.gen-1f") && !denials.subscription("svc.gen-1"));
        assert!(denials.publish("$SRV.INFO.svc.id"));
        assert_eq!(denials.texts.lock().expect("not poisoned").len(), 3);
    }
}
