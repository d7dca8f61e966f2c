//! How the collector gets in at real receivers, and what it makes of their answers. A [`Relay`] on the way sees each request.

use std::time::Duration;

use tests::{
    Authority, Collector, Files, NatsServer, Page, Prometheus, Pushgateway, Relay, Seen, TestFleet,
    eventually, tools,
};

use crate::TARGET;
use crate::sinks::{has, workers};

async fn with_fleet() -> (NatsServer, TestFleet) {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    (server, fleet)
}

fn pushes(page: &Page, sink: &str, result: &str) -> f64 {
    let labels = [("sink", sink), ("result", result)];
    page.value("llm_collector_pushes_total", &labels)
        .unwrap_or_default()
}

async fn arrive(collector: &Collector, sink: &str) {
    collector
        .shows(&format!("pushes of {sink} arrive"), |page| {
            pushes(page, sink, "success") > 0.0
        })
        .await;
}

#[tokio::test]
async fn receivers_are_reached_by_tls_with_a_ca_of_their_own_and_not_without() {
    let test = "receivers_are_reached_by_tls_with_a_ca_of_their_own_and_not_without";
    let (Some(prometheus), Some(pushgateway)) = (
        tools::program("E2E_PROMETHEUS", test),
        tools::program("E2E_PUSHGATEWAY", test),
    ) else {
        return;
    };
    let prometheus = Prometheus::receiving(&prometheus).await;
    let pushgateway = Pushgateway::start(&pushgateway).await;
    let authority = Authority::new("receivers");
    let identity = authority.server(&["127.0.0.1"]);
    let write_url = prometheus.write_url();
    let address = write_url.strip_suffix("/api/v1/write").expect("its path");
    let to_prometheus = Relay::encrypted(address, &identity).await;
    let to_gateway = Relay::encrypted(pushgateway.url(), &identity).await;
    let files = Files::new();
    let ca = files.put("ca.pem", &authority.pem());
    let other = files.put("other.pem", &Authority::new("other").pem());

    let (server, fleet) = with_fleet().await;
    workers(2).iter().for_each(|worker| fleet.join(worker));
    let write_url = format!("{}/api/v1/write", to_prometheus.url());
    let common = [
        "--remote-write-url",
        &write_url,
        "--push-url",
        to_gateway.url(),
        "--push-interval",
        "200ms",
        "--grace",
        "1s",
    ];
    for flags in [&[][..], &["--push-tlsca", &other]] {
        let mut collector = Collector::watching(&server, TARGET, &[&common, flags].concat()).await;
        for sink in ["remote_write", "pushgateway"] {
            let parts = ["WARN", sink, "UnknownIssuer", "--push-tlsca FILE"];
            collector.program().says(&parts).await;
            assert_eq!(pushes(&collector.page().await, sink, "success"), 0.0);
        }
        assert_eq!(collector.stop().await, Some(0));
    }
    assert!(to_prometheus.seen().is_empty() && to_gateway.seen().is_empty());

    let collector =
        Collector::watching(&server, TARGET, &[&common[..], &["--push-tlsca", &ca]].concat()).await;
    arrive(&collector, "remote_write").await;
    arrive(&collector, "pushgateway").await;
    has(
        &prometheus,
        "llm_worker_kv_blocks_active",
        &[("1", "10"), ("2", "20")],
    )
    .await;
    assert_eq!(collector.stop().await, Some(0));
}

#[tokio::test]
async fn receivers_are_given_passwords_and_the_token_that_a_file_holds_now() {
    let test = "receivers_are_given_passwords_and_the_token_that_a_file_holds_now";
    let (Some(prometheus), Some(pushgateway)) = (
        tools::program("E2E_PROMETHEUS", test),
        tools::program("E2E_PUSHGATEWAY", test),
    ) else {
        return;
    };
    let prometheus = Prometheus::receiving(&prometheus).await;
    let pushgateway = Pushgateway::start(&pushgateway).await;
    let write_url = prometheus.write_url();
    let to_prometheus = Relay::to(write_url.strip_suffix("/api/v1/write").expect("its path")).await;
    let to_gateway = Relay::to(pushgateway.url()).await;
    let files = Files::new();
    let token = files.put("token", "secret-1\n");
    let (server, _fleet) = with_fleet().await;
    let write_url = format!("{}/api/v1/write", to_prometheus.url());
    let push_url = to_gateway.url().replace("http://", "http://user:secret%2F2@");
    let flags = [
        "--remote-write-url",
        &write_url,
        "--remote-write-bearer-token-file",
        &token,
        "--push-url",
        &push_url,
        "--push-interval",
        "200ms",
    ];
    let mut collector = Collector::watching(&server, TARGET, &flags).await;
    arrive(&collector, "pushgateway").await;
    arrive(&collector, "remote_write").await;
    let basic = |seen: &Seen| seen.header("authorization") == Some("Basic dXNlcjpzZWNyZXQvMg==");
    assert!(to_gateway.seen().iter().all(basic), "{:?}", to_gateway.seen());
    let first = to_prometheus.seen();
    assert_eq!(first[0].header("authorization"), Some("Bearer secret-1"));
    files.put("token", "secret-3");
    eventually("the new token is sent", async || {
        let last = to_prometheus.seen().pop().ok_or("no request")?;
        match last.header("authorization") {
            Some("Bearer secret-3") => Ok(()),
            _ => Err(last.head),
        }
    })
    .await;
    assert!(collector.program().lines_with(&["secret"]).is_empty());
    assert_eq!(collector.stop().await, Some(0));
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_is_left_alone_for_so_long() {
    let test = "a_receiver_that_asks_for_a_pause_is_left_alone_for_so_long";
    let Some(pushgateway) = tools::program("E2E_PUSHGATEWAY", test) else {
        return;
    };
    let pushgateway = Pushgateway::start(&pushgateway).await;
    let relay = Relay::to(pushgateway.url()).await;
    let (server, _fleet) = with_fleet().await;
    for answer in [
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2",
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2",
    ] {
        let before = relay.seen().len();
        relay.answer(Some(answer));
        let flags = ["--push-url", relay.url(), "--push-interval", "200ms"];
        let collector = Collector::watching(&server, TARGET, &flags).await;
        let seen = eventually("two requests come", async || {
            let seen = relay.seen().split_off(before);
            if seen.len() >= 2 {
                Ok(seen)
            } else {
                Err(format!("{seen:?}"))
            }
        })
        .await;
        let pause = seen[1].at - seen[0].at;
        assert!(pause >= Duration::from_secs(2), "{pause:?} after {answer}");
        relay.answer(None);
        arrive(&collector, "pushgateway").await;
        assert_eq!(collector.stop().await, Some(0));
    }
}

#[tokio::test]
async fn a_series_ends_at_once_although_the_write_that_had_its_end_was_refused() {
    let test = "a_series_ends_at_once_although_the_write_that_had_its_end_was_refused";
    let Some(prometheus) = tools::program("E2E_PROMETHEUS", test) else {
        return;
    };
    let prometheus = Prometheus::receiving(&prometheus).await;
    let write_url = prometheus.write_url();
    let relay = Relay::to(write_url.strip_suffix("/api/v1/write").expect("its path")).await;
    let (server, fleet) = with_fleet().await;
    let workers = workers(3);
    workers.iter().for_each(|worker| fleet.join(worker));
    let write_url = format!("{}/api/v1/write", relay.url());
    let collector = Collector::watching(&server, TARGET, &["--remote-write-url", &write_url]).await;
    let active = "llm_worker_kv_blocks_active";
    has(&prometheus, active, &[("1", "10"), ("2", "20"), ("3", "30")]).await;

    relay.answer(Some("HTTP/1.1 400 Bad Request"));
    fleet.leave(&workers[1]);
    let page = collector.has_workers(2).await;
    let refused = pushes(&page, "remote_write", "refused");
    collector
        .shows("writes without the worker are refused", |page| {
            page.samples(active, &[]).count() == 2 && pushes(page, "remote_write", "refused") > refused + 3.0
        })
        .await;
    relay.answer(None);
    has(&prometheus, active, &[("1", "10"), ("3", "30")]).await;

    // What is refused at the end of the program cannot be fixed; what was refused before it can.
    relay.answer(Some("HTTP/1.1 400 Bad Request"));
    fleet.leave(&workers[2]);
    collector
        .shows("the other worker is gone", |page| {
            page.samples(active, &[]).count() == 1
        })
        .await;
    relay.answer(None);
    assert_eq!(collector.stop().await, Some(0));
    has(&prometheus, active, &[]).await;
}

#[tokio::test]
async fn snapshots_that_no_receiver_takes_are_dropped_from_sixty_on() {
    let (server, _fleet) = with_fleet().await;
    let address = format!("http://127.0.0.1:{}", tests::free_port());
    let flags = [
        "--remote-write-url",
        &address,
        "--otlp-endpoint",
        &address,
        "--otlp-interval",
        "200ms",
    ];
    let flags = [&flags[..], &["--grace", "1s"]].concat();
    let collector = Collector::watching(&server, TARGET, &flags).await;
    for sink in ["remote_write", "otlp"] {
        let of = |page: &Page, name: &str| page.value(name, &[("sink", sink)]).unwrap_or_default();
        let page = collector
            .shows("snapshots are dropped", |page| {
                of(page, "llm_collector_push_dropped_snapshots_total") > 2.0
            })
            .await;
        assert_eq!(of(&page, "llm_collector_push_queue_snapshots"), 60.0);
    }
    assert_eq!(collector.stop().await, Some(0));
}
