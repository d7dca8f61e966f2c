//! `metrics explain`: every subject seen, taken apart, with what was tried and what came of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fleet::matching::{Part, SubjectLayout, Target};
use fleet::{
    EndpointReport, EventScope, Inspection, InstanceReport, PartialPath, PoolName, PoolView, Seen, WorkerKey,
    WorkerView,
};
use protocol::events::Topic;
use protocol::text::Shown;
use serde::Serialize;

use super::conclusion::Conclusion;

/// Characters of a reason that are shown.
const REASON: usize = 400;

/// Workers with events that are shown.
const SHOWN_SENDERS: usize = 20;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    target: String,
    candidates: Vec<Candidate>,
    round: String,
    finish: &'static str,
    unreadable_replies: u64,
    services: Vec<Service>,
    senders: Vec<Sender>,
    heard_elsewhere: Vec<String>,
    matched: usize,
    near_misses: usize,
    foreign: usize,
    conclusion: Conclusion,
}

/// A worker of the target that publishes events.
#[derive(Debug, Serialize)]
struct Sender {
    worker_id: String,
    source: &'static str,
    generation: Option<&'static str>,
    /// Each topic, and how long ago something came, in seconds.
    topics: Vec<(&'static str, f64)>,
}

#[derive(Debug, Serialize)]
struct Candidate {
    layout: SubjectLayout,
    subject: String,
}

#[derive(Debug, Serialize)]
struct Service {
    name: String,
    id: String,
    version: String,
    description: Option<String>,
    endpoints: Vec<Endpoint>,
    unreadable_endpoints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Endpoint {
    subject: String,
    parts: Option<Parts>,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
struct Parts {
    service: String,
    endpoint: String,
    worker_id: Option<String>,
    worker_hex: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Verdict {
    Matched {
        layout: String,
        instance: Instance,
        load: String,
    },
    /// Another instance is shown under the same id.
    Duplicate {
        layout: String,
        instance: Instance,
    },
    NearMiss {
        reason: String,
        code: &'static str,
        part: Option<Part>,
        remedy: Option<String>,
    },
    /// The subject is that of a worker, its data cannot be used.
    DataUndecodable {
        layout: String,
        reason: String,
    },
    Foreign,
}

/// Which of the target's workers it is; an id is a text, because many JSON readers round large numbers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
enum Instance {
    Worker(String),
    Static,
}

impl Report {
    pub(super) fn new(target: &Target, seen: &Inspection, listened: Duration) -> Self {
        let is_target =
            |pool: &&Arc<PoolView>| matches!(&pool.name, PoolName::Workers(path) if *path == target.path);
        let pool = seen.pools.iter().find(is_target);
        let workers = pool.map_or(&[][..], |pool| pool.workers.as_slice());
        let senders = workers
            .iter()
            .filter_map(|worker| Sender::new(worker, seen.now.as_secs_f64()));
        let near = |(place, count): &(PartialPath, usize)| {
            (place.namespace == target.path.namespace).then(|| {
                let workers = if *count == 1 {
                    "worker publishes"
                } else {
                    "workers publish"
                };
                format!("{count} {workers} events for {place}, which name no endpoint")
            })
        };
        let services: Vec<Service> = seen.instances.iter().map(Service::new).collect();
        let count = |is: fn(&Verdict) -> bool| {
            services
                .iter()
                .flat_map(|service| &service.endpoints)
                .filter(|e| is(&e.verdict))
                .count()
        };
        Self {
            target: target.path.to_string(),
            candidates: target
                .candidates()
                .map(|(layout, subject)| Candidate { layout, subject })
                .collect(),
            round: super::summary(seen),
            finish: seen.finish.map_or("error", fleet::Finish::as_str),
            unreadable_replies: seen.unreadable,
            matched: count(|v| matches!(v, Verdict::Matched { .. })),
            near_misses: count(|v| matches!(v, Verdict::NearMiss { .. } | Verdict::DataUndecodable { .. })),
            foreign: count(|v| matches!(v, Verdict::Foreign)),
            senders: senders.collect(),
            heard_elsewhere: seen.nameless.iter().filter_map(near).collect(),
            conclusion: Conclusion::of(
                &target.path.to_string(),
                pool.map(Arc::as_ref),
                listened.as_secs_f64(),
            ),
            services,
        }
    }

    pub(super) fn has_workers(&self) -> bool {
        self.matched > 0 || !self.senders.is_empty()
    }
}

impl Sender {
    fn new(worker: &WorkerView, now: f64) -> Option<Self> {
        let events = worker.events.as_ref().filter(|events| events.is_heard)?;
        let topics = Topic::ALL.into_iter().zip(events.topics);
        let ages = topics.filter_map(|(topic, at)| Some((topic.as_str(), (now - at?).max(0.0))));
        Some(Self {
            worker_id: worker.identity.worker_id.to_string(),
            source: worker.source().as_str(),
            generation: events.scope.map(EventScope::generation),
            topics: ages.collect(),
        })
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  worker {}", self.worker_id)?;
        if let Some(generation) = self.generation {
            write!(f, ", Dynamo {generation}")?;
        }
        let ages: Vec<String> = self
            .topics
            .iter()
            .map(|(topic, age)| format!("{topic} {age:.1} s ago"))
            .collect();
        writeln!(f, ": {}", ages.join(", "))
    }
}

impl Service {
    fn new(seen: &InstanceReport) -> Self {
        Self {
            name: seen.service.to_string(),
            id: seen.id.to_string(),
            version: seen.version.to_string(),
            description: seen.description.clone(),
            endpoints: seen.endpoints.iter().map(Endpoint::new).collect(),
            unreadable_endpoints: seen.unreadable_endpoints.clone(),
        }
    }
}

impl Endpoint {
    fn new(seen: &EndpointReport) -> Self {
        Self {
            subject: seen.subject.to_string(),
            parts: seen.parts.as_ref().map(|(service, endpoint, id)| Parts {
                service: service.clone(),
                endpoint: endpoint.clone(),
                worker_id: id.map(|id| id.to_string()),
                worker_hex: id.map(|id| format!("{id:x}")),
            }),
            verdict: Verdict::new(&seen.seen),
        }
    }
}

impl Verdict {
    fn new(seen: &Seen) -> Self {
        match seen {
            Seen::Foreign => Self::Foreign,
            Seen::NearMiss { miss, remedy } => Self::NearMiss {
                reason: miss.to_string(),
                code: miss.reason.code(),
                part: miss.part,
                remedy: remedy.clone(),
            },
            Seen::Worker {
                layout,
                shape: "undecodable",
                complaint,
                ..
            } => Self::DataUndecodable {
                layout: layout.to_string(),
                reason: complaint.clone().unwrap_or_default(),
            },
            Seen::Worker {
                key,
                layout,
                shape,
                complaint,
                is_duplicate,
                ..
            } => {
                let (layout, instance) = (layout.to_string(), Instance::new(key));
                if *is_duplicate {
                    return Self::Duplicate { layout, instance };
                }
                let mut load = match *shape {
                    "none" => "no load data in its statistics; it may come by kv_metrics events".to_owned(),
                    shape => format!("{shape} load data"),
                };
                if let Some(complaint) = complaint {
                    load = format!("{load}; {complaint}");
                }
                Self::Matched {
                    layout,
                    instance,
                    load,
                }
            }
        }
    }
}

impl Instance {
    fn new(key: &WorkerKey) -> Self {
        match key {
            WorkerKey::Id(id) => Self::Worker(id.to_string()),
            WorkerKey::Instance(_) => Self::Static,
        }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(id) => write!(f, "worker {id}"),
            Self::Static => f.write_str("static worker"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "target {}\nsubjects tried:", self.target)?;
        for Candidate { layout, subject } in &self.candidates {
            // A template is its own description; its candidate says all.
            match layout {
                SubjectLayout::BuiltIn(layout) => writeln!(f, "  {:<12} {subject}", layout.as_str())?,
                SubjectLayout::Custom(_) => writeln!(f, "  {:<12} {subject}", "custom")?,
            }
        }
        writeln!(f, "{}", self.round)?;
        for service in &self.services {
            write!(
                f,
                "\nservice {} id {} version {}",
                Shown(&service.name),
                Shown(&service.id),
                Shown(&service.version)
            )?;
            match &service.description {
                Some(description) => writeln!(f, ": {}", Shown(description).up_to(REASON))?,
                None => writeln!(f, ": no description in Dynamo's form")?,
            }
            if service.endpoints.is_empty() && service.unreadable_endpoints.is_empty() {
                writeln!(f, "  serves no endpoint: not a worker")?;
            }
            for endpoint in &service.endpoints {
                write!(f, "{endpoint}")?;
            }
            for unreadable in &service.unreadable_endpoints {
                writeln!(f, "  {}", Shown(unreadable))?;
            }
        }
        if self.unreadable_replies > 0 {
            writeln!(f, "\nreplies that cannot be read: {}", self.unreadable_replies)?;
        }
        if !self.senders.is_empty() {
            writeln!(f, "\nevents of the target's workers:")?;
        }
        for sender in self.senders.iter().take(SHOWN_SENDERS) {
            write!(f, "{sender}")?;
        }
        if let Some(more @ 1..) = self.senders.len().checked_sub(SHOWN_SENDERS) {
            writeln!(f, "  and {more} more workers")?;
        }
        for place in &self.heard_elsewhere {
            writeln!(f, "\n{}", Shown(place).up_to(REASON))?;
        }
        writeln!(
            f,
            "\n{} {}; {} near {}, {} foreign",
            self.matched,
            if self.matched == 1 {
                "worker matched"
            } else {
                "workers matched"
            },
            self.near_misses,
            if self.near_misses == 1 { "miss" } else { "misses" },
            self.foreign
        )?;
        writeln!(f, "{}", self.conclusion.text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  subject  {}", Shown(&self.subject))?;
        if let Some(parts) = &self.parts {
            write!(
                f,
                "  parts    service {} | endpoint {}",
                Shown(&parts.service),
                Shown(&parts.endpoint)
            )?;
            match (&parts.worker_id, &parts.worker_hex) {
                (Some(id), Some(hex)) => writeln!(f, " | worker id {id} (hex {hex})")?,
                _ => writeln!(f, " | no worker id")?,
            }
        }
        match &self.verdict {
            Verdict::Matched {
                layout,
                instance,
                load,
            } => writeln!(
                f,
                "  outcome  matched: {instance}, layout {layout}; {}",
                Shown(load).up_to(REASON)
            ),
            Verdict::Duplicate { layout, instance } => writeln!(
                f,
                "  outcome  duplicate: {instance}, layout {layout}; another instance is shown under this id"
            ),
            Verdict::NearMiss { reason, remedy, .. } => {
                write!(f, "  outcome  near miss: {}", Shown(reason).up_to(REASON))?;
                match remedy {
                    Some(remedy) => writeln!(f, ": {}", Shown(remedy).up_to(REASON)),
                    None => writeln!(f),
                }
            }
            Verdict::DataUndecodable { layout, reason } => {
                writeln!(
                    f,
                    "  outcome  near miss: data undecodable (layout {layout}): {}",
                    Shown(reason).up_to(REASON)
                )
            }
            Verdict::Foreign => writeln!(f, "  outcome  foreign: nothing in common with the target"),
        }
    }
}
