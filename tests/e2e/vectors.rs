//! Other languages against `docs/vectors.json`, which the crate `protocol` writes.

use std::process::Output;

use tests::{repository, tools};
use tokio::process::Command;

async fn check(mut program: Command, script: &str) {
    let root = repository();
    program.arg(root.join(script)).arg(root.join("docs/vectors.json"));
    let Output {
        status,
        stdout,
        stderr,
        ..
    } = program.output().await.expect("it starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let count = stdout.trim().strip_suffix(" checked");
    let count: Option<u32> = count.and_then(|count| count.parse().ok());
    assert!(status.success() && count > Some(100), "{stdout}{stderr}");
}

#[tokio::test]
async fn the_worker_in_python_agrees_with_the_vectors() {
    let test = "the_worker_in_python_agrees_with_the_vectors";
    if let Some(python) = tools::program("E2E_PYTHON", test) {
        check(Command::new(python), "tests/python/vectors.py").await;
    }
}

#[tokio::test]
async fn an_implementation_in_javascript_agrees_with_the_vectors() {
    let has_node = Command::new("node").arg("--version").output().await.is_ok();
    if has_node {
        check(Command::new("node"), "tests/node/vectors.mjs").await;
    } else {
        eprintln!("LEFT OUT: an_implementation_in_javascript_agrees_with_the_vectors needs node");
    }
}
