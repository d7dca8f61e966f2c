//! [`Session`]: the commands of a document, run in order as a reader would.

use std::fs;
use std::sync::LazyLock;

use protocol::Layout;
use serde_json::json;
use tempfile::TempDir;
use tests::{Collector, Micro, NatsServer, Program, TestFleet, built, eventually};
use tokio::process::Command;

use super::blocks::{Block, Document};

/// Names of the documents that exist on no test's machine, and what is there in their place.
const REPLACED: &[(&str, &str)] = &[
    ("cargo run -p mock-worker --", "mock-worker"),
    ("nats://nats:4222", "$NATS_URL"),
    ("http://etcd:2379", "http://127.0.0.1:9"),
    ("http://prometheus:9090", "http://127.0.0.1:9"),
    ("http://pushgateway:9091", "http://127.0.0.1:9"),
    ("--metrics-port 9091", "--metrics-port 0"),
    ("0.0.0.0:9091", "127.0.0.1:0"),
    ("10.0.0.5:9091", "127.0.0.1:0"),
    ("[::1]:9091", "[::1]:0"),
    ("unix:/run/", "unix:"),
    ("--duration 10m", "--duration 8s"),
    ("simulate my.toml", "simulate my.toml --duration 3s"),
];

/// Commands that are not run, each with the reason.
const LEFT_OUT: &[(&str, &str)] = &[
    ("cargo xtask ", "xtask's tests read these"),
    ("cargo install ", "it builds everything once more"),
    ("docker ", "the tests of deploy/ run images and compose"),
    (
        "kubectl ",
        "no cluster is at hand; the tests of deploy/ render the manifests",
    ),
    ("sudo", "no test changes the machine"),
    (
        "tls://nats-0:4222",
        "a secured cluster: the tests of logins have one",
    ),
    (
        "/run/secrets/nats",
        "a secured server: the tests of logins have one",
    ),
    (
        "/etc/nats/metrics.creds",
        "a secured server: the tests of logins have one",
    ),
    (
        "--drain 30s",
        "a person stops the worker meanwhile: the tests of `metrics conform` do",
    ),
];

/// The pools that are there while a session runs.
const POOLS: [&str; 5] = [
    "dynamo/my_component/my_endpoint",
    "dynamo/backend/generate",
    "dynamo-5f9c2a1b/backend/generate",
    "prod/decode/generate",
    "prod/prefill/generate",
];

/// What a program prints when it runs until it is ended.
const RUNS: [&str; 2] = ["serving", " ready "];

/// Two of these cannot run at once under one name.
const SIMULATES: [&str; 2] = ["mock-worker -- run ", "mock-worker run "];

/// `PATH` with the programs under test in front.
static PATH: LazyLock<String> = LazyLock::new(|| {
    let program = built("metrics");
    let folder = std::path::Path::new(program.as_std().get_program()).parent();
    let folder = folder.expect("a program is in a folder").display();
    format!("{folder}:{}", std::env::var("PATH").unwrap_or_default())
});

/// A NATS server with workers and services, a collector, and a folder with the files that the documents name.
pub(super) struct Session {
    server: NatsServer,
    collector: Collector,
    folder: TempDir,
    _fleet: TestFleet,
}

impl Session {
    pub(super) async fn start() -> Self {
        let server = NatsServer::start().await;
        let fleet = TestFleet::connect(&server).await;
        for (id, pool) in (7..).zip(POOLS) {
            fleet.join(&Micro::worker(pool, Layout::Hashed, Some(id)));
        }
        for service in ["orders", "billing-eu"] {
            let data = json!({"queues": {"mail": {"wait_ms": 12}}});
            fleet.join(&Micro::service(service, "i1").endpoint(&format!("{service}.create"), data));
        }
        let folder = tempfile::tempdir().expect("a folder can be made");
        fs::write(folder.path().join("web.yml"), "http_server_config: {}\n").expect("it can be written");
        let collector = Collector::watching(&server, POOLS[0], &[]).await;
        collector.has_workers(1).await;
        Self {
            server,
            collector,
            folder,
            _fleet: fleet,
        }
    }

    /// Runs a block. What runs on is ended with the block, or before another simulation takes its place, and has to end
    /// well.
    pub(super) async fn run(&self, block: &Block) -> Vec<String> {
        let mut problems = Vec::new();
        let mut running: Vec<(&str, Program)> = Vec::new();
        for (line, expected) in steps(block) {
            if LEFT_OUT.iter().any(|(part, _)| line.contains(part)) {
                continue;
            }
            let simulates = |line: &str| SIMULATES.iter().any(|part| line.contains(part));
            if simulates(line) {
                let simulations = running.extract_if(.., |(line, _)| simulates(line));
                problems.extend(interrupt(block, simulations.collect()).await);
            }
            let mut program = Program::start_leashed(line, self.command(line));
            if !runs_on(&mut program).await {
                let status = program.ended().await;
                let printed = program.log();
                if !status.success() {
                    problems.push(format!(
                        "{}: `{line}` {status}\n{}",
                        block.place,
                        printed.join("\n")
                    ));
                } else if !expected.is_empty() && shape(&printed) != shape(&expected) {
                    problems.push(format!(
                        "{}: `{line}` printed\n{}",
                        block.place,
                        printed.join("\n")
                    ));
                }
                continue;
            }
            running.push((line, program));
        }
        problems.extend(interrupt(block, running).await);
        problems
    }

    fn command(&self, line: &str) -> Command {
        let mut line = line.to_owned();
        for (name, replacement) in REPLACED {
            line = line.replace(name, replacement);
        }
        let page = self.collector.url();
        for address in [
            "http://127.0.0.1:9091",
            "http://collector:9091",
            "127.0.0.1:9091/api",
        ] {
            let path = if address.ends_with("/api") { "/api" } else { "" };
            line = line.replace(address, &format!("{page}{path}"));
        }
        if !line.contains('|') {
            // The shell becomes the program, so the status after a signal is the program's.
            line.insert_str(0, "exec env ");
        }
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &line])
            .current_dir(self.folder.path())
            .env("PATH", PATH.as_str())
            .env("NATS_URL", self.server.url());
        if !line.contains("--metrics-port") {
            shell.env("METRICS_LISTEN", "127.0.0.1:0");
        }
        shell
    }
}

/// Interrupts programs, and returns those that do not end well.
async fn interrupt(block: &Block, running: Vec<(&str, Program)>) -> Vec<String> {
    let mut problems = Vec::new();
    for (line, mut program) in running {
        program.interrupt_group();
        let status = program.ended().await;
        if !status.success() {
            problems.push(format!(
                "{}: `{line}` {status} after Ctrl-C\n{}",
                block.place,
                program.log_tail()
            ));
        }
    }
    problems
}

/// The commands of a block, each with the output that follows it in a `console`. A line that ends in a backslash goes on in
/// the next.
fn steps(block: &Block) -> Vec<(&str, Vec<String>)> {
    let mut steps: Vec<(&str, Vec<String>)> = Vec::new();
    let mut goes_on = false;
    for line in block.text.lines().filter(|line| !line.trim().is_empty()) {
        if std::mem::replace(&mut goes_on, line.ends_with('\\')) {
            continue;
        }
        match (block.language.as_str(), line.strip_prefix("$ ")) {
            ("console", Some(command)) => steps.push((command, Vec::new())),
            ("console", None) => {
                let (_, output) = steps.last_mut().expect("a console begins with a command");
                output.push(line.to_owned());
            }
            _ => steps.push((line, Vec::new())),
        }
    }
    steps
}

/// Whether a program runs until it is ended; waits until that is clear.
async fn runs_on(program: &mut Program) -> bool {
    eventually("the command ended or is ready", async || {
        if RUNS.iter().any(|part| !program.lines_with(&[part]).is_empty()) {
            return Ok(true);
        }
        if program.is_running() {
            return Err(program.log_tail());
        }
        Ok(false)
    })
    .await
}

/// Output without its numbers, which differ from run to run.
fn shape(lines: &[String]) -> Vec<String> {
    let mut shape = Vec::new();
    for line in lines {
        let mut kept = String::new();
        for c in line.chars() {
            let number = c.is_ascii_digit() || c == '.';
            if !number {
                kept.push(c);
            } else if !kept.ends_with('0') {
                kept.push('0');
            }
        }
        shape.push(kept);
    }
    shape
}

/// Panics where a list above names something that no document has any more.
pub(super) fn no_exception_is_stale(documents: &[Document]) {
    let lines: Vec<&str> = documents
        .iter()
        .flat_map(|document| document.written_in(&["sh", "console"]))
        .flat_map(steps)
        .map(|(line, _)| line)
        .collect();
    for (part, _) in LEFT_OUT.iter().chain(REPLACED) {
        assert!(
            lines.iter().any(|line| line.contains(part)),
            "no command has `{part}`: remove it from the test"
        );
    }
}
