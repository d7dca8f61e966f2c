//! Events as a version of Dynamo publishes them: into the truth first, then out.

use std::time::{SystemTime, UNIX_EPOCH};

use sim::Load;

use super::Show;
use crate::app::Out;
use crate::faults::Fault;
use crate::publish::{Circumstances, Published};
use crate::stage::Stage;

impl Circumstances for Stage {
    fn faults(&self, worker: usize, time_ns: u64) -> Vec<&Fault> {
        self.faults_at(worker, time_ns)
    }

    fn is_up(&self, worker: usize) -> bool {
        Self::is_up(self, worker)
    }

    fn load(&self, worker: usize) -> Option<Load> {
        self.sample(worker).reported.load
    }

    fn block_size(&self, worker: usize) -> u64 {
        Self::block_size(self, worker)
    }
}

impl Show {
    /// Writes what happened as messages that wait to be sent. Before a worker's next life is noticed, its last one must
    /// have been written.
    pub(super) fn write_events(&mut self) {
        let Some(publishers) = &mut self.publishers else {
            return;
        };
        if !self.scenario.hit_events {
            self.journal.hits.clear();
        }
        let unix_ms = u64::try_from(unix_time().as_millis()).unwrap_or(u64::MAX);
        publishers.publish(
            &mut self.journal,
            self.stage.now(),
            unix_ms,
            &self.stage,
            &mut self.published,
        );
    }

    /// Sends the messages that wait.
    ///
    /// # Errors
    /// Where the truth cannot be written.
    pub(super) fn send_events(&mut self) -> anyhow::Result<()> {
        let published = std::mem::take(&mut self.published);
        if published.is_empty() {
            return Ok(());
        }
        let now = unix_time().as_secs_f64();
        let mut batches: Vec<Vec<Out>> = vec![Vec::new(); self.lines.len()];
        let is_open = |line: &usize| self.lines.get(*line).is_some_and(Option::is_some);
        // Router and frontend have connections of their own, so no fault closes these.
        let of_others = (0..self.lines.len()).find(is_open).unwrap_or(0);
        for mut one in published {
            let line = one.place.map_or(of_others, |place| self.stage.connection(place));
            one.is_lost |= !is_open(&line);
            if let Some(truth) = &mut self.truth {
                truth.write_published(&one, now)?;
            }
            let Published { subject, payload, .. } = one;
            match batches.get_mut(line).filter(|_| !one.is_lost) {
                Some(batch) => batch.push(Out {
                    subject: subject.into(),
                    reply: None,
                    headers: None,
                    payload: payload.into(),
                }),
                None => continue,
            }
            self.status.events_sent += 1;
        }
        if let Some(truth) = &mut self.truth {
            truth.flush()?;
        }
        for (line, batch) in batches.into_iter().enumerate() {
            self.send(line, batch);
        }
        Ok(())
    }
}

fn unix_time() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
