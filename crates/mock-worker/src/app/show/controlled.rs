//! What control does to a show.

use protocol::text::causes;
use sim::nanos::Nanos;

use super::Show;
use crate::control::{Cleared, Request, Status, cleared, counted, fault, select, traffic_settings};
use crate::faults::{Fault, Kind};

impl Show {
    /// Does what is asked, as a whole or not at all, and reports the state after it.
    ///
    /// # Errors
    /// Says why it was not done.
    pub(in crate::app) async fn control(&mut self, request: Request) -> Result<Status, String> {
        request.check()?;
        self.catch_up();
        let text = match request {
            Request::Status | Request::Claim { .. } => self.scenario.description.clone(),
            Request::Set { settings } => self.set(&settings)?,
            Request::Fault { settings } => self.add(fault(&settings)?),
            Request::Clear { what } => self.clear(what.as_deref())?,
            Request::Advance { by } => self.advance(by).await?,
            Request::Drain { select } => self.end_workers(Kind::Drain, &select)?,
            Request::Kill { select } => self.end_workers(Kind::Crash, &select)?,
        };
        // What was changed is published before the answer, so that the caller sees it done.
        self.tick().await.map_err(|error| causes(error.as_ref()))?;
        Ok(self.status(text))
    }

    fn set(&mut self, settings: &[String]) -> Result<String, String> {
        let settings = traffic_settings(settings)?;
        let changed = self.scenario.with(&settings).map_err(|error| error.to_string())?;
        if changed.traffic.router != self.scenario.traffic.router {
            return Err(
                "traffic.router cannot be changed while workers run; restart them with --set".to_owned(),
            );
        }
        if changed.traffic.spread != self.scenario.traffic.spread {
            return Err(
                "traffic.spread cannot be changed while workers run; restart them with --set".to_owned(),
            );
        }
        let traffic = changed.traffic().map_err(|error| causes(error.as_ref()))?;
        self.stage.replace_traffic(traffic);
        self.scenario = changed;
        let keys = counted(settings.len(), "key");
        Ok(format!("{keys} set"))
    }

    fn add(&mut self, fault: Fault) -> String {
        let kind = fault.kind.as_str();
        let number = self.stage.add(fault, &mut self.journal, &mut self.notices);
        self.take_notice();
        let workers = counted(self.stage.concerned(number), "worker");
        format!("fault {number} is planned: {kind} with {workers}")
    }

    fn clear(&mut self, what: Option<&str>) -> Result<String, String> {
        let wanted = what.map(cleared).transpose()?;
        let is_wanted = |number: u64, fault: &Fault| match wanted {
            None => true,
            Some(Cleared::Kind(kind)) => fault.kind == kind,
            Some(Cleared::Number(wanted)) => number == wanted,
        };
        let count = self.stage.clear(is_wanted, &mut self.journal, &mut self.notices);
        self.take_notice();
        match (count, what) {
            (0, Some(what)) => Err(format!(
                "there is no fault {what}; `mock-worker ctl status` lists them"
            )),
            _ => Ok(format!("{} cleared", counted(count, "fault"))),
        }
    }

    async fn advance(&mut self, by: Nanos) -> Result<String, String> {
        self.clock.advance(by)?;
        let target = self
            .duration
            .map_or(u64::MAX, |duration| duration.0)
            .min(self.clock.now());
        // Step by step, so that events and tokens go out in time and connections are opened as they should.
        while self.stage.now() < target {
            self.tick().await.map_err(|error| causes(error.as_ref()))?;
        }
        Ok(format!("time advanced by {by}"))
    }

    fn end_workers(&mut self, kind: Kind, workers: &str) -> Result<String, String> {
        let mut fault = Fault::new(kind);
        fault.select = select(workers)?;
        Ok(self.add(fault))
    }

    fn status(&self, text: String) -> Status {
        let mut status = Status {
            text,
            name: self.name.clone(),
            path: self.voice.path.to_string(),
            time_ns: self.stage.now(),
            callers: self.callers.len(),
            ..self.status.clone()
        };
        for worker in 0..self.stage.len() {
            let counters = self.stage.truth(worker).counters;
            status.running += counters.running;
            status.waiting += counters.waiting;
            *(if self.stage.is_up(worker) {
                &mut status.workers_up
            } else {
                &mut status.workers_down
            }) += 1;
        }
        let fault = |(number, fault): (u64, &Fault)| (number, fault.kind, self.stage.concerned(number));
        status.faults = self.stage.faults().map(fault).collect();
        status
    }
}
