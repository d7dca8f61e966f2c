//! A Python that has `nats-py`, in an environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{Interrupted, Processes};
use crate::workspace::Workspace;

/// What is installed, and the only file that may be installed under that name.
const REQUIREMENTS: &str =
    "nats-py==2.16.0 --hash=sha256:aeb1ff123966c05833d26c7df7e1d54c1c6d32b612428b21677a2e921f1fecae\n";
const STEP: Duration = Duration::from_secs(300);

/// The interpreter of the environment, which is made if need be.
pub(crate) fn interpreter(workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    let environment = workspace.tools().join("venv");
    let python = environment.join("bin").join("python");
    if is_ready(&environment, &python, processes)? {
        return Ok(python);
    }
    eprintln!("xtask: Python: making an environment with nats-py ...");
    fs::create_dir_all(workspace.tools()).context("failed to make the folder for tools")?;
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&environment);
    processes
        .capture(&mut make, STEP)
        .context("failed to make an environment for Python")?;
    let wanted = environment.join("wanted.txt");
    fs::write(&wanted, REQUIREMENTS).with_context(|| format!("failed to write {}", wanted.display()))?;
    let mut install = Command::new(&python);
    install
        .args([
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "install",
            "--no-deps",
        ])
        .args(["--only-binary=:all:", "--require-hashes", "--requirement"])
        .arg(&wanted);
    processes
        .capture(&mut install, STEP)
        .context("failed to install nats-py")?;
    // The stamp comes last: an environment without it is not finished.
    fs::rename(&wanted, stamp(&environment)).context("failed to mark the environment as finished")?;
    Ok(python)
}

/// Whether the environment holds what is wanted, and the Python it was made from is still there.
fn is_ready(environment: &Path, python: &Path, processes: &Processes) -> Result<bool> {
    if fs::read_to_string(stamp(environment)).ok().as_deref() != Some(REQUIREMENTS) {
        return Ok(false);
    }
    let mut import = Command::new(python);
    match processes.capture(import.args(["-c", "import nats.micro"]), STEP) {
        Ok(_) => Ok(true),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(_) => Ok(false),
    }
}

fn stamp(environment: &Path) -> PathBuf {
    environment.join("installed.txt")
}
