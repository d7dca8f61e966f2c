//! The figures of whole pools: sums, ratios and distributions over their fresh workers.

use fleet::{Change, Duplicate, PoolView, Resource, Spread, Totals, WorkerState};

use super::catalogue as c;
use super::family::Family;
use super::labels::{Pool, Texts, UpstreamPool};
use super::requests;
use super::shown::ShownPool;
use super::value::Value;
use super::writer::Writer;

/// The most series that a pool has apart from its workers and from what events bring, with those of
/// [`collector`](super::collector).
pub(super) const SERIES: u64 = 99;

/// The series that a pool has because of its events, and of ids that two instances report.
pub(super) fn event_series(pool: &PoolView) -> u64 {
    pool.duplicates.len() as u64 + requests::histogram_series(&pool.pass_seconds) + requests::series(pool)
}

/// The most that it has under upstream's names.
pub(super) const UPSTREAM_SERIES: u64 = 2;

/// The label texts of [`fleet::QUANTILES`].
const QUANTILES: [&str; fleet::QUANTILES.len()] = ["0", "0.5", "0.9", "0.99", "1"];

type PoolValue = fn(&Totals) -> Option<Value>;

const SUMS: [(&Family<Pool>, PoolValue); 5] = [
    (&c::POOL_SLOTS_ACTIVE, |totals| {
        totals.slots_active.map(Value::from)
    }),
    (&c::POOL_SLOTS_CAPACITY, |totals| {
        totals.slots_capacity.map(Value::from)
    }),
    (&c::POOL_WAITING, |totals| totals.waiting.map(Value::from)),
    (&c::POOL_KV_ACTIVE, |totals| totals.kv_active.map(Value::from)),
    (&c::POOL_KV_CAPACITY, |totals| totals.kv_capacity.map(Value::from)),
];

const SATURATION: [(&Family<Pool>, PoolValue); 2] = [
    (&c::POOL_SATURATION, |totals| {
        Some(totals.spreads[Resource::Saturation as usize]?.mean.into())
    }),
    (&c::POOL_SATURATED, |totals| totals.saturated.map(Value::from)),
];

pub(super) fn write(writer: &mut Writer, pools: &[ShownPool<'_>], labels: &Texts<Pool>) {
    let pools = || labels.iter().zip(pools.iter().map(|pool| pool.view));
    let totals = || pools().map(|(labels, pool)| (labels, pool.totals()));

    let mut samples = writer.family(&c::POOL_WORKERS);
    for (labels, totals) in totals() {
        for state in WorkerState::ALL {
            let count = match state {
                WorkerState::Fresh => totals.fresh,
                WorkerState::Stale => totals.stale,
                WorkerState::Late => totals.late,
            };
            samples.write(labels, [state.as_str()], count);
        }
    }
    let mut samples = writer.family(&c::POOL_CHANGES);
    for (labels, pool) in pools() {
        for change in Change::ALL {
            samples.write(labels, [change.as_str()], pool.changes[*change]);
        }
    }
    let mut samples = writer.family(&c::DUPLICATES);
    for (labels, pool) in pools() {
        for Duplicate { worker, other } in &*pool.duplicates {
            samples.write(labels, [&*worker.worker_id, &*worker.service_id, &**other], 1_u64);
        }
    }
    write_values(writer, &SUMS, totals);
    let mut samples = writer.family(&c::POOL_UTILIZATION);
    for (labels, totals) in totals() {
        for (resource, ratio) in [Resource::Slots, Resource::Kv]
            .into_iter()
            .zip(totals.utilization)
        {
            if let Some(ratio) = ratio {
                samples.write(labels, [resource.as_str()], ratio);
            }
        }
    }
    let mut samples = writer.family(&c::POOL_QUANTILE);
    for (labels, totals) in totals() {
        for (resource, spread) in spreads(totals) {
            for (quantile, value) in QUANTILES.into_iter().zip(spread.quantiles) {
                samples.write(labels, [resource.as_str(), quantile], value);
            }
        }
    }
    let mut samples = writer.family(&c::POOL_STDDEV);
    for (labels, totals) in totals() {
        for (resource, spread) in spreads(totals) {
            samples.write(labels, [resource.as_str()], spread.stddev);
        }
    }
    let mut samples = writer.family(&c::POOL_IMBALANCE);
    for (labels, totals) in totals() {
        for (resource, spread) in spreads(totals) {
            if let Some(imbalance) = spread.imbalance() {
                samples.write(labels, [resource.as_str()], imbalance);
            }
        }
    }
    write_values(writer, &SATURATION, totals);
    let mut samples = writer.family(&c::HIT_RATIO);
    for (labels, pool) in pools() {
        samples.histogram(labels, [], &pool.hit_ratios);
    }
    let mut samples = writer.family(&c::PASS_TIME);
    for (labels, pool) in pools().filter(|(_, pool)| pool.pass_seconds.count() > 0) {
        samples.histogram(labels, [], &pool.pass_seconds);
    }
}

/// Upstream's *load*: active KV blocks, absolute.
pub(super) fn write_upstream(writer: &mut Writer, pools: &[ShownPool<'_>], labels: &Texts<UpstreamPool>) {
    let pools = pools.iter().filter(|pool| pool.has_upstream);
    let loads: Vec<_> = labels
        .iter()
        .zip(pools)
        .filter_map(|(labels, pool)| Some((labels, pool.view.totals().load?)))
        .collect();
    let mut samples = writer.family(&c::UP_LOAD_AVG);
    for (labels, load) in &loads {
        samples.write(*labels, [], load.mean);
    }
    let mut samples = writer.family(&c::UP_LOAD_STD);
    for (labels, load) in &loads {
        samples.write(*labels, [], load.stddev);
    }
}

fn write_values<'a, I>(writer: &mut Writer, families: &[(&Family<Pool>, PoolValue)], totals: impl Fn() -> I)
where
    I: Iterator<Item = (super::labels::Text<'a, Pool>, &'a Totals)>,
{
    for (family, value) in families {
        let mut samples = writer.family(family);
        for (labels, totals) in totals() {
            if let Some(value) = value(totals) {
                samples.write(labels, [], value);
            }
        }
    }
}

fn spreads(totals: &Totals) -> impl Iterator<Item = (Resource, &Spread)> {
    let spreads = Resource::ALL.into_iter().zip(&totals.spreads);
    spreads.filter_map(|(resource, spread)| Some((resource, spread.as_ref()?)))
}
