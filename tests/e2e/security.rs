//! Servers that do not let everyone in: both programs reach them with the flags and variables of the `nats` CLI, and
//! report in plain words why they do not.

mod accounts;
mod cluster;
mod contexts;
mod harness;
mod logins;
mod permissions;
mod refusals;
mod rotation;
mod service_prefix;
mod tls;
mod tls_refusals;

use tests::{Access, Collector, Finished, NatsServer, Workers, built, finish, metrics};

use crate::TARGET;

/// A configuration in which a client has to give this user and password.
const PASSWORD_CONFIG: &str = "authorization { user: app, password: pw-correct-horse }";
const PASSWORD: &str = "pw-correct-horse";

/// Exit codes of both programs.
const USAGE: i32 = 2;
const REFUSED: i32 = 4;
const TLS: i32 = 5;
const UNREACHABLE: i32 = 7;
const LIMIT: i32 = 8;

/// A user whose password is its name.
fn login(server: &NatsServer, user: &str) -> Access {
    Access::at(&format!("nats://{user}:{user}@{}", server.address()))
}

fn workers_command(access: &Access, arguments: &[&str]) -> tokio::process::Command {
    let mut command = built("mock-worker");
    command.args(arguments);
    // Its own --seed is that of its random numbers.
    access
        .clone()
        .renamed("--seed", "--nats-seed")
        .by_flags(&mut command);
    command
}

/// Workers that get in by flags.
async fn workers(access: &Access, arguments: &[&str]) -> Workers {
    Workers::launch("", workers_command(access, arguments)).await
}

/// A collector that gets in by flags.
async fn collector(access: &Access, arguments: &[&str]) -> Collector {
    let mut command = metrics(&["--target", TARGET]);
    command.args(arguments).env("METRICS_POLL_INTERVAL", "200ms");
    access.by_flags(&mut command);
    Collector::launch(command).await
}

/// Runs a command of `metrics` that looks once and gets in by flags.
async fn look(access: &Access, arguments: &[&str]) -> Finished {
    let mut command = metrics(arguments);
    access.by_flags(&mut command);
    finish(command).await
}

/// Both programs get in, by flags as well as by environment variables, and print no secret.
async fn lets_in(kind: &str, access: &Access, secrets: &[&str]) {
    let mut command = built("mock-worker");
    command.args(["--workers", "2"]);
    access.by_environment(&mut command);
    let mut workers = Workers::launch("", command).await;

    let mut collector = collector(access, &[]).await;
    let page = collector.has_workers(2).await;
    assert_eq!(
        page.value("llm_collector_permission_violations_total", &[]),
        Some(0.0),
        "{kind}\n{page}"
    );

    let mut list = metrics(&["list", "--listen-for", "0s"]);
    access.by_environment(&mut list);
    let list = finish(list).await;
    assert_eq!(list.code, Some(0), "{kind}: {list:?}");
    assert!(list.stdout.contains("my_component"), "{kind}: {list:?}");
    let explain = look(access, &["explain", TARGET, "--listen-for", "0s"]).await;
    assert_eq!(explain.code, Some(0), "{kind}: {explain:?}");
    let status = finish(workers_command(access, &["ctl", "status"])).await;
    assert_eq!(status.code, Some(0), "{kind}: {status:?}");

    let logs = [collector.program().log(), workers.program().log()].concat();
    conceals(&format!("{logs:?} {list:?} {explain:?} {status:?}"), secrets);
}

/// A command that looks once ends with this exit code, and says all of `parts`, no cause twice, and no secret.
async fn is_refused(kind: &str, access: &Access, code: i32, parts: &[&str], secrets: &[&str]) -> Finished {
    let list = look(access, &["list", "--listen-for", "0s"]).await;
    let ctl = finish(workers_command(access, &["ctl", "status"])).await;
    for ended in [&list, &ctl] {
        assert_eq!(ended.code, Some(code), "{kind}: {}", ended.stderr);
        for part in parts {
            assert!(
                ended.stderr.contains(part),
                "{kind}: {part:?} is missing in {}",
                ended.stderr
            );
        }
        repeats_nothing(&ended.stderr);
        conceals(&format!("{ended:?}"), secrets);
    }
    list
}

#[track_caller]
fn conceals(output: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!output.contains(secret), "{secret:?} is in {output}");
    }
}

/// No line gives one cause twice, as `Connection refused (os error 111): Connection refused (os error 111)` does.
#[track_caller]
fn repeats_nothing(output: &str) {
    for line in output.lines() {
        let parts = line.split(": ").flat_map(|part| part.split("; "));
        let causes: Vec<&str> = parts.map(str::trim).filter(|part| part.len() > 8).collect();
        for (index, cause) in causes.iter().enumerate() {
            let earlier = causes[..index]
                .iter()
                .any(|other| other.ends_with(cause) || cause.ends_with(other));
            assert!(!earlier, "{cause:?} is repeated in {line}");
        }
    }
}
