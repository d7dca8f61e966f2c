//! Contexts of the `nats` CLI: one by name, the selected one, and none.

use serde_json::json;
use tests::{Collector, Files, Finished, NatsServer, Setup, Workers, built, finish, metrics};
use tokio::process::Command;

use super::{PASSWORD, PASSWORD_CONFIG, conceals};
use crate::TARGET;

/// A server with a password, and a home folder with the contexts `good`, which has it, and `bad`, which is selected.
struct Home {
    server: NatsServer,
    files: Files,
    workers: Workers,
}

impl Home {
    async fn new() -> Self {
        let server = NatsServer::set_up(&Setup::config(PASSWORD_CONFIG)).await;
        let files = Files::new();
        let context = |password: &str| {
            json!({
                "description": "", "url": server.url(), "user": "app", "password": password, "token": "",
                "creds": "", "nkey": "", "cert": "", "key": "", "ca": "", "jetstream_domain": "",
            })
        };
        files.put(".config/nats/context/good.json", &context(PASSWORD).to_string());
        files.put(".config/nats/context/bad.json", &context("pw-wrong").to_string());
        files.put(".config/nats/context.txt", "bad");
        let mut command = built("mock-worker");
        command.args(["--workers", "2", "--context", "good"]);
        at_home(&mut command, &files);
        let workers = Workers::launch(server.url(), command).await;
        Self {
            server,
            files,
            workers,
        }
    }

    fn select(&self, name: &str) {
        self.files.put(".config/nats/context.txt", &format!("{name}\n"));
    }

    async fn list(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
        let mut command = metrics(&["list", "--listen-for", "0s"]);
        command.args(arguments);
        at_home(&mut command, &self.files);
        command.envs(variables.iter().copied());
        let ended = finish(command).await;
        conceals(&format!("{ended:?}"), &[PASSWORD, "pw-wrong"]);
        ended
    }
}

fn at_home(command: &mut Command, files: &Files) {
    command.env("HOME", files.path("")).env_remove("XDG_CONFIG_HOME");
}

#[tokio::test]
async fn a_context_is_named_or_selected_and_flags_and_variables_overrule_it() {
    let mut home = Home::new().await;
    home.workers.program().says(&["context", "good"]).await;
    let check = async |arguments: &[&str], variables: &[(&str, &str)], code| {
        let ended = home.list(arguments, variables).await;
        assert_eq!(
            ended.code,
            Some(code),
            "{arguments:?} {variables:?}: {}",
            ended.stderr
        );
    };
    let url = home.server.url();
    check(&["--context", "good"], &[], 0).await;
    check(&[], &[("NATS_CONTEXT", "good")], 0).await;
    check(&["--context", "good"], &[("NATS_CONTEXT", "bad")], 0).await;
    // The selected one.
    check(&[], &[], 4).await;
    home.select("good");
    check(&[], &[], 0).await;
    // What is said by a flag or a variable counts more than a field of the context.
    check(&["--context", "bad", "--password", PASSWORD], &[], 0).await;
    check(&["--context", "bad"], &[("NATS_PASSWORD", PASSWORD)], 0).await;
    // An address of the user's own leaves the selected context out.
    check(&["--server", url], &[], 4).await;
    check(&[], &[("NATS_URL", url)], 4).await;
    check(
        &[
            "--no-context",
            "--server",
            url,
            "--user",
            "app",
            "--password",
            PASSWORD,
        ],
        &[],
        0,
    )
    .await;
}

#[tokio::test]
async fn a_context_that_is_not_there_is_named_with_its_folder_and_the_nearest_one() {
    let home = Home::new().await;
    let ended = home.list(&["--context", "godo"], &[]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    for part in ["godo", ".config/nats/context", "good"] {
        assert!(
            ended.stderr.contains(part),
            "{part:?} is missing in {}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn the_collector_says_which_context_it_uses_and_where_the_folder_may_be() {
    let home = Home::new().await;
    let elsewhere = home.files.path("elsewhere");
    let context = json!({ "url": home.server.url(), "user": "app", "password": PASSWORD });
    home.files
        .put("elsewhere/nats/context/other.json", &context.to_string());
    home.files.put("elsewhere/nats/context.txt", "other");
    let mut command = metrics(&["--target", TARGET]);
    at_home(&mut command, &home.files);
    command.env("XDG_CONFIG_HOME", elsewhere);
    let mut collector = Collector::launch(command).await;
    collector.has_workers(2).await;
    collector.program().says(&["context", "other"]).await;
    conceals(&collector.program().log().join("\n"), &[PASSWORD]);
}
