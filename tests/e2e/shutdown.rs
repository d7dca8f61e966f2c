//! Programs end when asked to, quickly and in order.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use protocol::{Layout, WorkerId, WorkerSubject};
use rustix::process::Signal;
use tests::{Collector, NatsServer, Workers, eventually};

use crate::TARGET;

#[tokio::test]
async fn a_collector_with_workers_ends_on_either_signal() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "2"]).await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut collector = Collector::watching(&server, TARGET, &["--poll-interval", "30s"]).await;
        collector.has_workers(2).await;
        collector.program().signal(signal);
        assert_eq!(collector.program().ended().await.code(), Some(0), "{signal:?}");
    }
}

#[tokio::test]
async fn a_client_that_keeps_its_connection_open_does_not_hold_the_collector_up() {
    let server = NatsServer::start().await;
    let collector = Collector::watching(&server, TARGET, &["--grace", "500ms"]).await;
    let address = collector.url().trim_start_matches("http://").to_owned();
    let _idle = tokio::net::TcpStream::connect(address).await.unwrap();
    collector.page().await;
    assert_eq!(collector.stop().await, Some(0));
}

#[tokio::test]
async fn a_mock_worker_ends_on_either_signal_and_leaves_no_ghost() {
    let server = NatsServer::start().await;
    let client = server.client().await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut workers = Workers::start(&server, &["--workers", "3"]).await;
        workers.program().signal(signal);
        assert_eq!(workers.program().ended().await.code(), Some(0), "{signal:?}");
        let absent = client
            .request("$SRV.STATS", "".into())
            .await
            .expect_err("no worker is left to answer");
        assert_eq!(absent.kind(), async_nats::client::RequestErrorKind::NoResponders);
    }
}

#[tokio::test]
async fn requests_to_a_mock_worker_are_answered_and_counted() {
    let server = NatsServer::start().await;
    // Requests of its own making would be counted, too.
    let arguments = ["--workers", "2", "--first-id", "7", "--request-rate", "0"];
    let _workers = Workers::start(&server, &arguments).await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let page = collector.has_workers(2).await;
    assert_eq!(
        page.values_of("worker_id", "llm_worker_info"),
        BTreeSet::from(["7", "8"]),
        "{page}"
    );

    let subject =
        WorkerSubject::new(&TARGET.parse().unwrap(), Layout::Hashed, Some(WorkerId::new(7))).unwrap();
    let client = server.client().await;
    for times in 1..=3 {
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.unwrap();
        client
            .publish_with_reply(subject.to_string(), inbox, "hello".into())
            .await
            .unwrap();
        let mut text = String::new();
        eventually("the payload came back, letter by letter", async || {
            while text != "hello" {
                let part = answers.next().await.ok_or("the connection ended")?;
                text.push_str(&String::from_utf8_lossy(&part.payload));
            }
            Ok(())
        })
        .await;
        let page = collector
            .has(
                "nats_service_requests_total",
                &[("worker_id", "7")],
                f64::from(times),
            )
            .await;
        assert_eq!(
            page.value("nats_service_requests_total", &[("worker_id", "8")]),
            Some(0.0),
            "{page}"
        );
        assert_eq!(
            page.value("nats_service_errors_total", &[("worker_id", "7")]),
            Some(0.0),
            "{page}"
        );
    }
    let page = collector.page().await;
    assert!(
        page.value("nats_service_processing_seconds_total", &[("worker_id", "7")])
            .is_some_and(|time| time > 0.0),
        "{page}"
    );
}
