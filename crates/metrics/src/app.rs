//! Wires the stages, times them and stops them: gather, judge, keep, publish.
//!
//! One task owns the [`Fleet`]; everyone else reads the latest [`Snapshot`] from a watch channel.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use async_nats::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, instrument, warn};

use crate::config::Config;
use crate::connect::{self, ConnectError, Link};
use crate::descriptions::Descriptions;
use crate::events::{Event, Events};
use crate::fleet::{Fleet, RoundSummary, Snapshot};
use crate::gather::{Finish, Gatherer, MIN_STALL};
use crate::status::{RoundNews, Status};
use crate::web;

/// How long changes made by events may wait before they are published, so that a burst costs one snapshot.
const PUBLISH_AFTER: Duration = Duration::from_millis(100);

/// How many times longer than it takes to make a snapshot is waited before the next one: a large fleet's snapshots
/// take 5 % of a core at most.
const SNAPSHOT_REST: u32 = 20;

/// Events that are taken in before anything else is looked at.
const EVENT_BATCH: usize = 1024;

/// Why the collector could not start.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot serve on {host}:{port}: {reason}; choose another --metrics-port or --host, or end what uses it"
)]
pub struct BindError {
    host: String,
    port: u16,
    reason: io::Error,
}

/// A collector whose page has its port, and which has done nothing else yet.
#[derive(Debug)]
pub struct App {
    config: Config,
    listener: TcpListener,
}

/// Takes the port of the page.
///
/// # Errors
/// [`BindError`] where the port is in use or the address is not this machine's.
pub async fn bind(config: Config) -> Result<App, BindError> {
    let listener = TcpListener::bind((config.host.as_str(), config.port)).await;
    let listener = listener.map_err(|reason| BindError {
        host: config.host.clone(),
        port: config.port,
        reason,
    })?;
    Ok(App { config, listener })
}

impl App {
    /// Collects and serves until `shutdown`.
    ///
    /// # Errors
    /// Where NATS refuses this user for good, or the page cannot be served any longer.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self { config, listener } = self;
        let address = listener
            .local_addr()
            .context("failed to read the page's address")?;
        let fleet = Fleet::new(config.targets.clone(), config.fleet);
        let (reporter, link) = Link::new();
        let (publish, snapshots) = watch::channel(Arc::new(fleet.snapshot(link.view())));
        let state = web::PageState {
            snapshots,
            compat: config.compat,
            fresh_for: config.poll_interval * 2 + config.round_timeout,
        };
        let stop_page = CancellationToken::new();
        let page = tokio::spawn(web::serve(listener, state, stop_page.clone()));
        info!(url = %format_args!("http://{address}/metrics"), "serving");

        let collector = Collector {
            config: &config,
            fleet,
            link,
            publish,
            descriptions: Descriptions::default(),
            status: Status::default(),
            reconnects: 0,
            publish_after: PUBLISH_AFTER,
        };
        let mut watched = collector.link.clone();
        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            () = watched.refused() => Err(ConnectError::Refused {
                server: config.servers.to_string(),
                reason: "it did accept this user before".to_owned(),
            }.into()),
            result = collector.run(reporter) => result,
        };
        info!("stopping");
        stop_page.cancel();
        match tokio::time::timeout(config.grace, page).await {
            Ok(ended) => ended
                .context("failed to end the page")?
                .context("failed to serve the page")?,
            Err(_) => warn!(grace = ?config.grace, "requests to the page were cut off"),
        }
        result
    }
}

struct Collector<'a> {
    config: &'a Config,
    fleet: Fleet,
    link: Link,
    publish: watch::Sender<Arc<Snapshot>>,
    descriptions: Descriptions,
    status: Status,
    reconnects: u64,
    publish_after: Duration,
}

impl Collector<'_> {
    async fn run(mut self, reporter: connect::LinkReporter) -> anyhow::Result<()> {
        let client = self.connect(reporter).await?;
        let mut events = Events::subscribe(&client, self.fleet.paths()).await?;
        let mut gatherer = Gatherer::new(
            client.clone(),
            self.link.clone(),
            self.config.round_timeout,
            MIN_STALL,
        );
        let mut ticks = tokio::time::interval(self.config.poll_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut link = self.link.clone();
        let mut dirty_since: Option<Instant> = None;
        // The first round comes before the first event, so that events find their workers.
        ticks.tick().await;
        self.round(&client, &mut gatherer).await;
        loop {
            let publish_at = dirty_since.unwrap_or_else(Instant::now) + self.publish_after;
            tokio::select! {
                _ = ticks.tick() => {
                    self.round(&client, &mut gatherer).await;
                    dirty_since = None;
                }
                (reply, arrival) = gatherer.next_after_round() => {
                    let decides = |reply: &protocol::StatsReply| self.fleet.wants_description(reply);
                    self.descriptions.learn(&client, reply.iter(), decides, false).await;
                    self.fleet.apply_between_rounds(&reply, |r| self.descriptions.get(r), arrival, SystemTime::now());
                    dirty_since.get_or_insert_with(Instant::now);
                }
                event = events.next() => {
                    self.take_in(&event);
                    for _ in 1..EVENT_BATCH {
                        let Some(event) = events.ready() else { break };
                        self.take_in(&event);
                    }
                    dirty_since.get_or_insert_with(Instant::now);
                }
                () = link.changed() => {
                    self.link_changed(&mut ticks);
                }
                () = tokio::time::sleep_until(publish_at), if dirty_since.is_some() => {
                    self.publish();
                    dirty_since = None;
                }
            }
        }
    }

    /// Connects, and meanwhile counts the rounds that fail for want of a connection.
    async fn connect(&mut self, reporter: connect::LinkReporter) -> anyhow::Result<Client> {
        let config = self.config;
        let connecting = connect::connect(&config.servers, reporter);
        tokio::pin!(connecting);
        let mut ticks = tokio::time::interval_at(Instant::now() + config.poll_interval, config.poll_interval);
        loop {
            tokio::select! {
                biased;
                client = &mut connecting => {
                    let client = client.context("failed to connect to NATS")?;
                    self.link.connected().await;
                    return Ok(client);
                }
                _ = ticks.tick() => self.fail_round(),
            }
        }
    }

    #[instrument(skip_all)]
    async fn round(&mut self, client: &Client, gatherer: &mut Gatherer) {
        if !self.link.is_connected() {
            return self.fail_round();
        }
        let started = Instant::now();
        let round = gatherer.round(self.fleet.expected()).await;
        let decides = |reply: &protocol::StatsReply| self.fleet.wants_description(reply);
        let replies = round.replies.iter().flatten();
        self.descriptions.begin_round();
        self.descriptions
            .learn(client, replies, decides, self.fleet.lacks_workers())
            .await;
        let summary = RoundSummary {
            finish: round.finish,
            duration: started.elapsed(),
            now: SystemTime::now(),
        };
        self.fleet
            .apply_round(&round.replies, |reply| self.descriptions.get(reply), summary);
        for (reply, arrival) in &round.late {
            self.fleet
                .apply_between_rounds(reply, |r| self.descriptions.get(r), *arrival, SystemTime::now());
        }
        debug!(finish = round.finish.as_str(), replies = round.replies.len(), duration = ?round.duration, "round");
        let news = RoundNews {
            finish: round.finish,
            replies: round.replies.len(),
            refusal: round.error.as_deref(),
        };
        let snapshot = self.publish();
        self.status.report(&snapshot.pools, news, Instant::now());
    }

    fn link_changed(&mut self, ticks: &mut Interval) {
        let reconnects = self.link.view().reconnects;
        if !self.link.is_connected() {
            self.fleet.link_lost();
        } else if reconnects > self.reconnects {
            self.fleet.link_restored();
            ticks.reset_immediately();
        }
        self.reconnects = reconnects;
        self.publish();
    }

    fn fail_round(&mut self) {
        let summary = RoundSummary {
            finish: Finish::Error,
            duration: Duration::ZERO,
            now: SystemTime::now(),
        };
        self.fleet.apply_round(&[], |_| None, summary);
        self.publish();
    }

    fn take_in(&mut self, event: &Event) {
        match event {
            Event::HitRate(targets, event) => self.fleet.apply_hit_rate(targets, event),
            Event::Metrics(targets, event) => self.fleet.apply_metrics(targets, event),
        }
    }

    fn publish(&mut self) -> Arc<Snapshot> {
        let started = Instant::now();
        let snapshot = Arc::new(self.fleet.snapshot(self.link.view()));
        self.publish.send_replace(snapshot.clone());
        self.publish_after = PUBLISH_AFTER.max(started.elapsed() * SNAPSHOT_REST);
        snapshot
    }
}
