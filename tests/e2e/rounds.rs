//! Rounds: slow services, services that say there are none, and instances that answer in turn cost no worker its place.

use std::time::Duration;

use protocol::Layout;
use tests::{Collector, Micro, NatsServer, Page, SharedQueue, TestFleet, Unavailable, finish, load, metrics};

use crate::TARGET;

const MS: Duration = Duration::from_millis(1);

fn worker(id: u64) -> Micro {
    Micro::worker(TARGET, Layout::Hashed, Some(id))
}

fn other_service() -> Micro {
    Micro::service("orders", "o").endpoint("orders.create", load(9))
}

fn workers_in(page: &Page, state: &str) -> f64 {
    page.sum("llm_pool_workers", &[("state", state)])
}

fn replies(page: &Page, result: &str) -> f64 {
    page.sum("llm_collector_replies_total", &[("result", result)])
}

#[tokio::test]
async fn a_worker_that_is_always_slow_becomes_fresh_and_stays_so_whatever_else_answers() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for (micro, latency) in [(worker(1), 450), (other_service(), 400), (worker(2), 0)] {
        fleet.join(&micro);
        fleet.slow("STATS", &micro, latency * MS);
    }
    let collector = Collector::watching(&server, TARGET, &["--poll-interval", "2s"]).await;
    collector.has_workers(2).await;
    collector.rounds(1).await;
    let is_fresh = |page: &Page| workers_in(page, "fresh") == 2.0 && workers_in(page, "stale") == 0.0;
    collector.keeps("both workers are fresh", 5, is_fresh).await;
}

#[tokio::test]
async fn a_worker_that_is_slower_than_every_round_is_counted_shown_and_named_with_what_to_change() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.join(&worker(2));
    fleet.slow("STATS", &worker(2), 3000 * MS);
    let mut collector = Collector::watching(&server, TARGET, &["--poll-interval", "1s"]).await;

    let is_late = |page: &Page| workers_in(page, "late") == 1.0 && workers_in(page, "fresh") == 1.0;
    let page = collector
        .shows("one worker is fresh and one is late", is_late)
        .await;
    let two = [("worker_id", "2")];
    assert!(page.absent("llm_worker_kv_blocks_active", &two), "{page}");
    let before = replies(&page, "late");
    assert!(before >= 1.0, "{page}");
    collector
        .keeps("the late worker is shown as such", 5, is_late)
        .await;
    collector
        .shows("every further reply of it counts as late", |page| {
            replies(page, "late") >= before + 5.0
        })
        .await;

    let warning = ["WARN", "--poll-interval", TARGET, "worker=\"2\""];
    collector.program().says(&warning).await;
    let said = collector.program().lines_with(&warning);
    assert_eq!(said.len(), 1, "{said:?}");

    let look = [
        "explain",
        TARGET,
        "--all",
        "--round-timeout",
        "5s",
        "--server",
        server.url(),
    ];
    let explained = finish(metrics(&look)).await;
    assert_eq!(explained.code, Some(0), "{explained:?}");
    assert!(explained.stdout.contains("matched: worker 2"), "{explained:?}");
    assert!(explained.stdout.contains("2 workers matched"), "{explained:?}");
}

#[tokio::test]
async fn a_service_that_answers_with_status_503_ends_no_round_and_empties_no_fleet() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for id in [1, 2] {
        fleet.join(&worker(id));
        fleet.slow("STATS", &worker(id), 100 * MS);
    }
    let unavailable = Unavailable::connect(&server).await;
    let collector = Collector::watching(&server, TARGET, &["--poll-interval", "1s"]).await;
    collector.has_workers(2).await;
    collector.rounds(1).await;
    let complete = |page: &Page| page.sum("llm_collector_rounds_total", &[("finish", "complete")]);
    let before = complete(&collector.page().await);
    let is_fresh = |page: &Page| workers_in(page, "fresh") == 2.0;
    let page = collector.keeps("both workers are fresh", 5, is_fresh).await;
    unavailable.has_answered(5).await;
    // On a busy machine the workers may take so long in one of them that the status is believed.
    assert!(complete(&page) >= before + 3.0, "{page}");
}

#[tokio::test]
async fn a_service_that_answers_with_status_503_does_not_hide_why_a_target_has_no_workers() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let similar = Micro::worker("dynamo/planner/my_endpoint", Layout::Hashed, Some(1));
    fleet.join(&similar);
    fleet.slow("STATS", &similar, 100 * MS);
    let _unavailable = Unavailable::connect(&server).await;
    let mut collector = Collector::watching(&server, TARGET, &["--poll-interval", "1s"]).await;
    let advice = ["WARN", TARGET, "use --target dynamo/planner/my_endpoint"];
    collector.program().says(&advice).await;
    let wrong = collector.program().lines_with(&["no service answered at all"]);
    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn a_service_that_answers_with_status_503_hides_nothing_from_list_and_explain() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.slow("STATS", &worker(1), 100 * MS);
    let _unavailable = Unavailable::connect(&server).await;
    for look in [["list"].as_slice(), &["explain", TARGET]] {
        let seen = finish(metrics(&[look, &["--server", server.url()]].concat())).await;
        assert_eq!(seen.code, Some(0), "{seen:?}");
    }
}

#[tokio::test]
async fn instances_that_share_a_queue_group_are_all_shown_and_stay_fresh_and_that_is_said_once() {
    let server = NatsServer::start().await;
    let instances = [worker(1), worker(2), worker(3)];
    let _fleet = SharedQueue::connect(&server, &instances).await;
    let mut collector = Collector::watching(&server, TARGET, &["--poll-interval", "1s"]).await;
    collector.has_workers(3).await;
    let said = ["WARN", "share a queue group", &instances[0].service];
    collector.program().says(&said).await;
    let is_fresh = |page: &Page| workers_in(page, "fresh") == 3.0;
    let page = collector.keeps("all three workers are fresh", 6, is_fresh).await;
    assert_eq!(collector.program().lines_with(&said).len(), 1);
    for (id, blocks) in [("1", 1.0), ("2", 2.0), ("3", 3.0)] {
        let worker = [("worker_id", id)];
        assert_eq!(
            page.value("llm_worker_kv_blocks_active", &worker),
            Some(blocks),
            "{page}"
        );
    }
    assert_eq!(replies(&page, "duplicate"), 0.0, "{page}");
}

#[tokio::test]
async fn a_queue_group_beside_another_service_is_not_taken_for_an_export_of_an_account() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&other_service());
    let instances = [worker(1), worker(2), worker(3)];
    let _fleet = SharedQueue::connect(&server, &instances).await;
    let mut collector = Collector::watching(&server, TARGET, &["--poll-interval", "1s"]).await;
    collector.has_workers(3).await;
    let said = ["WARN", "share a queue group", &instances[0].service];
    collector.program().says(&said).await;
    let is_fresh = |page: &Page| workers_in(page, "fresh") == 3.0;
    collector.keeps("all three workers are fresh", 6, is_fresh).await;
    assert_eq!(collector.program().lines_with(&["response_type"]), [""; 0]);
    for look in [["list"].as_slice(), &["explain", TARGET]] {
        let seen = finish(metrics(&[look, &["--server", server.url()]].concat())).await;
        assert!(!seen.stdout.contains("response_type"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_reply_to_a_round_that_there_was_not_is_malformed_and_harms_nothing() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&worker(1));
    fleet.join(&worker(2));
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has_workers(2).await;

    let reply_to = fleet.latest_reply_to().await;
    let (inbox, _) = reply_to.rsplit_once('.').expect("an inbox and a token");
    let made_up = ["made-up", "0", "-1", "01", "999999", "18446744073709551615"];
    for token in made_up {
        let stats = worker(1).with_data(load(99)).stats();
        fleet.publish(&format!("{inbox}.{token}"), stats).await;
    }
    let count = made_up.len() as f64;
    collector
        .shows("each is counted", |page| replies(page, "malformed") == count)
        .await;
    let one = [("worker_id", "1")];
    let is_unharmed = |page: &Page| page.value("llm_worker_kv_blocks_active", &one) == Some(1.0);
    let page = collector.keeps("no number moved", 3, is_unharmed).await;
    assert_eq!(replies(&page, "malformed"), count, "{page}");
    assert_eq!(workers_in(&page, "fresh"), 2.0, "{page}");
    let said = collector.program().lines_with(&["a round that does not exist"]);
    assert_eq!(said.len(), 1, "{said:?}");
}
