//! `metrics explain` for a plain NATS service: the verdict, its endpoints and what mappings find in their data, or what is
//! there in its place.

mod text;

use std::collections::BTreeSet;

use fleet::{Inspection, InstanceReport, NameGlob, PoolName, PoolView, Seen, WorkerView};
use link::{Denials, Grants};
use serde::Serialize;

use super::copied::Copied;
use super::denied::Denied;
use super::in_turn::OneByOne;
use super::reading::{self, Reading, counted};
use super::services::{self, Service};
use super::similar;

/// Services and instances that are shown, unless all are asked for.
const SHOWN: usize = 10;

/// Names in the verdict.
const NAMED: usize = 8;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    service: String,
    verdict: String,
    /// The service that may have been meant.
    did_you_mean: Option<String>,
    /// What to run next.
    command: Option<String>,
    denied: Denied,
    in_turn: Option<OneByOne>,
    round: String,
    endpoints: Vec<Endpoint>,
    instances: Vec<Instance>,
    /// What is there where the service is not.
    services: Vec<Service>,
    unreadable_replies: u64,
    #[serde(skip)]
    has_mappings: bool,
    #[serde(skip)]
    shows_all: bool,
}

/// One endpoint of all instances.
#[derive(Debug, Serialize)]
struct Endpoint {
    endpoint: String,
    instances: usize,
    requests: f64,
    errors: f64,
    processing_seconds: f64,
    versions: BTreeSet<String>,
    subjects: BTreeSet<String>,
    /// Instances that report something wrong about it, and what the last of them does.
    complaints: usize,
    complaint: Option<String>,
    mappings: Vec<Reading>,
}

/// One instance.
#[derive(Debug, Serialize)]
struct Instance {
    id: String,
    version: String,
    endpoints: Vec<Served>,
    unreadable_endpoints: Vec<String>,
}

/// An endpoint of one instance.
#[derive(Debug, Serialize)]
struct Served {
    endpoint: String,
    subject: String,
    requests: f64,
    errors: f64,
}

/// The names of services that the glob matches and that have instances.
pub(super) fn matching(glob: &NameGlob, seen: &Inspection) -> BTreeSet<String> {
    let names = seen.instances.iter().map(|instance| &*instance.service);
    names
        .filter(|name| glob.matches(name))
        .map(str::to_owned)
        .collect()
}

impl Report {
    /// What is known of the service of this name; of a pattern, that no service has such a name.
    pub(super) fn new(
        name: &str,
        excluded: &[NameGlob],
        seen: &Inspection,
        link: (&Denials, &Grants),
        copied: &Copied,
        shows_all: bool,
    ) -> Self {
        let is_of = |instance: &&InstanceReport| *instance.service == *name;
        let instances: Vec<Instance> = seen
            .instances
            .iter()
            .filter(is_of)
            .map(|instance| Instance::new(instance, seen))
            .collect();
        let mut report = Self {
            service: name.to_owned(),
            verdict: String::new(),
            did_you_mean: None,
            command: None,
            denied: Denied::new(link.0, link.1, &seen.service_prefix),
            in_turn: OneByOne::of(seen),
            round: super::summary(seen),
            endpoints: seen
                .pools
                .iter()
                .filter_map(|pool| Endpoint::new(name, pool, seen))
                .collect(),
            instances,
            services: Vec::new(),
            unreadable_replies: seen.unreadable,
            has_mappings: !seen.mappings.is_empty(),
            shows_all,
        };
        match report.instances.is_empty() {
            true => report.is_absent(seen, copied),
            false => report.is_there(excluded, copied),
        }
        report
    }

    pub(super) fn has_endpoints(&self) -> bool {
        !self.endpoints.is_empty()
    }

    fn is_there(&mut self, excluded: &[NameGlob], copied: &Copied) {
        let name = &self.service;
        let instances = counted(self.instances.len(), "instance");
        let versions: BTreeSet<&str> = self.instances.iter().map(|instance| &*instance.version).collect();
        let versions = named("version", versions.into_iter());
        let mut text = match self.endpoints.is_empty() {
            true => format!(
                "{name} has {instances}, {versions}, and serves no endpoint: there is nothing to watch."
            ),
            false => {
                let endpoints = named(
                    "endpoint",
                    self.endpoints.iter().map(|endpoint| &*endpoint.endpoint),
                );
                format!("{name} has {instances}, {versions}, {endpoints}.")
            }
        };
        let readings = self.endpoints.iter().flat_map(|endpoint| &endpoint.mappings);
        text.extend(reading::verdict(readings));
        if let Some(glob) = excluded.iter().find(|glob| glob.matches(name)) {
            text.push_str(&format!(
                " The collector leaves it out, because of --exclude-service {glob}."
            ));
        }
        self.command = Some(copied.command(&["--service", name]));
        self.verdict = text;
    }

    fn is_absent(&mut self, seen: &Inspection, copied: &Copied) {
        self.services = services::of(seen);
        let name = &self.service;
        let there = || self.services.iter().map(|service| &*service.name);
        let meant = similar::closest_name(name, there());
        let meant = self.services.iter().find(|service| Some(&*service.name) == meant);
        (self.verdict, self.command) = match (meant, self.services.len()) {
            (Some(meant), _) => {
                let (meant, instances) = (&meant.name, counted(meant.instances, "instance"));
                let text =
                    format!("No instance of {name} answers. Did you mean {meant}, which has {instances}?");
                (text, Some(copied.command(&["explain", meant])))
            }
            (None, 0) => (
                format!("No instance of {name} answers, and no other service does."),
                None,
            ),
            (None, n) => {
                let text = match n {
                    1 => format!(
                        "No instance of {name} answers. One other service does; its name is not similar."
                    ),
                    n => format!(
                        "No instance of {name} answers. {n} other services do; none has a similar name."
                    ),
                };
                (text, Some(copied.command(&["list"])))
            }
        };
        self.did_you_mean = meant.map(|meant| meant.name.clone());
    }
}

/// The first few names of some kind.
fn named<'a>(noun: &str, names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let few: Vec<&str> = names.take(NAMED).collect();
    let few = few.join(", ");
    match count {
        1 => format!("{noun} {few}"),
        n if n <= NAMED => format!("{n} {noun}s ({few})"),
        n => format!("{n} {noun}s ({few} and {} more)", n - NAMED),
    }
}

/// The members of a pool that belong to the service, with the name of its endpoint.
fn endpoint_of<'a>(name: &str, pool: &'a PoolView) -> Option<(&'a str, &'a [WorkerView])> {
    match &pool.name {
        PoolName::Service { service, endpoint } if **service == *name && !pool.workers.is_empty() => {
            Some((endpoint, &pool.workers))
        }
        _ => None,
    }
}

impl Endpoint {
    fn new(name: &str, pool: &PoolView, seen: &Inspection) -> Option<Self> {
        let (endpoint, members) = endpoint_of(name, pool)?;
        let texts = |text: fn(&WorkerView) -> &str| members.iter().map(|one| text(one).to_owned()).collect();
        let of_pool = seen.instances.iter().flat_map(|instance| &instance.endpoints);
        let complaints = of_pool.filter_map(|of| match &of.seen {
            Seen::Worker {
                pool: known,
                complaint,
                ..
            } if *known == pool.name => complaint.clone(),
            _ => None,
        });
        let complaints: Vec<String> = complaints.collect();
        Some(Self {
            endpoint: endpoint.to_owned(),
            instances: members.len(),
            requests: members.iter().map(|one| one.requests).sum(),
            errors: members.iter().map(|one| one.errors).sum(),
            processing_seconds: members.iter().filter_map(|one| one.processing_seconds).sum(),
            versions: texts(|one| &one.identity.version),
            subjects: texts(|one| &one.identity.subject),
            complaints: complaints.len(),
            complaint: complaints.into_iter().next_back(),
            mappings: reading::of(seen, |known| *known == pool.name),
        })
    }
}

impl Instance {
    fn new(instance: &InstanceReport, seen: &Inspection) -> Self {
        let served = seen.pools.iter().flat_map(|pool| {
            let (endpoint, members) = endpoint_of(&instance.service, pool).unwrap_or_default();
            let own = members
                .iter()
                .filter(|one| one.identity.service_id == instance.id);
            own.map(move |one| Served {
                endpoint: endpoint.to_owned(),
                subject: one.identity.subject.to_string(),
                requests: one.requests,
                errors: one.errors,
            })
        });
        Self {
            id: instance.id.to_string(),
            version: instance.version.to_string(),
            endpoints: served.collect(),
            unreadable_endpoints: instance.unreadable_endpoints.clone(),
        }
    }
}
