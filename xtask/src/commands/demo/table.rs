//! The table of `metrics top --once`, drawn in place on a terminal and printed now and then elsewhere.

use std::io::{IsTerminal, Write, stdout};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::termios::tcgetwinsize;

use crate::process::Processes;
use crate::workspace::Workspace;

/// How long the program may take to print it.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Table {
    attach: String,
    is_terminal: bool,
    /// Lines of the last table, where it was drawn.
    drawn: usize,
    shown: Option<Instant>,
}

impl Table {
    /// A table of the collector whose page has this port of the loopback.
    pub(crate) fn new(port: u16) -> Self {
        Self {
            attach: format!("http://127.0.0.1:{port}"),
            is_terminal: stdout().is_terminal(),
            drawn: 0,
            shown: None,
        }
    }

    /// Whether it is time to show the table again.
    pub(crate) fn is_due(&self) -> bool {
        let pause = match self.is_terminal {
            true => Duration::from_secs(1),
            false => Duration::from_secs(5),
        };
        self.shown.is_none_or(|shown| shown.elapsed() >= pause)
    }

    /// Reads the table.
    ///
    /// # Errors
    /// Where the collector does not answer.
    pub(crate) fn read(&mut self, workspace: &Workspace, processes: &Processes) -> Result<String> {
        self.shown = Some(Instant::now());
        let mut top = Command::new(workspace.program("metrics"));
        top.args(["top", "--once", "--attach", &self.attach]);
        if let (true, Ok(size)) = (self.is_terminal, tcgetwinsize(stdout())) {
            // A line that is broken by the terminal would count as two.
            top.env("COLUMNS", size.ws_col.to_string());
        }
        processes.capture(&mut top, LIMIT)
    }

    /// Shows the table in place of the one before.
    ///
    /// # Errors
    /// Where stdout takes no more.
    pub(crate) fn show(&mut self, table: &str) -> Result<()> {
        let (before, after) = match (self.is_terminal, self.drawn) {
            (false, _) => (String::new(), "\n"),
            (true, 0) => (String::new(), ""),
            // Up to the first line of the old table, and clear from there.
            (true, drawn) => (format!("\x1b[{drawn}A\x1b[J"), ""),
        };
        let mut out = stdout().lock();
        write!(out, "{before}{table}{after}")
            .and_then(|()| out.flush())
            .context("failed to write the table")?;
        self.drawn = table.lines().count();
        Ok(())
    }
}
