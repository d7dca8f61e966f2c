//! One round: ask every service for its statistics, collect the replies, know when to stop.
//!
//! The reader only receives and decodes; what a reply means is decided later, by `intake`. The inbox of a round
//! stays open until the next one begins, so that newcomers and late replies still arrive.

mod window;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Message, StatusCode, Subscriber};
use futures_util::{FutureExt, StreamExt};
use protocol::{StatsReply, subject};
use tokio::time::Instant;
use tracing::warn;

use crate::connect::Link;
use crate::fleet::{Arrival, MaybeReply};

pub use window::{Finish, MIN_STALL, RoundState, Slowest, Verdict, verdict};

/// How often unreadable replies are complained about.
const COMPLAIN_AFTER: Duration = Duration::from_secs(60);

/// Runs rounds on one connection.
#[derive(Debug)]
pub struct Gatherer {
    client: Client,
    link: Link,
    deadline: Duration,
    stall: Duration,
    slowest: Slowest,
    open: Option<OpenInbox>,
    complained: Option<Instant>,
}

/// What is waited for: one endpoint of one service instance. The instance's id alone would not do, for any service may
/// claim any id.
pub type Expected = (Arc<str>, Arc<str>);

/// What a round brought.
#[derive(Debug)]
pub struct Round {
    /// The replies in the order in which they came, `None` for one that cannot be read.
    pub replies: Vec<MaybeReply>,
    /// Why the round ended.
    pub finish: Finish,
    /// From the request to the end.
    pub duration: Duration,
    /// Replies to the round before that came while this one ran.
    pub late: Vec<(MaybeReply, Arrival)>,
    /// Why the request could not be made, where it could not.
    pub error: Option<String>,
}

#[derive(Debug)]
struct OpenInbox {
    inbox: Subscriber,
    expected: HashSet<Expected>,
    answered: HashSet<Expected>,
    asked_at: Instant,
}

impl Gatherer {
    /// Rounds on `client` that last at most `deadline`, and end when nothing came for `stall` or longer.
    pub fn new(client: Client, link: Link, deadline: Duration, stall: Duration) -> Self {
        Self {
            client,
            link,
            deadline,
            stall,
            slowest: Slowest::default(),
            open: None,
            complained: None,
        }
    }

    /// Runs one round. `expected` are the instances after whose replies nothing more is waited for.
    pub async fn round(&mut self, expected: HashSet<Expected>) -> Round {
        let previous = self.open.take();
        let started = Instant::now();
        let mut link = self.link.clone();
        link.mark_seen();
        let mut inbox = match self.ask().await {
            Ok(inbox) => inbox,
            Err(error) => {
                let error = Some(error.to_string());
                return Round {
                    replies: Vec::new(),
                    finish: Finish::Error,
                    duration: started.elapsed(),
                    late: Vec::new(),
                    error,
                };
            }
        };
        let mut state = RoundState {
            started,
            deadline: self.deadline,
            stall: self.stall,
            patience: self.slowest.patience(),
            last_reply: None,
            expected: expected.len(),
            answered: 0,
            no_responders: false,
            failed: false,
        };
        let mut replies = Vec::new();
        let mut answered: HashSet<Expected> = HashSet::new();
        let mut latest = Duration::ZERO;
        let finish = loop {
            // All that has arrived is taken in before any timer is looked at.
            let wake = match verdict(&state, Instant::now()) {
                Verdict::Over(finish @ (Finish::Stall | Finish::Deadline)) => {
                    // A service that never ceases to reply does not hold the round open.
                    let is_flood = started.elapsed() >= self.deadline * 2;
                    match arrived(&mut inbox) {
                        Some(message) if !is_flood => Some(message),
                        _ => break finish,
                    }
                }
                Verdict::Over(finish) => break finish,
                Verdict::WaitUntil(time) => tokio::select! {
                    biased;
                    message = inbox.next() => match message {
                        Some(message) => Some(message),
                        None => { state.failed = true; None }
                    },
                    () = link.failed_or_refused(subject::STATS) => { state.failed = true; None }
                    () = tokio::time::sleep_until(time) => None,
                },
            };
            let Some(message) = wake else { continue };
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                state.no_responders = true;
                continue;
            }
            let now = Instant::now();
            let reply = decode(&message, &mut self.complained);
            if let Some(reply) = &reply {
                let mut is_expected = false;
                for key in keys(reply) {
                    let awaited = expected.contains(&key);
                    is_expected |= awaited;
                    if answered.insert(key) && awaited {
                        state.answered += 1;
                    }
                }
                if is_expected {
                    latest = now - started;
                }
            }
            state.last_reply = Some(now);
            replies.push(reply);
        };
        if state.answered > 0 {
            self.slowest.learn(latest);
        }
        let late = previous.map_or_else(Vec::new, |inbox| self.drain(inbox));
        self.open = Some(OpenInbox {
            inbox,
            expected,
            answered,
            asked_at: started,
        });
        Round {
            replies,
            finish,
            duration: started.elapsed(),
            late,
            error: link.refusal(subject::STATS),
        }
    }

    /// What has come to the inbox of the round before, which is closed now. Too late to be shown, it is counted.
    fn drain(&mut self, mut previous: OpenInbox) -> Vec<(MaybeReply, Arrival)> {
        let mut late = Vec::new();
        while let Some(message) = arrived(&mut previous.inbox) {
            if message.status.is_some() {
                continue;
            }
            let reply = decode(&message, &mut self.complained);
            let is_new = reply
                .iter()
                .flat_map(|reply| keys(reply))
                .any(|key| previous.answered.insert(key));
            late.push((reply, if is_new { Arrival::Late } else { Arrival::Repeated }));
        }
        late
    }

    /// Waits for a reply to the last round that comes after its end; for ever, if none does.
    pub async fn next_after_round(&mut self) -> (MaybeReply, Arrival) {
        let Some(open) = &mut self.open else {
            return std::future::pending().await;
        };
        let message = loop {
            match open.inbox.next().await {
                Some(message) if message.status.is_none() => break message,
                Some(_) => {}
                None => return std::future::pending().await,
            }
        };
        let reply = decode(&message, &mut self.complained);
        let Some(known) = &reply else {
            return (reply, Arrival::Newcomer);
        };
        let (mut is_new, mut is_expected) = (false, false);
        for key in keys(known) {
            let awaited = open.expected.contains(&key);
            if open.answered.insert(key) {
                is_new = true;
                is_expected |= awaited;
            }
        }
        let arrival = match (is_new, is_expected) {
            (false, _) => Arrival::Repeated,
            (true, false) => Arrival::Newcomer,
            (true, true) => {
                self.slowest.learn(open.asked_at.elapsed());
                Arrival::Late
            }
        };
        (reply, arrival)
    }

    async fn ask(&self) -> Result<Subscriber, async_nats::Error> {
        let inbox = self.client.new_inbox();
        let subscriber = self.client.subscribe(inbox.clone()).await?;
        // Workers built on old runtimes lose their statistics for good when asked without a reply subject.
        self.client
            .publish_with_reply(subject::STATS, inbox, "".into())
            .await?;
        Ok(subscriber)
    }
}

/// A message that is there already. Tokio's budget for one task must not make it look absent.
fn arrived(inbox: &mut Subscriber) -> Option<Message> {
    tokio::task::unconstrained(inbox.next()).now_or_never().flatten()
}

fn keys(reply: &StatsReply) -> impl Iterator<Item = Expected> {
    let id: Arc<str> = Arc::from(reply.id.as_str());
    reply
        .endpoints
        .iter()
        .map(move |endpoint| (id.clone(), Arc::from(endpoint.subject.as_str())))
}

/// Unreadable replies are named in the log once a minute; how many there are, the page says.
fn decode(message: &Message, complained: &mut Option<Instant>) -> MaybeReply {
    let reason = match StatsReply::decode(&message.payload) {
        Ok(reply) => return Some(Arc::new(reply)),
        Err(reason) => reason,
    };
    if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_AFTER) {
        warn!(%reason, bytes = message.payload.len(), "a service sent a reply that cannot be read");
        *complained = Some(Instant::now());
    }
    None
}
