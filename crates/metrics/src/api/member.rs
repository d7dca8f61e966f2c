//! [`Member`]: what answers have of a worker and of an instance of a plain service alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet::{WorkerState, WorkerView};
use schemars::JsonSchema;
use serde::Serialize;

/// A worker, or an instance of a plain service.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Member<'a> {
    /// The NATS service instance that answers for it.
    instance_id: &'a str,
    version: &'a str,
    subject: &'a str,
    /// `fresh`, `stale` or `late`.
    state: &'static str,
    /// When it last gave valid statistics, in Unix seconds; `null` where only its events are known.
    last_seen_seconds: Option<f64>,
    /// When the instance started, in Unix seconds.
    started_seconds: Option<f64>,
    /// Requests, over all restarts.
    requests: f64,
    /// Failed requests, over all restarts.
    errors: f64,
    /// Time spent on requests, over all restarts.
    processing_seconds: Option<f64>,
    restarts: u64,
    /// The metadata that the collector is configured to show, by label.
    metadata: BTreeMap<&'a str, &'a str>,
    /// Numbers that configured mappings find in its data.
    mapped: Vec<Mapped<'a>>,
}

/// A number that a configured mapping finds in an instance's data.
#[derive(Debug, Serialize, JsonSchema)]
struct Mapped<'a> {
    metric: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    value: f64,
}

impl<'a> Member<'a> {
    /// What a view has, with the metadata of these labels.
    pub(super) fn new(view: &'a WorkerView, shown: &'a [Arc<str>]) -> Self {
        let identity = &*view.identity;
        let metadata = identity.profile.iter().flat_map(|profile| {
            let values = shown.iter().map(|label| (&**label, profile.value(label)));
            values.filter(|(_, value)| !value.is_empty())
        });
        let found = view.mapped.iter();
        let mapped = found.flat_map(|mapped| mapped.values(view.state == WorkerState::Fresh));
        Self {
            instance_id: &identity.service_id,
            version: &identity.version,
            subject: &identity.subject,
            state: view.state.as_str(),
            last_seen_seconds: view.last_seen,
            started_seconds: view.started,
            requests: view.requests,
            errors: view.errors,
            processing_seconds: view.processing_seconds,
            restarts: view.restarts,
            metadata: metadata.collect(),
            mapped: mapped
                .map(|found| Mapped {
                    metric: &found.metric.name,
                    labels: (found.metric.labels.iter())
                        .map(|label| &**label)
                        .zip(found.keys.iter().map(|key| &**key))
                        .collect(),
                    value: found.value,
                })
                .collect(),
        }
    }
}
