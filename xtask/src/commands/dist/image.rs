//! The image, from the static programs. Nothing is pulled.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::programs::PROGRAMS;
use super::release::Release;
use crate::process::Processes;
use crate::provision::docker::docker;
use crate::workspace::Workspace;

const NAME: &str = "worker-metrics";
const BUILD: Duration = Duration::from_secs(300);
/// The roots of TLS, where Debian, Alpine and others keep them.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Builds the image from programs in a folder, and gives its name.
pub(super) fn build(
    release: &Release,
    built: &Path,
    workspace: &Workspace,
    processes: &Processes,
) -> Result<String> {
    let context = tempfile::tempdir().context("failed to make a folder for the image")?;
    let put = |from: &Path, name: &str| {
        fs::copy(from, context.path().join(name))
            .with_context(|| format!("failed to copy {} into the image", from.display()))
    };
    for program in PROGRAMS {
        put(&built.join(program), program)?;
    }
    put(Path::new(ROOTS), "ca-certificates.crt")
        .context("the package ca-certificates brings the roots of TLS")?;
    let name = format!("{NAME}:{}", release.version);
    let mut build = docker(["build", "--quiet", "--tag", &name, "--file"]);
    build
        .arg(workspace.root().join("deploy/Dockerfile.prebuilt"))
        .arg(context.path());
    processes
        .capture(&mut build, BUILD)
        .context("failed to build the image; `cargo xtask dist --no-image` does without Docker")?;
    eprintln!("xtask: Docker: built {name}");
    Ok(name)
}
