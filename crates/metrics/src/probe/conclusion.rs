//! [`Conclusion`]: how a pool's workers are known, whether that is as it should be, and what to set.

use fleet::{PoolView, Source, WorkerView, flags_to_check};
use protocol::ServicePrefix;
use protocol::events::Topic;
use serde::Serialize;

use super::level::Level;

/// How the workers of a pool are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Presence {
    /// Not at all.
    Nothing,
    /// They answer requests, and publish nothing.
    AnswersOnly,
    /// They publish events, and answer no request.
    EventsOnly,
    /// Both.
    AnswersAndEvents,
}

/// What follows from that.
#[derive(Debug, Serialize)]
pub(super) struct Conclusion {
    pub(super) presence: Presence,
    #[serde(skip)]
    pub(super) level: Level,
    pub(super) text: String,
}

/// What a Dynamo needs to publish events.
const EVENT_SETTINGS: &str = "DYN_EVENT_PLANE=nats and NATS_SERVER=<this server's URL>";

/// What an engine needs to report its passes.
const PASS_SETTINGS: &str = "DYN_FORWARDPASS_METRIC_PORT for vLLM and SGLang (the Kubernetes operator sets it), or --publish-events-and-metrics for TensorRT-LLM";

impl Conclusion {
    pub(super) fn of(path: &str, pool: Option<&PoolView>, seconds: f64, prefix: &ServicePrefix) -> Self {
        let workers = pool.map_or(&[][..], |pool| pool.workers.as_slice());
        let is_known = |source: Source| workers.iter().any(|worker| worker.source() == source);
        let (answers, events) = (is_known(Source::Service), is_known(Source::Events));
        let both = is_known(Source::Both) || (answers && events);
        let presence = match (answers, events, both) {
            (_, _, true) | (true, true, _) => Presence::AnswersAndEvents,
            (true, false, false) => Presence::AnswersOnly,
            (false, true, false) => Presence::EventsOnly,
            (false, false, false) => Presence::Nothing,
        };
        let text = match presence {
            Presence::Nothing => nothing(path, seconds, flags_to_check(prefix)),
            Presence::AnswersOnly => answers_only(workers),
            Presence::EventsOnly => format!(
                "They are known by their events alone. That is normal since Dynamo 1.0, whose requests go over TCP: do not change the request plane. {}",
                passes(workers)
            ),
            Presence::AnswersAndEvents => {
                format!("They answer requests and publish events. {}", passes(workers))
            }
        };
        let level = match presence {
            Presence::Nothing => Level::Note,
            Presence::AnswersOnly if is_silent(workers) => Level::Warning,
            Presence::AnswersOnly => Level::Ok,
            Presence::EventsOnly | Presence::AnswersAndEvents => match reporting(workers) {
                (reporting, senders) if reporting >= senders => Level::Ok,
                _ => Level::Note,
            },
        };
        Self {
            presence,
            level,
            text,
        }
    }
}

fn nothing(path: &str, seconds: f64, flags: &str) -> String {
    format!(
        "nothing of {path} is on this NATS server: no service answered for it, and no event of its workers came in {seconds:.1} s. \
         Which settings a worker needs depends on its release. \
         Dynamo up to 0.7 answers requests by itself; 0.8 and 0.9 do with DYN_REQUEST_PLANE=nats. \
         Dynamo 1.0 publishes events where NATS_SERVER is set. \
         Dynamo 1.1 and 1.2 do so with etcd or Kubernetes discovery, and with others where DYN_EVENT_PLANE=nats is set as well. \
         Dynamo 1.3 and later publishes nothing on NATS by default: set {EVENT_SETTINGS} for its workers and frontends. \
         An idle worker publishes only where its engine reports passes: set {PASS_SETTINGS}. \
         Otherwise check {flags}, and the name: `metrics list` shows every pool"
    )
}

/// Whether workers answer as Dynamo does from 1.0 on, without any load.
fn is_silent(workers: &[WorkerView]) -> bool {
    let is_modern =
        |worker: &WorkerView| major(&worker.identity.version) >= Some(1) && worker.schema == "none";
    workers.iter().any(is_modern)
}

fn answers_only(workers: &[WorkerView]) -> String {
    match is_silent(workers) {
        true => format!(
            "They answer requests and publish no events. From Dynamo 1.0 on, answers carry no load: set {EVENT_SETTINGS} for workers and frontends, and {PASS_SETTINGS}"
        ),
        false if workers.iter().all(|worker| worker.schema == "none") => {
            "They answer requests, and their answers carry no load. It may come by kv_metrics events, which are published when it changes".to_owned()
        }
        false => "They answer requests, and their load comes with the answers. Nothing is missing".to_owned(),
    }
}

/// How many workers report passes, and how many publish anything.
fn reporting(workers: &[WorkerView]) -> (usize, usize) {
    let events = || workers.iter().filter_map(|worker| worker.events.as_ref());
    (
        events().filter(|events| events.passes.is_some()).count(),
        events().filter(|events| events.is_heard).count(),
    )
}

/// Whether engines report their passes.
fn passes(workers: &[WorkerView]) -> String {
    match reporting(workers) {
        (0, _) => format!(
            "No {} came: running and queued requests are unknown, and an idle worker looks like one that is gone. From Dynamo 1.1 on, set {PASS_SETTINGS}",
            Topic::ForwardPass
        ),
        (reporting, senders) if reporting < senders => format!(
            "{reporting} of {senders} workers publish {}; for the others set {PASS_SETTINGS}",
            Topic::ForwardPass
        ),
        _ => format!("They publish {}: nothing is missing", Topic::ForwardPass),
    }
}

/// The major number of a version.
fn major(version: &str) -> Option<u64> {
    version.split('.').next()?.parse().ok()
}
