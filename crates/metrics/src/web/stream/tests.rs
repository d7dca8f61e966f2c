//! What clients of a stream may cost.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use web::{Limits, Listeners, Security, Server};

use crate::export::tests::sample;
use crate::page::{Pages, Source};
use crate::published::Published;
use crate::web::serve;

const POOL: &str = "a/b/c";

/// A snapshot of which every worker differs from that of any other number.
fn published(sequence: u64) -> Published {
    let mut pool = sample::full_pool(POOL, 10_000);
    for worker in Arc::make_mut(&mut pool.workers) {
        worker.started = Some(sequence as f64);
    }
    let mut snapshot = sample::snapshot_of(vec![pool]);
    snapshot.sequence = sequence;
    Published::now(Arc::new(snapshot))
}

/// Asks for something on a connection of its own.
async fn asked(address: &str, path: &str, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

/// How many clients follow a screen.
async fn followers(address: &str) -> u64 {
    let mut stream = asked(address, "/api/v1/collector", "Connection: close\r\n").await;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.expect("a reply");
    let body = reply
        .split(|byte| *byte == b'\n')
        .rfind(|line| line.first() == Some(&b'{'));
    let screen: Value = serde_json::from_slice(body.expect("a body")).expect("JSON");
    screen["resources"]["streams"].as_u64().expect("a count")
}

#[tokio::test]
async fn a_client_that_reads_no_more_is_dropped_and_those_that_read_miss_nothing() {
    let (publish, snapshots) = watch::channel(published(1));
    let pages = Arc::new(Pages::new(Source::of(snapshots)));
    let listeners = Listeners::bind(&["127.0.0.1:0".parse().expect("an address")])
        .await
        .expect("a free port");
    let address = listeners.urls("", "").remove(0).replace("://", "");
    let limits = Limits {
        response: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = Server::new(listeners, Security::open(None).expect("open"), limits);
    let stop = CancellationToken::new();
    let client = async {
        let path = format!("/live?screen=pool&pool={POOL}");
        let mut reading = asked(&address, &path, "").await;
        let mut stalled = asked(&address, &path, "").await;
        stalled.read_exact(&mut [0; 64]).await.expect("it begins");
        let mut seen = Vec::new();
        let mut piece = vec![0; 1 << 18];
        for number in 1.. {
            // What came is looked through once, with a little of what came before.
            let wanted = format!("id: {number}\n");
            while !seen.windows(wanted.len()).any(|part| part == wanted.as_bytes()) {
                let kept = seen.len().saturating_sub(64);
                seen.drain(..kept);
                let length = reading.read(&mut piece).await.expect("it goes on");
                assert!(length > 0, "a client that reads is not dropped");
                seen.extend_from_slice(&piece[..length]);
            }
            if followers(&address).await == 1 {
                break;
            }
            publish.send_replace(published(number + 1));
        }
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stalled.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the one that read nothing is closed");
        stop.cancel();
        drop(reading);
    };
    let both = async { tokio::join!(serve(server, pages, None, stop.clone()), client) };
    tokio::time::timeout(Duration::from_secs(120), both)
        .await
        .expect("a client that reads nothing is dropped");
}
