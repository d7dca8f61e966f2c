//! The processes that a command keeps running: started in an order, looked after, stopped in the reverse order.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::{Processes, Running};
use crate::provision::docker::docker;
use crate::provision::nats_server::Server;
use crate::workspace::Workspace;

/// How long a server may take to say its port.
const START: Duration = Duration::from_secs(30);
const NATS: &str = "nats-server";

/// Where the programs of the workspace are.
#[derive(Debug)]
pub(crate) enum Programs {
    /// Where cargo has built them.
    Built,
    /// In an image of this name.
    Image(String),
}

#[derive(Debug)]
pub(crate) struct Parts {
    /// The folder of their logs.
    logs: PathBuf,
    programs: Programs,
    running: Vec<Running>,
    /// Where the server says its port; it takes the file away itself when it ends.
    ports: Option<TempDir>,
}

impl Parts {
    /// None yet; the folder for what they will log is made.
    pub(crate) fn new(logs: PathBuf, programs: Programs) -> Result<Self> {
        fs::create_dir_all(&logs).with_context(|| format!("failed to make {}", logs.display()))?;
        eprintln!("xtask: logs are in {}", logs.display());
        Ok(Self {
            logs,
            programs,
            running: Vec::new(),
            ports: None,
        })
    }

    /// Starts the server, if it is ours to start, on a free port of the loopback; gives its URL.
    pub(crate) fn start_nats(&mut self, server: &Server, processes: &Processes) -> Result<String> {
        let log = self.logs.join("nats-server.log");
        match server {
            Server::Url(url) => Ok(url.clone()),
            Server::Binary(program) => {
                // The server takes a free port itself and writes it to a file: no other process can take it in between.
                let ports = tempfile::tempdir().context("failed to make a folder for the port")?;
                let mut command = Command::new(program);
                command
                    .args(["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir"])
                    .arg(ports.path());
                self.running
                    .push(processes.start_logged(NATS, &mut command, log)?);
                let folder = ports.path().to_owned();
                self.ports = Some(ports);
                self.wait_for_nats(processes, || Ok(url_in_ports_file(&folder)))
            }
            Server::Image(image) => {
                let name = format!("worker-metrics-nats-{}", std::process::id());
                let mut command = docker(["run", "--rm", "--name", &name, "--publish", "127.0.0.1::4222"]);
                command.args([image, "-a", "0.0.0.0", "-p", "4222"]);
                self.running
                    .push(processes.start_logged(NATS, &mut command, log)?);
                self.wait_for_nats(processes, || {
                    let mut port = docker(["port", &name, "4222/tcp"]);
                    let address = processes.capture(&mut port, START).ok();
                    Ok(address.and_then(|text| Some(format!("nats://{}", text.lines().next()?))))
                })
            }
        }
    }

    /// Starts a program of the workspace. It gets the server's URL by its environment, because a URL can hold a
    /// password and everybody can read the arguments of a process.
    pub(crate) fn start(
        &mut self,
        name: &str,
        nats_url: &str,
        args: &[&str],
        workspace: &Workspace,
        processes: &Processes,
    ) -> Result<()> {
        let mut command = match &self.programs {
            Programs::Built => Command::new(workspace.program(name)),
            Programs::Image(image) => contained(name, image),
        };
        command.args(args).env("NATS_URL", nats_url);
        let log = match self.running.iter().filter(|part| part.name() == name).count() {
            0 => format!("{name}.log"),
            others => format!("{name}-{}.log", others + 1),
        };
        self.running
            .push(processes.start_logged(name, &mut command, self.logs.join(log))?);
        Ok(())
    }

    /// # Errors
    /// When a part has ended, which none does by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        for part in &mut self.running {
            if let Some(status) = part.ended()? {
                bail!(
                    "failed to keep {} running: {status}; its last words:\n{}",
                    part.name(),
                    part.last_lines()
                );
            }
        }
        Ok(())
    }

    /// What every part logged last.
    pub(crate) fn last_words(&self) -> String {
        let words = |part: &Running| format!("--- {}\n{}", part.name(), part.last_lines());
        self.running.iter().map(words).collect::<Vec<_>>().join("\n")
    }

    /// Stops all parts, the last started first.
    ///
    /// # Errors
    /// When one of our own programs does not end as it should; the others are stopped all the same.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let mut failed = Vec::new();
        while let Some(mut part) = self.running.pop() {
            let status = part.stop()?;
            // How a NATS server ends differs between its versions, and by way of Docker.
            if !status.success() && part.name() != NATS {
                failed.push(format!("{} ({status}): {}", part.name(), part.last_lines()));
            }
        }
        if !failed.is_empty() {
            bail!("failed to stop in good order: {}", failed.join("\n"));
        }
        Ok(())
    }

    fn wait_for_nats(
        &mut self,
        processes: &Processes,
        mut look: impl FnMut() -> Result<Option<String>>,
    ) -> Result<String> {
        let url = processes.wait(Some(START), || {
            self.check()?;
            look()
        })?;
        let url = url.with_context(|| format!("failed to start NATS in time\n{}", self.last_words()))?;
        eprintln!("xtask: NATS runs at {url}");
        Ok(url)
    }
}

/// A program in a container that may do nothing but use the network, which is this machine's.
fn contained(program: &str, image: &str) -> Command {
    let name = format!("worker-metrics-{program}-{}", std::process::id());
    let mut command = docker(["run", "--rm", "--name", &name, "--network", "host"]);
    command
        .args([
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
        ])
        .args([
            "--env",
            "NATS_URL",
            "--env",
            "METRICS_LISTEN=",
            "--entrypoint",
            program,
            image,
        ]);
    command
}

/// The URL in the file that nats-server writes once it accepts connections.
fn url_in_ports_file(folder: &Path) -> Option<String> {
    let file = fs::read_dir(folder).ok()?.next()?.ok()?;
    client_url(&fs::read_to_string(file.path()).ok()?)
}

/// The first client URL of `{"nats":["nats://127.0.0.1:37475"]}`; `None` while it is half written.
fn client_url(ports: &str) -> Option<String> {
    let from = ports.find("nats://")?;
    let (url, _) = ports[from..].split_once('"')?;
    Some(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_read_from_a_whole_ports_file_only() {
        let check = |ports: &str, expected: Option<&str>| {
            assert_eq!(client_url(ports).as_deref(), expected, "{ports}");
        };
        check(
            r#"{"nats":["nats://127.0.0.1:37475"]}"#,
            Some("nats://127.0.0.1:37475"),
        );
        check(r#"{"nats":["nats://127.0.0.1:37"#, None);
        check("", None);
    }

    #[test]
    fn a_part_that_ends_by_itself_is_reported_with_its_last_words() {
        let processes = Processes::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut script = Command::new("sh");
        script.args(["-c", "echo failed to listen on 127.0.0.1:9091; exit 1"]);
        let part = processes
            .start_logged("metrics", &mut script, folder.path().join("log"))
            .unwrap();
        let mut parts = Parts::new(folder.path().to_owned(), Programs::Built).unwrap();
        parts.running.push(part);

        let look = || Ok(parts.check().err());
        let error = processes.wait(Some(START), look).unwrap().expect("the part ends");

        let error = format!("{error:#}");
        assert!(
            error.contains("metrics") && error.contains("exit status: 1"),
            "{error}"
        );
        assert!(error.contains("failed to listen on 127.0.0.1:9091"), "{error}");
    }
}
