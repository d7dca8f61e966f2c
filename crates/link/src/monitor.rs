//! [`Monitor`]: what the client's events say about a connection, counted and logged without a flood.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{ClientError, ConnectErrorKind, Event, ServerError};
use protocol::service::{Cause, CauseKind};
use protocol::text::Shown;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::denials::Denials;
use crate::limiter::Limiter;
use crate::violation::{Needs, Violation};
use crate::{advice, server_error};

/// The same message is repeated no more often than this, and less and less often while its cause lasts.
const REPEAT_AFTER: Duration = Duration::from_secs(60);
const REPEAT_AT_LAST: Duration = Duration::from_secs(24 * 3600);

/// Violations that are remembered, so that one that concerns a request is found among others.
const REMEMBERED: usize = 16;

/// Takes in events. async-nats drops events when its queue of 128 is full, so the counts are lower bounds.
#[derive(Debug)]
pub(crate) struct Monitor {
    needs: Arc<Needs>,
    /// How long a user that was accepted may be refused before that is final.
    patience: Duration,
    counts: watch::Sender<Counts>,
    said: Said,
}

/// What connections of the same kind have said: one says nothing that another has just said.
#[derive(Debug, Clone)]
pub(crate) struct Said(Arc<Mutex<Limiter<String>>>);

impl Default for Said {
    fn default() -> Self {
        let limiter = Limiter::new(REPEAT_AFTER).up_to(REPEAT_AT_LAST);
        Self(Arc::new(Mutex::new(limiter)))
    }
}

/// What the events said so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// How often there was a connection.
    connects: u64,
    /// The client is closed for good.
    pub(crate) is_closed: bool,
    /// Since when all attempts to restore the connection are refused, and whether that is final.
    refused_since: Option<Instant>,
    pub(crate) is_refused: bool,
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
    pub(crate) fn new(needs: Needs, patience: Duration, said: Said) -> Self {
        Self {
            needs: Arc::new(needs),
            patience,
            counts: watch::Sender::new(Counts::default()),
            said,
        }
    }

    pub(crate) fn said(&self) -> Said {
        self.said.clone()
    }

    pub(crate) fn counts(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }

    pub(crate) fn take_in(&self, event: &Event, now: Instant) {
        match event {
            Event::Connected => {
                let mut is_restored = false;
                self.counts.send_modify(|counts| {
                    is_restored = counts.connects > 0;
                    counts.connects += 1;
                    counts.refused_since = None;
                });
                if is_restored {
                    info!("NATS connection restored");
                }
            }
            Event::Disconnected => {
                self.counts.send_modify(|counts| counts.refused_since = None);
                warn!("NATS connection lost; trying to restore it");
            }
            Event::ServerError(ServerError::Other(text)) => match Violation::read(text, &self.needs) {
                Some(violation) => self.denied(violation, now),
                None => self.failed(text, now),
            },
            Event::ServerError(other) => self.failed(&other.to_string(), now),
            Event::ClientError(ClientError::Other(reason)) if is_refusal(reason) => {
                self.refused(now);
            }
            // No server refused: one that is away for a while begins a new patience.
            Event::ClientError(ClientError::Other(_)) => {
                self.counts.send_modify(|counts| counts.refused_since = None);
            }
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

    fn refused(&self, now: Instant) {
        self.counts.send_modify(|counts| {
            let since = *counts.refused_since.get_or_insert(now);
            counts.is_refused |= now.saturating_duration_since(since) >= self.patience;
        });
    }

    /// How often there was a connection.
    pub(crate) fn connects(&self) -> u64 {
        self.counts.borrow().connects
    }

    /// Whether the reason why a server does not restore the connection is to be logged now.
    pub(crate) fn admits_failure(&self, server: &str, reason: &str, now: Instant) -> bool {
        let key = format!("not restored: {} {}", Shown(server), Shown(reason));
        self.admit(&key, now).is_some()
    }

    /// Logs why a server does not restore the connection.
    pub(crate) fn not_restored(&self, server: &str, cause: &Cause) {
        let server = Shown(server);
        let advice = advice::of(cause);
        match cause.kind() {
            CauseKind::Refused => {
                let patience = self.patience;
                warn!(
                    %server,
                    ?patience,
                    "NATS refuses to restore the connection; still trying: {cause}{advice}"
                );
            }
            _ => warn!(%server, "the NATS connection cannot be restored; still trying: {cause}{advice}"),
        }
    }

    fn denied(&self, violation: Violation, now: Instant) {
        if violation.is_about_any_of(&self.needs.optional) {
            if let Some(left_out) = self.admit(&violation.key(), now) {
                let subject = violation.subject().unwrap_or_default();
                let grants = violation.grants();
                info!(
                    left_out,
                    "no metrics of requests: this user may not subscribe to {}; permissions that suffice: {grants}",
                    Shown(subject)
                );
            }
            return self.counts.send_modify(|counts| counts.denials.note(&violation));
        }
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
        let mut limiter = self.said.0.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.admit(key, now)
    }
}

/// Whether the server refused. A login that cannot be read is another problem, which rotation of its files fixes.
fn is_refusal(reason: &str) -> bool {
    ConnectErrorKind::AuthorizationViolation.to_string() == reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_error(text: &str) -> Event {
        Event::ServerError(ServerError::Other(text.to_owned()))
    }

    fn monitor() -> Monitor {
        let needs = Needs {
            optional: Vec::new(),
            inbox_prefix: "_INBOX".to_owned(),
            ..Needs::default()
        };
        Monitor::new(needs, Duration::from_secs(30), Said::default())
    }

    #[test]
    fn refusals_are_final_once_they_last_longer_than_the_patience() {
        let monitor = monitor();
        let counts = monitor.counts();
        let start = Instant::now();
        let check = |second, event: Event, expected| {
            monitor.take_in(&event, start + Duration::from_secs(second));
            assert_eq!(counts.borrow().is_refused, expected, "{second}: {event:?}");
        };
        let refusal = || Event::ClientError(ClientError::Other("authorization violation".to_owned()));
        let away = || Event::ClientError(ClientError::Other("IO error".to_owned()));
        for second in 0..30 {
            check(second, refusal(), false);
        }
        check(30, Event::Connected, false);
        check(50, refusal(), false);
        check(70, Event::Disconnected, false);
        check(80, refusal(), false);
        // What is between two refusals is a server that is away, or files that cannot be read.
        check(90, away(), false);
        check(111, refusal(), false);
        check(
            112,
            Event::ClientError(ClientError::Other("failed signing nonce".to_owned())),
            false,
        );
        check(113, refusal(), false);
        check(142, refusal(), false);
        check(143, refusal(), true);
    }

    #[test]
    fn a_refusal_concerns_the_request_or_the_inbox() {
        let monitor = monitor();
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
        let monitor = monitor();
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
    fn connections_of_the_same_kind_say_a_thing_once() {
        let first = monitor();
        let second = Monitor::new(Needs::default(), Duration::from_secs(30), first.said());
        let now = Instant::now();
        assert_eq!(first.admit("denied", now), Some(0));
        assert_eq!(second.admit("denied", now), None);
        assert_eq!(
            monitor().admit("denied", now),
            Some(0),
            "another kind says it too"
        );
    }

    #[test]
    fn server_errors_and_dropped_messages_are_counted() {
        let monitor = monitor();
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
        let monitor = monitor();
        monitor.take_in(&Event::Connected, Instant::now());
        monitor.take_in(&Event::Draining, Instant::now());
        assert!(!monitor.counts().borrow().is_closed);
        monitor.take_in(&Event::Closed, Instant::now());
        assert!(monitor.counts().borrow().is_closed);
    }
}
