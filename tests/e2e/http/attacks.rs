//! Clients that take what they can: connections and file descriptors.

use std::time::Duration;

use rustix::process::Signal;
use tests::{Collector, NatsServer, Workers, eventually, free_port, metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::TARGET;

/// Longer than the limits under test, and shorter than the defaults.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn address(collector: &Collector) -> String {
    collector.url().trim_start_matches("http://").to_owned()
}

pub(super) async fn sent(address: &str, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the system accepts");
    stream.write_all(text.as_bytes()).await.expect("there is room");
    stream
}

/// The same program, with so many file descriptors.
fn with_open_files(count: u32, command: &Command) -> Command {
    let command = command.as_std();
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("ulimit -n {count}; exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.kill_on_drop(true);
    limited
}

#[tokio::test]
async fn half_sent_requests_stop_neither_scrapes_nor_nats() {
    let mut server = NatsServer::start_on(free_port()).await;
    let command = metrics(&["--target", TARGET, "--server", server.url()]);
    let mut collector = Collector::launch(with_open_files(64, &command)).await;
    collector.has("llm_collector_nats_connected", &[], 1.0).await;
    collector
        .program()
        .says(&["limit on open files", "open_files=64"])
        .await;

    let address = address(&collector);
    let mut attackers = Vec::new();
    for _ in 0..80 {
        attackers.push(sent(&address, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Half: ").await);
    }
    let started = Instant::now();
    collector
        .keeps("NATS stays connected", 5, |page| {
            page.value("llm_collector_nats_connected", &[]) == Some(1.0)
                && page.value("llm_collector_nats_reconnects_total", &[]) == Some(0.0)
        })
        .await;
    assert!(
        started.elapsed() < HEADER_TIMEOUT,
        "scrapes go on: {:?}",
        started.elapsed()
    );
    let lines = collector.program().lines_with(&["too many connections"]);
    assert_eq!(lines.len(), 1, "{lines:?}");

    // There is room for a new connection to NATS, too.
    server.stop().await;
    collector.has("llm_collector_nats_connected", &[], 0.0).await;
    server.start_again().await;
    for _ in 0..80 {
        attackers.push(sent(&address, "GET / HTTP/1.1\r\n").await);
    }
    collector.has("llm_collector_nats_connected", &[], 1.0).await;
    let page = collector.page().await;
    assert!(
        page.sum(
            "llm_collector_http_connections_closed_total",
            &[("reason", "over_limit")]
        ) >= 80.0,
        "{page}"
    );
    assert_eq!(
        page.value("llm_collector_http_accept_errors_total", &[]),
        Some(0.0)
    );
}

#[tokio::test]
async fn without_a_free_file_descriptor_clients_wait_and_one_line_says_so() {
    let server = NatsServer::start().await;
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has("llm_collector_nats_connected", &[], 1.0).await;
    let address = address(&collector);
    // Its own limits keep the program from this state, so the limit is taken away from it while it runs.
    let before = collector.program().limit_open_files(Some(1));
    let mut waiting = sent(
        &address,
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    collector
        .program()
        .says(&["WARN", "could not be accepted; serving goes on"])
        .await;
    collector.program().limit_open_files(before);
    let mut reply = String::new();
    waiting.read_to_string(&mut reply).await.expect("a reply");
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    let page = collector
        .shows("the failure is counted", |page| {
            page.value("llm_collector_http_accept_errors_total", &[]) > Some(0.0)
        })
        .await;
    assert_eq!(page.value("llm_collector_nats_connected", &[]), Some(1.0));
    let lines = collector.program().lines_with(&["could not be accepted"]);
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[tokio::test]
async fn a_client_is_closed_that_takes_too_long_to_ask_to_ask_again_or_to_read() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "1000"]).await;
    let limits = [
        "--poll-interval",
        "1s",
        "--http-header-timeout",
        "2s",
        "--http-idle-timeout",
        "3s",
        "--http-response-timeout",
        "6s",
        "--max-series",
        "1000000",
    ];
    let collector = Collector::watching(&server, TARGET, &limits).await;
    collector.has_workers(1000).await;
    let address = address(&collector);

    let mut slow_request = sent(&address, "GET /metrics HTTP/1.1\r\n").await;
    let mut idle = sent(&address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut slow_reader = sent(&address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    for reason in ["slow_request", "idle", "slow_reader"] {
        let labels = [("reason", reason)];
        collector
            .shows(&format!("a connection was closed for {reason}"), |page| {
                page.sum("llm_collector_http_connections_closed_total", &labels) >= 1.0
            })
            .await;
    }
    // The connection over which the page was read meanwhile has done nothing wrong.
    let page = collector.rounds(1).await;
    let labels = [("reason", "slow_reader")];
    assert_eq!(
        page.sum("llm_collector_http_connections_closed_total", &labels),
        1.0
    );
    let mut got = Vec::new();
    slow_request.read_to_end(&mut got).await.expect("it is closed");
    assert!(got.is_empty(), "{}", String::from_utf8_lossy(&got));
    idle.read_to_end(&mut got).await.expect("it is closed");
    assert!(got.ends_with(b"alive\n"), "{}", String::from_utf8_lossy(&got));
    got.clear();
    // What is lost may be reported as a reset.
    slow_reader.read_to_end(&mut got).await.ok();
    assert!(
        got.len() < page.text().len(),
        "{} of {}",
        got.len(),
        page.text().len()
    );
}

#[tokio::test]
async fn requests_that_are_under_way_end_in_order_and_half_sent_ones_do_not_hold_up_the_end() {
    let server = NatsServer::start().await;
    let mut collector = Collector::watching(&server, TARGET, &["--grace", "1s"]).await;
    let address = address(&collector);
    let _half = sent(&address, "GET /metrics HTTP/1.1\r\n").await;
    let mut idle = sent(&address, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    collector.program().signal(Signal::TERM);
    let ended = timeout(Duration::from_secs(20), collector.program().ended()).await;
    assert_eq!(ended.expect("within the grace").code(), Some(0));
    eventually("the port is free again", async || {
        match TcpStream::connect(&address).await {
            Ok(_) => Err("it still accepts".to_owned()),
            Err(_) => Ok(()),
        }
    })
    .await;
}
