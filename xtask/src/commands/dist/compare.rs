//! The same commit, built again from nothing in another folder: does it have the same bytes?

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::release::Release;
use super::sums;
use crate::process::Processes;
use crate::workspace::Workspace;

const STEP: Duration = Duration::from_secs(60);

pub(super) fn again(
    release: &Release,
    folder: &Path,
    workspace: &Workspace,
    processes: &Processes,
) -> Result<()> {
    let copy = tempfile::tempdir().context("failed to make a folder for the second build")?;
    eprintln!("xtask: building the same again in {} ...", copy.path().display());
    let source = copy.path().join("source");
    let mut clone = Command::new("git");
    clone
        .args(["clone", "--quiet", "--no-hardlinks"])
        .arg(workspace.root())
        .arg(&source);
    processes.capture(&mut clone, STEP)?;
    let target = copy.path().join("target");
    let mut dist = workspace.cargo(["run", "--quiet", "--package", "xtask", "--", "dist", "--no-image"]);
    dist.current_dir(&source)
        .env("CARGO_TARGET_DIR", &target)
        .env("GIT_REVISION", &release.revision)
        .env("SOURCE_DATE_EPOCH", &release.epoch);
    processes.run(&mut dist)?;
    let read =
        |folder: &Path| fs::read_to_string(folder.join(sums::NAME)).context("failed to read the checksums");
    let differing = sums::different(&read(folder)?, &read(&target.join("artifacts"))?);
    if !differing.is_empty() {
        bail!(
            "failed to build the same bytes twice: {} differ; are there changes that are not committed?",
            differing.join(", ")
        );
    }
    eprintln!("xtask: both builds have the same bytes");
    Ok(())
}
