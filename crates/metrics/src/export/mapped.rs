//! The series of mappings: families that the configuration declares and not the catalogue.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use fleet::{MappedKind, MappedMetric, MappedValue, PoolName, PoolView, WorkerState, WorkerView};

use super::chunks::Chunks;
use super::family::Kind;
use super::labels::{Group, ServiceInstance, Texts, Worker, write_label};
use super::shown::Shown;
use super::value::Value;
use super::writer::{About, Writer};

/// The most series that one member of a pool has because of mappings.
pub(super) fn series_each(pool: &PoolView) -> u64 {
    let mapped = pool.workers.iter().filter_map(|worker| worker.mapped.as_ref());
    mapped.map(|mapped| mapped.len() as u64).max().unwrap_or(0)
}

/// How many series of mappings the members that are left out would have had.
pub(super) fn series_left_out(shown: &Shown<'_>) -> u64 {
    let left_out = shown.all().flat_map(|(_, _, left_out)| left_out);
    left_out.map(|worker| values(worker).count() as u64).sum()
}

/// What mappings show of a worker or an instance now.
fn values(worker: &WorkerView) -> impl Iterator<Item = &MappedValue> {
    let is_fresh = worker.state == WorkerState::Fresh;
    let mapped = worker.mapped.iter();
    mapped.flat_map(move |mapped| mapped.values(is_fresh))
}

/// Writes the values that mappings found in members that are on the page, family by family.
pub(super) fn write(writer: &mut Writer, shown: &Shown<'_>) {
    let format = writer.format();
    let mut families: BTreeMap<&str, Chunks> = BTreeMap::new();
    for (pool, members, _) in shown.all() {
        for worker in members {
            let mut values = values(worker).peekable();
            if values.peek().is_none() {
                continue;
            }
            let labels = labels(pool, worker);
            for value in values {
                let out = match families.entry(&value.metric.name) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => {
                        let out = entry.insert(Chunks::default());
                        about(&value.metric).write(out.open(), format);
                        out
                    }
                };
                sample(out.open(), value, &labels);
            }
        }
    }
    families.into_values().for_each(|text| writer.append(text));
}

/// What identifies a worker or an instance, as it is between the braces of its samples.
fn labels(pool: &PoolView, worker: &WorkerView) -> Vec<u8> {
    let id = worker.identity.worker_id.as_ref();
    match &pool.name {
        PoolName::Workers(path) => rendered::<Worker>(
            [
                path.namespace.as_str(),
                path.component.as_str(),
                path.endpoint.as_str(),
                id,
            ],
            pool,
        ),
        PoolName::Service { service, endpoint } => rendered::<ServiceInstance>([service, endpoint, id], pool),
    }
}

fn rendered<'v, G: Group>(values: G::Of<'v>, pool: &'v PoolView) -> Vec<u8> {
    let mut texts = Texts::<G>::default();
    texts.render([(values, &*pool.labels)]);
    texts
        .iter()
        .next()
        .map(|text| text.within().to_vec())
        .unwrap_or_default()
}

fn kind(metric: &MappedMetric) -> Kind {
    match metric.kind {
        MappedKind::Gauge => Kind::Gauge,
        MappedKind::Counter => Kind::Counter,
    }
}

fn about(metric: &MappedMetric) -> About<'_> {
    About {
        name: &metric.name,
        kind: kind(metric),
        unit: metric.unit.as_deref(),
        help: &metric.help,
        has_quantiles: false,
    }
}

fn sample(out: &mut Vec<u8>, value: &MappedValue, labels: &[u8]) {
    let metric = &*value.metric;
    out.extend_from_slice(metric.name.as_bytes());
    out.extend_from_slice(kind(metric).suffix().as_bytes());
    out.push(b'{');
    out.extend_from_slice(labels);
    let keys = metric
        .labels
        .iter()
        .zip(&value.keys)
        .map(|(name, key)| (name.as_str(), &**key));
    let constant = metric
        .const_labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in keys.chain(constant) {
        out.push(b',');
        write_label(out, name, value);
    }
    out.extend_from_slice(b"} ");
    Value::from(value.value).write(out);
    out.push(b'\n');
}
