//! Alerts that no workers cause: NATS is away, the collector is down, a service is gone, fails or is slow.

use std::collections::BTreeSet;

use protocol::Layout;
use rustix::process::Signal;
use serde_json::json;
use tests::{Collector, Micro, NatsServer, Prometheus, TestFleet, eventually, load, tools};
use tokio::time::{Duration, interval};

use super::rehearsal::{fired, scraping};
use super::shortened::shortened;
use crate::TARGET;

/// The names of all alerts that have fired.
async fn all(prometheus: &Prometheus) -> BTreeSet<String> {
    fired(prometheus, "").await
}

async fn waits_for(prometheus: &Prometheus, alert: &str) {
    eventually(&format!("{alert} fires"), async || {
        let seen = all(prometheus).await;
        if seen.contains(alert) {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await;
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn an_outage_of_nats_and_one_of_the_collector_fire_one_alert_each() {
    let test = "an_outage_of_nats_and_one_of_the_collector_fire_one_alert_each";
    let Some(program) = tools::program("E2E_PROMETHEUS", test) else {
        return;
    };
    let mut server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)).with_data(load(10)));
    fleet.join(&Micro::service("orders", "a1").endpoint("orders.create", json!({})));
    let mut collector = Collector::watching(&server, TARGET, &["--all-services"]).await;
    collector.has_workers(1).await;
    let rules = shortened(&super::rules(), 10);
    let prometheus = Prometheus::with_rules(&program, &[scraping(&collector)], &rules).await;
    prometheus.gives("pool:llm_workers_fresh:max", "1").await;
    prometheus.gives("service:nats_instances_fresh:max", "1").await;

    server.stop().await;
    waits_for(&prometheus, "LlmSnapshotStale").await;
    assert_eq!(all(&prometheus).await, set(&["LlmSnapshotStale"]));

    collector.program().signal(Signal::KILL);
    waits_for(&prometheus, "LlmCollectorDown").await;
    assert_eq!(
        all(&prometheus).await,
        set(&["LlmSnapshotStale", "LlmCollectorDown"])
    );
}

#[tokio::test]
async fn services_that_fail_are_slow_or_leave_fire_the_alerts_of_services() {
    let test = "services_that_fail_are_slow_or_leave_fire_the_alerts_of_services";
    let Some(program) = tools::program("E2E_PROMETHEUS", test) else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let named = |name: &str| Micro::service(name, "a1").endpoint(&format!("{name}.create"), json!({}));
    let (good, failing, slow, gone) = (named("good"), named("failing"), named("slow"), named("gone"));
    for service in [&good, &failing, &slow, &gone] {
        fleet.join(service);
    }
    let collector = Collector::start(server.url(), &["--all-services"]).await;
    let rules = shortened(&super::rules(), 20);
    let prometheus = Prometheus::with_rules(&program, &[scraping(&collector)], &rules).await;
    prometheus
        .gives("count(service:nats_instances_fresh:max)", "4")
        .await;
    fleet.leave(&gone);
    let mut requests = 0;
    let mut tick = interval(Duration::from_millis(200));
    let work = async {
        loop {
            tick.tick().await;
            requests += 2;
            let milliseconds = |each: u64| requests * each * 1_000_000;
            fleet.join(&good.clone().with_counters(requests, 0, milliseconds(10)));
            fleet.join(
                &failing
                    .clone()
                    .with_counters(requests, requests / 2, milliseconds(10)),
            );
            fleet.join(&slow.clone().with_counters(requests, 0, milliseconds(2000)));
        }
    };
    let watch = async {
        waits_for(&prometheus, "NatsServiceDown").await;
        waits_for(&prometheus, "NatsServiceErrors").await;
        waits_for(&prometheus, "NatsServiceSlow").await;
    };
    tokio::select! {
        () = work => {}
        () = watch => {}
    }
    for (service, expected) in [
        ("good", set(&[])),
        ("failing", set(&["NatsServiceErrors"])),
        ("slow", set(&["NatsServiceSlow"])),
        ("gone", set(&["NatsServiceDown"])),
    ] {
        let seen = fired(&prometheus, &format!("nats_service={service:?}")).await;
        assert_eq!(seen, expected, "{service}");
    }
}
