//! A NATS server as a local process.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

use super::{Wish, free_port};
use crate::eventually;

#[derive(Debug)]
pub(super) struct Process {
    program: String,
    port: u16,
    config: Option<NamedTempFile>,
    child: Child,
}

impl Process {
    pub(super) fn start(program: &str, wish: &Wish<'_>) -> (String, Self) {
        let port = wish.port.unwrap_or_else(free_port);
        let config = wish.config.map(|text| {
            let mut file = NamedTempFile::new().expect("a temporary file");
            file.write_all(text.as_bytes()).expect("writes the configuration");
            file
        });
        let child = spawn(program, port, config.as_ref());
        let process = Self {
            program: program.to_owned(),
            port,
            config,
            child,
        };
        (format!("nats://127.0.0.1:{port}"), process)
    }

    pub(super) async fn stop(&mut self) {
        self.signal(Signal::TERM);
        eventually("nats-server ended", async || match self.child.try_wait() {
            Ok(Some(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    pub(super) fn start_again(&mut self) {
        self.child = spawn(&self.program, self.port, self.config.as_ref());
    }

    pub(super) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(super) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        kill_process(pid, signal).expect("nats-server runs");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(program: &str, port: u16, config: Option<&NamedTempFile>) -> Child {
    let mut command = Command::new(program);
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]);
    if let Some(file) = config {
        command.arg("--config").arg(file.path());
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .spawn()
        .unwrap_or_else(|error| panic!("failed to start {program}: {error}"))
}
