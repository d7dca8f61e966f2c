//! A program under test: all it prints is kept, and it never outlives its test.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, kill_process_group, prlimit};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::eventually;

/// A running program.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    leads_group: bool,
}

/// What a program left behind that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status, or `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// Runs a program to its end.
///
/// # Panics
/// When it cannot be started, or does not end.
pub async fn finish(mut command: Command) -> Finished {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let shown = format!("{:?}", command.as_std());
    let mut output = Box::pin(command.output());
    let output = eventually(&format!("{shown} ended"), async || Ok((&mut output).await)).await;
    let output = output.unwrap_or_else(|error| panic!("failed to run {shown}: {error}"));
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Program {
    /// Starts a program; `name` is for messages.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self::spawn(name, command, false)
    }

    /// Starts a program that leads a process group, which ends with this value.
    ///
    /// Its stdin is a pipe into which nothing is written: the system closes it when the test's own process ends, however it
    /// ends, and the program is to end with it, as `tests/python/leashed.py` does.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_leashed(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).process_group(0);
        Self::spawn(name, command, true)
    }

    fn spawn(name: &str, mut command: Command, leads_group: bool) -> Self {
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {name}: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        keep(child.stdout.take().expect("stdout is piped"), &lines);
        keep(child.stderr.take().expect("stderr is piped"), &lines);
        Self {
            name: name.to_owned(),
            child,
            lines,
            leads_group,
        }
    }

    /// All lines it has printed so far.
    pub fn log(&self) -> Vec<String> {
        self.lines.lock().expect("no reader panics").clone()
    }

    /// The lines from the last but one that contains `part` on. A program that prints much is read from its end, because
    /// to go through all of it again and again takes the time in which a test answers.
    pub fn log_from_last_but_one(&self, part: &str) -> Vec<String> {
        let lines = self.lines.lock().expect("no reader panics");
        let mut found = (0..lines.len()).rev().filter(|at| lines[*at].contains(part));
        let from = found.nth(1).unwrap_or(0);
        lines[from..].to_vec()
    }

    /// The lines that contain every one of `parts`.
    pub fn lines_with(&self, parts: &[&str]) -> Vec<String> {
        self.log()
            .into_iter()
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .collect()
    }

    /// Waits for a line that contains every one of `parts`, and returns the first.
    pub async fn says(&mut self, parts: &[&str]) -> String {
        eventually(&format!("{} said {parts:?}", self.name), async || {
            if let Some(line) = self.lines_with(parts).into_iter().next() {
                return Ok(line);
            }
            let ended = self.child.try_wait().ok().flatten();
            Err(format!("{}, status {ended:?}", self.log_tail()))
        })
        .await
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the program has already ended.
    pub fn signal(&self, signal: Signal) {
        let pid = self
            .pid()
            .unwrap_or_else(|| panic!("{} has already ended", self.name));
        kill_process(pid, signal).unwrap_or_else(|error| panic!("failed to signal {}: {error}", self.name));
    }

    /// Sets how many files it may have open from now on, and returns how many it could have; `None` is without a limit.
    ///
    /// # Panics
    /// When the program has already ended.
    pub fn limit_open_files(&self, current: Option<u64>) -> Option<u64> {
        let pid = self
            .pid()
            .unwrap_or_else(|| panic!("{} has already ended", self.name));
        let maximum = getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit { current, maximum };
        let before = prlimit(Some(pid), Resource::Nofile, limit);
        before.expect("it is our own process").current
    }

    /// Interrupts a program that leads a process group, as Ctrl-C on a terminal does, with all that it has started.
    ///
    /// # Panics
    /// When the program has already ended.
    pub fn interrupt_group(&self) {
        let group = self
            .pid()
            .unwrap_or_else(|| panic!("{} has already ended", self.name));
        kill_process_group(group, Signal::INT)
            .unwrap_or_else(|error| panic!("failed to interrupt {}: {error}", self.name));
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually(&format!("{} ended", self.name), async || {
            match self.child.try_wait() {
                Ok(Some(status)) => Ok(status),
                Ok(None) => Err(format!("it still runs; {}", self.log_tail())),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process id, until its end was noticed.
    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()?).ok()?)
    }

    /// The end of its log, for messages.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let tail = &log[log.len().saturating_sub(40)..];
        format!("the log of {} ends:\n{}", self.name, tail.join("\n"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(group) = self.pid().filter(|_| self.leads_group) {
            // A group that has ended already is what is wanted.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

fn keep(stream: impl AsyncRead + Send + Unpin + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let kept = Arc::clone(lines);
    tokio::spawn(async move {
        let mut stream = BufReader::new(stream).split(b'\n');
        while let Ok(Some(line)) = stream.next_segment().await {
            kept.lock()
                .expect("no reader panics")
                .push(String::from_utf8_lossy(&line).into_owned());
        }
    });
}
