//! Files that `mock-worker` cannot read or write: each is named with the reason, and none is passed over in silence.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tests::{Finished, NatsServer, Program, built, eventually, finish, free_port};

async fn run(arguments: &[&str]) -> Finished {
    let mut command = built("mock-worker");
    command.args(arguments);
    finish(command).await
}

/// A file that can be opened, and takes nothing.
const FULL: &str = "/dev/full";

fn written(folder: &TempDir, name: &str, text: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("it can be written");
    path
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

#[tokio::test]
async fn a_scenario_that_is_none_is_named_by_every_command() {
    let folder = TempDir::new().expect("a folder can be made");
    for (file, reason) in [
        (written(&folder, "prose.toml", b"not a scenario"), "expected `=`"),
        (written(&folder, "empty.toml", b" \n"), "empty"),
        (written(&folder, "bytes.toml", b"\xff\xfe"), "UTF-8"),
        (
            written(&folder, "zero.toml", b"description = 'x'\nworkers = 0\n"),
            "workers is 0",
        ),
        (
            written(
                &folder,
                "metric.toml",
                b"description = 'x'\n[[expect.bound]]\nmetric = 'llm_nosuch'\nmin = 1\n",
            ),
            "llm_nosuch",
        ),
        (folder.path().join("missing.toml"), "No such file"),
        (folder.path().to_owned(), "directory"),
        (PathBuf::from("/dev/zero"), "longer than"),
    ] {
        let file = shown(&file);
        let page = "http://127.0.0.1:9/metrics";
        for command in [
            vec!["check", file],
            vec!["run", file],
            vec!["simulate", file],
            vec!["verify", "--metrics", page, "--scenario", file],
        ] {
            names_the_file(&command, file, reason).await;
        }
    }
}

/// The command ends as one with a wrong flag does, and says what is wrong with which file.
async fn names_the_file(command: &[&str], file: &str, reason: &str) {
    let ended = run(command).await;
    assert_eq!(ended.code, Some(2), "{command:?}: {ended:?}");
    for part in [file, reason] {
        assert!(
            ended.stderr.contains(part),
            "{command:?}: no {part:?} in {ended:?}"
        );
    }
    let is_plain = ended.stderr.starts_with("error: ") && !ended.stderr.contains("Usage:");
    assert!(is_plain && ended.stdout.is_empty(), "{command:?}: {ended:?}");
}

#[tokio::test]
async fn what_shows_only_when_a_scenario_is_played_is_said_of_its_file() {
    let folder = TempDir::new().expect("a folder can be made");
    let scenario =
        |name: &str, rest: &str| written(&folder, name, format!("description = 'x'\n{rest}").as_bytes());
    // Each of the two variants is possible, and both together are not.
    let variants = "[[variant]]\nselect = 'all'\nworker = { step_base = '1ns' }\n\
                    [[variant]]\nselect = 'all'\nworker = { slowdown = 0.001 }\n";
    let variants = scenario("variants.toml", variants);
    let trace = written(&folder, "odd.jsonl", b"{}\n");
    let traced = "[traffic]\nrouter = 'random'\ntrace = { file = 'odd.jsonl' }\n";
    let traced = scenario("traced.toml", traced);
    let nats = format!("nats://127.0.0.1:{}", free_port());
    for command in [&["simulate"][..], &["run", "--server", &nats]] {
        let of = |file| [command, &[file]].concat();
        names_the_file(&of(shown(&variants)), shown(&variants), "step_base is 0").await;
        names_the_file(&of(shown(&traced)), shown(&trace), "line 1").await;
        let example = [command, &["trace-azure", "--set", "traffic.trace.time_unit=ms"]].concat();
        names_the_file(&example, "azure", "times are dates").await;
    }
    names_the_file(&["check", shown(&traced)], shown(&trace), "line 1").await;
    names_the_file(&["trace", shown(&trace)], shown(&trace), "line 1").await;
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_refused_before_anything_else_is_done() {
    let folder = TempDir::new().expect("a folder can be made");
    let missing = folder.path().join("no/folder/file.jsonl");
    let trace = written(&folder, "odd.jsonl", b"{}\n");
    let (missing, trace, folder) = (shown(&missing), shown(&trace), shown(folder.path()));
    // Nothing listens there: a program that looks for NATS or a page first would say so, and wait.
    let nats = format!("nats://127.0.0.1:{}", free_port());
    let page = format!("http://127.0.0.1:{}/metrics", free_port());
    for (command, file, reason) in [
        (
            vec!["run", "idle", "--server", &nats, "--truth", missing],
            missing,
            "No such file",
        ),
        (
            vec!["run", "idle", "--server", &nats, "--truth", folder],
            folder,
            "directory",
        ),
        (
            vec!["run", "idle", "--server", &nats, "--trace", missing],
            missing,
            "No such file",
        ),
        (
            vec!["run", "idle", "--server", &nats, "--trace", trace],
            trace,
            "line 1",
        ),
        (
            vec!["simulate", "idle", "--trace", missing],
            missing,
            "No such file",
        ),
        (vec!["simulate", "idle", "--trace", trace], trace, "line 1"),
        (
            vec!["verify", "--metrics", &page, "--truth", missing],
            missing,
            "No such file",
        ),
    ] {
        names_the_file(&command, file, reason).await;
    }
}

#[tokio::test]
async fn a_truth_that_cannot_be_written_ends_the_workers_with_the_reason_whatever_is_logged() {
    let server = NatsServer::start().await;
    for log in ["info", "off"] {
        let mut command = built("mock-worker");
        command
            .args(["run", "idle", "--server", server.url(), "--truth", FULL])
            .env("RUST_LOG", log);
        let mut workers = Program::start("mock-worker", command);
        let client = server.client().await;
        // Asked again and again, for it may not have subscribed yet.
        let ended = eventually("the workers ended", async || {
            client
                .publish_with_reply("$SRV.STATS", client.new_inbox(), "".into())
                .await
                .ok();
            match workers.is_running() {
                true => Err(format!("{:?}", workers.log())),
                false => Ok(workers.ended().await),
            }
        });
        assert_eq!(ended.await.code(), Some(1), "{log}");
        workers.says(&[FULL, "No space left"]).await;
    }
}

#[tokio::test]
async fn a_trace_is_described_before_it_is_played() {
    let folder = TempDir::new().expect("a folder can be made");
    let row = |time: u64, id: u64| {
        format!(
            "{{\"timestamp\": {time}, \"input_length\": 1000, \"output_length\": 9, \"hash_ids\": [{id}, {}]}}\n",
            id + 50
        )
    };
    let rows: String = (0..40).map(|number| row(number * 500, number % 4)).collect();
    let file = written(&folder, "mooncake.jsonl", format!("{rows}{{}}\n").as_bytes());
    let described = run(&["trace", shown(&file)]).await;
    assert_eq!(described.code, Some(0), "{described:?}");
    for part in [
        "mooncake (detected)",
        "blocks of 512 tokens",
        "1 row left out that cannot be played: line 41: timestamp is missing",
        "LRU cache of blocks",
        "90.0 %",
    ] {
        assert!(described.stdout.contains(part), "no {part:?} in {described:?}");
    }
    let json = run(&["trace", shown(&file), "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        (&json["requests"], &json["reading"]["skipped"]),
        (&40.into(), &1.into())
    );
    assert_eq!(json["cache"][0]["hit_ratio"], 0.9);
    // It says the same of a trace that it plays, and that --strict refuses.
    let played = run(&["simulate", "idle", "--trace", shown(&file), "--duration", "1s"]).await;
    assert_eq!(played.code, Some(0), "{played:?}");
    assert!(
        played.stderr.contains("line 41: timestamp is missing"),
        "{played:?}"
    );
    for command in [
        vec!["trace", shown(&file), "--strict"],
        vec!["simulate", "idle", "--trace", shown(&file), "--strict"],
    ] {
        let refused = run(&command).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        for part in [shown(&file), "line 41: timestamp is missing"] {
            assert!(refused.stderr.contains(part), "no {part:?} in {refused:?}");
        }
    }
}
