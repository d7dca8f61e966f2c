//! `metrics explain`: every subject seen, taken apart, with what was tried and what came of it.

use std::fmt;

use protocol::subject::{Instance, SubjectParts};
use protocol::{Description, WorkerStats};
use serde::Serialize;

use super::Look;
use crate::matching::{Outcome, Part, SubjectLayout, Target};
use crate::status::remedy;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    target: String,
    candidates: Vec<Candidate>,
    round: String,
    finish: &'static str,
    unreadable_replies: usize,
    services: Vec<Service>,
    matched: usize,
    near_misses: usize,
    foreign: usize,
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
        layout: SubjectLayout,
        instance: Instance,
        load: String,
    },
    NearMiss {
        reason: String,
        code: &'static str,
        part: Option<Part>,
        remedy: Option<String>,
    },
    /// The subject is that of a worker, its data cannot be used.
    DataUndecodable {
        layout: SubjectLayout,
        reason: String,
    },
    Foreign,
}

impl Report {
    pub(super) fn new(target: &Target, look: &Look) -> Self {
        let services: Vec<Service> = look
            .replies()
            .map(|reply| {
                let description = look.descriptions.get(reply);
                Service {
                    name: reply.service.clone(),
                    id: reply.id.clone(),
                    version: reply.version.clone(),
                    endpoints: reply
                        .endpoints
                        .iter()
                        .map(|endpoint| Endpoint {
                            subject: endpoint.subject.clone(),
                            parts: parts(&endpoint.subject, target, description.as_ref()),
                            verdict: judge(target, endpoint, description.as_ref()),
                        })
                        .collect(),
                    unreadable_endpoints: reply.refused.iter().map(ToString::to_string).collect(),
                    description: description.map(|d| d.to_string()),
                }
            })
            .collect();
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
            round: look.summary(),
            finish: look.round.finish.as_str(),
            unreadable_replies: look.unreadable(),
            matched: count(|v| matches!(v, Verdict::Matched { .. })),
            near_misses: count(|v| matches!(v, Verdict::NearMiss { .. } | Verdict::DataUndecodable { .. })),
            foreign: count(|v| matches!(v, Verdict::Foreign)),
            services,
        }
    }

    pub(super) fn has_workers(&self) -> bool {
        self.matched > 0
    }
}

fn judge(target: &Target, endpoint: &protocol::EndpointStats, description: Option<&Description>) -> Verdict {
    match target.classify(&endpoint.subject, description) {
        Outcome::Foreign => Verdict::Foreign,
        Outcome::NearMiss(miss) => Verdict::NearMiss {
            reason: miss.to_string(),
            remedy: remedy(&target.path, &miss),
            code: miss.reason.code(),
            part: miss.part,
        },
        Outcome::Matched { layout, instance } => {
            let data = endpoint.data.as_ref().map_err(ToString::to_string);
            match data.and_then(|data| WorkerStats::read(data).map_err(|error| error.to_string())) {
                Err(reason) => Verdict::DataUndecodable { layout, reason },
                Ok(reading) => {
                    let mut load = match reading.shape {
                        Some(shape) => format!("{shape} load data"),
                        None => "no load data in its statistics; it may come by kv_metrics events".to_owned(),
                    };
                    for refused in &reading.refused {
                        load.push_str(&format!("; {refused}"));
                    }
                    Verdict::Matched {
                        layout,
                        instance,
                        load,
                    }
                }
            }
        }
    }
}

fn parts(subject: &str, target: &Target, description: Option<&Description>) -> Option<Parts> {
    let split = SubjectParts::split(subject)?;
    let (endpoint, id) = match target.classify(subject, description) {
        Outcome::Matched {
            instance,
            layout: SubjectLayout::BuiltIn(_),
        } => (
            target.path.endpoint.as_str(),
            if let Instance::Worker(id) = instance {
                Some(id)
            } else {
                None
            },
        ),
        _ => split.guess(),
    };
    Some(Parts {
        service: split.service.to_owned(),
        endpoint: endpoint.to_owned(),
        worker_id: id.map(|id| id.to_string()),
        worker_hex: id.map(|id| format!("{id:x}")),
    })
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
                service.name.escape_debug(),
                service.id.escape_debug(),
                service.version.escape_debug()
            )?;
            match &service.description {
                Some(description) => writeln!(f, ": {description}")?,
                None => writeln!(f, ": no description in Dynamo's form")?,
            }
            if service.endpoints.is_empty() && service.unreadable_endpoints.is_empty() {
                writeln!(f, "  serves no endpoint: not a worker")?;
            }
            for endpoint in &service.endpoints {
                write!(f, "{endpoint}")?;
            }
            for unreadable in &service.unreadable_endpoints {
                writeln!(f, "  {unreadable}")?;
            }
        }
        if self.unreadable_replies > 0 {
            writeln!(f, "\nreplies that cannot be read: {}", self.unreadable_replies)?;
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
        )
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  subject  {}", self.subject.escape_debug())?;
        if let Some(parts) = &self.parts {
            write!(
                f,
                "  parts    service {} | endpoint {}",
                parts.service.escape_debug(),
                parts.endpoint.escape_debug()
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
            } => {
                let instance = match instance {
                    Instance::Worker(id) => format!("worker {id}"),
                    Instance::Static => "static worker".to_owned(),
                };
                writeln!(f, "  outcome  matched: {instance}, layout {layout}; {load}")
            }
            Verdict::NearMiss { reason, remedy, .. } => {
                write!(f, "  outcome  near miss: {reason}")?;
                match remedy {
                    Some(remedy) => writeln!(f, ": {remedy}"),
                    None => writeln!(f),
                }
            }
            Verdict::DataUndecodable { layout, reason } => {
                writeln!(
                    f,
                    "  outcome  near miss: data undecodable (layout {layout}): {reason}"
                )
            }
            Verdict::Foreign => writeln!(f, "  outcome  foreign: nothing in common with the target"),
        }
    }
}
