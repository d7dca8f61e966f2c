//! A NATS server as a local process.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::setup::{CONFIG, Setup, WEBSOCKET};
use super::{Addresses, free_port};
use crate::eventually;

#[derive(Debug)]
pub(super) struct Process {
    program: String,
    ports: Ports,
    /// With the configuration and what it names.
    folder: TempDir,
    child: Child,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    clients: u16,
    monitor: u16,
    websocket: u16,
}

impl Process {
    pub(super) fn start(program: &str, setup: &Setup) -> (Addresses, Self) {
        let ports = Ports {
            clients: setup.port.unwrap_or_else(free_port),
            monitor: free_port(),
            websocket: free_port(),
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), &setup.files);
        let local = |port| format!("127.0.0.1:{port}");
        let addresses = Addresses {
            clients: local(ports.clients),
            monitor: local(ports.monitor),
            websocket: setup.has_websocket().then(|| local(ports.websocket)),
        };
        let child = spawn(program, ports, folder.path());
        let process = Self {
            program: program.to_owned(),
            ports,
            folder,
            child,
        };
        (addresses, process)
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
        self.child = spawn(&self.program, self.ports, self.folder.path());
    }

    pub(super) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(super) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    pub(super) fn write(&self, files: &[(String, Vec<u8>)]) {
        write(self.folder.path(), files);
    }

    pub(super) fn hang_up(&self) {
        self.signal(Signal::HUP);
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

fn write(folder: &Path, files: &[(String, Vec<u8>)]) {
    for (name, content) in files {
        fs::write(folder.join(name), content)
            .unwrap_or_else(|error| panic!("failed to write {name}: {error}"));
    }
}

fn spawn(program: &str, ports: Ports, folder: &Path) -> Child {
    let mut command = Command::new(program);
    command.args(["--addr", "127.0.0.1", "--port", &ports.clients.to_string()]);
    command.args(["--http_port", &ports.monitor.to_string()]);
    if folder.join(CONFIG).exists() {
        command.args(["--config", CONFIG]);
    }
    command
        .env(WEBSOCKET, ports.websocket.to_string())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .spawn()
        .unwrap_or_else(|error| panic!("failed to start {program}: {error}"))
}
