//! What is written to stderr is best effort: a program outlives its reader, and does not wait for it.

use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Write, pipe};
use std::process::Stdio;

use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, kill_process};
use tests::{built, eventually, free_port, served_page};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::TARGET;

/// So often each program comes back to a server that hangs up; it logs something every time.
const ATTEMPTS: usize = 3;

#[tokio::test]
async fn a_full_disk_under_the_log_is_survived() {
    for program in ["metrics", "mock-worker"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        runs_and_ends(program, "info", full.into()).await;
    }
}

#[tokio::test]
async fn a_reader_of_the_log_that_is_gone_is_survived() {
    for program in ["metrics", "mock-worker"] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        runs_and_ends(program, "info", writer.into()).await;
    }
}

#[tokio::test]
async fn a_reader_of_the_log_that_reads_nothing_is_not_waited_for() {
    for program in ["metrics", "mock-worker"] {
        let (_reader, writer) = full_pipe();
        runs_and_ends(program, "trace", writer.into()).await;
    }
}

#[tokio::test]
async fn commands_of_a_moment_need_no_reader_of_the_log() {
    let page = served_page("a 1\n").await;
    let absent = format!("nats://127.0.0.1:{}", free_port());
    for (command, code) in [
        (&["simulate", "idle", "--duration", "2s"][..], 0),
        (&["verify", "--metrics", &page], 0),
        (&["check", "no/such/file.toml"], 2),
        (&["--no-such-flag"], 2),
        (&["ctl", "status", "--server", &absent], 7),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(exit_code(command, full.into()).await, Some(code), "{command:?}");
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        assert_eq!(exit_code(command, writer.into()).await, Some(code), "{command:?}");
        let (_reader, writer) = full_pipe();
        assert_eq!(exit_code(command, writer.into()).await, Some(code), "{command:?}");
    }
}

/// Runs `mock-worker` to its end with this stderr.
async fn exit_code(arguments: &[&str], stderr: Stdio) -> Option<i32> {
    let mut child = built("mock-worker")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let promise = format!("{arguments:?} ended");
    let ended = eventually(&promise, async || {
        child.wait().await.map_err(|error| error.to_string())
    });
    ended.await.code()
}

/// A pipe that takes not one more byte, and lets whoever writes wait.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    for size in [4096, 1] {
        let full = loop {
            if let Err(error) = writer.write(&[b'\n'; 4096][..size]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
    }
    ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// Starts the program with this stderr, sees that it works, and ends it by SIGTERM.
async fn runs_and_ends(program: &str, log: &str, stderr: Stdio) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free_port();
    let mut command: Command = built(program);
    if program == "metrics" {
        command.args(["--target", TARGET, "--metrics-port", &port.to_string()]);
    }
    let mut child = command
        .env("NATS_URL", format!("nats://{}", server.local_addr().unwrap()))
        .env("RUST_LOG", log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap();
    for attempt in 1..=ATTEMPTS {
        eventually(&format!("{program} came for the {attempt}. time"), async || {
            server.accept().await.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }
    if program == "metrics" {
        let url = format!("http://127.0.0.1:{port}/metrics");
        let page = eventually("the page was served", async || {
            tests::get(&url).await.map_err(|error| error.to_string())
        });
        assert_eq!(page.await.status(), 200);
    }
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    kill_process(pid.and_then(Pid::from_raw).expect("it still runs"), Signal::TERM).unwrap();
    let ended = eventually(&format!("{program} ended"), async || {
        child.wait().await.map_err(|error| error.to_string())
    })
    .await;
    assert_eq!(ended.code(), Some(0), "{program}");
}
