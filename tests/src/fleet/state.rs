//! What each service of a [`TestFleet`](super::TestFleet) has been given to say, and what it was asked.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::Subject;
use bytes::Bytes;
use protocol::ServicePrefix;
use protocol::subject::ServiceRequest;

use crate::Micro;

/// All services, and what came to them.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By service name and instance id.
    pub(super) services: BTreeMap<(String, String), Service>,
    /// Subjects of all requests, in order.
    pub(super) requests: Vec<String>,
    /// How many STATS replies each service has sent since it joined.
    pub(super) answers: BTreeMap<(String, String), usize>,
    /// Subjects of requests that no service could answer.
    pub(super) without_reply: Vec<String>,
    /// Where answers to the latest STATS request are to go.
    pub(super) latest: Option<Subject>,
}

/// One service.
#[derive(Debug, Default)]
pub(super) struct Service {
    /// Its answer to STATS.
    pub(super) says: Says,
    /// Its answer to INFO.
    pub(super) info: Option<Bytes>,
    /// How long it takes to answer a verb.
    pub(super) latencies: BTreeMap<&'static str, Duration>,
    /// Keeps the STATS answers back until they are released.
    pub(super) holds: bool,
    pub(super) held: Vec<Subject>,
}

/// What a service answers to STATS.
#[derive(Debug)]
pub(super) enum Says {
    /// The same each time.
    Always(Vec<Bytes>),
    /// So many replies, each of an instance that was never seen before.
    Anew {
        service: Micro,
        times: usize,
        seen: usize,
    },
}

/// A reply, where it is to go, and after which time.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) reply_to: Subject,
    pub(super) payload: Bytes,
    pub(super) after: Duration,
}

impl State {
    /// What all services answer to a request.
    pub(super) fn hear(&mut self, subject: &str, reply: Option<&Subject>) -> Vec<Answer> {
        self.requests.push(subject.to_owned());
        let Some(reply) = reply else {
            self.without_reply.push(subject.to_owned());
            return Vec::new();
        };
        let mut answers = Vec::new();
        for ((name, id), service) in &mut self.services {
            let Some(verb) = asked(subject, name, id) else {
                continue;
            };
            let payloads = match verb {
                "STATS" if service.holds => {
                    service.held.push(reply.clone());
                    Vec::new()
                }
                "STATS" => {
                    let stats = service.says.next();
                    *self.answers.entry((name.clone(), id.clone())).or_default() += stats.len();
                    stats
                }
                "INFO" => service.info.clone().into_iter().collect(),
                "PING" => vec![ping(name, id)],
                _ => Vec::new(),
            };
            let after = service.latencies.get(verb).copied().unwrap_or_default();
            answers.extend(payloads.into_iter().map(|payload| Answer {
                reply_to: reply.clone(),
                payload,
                after,
            }));
        }
        if asks(subject).is_some_and(|request| request.verb == "STATS") {
            self.latest = Some(reply.clone());
        }
        answers
    }
}

impl Says {
    pub(super) fn anew(service: &Micro, times: usize) -> Self {
        Self::Anew {
            service: service.clone(),
            times,
            seen: 0,
        }
    }

    fn next(&mut self) -> Vec<Bytes> {
        match self {
            Self::Always(stats) => stats.clone(),
            Self::Anew { service, times, seen } => {
                let first = *seen;
                *seen += *times;
                let newcomer = |n| service.clone().with_id(&format!("{}-{n}", service.id)).stats();
                (first..*seen).map(|n| newcomer(n).into()).collect()
            }
        }
    }
}

impl Default for Says {
    fn default() -> Self {
        Self::Always(Vec::new())
    }
}

fn asks(subject: &str) -> Option<ServiceRequest<'_>> {
    ServiceRequest::read(subject, &ServicePrefix::default())
}

/// The verb of a request, if it asks this instance: `$SRV.VERB`, `$SRV.VERB.name` or `$SRV.VERB.name.id`.
pub(super) fn asked<'a>(subject: &'a str, service: &str, id: &str) -> Option<&'a str> {
    let request = asks(subject)?;
    request.is_for(service, id).then_some(request.verb)
}

/// How a service is remembered.
pub(super) fn key(service: &str, id: &str) -> (String, String) {
    (service.to_owned(), id.to_owned())
}

fn ping(service: &str, id: &str) -> Bytes {
    let kind = "io.nats.micro.v1.ping_response";
    serde_json::json!({"type": kind, "name": service, "id": id, "version": "0.1.0"})
        .to_string()
        .into()
}
