//! TLS, certificates of clients, passwords and headers by a web configuration file.

use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;
use tests::{Authority, Collector, Identity, NatsServer, Prometheus, Workers, eventually, tools};

use super::{Curled, curl, text};
use crate::TARGET;

/// "fakepassword", hashed by another program.
const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
const LOGIN: [&str; 2] = ["--user", "prom:fakepassword"];

/// A folder with certificates and a web configuration.
struct Folder {
    folder: TempDir,
    authority: Authority,
}

impl Folder {
    fn new() -> Self {
        let folder = Self {
            folder: tempfile::tempdir().unwrap(),
            authority: Authority::new("ours"),
        };
        folder.write("ca.pem", &folder.authority.pem());
        folder.put("server", &folder.authority.server(&["127.0.0.1"]));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, contents: &str) {
        std::fs::write(self.path(name), contents).unwrap();
    }

    fn put(&self, name: &str, identity: &Identity) {
        self.write(&format!("{name}.pem"), &identity.certificate);
        self.write(&format!("{name}.key"), &identity.key);
    }

    /// Writes a configuration of TLS with these further lines of `tls_server_config`, and what else follows.
    fn configure(&self, tls: &str, rest: &str) {
        let config =
            format!("tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{tls}{rest}");
        self.write("web.yml", &config);
    }

    async fn collector(&self, server: &NatsServer) -> Collector {
        Collector::watching(
            server,
            TARGET,
            &["--web.config.file", text(&self.path("web.yml"))],
        )
        .await
    }

    /// Asks as this client, or without a certificate.
    async fn curl(&self, url: &str, client: Option<&str>, more: &[&str]) -> Curled {
        let ca = self.path("ca.pem");
        let mut arguments = vec!["--cacert".to_owned(), text(&ca).to_owned()];
        if let Some(client) = client {
            let path = |end: &str| text(&self.path(&format!("{client}.{end}"))).to_owned();
            arguments.extend(["--cert".to_owned(), path("pem"), "--key".to_owned(), path("key")]);
        }
        let arguments: Vec<&str> = arguments
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        curl(&format!("{url}/metrics"), &arguments).await
    }
}

fn is_served(curled: &Curled) -> bool {
    curled.status == 200 && curled.text.contains("llm_collector_build_info{")
}

#[tokio::test]
async fn a_clients_certificate_is_asked_for_required_and_verified_as_configured() {
    let server = NatsServer::start().await;
    let folder = Folder::new();
    folder.put("trusted", &folder.authority.client("prometheus"));
    folder.put("foreign", &Authority::new("theirs").client("prometheus"));
    // Without a certificate, with one of our authority, with one of another.
    for (policy, served) in [
        ("NoClientCert", [true, true, true]),
        ("RequestClientCert", [true, true, true]),
        ("RequireAnyClientCert", [false, true, true]),
        ("VerifyClientCertIfGiven", [true, true, false]),
        ("RequireAndVerifyClientCert", [false, true, false]),
    ] {
        let authority = if policy == "NoClientCert" {
            ""
        } else {
            "  client_ca_file: ca.pem\n"
        };
        folder.configure(&format!("  client_auth_type: {policy}\n{authority}"), "");
        let collector = folder.collector(&server).await;
        for (client, served) in [None, Some("trusted"), Some("foreign")].into_iter().zip(served) {
            for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
                let curled = folder.curl(collector.url(), client, version).await;
                assert_eq!(
                    is_served(&curled),
                    served,
                    "{policy}, {client:?}, {version:?}: {curled:?}"
                );
                assert_eq!(curled.exit == Some(0), served, "{curled:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_clients_certificate_needs_one_of_the_allowed_names() {
    let server = NatsServer::start().await;
    let folder = Folder::new();
    let allowed = [
        "prometheus.example",
        "ops@example.com",
        "10.1.2.3",
        "spiffe://example/prometheus",
    ];
    let list: Vec<String> = allowed.iter().map(|name| format!("    - {name}\n")).collect();
    let tls =
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans:\n";
    folder.configure(&format!("{tls}{}", list.concat()), "");
    let mut collector = folder.collector(&server).await;
    for name in allowed {
        folder.put(
            "client",
            &folder.authority.client_called(&["other.example", name]),
        );
        let curled = folder.curl(collector.url(), Some("client"), &[]).await;
        assert!(is_served(&curled), "{name}: {curled:?}");
    }
    for names in [
        &["other.example", "sub.prometheus.example"][..],
        &["10.1.2.4"],
        &[],
    ] {
        folder.put("client", &folder.authority.client_called(names));
        let curled = folder.curl(collector.url(), Some("client"), &[]).await;
        assert!(!is_served(&curled), "{names:?}: {curled:?}");
    }
    folder.put("client", &Authority::new("theirs").client_called(&allowed));
    assert!(!is_served(
        &folder.curl(collector.url(), Some("client"), &[]).await
    ));
    collector
        .program()
        .says(&["TLS handshake", "client_allowed_sans"])
        .await;
}

#[tokio::test]
async fn a_page_with_passwords_is_for_those_who_know_one_and_its_health_for_everyone() {
    let server = NatsServer::start().await;
    let folder = Folder::new();
    let headers = "http_server_config:\n  headers:\n    X-Content-Type-Options: nosniff\n";
    folder.write(
        "web.yml",
        &format!("{headers}basic_auth_users:\n  prom: {HASH}\n"),
    );
    let collector = folder.collector(&server).await;
    let page = format!("{}/metrics", collector.url());
    for arguments in [
        &[][..],
        &["--user", "prom:wrong"],
        &["--user", "other:fakepassword"],
        &["--user", "prom:"],
    ] {
        for path in ["/metrics", "/", "/nothing", "/healthz/"] {
            let curled = curl(&format!("{}{path}", collector.url()), arguments).await;
            assert_eq!(curled.status, 401, "{path} {arguments:?}: {curled:?}");
            assert!(curled.text.contains("www-authenticate: Basic "), "{curled:?}");
            assert!(!curled.text.contains("llm_"), "{curled:?}");
        }
    }
    let curled = curl(&page, &LOGIN).await;
    assert!(
        is_served(&curled) && curled.text.contains("x-content-type-options: nosniff"),
        "{curled:?}"
    );
    for path in ["/healthz", "/readyz"] {
        let curled = curl(&format!("{}{path}", collector.url()), &[]).await;
        assert_ne!(curled.status, 401, "{path}: {curled:?}");
    }
    let page = eventually("refusals are counted", async || {
        let curled = curl(&page, &LOGIN).await;
        match curled.text.contains("llm_collector_http_unauthorized_total 16\n") {
            true => Ok(curled.text),
            false => Err(curled.text),
        }
    })
    .await;
    assert!(!page.contains(HASH));
}

#[tokio::test]
async fn a_web_configuration_is_read_again_and_a_broken_one_changes_nothing() {
    let server = NatsServer::start().await;
    let folder = Folder::new();
    let users = |name: &str| format!("basic_auth_users:\n  {name}: {HASH}\n");
    folder.configure("", &users("first"));
    let mut collector = folder.collector(&server).await;
    let url = collector.url().to_owned();
    let served = async |user: &str| {
        let login = ["--user", &format!("{user}:fakepassword")];
        is_served(&folder.curl(&url, None, &login).await)
    };
    assert!(served("first").await && !served("second").await);

    folder.configure("", &users("second"));
    eventually("the users have changed", async || {
        match served("second").await && !served("first").await {
            true => Ok(()),
            false => Err("the first is still admitted"),
        }
        .map_err(str::to_owned)
    })
    .await;

    // A certificate of another authority, in the same files.
    let renewed = Authority::new("renewed");
    folder.put("server", &renewed.server(&["127.0.0.1"]));
    folder.write("ca.pem", &renewed.pem());
    eventually("the new certificate is served", async || {
        served("second")
            .await
            .then_some(())
            .ok_or_else(|| "the old one is".to_owned())
    })
    .await;

    for (broken, expected) in [
        ("", "it is empty"),
        ("basic_auth_user: {}\n", "did you mean `basic_auth_users`?"),
        ("basic_auth_users: {second: plain-text}\n", "is not a bcrypt hash"),
        (
            "tls_server_config: {cert_file: gone.pem, key_file: server.key}\n",
            "gone.pem cannot be used",
        ),
        (
            "tls_server_config: {cert_file: server.pem, key_file: server.key, min_version: TLS10}\n",
            "write TLS12 or TLS13",
        ),
        ("a: [\n", "refused"),
    ] {
        folder.write("web.yml", broken);
        let line = collector
            .program()
            .says(&["the web configuration was refused", expected])
            .await;
        assert!(!line.contains("plain-text"), "{line}");
        assert!(served("second").await && !served("first").await, "{broken}");
    }
    folder.configure("", "");
    eventually("no password is needed", async || {
        let curled = folder.curl(&url, None, &[]).await;
        is_served(&curled)
            .then_some(())
            .ok_or_else(|| format!("{curled:?}"))
    })
    .await;
}

#[tokio::test]
async fn prometheus_scrapes_over_tls_with_a_certificate_and_a_password() {
    let test = "prometheus_scrapes_over_tls_with_a_certificate_and_a_password";
    let Some(program) = tools::program("E2E_PROMETHEUS", test) else {
        return;
    };
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["--workers", "3"]).await;
    let folder = Folder::new();
    folder.put("client", &folder.authority.client_called(&["prometheus.example"]));
    let tls = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: [prometheus.example]\n";
    folder.configure(tls, &format!("basic_auth_users:\n  prom: {HASH}\n"));
    let collector = folder.collector(&server).await;
    let path = |name: &str| text(&folder.path(name)).to_owned();
    let job = |name: &str, password: &str| {
        json!({
            "job_name": name,
            "scheme": "https",
            "basic_auth": {"username": "prom", "password": password},
            "tls_config": {"ca_file": path("ca.pem"), "cert_file": path("client.pem"), "key_file": path("client.key")},
            "static_configs": [{"targets": [collector.url().trim_start_matches("https://")]}],
        })
    };
    let prometheus =
        Prometheus::start(&program, &[job("right", "fakepassword"), job("wrong", "guess")]).await;
    for (query, expected) in [
        ("count(llm_worker_kv_blocks_active{job=\"right\"})", "3"),
        ("up{job=\"right\"}", "1"),
        ("up{job=\"wrong\"}", "0"),
        ("process_open_fds{job=\"right\"} > bool 0", "1"),
    ] {
        prometheus.gives(query, expected).await;
    }
}
