//! `cargo xtask lint`: what must hold before the tests run.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::process::{Interrupted, Processes};
use crate::tidy;
use crate::workspace::Workspace;

/// Check tidiness, formatting, clippy, rustdoc and, where installed, cargo-deny
///
/// All checks run, even when an earlier one fails, and the failed ones are named at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask lint      all checks
  cargo fmt --all       puts right what the first one finds")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let mut failed = Vec::new();
    eprintln!("xtask: lint: tidy ...");
    let untidy = tidy::untidy(workspace.root())?;
    if !untidy.is_empty() {
        eprintln!("{}", untidy.join("\n"));
        failed.push("tidy");
    }
    for (name, mut check) in checks(workspace, processes)? {
        eprintln!("xtask: lint: {name} ...");
        match processes.run(&mut check) {
            Ok(()) => {}
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => {
                eprintln!("xtask: lint: {error:#}");
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("failed to pass: {}", failed.join(", "));
    }
    eprintln!("xtask: lint: all passed");
    Ok(())
}

fn checks(workspace: &Workspace, processes: &Processes) -> Result<Vec<(&'static str, Command)>> {
    let format = workspace.cargo(["fmt", "--all", "--check"]);
    let mut clippy = workspace.cargo(["clippy", "--workspace", "--all-targets", "--all-features"]);
    clippy.args(["--", "-D", "warnings"]);
    let mut docs = workspace.cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    let mut checks = vec![("fmt", format), ("clippy", clippy), ("rustdoc", docs)];
    match processes.capture(
        &mut workspace.cargo(["deny", "--version"]),
        Duration::from_secs(20),
    ) {
        Ok(_) => checks.push(("deny", workspace.cargo(["deny", "check"]))),
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(_) => eprintln!("xtask: lint: deny is left out; `cargo install cargo-deny --locked` installs it"),
    }
    Ok(checks)
}
