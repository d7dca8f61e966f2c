//! What is printed to stdout: a reader that has read enough ends a program quietly, and a full disk does not.

use std::fs::File;
use std::io::pipe;
use std::process::Stdio;

use tests::{NatsServer, Workers, built, eventually, served_page};

/// Runs `mock-worker` to its end with this stdout, and returns its exit code and what it wrote to stderr.
async fn ends(arguments: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let mut command = built("mock-worker");
    let child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = Box::pin(child.wait_with_output());
    let output = eventually(&format!("{arguments:?} ended"), async || Ok((&mut output).await)).await;
    let output = output.expect("its end can be waited for");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Everything that prints.
async fn every_command(mut check: impl AsyncFnMut(&[&str])) {
    let server = NatsServer::start().await;
    let _workers = Workers::start(&server, &["run", "idle"]).await;
    let page = served_page("a 1\n").await;
    for command in [
        &["--help"][..],
        &["--version"],
        &["list"],
        &["list", "--faults"],
        &["show", "steady"],
        &["check", "steady"],
        // One prints less than is written at once, and one more.
        &[
            "simulate",
            "idle",
            "--workers",
            "1",
            "--duration",
            "1s",
            "--quiet",
        ],
        &["simulate", "idle", "--duration", "100s", "--quiet"],
        &["ctl", "status", "--server", server.url()],
        &["ctl", "status", "--json", "--server", server.url()],
        &["verify", "--json", "--metrics", &page],
    ] {
        check(command).await;
    }
}

#[tokio::test]
async fn a_reader_that_has_read_enough_ends_every_command_quietly() {
    every_command(async |command| {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let (code, stderr) = ends(command, writer.into()).await;
        assert_eq!(code, Some(0), "{command:?}: {stderr}");
        assert!(
            !stderr.contains("error") && !stderr.contains("panic"),
            "{command:?}: {stderr}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_under_stdout_fails_every_command_with_the_reason() {
    every_command(async |command| {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("it is there");
        let (code, stderr) = ends(command, full.into()).await;
        assert_eq!(code, Some(1), "{command:?}: {stderr}");
        for part in ["failed to write to stdout", "No space left"] {
            assert!(stderr.contains(part), "{command:?}: {stderr}");
        }
    })
    .await;
}
