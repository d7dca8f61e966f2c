//! From a reply to what it says about one target.
//!
//! Pure: it takes a decoded reply and the description of its instance, and says which endpoints are workers of the
//! target, what they report, and what is wrong with the rest. This module must not know async-nats or tokio.

use std::fmt;
use std::sync::Arc;

use protocol::subject::Instance;
use protocol::{
    DataError, Description, StatsError, StatsReading, StatsRefusal, StatsReply, WorkerId, WorkerStats,
};
use serde::Serialize;
use time::OffsetDateTime;

use crate::matching::{NearMiss, Outcome, Reason, SubjectLayout, Target};

/// What became of a reply; every reply has exactly one result per target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyResult {
    /// Its workers were taken in.
    Ok,
    /// It belongs to nobody of the target.
    Foreign,
    /// Its subject is the target's but for the worker id.
    InvalidSubject,
    /// It came after its round had ended without it.
    Late,
    /// The same instance, or another one with the same worker id, has answered already.
    Duplicate,
    /// A value in it is impossible; the others were taken.
    OutOfRange,
    /// It, or a part of it, cannot be read.
    Malformed,
}

impl ReplyResult {
    /// All results, in the order of the enum.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Foreign,
        Self::InvalidSubject,
        Self::Late,
        Self::Duplicate,
        Self::OutOfRange,
        Self::Malformed,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Foreign => "foreign",
            Self::InvalidSubject => "invalid_subject",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::OutOfRange => "out_of_range",
            Self::Malformed => "malformed",
        }
    }
}

/// What tells one worker of a target from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerKey {
    /// The id in its subject.
    Id(WorkerId),
    /// A static worker has no id, and several may share a subject: the service instance tells them apart.
    Static(Arc<str>),
}

/// One start of a service: new id with every start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceInstance {
    /// The id that NATS micro gave it.
    pub id: Arc<str>,
    /// Its version.
    pub version: String,
    /// When it started, if it says so.
    pub started: Option<OffsetDateTime>,
}

/// One worker of the target, as one reply shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// Which worker.
    pub key: WorkerKey,
    /// Which start of it.
    pub instance: ServiceInstance,
    /// The subject that it serves.
    pub subject: String,
    /// How the subject is written.
    pub layout: SubjectLayout,
    /// Requests since its start, if it tells.
    pub requests: Option<u64>,
    /// Failed requests since its start, if it tells.
    pub errors: Option<u64>,
    /// Time spent on requests since its start.
    pub processing_seconds: Option<f64>,
    /// Counters that were refused.
    pub refused_counters: Vec<StatsError>,
    /// Its load, or why that cannot be used.
    pub load: Result<StatsReading, LoadError>,
}

impl Sighting {
    /// What is wrong with it, in words, if anything is.
    pub fn complaint(&self) -> Option<String> {
        let refused = match &self.load {
            Ok(reading) => reading.refused.as_slice(),
            Err(reason) => return Some(reason.to_string()),
        };
        let faults: Vec<String> = refused
            .iter()
            .chain(&self.refused_counters)
            .map(ToString::to_string)
            .collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }
}

/// Why the load data of a worker cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// It is no load.
    #[error(transparent)]
    Stats(#[from] StatsRefusal),
}

/// What a reply says about one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The reply's result, as long as it is neither late nor a duplicate.
    pub result: ReplyResult,
    /// The target's workers in it.
    pub sightings: Vec<Sighting>,
    /// Endpoints that are nearly the target's.
    pub near_misses: Vec<NearMiss>,
}

/// Judges a reply for one target.
///
/// `claims` says whether another target's endpoint is the whole tail of a subject; then the subject is that
/// target's static worker, not this one's worker with an id that happens to be a word such as `add`.
pub fn judge(
    target: &Target,
    reply: &StatsReply,
    description: Option<&Description>,
    claims: impl Fn(&str) -> bool,
) -> Judgement {
    let (mut sightings, mut near_misses) = (Vec::new(), Vec::new());
    let mut result = if reply.refused.is_empty() {
        None
    } else {
        Some(ReplyResult::Malformed)
    };
    let mut note = |what: ReplyResult| result = result.max(Some(what));
    let mut instance = None;
    for endpoint in &reply.endpoints {
        match target.classify(&endpoint.subject, description) {
            Outcome::Matched {
                instance: Instance::Worker(_),
                ..
            } if claims(&endpoint.subject) => {}
            Outcome::Matched {
                layout,
                instance: which,
            } => {
                let instance = instance.get_or_insert_with(|| ServiceInstance {
                    id: Arc::from(reply.id.as_str()),
                    version: reply.version.clone(),
                    started: reply.started,
                });
                let load = match &endpoint.data {
                    Ok(data) => WorkerStats::read(data).map_err(LoadError::from),
                    Err(error) => Err(LoadError::from(error.clone())),
                };
                note(result_of(&load));
                if !endpoint.refused.is_empty() {
                    note(refusal(&endpoint.refused));
                }
                if let Err(why) = &load {
                    let reason = Reason::DataUndecodable { why: why.to_string() };
                    near_misses.push(NearMiss {
                        reason,
                        part: None,
                        found: Some(target.path.clone()),
                    });
                }
                sightings.push(Sighting {
                    key: match which {
                        Instance::Worker(id) => WorkerKey::Id(id),
                        Instance::Static => WorkerKey::Static(instance.id.clone()),
                    },
                    instance: instance.clone(),
                    subject: endpoint.subject.clone(),
                    layout,
                    requests: endpoint.requests,
                    errors: endpoint.errors,
                    processing_seconds: endpoint.processing_seconds,
                    refused_counters: endpoint.refused.clone(),
                    load,
                });
            }
            Outcome::NearMiss(miss) => {
                if miss.is_about_the_id() {
                    note(ReplyResult::InvalidSubject);
                }
                near_misses.push(miss);
            }
            Outcome::Foreign => {}
        }
    }
    if reply.endpoints.is_empty() && target.is_service(&reply.service) {
        let reason = Reason::NoEndpoint;
        near_misses.push(NearMiss {
            reason,
            part: None,
            found: None,
        });
    }
    Judgement {
        result: result.unwrap_or(ReplyResult::Foreign),
        sightings,
        near_misses,
    }
}

fn result_of(load: &Result<StatsReading, LoadError>) -> ReplyResult {
    match load {
        Ok(reading) if reading.refused.is_empty() => ReplyResult::Ok,
        Ok(reading) => refusal(&reading.refused),
        Err(LoadError::Stats(StatsRefusal::NothingUsable(errors))) => refusal(errors),
        Err(_) => ReplyResult::Malformed,
    }
}

fn refusal(errors: &[StatsError]) -> ReplyResult {
    match errors.iter().all(|error| error.fault.is_out_of_range()) {
        true => ReplyResult::OutOfRange,
        false => ReplyResult::Malformed,
    }
}

impl fmt::Display for WorkerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Static(instance) => write!(f, "static-{instance}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(endpoints: &str) -> Judgement {
        let target = Target::new("dynamo/c/gen".parse().expect("a path"), &[]);
        let reply = format!(r#"{{"id": "a", "endpoints": [{endpoints}]}}"#);
        let reply = StatsReply::decode(reply.as_bytes()).expect("readable");
        judge(&target, &reply, None, |_| false)
    }

    #[test]
    fn a_reply_has_the_gravest_result_of_its_endpoints() {
        fn check(endpoints: &[&str], expected: ReplyResult, workers: usize) {
            let judged = judged(&endpoints.join(","));
            assert_eq!(
                (judged.result, judged.sightings.len()),
                (expected, workers),
                "{endpoints:?}"
            );
        }
        let good = r#"{"subject": "dynamo_c.gen-1", "data": {"kv_active_blocks": 1}}"#;
        let range =
            r#"{"subject": "dynamo_c.gen-2", "data": {"kv_active_blocks": -1, "num_requests_waiting": 0}}"#;
        let unusable = r#"{"subject": "dynamo_c.gen-3", "data": "x"}"#;
        let no_id = r#"{"subject": "dynamo_c.gen-zz", "data": null}"#;
        let other = r#"{"subject": "orders.create"}"#;
        check(&[], ReplyResult::Foreign, 0);
        check(&[other], ReplyResult::Foreign, 0);
        check(&[good, other], ReplyResult::Ok, 1);
        check(&[no_id], ReplyResult::InvalidSubject, 0);
        check(&[good, range], ReplyResult::OutOfRange, 2);
        check(&[good, range, unusable], ReplyResult::Malformed, 3);
        check(&[good, "3"], ReplyResult::Malformed, 1);
    }

    #[test]
    fn a_refused_counter_makes_the_reply_count_as_refused() {
        let counted = |counter: &str| {
            judged(&format!(
                r#"{{"subject": "dynamo_c.gen-1", "num_errors": {counter}}}"#
            ))
            .result
        };
        assert_eq!(
            (counted("3"), counted("null")),
            (ReplyResult::Ok, ReplyResult::Ok)
        );
        assert_eq!(
            (counted("-3"), counted("{}")),
            (ReplyResult::OutOfRange, ReplyResult::Malformed)
        );
    }

    #[test]
    fn a_tail_that_is_another_targets_endpoint_is_not_an_id() {
        let target = Target::new("dynamo/c/my".parse().expect("a path"), &[]);
        let reply = br#"{"id": "a", "endpoints": [{"subject": "dynamo_c.my-add"}]}"#;
        let reply = StatsReply::decode(reply).expect("readable");
        assert_eq!(judge(&target, &reply, None, |_| false).sightings.len(), 1);
        assert_eq!(
            judge(&target, &reply, None, |subject| subject == "dynamo_c.my-add")
                .sightings
                .len(),
            0
        );
    }
}
