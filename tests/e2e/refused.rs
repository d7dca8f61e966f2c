//! Subscriptions and publishes that the server refuses: workers that cannot be found, or cannot answer, say why, once.

use protocol::subject::endpoints_of;
use protocol::{Layout, WorkerSubject};
use tests::{NatsServer, Program, Workers, built, eventually};

use crate::TARGET;

/// A configuration in which a user without a name has these permissions, and the test has all.
fn allowing(permissions: &str) -> String {
    format!(
        "authorization {{ users = [
            {{ user: open, password: open }}
            {{ user: narrow, password: narrow, permissions: {{ {permissions} }} }}
        ] }}
        no_auth_user: narrow"
    )
}

/// Starts workers that may never be ready.
fn start(server: &NatsServer) -> Program {
    let mut command = built("mock-worker");
    command.args(["run", "idle"]).env("NATS_URL", server.url());
    Program::start("mock-worker", command)
}

#[tokio::test]
async fn a_denied_subscription_is_named_in_the_log_of_the_workers() {
    let path = TARGET.parse().expect("a path");
    let pool = WorkerSubject::new(&path, Layout::Hashed, None).expect("the layout names every path");
    for subject in ["$SRV.>", &endpoints_of(pool.service())] {
        let config = allowing(&format!("subscribe: {{ deny: [{subject:?}] }}"));
        let server = NatsServer::configured(&config, Some(("open", "open"))).await;
        let mut workers = start(&server);
        let stem = subject.trim_end_matches(['>', '*']);
        let denied = ["Permissions Violation for Subscription", stem];
        workers.says(&denied).await;
        workers
            .says(&["cannot be found or called", stem, "subscribe: ["])
            .await;
        assert!(workers.lines_with(&[" ready"]).is_empty(), "{subject}");
    }
}

#[tokio::test]
async fn too_many_subscriptions_are_named_and_the_workers_say_what_it_means() {
    let server = NatsServer::configured("max_subscriptions: 3", None).await;
    let mut workers = start(&server);
    workers.says(&["maximum subscriptions exceeded"]).await;
    workers
        .says(&["the server did not confirm the subscriptions", "_INBOX.>"])
        .await;
    assert!(workers.lines_with(&[" ready"]).is_empty());
}

#[tokio::test]
async fn refused_replies_are_reported_once_whatever_their_subjects_and_connections_are() {
    let config = allowing(r#"publish: { deny: ["replies.>", "others.>"] }"#);
    let server = NatsServer::configured(&config, Some(("open", "open"))).await;
    let arguments = ["run", "idle", "--workers", "8", "--connections", "8"];
    let mut workers = Workers::start(&server, &arguments).await;
    let client = server.client().await;
    let ask = async |reply: String| {
        let asked = client.publish_with_reply("$SRV.STATS", reply, "".into()).await;
        asked.expect("it is sent");
    };
    for number in 0..200 {
        ask(format!("replies.{number}.x")).await;
    }
    // Refusals come in the order of the replies.
    eventually("a later refusal is reported", async || {
        ask("others.x".to_owned()).await;
        let said = workers.program().lines_with(&["permission denied", "others.>"]);
        match said.is_empty() {
            true => Err(format!("{:?}", workers.program().log())),
            false => Ok(()),
        }
    })
    .await;
    let said = workers.program().lines_with(&["permission denied", "replies."]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(r#"publish: ["#) && said[0].contains("replies.>"),
        "{said:?}"
    );
}
