//! The configuration file: what comes before what, and reloads of a running collector.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use protocol::Layout;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tests::{Collector, Micro, NatsServer, TestFleet, finish, metrics};

const SUCCESSFUL: &str = "llm_collector_config_last_reload_successful";
const RELOADS: &str = "llm_collector_config_reloads_total";

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("metrics.toml");
    fs::write(&path, text).expect("written");
    (folder, path)
}

/// Replaces a file at once, as editors and deployments do.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("written");
    fs::rename(new, path).expect("renamed");
}

/// A fleet with a worker in each of two pools.
async fn two_pools(server: &NatsServer) -> TestFleet {
    let fleet = TestFleet::connect(server).await;
    for (path, id) in [("dynamo/a/e", 1), ("dynamo/b/e", 2)] {
        fleet.join(&Micro::worker(path, Layout::Hashed, Some(id)));
    }
    fleet
}

async fn start(server: &NatsServer, config: &Path) -> Collector {
    let config = config.to_str().expect("UTF-8");
    let collector = Collector::start(server.url(), &["--config", config]).await;
    collector.has_workers(1).await;
    collector
}

fn rounds(page: &tests::Page, component: &str) -> f64 {
    page.sum("llm_collector_rounds_total", &[("dynamo_component", component)])
}

#[tokio::test]
async fn a_broken_file_is_refused_on_sighup_and_a_mended_one_brings_its_pools_while_counters_go_on() {
    let server = NatsServer::start().await;
    let _fleet = two_pools(&server).await;
    let (_folder, path) = file("target = [\"dynamo/a/e\"]\n");
    let mut collector = start(&server, &path).await;
    let page = collector.has(SUCCESSFUL, &[], 1.0).await;
    let read_at = page
        .value("llm_collector_config_last_reload_success_timestamp_seconds", &[])
        .expect("a time");

    replace(
        &path,
        "target = [\"dynamo/a/e\", \"dynamo/b\"]\npol_interval = \"1s\"\n",
    );
    collector.program().signal(Signal::HUP);
    let page = collector.has(SUCCESSFUL, &[], 0.0).await;
    assert!(
        page.value(RELOADS, &[("result", "failure")]) >= Some(1.0),
        "{page}"
    );
    for part in [
        "metrics.toml:1:",
        "metrics.toml:2:1",
        "did you mean `poll_interval`?",
    ] {
        collector.program().says(&[part]).await;
    }
    let before = collector.rounds(3).await;
    assert_eq!(
        before.sum("llm_pool_workers", &[("state", "fresh")]),
        1.0,
        "{before}"
    );

    replace(&path, "target = [\"dynamo/a/e\", \"dynamo/b/e\"]\n");
    collector.program().signal(Signal::HUP);
    let page = collector.has_workers(2).await;
    assert_eq!(page.value(SUCCESSFUL, &[]), Some(1.0), "{page}");
    assert!(
        page.value(RELOADS, &[("result", "success")]) >= Some(1.0),
        "{page}"
    );
    let again = page.value("llm_collector_config_last_reload_success_timestamp_seconds", &[]);
    assert!(again > Some(read_at), "{page}");
    assert!(
        rounds(&page, "a") >= rounds(&before, "a"),
        "its counters go on\n{page}"
    );
    assert!(
        rounds(&page, "b") < rounds(&page, "a"),
        "the other pool is new\n{page}"
    );
}

#[tokio::test]
async fn the_swap_of_a_symbolic_link_as_in_a_config_map_is_a_change() {
    let server = NatsServer::start().await;
    let _fleet = two_pools(&server).await;
    let folder = tempfile::tempdir().expect("a folder");
    let version = |name: &str, text: &str| {
        let version = folder.path().join(name);
        fs::create_dir(&version).expect("made");
        fs::write(version.join("metrics.toml"), text).expect("written");
    };
    let data = folder.path().join("..data");
    version("..2026_01_01", "target = [\"dynamo/a/e\"]\n");
    symlink("..2026_01_01", &data).expect("linked");
    let path = folder.path().join("metrics.toml");
    symlink("..data/metrics.toml", &path).expect("linked");
    let collector = start(&server, &path).await;

    version("..2026_01_02", "target = [\"dynamo/a/e\", \"dynamo/b/e\"]\n");
    let new = folder.path().join("..data_tmp");
    symlink("..2026_01_02", &new).expect("linked");
    fs::rename(new, &data).expect("renamed");
    fs::remove_dir_all(folder.path().join("..2026_01_01")).expect("removed");
    collector.has_workers(2).await;
    collector.has(SUCCESSFUL, &[], 1.0).await;
}

#[tokio::test]
async fn a_file_that_vanishes_is_refused_once_and_changes_nothing() {
    let server = NatsServer::start().await;
    let _fleet = two_pools(&server).await;
    let (_folder, path) = file("target = [\"dynamo/a/e\"]\n");
    let mut collector = start(&server, &path).await;
    fs::remove_file(&path).expect("removed");
    collector.has(SUCCESSFUL, &[], 0.0).await;
    collector
        .program()
        .says(&["failed to read the configuration file"])
        .await;
    let page = collector.rounds(8).await;
    assert_eq!(page.value(RELOADS, &[("result", "failure")]), Some(1.0), "{page}");
    assert_eq!(page.sum("llm_pool_workers", &[("state", "fresh")]), 1.0, "{page}");
}

#[tokio::test]
async fn what_can_change_does_and_what_cannot_is_named() {
    let server = NatsServer::start().await;
    let _fleet = two_pools(&server).await;
    let (_folder, path) = file("target = [\"dynamo/a/e\"]\nlog = \"info\"\n");
    let mut collector = start(&server, &path).await;
    assert!(collector.page().await.text().contains("llm_load_avg"));
    replace(
        &path,
        "target = [\"dynamo/a/e\"]\ncompat = \"off\"\nlog = \"info,metrics=trace,fleet=trace\"\nhost = \"0.0.0.0\"\nserver = \"nats://me:topsecret@other\"\nmetrics_port = 7\n",
    );
    collector.program().signal(Signal::HUP);
    let line = collector.program().says(&["restart to apply: "]).await;
    // The port and the server are set by flags, which come before the file.
    assert!(
        line.ends_with("restart to apply: host") || line.contains("restart to apply: host "),
        "{line}"
    );
    let page = collector
        .shows("upstream's names are gone", |page| {
            !page.text().contains("llm_load_avg")
        })
        .await;
    assert_eq!(page.value(SUCCESSFUL, &[]), Some(1.0), "{page}");
    assert!(!collector.program().log().join("\n").contains("topsecret"));
}

#[tokio::test]
async fn sighup_without_a_file_is_answered_and_ends_nothing() {
    let server = NatsServer::start().await;
    let _fleet = two_pools(&server).await;
    let mut collector = Collector::watching(&server, "dynamo/a/e", &[]).await;
    collector.has_workers(1).await;
    collector.program().signal(Signal::HUP);
    collector
        .program()
        .says(&["SIGHUP", "no configuration file"])
        .await;
    let page = collector.rounds(2).await;
    assert!(!page.text().contains("llm_collector_config_"), "{page}");
}

#[tokio::test]
async fn a_flag_comes_before_the_environment_and_that_before_the_file() {
    let (_folder, path) =
        file("stale_after = 2\ngone_after = 7\nqueue_target = 3\nserver = \"nats://me:topsecret@h\"\n");
    let mut command = metrics(&["--queue-target", "9", "config", "show", "--json"]);
    command
        .env("METRICS_CONFIG", &path)
        .env("METRICS_GONE_AFTER", "8")
        .env("METRICS_STALE_AFTER", "");
    let output = finish(command).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(!output.stdout.contains("topsecret"), "{output:?}");
    let shown: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let setting = |key: &str| (shown[key]["value"].clone(), shown[key]["source"]["kind"].clone());
    assert_eq!(setting("queue_target"), (9.into(), "flag".into()));
    assert_eq!(setting("gone_after"), (8.into(), "environment".into()));
    assert_eq!(
        setting("stale_after"),
        (2.into(), "file".into()),
        "an empty variable is unset"
    );
    assert_eq!(setting("http_max_connections"), (256.into(), "default".into()));
    assert_eq!(setting("server"), ("***@h".into(), "file".into()));
}

#[tokio::test]
async fn a_check_exits_with_0_or_2_and_so_does_a_start_with_a_wrong_file() {
    let (_folder, path) = file("poll_intervall = \"2s\"\n");
    let name = path.to_str().expect("UTF-8");
    for arguments in [
        &["config", "check", name][..],
        &["--config", name],
        &["list", "--config", name],
    ] {
        let output = finish(metrics(arguments)).await;
        assert_eq!(output.code, Some(2), "{output:?}");
        for part in [
            "metrics.toml:1:1",
            "unknown key `poll_intervall`",
            "did you mean `poll_interval`?",
        ] {
            assert!(output.stderr.contains(part), "{part}: {output:?}");
        }
    }
    let example = finish(metrics(&["config", "example"])).await;
    fs::write(&path, &example.stdout).expect("written");
    let output = finish(metrics(&["config", "check", name])).await;
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
}
