//! `metrics explain`: the verdict on one pool, and every subject seen, taken apart, with what was tried and what came of it.

mod group;
mod text;
mod verdict;

use std::time::Duration;

use fleet::matching::{Part, SubjectLayout, Target};
use fleet::{
    EndpointReport, EventScope, Inspection, InstanceReport, PartialPath, PoolName, Seen, WorkerKey,
    WorkerView,
};
use link::{Denials, Grants};
use protocol::EndpointPath;
use protocol::events::Topic;
use serde::Serialize;

use self::group::Group;
use self::verdict::Verdict;
use super::conclusion::Conclusion;
use super::copied::Copied;
use super::denied::Denied;
use super::in_turn::OneByOne;
use super::pools::{self, Duplicate};
use super::reading::{self, Reading};

/// Senders and groups that are shown, unless all are asked for.
const SHOWN: usize = 10;

/// Characters of a reason that are shown.
const REASON: usize = 400;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    target: String,
    #[serde(flatten)]
    verdict: Verdict,
    denied: Denied,
    in_turn: Option<OneByOne>,
    duplicates: Vec<Duplicate>,
    groups: Vec<Group>,
    candidates: Vec<Candidate>,
    round: String,
    finish: &'static str,
    unreadable_replies: u64,
    services: Vec<Service>,
    senders: Vec<Sender>,
    mappings: Vec<Reading>,
    /// Whether there are mappings at all.
    #[serde(skip)]
    has_mappings: bool,
    heard_elsewhere: Vec<String>,
    matched: usize,
    near_misses: usize,
    foreign: usize,
    conclusion: Conclusion,
    /// Whether the text shows every instance.
    #[serde(skip)]
    shows_all: bool,
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
    /// The pool that it belongs to.
    pool: Option<EndpointPath>,
    #[serde(flatten)]
    judgement: Judgement,
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
enum Judgement {
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
    pub(super) fn new(
        target: &Target,
        seen: &Inspection,
        link: (&Denials, &Grants),
        listened: Duration,
        copied: &Copied,
        shows_all: bool,
    ) -> Self {
        let path = &target.path;
        let pool = pools::view_of(path, seen);
        let workers = pool.map_or(&[][..], |pool| pool.workers.as_slice());
        let senders = workers
            .iter()
            .filter_map(|worker| Sender::new(worker, seen.now.as_secs_f64()));
        let near = |(place, count): &(PartialPath, usize)| {
            (place.namespace == path.namespace).then(|| {
                let workers = if *count == 1 {
                    "worker publishes"
                } else {
                    "workers publish"
                };
                format!("{count} {workers} events for {place}, which name no endpoint")
            })
        };
        let services: Vec<Service> = seen.instances.iter().map(Service::new).collect();
        let count = |is: fn(&Judgement) -> bool| {
            let endpoints = services.iter().flat_map(|service| &service.endpoints);
            endpoints.filter(|endpoint| is(&endpoint.judgement)).count()
        };
        let is_near = |judgement: &Judgement| {
            matches!(
                judgement,
                Judgement::NearMiss { .. } | Judgement::DataUndecodable { .. }
            )
        };
        let conclusion = Conclusion::of(
            &path.to_string(),
            pool,
            listened.as_secs_f64(),
            &seen.service_prefix,
        );
        let duplicates = pools::duplicates(path, seen);
        let groups = group::of(&services);
        let mappings = reading::of(seen, |pool| pools::is_of(pool, path));
        Self {
            target: path.to_string(),
            verdict: Verdict::new(path, seen, &groups, &duplicates, &conclusion, copied)
                .with(reading::verdict(mappings.iter())),
            denied: Denied::new(link.0, link.1, &seen.service_prefix),
            in_turn: OneByOne::of(seen),
            candidates: target
                .candidates()
                .map(|(layout, subject)| Candidate { layout, subject })
                .collect(),
            round: super::summary(seen),
            finish: seen.finish.map_or("error", fleet::Finish::as_str),
            unreadable_replies: seen.unreadable,
            matched: count(|judgement| matches!(judgement, Judgement::Matched { .. })),
            near_misses: count(is_near),
            foreign: count(|judgement| matches!(judgement, Judgement::Foreign)),
            senders: senders.collect(),
            mappings,
            has_mappings: !seen.mappings.is_empty(),
            heard_elsewhere: seen.nameless.iter().filter_map(near).collect(),
            duplicates,
            groups,
            conclusion,
            services,
            shows_all,
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
            pool: match &seen.pool {
                Some(PoolName::Workers(path)) => Some(path.clone()),
                _ => None,
            },
            judgement: Judgement::new(&seen.seen),
        }
    }
}

impl Judgement {
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
