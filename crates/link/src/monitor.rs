//! [`Monitor`]: what the client's events say about a connection, counted and logged without a flood.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::{ClientError, ConnectErrorKind, Event, ServerError};
use protocol::text::Shown;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::denials::Denials;
use crate::limiter::Limiter;
use crate::server_error;
use crate::violation::Violation;

/// The same message is repeated no more often than this.
const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// Violations that are remembered, so that one that concerns a request is found among others.
const REMEMBERED: usize = 16;

/// Takes in events. async-nats drops events when its queue of 128 is full, so the counts are lower bounds.
#[derive(Debug)]
pub(crate) struct Monitor {
    counts: watch::Sender<Counts>,
    limiter: Mutex<Limiter<String>>,
}

/// What the events said so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    was_connected: bool,
    /// The client is closed for good.
    pub(crate) is_closed: bool,
    /// Refused attempts to restore the connection, in a row.
    pub(crate) refusals: u32,
    pub(crate) violations: u64,
    pub(crate) server_errors: u64,
    pub(crate) dropped_messages: u64,
    recent: VecDeque<Violation>,
    pub(crate) denials: Denials,
}

impl Counts {
    /// The newest violation after the first `seen` that denies a publish to `subject`, or the inbox.
    pub(crate) fn refusal(&self, subject: &str, seen: u64) -> Option<&Violation> {
        let newer = usize::try_from(self.violations - seen).unwrap_or(usize::MAX);
        let concerns = |violation: &&Violation| violation.denies_publish(subject) || violation.denies_inbox();
        self.recent.iter().rev().take(newer).find(concerns)
    }
}

impl Monitor {
    pub(crate) fn new() -> Self {
        Self {
            counts: watch::Sender::new(Counts::default()),
            limiter: Mutex::new(Limiter::new(REPEAT_AFTER)),
        }
    }

    pub(crate) fn counts(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }

    pub(crate) fn take_in(&self, event: &Event, now: Instant) {
        match event {
            Event::Connected => {
                let mut is_restored = false;
                self.counts.send_modify(|counts| {
                    is_restored = std::mem::replace(&mut counts.was_connected, true);
                    counts.refusals = 0;
                });
                if is_restored {
                    info!("NATS connection restored");
                }
            }
            Event::Disconnected => {
                self.counts.send_modify(|_| {});
                warn!("NATS connection lost; trying to restore it");
            }
            Event::ServerError(ServerError::Other(text)) => match Violation::read(text) {
                Some(violation) => self.denied(violation, now),
                None => self.failed(text, now),
            },
            Event::ServerError(other) => self.failed(&other.to_string(), now),
            Event::ClientError(ClientError::Other(reason)) if is_refusal(reason) => {
                self.counts.send_modify(|counts| counts.refusals += 1);
            }
            // While the server is away, every attempt fails; that the connection is lost has been logged.
            Event::ClientError(_) => {}
            Event::SlowConsumer(_) => {
                self.counts.send_modify(|counts| counts.dropped_messages += 1);
                if let Some(left_out) = self.admit("slow consumer", now) {
                    let dropped = self.counts.borrow().dropped_messages;
                    warn!(
                        dropped,
                        left_out,
                        "messages were dropped: they come faster than this program handles them; give it more CPU"
                    );
                }
            }
            Event::LameDuckMode => {
                if self.admit("lame duck", now).is_some() {
                    info!("NATS server is about to shut down");
                }
            }
            Event::Closed => self.counts.send_modify(|counts| counts.is_closed = true),
            Event::Draining => {}
        }
    }

    fn denied(&self, violation: Violation, now: Instant) {
        if let Some(left_out) = self.admit(&violation.key(), now) {
            error!(violation = %Shown(violation.text()), left_out, "{violation}");
        }
        self.counts.send_modify(|counts| {
            counts.violations += 1;
            if counts.recent.len() == REMEMBERED {
                counts.recent.pop_front();
            }
            counts.denials.note(&violation);
            counts.recent.push_back(violation);
        });
    }

    fn failed(&self, text: &str, now: Instant) {
        self.counts.send_modify(|counts| counts.server_errors += 1);
        let shown = Shown(text).to_string();
        if let Some(left_out) = self.admit(&shown, now) {
            let advice = server_error::advice(text);
            warn!(left_out, "NATS server reports an error: {shown}{advice}");
        }
    }

    fn admit(&self, key: &str, now: Instant) -> Option<u64> {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.admit(key, now)
    }
}

fn is_refusal(reason: &str) -> bool {
    let kinds = [
        ConnectErrorKind::AuthorizationViolation,
        ConnectErrorKind::Authentication,
    ];
    kinds.iter().any(|kind| kind.to_string() == reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_error(text: &str) -> Event {
        Event::ServerError(ServerError::Other(text.to_owned()))
    }

    #[test]
    fn refusals_count_in_a_row() {
        let monitor = Monitor::new();
        let counts = monitor.counts();
        let now = Instant::now();
        let check = |event: Event, expected| {
            monitor.take_in(&event, now);
            assert_eq!(counts.borrow().refusals, expected, "{event:?}");
        };
        let refusal = || Event::ClientError(ClientError::Other("authorization violation".to_owned()));
        check(refusal(), 1);
        check(refusal(), 2);
        check(Event::ClientError(ClientError::Other("IO error".to_owned())), 2);
        check(Event::Connected, 0);
        check(Event::ClientError(ClientError::Other("IO error".to_owned())), 0);
    }

    #[test]
    fn a_refusal_concerns_the_request_or_the_inbox() {
        let monitor = Monitor::new();
        let counts = monitor.counts();
        let now = Instant::now();
        let refusal = |seen| {
            let counts = counts.borrow();
            let violation = counts.refusal("$SRV.STATS", seen);
            violation.map(|violation| violation.text().to_owned())
        };
        let request = r#"Permissions Violation for Publish to "$SRV.STATS""#;
        monitor.take_in(&server_error(request), now);
        assert_eq!(refusal(0).as_deref(), Some(request));
        assert_eq!(refusal(1), None, "an old one does not count");

        monitor.take_in(
            &server_error(r#"Permissions Violation for Publish to "other""#),
            now,
        );
        assert_eq!(refusal(1), None, "another subject does not count");
        assert_eq!(
            refusal(0).as_deref(),
            Some(request),
            "a later one does not hide it"
        );

        let inbox = r#"Permissions Violation for Subscription to "_INBOX.x""#;
        monitor.take_in(&server_error(inbox), now);
        assert_eq!(refusal(1).as_deref(), Some(inbox));
        assert_eq!(counts.borrow().violations, 3);
        assert_eq!(counts.borrow().server_errors, 0);
    }

    #[test]
    fn a_flood_of_violations_is_counted_and_not_remembered() {
        let monitor = Monitor::new();
        let counts = monitor.counts();
        for number in 0..1000 {
            let text = format!(r#"Permissions Violation for Publish to "s.{number}""#);
            monitor.take_in(&server_error(&text), Instant::now());
        }
        let counts = counts.borrow();
        assert_eq!((counts.violations, counts.recent.len()), (1000, REMEMBERED));
        assert!(counts.refusal("s.999", 999).is_some());
        assert!(counts.refusal("s.998", 999).is_none());
    }

    #[test]
    fn server_errors_and_dropped_messages_are_counted() {
        let monitor = Monitor::new();
        let counts = monitor.counts();
        let now = Instant::now();
        monitor.take_in(&server_error("maximum subscriptions exceeded"), now);
        monitor.take_in(&Event::ServerError(ServerError::AuthorizationViolation), now);
        monitor.take_in(&Event::SlowConsumer(1), now);
        monitor.take_in(&Event::SlowConsumer(2), now);
        monitor.take_in(&Event::SlowConsumer(1), now);
        let counts = counts.borrow();
        assert_eq!((counts.server_errors, counts.dropped_messages), (2, 3));
    }

    #[test]
    fn a_client_that_is_closed_stays_so() {
        let monitor = Monitor::new();
        monitor.take_in(&Event::Connected, Instant::now());
        monitor.take_in(&Event::Draining, Instant::now());
        assert!(!monitor.counts().borrow().is_closed);
        monitor.take_in(&Event::Closed, Instant::now());
        assert!(monitor.counts().borrow().is_closed);
    }
}
