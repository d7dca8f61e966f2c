//! Programs of Debian packages, which judge the page or are read by the collector.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::nats_server::on_path;
use crate::workspace::Workspace;

/// A program of a package, from PATH or from where `.ci/setup` unpacks it.
pub(crate) fn program(name: &str, package: &str, workspace: &Workspace) -> Result<PathBuf> {
    let unpacked = workspace.tools().join(package).join(name);
    match on_path(name) {
        Some(path) => Ok(path),
        None if unpacked.is_file() => Ok(unpacked),
        None => bail!(
            "failed to find {name}: it is neither on PATH nor at {}",
            unpacked.display()
        ),
    }
}
