//! What workers can hold: who says it, and who counts first.

use protocol::model_card::Limits;
use protocol::{WorkerId, WorkerStats};

use super::*;
use crate::{
    Capacity, CapacitySource, Input, Plan, Registrant, RegistryNews, RegistryReport, RegistryView, WorkerView,
};

const EVERY_CAPACITY: &str = r#"{"kv_active_blocks": 50, "kv_total_blocks": 100, "request_active_slots": 1, "request_total_slots": 4}"#;

/// A worker, and what it has registered.
fn registered(path: &str, id: u64, slots: u64, kv_blocks: u64) -> (Registrant, Limits) {
    let limits = Limits {
        slots: Some(slots),
        kv_blocks: Some(kv_blocks),
    };
    ((path.parse().expect(path), WorkerId::new(id)), limits)
}

/// Reports what a store has, which is shown at once.
fn report(bench: &mut Bench, connected: bool, news: RegistryNews) {
    bench.run(MS);
    bench.handle(Input::Registry(RegistryReport {
        connected,
        unreadable: 0,
        news,
    }));
    bench.run(SECOND / 2);
}

fn configured(slots: Option<u64>, kv_blocks: Option<u64>) -> Plan {
    let pools = "dynamo/*/gen".parse().expect("a path");
    Plan {
        capacities: vec![Capacity {
            pools,
            slots,
            kv_blocks,
        }],
        ..plan(&[POOL])
    }
}

/// Slots, blocks, and who says so.
fn shown(worker: &WorkerView) -> (Option<u64>, Option<u64>, CapacitySource) {
    let load = worker.load.as_ref();
    (
        load.and_then(WorkerStats::request_slots_capacity),
        load.and_then(WorkerStats::kv_blocks_capacity),
        worker.capacity,
    )
}

#[test]
fn what_is_registered_counts_after_the_worker_and_its_operator() {
    let all = || RegistryNews::All(vec![registered(POOL, 7, 8, 1000)]);
    let mut bench = Bench::of(POOL);
    report(&mut bench, true, all());
    bench.round(&[worker("a", "7", 50, 0)]);
    assert_eq!(
        shown(&bench.worker()),
        (Some(8), Some(1000), CapacitySource::Registered)
    );
    let load = bench.worker().load.expect("reported");
    assert_eq!(load.kv_usage_ratio(), Some(0.05));

    bench.take(configured(Some(16), None));
    assert_eq!(
        shown(&bench.worker()),
        (Some(16), Some(1000), CapacitySource::Configured),
        "what the operator does not say is taken from what is registered"
    );
    bench.take(configured(None, Some(40)));
    assert_eq!(
        shown(&bench.worker()),
        (Some(8), Some(1000), CapacitySource::Configured),
        "of 50 active blocks there are not 40"
    );
    bench.round(&[worker("a", "7", 50, 0).data(EVERY_CAPACITY)]);
    assert_eq!(
        shown(&bench.worker()),
        (Some(4), Some(100), CapacitySource::Reported)
    );
    bench.core.assert_consistent();
}

#[test]
fn a_capacity_that_changes_or_vanishes_is_followed() {
    let mut bench = Bench::of(POOL);
    bench.round(&[worker("a", "7", 50, 0)]);
    assert_eq!(shown(&bench.worker()), (None, None, CapacitySource::None));
    let change = |entry: (Registrant, Limits)| RegistryNews::Changes(vec![(entry.0, Some(entry.1))]);
    report(&mut bench, true, change(registered(POOL, 7, 8, 1000)));
    report(&mut bench, true, change(registered(POOL, 7, 9, 900)));
    assert_eq!(
        shown(&bench.worker()),
        (Some(9), Some(900), CapacitySource::Registered)
    );
    let gone = RegistryNews::Changes(vec![(registered(POOL, 7, 0, 0).0, None)]);
    report(&mut bench, true, gone);
    assert_eq!(shown(&bench.worker()), (None, None, CapacitySource::None));

    report(&mut bench, true, change(registered(POOL, 7, 8, 1000)));
    report(
        &mut bench,
        true,
        RegistryNews::All(vec![registered(POOL, 6, 8, 1000)]),
    );
    assert_eq!(
        shown(&bench.worker()),
        (None, None, CapacitySource::None),
        "it is no longer there after the store was read again"
    );
}

#[test]
fn only_the_same_worker_of_the_same_path_has_it() {
    let mut bench = Bench::of(POOL);
    let others = vec![
        registered("dynamo/c/other", 7, 8, 1000),
        registered("other/c/gen", 7, 8, 1000),
        registered(POOL, 8, 8, 1000),
    ];
    report(&mut bench, true, RegistryNews::All(others));
    bench.round(&[worker("a", "7", 50, 0)]);
    assert_eq!(shown(&bench.worker()), (None, None, CapacitySource::None));
}

#[test]
fn capacities_stay_while_the_store_is_away_and_with_a_new_plan() {
    let mut bench = Bench::of(POOL);
    let all = vec![registered(POOL, 7, 8, 1000), registered("dynamo/d/gen", 5, 2, 10)];
    report(&mut bench, true, RegistryNews::All(all));
    report(&mut bench, false, RegistryNews::None);
    bench.round(&[worker("a", "7", 50, 0)]);
    assert_eq!(
        shown(&bench.worker()),
        (Some(8), Some(1000), CapacitySource::Registered)
    );
    let expected = RegistryView {
        workers: 2,
        ..RegistryView::default()
    };
    assert_eq!(bench.snapshot().registry, Some(expected));

    bench.take(plan(&[POOL, "dynamo/d/gen"]));
    bench.round(&[worker("a", "7", 50, 0), Actor::of("d", "b", "5")]);
    let other = bench.find("dynamo/d/gen").expect("there");
    assert_eq!(
        shown(&other.workers[0]),
        (Some(2), Some(10), CapacitySource::Registered)
    );
}

#[test]
fn a_worker_that_is_stale_or_gone_has_no_capacity() {
    let mut bench = Bench::of(POOL);
    let all = vec![registered(POOL, 7, 8, 1000)];
    report(&mut bench, true, RegistryNews::All(all));
    bench.round(&[worker("a", "7", 50, 0)]);
    bench.round(&[Actor::plain("orders", "o", "orders.take")]);
    bench.next_round();
    assert_eq!(bench.worker().load, None);
    bench.rounds(4);
    assert_eq!(bench.workers(), Vec::<String>::new());
    bench.core.assert_consistent();
}
