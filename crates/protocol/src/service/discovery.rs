//! [`Discovery`]: the task that answers `PING`, `INFO` and `STATS` for a worker.
//!
//! It is not async-nats' own, which has four faults that hide a worker: it ends with the first reply that is not
//! published, for example one above `max_payload`; it calls the stats handler under the mutex that every answered request takes;
//! it is not heard when it ends; and it knows no other prefix than `$SRV`. Here nothing ends the task but the end of the
//! connection, and the worker learns of that.

use std::sync::Arc;
use std::time::Instant;

use async_nats::{Client, Message, Subject, Subscriber};
use futures_util::future::BoxFuture;
use futures_util::stream::{SelectAll, StreamExt, select_all};
use futures_util::{FutureExt, future};
use serde_json::Value;
use tracing::{debug, warn};

use super::answers::{Answer, Identity};
use super::load::LoadSource;
use super::seldom::Seldom;
use crate::ServicePrefix;
use crate::subject::ServiceRequest;
use crate::text::causes;

/// Answers what asks for the worker.
pub(super) struct Discovery {
    pub(super) client: Client,
    pub(super) prefix: ServicePrefix,
    pub(super) identity: Arc<Identity>,
    pub(super) load: LoadSource,
    requests: SelectAll<Subscriber>,
    /// Who waits for the load that is being read.
    waiting: Vec<Subject>,
    warnings: Seldom,
}

impl Discovery {
    /// Subscribes to all that asks for this instance.
    ///
    /// # Errors
    /// The connection is closed.
    pub(super) async fn subscribe(
        client: Client,
        prefix: ServicePrefix,
        identity: Arc<Identity>,
        load: LoadSource,
    ) -> Result<Self, async_nats::SubscribeError> {
        let subjects = prefix.asked_of(&identity.service, &identity.instance);
        let subscribing = subjects.into_iter().map(|subject| client.subscribe(subject));
        let requests = select_all(future::try_join_all(subscribing).await?);
        Ok(Self {
            client,
            prefix,
            identity,
            load,
            requests,
            waiting: Vec::new(),
            warnings: Seldom::default(),
        })
    }

    /// Answers until the connection is closed.
    pub(super) async fn run(mut self) {
        let mut reading: Option<BoxFuture<'static, Value>> = None;
        loop {
            let read = async {
                match &mut reading {
                    Some(reading) => reading.await,
                    None => future::pending().await,
                }
            };
            tokio::select! {
                biased;
                data = read => {
                    reading = None;
                    for reply in std::mem::take(&mut self.waiting) {
                        self.answer_stats(reply, &data).await;
                    }
                }
                request = self.requests.next() => match request {
                    Some(request) => self.answer(request, &mut reading).await,
                    None => return,
                },
            }
        }
    }

    async fn answer(&mut self, request: Message, reading: &mut Option<BoxFuture<'static, Value>>) {
        // Without a reply subject there is nothing to answer to.
        let Some(reply) = request.reply else { return };
        let verb = ServiceRequest::read(&request.subject, &self.prefix).map(|request| request.verb);
        let max_payload = self.client.max_payload();
        match verb {
            Some("PING") => self.send(reply, "PING", self.identity.ping(max_payload)).await,
            Some("INFO") => self.send(reply, "INFO", self.identity.info(max_payload)).await,
            Some("STATS") if reading.is_some() => self.waiting.push(reply),
            Some("STATS") => {
                let mut load = self.load.read(&self.identity.endpoints[0].subject, max_payload);
                // Load that is at hand is answered at once.
                match (&mut load).now_or_never() {
                    Some(data) => self.answer_stats(reply, &data).await,
                    None => {
                        self.waiting.push(reply);
                        *reading = Some(load);
                    }
                }
            }
            _ => {}
        }
    }

    async fn answer_stats(&self, reply: Subject, data: &Value) {
        let answer = self.identity.stats(data, self.client.max_payload());
        self.send(reply, "STATS", answer).await;
    }

    async fn send(&self, reply: Subject, verb: &str, answer: Option<Answer>) {
        let left_out = answer
            .as_ref()
            .map_or(Some("everything"), |answer| answer.left_out);
        if let Some(part) = left_out
            && let Some(repeated) = self.warnings.admit(Instant::now())
        {
            warn!(
                worker = %self.identity.endpoints[0].subject, verb, left_out = part, repeated,
                "a reply is above the server's max_payload of {} bytes", self.client.max_payload()
            );
        }
        let Some(answer) = answer else { return };
        if let Err(error) = self.client.publish(reply, answer.bytes.into()).await {
            debug!(
                error = causes(&error),
                "a reply to a {verb} request was not published"
            );
        }
    }
}
