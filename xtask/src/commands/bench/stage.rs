//! The programs that a measurement needs, each started as a user starts it.

use std::env;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{Processes, Running};
use crate::workspace::Workspace;

/// Variables by which the user's own environment would change what the programs do.
const FOREIGN_PREFIXES: [&str; 3] = ["METRICS_", "MOCK_WORKER_", "RUST_LOG"];
/// How long `--help` may take.
const HELP: Duration = Duration::from_secs(10);
/// A cap that no page reaches.
const NO_CAP: [&str; 2] = ["--max-series", "10000000"];

/// Starts programs against one NATS server.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) processes: &'a Processes,
    workspace: &'a Workspace,
    nats_url: String,
    has_cap: bool,
}

impl<'a> Stage<'a> {
    pub(super) fn new(workspace: &'a Workspace, processes: &'a Processes, nats_url: String) -> Result<Self> {
        let mut help = Command::new(workspace.release_program("metrics"));
        let help = processes.capture(help.arg("--help"), HELP)?;
        Ok(Self {
            processes,
            workspace,
            nats_url,
            has_cap: help.contains(NO_CAP[0]),
        })
    }

    /// The simulator, with idle workers whose ids begin at 1.
    pub(super) fn simulator(&self, workers: u32) -> Result<Running> {
        let workers = workers.to_string();
        let line = ["run", "fleet-10k", "--workers", &workers, "--request-rate", "0"];
        self.start("mock-worker", &[&line[..], &["--first-id", "1"]].concat())
    }

    /// The simulator with a request a second for each worker, so that their figures differ from round to round.
    pub(super) fn loaded(&self, workers: u32) -> Result<Running> {
        let workers = workers.to_string();
        let line = ["run", "fleet-10k", "--workers", &workers, "--repeat"];
        self.start(
            "mock-worker",
            &[&line[..], &["--seed", "42", "--first-id", "1"]].concat(),
        )
    }

    /// The collector with its default settings, except that no series is left out; gives the port of its page.
    pub(super) fn collector(&self, targets: &[String], flags: &[String]) -> Result<(Running, u16)> {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .context("failed to find a free port")?
            .port();
        let port_text = port.to_string();
        let mut line = vec!["--metrics-port", &port_text];
        for target in targets {
            line.extend(["--target", target]);
        }
        line.extend(flags.iter().map(String::as_str));
        if self.has_cap {
            line.extend(NO_CAP);
        }
        Ok((self.start("metrics", &line)?, port))
    }

    /// One of the programs that the collector is compared with.
    pub(super) fn yardstick(&self, line: &[&str]) -> Result<Running> {
        self.start("yardstick", line)
    }

    /// Waits until a yardstick has ended well; gives what it printed.
    pub(super) fn finish(&self, mut yardstick: Running, limit: Duration) -> Result<Vec<Value>> {
        let ended = self.processes.wait(Some(limit), || yardstick.ended())?;
        match ended {
            Some(status) if status.success() => Ok(json_lines(&yardstick.output()?)),
            Some(_) => bail!("{}", last_line(&yardstick.output()?)),
            None => bail!("no end of {} after {limit:?}", yardstick.name()),
        }
    }

    /// Waits until a yardstick says that it is ready, and gives the line in which it does.
    pub(super) fn ready(&self, yardstick: &mut Running, limit: Duration) -> Result<Value> {
        let ready = self.processes.wait(Some(limit), || {
            if yardstick.ended()?.is_some() {
                bail!("{}", last_line(&yardstick.output()?));
            }
            let lines = json_lines(&yardstick.output()?);
            Ok(lines.into_iter().find(|line| line["ready"] == true))
        })?;
        ready.with_context(|| format!("{} is not ready after {limit:?}", yardstick.name()))
    }

    fn start(&self, program: &str, line: &[&str]) -> Result<Running> {
        let mut command = Command::new(self.workspace.release_program(program));
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if FOREIGN_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        // By the environment, because a URL can hold a password and arguments are public.
        command.args(line).env("NATS_URL", &self.nats_url);
        let command_name = line.first().filter(|_| program == "yardstick");
        let log = match command_name {
            Some(name) => format!("{program}-{name}.log"),
            None => format!("{program}.log"),
        };
        self.processes
            .start_logged(program, &mut command, self.workspace.bench().join(log))
    }
}

/// The lines that are JSON objects; a half-written one is none.
fn json_lines(text: &str) -> Vec<Value> {
    let objects = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    objects.filter(Value::is_object).collect()
}

fn last_line(text: &str) -> String {
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    line.unwrap_or("it ended without a word").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_objects_are_passed_over() {
        let lines = json_lines("{\"ready\":true}\nwarning\n7\n{\"messages\":3}\n{\"mess");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["messages"], 3);
    }

    #[test]
    fn the_last_line_that_says_something_is_the_reason() {
        assert_eq!(last_line("a\nb\n\n"), "b");
        assert_eq!(last_line(""), "it ended without a word");
    }
}
