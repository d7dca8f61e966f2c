//! The table of exit codes in `metrics --help`: each code is really returned.

use std::collections::BTreeSet;
use std::net::TcpListener;

use protocol::Layout;
use tests::{Finished, Micro, NatsServer, TestFleet, finish, free_port, metrics};

use crate::TARGET;

const OPEN: Option<(&str, &str)> = Some(("open", "open"));

/// The codes that the help text lists.
async fn table() -> BTreeSet<i32> {
    let help = finish(metrics(&["--help"])).await.stdout;
    let (_, table) = help
        .split_once("Exit codes:\n")
        .expect("the help text has the table");
    let code = |line: &str| line.split_whitespace().next()?.parse().ok();
    table.lines().map_while(code).collect()
}

async fn run(url: &str, arguments: &[&str]) -> Finished {
    finish(metrics(&[arguments, &["--server", url]].concat())).await
}

#[tokio::test]
async fn each_exit_code_of_the_table_is_returned_for_what_it_means() {
    let open = NatsServer::start().await;
    let empty = NatsServer::start().await;
    let closed = NatsServer::configured("authorization { user: open, password: open }", OPEN).await;
    let denying = "authorization { users = [
            { user: open, password: open }
            { user: narrow, password: narrow, permissions: { publish: { deny: [\"$SRV.STATS\"] } } }
        ] }
        no_auth_user: narrow";
    let denying = NatsServer::configured(denying, OPEN).await;
    let small = NatsServer::configured("max_payload: 65536", None).await;
    let full = NatsServer::configured("max_connections: 1", None).await;
    let _only = full.client().await;
    let fleet = TestFleet::connect(&open).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)));

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = listener
        .local_addr()
        .expect("it has an address")
        .port()
        .to_string();
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    let tls = open.url().replace("nats://", "tls://");
    let collect = ["--target", TARGET, "--metrics-port", &taken];
    let list = ["list", "--listen-for", "0s"];
    let doctor = ["doctor", "--listen-for", "0s"];

    let mut seen = BTreeSet::new();
    for (code, url, arguments) in [
        (0, open.url(), list.as_slice()),
        (1, open.url(), &collect),
        (2, open.url(), &["list", "--no-such-flag"]),
        (3, empty.url(), &list),
        (4, closed.url(), &list),
        (5, &tls, &list),
        (6, denying.url(), &list),
        (7, &nowhere, &list),
        (8, full.url(), &list),
        (9, small.url(), &doctor),
    ] {
        let ended = run(url, arguments).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        seen.insert(code);
    }
    assert_eq!(seen, table().await);
}
