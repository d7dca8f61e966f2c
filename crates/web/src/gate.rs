//! [`Gate`]: a limited number of connections; one more closes the one that is of least use.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::line::{Claim, Line, Useless};

/// How soon is looked again whether a connection has stalled.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The connections that there are.
#[derive(Debug)]
pub(crate) struct Gate {
    places: usize,
    lines: Mutex<Vec<Arc<Line>>>,
    freed: Notify,
}

/// The place of one connection, which others get when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    pub(crate) line: Arc<Line>,
}

impl Gate {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            places,
            lines: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A place for one more connection. Where there is none, one of those goes that wait for a request, or else one whose
    /// client has stopped reading.
    pub(crate) async fn place(self: &Arc<Self>) -> Place {
        let line = Arc::new(Line::new());
        loop {
            let freed = self.freed.notified();
            {
                let mut lines = self.lock();
                if lines.len() < self.places {
                    lines.push(Arc::clone(&line));
                    return Place {
                        gate: Arc::clone(self),
                        line,
                    };
                }
            }
            self.evict();
            // Nothing reports that a client has stopped reading.
            timeout(LOOK_AGAIN, freed).await.ok();
        }
    }

    /// Asks the connection to go that is of least use, if there is one.
    ///
    /// Of half-sent requests and idle connections, the longest of those goes of which there are more. So the kept connection
    /// of a scraper outlasts a flood of half-sent requests, and a scraper that connects anew one of idle connections.
    pub(crate) fn evict(&self) {
        let lines = self.lock();
        let claims: Vec<(Claim, &Arc<Line>)> = lines
            .iter()
            .filter_map(|line| Some((line.claim()?, line)))
            .collect();
        let count = |wanted: Useless| claims.iter().filter(|((why, _), _)| *why == wanted).count();
        let (half_sent, idle) = (count(Useless::HalfSent), count(Useless::Idle));
        let crowd = match half_sent.cmp(&idle) {
            Ordering::Less => Useless::Idle,
            Ordering::Equal if idle == 0 && count(Useless::Stalled) > 0 => Useless::Stalled,
            // A page that follows comes back by itself.
            Ordering::Equal if idle == 0 => Useless::Following,
            Ordering::Equal | Ordering::Greater => Useless::HalfSent,
        };
        let crowd = claims.iter().filter(|((why, _), _)| *why == crowd);
        if let Some((_, line)) = crowd.min_by_key(|((_, since), _)| *since) {
            line.evict();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.lock().retain(|line| !Arc::ptr_eq(line, &self.line));
        self.gate.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::Closed;
    use crate::limits::Limits;

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_has_waited_longest_gives_way() {
        let gate = Gate::new(3);
        let working = gate.place().await;
        working.line.works();
        let oldest = gate.place().await;
        advance(Duration::from_secs(1)).await;
        let younger = gate.place().await;
        let leave = async {
            assert_eq!(oldest.line.is_over(&Limits::default()).await, Closed::OverLimit);
            drop(oldest);
        };
        let (newest, ()) = tokio::join!(gate.place(), leave);
        assert!(younger.line.claim().is_some(), "it stays");
        drop((newest, working));
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_that_waits_one_gives_way_whose_client_reads_no_more() {
        let gate = Gate::new(1);
        let only = gate.place().await;
        only.line.works();
        only.line.sends(None);
        let leave = async {
            assert_eq!(only.line.is_over(&Limits::default()).await, Closed::OverLimit);
            drop(only);
        };
        tokio::join!(gate.place(), leave);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_follows_gives_way_where_nothing_else_does() {
        let gate = Gate::new(2);
        let working = gate.place().await;
        working.line.works();
        let following = gate.place().await;
        following.line.works();
        following.line.sends_without_end();
        following.line.has_flushed();
        let leave = async {
            assert_eq!(
                following.line.is_over(&Limits::default()).await,
                Closed::OverLimit
            );
            drop(following);
        };
        let (newest, ()) = tokio::join!(gate.place(), leave);
        drop((newest, working));
    }

    /// A connection that has had its response.
    fn idle(line: &Line) {
        line.works();
        line.sends(None);
        line.has_taken_body();
        line.has_flushed();
    }

    /// Which of two kinds of connections goes when a third of the one comes to two of it and one older of the other.
    async fn check(kept_are_many: bool) {
        let gate = Gate::new(3);
        let prepare = |line: &Line, is_kept: bool| {
            if is_kept {
                idle(line);
            }
        };
        let single = gate.place().await;
        prepare(&single.line, !kept_are_many);
        advance(Duration::from_secs(1)).await;
        let first = gate.place().await;
        prepare(&first.line, kept_are_many);
        advance(Duration::from_secs(1)).await;
        let second = gate.place().await;
        prepare(&second.line, kept_are_many);
        let leave = async {
            assert_eq!(first.line.is_over(&Limits::default()).await, Closed::OverLimit);
            drop(first);
        };
        let (newest, ()) = tokio::join!(gate.place(), leave);
        assert!(
            single.line.claim().is_some() && second.line.claim().is_some(),
            "they stay"
        );
        drop((newest, single, second));
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_connection_outlasts_a_flood_of_half_sent_requests_and_a_new_one_a_flood_of_idle_ones() {
        check(false).await;
        check(true).await;
    }
}
