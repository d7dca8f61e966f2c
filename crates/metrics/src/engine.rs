//! The task that owns the state machine. It never waits for the network: it takes in what has come, and hands on what is
//! to be done.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use async_nats::Client;
use fleet::matching::Target;
use fleet::{
    Arrived, Census, Core, Effect, EventBatch, Finish, Input, Inspection, LinkView, Listening, Now, Plan,
    Question, RegistryReport, Snapshot,
};
use link::{Inbox, Link, LinkState, Reply, ReplyKind};
use protocol::ServicePrefix;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::asking::{self, Request};
use crate::checking;
use crate::describing::{self, Answer};
use crate::etcd::{self, EtcdServers};
use crate::listening;
use crate::published::Published;
use crate::{say::say, tasks::Tasks};

/// Requests that wait to be sent. A round makes one or two; more mean that the client takes none.
const WAITING_REQUESTS: usize = 16;

/// Questions for descriptions that wait. One that finds no room is asked again later.
const WAITING_QUESTIONS: usize = 256;

/// Reports of other tasks that wait; those tasks wait when there is no room.
const WAITING_REPORTS: usize = 256;

/// What other tasks report.
#[derive(Debug)]
pub(crate) enum Report {
    /// A round's request could not be sent.
    AskFailed {
        /// The number of the round.
        round: u64,
        /// Why.
        reason: String,
    },
    /// Answers to requests for descriptions.
    Descriptions(Vec<Answer>),
    /// Events.
    Events(Box<EventBatch>),
    /// What workers have registered about what they can hold.
    Registry(RegistryReport),
    /// Another plan.
    Plan(Box<Plan>),
    /// Whether the server answers.
    LinkChecked {
        /// The number of the round.
        round: u64,
        /// Whether it does.
        is_alive: bool,
    },
    /// A person wants to see what is on NATS.
    Census(oneshot::Sender<Census>),
}

/// The state machine and its ways to the world.
pub(crate) struct Engine {
    core: Core,
    link: Link,
    service_prefix: ServicePrefix,
    publish: watch::Sender<Published>,
    started: Instant,
    ways: Option<Ways>,
    /// What is to be listened to once there is a connection.
    commands: mpsc::UnboundedSender<Listening>,
    listening: Option<mpsc::UnboundedReceiver<Listening>>,
    reports: mpsc::Receiver<Report>,
    reporter: mpsc::Sender<Report>,
    refused_in: u64,
    round: u64,
    tasks: Tasks,
    finish: Option<Finish>,
    /// Those that wait for a census, which a round that is open would falsify.
    wait_for_census: Vec<oneshot::Sender<Census>>,
}

/// What there is while there is a connection.
struct Ways {
    inbox: Inbox,
    requests: mpsc::Sender<Request>,
    questions: mpsc::Sender<Question>,
    checks: mpsc::Sender<(u64, Duration)>,
}

impl Engine {
    /// An engine that is not connected yet.
    pub(crate) fn new(
        plan: Plan,
        link: Link,
        service_prefix: ServicePrefix,
    ) -> (Self, watch::Receiver<Published>) {
        let started = Instant::now();
        let core = Core::new(plan, service_prefix.clone(), now(started));
        let (publish, published) = watch::channel(Published::now(Arc::new(Snapshot::default())));
        let (commands, listening) = mpsc::unbounded_channel();
        let (reporter, reports) = mpsc::channel(WAITING_REPORTS);
        let engine = Self {
            core,
            link,
            service_prefix,
            publish,
            started,
            ways: None,
            commands,
            listening: Some(listening),
            reports,
            reporter,
            refused_in: 0,
            round: 0,
            tasks: Tasks::default(),
            finish: None,
            wait_for_census: Vec::new(),
        };
        (engine, published)
    }

    /// Where other tasks report to.
    pub(crate) fn reporter(&self) -> mpsc::Sender<Report> {
        self.reporter.clone()
    }

    /// Reads from etcd what workers can hold, from now on.
    pub(crate) fn read_etcd(&mut self, servers: EtcdServers) {
        self.tasks
            .start("reading etcd", etcd::run(servers, self.reporter.clone()));
    }

    /// Connects, and meanwhile counts the rounds that fail for want of a connection; then collects.
    ///
    /// # Errors
    /// Where NATS refuses this user for good, or one of the tasks ends.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let link = self.link.clone();
        let connecting = link.connect();
        tokio::pin!(connecting);
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                client = &mut connecting => {
                    self.connected(client.context("failed to connect to NATS")?).await?;
                    break;
                }
                Some(report) = self.reports.recv() => self.take_report(report),
                () = sleep_until(wake_at) => self.tick(),
                reason = self.tasks.ended() => return Err(reason),
            }
        }
        let refused = self.link.clone();
        let refused = refused.refused();
        tokio::pin!(refused);
        let mut replies = Vec::new();
        loop {
            tokio::select! {
                reason = &mut refused => return Err(reason.into()),
                stepped = self.step(&mut replies) => stepped?,
            }
        }
    }

    /// Takes one look around, for a person who waits: connects now or not at all, runs until the first round has ended and
    /// everything that answered is described, and listens to events for so long. [`inspect`](Self::inspect) shows what
    /// there is then.
    ///
    /// # Errors
    /// Where NATS cannot be reached.
    pub(crate) async fn look(&mut self, listen_for: Duration) -> anyhow::Result<()> {
        let client = self.link.connect_now().await?;
        self.connected(client).await?;
        let until = Instant::now() + listen_for;
        let mut replies = Vec::new();
        while !self.core.is_settled() || Instant::now() < until {
            tokio::select! {
                stepped = self.step(&mut replies) => stepped?,
                () = sleep_until(until), if self.core.is_settled() => {}
            }
        }
        Ok(())
    }

    /// Whether the look could ask at all.
    ///
    /// # Errors
    /// Where NATS denied that, or the connection was lost.
    pub(crate) fn has_asked(&self) -> anyhow::Result<()> {
        if self.finish != Some(Finish::Error) {
            return Ok(());
        }
        match self.link.refusal(&self.service_prefix.stats()) {
            Some(refusal) => Err(refusal.into()),
            None => bail!("the connection to NATS was lost while asking; try again"),
        }
    }

    /// Goes on after a look, round after round, for so long.
    ///
    /// # Errors
    /// Where NATS refuses this user for good, or one of the tasks ends.
    pub(crate) async fn go_on(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + time;
        let refused = self.link.clone();
        let refused = refused.refused();
        tokio::pin!(refused);
        let mut replies = Vec::new();
        while Instant::now() < until {
            tokio::select! {
                reason = &mut refused => return Err(reason.into()),
                stepped = self.step(&mut replies) => stepped?,
                () = sleep_until(until) => {}
            }
        }
        Ok(())
    }

    /// All that answered and was heard, as it is for the pool of `target`; without one, near misses are not looked for.
    pub(crate) fn inspect(&mut self, target: Option<&Target>) -> Inspection {
        let now = now(self.started);
        self.core.inspect(target, self.finish, now)
    }

    /// The connection.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Waits for whatever comes next, and takes it in.
    async fn step(&mut self, replies: &mut Vec<Reply>) -> anyhow::Result<()> {
        let wake_at = self.wake_at();
        let Some(ways) = &mut self.ways else {
            bail!("there is no connection");
        };
        tokio::select! {
            count = ways.inbox.next_batch(replies) => {
                if count == 0 {
                    bail!("the client is closed");
                }
                let now = now(self.started);
                self.take_replies(replies, now);
            }
            Some(report) = self.reports.recv() => self.take_report(report),
            () = self.link.changed() => self.link_changed(),
            () = sleep_until(wake_at) => {}
            reason = self.tasks.ended() => return Err(reason),
        }
        if Instant::now() >= self.wake_at() {
            self.take_in_what_arrived(replies);
            self.tick();
        }
        Ok(())
    }

    /// All that has arrived is taken in before any timer is looked at, as of the time at which the timer was due. That may
    /// take a while where a large fleet's replies wait; a service that never ceases to reply does not hold up the timer.
    fn take_in_what_arrived(&mut self, replies: &mut Vec<Reply>) {
        let due = self.core.wake_at();
        let limit = self.core.plan().settings.poll_interval / 2;
        loop {
            let Some(ways) = &mut self.ways else { return };
            let count = ways.inbox.take_ready(replies);
            let now = now(self.started);
            let late_by = now.mono.saturating_sub(due);
            let as_of = Now {
                mono: due.min(now.mono),
                unix: now.unix.saturating_sub(late_by),
            };
            self.take_replies(replies, as_of);
            if count == 0 || late_by > limit {
                return;
            }
        }
    }

    async fn connected(&mut self, client: Client) -> anyhow::Result<()> {
        let inbox = Inbox::open(&client)
            .await
            .context("failed to subscribe to an inbox")?;
        let (requests, waiting) = mpsc::channel(WAITING_REQUESTS);
        self.tasks.start(
            "asking",
            asking::run(client.clone(), waiting, self.reporter.clone()),
        );
        let (questions, waiting) = mpsc::channel(WAITING_QUESTIONS);
        let prefix = self.service_prefix.clone();
        let describing = describing::run(client.clone(), prefix, waiting, self.reporter.clone());
        self.tasks.start("describing", describing);
        if let Some(commands) = self.listening.take() {
            let listening = listening::run(client, commands, self.reporter.clone());
            self.tasks.start("listening", listening);
        }
        let (checks, waiting) = mpsc::channel(1);
        self.tasks.start(
            "checking the link",
            checking::run(self.link.clone(), waiting, self.reporter.clone()),
        );
        self.ways = Some(Ways {
            inbox,
            requests,
            questions,
            checks,
        });
        self.link_changed();
        Ok(())
    }

    fn wake_at(&self) -> Instant {
        self.started + self.core.wake_at()
    }

    fn tick(&mut self) {
        self.look_at_link();
        self.handle(Input::Tick, now(self.started));
    }

    fn take_replies(&mut self, replies: &mut Vec<Reply>, now: Now) {
        for run in replies.chunk_by(|one, next| one.kind == next.kind) {
            if run[0].kind == ReplyKind::NoResponders {
                for Reply { round, .. } in run {
                    self.handle(Input::NoResponders { round: *round }, now);
                }
                continue;
            }
            let arrived: Vec<_> = run.iter().map(arrived).collect();
            self.handle(Input::Replies(&arrived), now);
        }
        replies.clear();
    }

    fn take_report(&mut self, report: Report) {
        let now = now(self.started);
        match report {
            Report::AskFailed { round, reason } => {
                let reason = Some(reason);
                self.handle(Input::AskFailed { round, reason }, now);
            }
            Report::Descriptions(answers) => {
                for answer in answers {
                    self.take_answer(&answer, now);
                }
            }
            Report::Plan(plan) => self.handle(Input::Plan(plan), now),
            Report::Registry(report) => self.handle(Input::Registry(report), now),
            Report::Events(batch) => self.handle(Input::Events(batch), now),
            Report::Census(wanted) => {
                self.wait_for_census.push(wanted);
                if !self.core.has_open_round() {
                    self.take_census(now);
                }
            }
            Report::LinkChecked { round, is_alive } => {
                self.handle(Input::LinkChecked { round, is_alive }, now);
            }
        }
    }

    fn take_answer(&mut self, answer: &Answer, now: Now) {
        let (service, instance) = (&*answer.service, answer.instance.as_deref());
        let input = match &answer.payload {
            Some(payload) => Input::Described {
                asked: instance.map(|instance| (service, instance)),
                payload,
            },
            None => Input::Undescribed { service, instance },
        };
        self.handle(input, now);
    }

    fn link_changed(&mut self) {
        self.look_at_link();
        let is_refused = self.link.refusal(&self.service_prefix.stats()).is_some();
        // The link reports a refusal itself.
        if is_refused && self.refused_in != self.round {
            self.refused_in = self.round;
            let round = self.round;
            let input = Input::AskFailed { round, reason: None };
            self.handle(input, now(self.started));
        }
    }

    /// The client's own state counts; its events may be lost.
    fn look_at_link(&mut self) {
        if self.ways.is_some() {
            let view = view(&self.link.state());
            self.handle(Input::Link(view), now(self.started));
        }
    }

    fn handle(&mut self, input: Input<'_>, now: Now) {
        for effect in self.core.handle(input, now) {
            self.act(effect, now);
        }
    }

    fn act(&mut self, effect: Effect, now: Now) {
        match effect {
            Effect::Ask { round } => {
                self.round = round;
                self.link.mark_seen();
                self.ask(round, vec![self.service_prefix.stats()], now);
            }
            Effect::AskAgain { round } => self.ask(round, vec![self.service_prefix.stats()], now),
            Effect::AskInstances { round, instances } => {
                let prefix = &self.service_prefix;
                let subject = |(service, id): &(Arc<str>, Arc<str>)| prefix.stats_of(service, id);
                let subjects = instances.iter().filter_map(subject).collect();
                self.ask(round, subjects, now);
            }
            Effect::Describe(question) => {
                if let Some(ways) = &self.ways {
                    // What finds no room is asked again, because it stays unanswered.
                    ways.questions.try_send(question).ok();
                }
            }
            Effect::CheckLink { round } => {
                let limit = self.core.plan().settings.round_timeout;
                if let Some(ways) = &self.ways {
                    // A check that is still running answers for this round, too late.
                    ways.checks.try_send((round, limit)).ok();
                }
            }
            // The receiver lives as long as the engine, or the task's end ends the program.
            Effect::Listen(listening) => {
                self.commands.send(listening).ok();
            }
            Effect::Publish(snapshot) => {
                self.publish.send_replace(Published::now(snapshot));
            }
            Effect::RoundEnded { finish, .. } => {
                self.finish = Some(finish);
                self.take_census(now);
            }
            Effect::Say(notice) => say(&notice),
        }
    }

    fn take_census(&mut self, now: Now) {
        for wanted in std::mem::take(&mut self.wait_for_census) {
            // Those that wait may have lost their patience.
            wanted.send(self.core.census(self.finish, now)).ok();
        }
    }

    fn ask(&mut self, round: u64, subjects: Vec<String>, now: Now) {
        let Some(ways) = &self.ways else { return };
        let request = Request {
            round,
            reply_to: ways.inbox.subject(round),
            subjects,
        };
        if ways.requests.try_send(request).is_err() {
            let reason = Some("the NATS client accepts no messages".to_owned());
            self.handle(Input::AskFailed { round, reason }, now);
        }
    }
}

fn now(started: Instant) -> Now {
    Now {
        mono: started.elapsed(),
        unix: SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
    }
}

fn arrived(reply: &Reply) -> Arrived<'_> {
    Arrived {
        round: reply.round,
        payload: &reply.payload,
    }
}

fn view(state: &LinkState) -> LinkView {
    LinkView {
        connected: state.connected,
        reconnects: state.reconnects,
        permission_violations: state.permission_violations,
        server_errors: state.server_errors,
        dropped_messages: state.dropped_messages,
    }
}
