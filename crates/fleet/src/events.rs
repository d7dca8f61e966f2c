//! [`EventReader`]: reads events and adds them up per worker before the state machine sees them, so that fifty thousand a
//! second cost it little.

pub(crate) mod opt_in;
mod publishers;

use std::time::Duration;

use hashbrown::HashMap;
use protocol::codec::{self, Opened};
use protocol::events::{ForwardPass, KvEvent, RequestTrace, SequenceEvent, Topic};
use protocol::{EventError, KvHitRate, KvMetrics, LoadSource, WorkerId};

use crate::histogram::{DELAY_BUCKETS, Histogram, RATIO_BUCKETS};
use crate::outcome::{EventCounts, EventResult};
use crate::passes::PassSum;
use crate::requests::Records;

use opt_in::OptIn;
use publishers::Publishers;

/// Different subjects in one batch. A hostile publisher can make up any number.
const MAX_SUBJECTS: usize = 20_000;

/// Different workers and ranks in one batch.
const MAX_SENDERS: usize = 500_000;

/// Records of requests in one batch.
const MAX_TRACES: usize = 100_000;

/// A longer pass cannot be: an engine reports each step.
const LONGEST_PASS_SECONDS: f64 = 3600.0;

/// An event that was published longer ago by its publisher's clock shows that the clock is wrong.
const LONGEST_DELAY_SECONDS: f64 = 86_400.0;

/// The place of a subject within a batch.
type Subject = u32;

/// Reads events, and adds them up until they are taken.
#[derive(Debug, Default)]
pub struct EventReader {
    batch: EventBatch,
    publishers: Publishers,
}

/// Events of a short time.
#[derive(Debug, Default)]
pub struct EventBatch {
    places: HashMap<Box<str>, Subject>,
    pub(crate) subjects: Vec<(Box<str>, Topic)>,
    pub(crate) hits: HashMap<(Subject, WorkerId), Hits>,
    pub(crate) loads: HashMap<(Subject, WorkerId, u64, LoadSource), Load>,
    pub(crate) passes: HashMap<(Subject, WorkerId, u64), PassSum>,
    pub(crate) opt_in: OptIn,
    pub(crate) refused: HashMap<Subject, EventCounts>,
    pub(crate) traces: Vec<RequestTrace>,
    pub(crate) records: Records,
    pub(crate) hearing: Hearing,
    count: u64,
}

/// Hit-rate events of one worker, added up.
#[derive(Debug)]
pub(crate) struct Hits {
    pub(crate) events: u64,
    pub(crate) lookup_blocks: u64,
    pub(crate) hit_blocks: u64,
    pub(crate) ratios: Histogram,
}

/// The last load event of one worker's rank, and how all of them are counted.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) event: KvMetrics,
    /// Whether the worker published one of them itself.
    pub(crate) is_own: bool,
    pub(crate) results: EventCounts,
}

/// How well events are heard, for each topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Hearing {
    /// Messages that publishers numbered and that did not come.
    pub gaps: [u64; Topic::ALL.len()],
    /// Time from publication to arrival.
    pub delays: [Histogram; Topic::ALL.len()],
    /// Events from the future, or from days ago: the clocks of publisher and collector differ.
    pub skewed: [u64; Topic::ALL.len()],
    /// Events that belong to no pool, by reason.
    pub unassigned: Unassigned,
}

/// Events that belong to no pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unassigned {
    /// Their subject is none that an event has.
    pub bad_subject: u64,
    /// Their path is not watched.
    pub not_selected: u64,
    /// Their path is watched, and no worker of it is known yet.
    pub no_worker: u64,
    /// Their subject has no endpoint, and neither the worker nor a target says which it is.
    pub no_endpoint: u64,
    /// A limit was reached.
    pub over_limit: u64,
}

impl Default for Hearing {
    fn default() -> Self {
        Self {
            gaps: Default::default(),
            delays: std::array::from_fn(|_| Histogram::new(DELAY_BUCKETS)),
            skewed: Default::default(),
            unassigned: Unassigned::default(),
        }
    }
}

impl Hearing {
    pub(crate) fn add(&mut self, more: &Self) {
        for topic in 0..Topic::ALL.len() {
            self.gaps[topic] = self.gaps[topic].saturating_add(more.gaps[topic]);
            self.skewed[topic] += more.skewed[topic];
            self.delays[topic].merge(&more.delays[topic]);
        }
        let (sum, more) = (&mut self.unassigned, &more.unassigned);
        sum.bad_subject += more.bad_subject;
        sum.not_selected += more.not_selected;
        sum.no_worker += more.no_worker;
        sum.no_endpoint += more.no_endpoint;
        sum.over_limit += more.over_limit;
    }
}

impl EventReader {
    /// Reads an event and adds it up. `content_type` is the message's header, if it has one; `arrived` is in Unix time.
    pub fn add(&mut self, subject: &str, content_type: Option<&str>, bytes: &[u8], arrived: Duration) {
        self.batch.count += 1;
        let Some(place) = self.batch.place(subject) else {
            return;
        };
        let topic = self.batch.subjects[place as usize].1;
        let opened = match codec::open(content_type, bytes) {
            Ok(opened) => opened,
            Err(error) => return self.batch.refuse(place, 1, &error.into()),
        };
        if let Some(publisher) = &opened.publisher {
            let hearing = &mut self.batch.hearing;
            self.publishers
                .note(publisher.id, topic, publisher.sequence, arrived);
            let arrived_ms = arrived.as_secs_f64() * 1e3;
            let delay = (arrived_ms - publisher.published_at_ms as f64) / 1e3;
            // The stamp is in whole milliseconds, so it is never later than the event.
            match (0.0..=LONGEST_DELAY_SECONDS).contains(&delay) {
                true => hearing.delays[topic as usize].observe(delay),
                false => hearing.skewed[topic as usize] += 1,
            }
        }
        self.batch.event(place, topic, &opened);
    }

    /// Reads what a frontend reports of one request.
    pub fn add_trace(&mut self, bytes: &[u8]) {
        let batch = &mut self.batch;
        batch.count += 1;
        if batch.traces.len() >= MAX_TRACES {
            batch.records.over_limit += 1;
            return;
        }
        match RequestTrace::read(bytes) {
            Ok(Some(trace)) => {
                batch.records.ok += 1;
                batch.records.out_of_range += u64::from(!trace.refused.is_empty());
                batch.traces.push(trace);
            }
            Ok(None) => batch.records.ignored += 1,
            Err(_) => batch.records.malformed += 1,
        }
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.batch.count == 0
    }

    /// What has been added.
    pub fn take(&mut self) -> EventBatch {
        self.batch.hearing.gaps = self.publishers.take_lost();
        let next = self.batch.next();
        std::mem::replace(&mut self.batch, next)
    }
}

impl EventBatch {
    /// How many events it holds.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether it holds no event.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// An empty batch with room for as much: the senders of the next are mostly the same, and maps that grow move
    /// everything in them, again and again.
    fn next(&self) -> Self {
        Self {
            places: HashMap::with_capacity(self.places.len()),
            subjects: Vec::with_capacity(self.subjects.len()),
            hits: HashMap::with_capacity(self.hits.len()),
            loads: HashMap::with_capacity(self.loads.len()),
            passes: HashMap::with_capacity(self.passes.len()),
            traces: Vec::with_capacity(self.traces.len()),
            ..Self::default()
        }
    }

    fn place(&mut self, subject: &str) -> Option<Subject> {
        if let Some(place) = self.places.get(subject) {
            return Some(*place);
        }
        let topic = subject.rsplit_once('.').and_then(|(_, topic)| Topic::read(topic));
        let Some(topic) = topic else {
            self.hearing.unassigned.bad_subject += 1;
            return None;
        };
        if self.subjects.len() >= MAX_SUBJECTS {
            self.hearing.unassigned.over_limit += 1;
            return None;
        }
        let place = self.subjects.len() as Subject;
        self.subjects.push((subject.into(), topic));
        self.places.insert(subject.into(), place);
        Some(place)
    }

    fn event(&mut self, subject: Subject, topic: Topic, opened: &Opened<'_>) {
        let senders = self.hits.len() + self.loads.len() + self.passes.len() + self.opt_in.senders();
        if senders >= MAX_SENDERS || (topic == Topic::ActiveSequences && self.opt_in.is_full()) {
            self.hearing.unassigned.over_limit += 1;
            return;
        }
        let result = match topic {
            Topic::KvHitRate => KvHitRate::read(opened).map(|event| self.hit_rate(subject, &event)),
            Topic::KvMetrics => {
                let publisher = opened.publisher.map(|publisher| publisher.id);
                KvMetrics::read(opened).map(|event| self.load(subject, event, publisher))
            }
            Topic::ForwardPass => ForwardPass::read(opened).map(|pass| self.pass(subject, &pass)),
            Topic::KvEvents => {
                KvEvent::read_all(opened).and_then(|events| self.opt_in.cache(subject, &events))
            }
            Topic::ActiveSequences => {
                SequenceEvent::read(opened).map(|event| self.opt_in.sequence(subject, &event))
            }
        };
        if let Err(error) = result {
            self.refuse(subject, 1, &error);
        }
    }

    fn hit_rate(&mut self, subject: Subject, event: &KvHitRate) {
        let hits = self
            .hits
            .entry((subject, event.worker_id()))
            .or_insert_with(|| Hits {
                events: 0,
                lookup_blocks: 0,
                hit_blocks: 0,
                ratios: Histogram::new(RATIO_BUCKETS),
            });
        hits.events += 1;
        hits.lookup_blocks = hits.lookup_blocks.saturating_add(event.isl_blocks());
        hits.hit_blocks = hits.hit_blocks.saturating_add(event.overlap_blocks());
        if let Some(ratio) = event.hit_ratio() {
            hits.ratios.observe(ratio);
        }
    }

    fn load(&mut self, subject: Subject, event: KvMetrics, publisher: Option<u64>) {
        let result = match event.refused.iter().all(|error| error.fault.is_out_of_range()) {
            _ if event.refused.is_empty() => EventResult::Ok,
            true => EventResult::OutOfRange,
            false => EventResult::Malformed,
        };
        // Routers publish under the same name. Up to 1.2.1 a publisher's id is that of its worker; what only an engine
        // knows shows it as well.
        let is_own = event.source == LoadSource::Engine
            || (event.source == LoadSource::Worker && publisher == Some(event.worker_id.get()));
        let key = (subject, event.worker_id, event.dp_rank, event.source);
        match self.loads.get_mut(&key) {
            Some(known) => {
                known.event.stats = known.event.stats.updated_by(&event.stats);
                let tokens = event.active_prefill_tokens.or(known.event.active_prefill_tokens);
                known.event.active_prefill_tokens = tokens;
                known.is_own |= is_own;
                known.results[result] += 1;
            }
            None => {
                let mut results = EventCounts::default();
                results[result] += 1;
                let load = Load {
                    event,
                    is_own,
                    results,
                };
                self.loads.insert(key, load);
            }
        }
    }

    fn pass(&mut self, subject: Subject, pass: &ForwardPass) {
        if pass.wall_time > LONGEST_PASS_SECONDS {
            self.refused.entry(subject).or_default()[EventResult::OutOfRange] += 1;
            return;
        }
        self.passes
            .entry((subject, pass.worker_id, pass.dp_rank))
            .or_insert_with(|| PassSum::new(pass.counter_id))
            .add(pass);
    }

    fn refuse(&mut self, subject: Subject, count: u64, error: &EventError) {
        let result = match error.is_out_of_range() {
            true => EventResult::OutOfRange,
            false => EventResult::Malformed,
        };
        self.refused.entry(subject).or_default()[result] += count;
    }
}
