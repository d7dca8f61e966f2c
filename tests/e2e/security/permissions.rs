//! The least set of permissions that a collector needs, and what is said when one of them is missing.

use protocol::service::{Login, Secret, Servers, Worker};
use protocol::{Layout, WorkerStats};
use tests::{Micro, NatsServer, Setup, SharedQueue};

use super::{collector, login, look, workers};
use crate::TARGET;

const PUBLISH: [&str; 3] = ["$SRV.STATS", "$SRV.STATS.>", "$SRV.INFO.>"];
const SUBSCRIBE: [&str; 2] = ["_INBOX.>", "namespace.>"];

/// The lines of configuration that grant them.
const PUBLISH_LINE: &str = r#"publish: ["$SRV.STATS", "$SRV.STATS.>", "$SRV.INFO.>"]"#;
const SUBSCRIBE_LINE: &str = r#"subscribe: ["_INBOX.>", "namespace.>"]"#;

/// Watches one pool by its name, which is asked by name, and any pool of another name, which takes the broadcast.
const TARGETS: [&str; 2] = ["--target", "dynamo/*/generate"];

/// A user whose permissions are `publish` and `subscribe` without `missing`.
fn user(name: &str, subscribe: &[&str], missing: &str) -> String {
    let allowed = |subjects: &[&str]| {
        let kept: Vec<&&str> = subjects.iter().filter(|subject| **subject != missing).collect();
        format!("{kept:?}")
    };
    format!(
        "{{ user: {name}, password: {name}, permissions: {{ publish: {}, subscribe: {} }} }}\n",
        allowed(&PUBLISH),
        allowed(subscribe)
    )
}

fn config(users: &[String]) -> String {
    let users = users.concat();
    format!("authorization {{ users = [ {{ user: open, password: open }}\n{users} ] }}")
}

fn violations(collector: &tests::Page) -> Option<f64> {
    collector.value("llm_collector_permission_violations_total", &[])
}

#[tokio::test]
async fn the_least_set_of_permissions_is_enough_for_replies_and_events() {
    let server = NatsServer::set_up(&Setup::config(config(&[user("least", &SUBSCRIBE, "")]))).await;
    let access = login(&server, "least");
    let arguments = ["--workers", "2", "--generation", "0.9"];
    let _workers = workers(&login(&server, "open"), &arguments).await;
    let mut collector = collector(&access, &TARGETS).await;
    collector.has_workers(2).await;
    let page = collector
        .shows("events are received", |page| {
            page.sum("llm_collector_events_total", &[]) > 0.0
        })
        .await;
    assert_eq!(violations(&page), Some(0.0), "{page}");
    assert!(collector.program().lines_with(&["permission denied"]).is_empty());

    for arguments in [&["list"][..], &["explain", TARGET]] {
        let ended = look(&access, arguments).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("permission denied"), "{ended:?}");
    }
}

#[tokio::test]
async fn each_permission_that_is_missing_is_named_with_the_lines_that_grant_all() {
    let missing = [PUBLISH.as_slice(), &SUBSCRIBE].concat();
    let users: Vec<String> = missing
        .iter()
        .enumerate()
        .map(|(index, missing)| user(&format!("lacks{index}"), &SUBSCRIBE, missing))
        .collect();
    let server = NatsServer::set_up(&Setup::config(config(&users))).await;
    let _workers = workers(&login(&server, "open"), &["--workers", "2"]).await;
    for (index, missing) in missing.into_iter().enumerate() {
        let access = login(&server, &format!("lacks{index}"));
        if missing == "$SRV.STATS.>" {
            // It is needed where instances have to be asked alone, so only a program that tries everything notices.
            let doctor = look(&access, &["doctor", "--listen-for", "0s"]).await;
            assert!(doctor.stdout.contains(PUBLISH_LINE), "{doctor:?}");
            assert_eq!(doctor.code, Some(6), "{doctor:?}");
            continue;
        }
        let mut collector = collector(&access, &TARGETS).await;
        let line = match PUBLISH.contains(&missing) {
            true => PUBLISH_LINE,
            false => SUBSCRIBE_LINE,
        };
        let subject = missing.trim_end_matches('>').trim_end_matches('.');
        collector
            .program()
            .says(&["permission denied", subject, line])
            .await;
        let page = collector.rounds(1).await;
        assert!(violations(&page) >= Some(1.0), "{missing}\n{page}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_hear_of_requests_learns_which_subject_to_add() {
    const WITH_REQUESTS: &str = r#"subscribe: ["_INBOX.>", "namespace.>", "dynamo.request_trace.v1"]"#;
    let least = user("least", &SUBSCRIBE, "");
    let more = [SUBSCRIBE.as_slice(), &["dynamo.request_trace.v1"]].concat();
    let all = user("all", &more, "");
    let server = NatsServer::set_up(&Setup::config(config(&[least, all]))).await;
    let said = ["INFO", "no metrics of requests", WITH_REQUESTS];
    let mut lacking = collector(&login(&server, "least"), &[]).await;
    lacking.program().says(&said).await;
    assert_eq!(lacking.program().lines_with(&said).len(), 1);
    assert_eq!(violations(&lacking.rounds(1).await), Some(0.0), "it is no error");

    let mut complete = collector(&login(&server, "all"), &[]).await;
    complete.rounds(2).await;
    assert!(
        complete
            .program()
            .lines_with(&["no metrics of requests"])
            .is_empty()
    );
}

#[tokio::test]
async fn instances_that_have_to_be_asked_alone_and_may_not_be_are_reported_once_with_the_remedy() {
    const OF_ONE: &str = "$SRV.STATS.>";
    let lacking = user("lacking", &SUBSCRIBE, OF_ONE);
    let server = NatsServer::set_up(&Setup::config(format!(
        "no_auth_user: open\n{}",
        config(&[lacking])
    )))
    .await;
    let instances = [1, 2, 3].map(|id| Micro::worker(TARGET, Layout::Hashed, Some(id)));
    let _instances = SharedQueue::connect(&server, &instances).await;
    // Long enough for a round to ask again within it.
    let arguments = ["--poll-interval", "1s"];
    let mut collector = collector(&login(&server, "lacking"), &arguments).await;
    let said = ["permission denied to publish to $SRV.STATS.", PUBLISH_LINE];
    let line = collector.program().says(&said).await;
    assert!(line.contains(&instances[0].service), "{line}");
    collector.rounds(5).await;
    assert_eq!(collector.program().lines_with(&said).len(), 1);
}

#[tokio::test]
async fn a_permission_that_is_granted_takes_effect_without_a_restart() {
    let server = NatsServer::set_up(&Setup::config(config(&[user("least", &SUBSCRIBE, PUBLISH[0])]))).await;
    let _workers = workers(&login(&server, "open"), &["--workers", "2"]).await;
    let mut collector = collector(&login(&server, "least"), &[]).await;
    collector
        .program()
        .says(&["permission denied", PUBLISH[0], PUBLISH_LINE])
        .await;
    server
        .reconfigure(&config(&[user("least", &SUBSCRIBE, "")]))
        .await;
    collector.has_workers(2).await;
}

#[tokio::test]
async fn a_worker_of_the_sdk_needs_the_documented_permissions_and_no_more() {
    let docs = include_str!("../../../docs/operations.md");
    let lines: Vec<&str> = docs.lines().map(str::trim).collect();
    let start = lines
        .iter()
        .position(|line| line.starts_with(r#"publish: ["namespace.>"]"#))
        .expect("the permissions of a worker");
    let permissions = lines[start..start + 3].join("\n");
    let worker = format!("{{ user: worker, password: worker, permissions: {{\n{permissions}\n}} }}\n");
    let server = NatsServer::set_up(&Setup::config(config(&[worker, user("least", &SUBSCRIBE, "")]))).await;

    let servers: Servers = format!("nats://{}", server.address())
        .parse()
        .expect("an address");
    let login = Login::User {
        name: Secret::text("worker"),
        password: Secret::text("worker"),
    };
    let client = servers
        .with_login(login)
        .connect()
        .await
        .expect("the worker is let in");
    let stats = || {
        WorkerStats::builder()
            .slots_active(3)
            .slots_capacity(100)
            .requests_waiting(0)
            .kv_blocks_active(42)
            .kv_blocks_capacity(1000)
            .build()
    };
    let worker = Worker::builder(TARGET.parse().expect("a path"))
        .stats(stats)
        .heartbeat()
        .start(client)
        .await
        .expect("the worker starts");
    let mut collector = collector(&super::login(&server, "least"), &[]).await;
    collector
        .shows("its load and its events are there", |page| {
            page.sum("llm_worker_kv_blocks_active", &[]) == 42.0
                && page.sum("llm_collector_events_total", &[("result", "ok")]) > 0.0
        })
        .await;
    assert!(collector.program().lines_with(&["permission denied"]).is_empty());
    worker
        .shutdown(std::time::Duration::from_secs(5))
        .await
        .expect("the worker ends");
}

#[tokio::test]
async fn an_inbox_of_a_prefix_of_ones_own_needs_no_other() {
    const OWN: [&str; 2] = ["_COLLECTOR.>", "namespace.>"];
    let server = NatsServer::set_up(&Setup::config(config(&[user("own", &OWN, "")]))).await;
    let _workers = workers(&login(&server, "open"), &["--workers", "2"]).await;
    let access = login(&server, "own");
    let prefixed = access.clone().with("--inbox-prefix", "_COLLECTOR");
    let watching = collector(&prefixed, &TARGETS).await;
    watching.has_workers(2).await;
    assert_eq!(violations(&watching.rounds(1).await), Some(0.0));
    let list = look(&prefixed, &["list", "--listen-for", "0s"]).await;
    assert_eq!(list.code, Some(0), "{list:?}");

    let mut other = collector(&access, &[]).await;
    other
        .program()
        .says(&["permission denied", "inbox", "--inbox-prefix"])
        .await;
}

#[tokio::test]
async fn simulated_workers_that_may_not_subscribe_say_so_once_with_the_remedy() {
    let deaf = "{ user: deaf, password: deaf, permissions: { subscribe: [\"_INBOX.>\"] } }\n".to_owned();
    let server = NatsServer::set_up(&Setup::config(config(&[deaf]))).await;
    let mut command = tests::built("mock-worker");
    command
        .args(["run", "idle", "--workers", "3", "--duration", "2s"])
        .env("NATS_URL", server.url())
        .env("NATS_USER", "deaf")
        .env("NATS_PASSWORD", "deaf");
    let ended = tests::finish(command).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let reported = ended
        .stderr
        .lines()
        .filter(|line| line.contains("cannot be found or called"));
    let reported: Vec<&str> = reported.collect();
    assert_eq!(reported.len(), 1, "{ended:?}");
    assert!(
        reported[0].contains("$SRV.*") && reported[0].contains("subscribe: ["),
        "{reported:?}"
    );
    assert!(!ended.stderr.contains(" ready"), "{ended:?}");
}
