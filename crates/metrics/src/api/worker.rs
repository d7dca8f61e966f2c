//! [`Worker`]: one worker.

use std::sync::Arc;

use fleet::{EventScope, EventsView, PoolName, PoolView, Snapshot, WorkerView};
use schemars::JsonSchema;
use serde::Serialize;

use super::Query;
use super::member::Member;

/// One worker.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Worker<'a> {
    /// `namespace/component/endpoint`.
    pool: String,
    /// In decimal; `static-` and the instance for a worker without an id.
    worker_id: &'a str,
    /// The id in hexadecimal; `null` without one.
    worker_hex: Option<&'a str>,
    /// How the subject is written: a layout's name or a template.
    layout: &'a str,
    #[serde(flatten)]
    member: Member<'a>,
    /// How it is known: `srv`, `events` or `srv,events`.
    source: &'static str,
    /// Where its load comes from: `flat`, `nested`, `event` or `none`.
    schema: &'static str,
    /// Its load; `null` unless it is fresh and has reported any.
    load: Option<Load>,
    /// What says how much it can hold: `none`, `reported`, `configured` or `etcd`.
    capacity: &'static str,
    /// KV blocks looked up, by events.
    lookup_blocks: u64,
    /// KV blocks found, by events.
    hit_blocks: u64,
    /// What its events report; `null` without any.
    events: Option<Events>,
}

/// The load that a worker reports.
#[derive(Debug, Serialize, JsonSchema)]
struct Load {
    requests_running: Option<u64>,
    requests_capacity: Option<u64>,
    requests_waiting: Option<u64>,
    kv_blocks_active: Option<u64>,
    kv_blocks_capacity: Option<u64>,
    kv_usage_ratio: Option<f64>,
    prefix_cache_hit_ratio: Option<f64>,
    /// `max(waiting / queue target, KV use / KV target)`; 1 and above is saturated.
    saturation: Option<f64>,
}

/// What a worker's events report.
#[derive(Debug, Serialize, JsonSchema)]
struct Events {
    /// Whether the worker itself publishes any, and not only a router about it.
    is_heard: bool,
    /// The releases of Dynamo that publish as it does.
    generation: Option<&'static str>,
    /// What its engine does now.
    engine: Option<Engine>,
    /// Forward passes that it has reported.
    forward_passes: Option<u64>,
    /// Requests that routers have assigned to it.
    assigned: Option<u64>,
    /// Prompt tokens that are assigned to it and not computed, as routers estimate it.
    prefill_load_tokens: Option<u64>,
    /// Messages that did not come.
    lost: u64,
}

/// What an engine does.
#[derive(Debug, Serialize, JsonSchema)]
struct Engine {
    prefill_requests: u64,
    decode_requests: u64,
    queued_prefill_requests: u64,
    queued_decode_requests: u64,
    /// Length of the context of all requests in decode.
    context_tokens: u64,
}

/// The workers that a query selects, and how many there are without its `limit` and `offset`.
pub(super) fn all<'a>(snapshot: &'a Snapshot, query: &Query) -> (Vec<Worker<'a>>, usize) {
    let pools = snapshot
        .pools
        .iter()
        .filter(|pool| query.selects_pool(&pool.name));
    let pools: Vec<(String, &PoolView)> = pools
        .filter(|pool| matches!(pool.name, PoolName::Workers(_)))
        .map(|pool| (pool.name.to_string(), &**pool))
        .collect();
    let selected = || {
        pools.iter().flat_map(|(name, pool)| {
            let workers = pool.workers.iter();
            let workers = workers.filter(|worker| query.selects_state(worker.state));
            workers.map(move |worker| (name, pool, worker))
        })
    };
    let part = query.part(selected());
    let part = part.map(|(name, pool, worker)| Worker::new(name, pool, worker, &snapshot.metadata));
    (part.collect(), selected().count())
}

impl<'a> Worker<'a> {
    fn new(name: &str, pool: &PoolView, worker: &'a WorkerView, shown: &'a [Arc<str>]) -> Self {
        let identity = &*worker.identity;
        Self {
            pool: name.to_owned(),
            worker_id: &identity.worker_id,
            worker_hex: Some(&*identity.worker_hex).filter(|hex| !hex.is_empty()),
            layout: &identity.layout,
            member: Member::new(worker, shown),
            source: worker.source().as_str(),
            schema: worker.schema,
            load: worker.load.as_ref().map(|load| Load {
                requests_running: load.request_slots_active(),
                requests_capacity: load.request_slots_capacity(),
                requests_waiting: load.requests_waiting(),
                kv_blocks_active: load.kv_blocks_active(),
                kv_blocks_capacity: load.kv_blocks_capacity(),
                kv_usage_ratio: load.kv_usage_ratio(),
                prefix_cache_hit_ratio: load.prefix_cache_hit_ratio(),
                saturation: worker.saturation(&pool.settings),
            }),
            capacity: worker.capacity.as_str(),
            lookup_blocks: worker.lookup_blocks,
            hit_blocks: worker.hit_blocks,
            events: worker.events.as_deref().map(Events::of),
        }
    }
}

impl Events {
    fn of(events: &EventsView) -> Self {
        Self {
            is_heard: events.is_heard,
            generation: events.scope.map(EventScope::generation),
            engine: events.engine.map(|engine| Engine {
                prefill_requests: engine.running[0],
                decode_requests: engine.running[1],
                queued_prefill_requests: engine.queued[0],
                queued_decode_requests: engine.queued[1],
                context_tokens: engine.context_tokens,
            }),
            forward_passes: events.passes.map(|passes| passes.passes),
            assigned: events.sequences.as_ref().and_then(|sequences| sequences.assigned),
            prefill_load_tokens: events.prefill_load_tokens,
            lost: events.lost.iter().sum(),
        }
    }
}
