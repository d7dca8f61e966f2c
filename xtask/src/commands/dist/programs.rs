//! The programs: optimised, stripped, and linked statically with glibc, so that they run on any Linux and in an empty image.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::release::Release;
use crate::process::Processes;
use crate::workspace::Workspace;

pub(super) const PROGRAMS: [&str; 2] = ["metrics", "mock-worker"];

/// Builds them, and gives the folder where they are.
pub(super) fn build(release: &Release, workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    eprintln!("xtask: building static programs for {} ...", release.target);
    // With a target of its own the flags concern neither build scripts nor macros, which cannot be static.
    let mut build = workspace.cargo(["build", "--locked", "--profile", "dist", "--target"]);
    build.arg(&release.target).arg("--bins");
    for program in PROGRAMS {
        build.args(["--package", program]);
    }
    build
        .env("CARGO_ENCODED_RUSTFLAGS", flags(workspace).join("\x1f"))
        .env("GIT_REVISION", &release.revision)
        .env("SOURCE_DATE_EPOCH", &release.epoch);
    processes.run(&mut build)?;
    Ok(workspace.target().join(&release.target).join("dist"))
}

/// Static, and without the paths of this machine, so that the same source gives the same bytes elsewhere.
fn flags(workspace: &Workspace) -> Vec<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let renamed = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags = vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        // A program at no fixed address has thousands of addresses to adjust at its start; packed they take a tenth of the room.
        "-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned(),
        renamed(workspace.root(), "/build"),
    ];
    flags.extend(home.map(|home| renamed(&home, "/cargo")));
    if !workspace.target().starts_with(workspace.root()) {
        flags.push(renamed(workspace.target(), "/build/target"));
    }
    flags
}
