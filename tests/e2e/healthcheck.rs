//! `metrics healthcheck`, as a container's health check calls it: without knowing more than the collector itself.

use std::fs;

use tests::{Authority, Collector, Finished, Identity, NatsServer, eventually, finish, free_port, metrics};

use crate::TARGET;

/// What the check says for a page at this address.
async fn check(listen: &str, more: &[&str]) -> Finished {
    let mut command = metrics(&["healthcheck"]);
    command.args(more).env("METRICS_LISTEN", listen);
    finish(command).await
}

#[tokio::test]
async fn a_collector_is_asked_where_its_own_settings_put_the_page() {
    let server = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", folder.path().join("page.sock").display());
    let everywhere = format!("0.0.0.0:{}", free_port());
    let listen = ["--listen", &everywhere, "--listen", &socket];
    let collector = Collector::watching(&server, TARGET, &listen).await;

    for listen in [&everywhere, &socket] {
        let alive = check(listen, &[]).await;
        assert_eq!(
            (alive.code, &*alive.stdout),
            (Some(0), "alive\n"),
            "{}",
            alive.stderr
        );
        eventually("the collector is ready", async || {
            let ready = check(listen, &["--ready"]).await;
            match (ready.code, &*ready.stdout) {
                (Some(0), "ready\n") => Ok(()),
                _ => Err(format!("{ready:?}")),
            }
        })
        .await;
    }
    let port = everywhere.rsplit_once(':').unwrap().1;
    let flags = finish(metrics(&[
        "--host",
        "127.0.0.1",
        "--metrics-port",
        port,
        "healthcheck",
    ]))
    .await;
    assert_eq!(flags.code, Some(0), "{}", flags.stderr);
    drop(collector);
}

#[tokio::test]
async fn a_collector_that_waits_for_nats_is_alive_and_not_ready() {
    let listen = format!("127.0.0.1:{}", free_port());
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    let _collector = Collector::start(&nowhere, &["--target", TARGET, "--listen", &listen]).await;
    assert_eq!(check(&listen, &[]).await.code, Some(0));
    let waits = check(&listen, &["--ready"]).await;
    assert_eq!(waits.code, Some(1), "{}", waits.stdout);
    assert!(waits.stderr.contains("with 503: not ready"), "{}", waits.stderr);
}

#[tokio::test]
async fn a_page_with_tls_is_asked_with_the_same_web_configuration() {
    let server = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let Identity { certificate, key } = Authority::new("test authority").server(&["collector.example"]);
    let web = folder.path().join("web.yml");
    for (name, text) in [
        ("server.pem", &*certificate),
        ("server.key", &*key),
        (
            "web.yml",
            "tls_server_config: {cert_file: server.pem, key_file: server.key}\n",
        ),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let web = web.to_str().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let more = ["--listen", &listen, "--web-config-file", web];
    let _collector = Collector::launch({
        let mut command = metrics(&["--target", TARGET, "--server", server.url()]);
        command.args(more);
        command
    })
    .await;

    let mut command = metrics(&["--listen", &listen, "--web-config-file", web, "healthcheck"]);
    command.env_remove("METRICS_LISTEN");
    let alive = finish(command).await;
    assert_eq!(
        (alive.code, &*alive.stdout),
        (Some(0), "alive\n"),
        "{}",
        alive.stderr
    );
    let plain = check(&listen, &[]).await;
    assert_eq!(plain.code, Some(1), "it speaks TLS: {}", plain.stdout);
}

#[tokio::test]
async fn what_is_wrong_is_named_with_its_address() {
    let free = format!("127.0.0.1:{}", free_port());
    let nothing = check(&free, &[]).await;
    assert_eq!(nothing.code, Some(1));
    let expected = format!("nothing listens on {free}");
    assert!(nothing.stderr.contains(&expected), "{}", nothing.stderr);
    let wrong = check("nowhere", &[]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}
