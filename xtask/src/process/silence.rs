//! Test programs that fall silent.
//!
//! One test that never ends blocks the whole run, and the output does not show which test it is. So xtask reads the output
//! as it passes it on, and after a long silence it names the tests that have not ended.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Processes, shown};

/// How long the output may remain open after the tests have ended: what a test left behind may hold it.
const LAST_LINES: Duration = Duration::from_secs(5);

impl Processes {
    /// Runs tests to their end, with their output shown, and ends them when they write nothing for `patience`.
    ///
    /// # Errors
    /// Like [`Processes::run`], and with the names of the tests that did not end.
    pub(crate) fn run_tests(&self, command: &mut Command, patience: Duration) -> Result<()> {
        let shown = shown(command);
        let mut running = self.start(&shown, command.stdout(Stdio::piped()))?;
        let output = running.child.stdout.take().context("the output is no pipe")?;
        let (lines, written) = mpsc::channel();
        let reader = thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                println!("{line}");
                // The receiver is gone once the command has been stopped.
                let _ = lines.send(line);
            }
        });
        let mut slow = Slow::default();
        let mut last = Instant::now();
        let ended = self.wait(None, || {
            for line in written.try_iter() {
                slow.read(&line);
                last = Instant::now();
            }
            match running.ended()? {
                None if last.elapsed() >= patience => Ok(Some(None)),
                None => Ok(None),
                status => Ok(Some(status)),
            }
        })?;
        let Some(status) = ended.flatten() else {
            bail!(
                "failed to run `{shown}`: it wrote nothing for {}; not ended: {}",
                humantime::format_duration(patience),
                slow.names()
            );
        };
        self.wait(Some(LAST_LINES), || Ok(reader.is_finished().then_some(())))?;
        if !status.success() {
            bail!("failed to run `{shown}`: {status}");
        }
        Ok(())
    }
}

/// The tests that run for more than a minute, as the test program names them.
#[derive(Debug, Default)]
struct Slow(BTreeSet<String>);

impl Slow {
    fn read(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test ") else {
            return;
        };
        if let Some((name, _)) = rest.split_once(" has been running for over ") {
            self.0.insert(name.to_owned());
        } else if let Some((name, _)) = rest.split_once(" ... ") {
            self.0.remove(name);
        }
    }

    fn names(&self) -> String {
        match self.0.is_empty() {
            true => "no test that is known to be slow".to_owned(),
            false => self.0.iter().cloned().collect::<Vec<_>>().join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::tests::{SOON, sh};

    #[test]
    fn tests_that_do_not_end_are_named_and_ended() {
        let script = "
            echo 'test quick ... ok'
            echo 'test slow::but_sure has been running for over 60 seconds'
            echo 'test for::ever has been running for over 60 seconds'
            echo 'test slow::but_sure ... ok'
            sleep 60";
        let processes = Processes::new().unwrap();
        let error = processes
            .run_tests(&mut sh(script), Duration::from_millis(500))
            .unwrap_err()
            .to_string();
        assert!(error.contains("not ended: for::ever"), "{error}");
    }

    #[test]
    fn tests_end_with_their_own_status() {
        let processes = Processes::new().unwrap();
        processes.run_tests(&mut sh("echo test ok"), SOON).unwrap();
        let error = processes.run_tests(&mut sh("exit 101"), SOON).unwrap_err();
        assert!(error.to_string().contains("exit status: 101"), "{error}");
    }
}
