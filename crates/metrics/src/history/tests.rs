//! What a history remembers, with invented time.

use std::sync::Arc;
use std::time::Duration;

use fleet::{Change, PoolName, PoolView, Snapshot, WorkerState, WorkerView};
use tokio::time::Instant;

use super::*;
use crate::export::tests::{plain, sample};
use crate::view::HeatKey;

/// A collector whose snapshots are made here.
struct Fed {
    history: History,
    start: Instant,
    sequence: u64,
}

impl Fed {
    fn new(keep: Keep) -> Self {
        Self {
            history: History::new(keep),
            start: Instant::now(),
            sequence: 0,
        }
    }

    /// Takes in a snapshot so many seconds after the start.
    fn at(&mut self, seconds: f64, pools: Vec<PoolView>) {
        self.sequence += 1;
        let snapshot = Snapshot {
            sequence: self.sequence,
            ..sample::snapshot_of(pools)
        };
        let at = self.start + Duration::from_secs_f64(seconds);
        self.history.take_in(&Published {
            snapshot: Arc::new(snapshot),
            at,
        });
    }

    fn pool(&self) -> &PoolPast {
        self.history.pool(&name()).expect("the pool is known")
    }

    fn worker(&self, id: u64) -> &WorkerPast {
        let key = fleet::WorkerKey::Id(protocol::WorkerId::new(id));
        self.pool().worker(&key).expect("the worker is known")
    }
}

fn name() -> PoolName {
    PoolName::Workers("a/b/c".parse().expect("a path"))
}

/// A pool whose workers have counted so many requests.
fn pool(requests: &[(u64, f64)]) -> PoolView {
    let worker = |(id, requests): &(u64, f64)| WorkerView {
        requests: *requests,
        errors: requests / 10.0,
        ..sample::worker(&id.to_string(), "1", "hashed")
    };
    let mut pool = sample::full_pool("a/b/c", 0);
    pool.workers = requests.iter().map(worker).collect::<Vec<_>>().into();
    pool
}

#[test]
fn a_rate_is_the_difference_of_counters_by_the_time_between() {
    let mut fed = Fed::new(Keep::default());
    for second in 0..30 {
        let count = 50.0 * f64::from(second);
        fed.at(f64::from(second), vec![pool(&[(1, 1000.0 + count), (2, 7.0)])]);
    }
    assert_eq!(fed.worker(1).rates().requests, Some(50.0));
    assert_eq!(
        fed.worker(1).rates().errors.map(|ratio| (ratio * 1e6).round()),
        Some(1e5)
    );
    assert_eq!(
        (fed.worker(2).rates().requests, fed.worker(2).rates().errors),
        (Some(0.0), None)
    );
    assert_eq!(fed.pool().rates().requests, Some(50.0));
}

#[test]
fn no_rate_is_negative_when_a_counter_begins_anew_or_a_worker_goes() {
    let mut fed = Fed::new(Keep::default());
    let counts = [100.0, 200.0, 300.0, 0.0, 100.0, 200.0, 300.0];
    for (index, count) in counts.into_iter().enumerate() {
        let mut workers = vec![(1, count)];
        if index < 3 {
            workers.push((2, 5000.0));
        }
        fed.at(5.0 * index as f64, vec![pool(&workers)]);
        for rates in [fed.worker(1).rates(), fed.pool().rates()] {
            assert!(
                rates.requests.is_none_or(|rate| rate >= 0.0),
                "{index}: {rates:?}"
            );
            assert!(
                rates.errors.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)),
                "{index}: {rates:?}"
            );
        }
        if index == 3 {
            assert_eq!(fed.worker(1).rates().requests, None, "it is not known yet");
        }
    }
    assert_eq!(fed.worker(1).rates().requests, Some(20.0));
    assert_eq!(fed.pool().rates().requests, Some(20.0));
}

#[test]
fn a_ring_has_the_last_15_minutes_and_gaps_where_nothing_was_seen() {
    let mut fed = Fed::new(Keep::default());
    let with_kv = |active: u64| {
        let mut pool = pool(&[(1, 0.0)]);
        let load = protocol::WorkerStats::builder()
            .kv_blocks_active(active)
            .kv_blocks_capacity(1000);
        Arc::make_mut(&mut pool.workers)[0].load = Some(load.build().expect("in range"));
        pool
    };
    fed.at(0.0, vec![with_kv(100)]);
    fed.at(2.0, vec![with_kv(200)]);
    fed.at(12.0, vec![with_kv(300)]);
    let chart = |fed: &Fed| {
        let pool = with_kv(0);
        let key = pool.workers[0].identity.key.clone();
        let charts = fed.history.worker_charts(&pool, &key);
        charts
            .into_iter()
            .find(|chart| chart.key == HeatKey::Kv)
            .expect("a chart")
    };
    let values = chart(&fed).values;
    assert_eq!(values.len(), POINTS);
    assert_eq!(values[POINTS - 3..], [Some(0.2), None, Some(0.3)]);
    assert!(values[..POINTS - 3].iter().all(Option::is_none));

    fed.at(12.0 + 895.0, vec![with_kv(400)]);
    let values = chart(&fed).values;
    assert_eq!((values[0], values[POINTS - 1]), (Some(0.3), Some(0.4)));
    fed.at(12.0 + 900.0, vec![with_kv(500)]);
    assert_eq!(chart(&fed).values[..2], [None, None]);
    fed.at(12.0 + 100_000.0, vec![with_kv(600)]);
    assert_eq!(chart(&fed).values.iter().flatten().collect::<Vec<_>>(), [&0.6]);
}

#[test]
fn memory_is_bounded_by_the_number_of_workers_and_given_back() {
    let many = |count: u64| {
        let workers: Vec<(u64, f64)> = (1..=count).map(|id| (id, 0.0)).collect();
        vec![pool(&workers)]
    };
    let mut fed = Fed::new(Keep::Workers(100));
    fed.at(0.0, many(150));
    let full = fed.history.bytes();
    assert_eq!(fed.history.rings, 100);
    fed.at(1.0, many(150));
    assert_eq!(fed.history.bytes(), full, "it does not grow with time");
    fed.at(2.0, many(20));
    assert_eq!(fed.history.rings, 20);
    fed.at(3.0, many(300));
    assert_eq!(fed.history.rings, 100);
    fed.at(4.0, Vec::new());
    assert_eq!(
        (fed.history.bytes(), fed.history.rings, fed.history.pool_rings),
        (0, 0, 0)
    );
    const { assert!(10_000 * (Ring::BYTES + size_of::<WorkerPast>()) <= 50_000_000) }
}

#[test]
fn without_a_history_there_are_rates_and_no_charts() {
    let mut fed = Fed::new(Keep::Off);
    fed.at(0.0, vec![pool(&[(1, 0.0)])]);
    fed.at(5.0, vec![pool(&[(1, 10.0)])]);
    assert_eq!(fed.pool().rates().requests, Some(2.0));
    assert!(fed.history.spark(&name(), HeatKey::Kv).values.is_empty());
    assert!(fed.history.pool_charts(&pool(&[])).is_empty());
}

#[test]
fn a_stale_worker_has_no_rate_in_its_chart() {
    let mut fed = Fed::new(Keep::default());
    let stale = || {
        let mut pool = pool(&[(1, 10.0)]);
        let worker = &mut Arc::make_mut(&mut pool.workers)[0];
        (worker.state, worker.load) = (WorkerState::Stale, None);
        pool
    };
    fed.at(0.0, vec![pool(&[(1, 10.0)])]);
    fed.at(5.0, vec![pool(&[(1, 10.0)])]);
    fed.at(10.0, vec![stale()]);
    fed.at(15.0, vec![stale()]);
    let charts = fed
        .history
        .worker_charts(&stale(), &stale().workers[0].identity.key);
    let rates = charts
        .iter()
        .find(|chart| chart.key == HeatKey::Requests)
        .expect("a chart");
    assert_eq!(rates.values[POINTS - 4..], [None, Some(0.0), None, None]);
}

#[test]
fn changes_are_those_of_the_last_hour_without_the_joins_of_the_first_minute() {
    let mut fed = Fed::new(Keep::default());
    let changed = |joined: u64, restarted: u64, left: u64| {
        let mut pool = pool(&[(1, 0.0)]);
        pool.changes[Change::Joined] = joined;
        pool.changes[Change::Restarted] = restarted;
        pool.changes[Change::Left] = left;
        vec![pool]
    };
    fed.at(0.0, changed(500, 0, 0));
    fed.at(50.0, changed(700, 0, 1));
    assert_eq!(fed.pool().changes_last_hour(), 1, "the one that left");
    fed.at(100.0, changed(701, 2, 1));
    assert_eq!((fed.pool().changes_last_hour(), fed.pool().restarts()), (4, 2));
    fed.at(1100.0, changed(701, 2, 1));
    assert_eq!((fed.pool().changes_last_hour(), fed.pool().restarts()), (4, 0));
    fed.at(3900.0, changed(701, 2, 1));
    assert_eq!(fed.pool().changes_last_hour(), 0);
}

#[test]
fn workers_that_joined_late_in_the_first_round_have_not_changed() {
    let mut fed = Fed::new(Keep::default());
    let changed = |stale: u64, recovered: u64| {
        let mut pool = pool(&[(1, 0.0)]);
        pool.changes[Change::Joined] = 700;
        pool.changes[Change::Stale] = stale;
        pool.changes[Change::Recovered] = recovered;
        vec![pool]
    };
    fed.at(0.0, changed(0, 0));
    fed.at(3.0, changed(0, 500));
    assert_eq!(fed.pool().changes_last_hour(), 0);
    fed.at(5.0, changed(2, 502));
    assert_eq!(
        fed.pool().changes_last_hour(),
        4,
        "two were silent and answered again"
    );
    fed.at(100.0, changed(2, 503));
    assert_eq!(fed.pool().changes_last_hour(), 5);
}

#[test]
fn a_worker_is_new_for_a_minute_if_its_pool_was_there_before() {
    let mut fed = Fed::new(Keep::default());
    fed.at(0.0, vec![pool(&[(1, 0.0)])]);
    assert!(!fed.worker(1).is_new(&fed.history));
    fed.at(70.0, vec![pool(&[(1, 0.0), (2, 0.0)])]);
    assert!(fed.worker(2).is_new(&fed.history) && !fed.worker(1).is_new(&fed.history));
    fed.at(131.0, vec![pool(&[(1, 0.0), (2, 0.0)])]);
    assert!(!fed.worker(2).is_new(&fed.history));
}

#[test]
fn a_service_counts_what_gone_instances_have_counted() {
    let mut fed = Fed::new(Keep::default());
    let snapshot = plain::mixed();
    let service = |requests: f64| {
        let service = snapshot
            .pools
            .iter()
            .find(|pool| pool.sums.is_some())
            .expect("a service");
        let mut pool = PoolView::empty(service.name.clone(), service.settings);
        pool.sums = Some(fleet::Sums {
            requests,
            errors: requests / 4.0,
            processing_seconds: requests / 2.0,
        });
        pool
    };
    fed.at(0.0, vec![service(100.0)]);
    fed.at(5.0, vec![service(140.0)]);
    let rates = fed.history.pool(&service(0.0).name).expect("known").rates();
    assert_eq!(
        (rates.requests, rates.errors, rates.processing),
        (Some(8.0), Some(0.25), Some(0.5))
    );
}

#[test]
fn a_history_is_off_or_of_so_many_workers() {
    assert_eq!("off".parse(), Ok(Keep::Off));
    assert_eq!("500".parse(), Ok(Keep::Workers(500)));
    for text in ["", "on", "-1", "200001"] {
        assert_eq!(text.parse::<Keep>(), Err(KeepError), "{text}");
    }
    for keep in [Keep::Off, Keep::Workers(3)] {
        assert_eq!(keep.to_string().parse(), Ok(keep));
    }
}
