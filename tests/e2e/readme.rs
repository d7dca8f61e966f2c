//! The worker of the README, built from its lines alone, as a project of its own.

use std::fs;

use rustix::process::Signal;
use tests::{Collector, NatsServer, Program, repository};
use tokio::process::Command;

/// The code block of this language below a heading.
fn block<'a>(readme: &'a str, heading: &str, language: &str) -> &'a str {
    let (_, section) = readme.split_once(&format!("\n## {heading}\n")).expect(heading);
    let (_, block) = section.split_once(&format!("```{language}\n")).expect(language);
    block.split_once("```").expect("it ends").0
}

#[tokio::test]
async fn the_worker_of_the_readme_compiles_and_is_found() {
    let root = repository();
    let readme = fs::read_to_string(root.join("README.md")).expect("it is there");
    let dependencies = block(&readme, "Write a worker", "toml");
    let package =
        "[package]\nname = \"readme-worker\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n";
    let quoted = "../worker-metrics/crates/protocol";
    assert!(dependencies.contains(quoted), "{dependencies}");
    let here = root.join("crates/protocol");
    let dependencies = dependencies.replace(quoted, here.to_str().expect("a path in UTF-8"));

    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("src")).expect("a folder");
    fs::write(
        folder.path().join("Cargo.toml"),
        format!("{package}{dependencies}"),
    )
    .expect("a file");
    let server = NatsServer::start().await;
    let code = block(&readme, "Write a worker", "rust");
    let usual = "nats://127.0.0.1:4222";
    assert!(code.contains(usual), "{code}");
    fs::write(
        folder.path().join("src/main.rs"),
        code.replace(usual, server.url()),
    )
    .expect("a file");
    // The versions of this repository, which are there without a network.
    fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("a file");

    let target = root.join("target/readme");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(&target)
        .current_dir(folder.path())
        .output()
        .await
        .expect("cargo runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );

    let mut worker = Program::start("readme-worker", Command::new(target.join("debug/readme-worker")));
    let collector = Collector::watching(&server, "dynamo/my_component/my_endpoint", &[]).await;
    let page = collector.has_workers(1).await;
    for (name, expected) in [
        ("llm_worker_request_slots_capacity", 100.0),
        ("llm_worker_requests_waiting", 0.0),
        ("llm_worker_kv_blocks_active", 42.0),
    ] {
        assert_eq!(page.value(name, &[]), Some(expected), "{name}\n{page}");
    }
    worker.signal(Signal::TERM);
    assert_eq!(worker.ended().await.code(), Some(0));
}
