//! Secrets that change while the programs run, and a server that refuses for a while.

use tests::{
    Access, Account, Collector, Files, NatsServer, Operator, Page, Program, Setup, Workers, eventually,
};

use super::{PASSWORD, PASSWORD_CONFIG, collector, conceals, workers};

/// The same server with another password.
const OTHER_CONFIG: &str = "authorization { user: app, password: pw-battery-staple }";
const OTHER: &str = "pw-battery-staple";

fn rounds(page: &Page) -> f64 {
    page.sum("llm_collector_rounds_total", &[])
}

/// No line that the programs have printed has a secret; they log all that there is to log.
#[track_caller]
fn print_no_secret(programs: [&mut Program; 2], secrets: &[&str]) {
    for program in programs {
        let log = program.log().join("\n");
        assert!(!log.is_empty());
        conceals(&log, secrets);
    }
}

/// Both programs have found their way back, and what the collector counts went on from `before`.
async fn went_on(collector: &Collector, before: &Page) {
    collector
        .shows("the connection was restored", |page| {
            page.value("llm_collector_nats_reconnects_total", &[]) >= Some(1.0)
        })
        .await;
    collector.has_workers(2).await;
    let page = collector.rounds(2).await;
    assert!(rounds(&page) > rounds(before), "{page}");
}

#[tokio::test]
async fn a_creds_file_is_read_again_when_its_user_was_revoked() {
    let (operator, mut account, files) = (Operator::new(), Account::new(), Files::new());
    let (old, new) = (account.user(), account.user());
    let server = NatsServer::set_up(&Setup::config(operator.config(&[&account]))).await;
    let access = Access::at(server.url()).with("--creds", files.put("user.creds", &old.creds()));
    let mut workers = workers(&access, &["--workers", "2"]).await;
    let mut collector = collector(&access, &["--log", "trace"]).await;
    collector.has_workers(2).await;
    let before = collector.rounds(2).await;

    files.put("user.creds", &new.creds());
    account.revoke(&old);
    server.reconfigure(&operator.config(&[&account])).await;
    went_on(&collector, &before).await;
    let secrets = [&*old.seed, &old.jwt, &new.seed, &new.jwt];
    print_no_secret([collector.program(), workers.program()], &secrets);
}

#[tokio::test]
async fn a_password_file_is_read_again_when_the_server_has_another_password() {
    let files = Files::new();
    let server = NatsServer::set_up(&Setup::config(PASSWORD_CONFIG)).await;
    let access = Access::at(server.url())
        .with("--user", "app")
        .with("--password-file", files.put("password", PASSWORD));
    let mut workers = workers(&access, &["--workers", "2"]).await;
    let mut collector = collector(&access, &["--log", "trace"]).await;
    collector.has_workers(2).await;
    let before = collector.rounds(2).await;

    files.put("password", &format!("{OTHER}\n"));
    server.reconfigure(OTHER_CONFIG).await;
    went_on(&collector, &before).await;
    print_no_secret([collector.program(), workers.program()], &[PASSWORD, OTHER]);
}

/// Programs that were let in, on a server that now wants another password.
struct Refused {
    server: NatsServer,
    workers: Workers,
    collector: Collector,
    before: Page,
}

impl Refused {
    async fn with_patience(patience: &str) -> Self {
        let server = NatsServer::set_up(&Setup::config(PASSWORD_CONFIG)).await;
        let access = Access::at(server.url())
            .with("--user", "app")
            .with("--password", PASSWORD)
            .with("--auth-patience", patience);
        let workers = workers(&access, &["--workers", "2"]).await;
        let collector = collector(&access, &[]).await;
        collector.has_workers(2).await;
        let before = collector.rounds(2).await;
        server.reconfigure(OTHER_CONFIG).await;
        Self {
            server,
            workers,
            collector,
            before,
        }
    }

    /// Waits until the server has refused each program this often.
    async fn has_refused(&self, times: usize) {
        for client in ["metrics", "mock-worker"] {
            eventually(&format!("{client} was refused {times} times"), async || {
                let page = self.server.monitor("connz?state=closed&limit=1000").await;
                let closed = page["connections"].as_array().cloned().unwrap_or_default();
                let refused = closed.iter().filter(|connection| {
                    connection["reason"] == "Authentication Failure" && connection["name"] == client
                });
                match refused.count() {
                    count if count >= times => Ok(()),
                    count => Err(format!("{count} times: {page}")),
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn programs_that_were_let_in_outlast_a_server_that_refuses_them_for_a_while() {
    let mut refused = Refused::with_patience("1m").await;
    // More often than ends a program that was never let in.
    refused.has_refused(5).await;
    assert!(refused.collector.program().is_running() && refused.workers.program().is_running());
    refused.server.reconfigure(PASSWORD_CONFIG).await;
    went_on(&refused.collector, &refused.before).await;
    let programs = [refused.collector.program(), refused.workers.program()];
    print_no_secret(programs, &[PASSWORD, OTHER]);
}

#[tokio::test]
async fn programs_end_when_a_server_refuses_them_longer_than_their_patience() {
    let mut refused = Refused::with_patience("1s").await;
    for program in [refused.collector.program(), refused.workers.program()] {
        assert_eq!(program.ended().await.code(), Some(4), "{}", program.log_tail());
        let log = program.log().join("\n");
        assert!(log.contains("refuse"), "{log}");
        conceals(&log, &[PASSWORD]);
    }
}
