//! The archive: the installed tree, for systems that are not Debian's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::release::Release;
use crate::process::Processes;

const PACK: Duration = Duration::from_secs(120);

/// Packs the tree, with the same bytes each time.
pub(super) fn pack(release: &Release, root: &Path, folder: &Path, processes: &Processes) -> Result<PathBuf> {
    let name = format!("worker-metrics-{}-{}-linux", release.version, release.machine());
    let archive = folder.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args([
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--format=ustar",
    ])
    .arg(format!("--mtime=@{}", release.epoch))
    // The files are in a folder of the archive's name.
    .arg(format!("--transform=s,^\\.,{name},"))
    // gzip writes no time when it compresses a pipe.
    .args(["--use-compress-program", "gzip -9n", "--create", "--file"])
    .arg(&archive)
    .arg("--directory")
    .arg(root)
    .arg(".");
    processes.capture(&mut tar, PACK)?;
    Ok(archive)
}
