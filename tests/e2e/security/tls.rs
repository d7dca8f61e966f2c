//! Encrypted connections.

use tests::{Access, Authority, Files, Identity, NatsServer, Setup};

use super::{PASSWORD, PASSWORD_CONFIG, lets_in};

/// A configuration with this in its block `tls`, and with a certificate for `127.0.0.1` and `localhost`.
pub(super) fn encrypted(authority: &Authority, options: &str, more: &str) -> Setup {
    let config =
        format!("tls {{ cert_file: server.pem, key_file: server.key, ca_file: ca.pem, {options} }}\n{more}");
    let Identity { certificate, key } = authority.server(&["127.0.0.1", "localhost"]);
    Setup::config(config)
        .file("server.pem", certificate)
        .file("server.key", key)
        .file("ca.pem", authority.pem())
}

#[tokio::test]
async fn a_server_with_tls_is_verified_and_may_ask_for_a_password_too() {
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let server = NatsServer::set_up(&encrypted(&authority, "timeout: 5", PASSWORD_CONFIG)).await;
    let ca = files.put("ca.pem", &authority.pem());
    for scheme in ["nats", "tls"] {
        let access = Access::at(&format!("{scheme}://{}", server.address()))
            .with("--user", "app")
            .with("--password", PASSWORD)
            .with("--tlsca", &ca);
        lets_in(scheme, &access, &[PASSWORD]).await;
    }
}

#[tokio::test]
async fn a_server_may_ask_for_the_certificate_of_its_client() {
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let client = authority.client("collector");
    let server = NatsServer::set_up(&encrypted(&authority, "verify: true, timeout: 5", "")).await;
    let access = Access::at(server.url())
        .with("--tlsca", files.put("ca.pem", &authority.pem()))
        .with("--tlscert", files.put("client.pem", &client.certificate))
        .with("--tlskey", files.put("client.key", &client.key));
    lets_in(
        "mutual TLS",
        &access,
        &[client.key.lines().nth(1).expect("a key")],
    )
    .await;
}

#[tokio::test]
async fn a_server_may_expect_tls_before_anything_else() {
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let server = NatsServer::set_up(&encrypted(&authority, "handshake_first: true, timeout: 5", "")).await;
    let ca = files.put("ca.pem", &authority.pem());
    let access = Access::at(server.url()).with("--tlsca", ca).switch("--tlsfirst");
    lets_in("TLS first", &access, &[]).await;
}

#[tokio::test]
async fn websocket_addresses_are_taken_with_and_without_tls() {
    let plain = format!("{PASSWORD_CONFIG}\nwebsocket {{ port: $WEBSOCKET_PORT, no_tls: true }}");
    let server = NatsServer::set_up(&Setup::config(plain)).await;
    let login = |url: &str| Access::at(url).with("--user", "app").with("--password", PASSWORD);
    let url = format!("ws://{}", server.websocket_address());
    lets_in("ws", &login(&url), &[PASSWORD]).await;

    let (authority, files) = (Authority::new("test authority"), Files::new());
    let websocket =
        "websocket { port: $WEBSOCKET_PORT, tls { cert_file: server.pem, key_file: server.key } }";
    let setup = encrypted(
        &authority,
        "timeout: 5",
        &format!("{PASSWORD_CONFIG}\n{websocket}"),
    );
    let server = NatsServer::set_up(&setup).await;
    let url = format!("wss://{}", server.websocket_address());
    let ca = files.put("ca.pem", &authority.pem());
    lets_in("wss", &login(&url).with("--tlsca", ca), &[PASSWORD]).await;
}

#[tokio::test]
async fn the_oldest_supported_server_takes_a_password_over_tls() {
    const TEST: &str = "the_oldest_supported_server_takes_a_password_over_tls";
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let Some(server) = NatsServer::oldest(&encrypted(&authority, "timeout: 5", PASSWORD_CONFIG), TEST).await
    else {
        return;
    };
    let access = Access::at(server.url())
        .with("--user", "app")
        .with("--password", PASSWORD)
        .with("--tlsca", files.put("ca.pem", &authority.pem()));
    lets_in("the oldest server", &access, &[PASSWORD]).await;
}
