//! The series of plain NATS services: what each endpoint sums up to, and what each instance says of itself.

use std::sync::Arc;

use fleet::{PoolView, ROUND_BUCKETS, Sums, WorkerState, WorkerView};

use super::catalogue as c;
use super::family::Family;
use super::labelled::metadata_of;
use super::labels::{ServiceInstance, ServicePool, Texts};
use super::shown::{Shown, ShownService};
use super::workers;
use super::writer::Writer;

type SumOf = fn(&Sums) -> f64;

const SUMS: [(&Family<ServicePool>, SumOf); 3] = [
    (&c::SERVICE_REQUESTS, |sums| sums.requests),
    (&c::SERVICE_ERRORS, |sums| sums.errors),
    (&c::SERVICE_PROCESSING, |sums| sums.processing_seconds),
];

/// The most series of an endpoint apart from its instances, with those of [`collector`](super::collector).
pub(super) const SERIES: u64 = {
    let rounds = ROUND_BUCKETS.len() + 3 + fleet::Finish::ALL.len();
    let replies = fleet::ReplyResult::ALL.len();
    let (up, missing, ended, ignored) = (1, 1, 1, 1);
    (WorkerState::ALL.len() + SUMS.len() + rounds + replies + up + missing + ended + ignored) as u64
};

/// The most series of an instance.
pub(super) const INSTANCE_SERIES: u64 = workers::SHARED as u64 + OWN;

/// Those that no worker has.
const OWN: u64 = 2;

/// Writes the figures of endpoints.
pub(super) fn write(writer: &mut Writer, shown: &Shown<'_>, labels: &Texts<ServicePool>) {
    let pools = || labels.iter().zip(shown.services.iter().map(|pool| pool.view));
    let mut samples = writer.family(&c::SERVICE_INSTANCES);
    for (labels, pool) in pools() {
        for state in WorkerState::ALL {
            samples.write(labels, [state.as_str()], pool.count(*state));
        }
    }
    for (family, value) in SUMS {
        let mut samples = writer.family(family);
        for (labels, sums) in pools().filter_map(|(labels, pool)| Some((labels, pool.sums?))) {
            samples.write(labels, [], value(&sums));
        }
    }
}

/// Writes what only instances have.
pub(super) fn write_instances(writer: &mut Writer, shown: &Shown<'_>, metadata: &[Arc<str>]) {
    let mut labels = Texts::<ServiceInstance>::default();
    let mut samples = writer.family(&c::SERVICE_RESTARTS);
    for pool in &shown.services {
        labels.render(pool.instances().iter().map(|instance| pool.labels_of(instance)));
        for (labels, instance) in labels.iter().zip(pool.instances()) {
            samples.write(labels, [], instance.restarts);
        }
    }
    let mut samples = writer.family(&c::SERVICE_INFO);
    for pool in &shown.services {
        labels.render(pool.instances().iter().map(|instance| pool.labels_of(instance)));
        for (labels, instance) in labels.iter().zip(pool.instances()) {
            let identity = &instance.identity;
            let profile = identity.profile.as_deref();
            let more = [
                &*identity.version,
                profile.map_or("", |profile| &profile.description),
                profile.map_or("", |profile| profile.queue_group(&identity.subject)),
            ];
            samples.write_chosen(labels, more, metadata_of(instance, metadata), true);
        }
    }
}

/// How many series of their own the instances that are left out would have had.
pub(super) fn series_left_out(pool: &ShownService<'_>) -> u64 {
    if !pool.has_instances() {
        return 0;
    }
    let of = |instance: &WorkerView, pool: &PoolView| workers::shared_series(instance, pool) as u64 + OWN;
    pool.left_out()
        .iter()
        .map(|instance| of(instance, pool.view))
        .sum()
}
