//! [`Asking`]: requests to workers, one by one or to all of them.

use std::time::Duration;

use anyhow::Context;
use async_nats::{Client, Message, Request, RequestErrorKind};
use futures_util::StreamExt;
use protocol::ServicePrefix;
use tokio::time::{Instant, timeout_at};

/// A pause between replies that ends a look at all services.
const PAUSE: Duration = Duration::from_millis(500);

/// How long an answer to a request at an endpoint may take.
pub(super) const WORK: Duration = Duration::from_secs(30);

/// More replies than this are not looked at.
const MOST_REPLIES: usize = 100_000;

/// What asks.
pub(super) struct Asking {
    pub(super) client: Client,
    pub(super) prefix: ServicePrefix,
    /// How long an answer may take.
    pub(super) timeout: Duration,
}

/// What became of a request to one worker.
#[derive(Debug)]
pub(super) enum Answer {
    Message(Message),
    /// The server reports that nothing listens.
    NobodyThere,
    Silence,
}

impl Asking {
    pub(super) fn new(client: Client, prefix: ServicePrefix, timeout: Duration) -> Self {
        Self {
            client,
            prefix,
            timeout,
        }
    }

    /// All replies to an empty message.
    pub(super) async fn all(&self, subject: String) -> anyhow::Result<Vec<Message>> {
        let inbox = self.client.new_inbox();
        let mut replies = self.client.subscribe(inbox.clone()).await?;
        self.client
            .publish_with_reply(subject, inbox, Vec::new().into())
            .await?;
        self.client.flush().await?;
        let deadline = Instant::now() + self.timeout;
        let mut found = Vec::new();
        while found.len() < MOST_REPLIES {
            let pause = if found.is_empty() { self.timeout } else { PAUSE };
            let next = deadline.min(Instant::now() + pause);
            match timeout_at(next, replies.next()).await {
                Ok(Some(message)) if message.status.is_some() => break,
                Ok(Some(message)) => found.push(message),
                Ok(None) => anyhow::bail!("the connection is closed"),
                Err(_) => break,
            }
        }
        Ok(found)
    }

    /// One worker's answer to an empty message of the micro protocol.
    pub(super) async fn one(&self, subject: String) -> anyhow::Result<Answer> {
        self.ask(subject, "", self.timeout).await
    }

    /// One worker's answer to a request at its endpoint, which may be work.
    pub(super) async fn serve(&self, subject: String, payload: &str) -> anyhow::Result<Answer> {
        self.ask(subject, payload, WORK).await
    }

    async fn ask(&self, subject: String, payload: &str, timeout: Duration) -> anyhow::Result<Answer> {
        let request = Request::new()
            .payload(payload.to_owned().into())
            .timeout(Some(timeout));
        match self.client.send_request(subject, request).await {
            Ok(message) => Ok(Answer::Message(message)),
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => Ok(Answer::NobodyThere),
                RequestErrorKind::TimedOut => Ok(Answer::Silence),
                _ => Err(error).context("failed to send a request"),
            },
        }
    }
}

impl Answer {
    pub(super) fn into_payload(self) -> Option<bytes::Bytes> {
        match self {
            Self::Message(message) => Some(message.payload),
            Self::NobodyThere | Self::Silence => None,
        }
    }
}
