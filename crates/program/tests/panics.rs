//! A panic is in the log, and ends the thread even where the log takes nothing.
//!
//! Panics are played in a process of their own: this test program, called again for one of its tests.

use std::fs::File;
use std::io::{Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use program::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// The exit code of a test program of which a test failed.
const FAILED: Option<i32> = Some(101);

#[test]
#[ignore = "played by the tests below"]
fn panics() {
    let _log = Log::open();
    panic!("no events yet");
}

#[test]
#[ignore = "played by the tests below"]
fn panics_with_events() {
    let log = Log::open();
    log.record(EnvFilter::new("info"), LogFormat::Json);
    panic!("with events");
}

#[test]
#[ignore = "played by the tests below"]
fn panics_behind_a_filter() {
    let log = Log::open();
    log.record(EnvFilter::new("off"), LogFormat::Text);
    panic!("filtered");
}

/// Runs one of the tests above with this stderr.
fn played(test: &str, stderr: Stdio) -> (Option<i32>, String) {
    let output = Command::new(std::env::current_exe().expect("a test program has a path"))
        .args(["--ignored", "--exact", test])
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::null())
        .stderr(stderr)
        .output()
        .expect("it can be started");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_panic_is_in_the_log_with_its_thread_and_place_whatever_the_log_is_asked_for() {
    fn check(test: &str, expected: &[&str]) {
        let (code, log) = played(test, Stdio::piped());
        assert_eq!(code, FAILED, "{log}");
        for part in expected.iter().chain(&["panics.rs:"]) {
            assert!(log.contains(part), "{part:?} is not in {log:?}");
        }
        assert_eq!(log.lines().count(), 1, "{log}");
    }
    check(
        "panics",
        &["error: thread \"panics\" panicked at", "no events yet"],
    );
    let event = [
        r#""level":"ERROR""#,
        "the program panicked: with events",
        r#""thread":"panics_with_events""#,
    ];
    check("panics_with_events", &event);
    check(
        "panics_behind_a_filter",
        &["error: thread \"panics_behind_a_filter\" panicked at", "filtered"],
    );
}

#[test]
fn a_panic_waits_for_no_reader_of_the_log() {
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("it is there");
    assert_eq!(played("panics", full.into()).0, FAILED);
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    assert_eq!(played("panics", writer.into()).0, FAILED);
    let (reader, writer) = full_stream();
    assert_eq!(played("panics", OwnedFd::from(writer).into()).0, FAILED);
    drop(reader);
}

/// A stream that takes not one more byte, and makes its writer wait.
fn full_stream() -> (UnixStream, UnixStream) {
    let (reader, mut writer) = UnixStream::pair().expect("a pair of sockets");
    writer.set_nonblocking(true).expect("a socket can be that");
    while writer.write(b"\n").is_ok() {}
    writer.set_nonblocking(false).expect("a socket can be that");
    (reader, writer)
}
