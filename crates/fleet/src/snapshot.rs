//! [`Snapshot`]: the fleet as everything else sees it. Immutable, complete, and cheap to share.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol::events::Topic;
use protocol::{EndpointPath, WorkerId, WorkerStats};

use crate::caches::CacheCounts;
use crate::changes::WorkerChange;
use crate::events::Hearing;
use crate::faulty::Faulty;
use crate::mapped::{Mapped, MappingFault};
use crate::outcome::{ChangeCounts, EventCounts, FinishCounts, ReplyCounts, WorkerState};
use crate::passes::{EngineLoad, PassCounts};
use crate::requests::{Frontends, RequestBooks};
use crate::sequences::SequencesView;
use crate::sums::Sums;
use crate::totals::Totals;
use crate::{Histogram, Profile, Settings};

/// All pools at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Counts the snapshots, from 1.
    pub sequence: u64,
    /// When it was taken, in Unix time.
    pub taken: Duration,
    /// The pools, in the order of the plan; those of a glob by their names. Unchanged pools are shared with the
    /// snapshot before.
    pub pools: Vec<Arc<PoolView>>,
    /// Whether the last round brought a readable reply or a definite "no responders".
    pub up: bool,
    /// How long ago the last round ended.
    pub round_age: Option<Duration>,
    /// Rounds that were left out because the previous one had not ended in time.
    pub rounds_skipped: u64,
    /// The last changes of workers, the oldest first; at most [`RECENT_CHANGES`](crate::RECENT_CHANGES). It is shared with
    /// the snapshot before while there is no other.
    pub changes: Arc<Vec<WorkerChange>>,
    /// The instances with the most replies that were late, repeated or refused, the worst first; at most
    /// [`WORST_SENDERS`](crate::WORST_SENDERS).
    pub worst: Vec<Faulty>,
    /// The connection.
    pub link: LinkView,
    /// How well events are heard.
    pub hearing: Hearing,
    /// What frontends report of requests.
    pub frontends: Option<Frontends>,
    /// The store in which workers register, if one is read.
    pub registry: Option<RegistryView>,
    /// The labels of instances' metadata that are shown.
    pub metadata: Arc<[Arc<str>]>,
    /// Endpoints of plain services that were left out because there are too many pools.
    pub endpoints_ignored: u64,
    /// What went wrong with mappings, by the name of their metric.
    pub mappings: Vec<MappingView>,
}

/// What has been counted of the mappings to one metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingView {
    /// The name of the metric.
    pub metric: Arc<str>,
    /// Values that are not shown, by the reason.
    pub faults: [u64; MappingFault::ALL.len()],
}

/// The connection to NATS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkView {
    /// Whether it is up.
    pub connected: bool,
    /// How often it was restored.
    pub reconnects: u64,
    /// How often the server refused a publish or a subscription.
    pub permission_violations: u64,
    /// Other errors that the server reported.
    pub server_errors: u64,
    /// Messages that the client dropped because they were not taken in time; at least this many.
    pub dropped_messages: u64,
}

/// The store in which workers register what they can hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistryView {
    /// Whether it is being read now.
    pub connected: bool,
    /// Workers of which it has a capacity.
    pub workers: u64,
    /// Entries that could not be read.
    pub unreadable: u64,
    /// Workers that were left out because there are too many; at least this many.
    pub over_limit: u64,
}

/// What a pool is a pool of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolName {
    /// The workers of one path.
    Workers(EndpointPath),
    /// The instances of one plain NATS service's endpoint.
    Service {
        /// The service's name.
        service: Arc<str>,
        /// The endpoint's name; empty for a service that was asked for by name and has not answered.
        endpoint: Arc<str>,
    },
}

/// One pool.
#[derive(Debug)]
pub struct PoolView {
    /// Its name.
    pub name: PoolName,
    /// Labels that its operator gives it.
    pub labels: Arc<[(String, String)]>,
    /// The rules by which its figures are computed.
    pub settings: Settings,
    /// Its workers, by key. While none of them changes they are shared with the snapshot before.
    pub workers: Arc<Vec<WorkerView>>,
    /// What all instances of a plain service's endpoint have counted, with those that are gone.
    pub sums: Option<Sums>,
    /// Workers whose id another instance reports, too; the first 64. Such a worker is one, and counted once.
    pub duplicates: Arc<[Duplicate]>,
    /// Whether the last round got an answer, or a definite "no responders".
    pub up: bool,
    /// Workers that were expected in the last round and did not answer it.
    pub missing: u64,
    /// When the last round ended that did not fail, in Unix time.
    pub round_ended: Option<Duration>,
    /// Rounds by the reason why they ended.
    pub rounds: FinishCounts,
    /// Their durations in seconds.
    pub round_seconds: Histogram,
    /// Replies by result.
    pub replies: ReplyCounts,
    /// Events by result.
    pub events: EventCounts,
    /// The hit ratio of each event.
    pub hit_ratios: Histogram,
    /// The duration of each forward pass, in seconds.
    pub pass_seconds: Histogram,
    /// What frontends report of requests to its workers, if they do.
    pub requests: Option<Box<RequestBooks>>,
    /// Sightings of workers that were left out because the pool is full.
    pub ignored: u64,
    /// Changes of its workers. At any time `joined` less `left` is the number of its workers.
    pub changes: ChangeCounts,
    pub(crate) totals: Arc<OnceLock<Totals>>,
}

/// A worker of which two instances report the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The worker, with the instance that is shown.
    pub worker: Arc<Identity>,
    /// The instance that is not.
    pub other: Arc<str>,
}

/// What identifies a worker in its pool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerKey {
    /// The id in its subject.
    Id(WorkerId),
    /// A static worker has no id, and several may share a subject; an instance of a plain service has none either. The
    /// service instance identifies them.
    Instance(Arc<str>),
}

/// What is known of a worker apart from numbers. It is shared by all snapshots until it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What identifies it in its pool.
    pub key: WorkerKey,
    /// The id as a label: in decimal, or `static-` and the service instance; of a plain service, the instance.
    pub worker_id: Box<str>,
    /// The id in hexadecimal, empty without one.
    pub worker_hex: Box<str>,
    /// The id of the service instance.
    pub service_id: Arc<str>,
    /// The service's version.
    pub version: Arc<str>,
    /// How its subject is written: a layout's name or a template.
    pub layout: Arc<str>,
    /// Its subject.
    pub subject: Arc<str>,
    /// What the instance says of itself, where that is shown.
    pub profile: Option<Arc<Profile>>,
}

/// One worker.
#[derive(Debug, Clone)]
pub struct WorkerView {
    /// What does not change from round to round.
    pub identity: Arc<Identity>,
    /// Whether it answers.
    pub state: WorkerState,
    /// Where the load comes from: `flat`, `nested`, `event` or `none`.
    pub schema: &'static str,
    /// Its load, if it is fresh and has reported any.
    pub load: Option<WorkerStats>,
    /// Who says what it can hold.
    pub capacity: CapacitySource,
    /// When it last gave valid statistics, in Unix seconds; `None` where only its events are known.
    pub last_seen: Option<f64>,
    /// When the instance started, in Unix seconds.
    pub started: Option<f64>,
    /// Requests, over all restarts.
    pub requests: f64,
    /// Failed requests, over all restarts.
    pub errors: f64,
    /// Time spent on requests, over all restarts, in seconds.
    pub processing_seconds: Option<f64>,
    /// How often it restarted.
    pub restarts: u64,
    /// Blocks looked up, by events.
    pub lookup_blocks: u64,
    /// Blocks found, by events.
    pub hit_blocks: u64,
    /// What events report of it.
    pub events: Option<Box<EventsView>>,
    /// What mappings found in its last reply.
    pub mapped: Option<Arc<Mapped>>,
}

/// How much of a worker's path the subject of an event says, the least first. It shows which Dynamo publishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventScope {
    /// The namespace.
    Namespace,
    /// And the component.
    Component,
    /// And the endpoint.
    Endpoint,
}

impl EventScope {
    /// The releases of Dynamo that publish so.
    pub const fn generation(self) -> &'static str {
        match self {
            Self::Namespace => "up to 1.3",
            Self::Component => "1.1 to 1.3",
            Self::Endpoint => "1.4 or later",
        }
    }
}

/// What events report of one worker.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventsView {
    /// Whether the worker itself has published any, and not only a router about it.
    pub is_heard: bool,
    /// What the subjects of its own events say.
    pub scope: Option<EventScope>,
    /// When something about it last came, for each topic, in Unix seconds.
    pub topics: [Option<f64>; Topic::ALL.len()],
    /// What its engine does, if that is current.
    pub engine: Option<EngineLoad>,
    /// What its passes have added up to, if it reports them.
    pub passes: Option<PassCounts>,
    /// Prompt tokens that routers have assigned to it and that it has not computed, as they estimate it.
    pub prefill_load_tokens: Option<u64>,
    /// What its KV cache stored and removed, if it reports that.
    pub cache: Option<Box<CacheCounts>>,
    /// What is reported of requests that are assigned to it, if anything is.
    pub sequences: Option<Box<SequencesView>>,
    /// Messages that did not come, for each topic.
    pub lost: [u64; Topic::ALL.len()],
}

/// Who says what a worker can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CapacitySource {
    /// Nothing does.
    #[default]
    None,
    /// The worker.
    Reported,
    /// Its operator, as the worker does not.
    Configured,
    /// What the worker has registered in etcd, as neither of them does.
    Registered,
}

impl CapacitySource {
    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Reported => "reported",
            Self::Configured => "configured",
            Self::Registered => "etcd",
        }
    }
}

/// How a worker is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// It answers requests for statistics.
    Service,
    /// It publishes events, and answers no request.
    Events,
    /// Both.
    Both,
}

impl Source {
    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "srv",
            Self::Events => "events",
            Self::Both => "srv,events",
        }
    }
}

impl PoolView {
    /// How many workers are in a state.
    pub fn count(&self, state: WorkerState) -> usize {
        self.workers.iter().filter(|worker| worker.state == state).count()
    }

    /// Sums and spreads over the fresh workers, computed when they are first asked for.
    pub fn totals(&self) -> &Totals {
        self.totals
            .get_or_init(|| Totals::of(&self.workers, &self.settings))
    }
}

impl WorkerView {
    /// How the worker is known.
    pub fn source(&self) -> Source {
        let is_heard = self.events.as_ref().is_some_and(|events| events.is_heard);
        match (self.last_seen.is_some(), is_heard) {
            (true, true) => Source::Both,
            (false, true) => Source::Events,
            (_, false) => Source::Service,
        }
    }

    /// `max(waiting / queue target, KV use / KV target)`; 1 and above is saturated.
    pub fn saturation(&self, settings: &Settings) -> Option<f64> {
        crate::spread::saturation(self.load.as_ref()?, settings)
    }
}

impl fmt::Display for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workers(path) => path.fmt(f),
            Self::Service { service, endpoint } if endpoint.is_empty() => f.write_str(service),
            Self::Service { service, endpoint } => write!(f, "{service}/{endpoint}"),
        }
    }
}

impl Identity {
    /// The layout of endpoints of plain services.
    pub(crate) const PLAIN: &str = "none";
}

impl PoolName {
    /// What its members are called, one and many.
    pub(crate) fn members(&self) -> [&'static str; 2] {
        match self {
            Self::Workers(_) => ["worker", "workers"],
            Self::Service { .. } => ["instance", "instances"],
        }
    }
}

impl WorkerKey {
    /// The id, if it has one.
    pub(crate) fn id(&self) -> Option<WorkerId> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Instance(_) => None,
        }
    }
}

impl fmt::Display for WorkerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Instance(instance) => write!(f, "static-{instance}"),
        }
    }
}

impl PoolView {
    /// A pool of which nothing has happened yet, for tests of what reads snapshots.
    pub fn empty(name: PoolName, settings: Settings) -> Self {
        Self {
            name,
            labels: Arc::default(),
            settings,
            workers: Arc::default(),
            sums: None,
            duplicates: Arc::default(),
            up: false,
            missing: 0,
            round_ended: None,
            rounds: FinishCounts::default(),
            round_seconds: Histogram::new(crate::ROUND_BUCKETS),
            replies: ReplyCounts::default(),
            events: EventCounts::default(),
            hit_ratios: Histogram::new(crate::RATIO_BUCKETS),
            pass_seconds: Histogram::new(crate::PASS_BUCKETS),
            requests: None,
            ignored: 0,
            changes: ChangeCounts::default(),
            totals: Arc::default(),
        }
    }
}
