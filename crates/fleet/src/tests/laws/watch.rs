//! Looks at a core after each input, and at each snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::events::Topic;

use super::super::Bench;
use crate::{Change, PoolName, PoolView, RECENT_CHANGES, Snapshot, Sums, WorkerState, WorkerView};

/// The same bench, looked at.
pub(super) fn watched(mut bench: Bench) -> Bench {
    let mut seen = 0;
    let mut counted = BTreeMap::new();
    let mut judged = 0;
    let mut sums = BTreeMap::new();
    let mut changed = BTreeMap::new();
    bench.watch = Some(Box::new(move |bench| {
        bench.core.assert_consistent();
        // What is not held has been counted once for each pool that was there.
        let judged_now = bench.delivered - bench.core.held();
        let counted_now: BTreeMap<_, _> = bench.core.counted().into_iter().collect();
        for (pool, count) in &counted_now {
            if let Some(before) = counted.get(pool) {
                assert_eq!(count - before, judged_now - judged, "results add up to replies");
            }
        }
        (counted, judged) = (counted_now, judged_now);
        for at in seen..bench.snapshots.len() {
            for pool in &bench.snapshots[at].pools {
                let name = pool.name.to_string();
                let counts = changes(pool);
                if let Some(before) = changed.insert(name, counts.clone()) {
                    assert!(
                        rises(&before, &counts),
                        "also of a pool that was dropped: {pool:?}"
                    );
                }
            }
            if at > 0 {
                in_order(&bench.snapshots[at - 1], &bench.snapshots[at]);
            }
            recent(bench, &bench.snapshots[at]);
            sums_rise(&mut sums, &bench.snapshots[at]);
            adds_up(&bench.snapshots[at]);
        }
        seen = bench.snapshots.len();
    }));
    bench
}

/// Panics where a counter runs backwards between two snapshots.
fn in_order(before: &Snapshot, after: &Snapshot) {
    assert_eq!(after.sequence, before.sequence + 1);
    assert!(after.taken >= before.taken && after.rounds_skipped >= before.rounds_skipped);
    for pool in &after.pools {
        let Some(known) = before.pools.iter().find(|known| known.name == pool.name) else {
            continue;
        };
        assert!(rises(&counts(known), &counts(pool)), "{known:?} {pool:?}");
        changes_show(known, pool);
        for worker in pool.workers.iter() {
            let is_it = |known: &&WorkerView| known.identity.key == worker.identity.key;
            let known = known.workers.iter().find(is_it);
            let is_another = |known: &WorkerView| known.identity.service_id != worker.identity.service_id;
            let has_left = |known: &WorkerView| {
                left_between(known, pool, before, after)
                    && (is_another(known) || was_gone(known, pool, after))
            };
            if let Some(known) = known.filter(|known| !has_left(known)) {
                let rises = rises(&numbers(known, 0.0), &numbers(worker, f64::INFINITY));
                assert!(rises, "{known:?} {worker:?}");
            }
        }
    }
}

/// Panics where the sums of a plain service's endpoint run backwards, also when its pool has gone meanwhile.
fn sums_rise(known: &mut BTreeMap<PoolName, Sums>, snapshot: &Snapshot) {
    for pool in &snapshot.pools {
        assert_eq!(pool.sums.is_some(), matches!(pool.name, PoolName::Service { .. }));
        let Some(sums) = pool.sums else { continue };
        let before = known.insert(pool.name.clone(), sums).unwrap_or_default();
        assert_eq!(before.max(sums), sums, "{pool:?}");
    }
}

fn changes(pool: &PoolView) -> Vec<f64> {
    Change::ALL
        .iter()
        .map(|change| pool.changes[*change] as f64)
        .collect()
}

/// Panics where the changes of a pool do not add up to its workers, or the last ones are not in order.
fn adds_up(snapshot: &Snapshot) {
    for pool in &snapshot.pools {
        let count = |change| pool.changes[change];
        let present: usize = WorkerState::ALL.iter().map(|state| pool.count(*state)).sum();
        assert_eq!(
            count(Change::Joined) - count(Change::Left),
            present as u64,
            "{pool:?}"
        );
    }
    let recent = &snapshot.changes;
    assert!(recent.len() <= RECENT_CHANGES && recent.is_sorted_by_key(|change| change.at));
}

/// Panics where a worker is another than in the view before, and the counts of changes do not show it.
fn changes_show(before: &PoolView, after: &PoolView) {
    let added = |change| after.changes[change] - before.changes[change];
    let (mut stale, mut recovered, mut replaced, mut restarts) = (0, 0, 0, 0);
    for worker in after.workers.iter() {
        let is_it = |known: &&WorkerView| known.identity.key == worker.identity.key;
        let Some(known) = before.workers.iter().find(is_it) else {
            continue;
        };
        let was_fresh = known.state == WorkerState::Fresh;
        let is_fresh = worker.state == WorkerState::Fresh;
        stale += u64::from(was_fresh && !is_fresh);
        recovered += u64::from(!was_fresh && is_fresh);
        let instance = &known.identity.service_id;
        replaced += u64::from(!instance.is_empty() && *instance != worker.identity.service_id);
        restarts += worker.restarts.saturating_sub(known.restarts);
    }
    // A worker that left and joined again meanwhile is another one.
    let again = added(Change::Left).min(added(Change::Joined));
    assert!(stale <= added(Change::Stale) + again && recovered <= added(Change::Recovered) + again);
    assert!(replaced <= added(Change::Replaced) + again);
    assert!(restarts <= added(Change::Restarted) + added(Change::Replaced) + again);
    assert!(added(Change::Stale) <= stale + added(Change::Left));
    assert!(added(Change::Recovered) <= recovered + added(Change::Left));
}

/// Whether a worker that left was known by its events alone and left in due time, so that it may have begun anew. What routers
/// publish about it shows no life.
fn was_gone(worker: &WorkerView, pool: &PoolView, after: &Snapshot) -> bool {
    let settings = &pool.settings;
    let limit = settings.event_gone_after.min(settings.event_idle_gone_after);
    let of = |topic: Topic| {
        worker
            .events
            .iter()
            .filter_map(move |events| events.topics[topic as usize])
    };
    let heard = of(Topic::ForwardPass)
        .chain(of(Topic::KvEvents))
        .fold(0.0, f64::max);
    worker.last_seen.is_none() && after.taken.as_secs_f64() - heard > limit.as_secs_f64()
}

/// Whether the changes of the later snapshot say that a worker left since the earlier one. The instance that spoke for it may
/// belong elsewhere by its new description; another one with its id joins as a worker of its own then.
fn left_between(worker: &WorkerView, pool: &PoolView, before: &Snapshot, after: &Snapshot) -> bool {
    after.changes.iter().any(|known| {
        known.change == Change::Left
            && known.at >= before.taken
            && *known.pool == pool.name
            && known.worker.key == worker.identity.key
    })
}

fn counts(pool: &Arc<PoolView>) -> Vec<f64> {
    let counts = crate::ReplyResult::ALL.iter().map(|result| pool.replies[*result]);
    let counts = counts.chain(crate::EventResult::ALL.iter().map(|result| pool.events[*result]));
    let counts = counts.chain(crate::Finish::ALL.iter().map(|finish| pool.rounds[*finish]));
    let counts = counts.chain([pool.round_seconds.count(), pool.hit_ratios.count(), pool.ignored]);
    let sums = [pool.round_seconds.sum, pool.hit_ratios.sum];
    counts.map(|count| count as f64).chain(sums).collect()
}

/// The counters of a worker; `absent` in place of one that is not shown.
fn numbers(worker: &WorkerView, absent: f64) -> Vec<f64> {
    let events = worker.events.as_deref();
    let passes = events.and_then(|events| events.passes);
    let lost = events.map_or(0, |events| events.lost.iter().sum());
    let cache = events.and_then(|events| events.cache.as_deref());
    let sum = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let sequences = events.and_then(|events| events.sequences.as_deref());
    vec![
        lost as f64,
        cache.map_or(0.0, |counts| sum(&counts.stored)),
        cache.map_or(0.0, |counts| sum(&counts.removed)),
        cache.map_or(0.0, |counts| counts.clears as f64),
        sequences.map_or(0.0, |known| known.first_tokens as f64),
        worker.requests,
        worker.errors,
        worker.processing_seconds.unwrap_or(absent),
        worker.restarts as f64,
        worker.lookup_blocks as f64,
        worker.hit_blocks as f64,
        passes.map_or(0.0, |counts| counts.passes as f64),
        passes.map_or(0.0, |counts| counts.seconds),
        passes.map_or(0.0, |counts| counts.decode_steps as f64),
    ]
}

fn rises(before: &[f64], after: &[f64]) -> bool {
    before.iter().zip(after).all(|(before, after)| before <= after)
}

/// Panics where more requests are assigned with an adapter than at all, or more than there are.
fn assigned(worker: &WorkerView) {
    let sequences = worker
        .events
        .as_deref()
        .and_then(|events| events.sequences.as_deref());
    let Some(known) = sequences else { return };
    let with_lora: u64 = known.loras.iter().map(|(_, count)| count).sum();
    assert_eq!(
        with_lora,
        known.assigned.unwrap_or(0),
        "each request of the script has one: {worker:?}"
    );
    assert!(with_lora <= 5, "{worker:?}");
}

/// Panics where a worker is fresh whose instance was not heard in time.
fn recent(bench: &Bench, snapshot: &Snapshot) {
    for pool in &snapshot.pools {
        pool.workers.iter().for_each(assigned);
        let fresh = pool
            .workers
            .iter()
            .filter(|worker| worker.state == WorkerState::Fresh);
        for worker in fresh {
            let age = |who: &str| Some(snapshot.taken.saturating_sub(*bench.heard.get(who)?));
            let limit = pool.settings.fresh_for();
            let answered = age(&worker.identity.service_id).is_some_and(|age| age <= limit);
            let by_events = pool.settings.event_max_age.max(std::time::Duration::from_secs(4));
            let spoke = age(&worker.identity.worker_id).is_some_and(|age| age <= by_events);
            assert!(answered || spoke, "{worker:?}");
            if !spoke {
                let shown = snapshot.taken.as_secs_f64() - worker.last_seen.expect("it answers");
                assert!(shown <= limit.as_secs_f64() + 1e-6, "{shown}: {worker:?}");
            }
        }
        for worker in pool
            .workers
            .iter()
            .filter(|worker| worker.state != WorkerState::Fresh)
        {
            assert!(worker.load.is_none(), "old load is shown: {worker:?}");
        }
    }
}
