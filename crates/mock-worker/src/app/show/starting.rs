//! The start: connections, and what is said of those that the server does not take.

use std::collections::BTreeSet;
use std::time::Duration;

use sim::trace::Reading;
use tracing::{info, warn};

use super::Show;
use crate::app::clock::Clock;
use crate::app::line::{CONFIRMATION, Line};
use crate::args::{ClockArg, Config};
use crate::generation::{Generation, RequestPlane};
use crate::publish::Publishers;

/// How long the client may take to hand on what the server refused, which it has read by then.
const HANDED_ON: Duration = Duration::from_millis(50);

/// How many subjects the log names.
const NAMED_SUBJECTS: usize = 3;

impl Show {
    /// Lets control find these workers by this name.
    pub(in crate::app) fn set_name(&mut self, name: String) {
        self.name = name;
    }

    /// Connects all workers, and lets their time begin.
    ///
    /// # Errors
    /// Where NATS refuses to let us in.
    pub(in crate::app) async fn connect(&mut self, config: &Config) -> anyhow::Result<()> {
        for number in 0..self.scenario.connections as usize {
            let line = self.line(number).await?;
            self.lines.push(Some(line));
        }
        tokio::time::sleep(HANDED_ON).await;
        info!(
            seed = config.seed,
            "load, faults and ids are drawn from this seed"
        );
        self.clock = match config.clock {
            ClockArg::Real => Clock::real(config.speed),
            ClockArg::Stepped => Clock::Stepped { at: 0 },
        };
        Ok(())
    }

    pub(super) fn new_publishers(
        &self,
        generation: Generation,
        config: &Config,
    ) -> anyhow::Result<Publishers> {
        let workers = (0..self.stage.len()).map(|place| (self.stage.id(place), self.stage.is_up(place)));
        let (path, subject) = (&config.path, &config.request_trace_subject);
        let publishers = Publishers::new(generation, path, subject, config.seed, workers);
        for (_, fault) in self.stage.faults() {
            if !generation.heeds(fault.kind, config.request_plane) {
                warn!(
                    fault = fault.kind.as_str(),
                    %generation,
                    "the fault has no effect: these workers do not send the replies or events that it changes"
                );
            }
        }
        publishers.map_err(anyhow::Error::msg)
    }

    /// Says who is there.
    pub(in crate::app) fn announce(&self) {
        let refused: BTreeSet<String> = self.lines.iter().flatten().flat_map(Line::refused).collect();
        if !refused.is_empty() {
            let [_, subscribe] = self.link.grants().lines();
            warn!(
                refused = refused.into_iter().collect::<Vec<_>>().join(" "),
                remedy = subscribe,
                "the workers run, but cannot be found or called: the server refused their subscriptions; allow this \
                 user what the remedy says, and restart them"
            );
            return;
        }
        if !self.lines.iter().flatten().all(Line::is_confirmed) {
            let [_, subscribe] = self.link.grants().lines();
            warn!(
                waited = ?CONFIRMATION,
                remedy = subscribe,
                "the workers run, but may not be found: the server did not confirm the subscriptions; look for an error of \
                 the server in this log, allow this user what the remedy says, and restart them"
            );
            return;
        }
        let endpoints = || {
            let identities = self.identities.iter().take(NAMED_SUBJECTS);
            identities.map(|identity| identity.subject.as_str()).collect()
        };
        let subjects: Vec<&str> = match (&self.publishers, self.plane) {
            (Some(publishers), RequestPlane::Tcp) => publishers.subjects(),
            _ => endpoints(),
        };
        info!(
            name = self.name,
            scenario = %self.scenario.description,
            workers = self.stage.len(),
            path = %self.voice.path,
            service = %self.service,
            subjects = subjects.join(" "),
            "ready"
        );
    }
}

/// How a trace is understood, and what is played otherwise than it is written.
pub(super) fn say_reading(reading: &Reading) {
    info!(
        rows = reading.rows,
        read_as = reading.assumed(),
        "a trace is played"
    );
    for remark in reading.remarks() {
        warn!("of the trace: {remark}");
    }
}
