//! [`Gate`]: a limited number of connections; one more closes the one that has waited longest.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::line::Line;

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

    /// A place for one more connection. Where there is none, the connection goes that has waited longest for its request,
    /// or else one whose client has stopped reading.
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
    pub(crate) fn evict(&self) {
        let lines = self.lock();
        let claims = lines.iter().filter_map(|line| Some((line.claim()?, line)));
        if let Some((_, line)) = claims.min_by_key(|(claim, _)| *claim) {
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
}
