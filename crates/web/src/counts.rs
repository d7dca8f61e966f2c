//! [`Counts`]: what became of connections, for the page, and the log lines about it.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use link::Limiter;
use tokio::time::Instant;
use tracing::{debug, warn};

/// The same message at most once in this time.
const QUIET: Duration = Duration::from_secs(60);

/// Why the server closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closed {
    /// The request, or the TLS handshake, was not complete in time.
    SlowRequest,
    /// No request followed in time.
    Idle,
    /// The response was not read in time.
    SlowReader,
    /// What the client was reading has been replaced, and its memory was needed.
    Outdated,
    /// There were too many connections, and this one was of least use.
    OverLimit,
    /// The TLS handshake failed.
    Tls,
}

impl Closed {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::SlowRequest,
        Self::Idle,
        Self::SlowReader,
        Self::Outdated,
        Self::OverLimit,
        Self::Tls,
    ];

    /// The value of a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SlowRequest => "slow_request",
            Self::Idle => "idle",
            Self::SlowReader => "slow_reader",
            Self::Outdated => "outdated",
            Self::OverLimit => "over_limit",
            Self::Tls => "tls",
        }
    }

    /// What the log says of it; nothing where it is a matter of course.
    const fn message(self) -> Option<&'static str> {
        match self {
            Self::SlowRequest | Self::Idle => None,
            Self::SlowReader => Some(
                "a client was cut off because it did not read its response in time; --http-response-timeout sets the time",
            ),
            Self::Outdated => Some(
                "a client was cut off because it was still reading a page that newer ones have replaced; ask for gzip, or read faster",
            ),
            Self::OverLimit => Some(
                "there are too many connections, so one was closed that sends no request or reads no response; --http-max-connections and ulimit -n set the limit",
            ),
            Self::Tls => Some("a TLS handshake with a client failed"),
        }
    }
}

/// What became of connections and requests so far.
#[derive(Debug)]
pub struct Counts {
    closed: [AtomicU64; Closed::ALL.len()],
    accept_errors: AtomicU64,
    unauthorized: AtomicU64,
    said: Mutex<Limiter<&'static str>>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            closed: Default::default(),
            accept_errors: AtomicU64::default(),
            unauthorized: AtomicU64::default(),
            said: Mutex::new(Limiter::new(QUIET)),
        }
    }
}

impl Counts {
    /// Connections that the server closed, by reason, in the order of [`Closed::ALL`].
    pub fn closed(&self) -> [u64; Closed::ALL.len()] {
        std::array::from_fn(|index| self.closed[index].load(Relaxed))
    }

    /// How often a connection could not be accepted.
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Relaxed)
    }

    /// Requests without a valid user and password.
    pub fn unauthorized(&self) -> u64 {
        self.unauthorized.load(Relaxed)
    }

    pub(crate) fn count_closed(&self, reason: Closed, detail: Option<&dyn Display>) {
        self.closed[reason as usize].fetch_add(1, Relaxed);
        let detail = detail.map(ToString::to_string);
        debug!(reason = reason.as_str(), detail, "a connection was closed");
        if let Some(message) = reason.message()
            && let Some(left_out) = self.admit(reason.as_str())
        {
            warn!(reason = detail, left_out, "{message}");
        }
    }

    pub(crate) fn count_accept_error(&self, reason: &dyn Display) {
        self.accept_errors.fetch_add(1, Relaxed);
        if let Some(left_out) = self.admit("accept") {
            warn!(%reason, left_out, "a connection of a client could not be accepted; serving goes on");
        }
    }

    pub(crate) fn count_unauthorized(&self) {
        self.unauthorized.fetch_add(1, Relaxed);
        if let Some(left_out) = self.admit("unauthorized") {
            warn!(
                left_out,
                "a request was refused because its user or password is wrong"
            );
        }
    }

    fn admit(&self, key: &'static str) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.admit(&key, Instant::now())
    }
}
