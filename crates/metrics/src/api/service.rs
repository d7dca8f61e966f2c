//! [`Service`]: the instances of one endpoint of a plain NATS service.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet::{PoolName, PoolView, Snapshot, WorkerView};
use schemars::JsonSchema;
use serde::Serialize;

use super::Query;
use super::member::Member;
use super::pool::{self, Members};

/// One endpoint of a plain NATS service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Service<'a> {
    service: &'a str,
    /// Empty for a service that is watched by name and has not answered.
    endpoint: &'a str,
    /// Labels that its operator gives it.
    labels: BTreeMap<&'a str, &'a str>,
    /// Whether the last round got an answer, or a definite "no responders".
    up: bool,
    members: Members,
    /// Requests to all instances, also to those that are gone.
    requests: f64,
    /// Failed requests.
    errors: f64,
    /// Time spent on requests.
    processing_seconds: f64,
    /// Changes of its instances. At any time `joined` less `left` is the number of its instances.
    changes: BTreeMap<&'static str, u64>,
    instances: Vec<Instance<'a>>,
}

/// One instance of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Instance<'a> {
    #[serde(flatten)]
    member: Member<'a>,
    description: &'a str,
    queue_group: &'a str,
}

/// All endpoints of plain services that a query selects. `offset` and `limit` are for the instances of each.
pub(super) fn all<'a>(snapshot: &'a Snapshot, query: &Query) -> Vec<Service<'a>> {
    let pools = snapshot.pools.iter();
    pools
        .filter(|pool| query.selects_pool(&pool.name))
        .filter_map(|pool| Service::new(pool, &snapshot.metadata, query))
        .collect()
}

impl<'a> Service<'a> {
    fn new(view: &'a PoolView, shown: &'a [Arc<str>], query: &Query) -> Option<Self> {
        let PoolName::Service { service, endpoint } = &view.name else {
            return None;
        };
        let instances = view.workers.iter();
        let instances = instances.filter(|instance| query.selects_state(instance.state));
        let sums = view.sums.unwrap_or_default();
        Some(Self {
            service,
            endpoint,
            labels: pool::labels(view),
            up: view.up,
            members: Members::of(view),
            requests: sums.requests,
            errors: sums.errors,
            processing_seconds: sums.processing_seconds,
            changes: pool::changes(&view.changes),
            instances: query
                .part(instances)
                .map(|instance| Instance::new(instance, shown))
                .collect(),
        })
    }
}

impl<'a> Instance<'a> {
    fn new(instance: &'a WorkerView, shown: &'a [Arc<str>]) -> Self {
        let identity = &*instance.identity;
        let profile = identity.profile.as_deref();
        Self {
            member: Member::new(instance, shown),
            description: profile.map_or("", |profile| &profile.description),
            queue_group: profile.map_or("", |profile| profile.queue_group(&identity.subject)),
        }
    }
}
