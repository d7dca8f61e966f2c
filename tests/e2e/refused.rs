//! Subscriptions that the server refuses: workers that cannot be found say why.

use protocol::subject::endpoints_of;
use protocol::{Layout, WorkerSubject};
use tests::{NatsServer, Workers};

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

#[tokio::test]
async fn a_denied_subscription_is_named_in_the_log_of_the_workers() {
    let path = TARGET.parse().expect("a path");
    let pool = WorkerSubject::new(&path, Layout::Hashed, None).expect("the layout names every path");
    for subject in ["$SRV.>", &endpoints_of(pool.service())] {
        let config = allowing(&format!("subscribe: {{ deny: [{subject:?}] }}"));
        let server = NatsServer::configured(&config, Some(("open", "open"))).await;
        let mut workers = Workers::start(&server, &["run", "idle"]).await;
        let stem = subject.trim_end_matches(['>', '*']);
        let denied = ["Permissions Violation for Subscription", stem];
        workers.program().says(&denied).await;
        assert_eq!(workers.stop().await, Some(0), "{subject}");
    }
}

#[tokio::test]
async fn too_many_subscriptions_are_named_and_the_workers_say_what_it_means() {
    let server = NatsServer::configured("max_subscriptions: 3", None).await;
    let mut workers = Workers::start(&server, &["run", "idle"]).await;
    workers.program().says(&["maximum subscriptions exceeded"]).await;
    workers
        .program()
        .says(&["the server did not confirm the subscriptions", "_INBOX.>"])
        .await;
}
