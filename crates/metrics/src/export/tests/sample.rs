//! Snapshots to render.

use std::sync::Arc;
use std::time::Duration;

use fleet::{
    Buckets, CACHE_TIERS, CacheCounts, CapacitySource, EngineLoad, EventResult, EventScope, EventsView,
    Finish, Frontends, Hearing, Identity, LinkView, Measure, PassCounts, PoolName, PoolView, Records,
    ReplyResult, RequestBooks, SequencesView, Settings, Snapshot, WorkerKey, WorkerState, WorkerView,
};
use protocol::events::Topic;
use protocol::{WorkerId, WorkerStats};

const START: f64 = 1_767_225_600.0;

/// Two workers of one pool, with names that need escapes.
pub(crate) fn two_workers() -> Snapshot {
    let mut pool = pool("dynamo/back\"end/generate");
    let late = WorkerView {
        state: WorkerState::Late,
        load: None,
        events: None,
        ..worker("2", "1\\2", "plain")
    };
    pool.workers = vec![worker("1", "1\\2", "plain"), late].into();
    pool.rounds[Finish::Stall] = 1;
    pool.replies[ReplyResult::Ok] = 2;
    pool.events[EventResult::Ok] = 1;
    pool.round_seconds.observe(0.02);
    pool.hit_ratios.observe(0.4);
    snapshot_of(vec![pool])
}

/// Pools of workers that have reported all there is.
pub(crate) fn fleet_of(pools: &[(&str, u64)]) -> Snapshot {
    snapshot_of(
        pools
            .iter()
            .map(|(path, workers)| full_pool(path, *workers))
            .collect(),
    )
}

pub(crate) fn full_pool(path: &str, workers: u64) -> PoolView {
    let mut pool = pool(path);
    let worker = |id: u64| worker(&id.to_string(), "1", "hashed");
    pool.workers = (1..=workers).map(worker).collect::<Vec<_>>().into();
    pool
}

pub(crate) fn snapshot_of(pools: Vec<PoolView>) -> Snapshot {
    Snapshot {
        sequence: 1,
        taken: Duration::from_secs_f64(START),
        pools: pools.into_iter().map(Arc::new).collect(),
        up: true,
        round_age: Some(Duration::ZERO),
        rounds_skipped: 4,
        changes: Arc::default(),
        worst: Vec::new(),
        link: LinkView {
            connected: true,
            reconnects: 1,
            permission_violations: 2,
            server_errors: 5,
            dropped_messages: 6,
        },
        hearing: Hearing::default(),
        frontends: None,
        registry: None,
        metadata: Arc::default(),
        endpoints_ignored: 0,
        mappings: Vec::new(),
    }
}

fn pool(path: &str) -> PoolView {
    let mut pool = PoolView::empty(
        PoolName::Workers(path.parse().expect("a path")),
        Settings::default(),
    );
    pool.up = true;
    pool.round_ended = Some(Duration::from_secs_f64(START));
    pool
}

/// A worker that has reported all there is.
pub(crate) fn worker(id: &str, version: &str, layout: &str) -> WorkerView {
    let number: u64 = id.parse().unwrap_or(7);
    let load = WorkerStats::builder()
        .slots_active(1)
        .slots_capacity(4)
        .requests_waiting(number)
        .kv_blocks_active(20 * number % 1000)
        .kv_blocks_capacity(1000)
        .prefix_cache_hit_ratio(0.25);
    WorkerView {
        identity: Arc::new(Identity {
            key: WorkerKey::Id(WorkerId::new(number)),
            worker_id: id.into(),
            worker_hex: format!("{number:x}").into(),
            service_id: id.into(),
            version: version.into(),
            layout: layout.into(),
            subject: "s.e-1".into(),
            profile: None,
        }),
        state: WorkerState::Fresh,
        schema: "flat",
        load: Some(load.build().expect("in range")),
        last_seen: Some(START + 0.25),
        started: Some(START),
        requests: 8.0,
        errors: 1.0,
        processing_seconds: Some(2.5),
        restarts: 0,
        lookup_blocks: 10,
        hit_blocks: 4,
        events: None,
        capacity: CapacitySource::Reported,
        mapped: None,
    }
}

/// All that events can report of a worker.
pub(crate) fn all_events() -> EventsView {
    EventsView {
        is_heard: true,
        scope: Some(EventScope::Endpoint),
        topics: [Some(START); Topic::ALL.len()],
        engine: Some(EngineLoad {
            running: [1, 2],
            queued: [3, 4],
            queued_tokens: [5, 6],
            context_tokens: 7,
            context_stddev: 0.5,
        }),
        passes: Some(PassCounts {
            passes: 9,
            ..PassCounts::default()
        }),
        prefill_load_tokens: Some(8),
        cache: Some(Box::new(CacheCounts {
            stored: [1, 2, 3, 4, 5, 6],
            removed: [7; CACHE_TIERS.len()],
            clears: 2,
        })),
        sequences: Some(Box::new(SequencesView {
            assigned: Some(5),
            loras: vec![("a\"\n".into(), 4), ("other".into(), 1)],
            first_tokens: 6,
        })),
        lost: [3; Topic::ALL.len()],
    }
}

/// Books in which everything has been measured.
pub(crate) fn all_requests() -> RequestBooks {
    let mut books = RequestBooks::new(&Buckets::default());
    books.ttft.iter_mut().for_each(|ttft| ttft.observe(0.1));
    for measure in Measure::ALL
        .into_iter()
        .filter(|measure| *measure != Measure::Ttft)
    {
        books.measures[measure as usize].observe(0.1);
    }
    books.queue_depth = Some(1);
    books
}

pub(crate) fn all_frontends() -> Frontends {
    let mut books = all_requests();
    // They do not know roles.
    let empty = RequestBooks::new(&Buckets::default());
    books.ttft = [
        books.ttft[0].clone(),
        empty.ttft[1].clone(),
        empty.ttft[2].clone(),
    ];
    Frontends {
        books,
        joined: 1,
        unjoined: 2,
        records: Records {
            ok: 3,
            ..Records::default()
        },
    }
}
