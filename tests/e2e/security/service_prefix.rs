//! Services that are asked under another prefix than `$SRV`: one of a fleet's own, and one under which another account's
//! services are imported.

use tests::{Access, NatsServer, Setup, finish, metrics};

use super::{USAGE, collector, lets_in, login, look, workers};
use crate::TARGET;

/// Load that comes with answers alone, so that a worker that cannot be asked is not known.
const WITHOUT_EVENTS: [&str; 4] = ["--workers", "3", "--event-interval", "0"];

#[tokio::test]
async fn a_fleet_with_a_prefix_of_its_own_is_found_by_it_and_by_nothing_else() {
    let server = NatsServer::start().await;
    let plain = Access::at(server.url());
    let access = plain.clone().with("--service-prefix", "fleet.a");
    let _workers = workers(&access, &WITHOUT_EVENTS).await;
    let found = collector(&access, &["--target", "dynamo/*/*"]).await;
    found.has_workers(3).await;

    let explain = look(&access, &["explain", TARGET, "--listen-for", "0s"]).await;
    assert_eq!(explain.code, Some(0), "{explain:?}");
    let doctor = look(&access, &["doctor", TARGET, "--listen-for", "0s"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    for part in [
        "may publish to fleet.a.STATS\n",
        "may publish to fleet.a.INFO.>",
        "has 3 workers",
    ] {
        assert!(doctor.stdout.contains(part), "{part:?} in {doctor:?}");
    }
    let near = "dynamo/my_component/my_endpoin";
    let near = look(&access, &["explain", near, "--listen-for", "0s"]).await;
    assert_eq!(near.code, Some(3), "{near:?}");
    assert!(near.stdout.contains("--service-prefix fleet.a"), "{near:?}");

    let none = look(&plain, &["list", "--listen-for", "0s"]).await;
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(none.stdout.contains("listens on $SRV.STATS"), "{none:?}");
    let mut other = collector(&plain, &[]).await;
    other
        .program()
        .says(&[
            "no service answered at all",
            "listens on $SRV.STATS",
            "check --server.",
        ])
        .await;
    let page = other.rounds(1).await;
    assert_eq!(page.sum("llm_pool_workers", &[]), 0.0, "{page}");

    let wrong = plain.with("--service-prefix", "fleet.b");
    let explain = look(&wrong, &["explain", TARGET, "--listen-for", "0s"]).await;
    assert_eq!(explain.code, Some(3), "{explain:?}");
    for part in ["listens on fleet.b.STATS", "check --server and --service-prefix"] {
        assert!(explain.stdout.contains(part), "{part:?} in {explain:?}");
    }
}

#[tokio::test]
async fn a_prefix_is_given_by_flag_and_by_variable_and_needs_permissions_of_its_own() {
    let publish = r#"publish: ["fleet.STATS", "fleet.STATS.>", "fleet.INFO.>"]"#;
    let subscribe = r#"subscribe: ["_INBOX.>", "namespace.>"]"#;
    // Nothing of the micro protocol is allowed but this.
    let server = NatsServer::set_up(&Setup::config(format!(
        r#"authorization {{ users = [
            {{ user: open, password: open, permissions: {{ publish: {{ deny: ["$SRV.>"] }}, subscribe: {{ deny: ["$SRV.>"] }} }} }}
            {{ user: least, password: least, permissions: {{ {publish}, {subscribe} }} }}
        ] }}"#
    )))
    .await;
    let prefixed = |user: &str| login(&server, user).with("--service-prefix", "fleet");
    lets_in("a prefix", &prefixed("open"), &[]).await;

    let _workers = workers(&prefixed("open"), &["--workers", "2"]).await;
    let least = collector(&prefixed("least"), &[]).await;
    let page = least.has_workers(2).await;
    let violations = page.value("llm_collector_permission_violations_total", &[]);
    assert_eq!(violations, Some(0.0), "{page}");

    let other = login(&server, "least").with("--service-prefix", "other");
    let doctor = look(&other, &["doctor", "--listen-for", "0s"]).await;
    assert_eq!(doctor.code, Some(6), "{doctor:?}");
    let lines = r#"publish: ["other.STATS", "other.STATS.>", "other.INFO.>"]"#;
    assert!(doctor.stdout.contains(lines), "{doctor:?}");
}

#[tokio::test]
async fn services_of_another_account_are_found_under_the_prefix_of_their_import() {
    let server = NatsServer::set_up(&Setup::config(
        r#"accounts {
            INFERENCE {
                users: [ { user: app, password: app } ]
                exports: [ { service: "$SRV.>", response_type: Stream } ]
            }
            MONITORING {
                users: [ { user: collector, password: collector } ]
                imports: [ { service: { account: INFERENCE, subject: "$SRV.>" }, to: "acct.$SRV.>" } ]
            }
        }"#,
    ))
    .await;
    let _workers = workers(&login(&server, "app"), &["--workers", "5"]).await;
    let access = login(&server, "collector").with("--service-prefix", "acct.$SRV");
    let collector = collector(&access, &[]).await;
    collector.has_workers(5).await;
    collector
        .keeps("all workers are fresh", 5, |page| {
            page.sum("llm_pool_workers", &[("state", "fresh")]) == 5.0
        })
        .await;
    let explain = look(&access, &["explain", TARGET, "--listen-for", "0s"]).await;
    assert_eq!(explain.code, Some(0), "{explain:?}");
    assert!(explain.stdout.contains("has 5 workers"), "{explain:?}");

    // The account has no services of its own.
    let none = look(&login(&server, "collector"), &["list", "--listen-for", "0s"]).await;
    assert_eq!(none.code, Some(3), "{none:?}");
}

#[tokio::test]
async fn a_prefix_that_cannot_be_one_is_refused_with_the_remedy() {
    for (wrong, why) in [
        ("$SRV.>", "NATS wildcard"),
        ("acct.", "empty part between dots"),
        ("my fleet", "white space"),
        ("", "the service prefix is empty"),
    ] {
        let refused = finish(metrics(&["list", "--service-prefix", wrong])).await;
        assert_eq!(refused.code, Some(USAGE), "{refused:?}");
        for part in [
            "--service-prefix <PREFIX>",
            why,
            "in a shell within single quotes",
        ] {
            assert!(refused.stderr.contains(part), "{part:?} in {refused:?}");
        }
    }
}
