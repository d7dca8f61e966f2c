//! Requests and the answers of the router, without a socket.

use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use fleet::{LinkView, Snapshot};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use web::{Limits, Listeners, Security};

use super::*;
use crate::page::Source;
use crate::published::Published;

/// A reply: its head in lower case, and its body.
struct Reply {
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    fn has(&self, line: &str) -> bool {
        self.head.lines().any(|have| have == line)
    }
}

/// Sends one request to a server with this snapshot, and ends the server.
async fn request(snapshot: Snapshot, request: &str) -> Reply {
    request_under("http://x", snapshot, request).await
}

/// The same of a server whose address outside is this.
async fn request_under(external: &str, snapshot: Snapshot, request: &str) -> Reply {
    let external: ExternalUrl = external.parse().expect("an address");
    let (_publish, snapshots) = watch::channel(Published::now(Arc::new(snapshot)));
    let pages = Pages::new(Source::of(snapshots));
    let free = "127.0.0.1:0".parse().unwrap();
    let listeners = Listeners::bind(&[free]).await.unwrap();
    let address = listeners.urls("", "").remove(0).replace("://", "");
    let server = Server::new(listeners, Security::open(None).unwrap(), Limits::default());
    let stop = CancellationToken::new();
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.unwrap();
        stop.cancel();
        reply
    };
    let ((), reply) = tokio::join!(
        serve(server, Arc::new(pages), Some(&external), stop.clone()),
        client
    );
    let end = reply
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    Reply {
        head: String::from_utf8(reply[..end].to_ascii_lowercase()).unwrap(),
        body: reply[end + 4..].to_vec(),
    }
}

fn ready() -> Snapshot {
    Snapshot {
        up: true,
        round_age: Some(Duration::ZERO),
        link: LinkView {
            connected: true,
            ..LinkView::default()
        },
        ..Snapshot::default()
    }
}

#[tokio::test]
async fn a_page_has_its_type_its_length_and_what_it_varies_with() {
    let reply = request(ready(), "GET /metrics HTTP/1.1").await;
    assert!(reply.has("http/1.1 200 ok"), "{}", reply.head);
    assert!(
        reply.has("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{}",
        reply.head
    );
    assert!(reply.has("vary: accept, accept-encoding"), "{}", reply.head);
    assert!(
        reply.has(&format!("content-length: {}", reply.body.len())),
        "{}",
        reply.head
    );
    assert!(reply.text().contains("llm_collector_nats_connected 1\n"));

    let headers = "Accept: application/openmetrics-text\r\nAccept-Encoding: deflate\r\nAccept-Encoding: gzip";
    let packed = request(ready(), &format!("GET /metrics HTTP/1.1\r\n{headers}")).await;
    assert!(packed.has("content-encoding: gzip"), "{}", packed.head);
    assert!(packed.has("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(
        packed.has(&format!("content-length: {}", packed.body.len())),
        "{}",
        packed.head
    );
    let mut text = String::new();
    GzDecoder::new(packed.body.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.ends_with("# EOF\n"));

    let slashed = request(ready(), "GET /metrics/ HTTP/1.1").await;
    assert_eq!(slashed.text(), reply.text());

    let head = request(ready(), "HEAD /metrics HTTP/1.1").await;
    assert!(
        head.has(&format!("content-length: {}", reply.body.len())),
        "{}",
        head.head
    );
    assert_eq!(head.text(), "");
}

#[tokio::test]
async fn the_health_of_the_collector_is_a_page_of_its_own() {
    let alive = request(Snapshot::default(), "GET /healthz HTTP/1.1").await;
    assert_eq!((alive.has("http/1.1 200 ok"), alive.text()), (true, "alive\n"));
    let reply = request(ready(), "GET /readyz HTTP/1.1").await;
    assert_eq!((reply.has("http/1.1 200 ok"), reply.text()), (true, "ready\n"));
    let reply = request(Snapshot::default(), "GET /readyz HTTP/1.1").await;
    assert!(reply.has("http/1.1 503 service unavailable"), "{}", reply.head);
    assert_eq!(
        reply.text(),
        "not ready: not connected to NATS; no round has ended yet\n"
    );
}

#[tokio::test]
async fn the_json_api_answers_queries_and_names_its_schemas() {
    for resource in Resource::ALL.map(Resource::name) {
        let reply = request(ready(), &format!("GET /api/v1/{resource} HTTP/1.1")).await;
        assert!(reply.has("content-type: application/json"), "{}", reply.head);
        let link = format!("link: </api/v1/schema/{resource}>; rel=\"describedby\"");
        assert!(reply.has(&link), "{}", reply.head);
        let answer: Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(answer["collector"]["nats"]["connected"], true);

        let reply = request(ready(), &format!("GET /api/v1/schema/{resource} HTTP/1.1")).await;
        assert!(
            reply.has("content-type: application/schema+json"),
            "{}",
            reply.head
        );
        let schema: Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(schema["type"], "object");
    }
    let packed = "GET /api/v1/pools HTTP/1.1\r\nAccept-Encoding: gzip";
    let packed = request(ready(), packed).await;
    assert!(packed.has("content-encoding: gzip"), "{}", packed.head);
    let answer: Value = serde_json::from_reader(GzDecoder::new(&*packed.body)).expect("JSON");
    assert_eq!(answer["pools"], Value::Array(Vec::new()));

    let reply = request(ready(), "GET /api/v1/workers?colour=red HTTP/1.1").await;
    assert!(reply.has("http/1.1 400 bad request"), "{}", reply.head);
    assert!(reply.text().contains("\"colour\""), "{}", reply.text());
    for path in ["/api/v1/nothing", "/api/v1/schema/nothing", "/api/v1/"] {
        let reply = request(ready(), &format!("GET {path} HTTP/1.1")).await;
        assert!(reply.has("http/1.1 404 not found"), "{path}: {}", reply.head);
    }
}

#[tokio::test]
async fn pages_allow_nothing_inline_and_nothing_from_elsewhere() {
    for path in ["/", "/why", "/collector"] {
        let reply = request(ready(), &format!("GET {path} HTTP/1.1")).await;
        assert!(
            reply.has("content-type: text/html; charset=utf-8"),
            "{}",
            reply.head
        );
        assert!(
            reply
                .head
                .contains("content-security-policy: default-src 'none'; script-src 'self';")
        );
        assert!(!reply.head.contains("unsafe"), "{}", reply.head);
        assert!(
            !reply.text().contains("style=") && !reply.text().contains("://"),
            "{}",
            reply.text()
        );
        assert_eq!(reply.text().matches("<script").count(), 1);
    }
    assert_eq!(request(ready(), "HEAD / HTTP/1.1").await.text(), "");
    let reply = request(ready(), "GET /?pool=a/b/c HTTP/1.1").await;
    assert!(
        reply.has("http/1.1 404 not found") && reply.text().contains("href=\"why\""),
        "{}",
        reply.text()
    );
    let reply = request(ready(), "GET /?colour=red HTTP/1.1").await;
    assert!(reply.has("http/1.1 400 bad request") && reply.text().contains("\"colour\""));
}

#[tokio::test]
async fn a_page_is_data_for_those_that_ask_for_it() {
    let reply = request(ready(), "GET / HTTP/1.1\r\nAccept: application/json").await;
    assert!(reply.has("content-type: application/json"), "{}", reply.head);
    let answer: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(answer["header"]["is_live"], true);
}

#[tokio::test]
async fn assets_are_kept_for_good_under_an_address_of_their_edition() {
    for (name, content_type) in [
        ("style.css", "text/css; charset=utf-8"),
        ("live.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let edition = crate::html::edition();
        let reply = request(ready(), &format!("GET /assets/{name}?v={edition} HTTP/1.1")).await;
        assert!(
            reply.has(&format!("content-type: {content_type}")),
            "{}",
            reply.head
        );
        assert!(reply.head.contains("immutable") && !reply.body.is_empty());
        let reply = request(ready(), &format!("GET /assets/{name}?v=0 HTTP/1.1")).await;
        assert!(reply.has("cache-control: no-cache"), "{}", reply.head);
    }
    let reply = request(ready(), "GET /assets/other HTTP/1.1").await;
    assert!(reply.has("http/1.1 404 not found"), "{}", reply.head);
}

#[tokio::test]
async fn everything_is_also_under_the_prefix_of_a_proxy() {
    for path in [
        "/a/b/",
        "/a/b/why",
        "/a/b/metrics",
        "/a/b/api/v1/overview",
        "/a/b/assets/live.js",
        "/metrics",
        "/",
    ] {
        let reply = request_under("https://x/a/b/", ready(), &format!("GET {path} HTTP/1.1")).await;
        assert!(reply.has("http/1.1 200 ok"), "{path}: {}", reply.head);
    }
    let reply = request_under("https://x/a/b", ready(), "GET /a/b HTTP/1.1").await;
    assert!(
        reply.has("location: /a/b/"),
        "relative links need the slash: {}",
        reply.head
    );
    let reply = request_under("https://x/a/b", ready(), "GET /a/b/c HTTP/1.1").await;
    assert!(reply.has("http/1.1 404 not found"), "{}", reply.head);
}

#[tokio::test]
async fn a_stream_has_a_whole_screen_and_ends_when_the_server_does() {
    let (publish, snapshots) = watch::channel(Published::now(Arc::new(Snapshot {
        sequence: 1,
        ..ready()
    })));
    let pages = Arc::new(Pages::new(Source::of(snapshots)));
    let free = "127.0.0.1:0".parse().unwrap();
    let listeners = Listeners::bind(&[free]).await.unwrap();
    let address = listeners.urls("", "").remove(0).replace("://", "");
    let server = Server::new(listeners, Security::open(None).unwrap(), Limits::default());
    let stop = CancellationToken::new();
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /api/v1/stream?screen=overview HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut seen = String::new();
        let mut until = async |part: &str| {
            while !seen.contains(part) {
                let mut piece = [0; 4096];
                let length = stream.read(&mut piece).await.unwrap();
                assert!(length > 0, "it ended: {seen}");
                seen.push_str(std::str::from_utf8(&piece[..length]).unwrap());
            }
        };
        until("event: view\nid: 1\ndata: {\"header\":{\"snapshot\":1,").await;
        publish.send_replace(Published::now(Arc::new(Snapshot {
            sequence: 2,
            ..ready()
        })));
        until("event: delta\nid: 2\ndata: {\"since\":1,").await;
        assert!(seen.contains("content-type: text/event-stream"), "{seen}");
        stop.cancel();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
    };
    let both = async { tokio::join!(serve(server, pages, None, stop.clone()), client) };
    tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("the server ends although a stream is open");
}

#[tokio::test]
async fn other_paths_are_not_found_and_other_methods_not_allowed() {
    let reply = request(ready(), "GET /metric HTTP/1.1").await;
    assert!(reply.has("http/1.1 404 not found"), "{}", reply.head);
    assert_eq!(reply.text(), NOT_FOUND);
    let reply = request(ready(), "POST /metrics HTTP/1.1\r\nContent-Length: 0").await;
    assert!(reply.has("http/1.1 405 method not allowed"), "{}", reply.head);
    assert!(reply.has("allow: get,head"), "{}", reply.head);
    assert_eq!(reply.text(), "only GET and HEAD are allowed\n");
}
