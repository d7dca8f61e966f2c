//! The replies to `PING`, `INFO` and `STATS`: [ADR-32](https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-32.md)
//! as client libraries of NATS write them, each cut so that the server takes it.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::counters::{Answered, Counters};
use crate::subject;

/// Who answers: one instance of a service.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) service: String,
    pub(super) instance: String,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) metadata: HashMap<String, String>,
    pub(super) started: OffsetDateTime,
    pub(super) endpoints: Vec<EndpointIdentity>,
}

/// One endpoint of the service.
#[derive(Debug)]
pub(super) struct EndpointIdentity {
    pub(super) name: String,
    pub(super) subject: Arc<str>,
    pub(super) counters: Arc<Counters>,
}

/// A reply, and what was left out of it so that the server takes it.
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    pub(super) left_out: Option<&'static str>,
}

#[derive(Serialize)]
struct Head<'a> {
    r#type: &'static str,
    name: &'a str,
    id: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Ping<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    metadata: &'a HashMap<String, String>,
}

#[derive(Serialize)]
struct Info<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    description: &'a str,
    metadata: &'a HashMap<String, String>,
    endpoints: Vec<InfoEndpoint<'a>>,
}

#[derive(Serialize)]
struct InfoEndpoint<'a> {
    name: &'a str,
    subject: &'a str,
    queue_group: &'static str,
    metadata: HashMap<String, String>,
}

#[derive(Serialize)]
struct Stats<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    started: String,
    endpoints: Vec<StatsEndpoint<'a>>,
}

#[derive(Serialize)]
struct StatsEndpoint<'a> {
    name: &'a str,
    subject: &'a str,
    queue_group: &'static str,
    num_requests: u64,
    num_errors: u64,
    last_error: &'a str,
    processing_time: u128,
    average_processing_time: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

impl Identity {
    fn head(&self, r#type: &'static str) -> Head<'_> {
        Head {
            r#type,
            name: &self.service,
            id: &self.instance,
            version: &self.version,
        }
    }

    pub(super) fn ping(&self, max_payload: usize) -> Option<Answer> {
        let ping = |metadata| Ping {
            head: self.head("io.nats.micro.v1.ping_response"),
            metadata,
        };
        let bare = HashMap::new();
        first_that_fits(
            max_payload,
            [
                (json(&ping(&self.metadata)), None),
                (json(&ping(&bare)), Some("metadata")),
            ],
        )
    }

    pub(super) fn info(&self, max_payload: usize) -> Option<Answer> {
        let endpoints = || {
            let each = self.endpoints.iter();
            each.map(|endpoint| InfoEndpoint {
                name: &endpoint.name,
                subject: &endpoint.subject,
                queue_group: subject::QUEUE_GROUP,
                metadata: HashMap::new(),
            })
            .collect()
        };
        let info = |metadata| Info {
            head: self.head("io.nats.micro.v1.info_response"),
            description: &self.description,
            metadata,
            endpoints: endpoints(),
        };
        let bare = HashMap::new();
        first_that_fits(
            max_payload,
            [
                (json(&info(&self.metadata)), None),
                (json(&info(&bare)), Some("metadata")),
            ],
        )
    }

    /// The statistics, with the load of the first endpoint.
    pub(super) fn stats(&self, data: &Value, max_payload: usize) -> Option<Answer> {
        let answered: Vec<Answered> = self
            .endpoints
            .iter()
            .map(|endpoint| endpoint.counters.answered())
            .collect();
        let stats = |data: &Value, has_errors: bool| {
            let endpoints = self.endpoints.iter().zip(&answered).enumerate();
            let endpoints = endpoints.map(|(index, (endpoint, answered))| {
                let nanos = answered.processing_time.as_nanos();
                StatsEndpoint {
                    name: &endpoint.name,
                    subject: &endpoint.subject,
                    queue_group: subject::QUEUE_GROUP,
                    num_requests: answered.requests,
                    num_errors: answered.errors,
                    last_error: if has_errors { &answered.last_error } else { "" },
                    processing_time: nanos,
                    average_processing_time: nanos / u128::from(answered.requests.max(1)),
                    data: (index == 0).then_some(data),
                }
            });
            json(&Stats {
                head: self.head("io.nats.micro.v1.stats_response"),
                started: self.started.format(&Rfc3339).unwrap_or_default(),
                endpoints: endpoints.collect(),
            })
        };
        // A collector needs the text of an error least, and the load most.
        let replies = [
            (data, true, None),
            (data, false, Some("last_error")),
            (&Value::Null, false, Some("data and last_error")),
        ]
        .into_iter()
        .map(|(data, has_errors, left_out)| (stats(data, has_errors), left_out));
        first_that_fits(max_payload, replies)
    }
}

fn first_that_fits(
    max_payload: usize,
    replies: impl IntoIterator<Item = (Vec<u8>, Option<&'static str>)>,
) -> Option<Answer> {
    let mut answers = replies
        .into_iter()
        .map(|(bytes, left_out)| Answer { bytes, left_out });
    answers.find(|answer| answer.bytes.len() <= max_payload)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers are JSON")
}
