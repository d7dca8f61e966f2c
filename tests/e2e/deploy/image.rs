//! The image: run as those run it who trust nothing, on a network of its own.

use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use tests::{Authority, Files, Finished, Identity, NatsServer, Page, Setup, eventually, finish, tools};
use tokio::process::Command;

const LIMIT: u64 = 25_000_000;
/// What a container may not do.
const HARDENED: [&str; 5] = [
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
];

fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}

/// What a docker command prints.
async fn answer(arguments: &[&str]) -> String {
    let Finished { code, stdout, stderr } = finish(docker(arguments)).await;
    assert_eq!(code, Some(0), "docker {arguments:?}: {stderr}");
    stdout.trim().to_owned()
}

fn image(test: &str) -> Option<String> {
    tools::program("E2E_IMAGE", test).map(|name| name.to_string_lossy().into_owned())
}

/// A network with containers on it; both are gone when this is dropped.
struct Network {
    name: String,
    containers: Vec<String>,
}

impl Network {
    async fn create(image: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Named after the image of this run, so that it is found if the test is interrupted.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", image.replace(['/', ':'], "-"));
        answer(&["network", "create", &name]).await;
        Self {
            name,
            containers: Vec::new(),
        }
    }

    /// Starts a container, which others reach by its name, and gives its id.
    async fn start(&mut self, name: &str, options: &[&str], image: &str, arguments: &[&str]) -> String {
        let place = [
            "run",
            "--detach",
            "--network",
            &self.name,
            "--network-alias",
            name,
        ];
        let id = answer(&[&place, options, &[image], arguments].concat()).await;
        self.containers.push(id.clone());
        id
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let remove = |arguments: &[&str], names: &[String]| {
            let mut command = std::process::Command::new("docker");
            let command = command.args(arguments).args(names).stdout(Stdio::null());
            if command.status().is_ok_and(|status| !status.success()) {
                eprintln!("failed to remove {names:?}");
            }
        };
        if !self.containers.is_empty() {
            remove(&["rm", "--force", "--volumes"], &self.containers);
        }
        remove(&["network", "rm"], std::slice::from_ref(&self.name));
    }
}

#[tokio::test]
async fn the_image_is_small_and_holds_no_shell_and_no_root() {
    let test = "the_image_is_small_and_holds_no_shell_and_no_root";
    let Some(image) = image(test) else {
        return;
    };
    let size = answer(&["image", "inspect", "--format", "{{.Size}}", &image]).await;
    let size: u64 = size.parse().expect("a number");
    assert!(size < LIMIT, "{size} bytes");
    let user = answer(&["image", "inspect", "--format", "{{.Config.User}}", &image]).await;
    assert_eq!(user, "65532:65532");
    let shell = finish(docker(&["run", "--rm", "--entrypoint", "sh", &image])).await;
    assert_ne!(shell.code, Some(0), "{}", shell.stdout);
    for program in ["metrics", "mock-worker"] {
        let version = [
            "run",
            "--rm",
            "--network",
            "none",
            "--entrypoint",
            program,
            &image,
            "--version",
        ];
        assert!(answer(&version).await.starts_with(program));
    }
}

#[tokio::test]
async fn both_programs_find_nats_by_name_with_no_rights_at_all_and_end_in_good_order() {
    let test = "both_programs_find_nats_by_name_with_no_rights_at_all_and_end_in_good_order";
    let (Some(image), Some(nats)) = (image(test), tools::program("E2E_NATS_IMAGE", test)) else {
        return;
    };
    let mut network = Network::create(&image).await;
    network
        .start(
            "nats",
            &[],
            &nats.to_string_lossy(),
            &["-a", "0.0.0.0", "-p", "4222"],
        )
        .await;
    let worker = [
        &HARDENED[..],
        &[
            "--env",
            "NATS_URL=nats://nats:4222",
            "--entrypoint",
            "mock-worker",
        ],
    ]
    .concat();
    let worker = network.start("worker", &worker, &image, &[]).await;
    let published = [
        "--env",
        "NATS_URL=nats://nats:4222",
        "--env",
        "TZ=Asia/Tokyo",
        "--publish",
        "127.0.0.1::9091",
    ];
    let options = [&HARDENED[..], &published, &["--health-interval", "500ms"]].concat();
    let watched = ["--target", "*/*/*", "--poll-interval", "200ms"];
    let collector = network.start("collector", &options, &image, &watched).await;

    let address = answer(&["port", &collector, "9091/tcp"]).await;
    let url = format!("http://{address}/metrics");
    eventually("the page shows the worker", async || {
        let page = tests::get(&url).await.map_err(|error| error.to_string())?;
        let page = Page::parse(&page.text().await.map_err(|error| error.to_string())?);
        match page.value("llm_pool_workers", &[("state", "fresh")]) {
            Some(1.0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let health = ["inspect", "--format", "{{.State.Health.Status}}", &collector];
    eventually("Docker finds the collector healthy", async || {
        match answer(&health).await {
            health if health == "healthy" => Ok(()),
            health => Err(health),
        }
    })
    .await;
    let ready = answer(&["exec", &collector, "metrics", "healthcheck", "--ready"]).await;
    assert_eq!(ready, "ready");

    for (name, container) in [("collector", &collector), ("worker", &worker)] {
        // As process 1 a program gets no signal that it has no handler for.
        answer(&["stop", "--time", "20", container]).await;
        let code = answer(&["inspect", "--format", "{{.State.ExitCode}}", container]).await;
        assert_eq!(code, "0", "{name}");
    }
    let log = finish(docker(&["logs", &collector])).await.stderr;
    let first = log.lines().next().unwrap_or_default();
    let time = first.split_whitespace().next().unwrap_or_default();
    assert!(
        time.ends_with('Z'),
        "the log is in UTC in every time zone: {first}"
    );
}

#[tokio::test]
async fn a_collector_that_does_not_answer_is_unhealthy() {
    let test = "a_collector_that_does_not_answer_is_unhealthy";
    let Some(image) = image(test) else {
        return;
    };
    let asked = finish(docker(&[
        "run",
        "--rm",
        "--network",
        "none",
        &image,
        "healthcheck",
    ]))
    .await;
    assert_eq!(asked.code, Some(1), "{}", asked.stderr);
    assert!(
        asked.stderr.contains("nothing listens on 127.0.0.1:9091"),
        "{}",
        asked.stderr
    );
}

#[tokio::test]
async fn the_roots_of_tls_are_those_of_the_image() {
    let test = "the_roots_of_tls_are_those_of_the_image";
    let Some(image) = image(test) else {
        return;
    };
    let (authority, files) = (Authority::new("test authority"), Files::new());
    let Identity { certificate, key } = authority.server(&["127.0.0.1"]);
    let config = "tls { cert_file: server.pem, key_file: server.key, timeout: 5 }";
    let setup = Setup::config(config)
        .file("server.pem", certificate)
        .file("server.key", key);
    let server = NatsServer::set_up(&setup).await;
    let url = format!("tls://{}", server.address());
    let list = async |options: &[&str]| {
        let arguments = ["list", "--server", &url, "--listen-for", "0s"];
        let start = ["run", "--rm", "--network", "host"];
        finish(docker(&[&start, options, &[&*image], &arguments].concat())).await
    };

    // The public roots do not know the test's authority, and are not absent: that would be another message.
    let unknown = list(&[]).await;
    assert_eq!(unknown.code, Some(5), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("unknown"), "{}", unknown.stderr);
    let roots = files.put("ca.pem", &authority.pem());
    let mounted = format!("{roots}:/etc/ssl/certs/ca-certificates.crt:ro");
    let known = list(&["--volume", &mounted, "--user", "0:0"]).await;
    assert_eq!(
        known.code,
        Some(3),
        "connected, and there are no workers: {}",
        known.stderr
    );
}
