//! How a command line ends that asks for help or is wrong: as clap ends it, except that the log is not waited for, and
//! that help which could not be printed is an error. Every other failure is written in the same form.

use std::io::{IsTerminal, stderr, stdout};
use std::process::ExitCode;

use clap::Command;
use clap::error::ErrorKind;

use crate::output::print_text;
use crate::{Exit, Log, terminal};

/// Prints what was asked for, with exit code 0, or writes what is wrong to the log, with exit code 2.
#[must_use]
pub fn end(error: &clap::Error, log: &Log) -> ExitCode {
    if error.use_stderr() {
        log.lines().write_text(&rendered(error, &stderr()));
        return Exit::Wrong.into();
    }
    match print_text(&rendered(error, &stdout())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            write_failure(&error.to_string(), log);
            ExitCode::FAILURE
        }
    }
}

/// Writes why the program failed, as what is wrong with a command line is written, whatever is logged.
pub fn write_failure(reason: &str, log: &Log) {
    let title = match terminal::has_colours(&stderr()) {
        true => "\x1b[1m\x1b[31merror:\x1b[0m",
        false => "error:",
    };
    log.write_line(&format!("{title} {reason}"));
}

/// An error of the command line that is wrong with a value. Usage and flags are not shown, because they do not mend it.
pub fn invalid_value(message: &str, command: &Command) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{}\n", message.trim_end())).with_cmd(command)
}

fn rendered(error: &clap::Error, stream: &impl IsTerminal) -> String {
    if terminal::has_colours(stream) {
        error.render().ansi().to_string()
    } else {
        error.render().to_string()
    }
}
