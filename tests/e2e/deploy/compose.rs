//! `deploy/compose.yml`, as far as there are images here: NATS, workers and collector.

use std::process::Stdio;

use tests::{Page, eventually, finish, free_port, repository, tools};
use tokio::process::Command;

/// A project of its own; it is gone when this is dropped.
struct Project {
    base: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Project {
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(&self.base[0]);
        command
            .args(&self.base[1..])
            .args(arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let mut down = self.command(&["down", "--volumes", "--timeout", "5"]);
        if !down
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
        {
            eprintln!("failed to take the project down");
        }
    }
}

/// `docker compose` or its predecessor `docker-compose`, whichever there is.
async fn compose() -> Option<Vec<String>> {
    for words in [&["docker", "compose"][..], &["docker-compose"]] {
        let mut version = Command::new(words[0]);
        let version = version.args(&words[1..]).arg("version").output().await;
        if version.is_ok_and(|found| found.status.success()) {
            return Some(words.iter().map(|word| (*word).to_owned()).collect());
        }
    }
    None
}

#[tokio::test]
async fn compose_brings_up_workers_and_a_collector_that_finds_them() {
    let test = "compose_brings_up_workers_and_a_collector_that_finds_them";
    let (Some(image), Some(nats)) = (
        tools::program("E2E_IMAGE", test),
        tools::program("E2E_NATS_IMAGE", test),
    ) else {
        return;
    };
    let Some(mut base) = compose().await else {
        eprintln!("LEFT OUT: `{test}` needs docker-compose, which `.ci/setup` installs");
        return;
    };
    let port = free_port();
    let file = repository().join("deploy/compose.yml");
    base.extend(["--file".into(), file.to_string_lossy().into_owned()]);
    base.extend([
        "--project-name".into(),
        format!("worker-metrics-{}", std::process::id()),
    ]);
    let project = Project {
        base,
        variables: vec![
            ("WORKER_METRICS_IMAGE", image.to_string_lossy().into_owned()),
            ("NATS_IMAGE", nats.to_string_lossy().into_owned()),
            ("COLLECTOR_PORT", port.to_string()),
            ("SCENARIO", "steady".into()),
        ],
    };
    let started = finish(
        project
            .command(&["up", "--detach", "--no-build", "nats", "workers", "collector"])
            .into(),
    )
    .await;
    assert_eq!(started.code, Some(0), "{}", started.stderr);
    let url = format!("http://127.0.0.1:{port}/metrics");
    eventually("the page shows the workers", async || {
        let page = tests::get(&url).await.map_err(|error| error.to_string())?;
        let page = Page::parse(&page.text().await.map_err(|error| error.to_string())?);
        match page.value("llm_pool_workers", &[("state", "fresh")]) {
            Some(8.0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn prometheus_accepts_its_configuration() {
    let Some(promtool) = tools::program("E2E_PROMTOOL", "prometheus_accepts_its_configuration") else {
        return;
    };
    let mut check = Command::new(promtool);
    let file = repository().join("deploy/prometheus/prometheus.yml");
    check.args(["check", "config", "--syntax-only"]).arg(file);
    let checked = finish(check).await;
    assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
}

#[test]
fn both_dockerfiles_end_in_the_same_image() {
    let last_stage = |name: &str| -> Vec<String> {
        let text = super::text(name);
        let (_, stage) = text.rsplit_once("FROM scratch\n").expect("a stage from nothing");
        let line = |line: &str| line.replace("--from=build ", "").replace("/image/", "");
        stage.lines().map(line).collect()
    };
    assert_eq!(last_stage("Dockerfile"), last_stage("Dockerfile.prebuilt"));
}
