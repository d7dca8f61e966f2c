//! The series of each worker that have labels of their own: phases, topics, and what identifies it.

use std::sync::Arc;

use fleet::{EngineLoad, EventsView, WorkerView};
use protocol::events::Topic;

use super::catalogue as c;
use super::chunks::Chunks;
use super::family::Family;
use super::format::Format;
use super::labels::{Text, Texts, Worker};
use super::writer::Samples;

/// The label values of the two kinds of work.
const PHASES: [&str; 2] = ["prefill", "decode"];

type PhaseValues = fn(&EngineLoad) -> [u64; 2];

const PHASED: [(&Family<Worker, 1>, PhaseValues); 3] = [
    (&c::RUNNING, |engine| engine.running),
    (&c::QUEUED, |engine| engine.queued),
    (&c::QUEUED_TOKENS, |engine| engine.queued_tokens),
];

/// The topics whose messages workers number.
const NUMBERED: [Topic; 2] = [Topic::ForwardPass, Topic::KvEvents];

/// These families, as they are being written.
pub(super) struct Labelled<'a> {
    phased: [Samples<'a, Worker, 1>; PHASED.len()],
    lost: Samples<'a, Worker, 1>,
    topics: Samples<'a, Worker, 1>,
    identities: Samples<'a, Worker, 7>,
    /// The labels of metadata that are shown.
    metadata: &'a [Arc<str>],
}

/// How many families there are.
const FAMILIES: usize = PHASED.len() + 3;

impl<'a> Labelled<'a> {
    /// The series of a worker whatever is known of it.
    pub(super) const SERIES: usize = 1;

    /// The most that it has because of its events.
    pub(super) const SERIES_OF_EVENTS: usize =
        PHASED.len() * PHASES.len() + NUMBERED.len() + Topic::ALL.len();

    /// A text for each family; `room` is for the last, which every worker has.
    pub(super) fn texts(room: usize) -> [Chunks; FAMILIES] {
        let mut texts: [Chunks; FAMILIES] = Default::default();
        texts[FAMILIES - 1] = Chunks::with_room(room);
        texts
    }

    pub(super) fn new(format: Format, texts: &'a mut [Chunks; FAMILIES], metadata: &'a [Arc<str>]) -> Self {
        let [running, queued, tokens, lost, topics, identities] = texts;
        Self {
            phased: [
                Samples::new(format, running, PHASED[0].0),
                Samples::new(format, queued, PHASED[1].0),
                Samples::new(format, tokens, PHASED[2].0),
            ],
            lost: Samples::new(format, lost, &c::MESSAGES_LOST),
            topics: Samples::new(format, topics, &c::LAST_EVENT),
            identities: Samples::new(format, identities, &c::INFO),
            metadata,
        }
    }

    pub(super) fn write(&mut self, labels: &Texts<Worker>, block: &[WorkerView]) {
        for (labels, worker) in labels.iter().zip(block) {
            if let Some(events) = worker.events.as_deref() {
                self.events(labels, events);
            }
            let identity = &worker.identity;
            let more = [
                &identity.worker_hex,
                identity.service_id.as_ref(),
                identity.version.as_ref(),
                identity.layout.as_ref(),
                worker.schema,
                worker.source().as_str(),
                worker.capacity.as_str(),
            ];
            self.identities
                .write_chosen(labels, more, metadata_of(worker, self.metadata), true);
        }
    }

    fn events(&mut self, labels: Text<'_, Worker>, events: &EventsView) {
        if let Some(engine) = &events.engine {
            for ((_, values), samples) in PHASED.iter().zip(&mut self.phased) {
                for (phase, value) in PHASES.into_iter().zip(values(engine)) {
                    samples.write(labels, [phase], value);
                }
            }
        }
        for (topic, at) in Topic::ALL.into_iter().zip(events.topics) {
            if let Some(at) = at {
                self.topics.write(labels, [topic.as_str()], at);
            }
        }
        for topic in NUMBERED.into_iter().filter(|topic| has(events, *topic)) {
            self.lost
                .write(labels, [topic.as_str()], events.lost[topic as usize]);
        }
    }

    /// How many series a worker has.
    pub(super) fn count(worker: &WorkerView) -> usize {
        let events = worker.events.as_deref().map_or(0, |events| {
            let phased = events.engine.map_or(0, |_| PHASED.len() * PHASES.len());
            let topics = events.topics.iter().flatten().count();
            let numbered = NUMBERED.iter().filter(|topic| has(events, **topic)).count();
            phased + topics + numbered
        });
        Self::SERIES + events
    }
}

/// The chosen metadata of a worker or an instance; what it does not have is empty, which Prometheus takes as absent.
pub(super) fn metadata_of<'a>(
    worker: &'a WorkerView,
    labels: &'a [Arc<str>],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let profile = worker.identity.profile.as_deref();
    let value = move |label: &'a Arc<str>| profile.map_or("", |profile| profile.value(label));
    labels.iter().map(move |label| (&**label, value(label)))
}

fn has(events: &EventsView, topic: Topic) -> bool {
    events.topics[topic as usize].is_some()
}
