//! Laws: what holds for any sequence of replies, losses, repeats, delays, restarts, duplicates, link changes, plan changes
//! and events.

mod orders;
mod script;
mod watch;

use proptest::prelude::*;

use super::*;
use script::{PLANS, Step, plan_of, run, steps};
use watch::watched;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

/// Everything that was published.
fn published(bench: &Bench) -> Vec<String> {
    bench
        .snapshots
        .iter()
        .map(|snapshot| format!("{snapshot:?}"))
        .collect()
}

/// The fresh workers of each pool.
fn fresh(bench: &Bench) -> Vec<(String, Vec<String>)> {
    let of = |pool: &Arc<crate::PoolView>| {
        let fresh = pool
            .workers
            .iter()
            .filter(|worker| worker.state == crate::WorkerState::Fresh);
        let ids = fresh.map(|worker| worker.identity.worker_id.to_string());
        (pool.name.to_string(), ids.collect())
    };
    bench.snapshot().pools.iter().map(of).collect()
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn counters_never_decrease_results_add_up_and_what_is_fresh_is_recent(
        plan in 0..PLANS, steps in steps(),
    ) {
        let mut bench = watched(Bench::new(plan_of(plan)));
        run(&mut bench, &steps);
        bench.rounds(2);
    }
}

#[test]
fn another_instance_may_take_the_id_of_one_that_describes_itself_as_something_else() {
    let mut bench = watched(Bench::new(plan_of(0)));
    let steps = [
        Step::Wait(251),
        Step::Work(2, 1),
        Step::Hits(0, 0),
        Step::Wait(0),
        Step::Counters(0, 0),
        Step::Server(true),
        Step::Wait(0),
        Step::Wait(0),
        Step::Info(2, 2),
        Step::Wait(0),
        Step::Wait(1),
        Step::Plan(5),
        Step::Wait(0),
    ];
    run(&mut bench, &steps);
    bench.rounds(2);
    let pool = bench
        .snapshot()
        .pools
        .iter()
        .find(|pool| pool.name.to_string() == POOL);
    let workers = &pool.expect("it is watched").workers;
    let is_it = |worker: &&crate::WorkerView| &*worker.identity.worker_id == "1";
    let worker = workers.iter().find(is_it).expect("the id is there");
    assert_eq!(&*worker.identity.service_id, "a");
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn two_cores_with_the_same_inputs_publish_the_same(plan in 0..PLANS, steps in steps()) {
        let mut benches = [Bench::new(plan_of(plan)), Bench::new(plan_of(plan))];
        for bench in &mut benches {
            run(bench, &steps);
        }
        for (one, other) in published(&benches[0]).iter().zip(published(&benches[1])) {
            let at = one.bytes().zip(other.bytes()).position(|(a, b)| a != b);
            let around = at.map(|at| (&one[at - 40..at + 20], &other[at - 40..at + 20]));
            prop_assert_eq!(around, None);
        }
        prop_assert_eq!(benches[0].snapshots.len(), benches[1].snapshots.len());
    }

    #[test]
    fn replies_change_the_same_whether_they_come_at_once_or_one_by_one(plan in 0..PLANS, steps in steps()) {
        let mut benches = [Bench::new(plan_of(plan)), Bench::new(plan_of(plan))];
        benches[1].is_batched = true;
        for bench in &mut benches {
            run(bench, &steps);
            bench.rounds(2);
        }
        let [singly, at_once] = &benches;
        prop_assert_eq!(format!("{:?}", singly.notices), format!("{:?}", at_once.notices));
        prop_assert_eq!(singly.effects, at_once.effects);
        prop_assert!(published(singly) == published(at_once), "the snapshots differ");
    }

    #[test]
    fn a_plan_and_its_inverse_restore_the_pools(
        plan in 0..PLANS, other in 0..PLANS, steps in steps(),
    ) {
        let mut changed = watched(Bench::new(plan_of(plan)));
        let mut same = Bench::new(plan_of(plan));
        for bench in [&mut changed, &mut same] {
            // Plans change once, below. A plan that shows metadata asks for descriptions again, and would learn of others.
            let is_kept = |step: &&Step| !matches!(step, Step::Plan(_) | Step::Hearing(_) | Step::Info(..));
            let steps: Vec<Step> = steps.iter().filter(is_kept).cloned().collect();
            run(bench, &steps);
            bench.is_alive = true;
            bench.restore_link();
            // A worker that is known by its events alone is forgotten with its pool until its next event: none is left.
            bench.run(70 * SECOND).rounds(4);
            bench.publish();
        }
        let before = changed.snapshot().clone();
        changed.take(plan_of(other));
        let between = changed.snapshot().clone();
        changed.take(plan_of(plan));
        for name in changed.names() {
            // The endpoints of a service that was watched by its name and is silent were forgotten meanwhile.
            let is_it = |known: &String| *known == name || known.starts_with(&format!("{name}/"));
            prop_assert!(same.names().iter().any(is_it), "{}", name);
        }
        // A pool that a glob found is there as long as its workers are.
        for (name, _) in fresh(&same).into_iter().filter(|(_, workers)| !workers.is_empty()) {
            prop_assert!(changed.names().contains(&name), "{}", name);
        }
        for kept in &between.pools {
            let of = |snapshot: &crate::Snapshot| {
                let pool = snapshot.pools.iter().find(|pool| pool.name == kept.name)?;
                let is_kept = |worker: &&crate::WorkerView| {
                    kept.workers.iter().any(|kept| kept.identity.key == worker.identity.key)
                };
                let workers: Vec<_> = pool.workers.iter().filter(is_kept).collect();
                Some(format!("{workers:?} {:?} {:?}", pool.rounds, pool.events))
            };
            if let Some(pool) = of(&before) {
                prop_assert_eq!(Some(pool), of(changed.snapshot()));
            }
        }
        for bench in [&mut changed, &mut same] {
            bench.rounds(4);
        }
        // An instance that is late now, and held another's id before, is forgotten with its pool.
        let changed = fresh(&changed);
        for (name, same) in fresh(&same).into_iter().filter(|(_, workers)| !workers.is_empty()) {
            let changed = changed.iter().find(|(known, _)| *known == name);
            let changed = changed.map_or(&[][..], |(_, workers)| workers);
            prop_assert!(same.iter().all(|id| changed.contains(id)), "{name}: {same:?} {changed:?}");
        }
    }
}
