//! Where the page is served.

use std::os::unix::fs::FileTypeExt;

use rustix::process::Signal;
use tests::{Collector, NatsServer, Page, Program, built, finish, metrics};

use super::{curl, text};
use crate::TARGET;

#[tokio::test]
async fn a_page_is_served_on_every_address_that_is_given() {
    let server = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("page.sock");
    let unix = format!("unix:{}", text(&socket));
    let mut listen = vec![
        "--listen",
        "127.0.0.1:0",
        "--listen",
        &unix,
        "--listen",
        "localhost:0",
    ];
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    if has_ipv6 {
        listen.extend(["--listen", "[::1]:0"]);
    }
    let mut collector = Collector::watching(&server, TARGET, &listen).await;
    collector
        .program()
        .says(&["only programs on this machine", "--listen"])
        .await;
    let lines = collector.program().lines_with(&["serving", "url=http"]);
    assert_eq!(lines.len(), if has_ipv6 { 3 } else { 2 }, "{lines:?}");
    for line in &lines {
        let (_, url) = line.split_once("url=").unwrap();
        assert_eq!(
            curl(url.trim_matches('"'), &["--globoff"]).await.status,
            200,
            "{line}"
        );
    }
    let by_socket = ["--unix-socket", text(&socket)];
    let curled = curl("http://collector/metrics", &by_socket).await;
    assert!(
        curled.status == 200 && curled.text.contains("llm_collector_build_info{"),
        "{curled:?}"
    );
    assert_eq!(collector.stop().await, Some(0));
    assert!(!socket.exists(), "the socket is removed at the end");
}

#[tokio::test]
async fn the_socket_of_a_killed_collector_is_taken_over_and_that_of_a_live_one_is_not() {
    let server = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("page.sock");
    let unix = format!("unix:{}", text(&socket));
    let listen = ["--listen", unix.as_str()];
    let mut killed = Collector::watching(&server, TARGET, &listen).await;
    killed.program().signal(Signal::KILL);
    killed.program().ended().await;
    assert!(
        std::fs::metadata(&socket).unwrap().file_type().is_socket(),
        "it is left"
    );

    let _live = Collector::watching(&server, TARGET, &listen).await;
    let by_socket = ["--unix-socket", text(&socket)];
    assert_eq!(curl("http://x/healthz", &by_socket).await.status, 200);
    let mut second = metrics(&["--target", TARGET, "--server", server.url()]);
    second.args(listen);
    let refused = finish(second).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("another process serves on this socket"),
        "{}",
        refused.stderr
    );
    assert_eq!(curl("http://x/healthz", &by_socket).await.status, 200);
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_reported_with_its_reason() {
    let cases: [(&[&str], i32, &str); 5] = [
        (
            &["--host", "no-such-host.invalid"],
            1,
            "no-such-host.invalid:9091: the host name does not resolve (",
        ),
        (
            &["--listen", "192.0.2.1:0"],
            1,
            "this machine has no such address",
        ),
        (&["--listen", ":9091"], 2, "write 0.0.0.0:9091 for all addresses"),
        (
            &["--listen", "127.0.0.1:0", "--metrics-port", "1"],
            2,
            "--listen takes the place of --host and --metrics-port",
        ),
        (
            &["--web.config.file", "/no/such/file.yml"],
            2,
            "--web-config-file cannot be used: /no/such/file.yml: No such file",
        ),
    ];
    let engines: [(&[&str], i32, &str); 6] = [
        (
            &["--listen", "no-such-host.invalid:0"],
            1,
            "no-such-host.invalid:0: the host name does not resolve (",
        ),
        (
            &["--listen", "192.0.2.1:0"],
            1,
            "this machine has no such address",
        ),
        (&["--listen", ":9091"], 2, "write 0.0.0.0:9091 for all addresses"),
        (
            &["--listen", "127.0.0.1:0", "--metrics-host", "127.0.0.1"],
            2,
            "--listen takes the place of --metrics-host and --metrics-port",
        ),
        (&["--metrics-host", "0.0.0.0"], 2, "add --metrics-port PORT"),
        (&["--web-config-file", "web.yml"], 2, "add --metrics-port PORT"),
    ];
    let collector = cases.map(|case| ("metrics", &["--target", TARGET][..], case));
    let engines = engines.map(|case| ("mock-worker", &["run", "steady"][..], case));
    for (program, first, (arguments, code, expected)) in collector.into_iter().chain(engines) {
        let mut command = built(program);
        command.args(first).args(arguments);
        let refused = finish(command).await;
        assert_eq!(refused.code, Some(code), "{arguments:?}: {}", refused.stderr);
        assert!(
            refused.stderr.contains(expected),
            "{arguments:?}: {}",
            refused.stderr
        );
        let is_about_usage = refused.stderr.contains("Usage:");
        assert!(!is_about_usage, "{arguments:?}: {}", refused.stderr);
    }
}

#[tokio::test]
async fn the_page_of_simulated_engines_is_served_by_the_same_rules() {
    let server = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engines.sock");
    let config = folder.path().join("web.yml");
    std::fs::write(
        &config,
        "http_server_config: {headers: {X-Frame-Options: deny}}\n",
    )
    .unwrap();
    let unix = format!("unix:{}", text(&socket));
    let mut listen = vec!["127.0.0.1:0", "localhost:0", &unix];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        listen.push("[::1]:0");
    }
    let mut command = built("mock-worker");
    command
        .args(["run", "steady", "--web.config.file", text(&config)])
        .args(listen.iter().flat_map(|address| ["--listen", address]))
        .env("NATS_URL", server.url());
    let mut workers = Program::start("mock-worker", command);
    workers.says(&["ready"]).await;
    let lines = workers.lines_with(&["engines' own metrics", "url="]);
    assert_eq!(lines.len(), listen.len(), "{lines:?}");
    let mut schemes = Vec::new();
    for line in &lines {
        let (_, url) = line.split_once("url=").unwrap();
        let url = url.trim_matches('"');
        let curled = match url.starts_with("unix:") {
            true => curl("http://x/metrics", &["--unix-socket", text(&socket)]).await,
            false => curl(url, &["--globoff"]).await,
        };
        assert_eq!(curled.status, 200, "{curled:?}");
        assert!(curled.text.contains("x-frame-options: deny"), "{curled:?}");
        let (_, body) = curled.text.split_once("\r\n\r\n").unwrap();
        let page = Page::parse(body.trim_end());
        assert!(!page.absent("vllm:num_requests_running", &[]));
        schemes.push(url.split(':').next().unwrap_or_default().to_owned());
    }
    assert_eq!(schemes.iter().filter(|scheme| *scheme == "unix").count(), 1);
    workers.signal(Signal::TERM);
    workers.ended().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn responses_to_head_and_to_what_is_not_there_are_what_clients_expect() {
    let server = NatsServer::start().await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    let at = |path: &str| format!("{}{path}", collector.url());
    for path in ["/", "/metrics", "/metrics/", "/healthz"] {
        let head = curl(&at(path), &["--head"]).await;
        assert_eq!(head.status, 200, "{head:?}");
        assert!(
            head.text.contains("content-length: ") && head.text.trim_end().lines().count() < 12,
            "{head:?}"
        );
        let post = curl(&at(path), &["--data", "x"]).await;
        assert_eq!(post.status, 405, "{post:?}");
        assert!(post.text.contains("allow: GET,HEAD"), "{post:?}");
    }
    let missing = curl(&at("/metric"), &[]).await;
    assert_eq!(missing.status, 404);
    assert!(
        missing
            .text
            .contains("the pages are /, /why, /collector, /metrics, /healthz, /readyz and /api/v1/"),
        "{missing:?}"
    );
    let long = format!("X-Long: {}", "x".repeat(20_000));
    assert_eq!(curl(&at("/metrics"), &["--header", &long]).await.status, 431);
    let first = curl(&at("/"), &[]).await;
    assert!(
        first.text.contains("<a href=\"metrics\">") && first.text.contains("connected"),
        "{first:?}"
    );
}

#[tokio::test]
async fn the_build_and_the_process_are_on_the_page() {
    let server = NatsServer::start().await;
    let collector = Collector::watching(&server, TARGET, &[]).await;
    // A process that has just started may have used less than a tick.
    let page = collector
        .shows("the collector has used the processor", |page| {
            page.sum("process_cpu_seconds_total", &[]) > 0.0
        })
        .await;
    let revisions = page.values_of("revision", "llm_collector_build_info");
    let is_commit = |text: &&str| text.len() == 12 && text.chars().all(|c| c.is_ascii_hexdigit());
    if tests::repository().join(".git").exists() {
        assert!(
            revisions.iter().all(is_commit) && revisions.len() == 1,
            "{revisions:?}"
        );
    }
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_threads",
        "process_start_time_seconds",
    ] {
        assert!(
            page.value(name, &[]).is_some_and(|value| value > 0.0),
            "{name}\n{page}"
        );
    }
}
