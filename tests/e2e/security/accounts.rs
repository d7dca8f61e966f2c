//! Accounts: services that are exported to another one, and their limits.

use tests::{Access, Account, Files, NatsServer, Operator, Setup};

use super::{LIMIT, collector, is_refused, login, look, workers};

/// Workers are in one account and the collector in the other, to which the first exports services and events.
fn exporting(response_type: &str) -> Setup {
    Setup::config(format!(
        r#"accounts {{
            INFERENCE {{
                users: [ {{ user: app, password: app }} ]
                exports: [ {{ service: "$SRV.>"{response_type} }}, {{ stream: "namespace.>" }} ]
            }}
            MONITORING {{
                users: [ {{ user: collector, password: collector }} ]
                imports: [
                    {{ service: {{ account: INFERENCE, subject: "$SRV.>" }} }}
                    {{ stream: {{ account: INFERENCE, subject: "namespace.>" }} }}
                ]
            }}
        }}"#
    ))
}

#[tokio::test]
async fn an_export_with_the_response_type_stream_passes_every_worker() {
    let server = NatsServer::set_up(&exporting(", response_type: Stream")).await;
    let _workers = workers(&login(&server, "app"), &["--workers", "5"]).await;
    let collector = collector(&login(&server, "collector"), &[]).await;
    collector.has_workers(5).await;
    collector
        .keeps("all workers are fresh", 5, |page| {
            page.sum("llm_pool_workers", &[("state", "fresh")]) == 5.0
        })
        .await;
    let list = look(&login(&server, "collector"), &["list", "--listen-for", "0s"]).await;
    assert_eq!(list.code, Some(0), "{list:?}");
}

#[tokio::test]
async fn an_export_of_the_default_kind_passes_one_worker_of_each_round() {
    let server = NatsServer::set_up(&exporting("")).await;
    let _workers = workers(&login(&server, "app"), &["--workers", "5"]).await;
    // Each request across the accounts brings one reply, so that no round sees more than two of the five.
    let arguments = ["--stale-after", "1", "--gone-after", "2"];
    let collector = collector(&login(&server, "collector"), &arguments).await;
    collector
        .shows("a worker was seen", |page| {
            page.sum("llm_pool_workers", &[("state", "fresh")]) >= 1.0
        })
        .await;
    collector
        .keeps("not all workers are fresh", 5, |page| {
            page.sum("llm_pool_workers", &[("state", "fresh")]) < 5.0
        })
        .await;
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
