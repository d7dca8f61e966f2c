//! Child processes that never outlive the command which started them.
//!
//! Every child leads a process group of its own, so Ctrl-C reaches xtask alone, which then ends the groups in an
//! order: SIGTERM, a bounded wait for the whole group, SIGKILL. What a child has started ends with it.

mod silence;

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long a child and what it started may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);
/// How often a condition is looked at.
const TICK: Duration = Duration::from_millis(50);

/// The user asked xtask to end: Ctrl-C, SIGTERM, or the terminal is gone.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Starts children and waits for conditions, either of which a signal cuts short.
#[derive(Debug)]
pub(crate) struct Processes {
    interrupted: Arc<AtomicBool>,
}

impl Processes {
    /// Takes over the signals that end a command.
    pub(crate) fn new() -> Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))
                .with_context(|| format!("failed to handle signal {signal}"))?;
        }
        Ok(Self { interrupted })
    }

    /// For what must be cleaned up after an interruption too.
    pub(crate) fn uninterrupted() -> Self {
        Self {
            interrupted: Arc::default(),
        }
    }

    /// Runs a command to its end, with its output shown.
    ///
    /// # Errors
    /// When it cannot be started or ends with another status than 0, and [`Interrupted`].
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        let shown = shown(command);
        let mut running = self.start(&shown, command)?;
        let status = self
            .wait(None, || running.ended())?
            .context("failed to wait without a limit")?;
        if !status.success() {
            bail!("failed to run `{shown}`: {status}");
        }
        Ok(())
    }

    /// Runs a command to its end and gives what it wrote to its standard output.
    ///
    /// # Errors
    /// Like [`Processes::run`], with what the command wrote to its standard error, and when it took longer than `limit`.
    pub(crate) fn capture(&self, command: &mut Command, limit: Duration) -> Result<String> {
        let shown = shown(command);
        // Files, unlike pipes, take any amount without a reader.
        let mut output = tempfile::tempfile().context("failed to make a temporary file")?;
        let mut errors = tempfile::tempfile().context("failed to make a temporary file")?;
        command.stdout(output.try_clone()?).stderr(errors.try_clone()?);
        let mut running = self.start(&shown, command)?;
        let Some(status) = self.wait(Some(limit), || running.ended())? else {
            bail!(
                "failed to run `{shown}`: no end after {}",
                humantime::format_duration(limit)
            );
        };
        if !status.success() {
            bail!(
                "failed to run `{shown}`: {status}: {}",
                all_of(&mut errors)?.trim()
            );
        }
        all_of(&mut output)
    }

    /// Starts a command whose output goes where the command says.
    pub(crate) fn start(&self, name: &str, command: &mut Command) -> Result<Running> {
        self.check()?;
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        Ok(Running {
            name: name.to_owned(),
            child,
            log: None,
        })
    }

    /// Starts a command whose output, all of it, goes to the file `log`.
    pub(crate) fn start_logged(&self, name: &str, command: &mut Command, log: PathBuf) -> Result<Running> {
        let file = File::create(&log).with_context(|| format!("failed to write {}", log.display()))?;
        command.stdout(file.try_clone()?).stderr(file);
        let mut running = self.start(name, command)?;
        running.log = Some(log);
        Ok(running)
    }

    /// Looks again and again until `look` gives a value; `None` when `limit` has passed before.
    ///
    /// # Errors
    /// What `look` fails with, and [`Interrupted`].
    pub(crate) fn wait<T>(
        &self,
        limit: Option<Duration>,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let start = Instant::now();
        loop {
            self.check()?;
            if let Some(value) = look()? {
                return Ok(Some(value));
            }
            if limit.is_some_and(|limit| start.elapsed() >= limit) {
                return Ok(None);
            }
            tick();
        }
    }

    fn check(&self) -> Result<()> {
        if self.interrupted.load(Ordering::SeqCst) {
            return Err(Interrupted.into());
        }
        Ok(())
    }
}

/// A child process; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    log: Option<PathBuf>,
}

impl Running {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that the process has written to its log so far.
    pub(crate) fn output(&self) -> Result<String> {
        let Some(log) = &self.log else {
            return Ok(String::new());
        };
        let bytes = std::fs::read(log).with_context(|| format!("failed to read {}", log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The status, once the process has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("failed to look after {}", self.name))
    }

    /// Ends the process and all it has started, and gives its status.
    pub(crate) fn stop(&mut self) -> Result<ExitStatus> {
        let group = Pid::from_child(&self.child);
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        // A group that is gone already is what we want: nothing to report.
        let _ = kill_process_group(group, Signal::TERM);
        let start = Instant::now();
        while self.ended()?.is_none() || test_kill_process_group(group).is_ok() {
            if start.elapsed() >= GRACE {
                let _ = kill_process_group(group, Signal::KILL);
                break;
            }
            tick();
        }
        self.child
            .wait()
            .with_context(|| format!("failed to wait for {}", self.name))
    }

    /// The last lines of the log, for a message that says why the process ended.
    pub(crate) fn last_lines(&self) -> String {
        match &self.log {
            Some(log) => last_lines_of(log),
            None => String::new(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("xtask: {error:#}");
        }
    }
}

/// Pauses until the next look at a condition.
fn tick() {
    let (_open, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(TICK);
}

fn all_of(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .context("failed to read a command's output")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn last_lines_of(log: &Path) -> String {
    const LINES: usize = 20;
    let bytes = match std::fs::read(log) {
        Ok(bytes) => bytes,
        Err(error) => return format!("(failed to read {}: {error})", log.display()),
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const SOON: Duration = Duration::from_secs(10);

    pub(super) fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failing_command_is_reported_with_its_status_and_its_words() {
        let processes = Processes::new().unwrap();
        let error = processes
            .capture(&mut sh("echo no such thing >&2; exit 3"), SOON)
            .unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("exit status: 3") && error.contains("no such thing"),
            "{error}"
        );
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended_and_named() {
        let processes = Processes::new().unwrap();
        let error = processes
            .capture(&mut sh("sleep 60"), Duration::ZERO)
            .unwrap_err();
        assert!(format!("{error:#}").contains("no end after"), "{error:#}");
    }

    #[test]
    fn what_a_child_has_started_ends_with_it() {
        let processes = Processes::new().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("sleep 60 & echo $! >{}; wait", file.path().display());
        let mut running = processes.start("shell", &mut sh(&script)).unwrap();
        let grandchild = processes
            .wait(Some(SOON), || {
                Ok(std::fs::read_to_string(file.path())?.trim().parse::<i32>().ok())
            })
            .unwrap()
            .expect("the shell starts its child");

        assert!(!running.stop().unwrap().success());

        let pid = Pid::from_raw(grandchild).unwrap();
        let gone = || Ok(rustix::process::test_kill_process(pid).is_err().then_some(()));
        processes
            .wait(Some(SOON), gone)
            .unwrap()
            .expect("the grandchild is gone");
    }

    #[test]
    fn an_interruption_cuts_a_wait_short() {
        let processes = Processes::new().unwrap();
        processes.interrupted.store(true, Ordering::SeqCst);
        let error = processes.wait(Some(SOON), || Ok(None::<()>)).unwrap_err();
        assert!(error.is::<Interrupted>(), "{error:#}");
    }

    #[test]
    fn the_log_of_a_child_gives_its_last_words() {
        let processes = Processes::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut script = sh("seq 1 30; echo goodbye >&2");
        let mut running = processes
            .start_logged("shell", &mut script, folder.path().join("log"))
            .unwrap();
        processes
            .wait(Some(SOON), || running.ended())
            .unwrap()
            .expect("the shell ends");
        let words = running.last_lines();
        assert_eq!(words.lines().count(), 20);
        assert!(words.ends_with("30\ngoodbye"), "{words}");
    }
}
