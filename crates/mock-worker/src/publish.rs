//! [`Publishers`]: the events of a fleet's workers, of the router before them and of the frontend, as a
//! [`Generation`] writes them. Pure: what happened comes in, messages go out.

mod hits;
mod requests;
pub mod wire;
mod worker;

use protocol::codec::Publisher;
use protocol::events::Topic;
use protocol::events::write::{SequenceChange, SequenceEvent};
use protocol::{EndpointPath, WorkerId};
use sim::{HitEvent, Journal, Pass, RequestEvent};

use crate::faults::{Fault, Kind};
use crate::generation::{Generation, LoadForm, TraceForm, Wrapping};
use crate::ids;
use requests::Requests;
use wire::Event;
use worker::Worker;

pub(crate) use hits::Hits;

/// A message and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// When, since the start.
    pub time_ns: u64,
    /// The worker that publishes it; `None` for the router and the frontend.
    pub place: Option<usize>,
    /// The worker that it is about.
    pub worker: WorkerId,
    /// Its topic; of request traces, their usual subject.
    pub topic: &'static str,
    /// Where it is published.
    pub subject: String,
    /// What it says.
    pub event: Event,
    /// The message.
    pub payload: Vec<u8>,
    /// Whether it is lost on its way, by a fault.
    pub is_lost: bool,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It is sent.
    Sent,
    /// It is numbered, and not sent.
    Lost,
    /// The worker says nothing new, so there is none.
    Withheld,
}

/// Who publishes what for a fleet.
#[derive(Debug)]
pub struct Publishers {
    style: Style,
    workers: Vec<Worker>,
    hits: Hits,
    requests: Requests,
    /// What the router's messages are numbered by.
    router: Numbering,
}

/// How events are written, and where they go.
#[derive(Debug, Clone)]
struct Style {
    generation: Generation,
    seed: u64,
    hit_rate: String,
    load: String,
    pass: String,
    sequence: String,
    trace: String,
}

/// The id and the next sequence number of a publisher.
#[derive(Debug, Clone, Copy, Default)]
struct Numbering {
    id: u64,
    sequence: u64,
}

/// What the outside knows about a fleet at a time.
pub(crate) trait Circumstances {
    /// The faults of a worker at a time.
    fn faults(&self, worker: usize, time_ns: u64) -> Vec<&Fault>;
    /// Whether a worker's process is there now.
    fn is_up(&self, worker: usize) -> bool;
    /// The load of a worker now, as a whole.
    fn load(&self, worker: usize) -> Option<sim::Load>;
    /// Tokens in a KV block of a worker.
    fn block_size(&self, worker: usize) -> u64;
}

/// The largest id that a publisher draws from 1.4 on: 53 bits.
const MOST_PUBLISHER_ID: u64 = (1 << 53) - 1;

impl Publishers {
    /// The publishers of these workers, of which each is up where `is_up` says so.
    ///
    /// # Errors
    /// Says which subject there cannot be.
    pub fn new(
        generation: Generation,
        path: &EndpointPath,
        trace_subject: &str,
        seed: u64,
        workers: impl Iterator<Item = (WorkerId, bool)>,
    ) -> Result<Self, String> {
        let style = Style {
            generation,
            seed,
            hit_rate: generation.subject(path, Topic::KvHitRate)?,
            load: generation.subject(path, Topic::KvMetrics)?,
            pass: generation.subject(path, Topic::ForwardPass)?,
            sequence: generation.subject(path, Topic::ActiveSequences)?,
            trace: trace_subject.to_owned(),
        };
        let mut lives = 0;
        let workers: Vec<Worker> = workers
            .map(|(id, is_up)| {
                lives += 1;
                Worker::new(&style, id, lives, is_up.then_some(0))
            })
            .collect();
        let router = match generation.wrapping() {
            Wrapping::OfPublisher => Numbering::random(seed, u64::MAX),
            // Its process has an id as workers have.
            _ => Numbering::of(ids::again(WorkerId::new(seed), u64::MAX).get()),
        };
        Ok(Self {
            hits: Hits::new(workers.len()),
            requests: Requests::new(seed, workers.len()),
            style,
            workers,
            router,
        })
    }

    /// A worker is up as a new process, at a time.
    pub fn start(&mut self, worker: usize, id: WorkerId, now: u64) {
        let lives = self.workers[worker].lives + self.workers.len() as u64;
        self.workers[worker] = Worker::new(&self.style, id, lives, Some(now));
    }

    /// Publishes what happened up to a time, in order; the journal is empty afterwards. `unix_ms` is when that is.
    pub(crate) fn publish(
        &mut self,
        journal: &mut Journal,
        to: u64,
        unix_ms: u64,
        circumstances: &impl Circumstances,
        out: &mut Vec<Published>,
    ) {
        let before = out.len();
        for hit in journal.hits.drain(..) {
            self.hit(hit, unix_ms, circumstances, out);
        }
        for pass in journal.passes.drain(..) {
            self.pass(&pass, unix_ms, circumstances, out);
        }
        for event in journal.requests.drain(..) {
            self.request(event, unix_ms, circumstances, out);
        }
        for place in 0..self.workers.len() {
            let mut says = Saying {
                style: &self.style,
                place,
                unix_ms,
                circumstances,
                out,
            };
            self.workers[place].rest(to, &mut says);
        }
        out[before..].sort_by_key(|published| published.time_ns);
    }

    /// Where the workers publish, for the log.
    pub fn subjects(&self) -> Vec<&str> {
        let generation = self.style.generation;
        let mut subjects = Vec::new();
        let mut add = |is_used: bool, subject| subjects.extend(is_used.then_some(subject));
        add(generation.has_hit_rate(), self.style.hit_rate.as_str());
        add(generation.load().is_some(), self.style.load.as_str());
        add(generation.has_passes(), self.style.pass.as_str());
        add(generation.has_marks(), self.style.sequence.as_str());
        add(generation.trace().is_some(), self.style.trace.as_str());
        subjects
    }

    fn hit(
        &mut self,
        hit: HitEvent,
        unix_ms: u64,
        circumstances: &impl Circumstances,
        out: &mut Vec<Published>,
    ) {
        if !self.style.generation.has_hit_rate() {
            return;
        }
        let worker = &mut self.workers[hit.worker];
        let faults = circumstances.faults(hit.worker, hit.time_ns);
        let has_rank = self.style.generation == Generation::V0_9;
        for event in self.hits.events(hit, worker.id, &faults, has_rank) {
            let event = Event::HitRate(event);
            let payload = self
                .style
                .write(&mut worker.hits, unix_ms, Topic::KvHitRate, &event);
            out.push(Published {
                time_ns: hit.time_ns,
                place: Some(hit.worker),
                worker: worker.id,
                topic: Topic::KvHitRate.as_str(),
                subject: self.style.hit_rate.clone(),
                event,
                payload,
                is_lost: delivery(&faults) != Delivery::Sent,
            });
        }
    }

    fn pass(
        &mut self,
        pass: &Pass,
        unix_ms: u64,
        circumstances: &impl Circumstances,
        out: &mut Vec<Published>,
    ) {
        let mut says = Saying {
            style: &self.style,
            place: pass.worker,
            unix_ms,
            circumstances,
            out,
        };
        self.workers[pass.worker].pass(pass, &mut says);
    }

    fn request(
        &mut self,
        event: RequestEvent,
        unix_ms: u64,
        circumstances: &impl Circumstances,
        out: &mut Vec<Published>,
    ) {
        let generation = self.style.generation;
        if !generation.has_estimates() && generation.trace().is_none() {
            return;
        }
        let block_size = circumstances.block_size(event.worker);
        let id = self.workers[event.worker].id;
        let Some(became) = self.requests.take(event, id, block_size, unix_ms) else {
            return;
        };
        if let Some(request_id) = became.first_token.filter(|_| generation.has_marks()) {
            let mark = SequenceEvent {
                request_id,
                worker_id: became.worker,
                dp_rank: 0,
                change: SequenceChange::MarkPrefillCompleted,
                router_id: became.worker.get(),
                lora_name: None,
            };
            let mark = Event::Sequence(mark, generation.release());
            let delivery = delivery(&circumstances.faults(event.worker, event.time_ns));
            if delivery != Delivery::Withheld {
                let topic = Topic::ActiveSequences;
                let numbering = &mut self.workers[event.worker].sequences;
                out.push(Published {
                    time_ns: event.time_ns,
                    place: Some(event.worker),
                    worker: became.worker,
                    topic: topic.as_str(),
                    subject: self.style.sequence.clone(),
                    payload: self.style.write(numbering, unix_ms, topic, &mark),
                    event: mark,
                    is_lost: delivery == Delivery::Lost,
                });
            }
        }
        let mut say = |topic: &'static str, subject: &str, event_said: Event, payload| {
            out.push(Published {
                time_ns: event.time_ns,
                place: None,
                worker: became.worker,
                topic,
                subject: subject.to_owned(),
                event: event_said,
                payload,
                is_lost: false,
            });
        };
        if generation.has_estimates() {
            let load = Event::Load(became.estimate, generation.release());
            let topic = Topic::KvMetrics;
            let payload = self.style.write(&mut self.router, unix_ms, topic, &load);
            say(topic.as_str(), &self.style.load, load, payload);
        }
        if let (Some(form), Some(trace)) = (generation.trace(), became.trace) {
            let trace = Event::Trace(match form {
                TraceForm::Full => trace,
                TraceForm::Short => requests::short(trace),
            });
            let payload = wire::json(&trace);
            say(
                protocol::subject::REQUEST_TRACE,
                &self.style.trace,
                trace,
                payload,
            );
        }
    }
}

impl Style {
    /// Writes an event, and numbers it where messages are numbered.
    fn write(&self, numbering: &mut Numbering, unix_ms: u64, topic: Topic, event: &Event) -> Vec<u8> {
        if self.generation.wrapping() == Wrapping::Json {
            return wire::json(event);
        }
        let sequence = numbering.sequence;
        numbering.sequence += 1;
        let publisher = Publisher {
            id: numbering.id,
            sequence,
            published_at_ms: unix_ms,
        };
        wire::envelope(publisher, topic, event)
    }

    /// The numbering of a publisher of a worker's process in one of its lives.
    fn numbering(&self, worker: WorkerId, life: u64, topic: Topic) -> Numbering {
        match self.generation.wrapping() {
            Wrapping::OfPublisher => Numbering::random(self.seed, life << 8 | topic as u64),
            _ => Numbering::of(worker.get()),
        }
    }
}

impl Numbering {
    fn of(id: u64) -> Self {
        Self { id, sequence: 0 }
    }

    fn random(seed: u64, purpose: u64) -> Self {
        Self::of(ids::again(WorkerId::new(seed), purpose).get() & MOST_PUBLISHER_ID)
    }
}

/// What a worker says, and under which circumstances.
struct Saying<'a, C> {
    style: &'a Style,
    place: usize,
    unix_ms: u64,
    circumstances: &'a C,
    out: &'a mut Vec<Published>,
}

impl<C: Circumstances> Saying<'_, C> {
    fn delivery(&self, time_ns: u64) -> Delivery {
        delivery(&self.circumstances.faults(self.place, time_ns))
    }

    fn say(
        &mut self,
        numbering: &mut Numbering,
        worker: WorkerId,
        time_ns: u64,
        topic: Topic,
        event: Event,
        is_lost: bool,
    ) {
        let payload = self.style.write(numbering, self.unix_ms, topic, &event);
        let subject = match topic {
            Topic::ForwardPass => &self.style.pass,
            _ => &self.style.load,
        };
        self.out.push(Published {
            time_ns,
            place: Some(self.place),
            worker,
            topic: topic.as_str(),
            subject: subject.clone(),
            event,
            payload,
            is_lost,
        });
    }
}

/// What the faults of a worker do to its messages.
fn delivery(faults: &[&Fault]) -> Delivery {
    use Kind::*;
    let has = |kinds: &[Kind]| faults.iter().any(|fault| kinds.contains(&fault.kind));
    if has(&[Freeze]) {
        Delivery::Withheld
    } else if has(&[Silent, Flap, Disconnect, Drop]) {
        Delivery::Lost
    } else {
        Delivery::Sent
    }
}

#[cfg(test)]
mod tests;
