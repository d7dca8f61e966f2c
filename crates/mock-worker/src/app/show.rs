//! [`Show`]: the stage before its audience. Hears what comes in, lets time pass, and says what the workers say.

mod audience;
mod controlled;
mod glance;
mod publishing;
mod speaking;
mod starting;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use anyhow::Context;
use link::Link;
use protocol::WorkerSubject;
use sim::nanos::Nanos;
use sim::{Journal, Steps};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, info, warn};

pub(super) use glance::Glance;

use super::batch::Batch;
use super::callers::Callers;
use super::clock::Clock;
use super::events::{ChangedLoads, EventWriter};
use super::line::{Heard, Line, Out, What};
use super::page;
use crate::args::{Config, EngineArg, InvalidInput};
use crate::control::Status;
use crate::generation::RequestPlane;
use crate::publish::{Published, Publishers};
use crate::reply::{Identity, Service, Voice};
use crate::scenario::Scenario;
use crate::stage::{Notice, Stage};
use crate::truth::TruthFile;

/// The workers' time is made up for in such slices, and for so long, before requests are looked at again.
const SLICE: u64 = 10_000_000;
const BUSY: Duration = Duration::from_millis(20);

/// How long it may take to open a connection again before everything else has its turn.
const OPENING: Duration = Duration::from_secs(3);

/// From this lag on, it is news.
const LAG: f64 = 1.0;

/// Workers on NATS.
pub(super) struct Show {
    name: String,
    /// Arrivals and the time at the last glance.
    glanced: (u64, u64),
    scenario: Scenario,
    duration: Option<Nanos>,
    /// When the scenario starts again, where it does.
    anew: Option<u64>,
    stage: Stage,
    voice: Voice,
    clock: Clock,
    identities: Vec<Identity>,
    /// By the subject where each serves its endpoint, and by the instance of its service.
    places: HashMap<String, usize>,
    instances: HashMap<String, usize>,
    /// Never connected; each connection is another one like it.
    link: Link,
    service: protocol::ServiceName,
    service_prefix: protocol::ServicePrefix,
    hear: mpsc::Sender<Heard>,
    /// `None` while a fault keeps it closed.
    lines: Vec<Option<Line>>,
    opening: Vec<usize>,
    /// Connections that a fault closes.
    closing: JoinSet<()>,
    plane: RequestPlane,
    events: EventWriter,
    changed: Option<ChangedLoads>,
    /// Where the workers are of a version of Dynamo: all events are theirs then.
    publishers: Option<Publishers>,
    /// What they have published and is not sent yet.
    published: Vec<Published>,
    truth: Option<TruthFile>,
    /// Whose names the engines' own metrics have, and what they showed last.
    engine: EngineArg,
    throughput: page::Throughput,
    callers: Callers,
    tickets: u64,
    late: BTreeMap<(u64, u64), (usize, Vec<Out>)>,
    status: Status,
    journal: Journal,
    notices: Vec<Notice>,
    batch: Batch,
    is_stopping: bool,
    /// Whether the last time was not enough to catch up with the clock.
    is_behind: bool,
    is_lagging: bool,
}

impl Show {
    /// Opens all files and builds all workers; none is connected yet.
    ///
    /// # Errors
    /// [`InvalidInput`] where a file cannot be had.
    pub(super) fn open(config: &Config, hear: mpsc::Sender<Heard>) -> anyhow::Result<Self> {
        let scenario = config.scenario.clone();
        let steps = match config.generation {
            Some(_) => Steps::Reported,
            None => Steps::AtOnce,
        };
        let fleet = scenario
            .fleet(config.seed, &config.ids, steps)
            .map_err(InvalidInput)?;
        if let Some(replay) = &fleet.traffic.replay {
            starting::say_reading(replay.trace.reading());
        }
        // The last one to be looked at, for this empties the file.
        let truth = config.truth.as_deref().map(TruthFile::create).transpose();
        let truth = truth.map_err(|error| InvalidInput(error.into()))?;
        let stage = Stage::new(&fleet, &config.ids, &scenario.fault, scenario.connections);
        let mut stage = stage.map_err(|reason| InvalidInput(scenario.impossible(reason).into()))?;
        if !config.listen.is_empty() {
            stage.record_latencies(page::bounds(config.engine));
        }
        let voice = Voice {
            path: config.path.clone(),
            layout: config.layout,
            shape: config.stats_shape,
            service: config.generation.map_or(Service::Own, Service::Dynamo),
            seed: config.seed,
            first_id: config.ids[0],
        };
        let pool =
            WorkerSubject::new(&config.path, config.layout, None).context("failed to name the workers")?;
        let workers = config.ids.len();
        let mut show = Self {
            name: config.name.clone(),
            glanced: (0, 0),
            duration: config.duration,
            anew: config.repeat.then_some(scenario.duration.0),
            voice,
            clock: Clock::Stepped { at: 0 },
            identities: Vec::with_capacity(workers),
            places: HashMap::with_capacity(workers),
            instances: HashMap::with_capacity(workers),
            link: super::link_of(config, pool.service()),
            service: pool.service().clone(),
            service_prefix: config.nats.service_prefix.clone(),
            hear,
            lines: Vec::new(),
            opening: Vec::new(),
            closing: JoinSet::new(),
            plane: config.request_plane,
            publishers: None,
            published: Vec::new(),
            events: EventWriter::new(&config.path.namespace, config.encoding, workers),
            changed: (scenario.event_interval.0 > 0 && config.generation.is_none())
                .then(|| ChangedLoads::new(scenario.event_interval.duration(), workers)),
            truth,
            engine: config.engine,
            throughput: page::Throughput::default(),
            callers: Callers::new(),
            tickets: 0,
            late: BTreeMap::new(),
            status: Status::default(),
            journal: Journal::default(),
            notices: Vec::new(),
            batch: Batch::default(),
            is_stopping: false,
            is_behind: false,
            is_lagging: false,
            scenario,
            stage,
        };
        for worker in 0..workers {
            let identity = show.identity(worker)?;
            show.identities.push(identity);
            show.index(worker);
        }
        // What goes wrong from the very start does so before a collector looks.
        show.stage.advance(0, &mut show.journal, &mut show.notices);
        if let Some(generation) = config.generation {
            show.publishers = Some(show.new_publishers(generation, config)?);
        }
        Ok(show)
    }

    /// Takes in what a connection heard.
    ///
    /// # Errors
    /// Where the truth cannot be written.
    pub(super) async fn hear(&mut self, heard: Heard) -> anyhow::Result<()> {
        let Heard { line, what, message } = heard;
        match what {
            What::Verb => match message.reply {
                Some(reply) => self.answer_verb(line, &message.subject, reply).await?,
                None => debug!("a request without a reply subject is left unanswered"),
            },
            What::Request => self.take_request(line, &message.subject, message.reply, &message.payload),
            What::Unheard => self.unheard(&message),
        }
        Ok(())
    }

    /// Lets time pass up to where the clock is, or as far as it gets in a while, and says what happened.
    ///
    /// # Errors
    /// Where a connection cannot be opened again, or the truth cannot be written.
    pub(super) async fn tick(&mut self) -> anyhow::Result<()> {
        self.catch_up();
        self.open_lines().await?;
        match self.publishers {
            Some(_) => self.send_events()?,
            None => self.publish_events(),
        }
        self.feed_callers();
        self.send_late();
        Ok(())
    }

    /// Whether the time that was asked for is over.
    pub(super) fn is_over(&self) -> bool {
        self.duration
            .is_some_and(|duration| self.stage.now() >= duration.0)
    }

    /// How many requests from outside are being answered.
    pub(super) fn callers(&self) -> usize {
        self.callers.len()
    }

    pub(super) fn has_callers(&self) -> bool {
        // Where time does not pass, no request will ever be done.
        !self.callers.is_empty() && matches!(self.clock, Clock::Real { .. })
    }

    /// Takes no more requests.
    pub(super) fn begin_stop(&mut self) {
        self.is_stopping = true;
    }

    /// Sends what is left and closes all connections by `deadline`.
    ///
    /// # Errors
    /// Where the truth cannot be written.
    pub(super) async fn stop(mut self, deadline: tokio::time::Instant) -> anyhow::Result<()> {
        for (_, caller) in std::mem::take(&mut self.callers) {
            let (line, mut out) = (caller.line, Vec::new());
            caller.fail(503, "the worker is shutting down", &mut out);
            self.send(line, out);
        }
        if let Some(truth) = &mut self.truth {
            truth.flush()?;
        }
        for line in self.lines.into_iter().flatten() {
            line.close(deadline).await;
        }
        Ok(())
    }

    /// The engines' own metrics.
    pub(super) fn page(&mut self, format: page::Format) -> String {
        self.catch_up_to_answer();
        let mut engines = self.stage.engines();
        self.throughput.measure(self.stage.now(), &mut engines);
        page::render(self.engine, &engines, &page::Pool::new(&self.voice.path), format)
    }

    fn catch_up(&mut self) {
        let target = self
            .duration
            .map_or(u64::MAX, |duration| duration.0)
            .min(self.clock.now());
        let started = Instant::now();
        while self.stage.now() < target {
            let to = target.min(self.stage.now().saturating_add(SLICE));
            // A process that ends is another one afterwards, so what it published is written before.
            let to = self.stage.next_moment().map_or(to, |moment| to.min(moment));
            let to = self.anew.map_or(to, |anew| to.min(anew));
            self.stage.advance(to, &mut self.journal, &mut self.notices);
            if self.anew == Some(to) {
                self.take_notice();
                self.start_again();
            }
            self.take_notice();
            if started.elapsed() >= BUSY {
                break;
            }
        }
        self.is_behind = self.stage.now() < target;
        self.report_lag(Nanos(target.saturating_sub(self.stage.now())).seconds());
    }

    /// Catches up before an answer; where that cannot be had, the answer does not wait for it.
    fn catch_up_to_answer(&mut self) {
        if !self.is_behind {
            self.catch_up();
        }
    }

    fn start_again(&mut self) {
        self.stage.start_again(&mut self.journal, &mut self.notices);
        self.anew = self.anew.map(|at| at.saturating_add(self.scenario.duration.0));
        info!(duration = %self.scenario.duration, "the scenario starts again");
    }

    /// A simulation that cannot keep up says so; its schedule stays as it was.
    fn report_lag(&mut self, lag: f64) {
        self.status.lag_seconds = lag;
        self.status.largest_lag_seconds = self.status.largest_lag_seconds.max(lag);
        if (lag >= LAG) != self.is_lagging {
            self.is_lagging = lag >= LAG;
            match self.is_lagging {
                true => warn!(
                    lag_seconds = lag,
                    "the simulation is behind the clock; fewer workers or a lower speed would keep up"
                ),
                false => info!(lag_seconds = lag, "the simulation keeps up again"),
            }
        }
    }

    fn take_notice(&mut self) {
        self.write_events();
        for notice in std::mem::take(&mut self.notices) {
            match notice {
                Notice::Up(worker) => match self.identity(worker) {
                    Ok(identity) => {
                        let before = std::mem::replace(&mut self.identities[worker], identity);
                        self.places.remove(&before.subject);
                        self.instances.remove(&before.instance);
                        self.index(worker);
                        if let Some(publishers) = &mut self.publishers {
                            publishers.start(worker, self.stage.id(worker), self.stage.now());
                        }
                        info!(worker = %self.stage.id(worker), "the worker is up");
                    }
                    Err(error) => warn!(%error, "a worker cannot be named"),
                },
                Notice::Closed(number) => {
                    info!(connection = number, "the connection is closed by a fault");
                    self.opening.retain(|opening| *opening != number);
                    if let Some(line) = self.lines.get_mut(number).and_then(Option::take) {
                        self.closing.spawn(line.close(tokio::time::Instant::now()));
                    }
                }
                Notice::Opened(number) => self.opening.push(number),
            }
        }
    }

    /// Opens what faults had closed. Where NATS is away, it is tried again at the next tick: who waits here hears
    /// neither signals nor requests.
    async fn open_lines(&mut self) -> anyhow::Result<()> {
        for number in std::mem::take(&mut self.opening) {
            match timeout(OPENING, self.line(number)).await {
                Ok(line) => {
                    self.lines[number] = Some(line?);
                    info!(connection = number, "the connection is open again");
                }
                Err(_) => self.opening.push(number),
            }
        }
        Ok(())
    }

    /// Another connection, as all of them are made.
    pub(super) fn new_link(&self) -> Link {
        self.link.another()
    }

    async fn line(&self, number: usize) -> anyhow::Result<Line> {
        let link = self.link.another();
        let client = link.connect().await?;
        let mut line = Line::new(link, client, self.scenario.replies_per_second);
        if self.plane == RequestPlane::Nats {
            line.listen(number, (&self.service_prefix, &self.service), &self.hear)
                .await?;
        }
        Ok(line)
    }

    fn identity(&self, worker: usize) -> anyhow::Result<Identity> {
        let started = OffsetDateTime::now_utc()
            .format(&Rfc3339)
            .context("failed to write the time")?;
        let instance = format!("{:032x}", rand::random::<u128>());
        self.voice
            .identity(self.stage.id(worker), &instance, &started)
            .context("failed to name a worker")
    }

    fn index(&mut self, worker: usize) {
        let Identity {
            subject, instance, ..
        } = &self.identities[worker];
        self.places.insert(subject.clone(), worker);
        self.instances.insert(instance.clone(), worker);
    }

    fn send(&mut self, line: usize, out: Vec<Out>) {
        let size = out.len() as u64;
        if size == 0 {
            return;
        }
        let is_taken = self
            .lines
            .get(line)
            .and_then(Option::as_ref)
            .is_some_and(|line| line.send(out));
        if !is_taken {
            self.lose(size);
        }
    }

    fn lose(&mut self, messages: u64) {
        let before = self.status.messages_lost;
        self.status.messages_lost += messages;
        // The first loss is news; later ones are logged less and less often.
        if before == 0 || (before + messages).ilog2() > before.ilog2() {
            warn!(
                lost = self.status.messages_lost,
                "messages are lost because the NATS connection does not accept them"
            );
        }
    }
}
