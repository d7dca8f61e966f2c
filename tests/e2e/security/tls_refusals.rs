//! What is wrong with an encrypted connection is said as what it is.

use tests::{Access, Authority, Files, Identity, NatsServer, Program, Setup, metrics};

use super::tls::encrypted;
use super::{TLS, UNREACHABLE, is_refused, repeats_nothing};
use crate::TARGET;

async fn shows(server: &NatsServer, identity: &Identity) {
    let files = [
        ("server.pem", identity.certificate.as_bytes()),
        ("server.key", identity.key.as_bytes()),
    ];
    server.reload(&files).await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_is_said_with_its_fault_and_remedy() {
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let server = NatsServer::set_up(&encrypted(&authority, "timeout: 5", "")).await;
    let at = Access::at(server.url());
    let trusting = at.clone().with("--tlsca", files.put("ca.pem", &authority.pem()));

    let unknown = ["unknown CA", "--tlsca", "system", "SSL_CERT_FILE"];
    is_refused("the system's CAs", &at, TLS, &unknown, &[]).await;
    let other = files.put("other.pem", &Authority::new("other authority").pem());
    is_refused(
        "another CA",
        &at.clone().with("--tlsca", other),
        TLS,
        &["unknown CA", "--tlsca"],
        &[],
    )
    .await;

    shows(&server, &authority.server(&["nats.example"])).await;
    is_refused(
        "another name",
        &trusting,
        TLS,
        &["name", "127.0.0.1", "nats.example"],
        &[],
    )
    .await;
    shows(&server, &authority.expired(&["127.0.0.1"])).await;
    is_refused("an expired one", &trusting, TLS, &["expired"], &[]).await;
}

#[tokio::test]
async fn a_client_certificate_that_is_missing_or_not_accepted_is_said_to_be_that() {
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let server = NatsServer::set_up(&encrypted(&authority, "verify: true, timeout: 5", "")).await;
    let access = Access::at(server.url()).with("--tlsca", files.put("ca.pem", &authority.pem()));
    let missing = ["client certificate", "--tlscert", "--tlskey"];
    is_refused("no certificate", &access, TLS, &missing, &[]).await;

    let identity = Authority::new("other authority").client("collector");
    let certificate = files.put("client.pem", &identity.certificate);
    let key = files.put("client.key", &identity.key);
    let secret = [identity.key.lines().nth(1).expect("a key")];
    let other = access
        .clone()
        .with("--tlscert", certificate)
        .with("--tlskey", key);
    is_refused(
        "another CA's",
        &other,
        TLS,
        &["does not accept the client certificate"],
        &secret,
    )
    .await;

    // Half of a pair is noticed before anything is sent.
    let half = access.with("--tlscert", files.put("client.pem", &identity.certificate));
    is_refused("no key", &half, super::USAGE, &["--tlskey"], &secret).await;
}

#[tokio::test]
async fn tls_that_the_server_does_not_offer_and_a_handshake_at_the_wrong_time_are_said_to_be_that() {
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let ca = files.put("ca.pem", &authority.pem());
    let plain = NatsServer::set_up(&Setup::config("")).await;
    let access = Access::at(&format!("tls://{}", plain.address()));
    is_refused("tls://", &access, TLS, &["offers no TLS", "nats://"], &[]).await;
    let first = Access::at(plain.url()).switch("--tlsfirst");
    is_refused("TLS first, no TLS", &first, TLS, &["offers no TLS"], &[]).await;

    let server = NatsServer::set_up(&encrypted(&authority, "handshake_first: true, timeout: 5", "")).await;
    let access = Access::at(server.url())
        .with("--tlsca", &ca)
        .with("--timeout", "2s");
    is_refused(
        "TLS is expected first",
        &access,
        UNREACHABLE,
        &["TLS first", "--tlsfirst"],
        &[],
    )
    .await;
    let server = NatsServer::set_up(&encrypted(&authority, "timeout: 5", "")).await;
    let access = Access::at(server.url()).with("--tlsca", &ca).switch("--tlsfirst");
    is_refused("TLS is expected later", &access, TLS, &["--tlsfirst"], &[]).await;
}

#[tokio::test]
async fn a_collector_waits_for_a_certificate_that_it_can_trust() {
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let server = NatsServer::set_up(&encrypted(&authority, "timeout: 5", "")).await;
    let other = Authority::new("other authority").pem();
    let access = Access::at(server.url()).with("--tlsca", files.put("ca.pem", &other));
    let mut command = metrics(&["--target", TARGET, "--metrics-port", "0"]);
    access.by_flags(&mut command);
    let mut program = Program::start("metrics", command);
    let line = program.says(&["unknown CA", "--tlsca"]).await;
    repeats_nothing(&line);
    files.put("ca.pem", &authority.pem());
    program.says(&["INFO", "connected to NATS"]).await;
}
