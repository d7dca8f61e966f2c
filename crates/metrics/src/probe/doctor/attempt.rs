//! Permissions, each tried: what is allowed brings an answer of a service or the server's 503, and what is denied is
//! reported by the server.

use std::time::Duration;

use anyhow::Context;
use async_nats::Client;
use link::{Inbox, Link, Reply};
use protocol::subject;
use tokio::time::{Instant, timeout_at};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often the round trip is measured.
const TRIPS: usize = 5;

/// The service and the instance that requests are addressed to; none has this name, so that the server answers.
const NOBODY: &str = "metrics-doctor";

/// What came of the request to one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Something answered, be it the server itself.
    Allowed,
    /// The server denied it.
    Denied,
    /// Neither came.
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
pub(super) async fn all(link: &Link, client: &Client) -> anyhow::Result<Attempts> {
    let mut trying = Trying {
        link,
        client,
        inbox: Inbox::open(client)
            .await
            .context("failed to subscribe to an inbox")?,
        number: 0,
    };
    let stats = trying.publish(subject::STATS.to_owned()).await?;
    let of_one = subject::stats_of(NOBODY, NOBODY).context("the name fits into a subject")?;
    let stats_of_one = trying.publish(of_one.clone()).await?;
    let whole = subject::info_of_service(NOBODY).context("the name fits into a subject")?;
    let single = subject::info_of(NOBODY, NOBODY).context("the name fits into a subject")?;
    let info = match trying.publish(whole).await? {
        Outcome::Allowed => trying.publish(single).await?,
        other => other,
    };
    let is_answered = [stats, stats_of_one, info].contains(&Outcome::Allowed);
    let inbox = match link.denials().inbox {
        true => Outcome::Denied,
        false if is_answered => Outcome::Allowed,
        false => Outcome::Silent,
    };
    let round_trip = match stats_of_one {
        Outcome::Allowed => trying.round_trip(of_one).await?,
        _ => None,
    };
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
}

impl Trying<'_> {
    async fn publish(&mut self, subject: String) -> anyhow::Result<Outcome> {
        let until = Instant::now() + PATIENCE;
        let number = self.ask(&subject).await?;
        let mut changes = self.link.clone();
        let mut replies: Vec<Reply> = Vec::new();
        loop {
            let denials = self.link.denials();
            if denials.publish.contains(&subject) {
                return Ok(Outcome::Denied);
            }
            let is_answer = |reply: &Reply| reply.round == Some(number);
            if replies.iter().any(is_answer) {
                return Ok(Outcome::Allowed);
            }
            replies.clear();
            let next = async {
                tokio::select! {
                    _ = self.inbox.next_batch(&mut replies) => {}
                    () = changes.changed() => {}
                }
            };
            if timeout_at(until, next).await.is_err() {
                return Ok(Outcome::Silent);
            }
        }
    }

    /// The median of a few.
    async fn round_trip(&mut self, subject: String) -> anyhow::Result<Option<Duration>> {
        let mut trips = Vec::with_capacity(TRIPS);
        let mut replies: Vec<Reply> = Vec::new();
        let until = Instant::now() + PATIENCE;
        for _ in 0..TRIPS {
            let asked = Instant::now();
            let number = self.ask(&subject).await?;
            replies.clear();
            while !replies.iter().any(|reply| reply.round == Some(number)) {
                if timeout_at(until, self.inbox.next_batch(&mut replies))
                    .await
                    .is_err()
                {
                    return Ok(None);
                }
            }
            trips.push(asked.elapsed());
        }
        trips.sort_unstable();
        Ok(trips.get(TRIPS / 2).copied())
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
