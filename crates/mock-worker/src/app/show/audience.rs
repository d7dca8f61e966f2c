//! Requests from outside: taken in, followed while they run, and ended when their callers go away.

use async_nats::Subject;
use bytes::Bytes;
use sim::{Change, Progress};
use tracing::debug;

use super::Show;
use crate::app::callers::{Asked, Caller, failure};

impl Show {
    pub(super) fn take_request(
        &mut self,
        line: usize,
        subject: &Subject,
        reply: Option<Subject>,
        payload: &Bytes,
    ) {
        // Other processes have workers of this service, too.
        let Some(&worker) = self.places.get(subject.as_str()) else {
            return;
        };
        if self.stage.connection(worker) != line || !self.stage.is_up(worker) {
            return;
        }
        let refuse = |code, reason: &str| {
            reply
                .clone()
                .map(|reply| failure(reply, code, reason))
                .into_iter()
                .collect()
        };
        let asked = match Asked::read(payload) {
            Ok(asked) => asked,
            Err(reason) => return self.send(line, refuse(400, &reason)),
        };
        if self.is_stopping {
            return self.send(line, refuse(503, "the worker is shutting down"));
        }
        self.catch_up_to_answer();
        self.tickets += 1;
        let ticket = self.tickets;
        let (input, output) = (asked.input, asked.output);
        let before = self.stage.sample(worker).truth.counters;
        self.stage.request(
            worker,
            Change::Submit {
                input,
                output,
                ticket,
            },
            &mut self.journal,
        );
        if self.stage.progress(worker, ticket) == Progress::Gone {
            let reason = match self.stage.sample(worker).truth.counters.unservable > before.unservable {
                true => "the request is larger than the worker's KV-cache",
                false => "the queue is full",
            };
            return self.send(line, refuse(503, reason));
        }
        let caller = Caller::new(asked, worker, line, before.restarts, reply);
        self.callers.insert(ticket, caller);
    }

    /// The server says that no client hears a part of an answer: the caller has gone.
    pub(super) fn unheard(&mut self, message: &async_nats::Message) {
        let ticket = message
            .subject
            .rsplit('.')
            .next()
            .and_then(|ticket| ticket.parse().ok());
        let Some((ticket, caller)) = ticket.and_then(|ticket| Some((ticket, self.callers.remove(&ticket)?)))
        else {
            return;
        };
        self.stage
            .request(caller.worker, Change::Cancel { ticket }, &mut self.journal);
        debug!(worker = %self.stage.id(caller.worker), "a caller has gone, and its request is cancelled");
    }

    pub(super) fn feed_callers(&mut self) {
        let tickets: Vec<u64> = self.callers.keys().copied().collect();
        for ticket in tickets {
            let caller = self.callers.get_mut(&ticket).expect("its ticket is listed");
            let (worker, number) = (caller.worker, caller.line);
            let mut out = Vec::new();
            let Some(line) = self.lines.get(number).and_then(Option::as_ref) else {
                // Its connection is closed: whoever called hears nothing more.
                self.callers.remove(&ticket);
                continue;
            };
            let heard = line.inbox_of(ticket);
            match self.stage.progress(worker, ticket) {
                Progress::Underway { tokens } => caller.parts(tokens, &heard, &mut out),
                Progress::Gone => {
                    let caller = self.callers.remove(&ticket).expect("it was there");
                    let is_alive = self.stage.is_up(worker)
                        && self.stage.sample(worker).truth.counters.restarts == caller.restarts;
                    match is_alive {
                        true => caller.finish(&heard, &mut out),
                        false => caller.fail(503, "the worker is gone", &mut out),
                    }
                }
            }
            self.send(number, out);
        }
    }
}
