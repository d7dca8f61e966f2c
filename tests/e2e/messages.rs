//! What the collector says when a target has no workers, and that it says it once.

use protocol::Layout;
use tests::{Collector, Micro, NatsServer, Program, TestFleet, Workers, finish, metrics};

use crate::TARGET;

const CAMEL: &str = "dynamo/MyComponent/my_endpoint";

/// The warnings about the target.
fn complaints(program: &Program) -> Vec<String> {
    program.lines_with(&["WARN", "no worker of", TARGET])
}

#[tokio::test]
async fn a_component_in_another_letter_case_is_named_once_with_what_to_type() {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--component", "MyComponent", "--workers", "2"]).await;
    let arguments = ["--component", "my_component", "--endpoint", "my_endpoint"];
    let mut collector = Collector::start(server.url(), &arguments).await;

    let parts = [
        "2 workers of",
        CAMEL,
        "component differs in letter case",
        "use --component MyComponent",
    ];
    collector.program().says(&parts).await;
    collector.rounds(5).await;
    assert_eq!(
        complaints(collector.program()).len(),
        1,
        "{:?}",
        collector.program().log()
    );

    let arguments = ["--component", "MyComponent", "--endpoint", "my_endpoint"];
    Collector::start(server.url(), &arguments)
        .await
        .has_workers(2)
        .await;
}

#[tokio::test]
async fn what_differs_is_said_for_every_part_of_the_path_and_in_every_layout() {
    for (path, layout, expected) in [
        (
            "dynamo/mycomponent/my_endpoint",
            Layout::Plain,
            "use --target dynamo/mycomponent/my_endpoint",
        ),
        (
            "dynamo/my.component/my_endpoint",
            Layout::Plain,
            "use --target dynamo/my.component/my_endpoint",
        ),
        (
            "dynamo/planner/my_endpoint",
            Layout::Hashed,
            "use --target dynamo/planner/my_endpoint",
        ),
        (
            "prod/my_component/my_endpoint",
            Layout::HashedPipe,
            "use --target prod/my_component/my_endpoint",
        ),
        (
            "dynamo/my_component/my_endpoint_v2",
            Layout::Hashed,
            "use --target dynamo/my_component/my_endpoint_v2",
        ),
        (
            "dynamo/my_component/My-Endpoint",
            Layout::Plain,
            "use --target dynamo/my_component/My-Endpoint",
        ),
    ] {
        let server = NatsServer::start().await;
        let fleet = TestFleet::connect(&server).await;
        fleet.join(&Micro::worker(path, layout, Some(1)));
        let mut collector = Collector::watching(&server, TARGET, &[]).await;
        let line = collector
            .program()
            .says(&["WARN", "no worker of", TARGET, path])
            .await;
        assert!(line.contains(expected), "{path}: {line}");
    }
}

#[tokio::test]
async fn workers_that_appear_are_announced_once_and_so_is_their_going() {
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector.program().says(&["no worker of", TARGET]).await;

    let worker = Micro::worker(TARGET, Layout::Hashed, Some(1));
    fleet.join(&worker);
    collector
        .program()
        .says(&["INFO", TARGET, "1 worker", "answer"])
        .await;
    collector.rounds(3).await;
    assert_eq!(
        collector.program().lines_with(&["INFO", TARGET, "answer"]).len(),
        1
    );

    fleet.leave(&worker);
    collector
        .shows("no worker is left", |page| {
            page.sum("llm_pool_workers", &[]) == 0.0
        })
        .await;
    collector.rounds(2).await;
    let gone = collector
        .program()
        .lines_with(&["WARN", TARGET, "all workers gone"]);
    assert_eq!(gone.len(), 1, "{:?}", collector.program().log());
}

#[tokio::test]
async fn absence_silence_and_a_denied_permission_are_three_messages() {
    const NO_SERVICE: &str = "no service answered at all";
    const SILENCE: &str = "no reply came in time";
    const DENIED: &str = "permission denied";
    let only = |program: &Program, expected: &str| {
        for other in [NO_SERVICE, SILENCE, DENIED]
            .into_iter()
            .filter(|other| *other != expected)
        {
            assert!(
                program.lines_with(&[other]).is_empty(),
                "{expected}: {:?}",
                program.log()
            );
        }
    };

    let server = NatsServer::start().await;
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector.program().says(&[NO_SERVICE]).await;
    let page = collector.rounds(1).await;
    only(collector.program(), NO_SERVICE);
    assert_eq!(
        page.value("llm_collector_up", &[]),
        Some(1.0),
        "a definite absence is an answer\n{page}"
    );
    assert!(
        page.sum("llm_collector_rounds_total", &[("finish", "no_responders")]) > 0.0,
        "{page}"
    );

    let server = NatsServer::start().await;
    let _mute = TestFleet::connect(&server).await;
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector.program().says(&[SILENCE]).await;
    let page = collector.rounds(1).await;
    only(collector.program(), SILENCE);
    assert_eq!(page.value("llm_collector_up", &[]), Some(0.0), "{page}");

    let server = NatsServer::configured(&denying("publish: { deny: [\"$SRV.>\"] }"), OPEN).await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)));
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector
        .program()
        .says(&[DENIED, "publish", "$SRV.STATS.>"])
        .await;
    let page = collector.rounds(3).await;
    only(collector.program(), DENIED);
    assert_eq!(
        collector.program().lines_with(&[DENIED]).len(),
        1,
        "once, not each round"
    );
    assert!(
        page.sum("llm_collector_permission_violations_total", &[]) >= 1.0,
        "{page}"
    );
    assert_eq!(page.value("llm_collector_up", &[]), Some(0.0), "{page}");
}

#[tokio::test]
async fn a_denied_inbox_is_said_to_be_that() {
    let server = NatsServer::configured(&denying("subscribe: { deny: [\"_INBOX.>\"] }"), OPEN).await;
    let fleet = TestFleet::connect(&server).await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(1)));
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector
        .program()
        .says(&["permission denied", "inbox", "subscribe"])
        .await;
}

#[tokio::test]
async fn a_user_whom_nats_refuses_ends_the_collector_with_the_reason_and_no_secret() {
    let config = "authorization { user: open, password: open }";
    let server = NatsServer::configured(config, OPEN).await;
    let url = server.url().replace("nats://", "nats://eve:hunter2@");
    for arguments in [
        ["--target", TARGET, "--metrics-port", "0"].as_slice(),
        &["explain", TARGET],
        &["list"],
    ] {
        let ended = finish(metrics(&[arguments, &["--server", &url]].concat())).await;
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!(ended.stderr.contains("refuses"), "{ended:?}");
        assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    }
}

#[tokio::test]
async fn losing_nats_and_finding_it_again_are_said() {
    let mut server = NatsServer::start_on(tests::free_port()).await;
    let mut collector = Collector::watching(&server, TARGET, &[]).await;
    collector.has("llm_collector_nats_connected", &[], 1.0).await;
    server.stop().await;
    collector.program().says(&["WARN", "NATS connection lost"]).await;
    server.start_again().await;
    collector
        .program()
        .says(&["INFO", "NATS connection restored"])
        .await;
}

const OPEN: Option<(&str, &str)> = Some(("open", "open"));

/// A configuration in which who gives no name has these permissions, and the test has all.
fn denying(permissions: &str) -> String {
    format!(
        "authorization {{ users = [
            {{ user: open, password: open }}
            {{ user: narrow, password: narrow, permissions: {{ {permissions} }} }}
        ] }}
        no_auth_user: narrow"
    )
}
