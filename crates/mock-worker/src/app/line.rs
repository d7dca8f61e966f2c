//! [`Line`]: one NATS connection that speaks for many workers.
//!
//! It subscribes once to each level of the micro protocol, once to all endpoints of the service, and once to an inbox
//! where the server says that a caller has gone. What is to be sent goes through a task of its own, in order, as fast as
//! the connection takes it or as slowly as was asked for.

use std::time::Duration;

use anyhow::Context;
use async_nats::{Client, HeaderMap, Message, Subject};
use bytes::Bytes;
use futures_util::StreamExt;
use link::Link;
use protocol::subject::endpoints_of;
use protocol::text::causes;
use protocol::{ServiceName, ServicePrefix};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

/// Batches that may wait for the connection; what comes on top is lost, and counted.
const BACKLOG: usize = 256;

/// How many messages are sent before the pace is looked at.
const PACED: u32 = 64;

/// How long the server may take to show that it knows our subscriptions.
pub(super) const CONFIRMATION: Duration = Duration::from_secs(2);

/// How long it may take to close a connection, past a deadline too.
pub(super) const CLOSING: Duration = Duration::from_millis(500);

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct Out {
    /// Where to.
    pub subject: Subject,
    /// Where the server may say that no client hears it.
    pub reply: Option<Subject>,
    /// Headers, if any.
    pub headers: Option<HeaderMap>,
    /// What.
    pub payload: Bytes,
}

/// What came in.
#[derive(Debug)]
pub(super) struct Heard {
    /// On which line.
    pub(super) line: usize,
    /// As what.
    pub(super) what: What,
    /// The message.
    pub(super) message: Message,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A request of the micro protocol.
    Verb,
    /// A request to an endpoint of the service.
    Request,
    /// No client heard a part of an answer.
    Unheard,
}

/// One connection.
#[derive(Debug)]
pub struct Line {
    link: Link,
    client: Client,
    inbox: String,
    outbox: mpsc::Sender<Vec<Out>>,
    sending: JoinHandle<()>,
    listening: JoinSet<()>,
    is_confirmed: bool,
}

impl Line {
    /// A line that only sends, on this link and its client.
    pub fn new(link: Link, client: Client, per_second: Option<u32>) -> Self {
        let (outbox, batches) = mpsc::channel(BACKLOG);
        Self {
            link,
            inbox: client.new_inbox(),
            sending: tokio::spawn(send(client.clone(), batches, per_second)),
            client,
            outbox,
            listening: JoinSet::new(),
            is_confirmed: true,
        }
    }

    /// Subscribes, and hands on what is heard as that of line `number`. When this returns, the server knows it, unless it
    /// [does not say so](Self::is_confirmed).
    pub(super) async fn listen(
        &mut self,
        number: usize,
        (prefix, service): (&ServicePrefix, &ServiceName),
        hear: &mpsc::Sender<Heard>,
    ) -> anyhow::Result<()> {
        let verbs = prefix.levels().map(|level| (level, What::Verb));
        let endpoints = (endpoints_of(service), What::Request);
        let unheard = (format!("{}.*", self.inbox), What::Unheard);
        for (subject, what) in verbs.into_iter().chain([endpoints, unheard]) {
            let subscribing = self.client.subscribe(subject.clone()).await;
            let mut messages = subscribing.with_context(|| format!("failed to subscribe to {subject}"))?;
            let hear = hear.clone();
            self.listening.spawn(async move {
                while let Some(message) = messages.next().await {
                    let heard = Heard {
                        line: number,
                        what,
                        message,
                    };
                    if hear.send(heard).await.is_err() {
                        break;
                    }
                }
            });
        }
        // A flush only means that the bytes are on their way; what comes back shows that the server has read them.
        let echo = self.client.new_inbox();
        let mut echoes = self
            .client
            .subscribe(echo.clone())
            .await
            .context("failed to subscribe")?;
        self.client
            .publish(echo.clone(), Bytes::new())
            .await
            .context("failed to publish")?;
        let mut link = self.link.clone();
        self.is_confirmed = tokio::select! {
            echoed = timeout_at(Instant::now() + CONFIRMATION, echoes.next()) => echoed.is_ok(),
            // The server has read what came before the message that it refuses.
            () = link.failed_or_refused(&echo) => true,
        };
        Ok(())
    }

    /// Whether the server has shown that it has read all subscriptions.
    pub(super) fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    /// Subjects to which the server let this connection not subscribe.
    pub(super) fn refused(&self) -> impl Iterator<Item = String> {
        self.link.denials().subscribe.into_iter()
    }

    /// Where the server says that no client hears the answer with this ticket.
    pub(super) fn inbox_of(&self, ticket: u64) -> Subject {
        format!("{}.{ticket}", self.inbox).into()
    }

    /// Takes a batch to be sent; false where it is lost, because the connection is away or does not keep up.
    pub fn send(&self, batch: Vec<Out>) -> bool {
        self.link.is_connected() && self.outbox.try_send(batch).is_ok()
    }

    /// Waits until the connection takes a batch; false where it is away.
    pub async fn send_in_turn(&self, batch: Vec<Out>) -> bool {
        self.link.is_connected() && self.outbox.send(batch).await.is_ok()
    }

    /// Waits until the connection has taken all batches; of the last one it may still be sending a part.
    pub async fn taken(&self) {
        // Their places are free again then.
        let _ = self.outbox.reserve_many(BACKLOG).await;
    }

    /// Sends what is waiting to be sent, until `deadline`, and closes the connection.
    pub async fn close(self, deadline: Instant) {
        let Self {
            link,
            outbox,
            mut sending,
            mut listening,
            ..
        } = self;
        drop(outbox);
        if !link.is_connected() || timeout_at(deadline, &mut sending).await.is_err() {
            sending.abort();
        }
        listening.abort_all();
        let left = deadline.saturating_duration_since(Instant::now());
        link.close(left.max(CLOSING)).await;
    }
}

async fn send(client: Client, mut batches: mpsc::Receiver<Vec<Out>>, per_second: Option<u32>) {
    let mut pace = per_second.map(Pace::new);
    while let Some(batch) = batches.recv().await {
        for out in batch {
            if let Some(pace) = &mut pace {
                pace.wait().await;
            }
            let Out {
                subject,
                reply,
                headers,
                payload,
            } = out;
            let sent = match (reply, headers) {
                (None, None) => client.publish(subject, payload).await,
                (Some(reply), None) => client.publish_with_reply(subject, reply, payload).await,
                (None, Some(headers)) => client.publish_with_headers(subject, headers, payload).await,
                (Some(reply), Some(headers)) => {
                    client
                        .publish_with_reply_and_headers(subject, reply, headers, payload)
                        .await
                }
            };
            if let Err(error) = sent {
                debug!(error = causes(&error), "a message was not sent");
            }
        }
    }
}

/// Lets so many messages pass in a second, in small bursts: a timer for each would be coarser than the pace.
#[derive(Debug)]
struct Pace {
    burst: u32,
    pause: Duration,
    next: Instant,
    left: u32,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        let burst = PACED.min(per_second.div_ceil(20));
        Self {
            burst,
            pause: Duration::from_secs(1) * burst / per_second,
            next: Instant::now(),
            left: burst,
        }
    }

    async fn wait(&mut self) {
        if self.left == 0 {
            sleep_until(self.next).await;
            self.left = self.burst;
        }
        if self.left == self.burst {
            // From when it was due and not from now, for timers ring late; what was not used for long is lost.
            let now = Instant::now();
            let due = if now > self.next + self.pause {
                now
            } else {
                self.next
            };
            self.next = due + self.pause;
        }
        self.left -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn messages_pass_at_the_pace_that_was_asked_for_and_in_small_bursts() {
        for per_second in [1, 7, 100, 10_000] {
            let mut pace = Pace::new(per_second);
            let started = Instant::now();
            for _ in 0..5 * per_second {
                pace.wait().await;
            }
            let took = started.elapsed().as_secs_f64();
            assert!((3.9..=5.0).contains(&took), "{per_second} a second: {took} s");
            assert!(pace.burst <= PACED && pace.burst <= per_second.div_ceil(20));
        }
    }
}
