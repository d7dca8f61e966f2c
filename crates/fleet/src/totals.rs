//! [`Totals`]: a pool's sums, ratios and spreads over its fresh workers.

use protocol::WorkerStats;

use crate::snapshot::WorkerView;
use crate::spread::{Resource, Spread};
use crate::{Settings, WorkerState};

/// Figures of a pool. A worker that does not report a value takes no part in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    /// Workers that are fresh.
    pub fresh: usize,
    /// Workers that are stale.
    pub stale: usize,
    /// Workers that answer too late.
    pub late: usize,
    /// Running requests.
    pub slots_active: Option<u64>,
    /// Requests that can run at once.
    pub slots_capacity: Option<u64>,
    /// Queued requests.
    pub waiting: Option<u64>,
    /// KV blocks held.
    pub kv_active: Option<u64>,
    /// KV blocks in total.
    pub kv_capacity: Option<u64>,
    /// `Σ active / Σ capacity` of slots and of KV blocks, over the workers that report both.
    pub utilization: [Option<f64>; 2],
    /// The spread of each [`Resource`].
    pub spreads: [Option<Spread>; 4],
    /// Workers whose saturation is 1 or more.
    pub saturated: Option<usize>,
    /// The spread of active KV blocks, absolute, which upstream called *load*.
    pub load: Option<Spread>,
}

impl Totals {
    pub(crate) fn of(workers: &[WorkerView], settings: &Settings) -> Self {
        let count = |state| workers.iter().filter(|worker| worker.state == state).count();
        let loads = || workers.iter().filter_map(|worker| worker.load.as_ref());
        let sum =
            |value: fn(&WorkerStats) -> Option<u64>| loads().filter_map(value).reduce(u64::saturating_add);
        let utilization = |pair: fn(&WorkerStats) -> Option<(u64, u64)>| {
            let add = |(active, capacity), (a, c)| (active + a as f64, capacity + c as f64);
            let (active, capacity) = loads().filter_map(pair).fold((0.0, 0.0), add);
            (capacity > 0.0).then(|| active / capacity)
        };
        let values = |resource: Resource| loads().filter_map(move |load| resource.of(load, settings));
        let saturations = || values(Resource::Saturation);
        Self {
            fresh: count(WorkerState::Fresh),
            stale: count(WorkerState::Stale),
            late: count(WorkerState::Late),
            slots_active: sum(WorkerStats::request_slots_active),
            slots_capacity: sum(WorkerStats::request_slots_capacity),
            waiting: sum(WorkerStats::requests_waiting),
            kv_active: sum(WorkerStats::kv_blocks_active),
            kv_capacity: sum(WorkerStats::kv_blocks_capacity),
            utilization: [
                utilization(|load| load.request_slots_active().zip(load.request_slots_capacity())),
                utilization(|load| load.kv_blocks_active().zip(load.kv_blocks_capacity())),
            ],
            spreads: Resource::ALL.map(|resource| Spread::of(values(resource).collect())),
            saturated: saturations()
                .next()
                .map(|_| saturations().filter(|saturation| *saturation >= 1.0).count()),
            load: Spread::of(
                loads()
                    .filter_map(WorkerStats::kv_blocks_active)
                    .map(|blocks| blocks as f64)
                    .collect(),
            ),
        }
    }
}
