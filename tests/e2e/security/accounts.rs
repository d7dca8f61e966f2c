//! Accounts: services that are exported to another one, and their limits.

use tests::{Access, Account, Files, NatsServer, Operator, Page, Setup, Workers};

use super::{LIMIT, collector, is_refused, login, look, workers};
use crate::TARGET;

/// The exit code of `doctor` where something has to be fixed.
const UNWELL: i32 = 9;

const SINGLE: &str = r#"exports: [{service: "$SRV.>"}]"#;
const STREAM: &str = r#"exports: [{service: "$SRV.>", response_type: "Stream"}]"#;

/// Workers are in one account and the collector in the other, to which the first exports its services.
fn exporting(exports: &str) -> String {
    format!(
        r#"accounts {{
            INFERENCE {{
                users: [ {{ user: app, password: app }} ]
                {exports}
            }}
            MONITORING {{
                users: [ {{ user: collector, password: collector }} ]
                imports: [ {{ service: {{ account: INFERENCE, subject: "$SRV.>" }} }} ]
            }}
        }}"#
    )
}

/// Two workers of the target and one of another component, each a program of its own, as its replies take turns then.
async fn three_workers(server: &NatsServer) -> [Workers; 3] {
    let app = login(server, "app");
    [
        workers(&app, &["--seed", "1"]).await,
        workers(&app, &["--seed", "2"]).await,
        workers(&app, &["--seed", "3", "--component", "planner"]).await,
    ]
}

const LOOKS: [&[&str]; 3] = [
    &["list", "--listen-for", "0s"],
    &["explain", TARGET, "--listen-for", "0s"],
    &["doctor", "--listen-for", "0s"],
];

fn fresh(page: &Page) -> f64 {
    page.sum("llm_pool_workers", &[("state", "fresh")])
}

#[tokio::test]
async fn an_export_with_the_response_type_stream_passes_every_worker_and_nothing_is_said() {
    let server = NatsServer::set_up(&Setup::config(exporting(STREAM))).await;
    let _workers = three_workers(&server).await;
    let access = login(&server, "collector");
    let mut collector = collector(&access, &[]).await;
    collector.has_workers(2).await;
    collector
        .keeps("both workers are fresh", 10, |page| fresh(page) == 2.0)
        .await;
    for arguments in LOOKS {
        let seen = look(&access, arguments).await;
        assert_eq!(seen.code, Some(0), "{seen:?}");
        assert!(!seen.stdout.contains("response_type"), "{seen:?}");
    }
    for text in ["response_type", "queue group"] {
        assert_eq!(collector.program().lines_with(&[text]), [""; 0]);
    }
}

#[tokio::test]
async fn an_export_of_the_default_kind_is_named_and_what_doctor_prints_mends_it() {
    let server = NatsServer::set_up(&Setup::config(exporting(SINGLE))).await;
    let _workers = three_workers(&server).await;
    let access = login(&server, "collector");
    let mut collector = collector(&access, &[]).await;
    let warning = [
        "WARN",
        "each request brings one reply of all services",
        "response_type",
    ];
    collector.program().says(&warning).await;
    // Each worker that was seen is asked alone, so that all of them are shown.
    collector.has_workers(2).await;
    collector
        .keeps("both workers are fresh", 10, |page| fresh(page) == 2.0)
        .await;
    assert_eq!(collector.program().lines_with(&warning).len(), 1);
    for arguments in LOOKS {
        let seen = look(&access, arguments).await;
        assert!(seen.stdout.contains("instances may be missing"), "{seen:?}");
        assert!(seen.stdout.contains(STREAM), "{seen:?}");
    }
    let doctor = look(&access, LOOKS[2]).await;
    assert_eq!(doctor.code, Some(UNWELL), "{doctor:?}");

    server.reconfigure(&exporting(STREAM)).await;
    collector.program().says(&["INFO", "answer together now"]).await;
    collector
        .keeps("both workers are fresh", 5, |page| fresh(page) == 2.0)
        .await;
    let doctor = look(&access, LOOKS[2]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
}

#[tokio::test]
async fn a_lone_service_behind_an_export_of_the_default_kind_has_both_causes_named() {
    let server = NatsServer::set_up(&Setup::config(exporting(SINGLE))).await;
    let app = login(&server, "app");
    let _one = workers(&app, &["--seed", "1"]).await;
    let _two = workers(&app, &["--seed", "2"]).await;
    let access = login(&server, "collector");
    let mut collector = collector(&access, &[]).await;
    collector
        .program()
        .says(&["WARN", "share a queue group", "response_type"])
        .await;
    let list = look(&access, LOOKS[0]).await;
    assert!(list.stdout.contains("share a queue group"), "{list:?}");
    assert!(list.stdout.contains(STREAM), "{list:?}");
}

#[tokio::test]
async fn an_account_that_takes_no_more_connections_is_named_as_the_cause() {
    let (operator, account, files) = (Operator::new(), Account::new().with_connections(1), Files::new());
    let user = account.user();
    let server = NatsServer::set_up(&Setup::config(operator.config(&[&account]))).await;
    let creds = files.put("user.creds", &user.creds());
    let access = Access::at(server.url()).with("--creds", creds);
    let collector = collector(&access, &[]).await;
    collector.has("llm_collector_nats_connected", &[], 1.0).await;
    is_refused(
        "account limit",
        &access,
        LIMIT,
        &["account", "connections"],
        &[&user.seed],
    )
    .await;
}
