//! Connecting with patience, and starts that fail with the permission that is missing.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use protocol::service::{CauseKind, Login, Secret, Servers, StartError, Worker};

use crate::bench::{Bench, PATIENCE, path};

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_worker_that_is_started_before_its_server_waits_for_it() {
    let Some(program) = crate::server_program("a_worker_that_is_started_before_its_server") else {
        return;
    };
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        free.local_addr().expect("bound").port()
    };
    let servers: Servers = format!("nats://127.0.0.1:{port}").parse().expect("an address");
    let error = servers
        .connect_within(Duration::ZERO)
        .await
        .expect_err("nothing is there");
    assert_eq!(error.kind(), CauseKind::Unreachable);
    let connecting = tokio::spawn(async move { servers.connect_within(PATIENCE).await });
    let mut server = Command::new(program);
    server.args(["--addr", "127.0.0.1", "--port", &port.to_string()]);
    let _server = Server(server.stderr(Stdio::null()).spawn().expect("nats-server starts"));
    let client = connecting
        .await
        .expect("no panic")
        .expect("the server came in time");
    client.flush().await.expect("connected");
}

/// Permissions of the user `worker`; all others may do anything.
fn permissions(of_worker: &str) -> String {
    format!(
        r#"authorization {{ users: [
            {{ user: open, password: open }}
            {{ user: worker, password: worker, permissions: {{ {of_worker} }} }}
        ] }}
        no_auth_user: open"#
    )
}

fn servers(bench: &Bench, password: &'static str) -> Servers {
    let servers: Servers = format!("nats://{}", bench.address).parse().expect("an address");
    servers.with_login(Login::User {
        name: Secret::text("worker"),
        password: Secret::text(password),
    })
}

#[tokio::test]
async fn a_start_fails_with_the_permission_that_is_missing() {
    let Some(program) = crate::server_program("a_start_fails_with_the_permission_that_is_missing") else {
        return;
    };
    let start = async |allowed: &str| {
        let bench = Bench::start_with(&program, &permissions(allowed)).await;
        let refused = servers(&bench, "wrong")
            .connect_within(Duration::from_secs(3600))
            .await;
        assert_eq!(refused.expect_err("a wrong password").kind(), CauseKind::Refused);
        let client = servers(&bench, "worker").connect().await.expect("it is let in");
        let worker = Worker::builder(path()).worker_id(0x1f);
        let began = Instant::now();
        (worker.start(client).await, began.elapsed(), bench)
    };
    let subject = "dynamo_mycomponent_593024f1.my_endpoint-1f";
    for publish in [r#"publish: ["namespace.>"]"#, r#"publish: [">"]"#] {
        let rest = format!("{publish}, allow_responses: true");
        let (started, _, _bench) = start(&format!(
            r#"{rest}, subscribe: ["dynamo_mycomponent_593024f1.>", "_INBOX.>"]"#
        ))
        .await;
        let error = started.expect_err("it cannot be found");
        assert!(matches!(error, StartError::DiscoveryDenied { .. }), "{error}");
        assert!(
            error.to_string().contains(r#"grant `subscribe: ["$SRV.>"]`"#),
            "{error}"
        );

        let (started, _, _bench) = start(&format!(r#"{rest}, subscribe: ["$SRV.>", "_INBOX.>"]"#)).await;
        let error = started.expect_err("it cannot serve");
        assert!(
            matches!(&error, StartError::EndpointDenied { subject: denied } if denied == subject),
            "{error}"
        );
    }
    // A user with the documented permissions cannot ask itself, and does not wait for that.
    let (started, took, _bench) = start(
        r#"publish: ["namespace.>"], allow_responses: true, subscribe: ["$SRV.>", "dynamo_mycomponent_593024f1.>"]"#,
    )
    .await;
    started.expect("it has all that it needs");
    assert!(took < Duration::from_millis(900), "{took:?}");
}
