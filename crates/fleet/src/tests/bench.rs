//! [`Bench`]: drives a core with invented time. Actors answer what it asks; what it says and publishes is kept.

mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(super) use seen::describe;

use super::actor::{Actor, Info};
use super::{MS, SECOND};
use protocol::ServicePrefix;

use crate::{
    Arrived, Core, Effect, EventReader, Input, LinkView, Listening, Notice, Now, Plan, Question, Settings,
    Snapshot,
};

/// What is on its way to the core.
#[derive(Debug)]
pub(super) enum Message {
    Reply(Option<u64>, String),
    NoResponders(u64),
    Described(Option<(String, String)>, String),
    Undescribed(String, Option<String>),
    LinkChecked(u64, bool),
}

/// Which instances hear a request for all, or get a reply to it through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    All,
    /// One of each service, in turn.
    OneOfEachService,
    /// One, in turn, and now and then a second one.
    One,
}

/// Looks at a bench.
pub(super) type Watch = Box<dyn FnMut(&Bench)>;

/// A core and its surroundings.
pub(super) struct Bench {
    pub(super) core: Core,
    pub(super) now: Now,
    pub(super) actors: Vec<Actor>,
    /// Whether the server answers. One that does not delivers nothing.
    pub(super) is_alive: bool,
    /// Which instances hear a request for all.
    pub(super) hearing: Hearing,
    /// Whether replies that come at the same time are handed over at once.
    pub(super) is_batched: bool,
    pub(super) link: LinkView,
    /// The last round, and when it was asked.
    pub(super) round: u64,
    pub(super) asked_at: Duration,
    pub(super) notices: Vec<Notice>,
    pub(super) snapshots: Vec<Arc<Snapshot>>,
    pub(super) questions: Vec<Question>,
    pub(super) asked_alone: usize,
    /// Requests for all.
    pub(super) requests: usize,
    pub(super) listening: BTreeSet<String>,
    pub(super) reader: EventReader,
    /// Replies that were delivered.
    pub(super) delivered: u64,
    pub(super) effects: usize,
    /// When each instance was last heard.
    pub(super) heard: BTreeMap<String, Duration>,
    /// Looks at the core after each input.
    pub(super) watch: Option<Watch>,
    inbox: BTreeMap<(Duration, u64), Message>,
    posted: u64,
}

/// A round every two seconds, which lasts at most 1.5 seconds.
pub(super) fn settings() -> Settings {
    Settings {
        round_timeout: 1500 * MS,
        gone_after: 4,
        ..Settings::default()
    }
}

pub(super) fn plan(selectors: &[&str]) -> Plan {
    Plan {
        settings: settings(),
        ..Plan::watching(selectors.iter().map(|text| text.parse().expect(text)).collect())
    }
}

impl Bench {
    pub(super) fn new(plan: Plan) -> Self {
        Self::asking(ServicePrefix::default(), plan)
    }

    /// A bench whose services are asked under this prefix.
    pub(super) fn asking(prefix: ServicePrefix, plan: Plan) -> Self {
        let now = Now {
            mono: 100 * SECOND,
            unix: 1_000_000 * SECOND,
        };
        let connected = LinkView {
            connected: true,
            ..LinkView::default()
        };
        Self {
            core: Core::new(plan, prefix, now),
            now,
            actors: Vec::new(),
            is_alive: true,
            hearing: Hearing::All,
            requests: 0,
            is_batched: false,
            link: connected,
            round: 0,
            asked_at: Duration::ZERO,
            notices: Vec::new(),
            snapshots: Vec::new(),
            questions: Vec::new(),
            asked_alone: 0,
            listening: BTreeSet::new(),
            reader: EventReader::default(),
            delivered: 0,
            effects: 0,
            heard: BTreeMap::new(),
            watch: None,
            inbox: BTreeMap::new(),
            posted: 0,
        }
    }

    /// A bench that watches one path.
    pub(super) fn of(selector: &str) -> Self {
        Self::new(plan(&[selector]))
    }

    /// Lets these instances, and no others, answer one round, up to just before the next.
    pub(super) fn round(&mut self, actors: &[Actor]) -> &mut Self {
        self.actors = actors.to_vec();
        self.next_round()
    }

    /// One more round, up to just before the next.
    pub(super) fn next_round(&mut self) -> &mut Self {
        let before = self.round;
        let limit = self.now.mono + 10 * self.core.plan().settings.poll_interval;
        self.begin();
        while self.round == before && self.now.mono < limit {
            self.step(limit);
        }
        let end = self.asked_at + self.core.plan().settings.poll_interval;
        self.run_until(end - MS)
    }

    pub(super) fn rounds(&mut self, count: u32) -> &mut Self {
        for _ in 0..count {
            self.next_round();
        }
        self
    }

    pub(super) fn run(&mut self, time: Duration) -> &mut Self {
        let until = self.now.mono + time;
        self.run_until(until)
    }

    fn run_until(&mut self, until: Duration) -> &mut Self {
        self.begin();
        while self.step(until) {}
        self
    }

    /// Connects, at first.
    fn begin(&mut self) {
        if self.snapshots.is_empty() {
            self.handle(Input::Link(self.link));
        }
    }

    /// The next thing that happens up to `until`; `false` where nothing does.
    fn step(&mut self, until: Duration) -> bool {
        let wake_at = self.core.wake_at().max(self.now.mono);
        let message_at = self.inbox.keys().next().map(|(at, _)| *at);
        let next = message_at.map_or(wake_at, |at| at.min(wake_at));
        self.advance(next.min(until));
        if next > until {
            return false;
        }
        match self.inbox.first_entry().filter(|entry| entry.key().0 <= next) {
            Some(entry) => {
                let ((at, _), message) = entry.remove_entry();
                match message {
                    Message::Reply(round, payload) => self.deliver_replies(at, (round, payload)),
                    other => self.deliver(other),
                }
            }
            None => {
                for _ in 0..8 {
                    self.handle(Input::Tick);
                    if self.core.wake_at() > self.now.mono {
                        return true;
                    }
                }
                panic!("a tick changes nothing, and another is due at once");
            }
        }
        true
    }

    fn advance(&mut self, to: Duration) {
        self.now = self.now.plus(to.saturating_sub(self.now.mono));
    }

    /// Delivers a reply, and with it, if it is to be so, those that come at the same time.
    fn deliver_replies(&mut self, at: Duration, first: (Option<u64>, String)) {
        let mut replies = vec![first];
        while self.is_batched
            && let Some(next) = self.inbox.first_entry()
            && next.key().0 == at
            && matches!(next.get(), Message::Reply(..))
        {
            if let Message::Reply(round, payload) = next.remove() {
                replies.push((round, payload));
            }
        }
        for id in replies.iter().filter_map(|(_, payload)| id_of(payload)) {
            self.heard.insert(id.to_owned(), self.now.unix);
        }
        self.delivered += replies.len() as u64;
        let arrived = replies.iter().map(|(round, payload)| Arrived {
            round: *round,
            payload: payload.as_bytes(),
        });
        self.handle(Input::Replies(&arrived.collect::<Vec<_>>()));
    }

    fn deliver(&mut self, message: Message) {
        match &message {
            Message::Reply(round, payload) => {
                self.deliver_replies(self.now.mono, (*round, payload.clone()));
            }
            Message::NoResponders(round) => self.handle(Input::NoResponders { round: Some(*round) }),
            Message::Described(asked, payload) => self.handle(Input::Described {
                asked: asked.as_ref().map(|(service, id)| (&**service, &**id)),
                payload: payload.as_bytes(),
            }),
            Message::Undescribed(service, instance) => self.handle(Input::Undescribed {
                service,
                instance: instance.as_deref(),
            }),
            Message::LinkChecked(round, is_alive) => self.handle(Input::LinkChecked {
                round: *round,
                is_alive: *is_alive,
            }),
        }
    }

    /// Hands an input to the core, and does what it asks for.
    pub(super) fn handle(&mut self, input: Input<'_>) {
        let mut effects = self.core.handle(input, self.now);
        // Services are asked for descriptions in no particular order.
        effects.sort_by_key(|effect| match effect {
            Effect::Describe(question) => Some(question.service.clone()),
            _ => None,
        });
        self.effects += effects.len();
        for effect in effects {
            self.perform(effect);
        }
        if let Some(mut watch) = self.watch.take() {
            watch(self);
            self.watch = Some(watch);
        }
    }

    pub(super) fn post(&mut self, after: Duration, message: Message) {
        self.posted += 1;
        self.inbox.insert((self.now.mono + after, self.posted), message);
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Ask { round } => {
                (self.round, self.asked_at) = (round, self.now.mono);
                self.ask_all(round);
            }
            Effect::AskAgain { round } => self.ask_all(round),
            Effect::AskInstances { round, instances } => {
                self.asked_alone += instances.len();
                let actors = std::mem::take(&mut self.actors);
                let is_asked = |actor: &&Actor| {
                    let is_it = |(service, id): &(Arc<str>, Arc<str>)| {
                        **service == *actor.service && **id == *actor.id
                    };
                    self.is_alive && !actor.is_silent && instances.iter().any(is_it)
                };
                for actor in actors.iter().filter(is_asked).collect::<Vec<_>>() {
                    self.answer(actor, round);
                }
                self.actors = actors;
            }
            Effect::Describe(question) => self.describe(question),
            Effect::CheckLink { round } => self.post(MS, Message::LinkChecked(round, self.is_alive)),
            Effect::Listen(Listening::Begin { subject, .. }) => {
                assert!(self.listening.insert(subject), "listened to twice");
            }
            Effect::Listen(Listening::End { subject }) => {
                assert!(self.listening.remove(&subject), "not listened to");
            }
            Effect::RoundEnded { .. } => {}
            Effect::Publish(snapshot) => self.snapshots.push(snapshot),
            Effect::Say(notice) => self.notices.push(notice),
        }
    }

    fn ask_all(&mut self, round: u64) {
        let turn = self.requests;
        self.requests += 1;
        let actors = std::mem::take(&mut self.actors);
        let hears = |actor: &&Actor| self.is_alive && !actor.is_silent;
        let hearing: Vec<&Actor> = actors.iter().filter(hears).collect();
        if hearing.is_empty() && self.is_alive {
            self.post(MS, Message::NoResponders(round));
        }
        let has_turn = |actor: &Actor| match self.hearing {
            Hearing::All => true,
            Hearing::OneOfEachService => {
                let is_peer = |peer: &&&Actor| peer.service == actor.service;
                let peers: Vec<_> = hearing.iter().filter(is_peer).collect();
                peers[turn % peers.len()].id == actor.id
            }
            Hearing::One => {
                let count = hearing.len();
                let is_passed_too = turn % 20 == 19 && hearing[(turn + 1) % count].id == actor.id;
                hearing[turn % count].id == actor.id || is_passed_too
            }
        };
        let heard: Vec<&Actor> = hearing.iter().copied().filter(|actor| has_turn(actor)).collect();
        for actor in heard {
            self.answer(actor, round);
        }
        self.actors = actors;
    }

    fn answer(&mut self, actor: &Actor, round: u64) {
        for _ in 0..actor.copies {
            self.post(actor.latency, Message::Reply(Some(round), actor.reply()));
        }
    }

    fn describe(&mut self, question: Question) {
        let actors = std::mem::take(&mut self.actors);
        for actor in actors.iter().filter(|actor| *actor.service == *question.service) {
            let is_for_all = question.instances.is_empty();
            if !is_for_all && !question.instances.iter().any(|id| **id == *actor.id) {
                continue;
            }
            let asked = (!is_for_all).then(|| (actor.service.clone(), actor.id.clone()));
            match (actor.info_reply(), &actor.info) {
                (Some(reply), _) => self.post(actor.info_latency, Message::Described(asked, reply)),
                (None, Info::NoResponders) => {
                    let instance = asked.map(|(_, id)| id);
                    self.post(
                        actor.info_latency,
                        Message::Undescribed(actor.service.clone(), instance),
                    );
                }
                (None, _) => {}
            }
        }
        self.actors = actors;
        self.questions.push(question);
    }

    /// The link is lost, and restored after a time.
    pub(super) fn lose_link(&mut self) {
        self.link.connected = false;
        self.handle(Input::Link(self.link));
    }

    pub(super) fn restore_link(&mut self) {
        self.link.connected = true;
        self.link.reconnects += 1;
        self.handle(Input::Link(self.link));
    }

    /// Publishes what has changed at once.
    pub(super) fn publish(&mut self) {
        self.link.dropped_messages += 1;
        self.handle(Input::Link(self.link));
    }

    pub(super) fn take(&mut self, plan: Plan) {
        self.handle(Input::Plan(plan.into()));
    }

    /// An event is published; it arrives only where it is listened to.
    pub(super) fn publish_event(&mut self, subject: &str, payload: &[u8]) {
        let is_heard = self.listening.iter().any(|pattern| matches(pattern, subject));
        if is_heard {
            self.reader.add(subject, None, payload, self.now.unix);
        }
    }

    /// Hands over the events that were published.
    pub(super) fn hand_over(&mut self) {
        let batch = self.reader.take();
        self.handle(Input::Events(batch.into()));
    }

    /// Hands over the events that were published, and publishes what they change.
    pub(super) fn hear(&mut self) {
        self.hand_over();
        self.run(101 * MS);
        self.publish();
    }
}

/// Whether a subscription of NATS receives what is published to a subject.
fn matches(pattern: &str, subject: &str) -> bool {
    let (pattern, subject): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), subject.split('.').collect());
    pattern.len() == subject.len() && pattern.iter().zip(&subject).all(|(p, s)| *p == "*" || p == s)
}

fn id_of(reply: &str) -> Option<&str> {
    let (_, rest) = reply.split_once(r#""id": ""#)?;
    Some(rest.split_once('"')?.0)
}
