//! The repository's commands, as `cargo xtask COMMAND`.
//!
//! Everything with a wait, a loop or a condition is here rather than in a shell script. xtask knows no crate
//! of the workspace: it starts processes, and hands them what they need by flags and environment variables.

mod browser;
mod cli;
mod commands;
mod process;
mod provision;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::process::{Interrupted, Processes};
use crate::workspace::Workspace;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = Workspace::locate().and_then(|workspace| {
        let processes = Processes::new()?;
        cli.command.run(&workspace, &processes)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("xtask: interrupted; everything it had started is stopped");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
