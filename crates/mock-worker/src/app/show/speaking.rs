//! What workers say: answers to the micro protocol, and events.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::Subject;
use bytes::Bytes;
use protocol::subject::ServiceRequest;

use super::Show;
use crate::app::Out;
use crate::reply::{Identity, is_silent};

/// How many replies are handed to a connection at once: it sends the first while the next are written.
const BATCH: usize = 256;

impl Show {
    pub(super) async fn answer_verb(
        &mut self,
        line: usize,
        subject: &Subject,
        reply: Subject,
    ) -> anyhow::Result<()> {
        let Some(request) = ServiceRequest::read(subject, &self.service_prefix) else {
            return Ok(());
        };
        let verb = request.verb.to_owned();
        let is_asked = |worker: &usize| {
            let Identity {
                service, instance, ..
            } = &self.identities[*worker];
            self.stage.connection(*worker) == line && request.is_for(service, instance)
        };
        // A collector asks each of ten thousand by name; the others need not be looked at then.
        let asked: Vec<usize> = match request.instance {
            Some(instance) => self
                .instances
                .get(instance)
                .copied()
                .filter(is_asked)
                .into_iter()
                .collect(),
            None => (0..self.stage.len()).filter(is_asked).collect(),
        };
        self.catch_up_to_answer();
        if verb == "STATS" && self.lines.iter().position(Option::is_some) == Some(line) {
            self.record_cut_off()?;
        }
        for worker in asked {
            match verb.as_str() {
                "STATS" => self.say_stats(worker, line, &reply)?,
                "INFO" | "PING" => self.say_who(worker, &verb),
                _ => {}
            }
            if self.batch.len() >= BATCH {
                self.send_batch(line, &reply).await?;
            }
        }
        self.send_batch(line, &reply).await
    }

    /// Those behind closed connections are asked in vain, and the truth has that as it has every other silence: else
    /// their last words would look as if they had been sent just now.
    fn record_cut_off(&mut self) -> anyhow::Result<()> {
        if self.truth.is_none() || self.voice.shape.is_none() || self.lines.iter().all(Option::is_some) {
            return Ok(());
        }
        for worker in 0..self.stage.len() {
            // Such a worker has a fault for which it is silent, so nothing is added to the batch.
            if !self.stage.is_connected(worker) {
                let nowhere = Subject::from_static("");
                self.say_stats(worker, self.stage.connection(worker), &nowhere)?;
            }
        }
        Ok(())
    }

    /// The reply of one worker: into the truth first, then into the batch.
    fn say_stats(&mut self, worker: usize, line: usize, reply: &Subject) -> anyhow::Result<()> {
        let sample = self.stage.sample(worker);
        let identity = &self.identities[worker];
        let buffer = &mut self.batch.buffer;
        let start = buffer.len();
        let outcome = self.voice.stats(identity, &sample, buffer);
        // Where replies have no load, the truth is about events alone.
        if let Some(truth) = self.truth.as_mut().filter(|_| self.voice.shape.is_some()) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let spoiled = self.voice.spoiled_identity(identity, &sample);
            let claimed = spoiled.map(|identity| identity.claimed);
            let data = outcome.data.clone().map(|data| &buffer[data]);
            truth.write(&sample, claimed, data, Some(now.as_secs_f64()))?;
        }
        if !outcome.is_sent {
            return Ok(());
        }
        if outcome.delay.0 > 0 {
            let out = Out {
                subject: reply.clone(),
                reply: None,
                headers: None,
                payload: Bytes::copy_from_slice(&buffer[start..]),
            };
            buffer.truncate(start);
            let due = self.stage.now().saturating_add(outcome.delay.0);
            self.tickets += 1;
            let copies = vec![out; outcome.times as usize];
            self.late.insert((due, self.tickets), (line, copies));
        } else {
            self.batch.add(start, outcome.times);
        }
        self.status.replies_sent += u64::from(outcome.times);
        Ok(())
    }

    fn say_who(&mut self, worker: usize, verb: &str) {
        let sample = self.stage.sample(worker);
        if !self.stage.is_up(worker) || is_silent(&sample) {
            return;
        }
        let spoiled = self.voice.spoiled_identity(&self.identities[worker], &sample);
        let identity = spoiled.as_ref().unwrap_or(&self.identities[worker]);
        let start = self.batch.buffer.len();
        match verb {
            "INFO" => self.voice.info(identity, &mut self.batch.buffer),
            _ => self.voice.ping(identity, &mut self.batch.buffer),
        }
        self.batch.add(start, 1);
    }

    pub(super) fn publish_events(&mut self) {
        let mut outgoing: Vec<Vec<Out>> = vec![Vec::new(); self.lines.len()];
        let has_faults = self.stage.faults().any(|(_, fault)| fault.kind.is_about_events());
        for event in std::mem::take(&mut self.journal.hits) {
            if !self.scenario.hit_events {
                continue;
            }
            let line = &mut outgoing[self.stage.connection(event.worker)];
            let sample = has_faults.then(|| self.stage.sample(event.worker));
            let faults = sample.as_ref().map_or(&[][..], |sample| &sample.faults);
            self.events
                .hit_rate(event, self.stage.id(event.worker), faults, line);
        }
        if let Some(changed) = &mut self.changed {
            let now = Duration::from_nanos(self.stage.now());
            let load = |worker: usize| self.stage.sample(worker).reported.load;
            for (worker, load) in changed.due(now, load) {
                outgoing[self.stage.connection(worker)].push(self.events.load(self.stage.id(worker), &load));
            }
        }
        for (line, out) in outgoing.into_iter().enumerate() {
            self.send(line, out);
        }
    }

    pub(super) fn send_late(&mut self) {
        let now = self.stage.now();
        while let Some(entry) = self.late.first_entry().filter(|entry| entry.key().0 <= now) {
            let (line, out) = entry.remove();
            self.send(line, out);
        }
    }

    /// Sends the replies that were written, and waits until the connection takes them.
    async fn send_batch(&mut self, line: usize, reply: &Subject) -> anyhow::Result<()> {
        // What is sent must be in the truth before a client can read it, and what is not sent is there too.
        if let Some(truth) = &mut self.truth {
            truth.flush()?;
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        let out = self.batch.take(reply);
        let size = out.len() as u64;
        let is_taken = match self.lines.get(line).and_then(Option::as_ref) {
            Some(line) => line.send_in_turn(out).await,
            None => false,
        };
        if !is_taken {
            self.lose(size);
        }
        Ok(())
    }
}
