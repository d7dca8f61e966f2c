//! [`Messages`]: the pools of a snapshot as they are published.

use fleet::{PoolName, PoolView, Snapshot, WorkerKey, WorkerView};
use protocol::aggregate::upstream::{self, Endpoint};
use protocol::aggregate::{Aggregate, Load, Pool, SCHEMA, Worker};
use protocol::{EndpointPath, subject};

use super::Shape;

/// What is published of a snapshot, and what is not.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// Subjects and payloads.
    pub(super) ready: Vec<(String, Vec<u8>)>,
    /// Pools and workers that are too large for a message.
    pub(super) refused: u64,
    /// The first of such pools, or of the pools that have such workers.
    pub(super) too_large: Option<String>,
    /// Fresh workers that upstream's form cannot hold, because they do not report all of its numbers.
    pub(super) incomplete: u64,
}

impl Messages {
    /// The messages of these pools, of at most `max_payload` bytes each.
    pub(super) fn of(
        snapshot: &Snapshot,
        pools: &[usize],
        shape: Shape,
        collector: &str,
        max_payload: usize,
    ) -> Self {
        let mut messages = Self::default();
        for pool in pools.iter().filter_map(|index| snapshot.pools.get(*index)) {
            let PoolName::Workers(path) = &pool.name else {
                continue;
            };
            match shape {
                Shape::Upstream => messages.add_upstream(path, pool, max_payload),
                Shape::Native => {
                    messages.add_native(path, aggregate(snapshot, path, pool, collector), max_payload);
                }
            }
        }
        messages
    }

    fn add_upstream(&mut self, path: &EndpointPath, pool: &PoolView, max_payload: usize) {
        let (text, listed) = upstream::write(pool.workers.iter().filter_map(endpoint));
        self.incomplete += pool.totals().fresh.saturating_sub(listed) as u64;
        if text.len() > max_payload {
            return self.refuse(path, 1);
        }
        self.ready.push((subject::aggregate(path), text));
    }

    fn add_native(&mut self, path: &EndpointPath, aggregate: Aggregate<'_>, max_payload: usize) {
        let split = aggregate.split(max_payload);
        let subject = subject::aggregate(path);
        match split.messages.is_empty() {
            true => self.refuse(path, 1),
            false => self.refuse(path, split.left_out),
        }
        let parts = split.messages.into_iter();
        self.ready.extend(parts.map(|part| (subject.clone(), part)));
    }

    fn refuse(&mut self, path: &EndpointPath, count: u64) {
        if count > 0 {
            self.refused += count;
            self.too_large.get_or_insert_with(|| path.to_string());
        }
    }
}

/// A worker in upstream's form; `None` where it has no load, or no id.
fn endpoint(worker: &WorkerView) -> Option<Endpoint<'_>> {
    let WorkerKey::Id(id) = worker.identity.key else {
        return None;
    };
    Some(Endpoint {
        id,
        subject: &worker.identity.subject,
        stats: worker.load.as_ref()?,
    })
}

fn aggregate<'a>(
    snapshot: &Snapshot,
    path: &'a EndpointPath,
    view: &'a PoolView,
    collector: &'a str,
) -> Aggregate<'a> {
    let totals = view.totals();
    let [requests_ratio, kv_ratio] = totals.utilization;
    Aggregate {
        schema: SCHEMA,
        collector: collector.into(),
        sequence: snapshot.sequence,
        taken_ms: u64::try_from(snapshot.taken.as_millis()).unwrap_or(u64::MAX),
        part: 1,
        parts: 1,
        namespace: path.namespace.as_str().into(),
        component: path.component.as_str().into(),
        endpoint: path.endpoint.as_str().into(),
        pool: Pool {
            up: view.up,
            fresh: totals.fresh as u64,
            stale: totals.stale as u64,
            late: totals.late as u64,
            missing: view.missing,
            requests_running: totals.slots_active,
            requests_capacity: totals.slots_capacity,
            requests_waiting: totals.waiting,
            kv_blocks_active: totals.kv_active,
            kv_blocks_capacity: totals.kv_capacity,
            requests_ratio,
            kv_ratio,
            saturated: totals.saturated.map(|count| count as u64),
            load_avg: totals.load.map(|load| load.mean),
            load_std: totals.load.map(|load| load.stddev),
        },
        workers: view.workers.iter().map(|worker| member(view, worker)).collect(),
    }
}

fn member<'a>(pool: &PoolView, view: &'a WorkerView) -> Worker<'a> {
    let identity = &*view.identity;
    let load = view.load.as_ref().map(|stats| Load {
        requests_running: stats.request_slots_active(),
        requests_capacity: stats.request_slots_capacity(),
        requests_waiting: stats.requests_waiting(),
        kv_blocks_active: stats.kv_blocks_active(),
        kv_blocks_capacity: stats.kv_blocks_capacity(),
        kv_usage_ratio: stats.kv_usage_ratio(),
        prefix_cache_hit_ratio: stats.prefix_cache_hit_ratio(),
        saturation: view.saturation(&pool.settings),
    });
    Worker {
        id: match identity.key {
            WorkerKey::Id(id) => Some(id.get()),
            WorkerKey::Instance(_) => None,
        },
        worker_id: (&*identity.worker_id).into(),
        instance_id: (&*identity.service_id).into(),
        subject: (&*identity.subject).into(),
        state: view.state.as_str().into(),
        schema: view.schema.into(),
        load,
        last_seen_seconds: view.last_seen,
        started_seconds: view.started,
        requests: view.requests,
        errors: view.errors,
        processing_seconds: view.processing_seconds,
        restarts: view.restarts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::sample::{fleet_of, two_workers};

    fn messages(snapshot: &Snapshot, shape: Shape, max_payload: usize) -> Messages {
        let all: Vec<usize> = (0..snapshot.pools.len()).collect();
        Messages::of(snapshot, &all, shape, "h:1", max_payload)
    }

    #[test]
    fn upstreams_form_lists_fresh_workers_and_is_not_split() {
        let snapshot = fleet_of(&[("a/b/c", 3)]);
        let made = messages(&snapshot, Shape::Upstream, usize::MAX);
        let [(subject, text)] = &made.ready[..] else {
            panic!("{made:?}");
        };
        assert_eq!(subject, "namespace.a.l2c.b.c");
        let value: serde_json::Value = serde_json::from_slice(text).expect("JSON");
        let listed = value["endpoints"].as_object().expect("a map").len();
        assert_eq!((listed as u64 + made.incomplete, made.refused), (3, 0));
        let made = messages(&snapshot, Shape::Upstream, text.len() - 1);
        assert_eq!((made.ready.len(), made.refused), (0, 1));
        assert_eq!(made.too_large.as_deref(), Some("a/b/c"));
    }

    #[test]
    fn the_native_form_has_all_workers_and_is_split() {
        let snapshot = two_workers();
        let made = messages(&snapshot, Shape::Native, usize::MAX);
        assert_eq!((made.ready.len(), made.refused), (1, 0));
        let whole = Aggregate::read(&made.ready[0].1).expect("our own");
        let states: Vec<&str> = whole.workers.iter().map(|worker| &*worker.state).collect();
        assert_eq!(states, ["fresh", "late"]);
        assert_eq!((whole.pool.fresh, whole.pool.late), (1, 1));
        assert_eq!(&*whole.collector, "h:1");
        let load = snapshot.pools[0].totals().load.expect("it is known");
        assert_eq!(whole.pool.load_avg, Some(load.mean));

        let large = fleet_of(&[("a/b/c", 100)]);
        let made = messages(&large, Shape::Native, 4096);
        assert!(made.ready.len() > 5 && made.refused == 0, "{}", made.ready.len());
        assert_eq!(messages(&large, Shape::Native, 100).refused, 1);
    }
}
