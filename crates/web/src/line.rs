//! [`Line`]: what one connection is doing, and when it has done that for too long.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::body::Cut;
use crate::counts::Closed;
use crate::limits::Limits;

/// A client that has taken nothing of its response for so long gives way to others.
const STALLED: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Waits for a request.
    Idle,
    /// Receives a request, or shakes hands.
    Receiving,
    /// Makes the response.
    Working,
    /// Sends the response.
    Sending,
    /// Sends a response that goes on for as long as its client reads; all that there was has left.
    Following,
    /// The same; something has not left yet.
    Owing,
}

#[derive(Debug)]
struct State {
    doing: Doing,
    since: Instant,
    written: Instant,
    has_taken_body: bool,
    cut: Option<Cut>,
}

/// One connection, as its reader, its writer and its watch see it.
#[derive(Debug)]
pub(crate) struct Line {
    state: Mutex<State>,
    changed: Notify,
    evicted: CancellationToken,
}

/// Why a connection can give way to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Useless {
    /// Its request is not complete.
    HalfSent,
    /// No further request came.
    Idle,
    /// Its client has stopped reading.
    Stalled,
    /// Its client follows what changes, and can come back.
    Following,
}

/// Why a connection can give way, and since when.
pub(crate) type Claim = (Useless, Instant);

impl Line {
    /// A connection that was just accepted.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                doing: Doing::Receiving,
                since: now,
                written: now,
                has_taken_body: false,
                cut: None,
            }),
            changed: Notify::new(),
            evicted: CancellationToken::new(),
        }
    }

    /// Something of a request has come.
    pub(crate) fn has_read(&self) {
        let mut state = self.lock();
        if state.doing == Doing::Idle {
            self.enter(&mut state, Doing::Receiving);
        }
    }

    /// The request is complete.
    pub(crate) fn works(&self) {
        self.enter(&mut self.lock(), Doing::Working);
    }

    /// The response can be sent. It ends early when the token of `cut` is cancelled.
    pub(crate) fn sends(&self, cut: Option<Cut>) {
        let mut state = self.lock();
        state.has_taken_body = false;
        state.cut = cut;
        self.enter(&mut state, Doing::Sending);
    }

    /// The response has no end. Its client has the time of a response to take each part of it, and may wait for the next one
    /// as long as it likes.
    pub(crate) fn sends_without_end(&self) {
        let mut state = self.lock();
        state.has_taken_body = false;
        state.cut = None;
        self.enter(&mut state, Doing::Owing);
    }

    /// A part of the response has been handed to the connection.
    pub(crate) fn has_taken_part(&self) {
        let mut state = self.lock();
        if state.doing == Doing::Following {
            self.enter(&mut state, Doing::Owing);
        }
    }

    /// The whole response has been handed to the connection.
    pub(crate) fn has_taken_body(&self) {
        self.lock().has_taken_body = true;
    }

    /// Something of the response has left.
    pub(crate) fn has_written(&self) {
        self.lock().written = Instant::now();
    }

    /// All that was handed to the connection has left.
    pub(crate) fn has_flushed(&self) {
        let mut state = self.lock();
        match state.doing {
            Doing::Sending | Doing::Owing | Doing::Following if state.has_taken_body => {
                state.cut = None;
                self.enter(&mut state, Doing::Idle);
            }
            Doing::Owing => self.enter(&mut state, Doing::Following),
            _ => {}
        }
    }

    /// When this connection would give way to another one; never while it is of use.
    pub(crate) fn claim(&self) -> Option<Claim> {
        if self.evicted.is_cancelled() {
            return None;
        }
        let state = self.lock();
        match state.doing {
            Doing::Receiving => Some((Useless::HalfSent, state.since)),
            Doing::Idle => Some((Useless::Idle, state.since)),
            Doing::Sending | Doing::Owing if state.written.elapsed() >= STALLED => {
                Some((Useless::Stalled, state.written))
            }
            Doing::Following => Some((Useless::Following, state.written)),
            Doing::Working | Doing::Sending | Doing::Owing => None,
        }
    }

    /// Asks this connection to give way.
    pub(crate) fn evict(&self) {
        self.evicted.cancel();
    }

    /// Waits until the connection is to be closed, and returns why.
    pub(crate) async fn is_over(&self, limits: &Limits) -> Closed {
        loop {
            let (deadline, reason, cut) = self.watch(limits);
            let late = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let cut = async {
                match cut {
                    Some(cut) => cut.cancelled().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.evicted.cancelled() => return Closed::OverLimit,
                () = self.changed.notified() => {}
                () = cut => return Closed::Outdated,
                () = late => return reason,
            }
        }
    }

    fn watch(&self, limits: &Limits) -> (Option<Instant>, Closed, Option<CancellationToken>) {
        let state = self.lock();
        let (limit, reason) = match state.doing {
            Doing::Idle => (Some(limits.idle), Closed::Idle),
            Doing::Receiving => (Some(limits.header), Closed::SlowRequest),
            Doing::Working | Doing::Following => (None, Closed::SlowReader),
            Doing::Sending | Doing::Owing => (Some(limits.response), Closed::SlowReader),
        };
        let cut = state.cut.as_ref().map(|cut| cut.token.clone());
        (limit.map(|limit| state.since + limit), reason, cut)
    }

    fn enter(&self, state: &mut State, doing: Doing) {
        let now = Instant::now();
        (state.doing, state.since, state.written) = (doing, now, now);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::{advance, timeout};

    use super::*;

    const LIMITS: Limits = Limits {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        response: Duration::from_secs(30),
        connections: 1,
    };

    /// Seconds after which the connection is over from now on.
    async fn over(line: &Line) -> (u64, Closed) {
        let start = Instant::now();
        let reason = line.is_over(&LIMITS).await;
        (start.elapsed().as_secs(), reason)
    }

    #[tokio::test(start_paused = true)]
    async fn each_part_of_an_exchange_has_a_limit_of_its_own() {
        assert_eq!(over(&Line::new()).await, (10, Closed::SlowRequest));

        let line = Line::new();
        line.works();
        let hours = Duration::from_secs(7200);
        assert!(timeout(hours, line.is_over(&LIMITS)).await.is_err());
        line.sends(None);
        advance(Duration::from_secs(20)).await;
        line.has_written();
        line.has_flushed();
        assert_eq!(
            over(&line).await,
            (10, Closed::SlowReader),
            "in all, not since the last byte"
        );

        line.sends(None);
        line.has_taken_body();
        line.has_flushed();
        assert_eq!(over(&line).await, (60, Closed::Idle));
        line.has_read();
        advance(Duration::from_secs(6)).await;
        line.has_read();
        assert_eq!(
            over(&line).await,
            (4, Closed::SlowRequest),
            "byte by byte is not faster"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_without_end_may_last_and_each_part_of_it_must_be_taken() {
        let line = Line::new();
        line.works();
        line.sends_without_end();
        line.has_flushed();
        let hours = Duration::from_secs(7200);
        assert!(timeout(hours, line.is_over(&LIMITS)).await.is_err());
        line.has_taken_part();
        advance(Duration::from_secs(20)).await;
        line.has_taken_part();
        line.has_written();
        assert_eq!(over(&line).await, (10, Closed::SlowReader));

        line.has_flushed();
        assert!(timeout(hours, line.is_over(&LIMITS)).await.is_err());
        line.has_taken_body();
        line.has_flushed();
        assert_eq!(over(&line).await, (60, Closed::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_follows_what_changes_meanwhile() {
        let line = Arc::new(Line::new());
        let token = CancellationToken::new();
        let change = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            line.works();
            line.sends(Some(Cut {
                token: token.clone(),
                chunks: Arc::default(),
            }));
            tokio::time::sleep(Duration::from_secs(5)).await;
            token.cancel();
        };
        let (seen, ()) = tokio::join!(over(&line), change);
        assert_eq!(seen, (14, Closed::Outdated));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_in_use_gives_way_to_none() {
        let line = Line::new();
        let why = |line: &Line| line.claim().map(|(why, _)| why);
        assert_eq!(why(&line), Some(Useless::HalfSent));
        line.works();
        assert_eq!(line.claim(), None);
        line.sends(None);
        assert_eq!(line.claim(), None);
        advance(STALLED).await;
        assert_eq!(why(&line), Some(Useless::Stalled));
        line.has_written();
        assert_eq!(line.claim(), None);
        advance(STALLED).await;
        line.evict();
        assert_eq!(line.claim(), None, "it is leaving already");
        assert_eq!(over(&line).await.1, Closed::OverLimit);
    }
}
