//! Permissions, each tried: what is allowed brings an answer of a service or the server's 503, and what is denied is
//! reported by the server.

use std::time::Duration;

use anyhow::Context;
use async_nats::Client;
use link::{Inbox, Link, Reply};
use protocol::ServicePrefix;
use tokio::time::{Instant, timeout_at};

/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_millis(300);

/// How long the server is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long after its PONG an error of the server may take through this program.
const SETTLING: Duration = Duration::from_millis(200);

/// How often the round trip is measured.
const TRIPS: usize = 5;

/// The name of the service and the instance that requests are addressed to. None has it, so the server answers.
const UNUSED_NAME: &str = "metrics-doctor";

/// What came of the request to one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Something answered, be it the server itself; or the server went on without an error.
    Allowed,
    /// The server denied it.
    Denied,
    /// Nothing came, not even from the server.
    Silent,
}

/// What came of all attempts.
#[derive(Debug)]
pub(super) struct Attempts {
    /// The request to all services.
    pub(super) stats: Outcome,
    /// Requests to single instances.
    pub(super) stats_of_one: Outcome,
    /// Requests for descriptions.
    pub(super) info: Outcome,
    /// The subscription to replies.
    pub(super) inbox: Outcome,
    /// How long an answer of the server takes, if one came.
    pub(super) round_trip: Option<Duration>,
}

/// Tries everything that the collector needs to ask.
///
/// # Errors
/// Where the connection is closed.
pub(super) async fn all(link: &Link, client: &Client, prefix: &ServicePrefix) -> anyhow::Result<Attempts> {
    let mut trying = Trying {
        link,
        client,
        inbox: Inbox::open(client)
            .await
            .context("failed to subscribe to an inbox")?,
        number: 0,
        is_answered: false,
    };
    let stats = trying.publish(prefix.stats()).await?;
    let of_one = prefix
        .stats_of(UNUSED_NAME, UNUSED_NAME)
        .context("the name fits into a subject")?;
    let stats_of_one = trying.publish(of_one).await?;
    let whole = prefix
        .info_of_service(UNUSED_NAME)
        .context("the name fits into a subject")?;
    let single = prefix
        .info_of(UNUSED_NAME, UNUSED_NAME)
        .context("the name fits into a subject")?;
    let info = match trying.publish(whole).await? {
        Outcome::Allowed => trying.publish(single).await?,
        other => other,
    };
    let inbox = match link.denials().inbox {
        true => Outcome::Denied,
        false if trying.is_answered => Outcome::Allowed,
        false => Outcome::Silent,
    };
    let round_trip = trying.round_trip().await;
    Ok(Attempts {
        stats,
        stats_of_one,
        info,
        inbox,
        round_trip,
    })
}

struct Trying<'a> {
    link: &'a Link,
    client: &'a Client,
    inbox: Inbox,
    number: u64,
    /// Whether any reply came.
    is_answered: bool,
}

impl Trying<'_> {
    async fn publish(&mut self, subject: String) -> anyhow::Result<Outcome> {
        let number = self.ask(&subject).await?;
        if self.is_decided(&subject, number, ANSWER).await {
            return Ok(self.outcome(&subject));
        }
        // Something listens and does not answer. The server reports what it denies before it answers a PING.
        if !self.link.check(PATIENCE).await {
            return Ok(Outcome::Silent);
        }
        self.is_decided(&subject, number, SETTLING).await;
        Ok(self.outcome(&subject))
    }

    fn outcome(&self, subject: &str) -> Outcome {
        match self.link.denials().publish.contains(subject) {
            true => Outcome::Denied,
            false => Outcome::Allowed,
        }
    }

    /// Waits for an answer, or for the server's denial.
    async fn is_decided(&mut self, subject: &str, number: u64, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut changes = self.link.clone();
        let mut replies: Vec<Reply> = Vec::new();
        loop {
            self.is_answered |= !replies.is_empty();
            let is_answer = |reply: &Reply| reply.round == Some(number);
            if self.link.denials().publish.contains(subject) || replies.iter().any(is_answer) {
                return true;
            }
            replies.clear();
            let next = async {
                tokio::select! {
                    _ = self.inbox.next_batch(&mut replies) => {}
                    () = changes.changed() => {}
                }
            };
            if timeout_at(until, next).await.is_err() {
                return false;
            }
        }
    }

    /// The shortest of a few PINGs: what comes on top is this program's own.
    async fn round_trip(&self) -> Option<Duration> {
        let mut shortest = None;
        for _ in 0..TRIPS {
            let asked = Instant::now();
            if self.link.check(PATIENCE).await {
                let trip = asked.elapsed();
                shortest = Some(shortest.map_or(trip, |known: Duration| known.min(trip)));
            }
        }
        shortest
    }

    async fn ask(&mut self, subject: &str) -> anyhow::Result<u64> {
        self.number += 1;
        let reply_to = self.inbox.subject(self.number);
        let sent = self
            .client
            .publish_with_reply(subject.to_owned(), reply_to, "".into());
        sent.await
            .with_context(|| format!("failed to publish to {subject}"))?;
        Ok(self.number)
    }
}
