//! How long a page takes, in time for each worker: `cargo bench -p metrics --bench page`.
//!
//! Each worker has all of its series, under our names and upstream's. The time must be the same for each worker in a
//! small and in a large fleet.

use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use fleet::{
    CapacitySource, Identity, LinkView, PoolName, PoolView, Settings, Snapshot, WorkerKey, WorkerState,
    WorkerView,
};
use metrics::export::{ExportOptions, Format, Moment, Process, render};
use protocol::{WorkerId, WorkerStats};

fn main() {
    divan::main();
}

const FLEETS: [u64; 3] = [1_000, 10_000, 100_000];

#[divan::bench(args = FLEETS, sample_count = 10)]
fn open_metrics(bencher: Bencher<'_, '_>, workers: u64) {
    bench(bencher, workers, Format::OpenMetrics);
}

#[divan::bench(args = FLEETS, sample_count = 10)]
fn classic(bencher: Bencher<'_, '_>, workers: u64) {
    bench(bencher, workers, Format::Classic);
}

fn bench(bencher: Bencher<'_, '_>, workers: u64, format: Format) {
    let snapshot = snapshot(workers);
    let moment = Moment {
        is_current: true,
        process: Process::default(),
        reloads: None,
    };
    let options = ExportOptions {
        max_series: u64::MAX,
        ..ExportOptions::default()
    };
    bencher
        .counter(ItemsCount::new(workers))
        .bench_local(|| render(black_box(&snapshot), &moment, format, &options));
}

fn snapshot(workers: u64) -> Snapshot {
    let path = "dynamo/my_component/my_endpoint".parse().expect("a path");
    let mut pool = PoolView::empty(PoolName::Workers(path), Settings::default());
    pool.up = true;
    pool.workers = (0..workers).map(worker).collect::<Vec<_>>().into();
    Snapshot {
        sequence: 1,
        pools: vec![Arc::new(pool)],
        up: true,
        round_age: Some(Duration::ZERO),
        link: LinkView {
            connected: true,
            ..LinkView::default()
        },
        ..Snapshot::default()
    }
}

fn worker(number: u64) -> WorkerView {
    // Ids as long as Dynamo's.
    let id = WorkerId::new(4_111_120_194_158_748_168 + number);
    let load = WorkerStats::builder()
        .slots_active(number % 128)
        .slots_capacity(128)
        .requests_waiting(number % 7)
        .kv_blocks_active(number % 4096)
        .kv_blocks_capacity(4096)
        .prefix_cache_hit_ratio((number % 100) as f64 / 100.0);
    WorkerView {
        identity: Arc::new(Identity {
            key: WorkerKey::Id(id),
            worker_id: id.to_string().into(),
            worker_hex: format!("{id:x}").into(),
            service_id: format!("VMKS6OQAUXWBVAPCBT5D{number:04}").into(),
            version: "0.0.1".into(),
            layout: "hashed".into(),
            subject: format!("dynamo_my_component_1854ce00.my_endpoint-{id:x}").into(),
            profile: None,
        }),
        state: WorkerState::Fresh,
        schema: "flat",
        load: Some(load.build().expect("in range")),
        last_seen: Some(1_767_225_600.0 + number as f64 / 1000.0),
        started: Some(1_767_220_000.5),
        requests: number as f64 * 17.0,
        errors: 1.0,
        processing_seconds: Some(number as f64 * 0.0123),
        restarts: 0,
        lookup_blocks: number * 10,
        hit_blocks: number * 4,
        events: None,
        capacity: CapacitySource::Reported,
        mapped: None,
    }
}
