//! [`Core`]: the collector's state machine. `handle(input, now)` returns what is to be done; it never waits.

mod absence;
mod ahead;
mod budget;
mod census;
#[cfg(test)]
mod check;
mod complaints;
mod descriptions;
mod doubles;
mod endpoints;
pub(crate) mod events;
mod in_turn;
mod inspect;
mod mappings;
mod opt_in;
mod places;
mod plan;
mod publish;
mod registry;
mod replies;
mod report;
mod rounds;
mod services;
mod traces;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use protocol::{Description, ServicePrefix};
use slotmap::SlotMap;

use crate::aging::Aging;
use crate::changes::ChangeLog;
use crate::describe::{Asker, Question};
use crate::events::{EventBatch, Hearing};
use crate::faulty::Worst;
use crate::mapped::{Active, MappingBook};
use crate::nameless::Nameless;
use crate::notice::{About, Level, Limiter, Notice};
use crate::pool::{Common, Pool};
use crate::registry::{Registry, RegistryReport};
use crate::requests::Frontends;
use crate::roster::{InstanceKey, PoolKey, Roster};
use crate::round::{Round, Slowest};
use crate::router::Router;
use crate::snapshot::{LinkView, PoolName, Snapshot};
use crate::sums::Departures;
use crate::turns::Turns;
use crate::voice::Voice;
use crate::{Finish, Now, Plan, Profile, Settings};

use events::Early;
use opt_in::Requests;
use places::{Places, SharedPlaces};
use traces::Traces;

pub use census::{Census, CensusMiss, CensusPool, Refusal};
pub use inspect::{EndpointReport, Inspection, InstanceReport, Seen};

/// Something that has happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Time has passed. It is due at [`Core::wake_at`], and harmless at any other time.
    Tick,
    /// Replies that have come since, in their order. What they change does not depend on how many come at once.
    Replies(&'a [Arrived<'a>]),
    /// The server reports that no service listens to a round's request.
    NoResponders {
        /// The number of the round.
        round: Option<u64>,
    },
    /// A round's request could not be sent, or the server refused it.
    AskFailed {
        /// The number of the round.
        round: u64,
        /// Why, for the log; `None` where the log has it already.
        reason: Option<String>,
    },
    /// An INFO reply.
    Described {
        /// The service and the instance that were asked, if it was one alone.
        asked: Option<(&'a str, &'a str)>,
        /// Its bytes.
        payload: &'a [u8],
    },
    /// The server reports that no service listens to a request for a description.
    Undescribed {
        /// The service that was asked.
        service: &'a str,
        /// The instance, if it was one alone.
        instance: Option<&'a str>,
    },
    /// Events.
    Events(Box<EventBatch>),
    /// What workers have registered about what they can hold.
    Registry(RegistryReport),
    /// The state of the link.
    Link(LinkView),
    /// What checking the link for a silent round showed.
    LinkChecked {
        /// The number of the round.
        round: u64,
        /// Whether the server answered.
        is_alive: bool,
    },
    /// Another plan.
    Plan(Box<Plan>),
}

/// A reply to a round, or to no round that there was.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// The number of the round that it answers.
    pub round: Option<u64>,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// Something that is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Ask all services for their statistics; replies carry the number.
    Ask {
        /// The number of the round.
        round: u64,
    },
    /// Ask all services once more for their statistics.
    AskAgain {
        /// The number of the round.
        round: u64,
    },
    /// Ask single instances, which did not hear the request, for their statistics.
    AskInstances {
        /// The number of the round.
        round: u64,
        /// Service and instance of each.
        instances: Vec<(Arc<str>, Arc<str>)>,
    },
    /// Ask for descriptions.
    Describe(Question),
    /// Find out whether the server answers at all.
    CheckLink {
        /// The number of the round.
        round: u64,
    },
    /// Listen to something, or cease to.
    Listen(Listening),
    /// A round has ended; nothing is to be done about it.
    RoundEnded {
        /// The number of the round.
        round: u64,
        /// Why.
        finish: Finish,
    },
    /// Publish a snapshot.
    Publish(Arc<Snapshot>),
    /// Write a line to the log.
    Say(Notice),
}

/// What is to be listened to. No two subjects that are listened to overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listening {
    /// Subscribe to events. The subject may have wildcards.
    Begin {
        /// The subject.
        subject: String,
        /// What is published there.
        kind: Heard,
    },
    /// Unsubscribe.
    End {
        /// The subject.
        subject: String,
    },
}

/// What is published under a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// Events of workers and routers.
    Events,
    /// A record for each request, by frontends.
    RequestTraces,
}

/// The state machine.
#[derive(Debug)]
pub struct Core {
    plan: Plan,
    /// Under which services are asked.
    service_prefix: ServicePrefix,
    router: Router,
    roster: Roster,
    pools: SlotMap<PoolKey, Pool>,
    pool_of: HashMap<PoolName, PoolKey>,
    common: Common,
    aging: Aging,
    round: Option<Round>,
    /// When each of the last rounds was asked.
    asked: VecDeque<(u64, Duration)>,
    next_tick: Duration,
    slowest: Slowest,
    asker: Asker,
    /// Instances whose replies wait for a description, in the order in which they cease to.
    awaiting: BTreeSet<(Duration, InstanceKey)>,
    /// Instances with replies that wait for the reply of another one, by that one.
    waiting: HashMap<InstanceKey, Vec<InstanceKey>>,
    /// Instances that were asked only to explain why a pool is empty, one for each service.
    hints: HashMap<Arc<str>, InstanceKey>,
    /// Services that had no room in this round.
    turned_away: HashSet<Arc<str>>,
    places: Places,
    shared_places: SharedPlaces,
    early: Early,
    hearing: Hearing,
    frontends: Frontends,
    changes: ChangeLog,
    worst: Worst,
    registry: Option<Registry>,
    /// The plan's mappings.
    mappings: Vec<Active>,
    /// What was counted of mappings, by metric; also of those that a former plan had.
    mapping_books: BTreeMap<Arc<str>, Arc<MappingBook>>,
    traces: Traces,
    requests: Requests,
    nameless: Nameless,
    /// Workers that are known by their events alone, and when they were last looked at.
    senders: usize,
    senders_checked: Duration,
    turns: Turns,
    doubtful: Option<in_turn::Doubtful>,
    voice: Voice,
    limiter: Limiter,
    link: LinkView,
    up: bool,
    round_ended_at: Option<Duration>,
    rounds_skipped: u64,
    sequence: u64,
    dirty_since: Option<Duration>,
    words: HashSet<Arc<str>>,
    descriptions: HashSet<Arc<Description>>,
    profiles: HashSet<Arc<Profile>>,
    /// How many pools of plain services there are.
    service_pools: usize,
    /// What instances and pools of plain services had counted when they went.
    departures: Departures,
    /// Endpoints of plain services that were left out because there are too many pools.
    endpoints_ignored: u64,
    /// The labels of the metadata that is shown.
    metadata: Arc<[Arc<str>]>,
    budget: budget::Budget,
    effects: Vec<Effect>,
}

/// How long changes may wait before they are published, so that a burst costs one snapshot.
const PUBLISH_AFTER: Duration = Duration::from_millis(100);

/// How long changes may wait for the end of a round, which is published in any case.
const PUBLISH_AFTER_ROUND_BEGAN: Duration = Duration::from_secs(1);

/// Texts of which one copy is kept, because many workers have the same.
const MAX_WORDS: usize = 10_000;

impl Core {
    /// A core that has seen nothing. Its first round begins when the link is up, or fails after one interval without.
    /// Services are asked under `service_prefix`, which advice names.
    pub fn new(plan: Plan, service_prefix: ServicePrefix, now: Now) -> Self {
        let frontends = Frontends::new(&plan.buckets);
        let mut core = Self {
            router: Router::new(&plan),
            roster: Roster::default(),
            pools: SlotMap::with_key(),
            pool_of: HashMap::new(),
            common: Common::default(),
            aging: Aging::default(),
            round: None,
            asked: VecDeque::new(),
            // A connection brings it forward.
            next_tick: now.mono + plan.settings.poll_interval,
            plan,
            service_prefix,
            slowest: Slowest::default(),
            asker: Asker::default(),
            awaiting: BTreeSet::new(),
            waiting: HashMap::new(),
            hints: HashMap::new(),
            turned_away: HashSet::new(),
            places: Places::default(),
            shared_places: SharedPlaces::default(),
            early: Early::default(),
            hearing: Hearing::default(),
            frontends,
            changes: ChangeLog::default(),
            worst: Worst::default(),
            registry: None,
            mappings: Vec::new(),
            mapping_books: BTreeMap::new(),
            traces: Traces::default(),
            requests: Requests::default(),
            nameless: Nameless::default(),
            senders: 0,
            senders_checked: Duration::ZERO,
            turns: Turns::default(),
            doubtful: None,
            voice: Voice::default(),
            limiter: Limiter::default(),
            link: LinkView::default(),
            up: false,
            round_ended_at: None,
            rounds_skipped: 0,
            sequence: 0,
            dirty_since: None,
            words: HashSet::new(),
            descriptions: HashSet::new(),
            profiles: HashSet::new(),
            service_pools: 0,
            departures: Departures::default(),
            endpoints_ignored: 0,
            metadata: Arc::default(),
            budget: budget::Budget::default(),
            effects: Vec::new(),
        };
        core.show_metadata();
        core.activate_mappings();
        core.make_target_pools();
        core.make_named_services();
        core.listen();
        core.publish(now);
        core
    }

    /// Takes in what has happened and returns what is to be done.
    pub fn handle(&mut self, input: Input<'_>, now: Now) -> Vec<Effect> {
        match input {
            Input::Tick => {}
            Input::Replies(arrived) => {
                self.replies(arrived, now);
                return self.done(now);
            }
            Input::NoResponders { round } => self.no_responders(round),
            Input::AskFailed { round, reason } => self.ask_failed(round, reason, now),
            Input::Described { asked, payload } => self.described(asked, payload, now),
            Input::Undescribed { service, instance } => self.undescribed(service, instance, now),
            Input::Events(batch) => self.events(*batch, now),
            Input::Registry(report) => self.registry_reported(report, now),
            Input::Link(view) => self.link_changed(view, now),
            Input::LinkChecked { round, is_alive } => self.link_checked(round, is_alive),
            Input::Plan(plan) => self.take_plan(*plan, now),
        }
        self.timers(now);
        self.done(now)
    }

    /// When the next [`Input::Tick`] is due, on the monotonic clock.
    pub fn wake_at(&self) -> Duration {
        [
            self.round_wakes_at(),
            self.awaiting.first().map(|(until, _)| *until),
            self.asker.wake_at(),
            self.senders_checked_at(),
            self.traces.wake_at(),
            self.requests.checked_at(),
            self.publish_at(),
        ]
        .into_iter()
        .flatten()
        .fold(self.next_tick, Duration::min)
    }

    /// Whether a round is under way.
    pub fn has_open_round(&self) -> bool {
        self.round.as_ref().is_some_and(|round| round.is_open)
    }

    /// The plan in force.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    fn settings(&self) -> Settings {
        self.plan.settings
    }

    /// What many replies in a row cost: only the end of the round is looked at; timers wait for the next tick.
    fn done(&mut self, now: Now) -> Vec<Effect> {
        self.end_complete_round(now);
        std::mem::take(&mut self.effects)
    }

    fn timers(&mut self, now: Now) {
        self.stop_waiting_for_descriptions(now);
        self.round_timers(now);
        self.remove_silent_senders(now);
        self.join_waiting(now);
        self.expire_requests(now);
        for question in self.asker.due(&self.roster, now.mono) {
            self.effects.push(Effect::Describe(question));
        }
        if self.publish_at().is_some_and(|at| now.mono >= at) {
            self.publish(now);
        }
    }

    fn say(&mut self, notice: Notice) {
        self.effects.push(Effect::Say(notice));
    }

    /// Says something once a minute. The key must not contain what changes from reply to reply.
    fn say_seldom(&mut self, about: About, key: &str, now: Now, notice: impl FnOnce() -> Notice) {
        if self.limiter.is_due(about, key, now.mono) {
            self.say(notice());
        }
    }

    fn warn(&mut self, key: &str, now: Now, text: impl Into<String>) {
        self.say_seldom(About::Collector, key, now, || Notice::new(Level::Warn, text));
    }

    fn dirty(&mut self, now: Now) {
        self.dirty_since.get_or_insert(now.mono);
    }

    /// One copy of a text that many workers have.
    fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(word) = self.words.get(text) {
            return word.clone();
        }
        if self.words.len() >= MAX_WORDS {
            self.words.clear();
        }
        let word: Arc<str> = text.into();
        self.words.insert(word.clone());
        word
    }
}
