//! The harness itself: async-nats, which is not under test, gets into each kind of server as its own documentation says,
//! and into none of them without.

use std::path::PathBuf;

use async_nats::ConnectOptions;
use tests::{Account, Authority, Files, NatsCluster, NatsServer, Operator, Setup};

use super::{PASSWORD, PASSWORD_CONFIG};

async fn connects(options: ConnectOptions, url: &str) {
    let client = options
        .connect(url)
        .await
        .unwrap_or_else(|error| panic!("{url}: {error}"));
    client.flush().await.expect("the server answers");
}

async fn is_turned_away(url: &str) {
    let error = ConnectOptions::new()
        .connect(url)
        .await
        .expect_err("it is turned away");
    assert!(!error.to_string().is_empty());
}

#[tokio::test]
async fn a_server_takes_a_new_password_when_it_reads_its_configuration_again() {
    let server = NatsServer::set_up(&Setup::config(PASSWORD_CONFIG)).await;
    let options = |password: &str| ConnectOptions::with_user_and_password("app".into(), password.into());
    connects(options(PASSWORD), server.url()).await;
    is_turned_away(server.url()).await;
    server
        .reconfigure("authorization { user: app, password: another }")
        .await;
    connects(options("another"), server.url()).await;
    assert!(options(PASSWORD).connect(server.url()).await.is_err());
}

#[tokio::test]
async fn an_operator_lets_users_in_until_their_account_revokes_them() {
    let (operator, mut account) = (Operator::new(), Account::new());
    let (old, new) = (account.user(), account.user());
    let server = NatsServer::set_up(&Setup::config(operator.config(&[&account]))).await;
    let options = |creds: &str| ConnectOptions::with_credentials(creds).expect("well-formed");
    connects(options(&old.creds()), server.url()).await;
    is_turned_away(server.url()).await;
    account.revoke(&old);
    server.reconfigure(&operator.config(&[&account])).await;
    connects(options(&new.creds()), server.url()).await;
    assert!(options(&old.creds()).connect(server.url()).await.is_err());
}

#[tokio::test]
async fn a_server_shows_its_certificate_and_asks_for_that_of_the_client() {
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let identity = authority.server(&["127.0.0.1"]);
    let client = authority.client("collector");
    let config = "tls { cert_file: server.pem, key_file: server.key, ca_file: ca.pem, verify: true }";
    let setup = Setup::config(config)
        .file("server.pem", identity.certificate)
        .file("server.key", identity.key)
        .file("ca.pem", authority.pem());
    let server = NatsServer::set_up(&setup).await;
    let trusting = || {
        ConnectOptions::new()
            .require_tls(true)
            .add_root_certificates(PathBuf::from(files.put("ca.pem", &authority.pem())))
    };
    assert!(trusting().connect(server.url()).await.is_err());
    let certificate = files.put("client.pem", &client.certificate);
    let key = files.put("client.key", &client.key);
    let with_certificate = trusting().add_client_certificate(certificate.into(), key.into());
    connects(with_certificate, server.url()).await;
    is_turned_away(server.url()).await;
}

#[tokio::test]
async fn a_message_crosses_a_cluster() {
    let cluster = NatsCluster::start().await;
    let mut heard = cluster
        .node(0)
        .client()
        .await
        .subscribe("hello")
        .await
        .expect("subscribes");
    let client = cluster.node(2).client().await;
    tests::eventually("the message arrived", async || {
        client
            .publish("hello", "x".into())
            .await
            .map_err(|error| error.to_string())?;
        let wait = std::time::Duration::from_millis(200);
        let message = tokio::time::timeout(wait, futures_util::StreamExt::next(&mut heard)).await;
        message.map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
}
