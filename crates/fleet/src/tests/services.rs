//! Plain services: which pools they make, what is summed over instances that come and go, and what they say of themselves.

use super::*;
use crate::{NameGlob, Plan, PoolName, PoolView, Selector, Sums, WorkerState};

/// A plan that watches the services of these names.
fn services(names: &[&str]) -> Plan {
    let selector = |name: &&str| Selector::Services(NameGlob::of_services(name).expect("a name"));
    let mut plan = plan(&[]);
    plan.selectors = names.iter().map(selector).collect();
    plan
}

/// An instance of the service `orders` with an endpoint, and this many requests of a second each.
fn order(instance: &str, requests: u64) -> Actor {
    Actor::plain("orders", instance, "orders.create").requests(requests)
}

impl Bench {
    fn pools(&self) -> Vec<String> {
        let snapshot = self.snapshots.last().expect("published");
        let shown = |pool: &Arc<PoolView>| {
            let fresh = pool.count(WorkerState::Fresh);
            format!("{} {fresh}/{}", pool.name, pool.workers.len())
        };
        snapshot.pools.iter().map(shown).collect()
    }

    fn service(&self, endpoint: &str) -> &PoolView {
        let is_it = |pool: &&Arc<PoolView>| matches!(&pool.name, PoolName::Service { endpoint: other, .. } if **other == *endpoint);
        let snapshot = self.snapshots.last().expect("published");
        snapshot.pools.iter().find(is_it).expect("there is a pool")
    }

    fn requests(&self) -> f64 {
        self.service("create").sums.expect("a service has sums").requests
    }
}

#[test]
fn each_endpoint_of_a_service_is_a_pool_of_its_instances() {
    let mut bench = Bench::new(services(&["*"]));
    let both = order("a", 3)
        .version("1.2.0")
        .subjects(&["orders.create", "orders.cancel"])
        .data("[1, \"x\"]");
    let other = Actor::plain("payments", "p", "pay").data("{\"kv_active_blocks\": -1}");
    bench.round(&[both, order("b", 4), other]);
    assert_eq!(
        bench.pools(),
        ["orders/cancel 1/1", "orders/create 2/2", "payments/pay 1/1"]
    );
    let pool = bench.service("create");
    let ids: Vec<_> = pool
        .workers
        .iter()
        .map(|worker| &*worker.identity.worker_id)
        .collect();
    assert_eq!(ids, ["a", "b"]);
    let sums = Sums {
        requests: 7.0,
        errors: 0.0,
        processing_seconds: 7.0,
    };
    assert_eq!(pool.sums, Some(sums));
    assert_eq!(pool.workers[0].processing_seconds, Some(3.0));
    for pool in &bench.snapshots.last().expect("published").pools {
        assert_eq!(
            pool.replies[crate::ReplyResult::Malformed],
            0,
            "data of any form is fine"
        );
        assert!(pool.replies[crate::ReplyResult::Ok] >= 1);
        assert!(pool.workers.iter().all(|worker| worker.load.is_none()));
    }
    assert_eq!(
        bench
            .notices
            .iter()
            .filter(|notice| notice.text.contains("rejected"))
            .count(),
        0
    );
}

#[test]
fn a_service_that_is_named_is_shown_while_it_has_no_instances() {
    let mut bench = Bench::new(services(&["orders", "pay*"]));
    let other = Actor::plain("Orders", "x", "x.y");
    bench.round(std::slice::from_ref(&other));
    bench.rounds(2);
    assert_eq!(bench.pools(), ["orders 0/0"]);
    let said = |bench: &Bench, text: &str| bench.notices.iter().any(|notice| notice.text.contains(text));
    let text = "no instance of orders answered; a service named \"Orders\" did: use --service Orders";
    assert!(said(&bench, text), "{:#?}", bench.notices);

    bench.round(&[order("a", 3), other.clone()]);
    assert_eq!(bench.pools(), ["orders/create 1/1"]);
    assert!(said(&bench, "1 instance answers now"));
    bench.round(std::slice::from_ref(&other));
    bench.rounds(10);
    assert_eq!(
        bench.pools(),
        ["orders/create 0/0"],
        "as before, not as if it were unknown"
    );
    assert_eq!(bench.requests(), 3.0);

    bench.take(services(&["pay*"]));
    assert_eq!(bench.pools(), [""; 0]);
    bench.take(services(&["orders"]));
    assert_eq!(bench.pools(), ["orders 0/0"]);
}

#[test]
fn advice_names_the_key_of_the_file_where_services_are_named_there() {
    let mut bench = Bench::new(Plan {
        services_given: crate::Given::Key,
        ..services(&["orders"])
    });
    bench.round(&[Actor::plain("Orders", "x", "x.y")]).rounds(2);
    let text = "did: write \"Orders\" in the list `service` of the configuration file";
    let said = bench.notices.iter().any(|notice| notice.text.contains(text));
    assert!(said, "{:#?}", bench.notices);
}

#[test]
fn a_partial_loss_of_a_service_speaks_of_instances() {
    let mut bench = Bench::new(services(&["orders"]));
    bench.round(&[order("a", 3), order("b", 3)]).next_round();
    bench.round(&[order("a", 3)]).rounds(6);
    let said = |text: &str| bench.notices.iter().any(|notice| notice.text.contains(text));
    assert!(
        said("1 of 2 instances answer; missing: b"),
        "{:#?}",
        bench.notices
    );
    assert!(said("1 instance left: b"), "{:#?}", bench.notices);
    assert!(!said("worker"), "{:#?}", bench.notices);
}

#[test]
fn an_endpoint_that_a_named_service_no_longer_has_goes() {
    let mut bench = Bench::new(services(&["orders"]));
    bench.round(&[order("a", 3)]);
    bench.round(&[order("b", 3).subjects(&["orders.add"])]);
    bench.rounds(6);
    assert_eq!(bench.pools(), ["orders/add 1/1"]);
}

#[test]
fn sums_do_not_run_backwards_when_instances_leave_and_restart() {
    let mut bench = Bench::new(services(&["orders"]));
    bench.round(&[order("a", 10), order("b", 5)]);
    assert_eq!(bench.requests(), 15.0);
    bench.round(&[order("a", 12)]).rounds(6);
    assert_eq!(
        (bench.requests(), bench.service("create").workers.len()),
        (17.0, 1)
    );
    // One that was only cut off goes on, and is not counted twice.
    bench.round(&[order("a", 12), order("b", 8)]);
    assert_eq!(bench.requests(), 20.0);
    bench.round(&[order("a", 12)]).rounds(6);
    // One that began anew under its id counts from zero.
    bench.round(&[order("a", 12), order("b", 2).started("2026-01-02T00:00:00Z")]);
    assert_eq!(bench.requests(), 22.0);
    let restarts = |bench: &Bench| {
        bench
            .service("create")
            .workers
            .iter()
            .map(|worker| worker.restarts)
            .sum::<u64>()
    };
    assert_eq!(restarts(&bench), 1);
    bench.round(&[order("a", 1), order("c", 1)]);
    assert_eq!((bench.requests(), restarts(&bench)), (24.0, 2));
}

#[test]
fn sums_outlive_a_pool_that_a_glob_found() {
    let mut bench = Bench::new(services(&["*"]));
    bench.round(&[order("a", 10)]);
    bench.round(&[]).rounds(6);
    assert_eq!(bench.pools(), [""; 0]);
    bench.round(&[order("a", 11), order("b", 2)]);
    assert_eq!(bench.requests(), 13.0);
}

#[test]
fn workers_that_no_path_selects_are_one_pool() {
    let mut bench = Bench::new(services(&["*"]));
    let workers: Vec<_> = (1..=20)
        .map(|n| worker(&format!("i{n}"), &format!("{n:x}"), 0, 1))
        .collect();
    bench.round(&workers);
    assert_eq!(bench.pools(), ["dynamo_c/gen 20/20"]);

    let mut plan = services(&["*"]);
    plan.selectors.push(POOL.parse().expect("a path"));
    bench.take(plan);
    bench.next_round();
    assert_eq!(bench.pools(), ["dynamo/c/gen 20/20"], "a path comes first");
}

#[test]
fn workers_are_one_pool_even_where_they_do_not_describe_themselves() {
    let mut bench = Bench::new(services(&["*"]));
    let silent = |n: u32| {
        worker(&format!("i{n}"), &format!("{n:x}"), 0, 1)
            .info(Info::Never)
            .named_by_subject()
    };
    bench.round(&(1..=20).map(silent).collect::<Vec<_>>());
    assert_eq!(bench.pools(), ["dynamo_c/gen 20/20"]);
}

#[test]
fn endpoints_of_one_instance_with_one_name_are_all_shown() {
    let mut bench = Bench::new(services(&["*"]));
    bench.round(&[order("a", 2).subjects(&["v1.get", "v2.get"])]);
    assert_eq!(bench.pools(), ["orders/get 1/1", "orders/v2.get 1/1"]);
    let mut bench = Bench::new(services(&["*"]));
    bench.round(&[worker("a", "1", 0, 2).subjects(&["dynamo_c.gen-1", "dynamo_c.gen-2"])]);
    assert_eq!(bench.pools(), ["dynamo_c/gen 2/2"]);
}

#[test]
fn chosen_metadata_is_shown_of_workers_and_of_services() {
    let shown = |bench: &Bench, label: &str| -> Vec<String> {
        let pools = &bench.snapshots.last().expect("published").pools;
        let workers = pools.iter().flat_map(|pool| pool.workers.iter());
        let value = |profile: &Arc<crate::Profile>| profile.value(label).to_owned();
        let values = workers.map(|worker| worker.identity.profile.as_ref().map_or("-".to_owned(), value));
        values.collect()
    };
    let mut plan = services(&["orders"]);
    plan.selectors.push(POOL.parse().expect("a path"));
    let actors = [
        worker("a", "1", 0, 2).metadata(r#"{"pod": "p1", "model": "m"}"#),
        worker("b", "2", 0, 2),
        order("c", 0).metadata(r#"{"pod": "p3"}"#),
    ];
    let mut bench = Bench::new(plan.clone());
    bench.round(&actors);
    assert_eq!(
        shown(&bench, "meta_pod"),
        ["-", "-", ""],
        "nothing is kept of workers"
    );
    assert_eq!(
        &*bench.service("create").workers[0]
            .identity
            .profile
            .as_ref()
            .expect("kept")
            .description,
        "takes orders"
    );

    plan.metadata = vec!["pod".parse().expect("a key")];
    bench.take(plan.clone());
    bench.rounds(1);
    assert_eq!(shown(&bench, "meta_pod"), ["p1", "-", "p3"]);
    assert_eq!(
        bench.snapshots.last().expect("published").metadata[..],
        ["meta_pod".into()]
    );
    plan.metadata = vec!["model".parse().expect("a key")];
    bench.take(plan);
    bench.rounds(1);
    assert_eq!(shown(&bench, "meta_model")[0], "m");
    assert_eq!(shown(&bench, "meta_pod")[0], "");
}

#[test]
fn pools_of_services_are_bounded_and_what_is_left_out_is_counted_and_said() {
    let mut bench = Bench::new(services(&["*"]));
    let subjects: Vec<String> = (0..1000).map(|n| format!("s.e{n}")).collect();
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let many: Vec<_> = (0..11)
        .map(|n| Actor::plain(&format!("s{n}"), "i", "s.e").subjects(&subjects))
        .collect();
    bench.round(&many);
    let snapshot = bench.snapshots.last().expect("published");
    assert_eq!((snapshot.pools.len(), snapshot.endpoints_ignored), (10_000, 1000));
    assert!(
        bench
            .notices
            .iter()
            .any(|notice| notice.text.contains("--exclude-service"))
    );
}
