//! Publishing to NATS: the load of each pool as a message, once in each round.
//!
//! It has a connection of its own. On the one over which the collector asks, a server that reads slowly would have to take
//! megabytes of aggregates before the next request. The latest snapshot waits until the server has confirmed the one
//! before; an older one that still waits is dropped.

mod messages;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use clap::ValueEnum;
use fleet::{PoolName, Selector, Snapshot};
use link::{Limiter, Link};
use protocol::subject;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::messages::Messages;
use super::books::Books;
use crate::published::Published;

/// How long the server may take to confirm before that is looked at again.
const CONFIRMATION: Duration = Duration::from_secs(2);

/// How long after its confirmation an error of the server may take through the client.
const SETTLING: Duration = Duration::from_millis(50);

/// How long after a server refused this user it is tried again.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// How often the same line is logged.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How long it may take to close the connection.
const CLOSING: Duration = Duration::from_millis(500);

/// How aggregates are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// The JSON of Dynamo's `metrics` component.
    Upstream,
    /// A MessagePack map with all that is known of a pool and its workers.
    Native,
}

/// What publishes, and how.
#[derive(Debug)]
pub(crate) struct Publisher {
    /// A connection of its own.
    pub(crate) link: Link,
    pub(crate) shape: Shape,
    /// The name of this collector.
    pub(crate) collector: String,
}

/// The subjects to which aggregates of what is selected are published, as patterns.
pub(crate) fn subjects<'a>(selectors: impl IntoIterator<Item = &'a Selector>) -> Vec<String> {
    let mut subjects: Vec<String> = Vec::new();
    for selector in selectors {
        let subject = match selector {
            Selector::Path(path) => subject::aggregate(path),
            Selector::Glob(glob) => {
                let (namespace, component, endpoint) = glob.names();
                subject::aggregates(namespace.as_ref(), component.as_ref(), endpoint.as_ref())
            }
            Selector::Services(_) => continue,
        };
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    subjects
}

/// Publishes until `stop`. Nothing that fails ends it.
pub(super) async fn run(
    publisher: Publisher,
    snapshots: watch::Receiver<Published>,
    books: Arc<Books>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let link = publisher.link.clone();
    let mut publishing = Publishing {
        publisher,
        books,
        limiter: Limiter::new(LOG_INTERVAL),
        violations: 0,
        is_arriving: false,
        has_reported_incomplete: false,
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = publishing.publish_all(snapshots) => {}
    }
    link.close(CLOSING).await;
    Ok(())
}

struct Publishing {
    publisher: Publisher,
    books: Arc<Books>,
    limiter: Limiter<String>,
    /// Denied permissions that are counted.
    violations: u64,
    /// Whether the last snapshot arrived.
    is_arriving: bool,
    has_reported_incomplete: bool,
}

/// A snapshot, and those of its pools that have had a round since they were last published.
struct Due {
    snapshot: Arc<Snapshot>,
    pools: Vec<usize>,
}

/// When the last round of each pool ended.
#[derive(Debug, Default)]
struct Rounds(HashMap<PoolName, Duration>);

impl Rounds {
    /// What is to be published of a snapshot; `None` if no pool had a round that did not fail.
    fn due(&mut self, snapshot: Arc<Snapshot>) -> Option<Due> {
        let is_due = |(index, pool): (usize, &Arc<fleet::PoolView>)| {
            let ended = pool
                .round_ended
                .filter(|_| matches!(pool.name, PoolName::Workers(_)))?;
            (self.0.insert(pool.name.clone(), ended) != Some(ended)).then_some(index)
        };
        let pools: Vec<usize> = snapshot.pools.iter().enumerate().filter_map(is_due).collect();
        if self.0.len() > snapshot.pools.len() {
            self.0
                .retain(|name, _| snapshot.pools.iter().any(|pool| pool.name == *name));
        }
        (!pools.is_empty()).then_some(Due { snapshot, pools })
    }
}

impl Publishing {
    async fn publish_all(&mut self, mut snapshots: watch::Receiver<Published>) {
        self.connect().await;
        let books = Arc::clone(&self.books);
        let mut rounds = Rounds::default();
        let mut waiting: Option<Due> = None;
        loop {
            let Some(due) = waiting.take() else {
                if snapshots.changed().await.is_err() {
                    return std::future::pending().await;
                }
                let latest = Arc::clone(&snapshots.borrow_and_update().snapshot);
                waiting = rounds.due(latest);
                continue;
            };
            books.waiting(0);
            let publishing = self.publish(due);
            tokio::pin!(publishing);
            loop {
                tokio::select! {
                    () = &mut publishing => break,
                    Ok(()) = snapshots.changed() => {
                        let latest = Arc::clone(&snapshots.borrow_and_update().snapshot);
                        if let Some(due) = rounds.due(latest) {
                            books.dropped(u64::from(waiting.replace(due).is_some()));
                            books.waiting(1);
                        }
                    }
                }
            }
        }
    }

    /// Connects, however long it takes. The link logs what is wrong with a server that is away.
    async fn connect(&mut self) {
        while let Err(error) = self.publisher.link.connect().await {
            self.books.failed();
            if let Some(left_out) = self.limiter.admit("refused", Instant::now()) {
                warn!(
                    sink = self.books.sink().as_str(),
                    left_out, "nothing is published to NATS; still trying: {error}"
                );
            }
            sleep(REFUSED_PAUSE).await;
        }
    }

    async fn publish(&mut self, due: Due) {
        let connected = self.publisher.link.client();
        let connected = connected.filter(|_| self.publisher.link.is_connected());
        let is_sent = match connected {
            Some(client) => self.send(&client, due).await,
            None => false,
        };
        if !is_sent {
            self.is_arriving = false;
            self.books.failed();
            self.books.dropped(1);
            if let Some(left_out) = self.limiter.admit("away", Instant::now()) {
                warn!(
                    sink = self.books.sink().as_str(),
                    left_out,
                    "a snapshot was not published: there is no connection to NATS; the next one is tried again"
                );
            }
        }
    }

    /// Publishes what is due and waits for the server's confirmation; false where the connection was lost.
    async fn send(&mut self, client: &Client, due: Due) -> bool {
        let (shape, collector) = (self.publisher.shape, self.publisher.collector.clone());
        let max_payload = client.max_payload();
        let made =
            spawn_blocking(move || Messages::of(&due.snapshot, &due.pools, shape, &collector, max_payload));
        let Ok(messages) = made.await else {
            return false;
        };
        self.report_left_out(&messages, max_payload);
        let link = self.publisher.link.clone();
        for (subject, payload) in messages.ready {
            if client.publish(subject, payload.into()).await.is_err() {
                return false;
            }
        }
        while !link.check(CONFIRMATION).await {
            if !link.is_connected() {
                return false;
            }
        }
        let violations = || link.state().permission_violations;
        let denied = async {
            let mut link = link.clone();
            while violations() == self.violations {
                link.changed().await;
            }
        };
        // Most of the time nothing is denied, and this passes.
        timeout(SETTLING, denied).await.ok();
        let denied = violations().saturating_sub(self.violations);
        self.violations += denied;
        if denied > 0 {
            // The link has logged the permissions that suffice.
            self.is_arriving = false;
            self.books.refused(denied);
        } else if messages.refused == 0 {
            self.books.succeeded();
            if !std::mem::replace(&mut self.is_arriving, true)
                && let Some(left_out) = self.limiter.admit("arriving", Instant::now())
            {
                let sink = self.books.sink().as_str();
                info!(sink, left_out, "pools are published to NATS");
            }
        }
        true
    }

    fn report_left_out(&mut self, messages: &Messages, max_payload: usize) {
        let sink = self.books.sink().as_str();
        if messages.refused > 0 {
            self.is_arriving = false;
            self.books.refused(messages.refused);
            if let Some(left_out) = self.limiter.admit("too large", Instant::now()) {
                let pool = messages.too_large.as_deref().unwrap_or_default();
                let remedy = match self.publisher.shape {
                    Shape::Upstream => {
                        "upstream's form cannot be split: use --publish native, or raise the server's max_payload"
                    }
                    Shape::Native => "raise the server's max_payload",
                };
                warn!(
                    sink,
                    pool,
                    max_payload,
                    left_out,
                    "a pool or a worker is too large for a message and is not published; {remedy}"
                );
            }
        }
        if messages.incomplete > 0 && !std::mem::replace(&mut self.has_reported_incomplete, true) {
            warn!(
                sink,
                workers = messages.incomplete,
                "workers without all numbers of upstream's form are not published; --publish native publishes all"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::sample::{fleet_of, full_pool, snapshot_of};

    fn ended(seconds: &[u64]) -> Arc<Snapshot> {
        let pool = |(number, seconds): (usize, &u64)| {
            let mut pool = full_pool(&format!("a/b/c{number}"), 1);
            pool.round_ended = Some(Duration::from_secs(*seconds));
            pool
        };
        Arc::new(snapshot_of(seconds.iter().enumerate().map(pool).collect()))
    }

    #[test]
    fn each_pool_is_due_once_in_each_round_that_does_not_fail() {
        let mut rounds = Rounds::default();
        let mut due = |snapshot| rounds.due(snapshot).map(|due| due.pools);
        assert_eq!(due(ended(&[1, 1])), Some(vec![0, 1]));
        assert_eq!(due(ended(&[1, 1])), None);
        assert_eq!(due(ended(&[1, 3])), Some(vec![1]));
        assert_eq!(due(ended(&[4])), Some(vec![0]));
        assert_eq!(due(ended(&[4, 3])), Some(vec![1]), "it is back");
        let mut none = fleet_of(&[("a/b/c", 1)]);
        none.pools = none
            .pools
            .iter()
            .map(|_| {
                let mut pool = full_pool("a/b/c", 1);
                pool.round_ended = None;
                Arc::new(pool)
            })
            .collect();
        assert_eq!(due(Arc::new(none)), None);
    }

    #[test]
    fn the_subjects_of_a_plan_are_as_narrow_as_they_can_be() {
        let selectors = [
            Selector::Path("a/b/c".parse().expect("a path")),
            Selector::Path("a/b/c".parse().expect("a path")),
            Selector::Glob("a/*/c".parse().expect("a glob")),
            Selector::Glob("*/b/c".parse().expect("a glob")),
            Selector::Services(fleet::NameGlob::new("orders")),
        ];
        assert_eq!(
            subjects(&selectors),
            ["namespace.a.l2c.b.c", "namespace.a.l2c.>", "namespace.>"]
        );
    }
}
