//! The JSON schemas of Kubernetes' resources, out of the pinned wheel of PyPI's package `kubernetes-validate`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::wheel::download_wheel;
use crate::process::Processes;
use crate::workspace::Workspace;

const VERSION: &str = "1.37.0";
const WHEEL: &str = "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9";
/// The newest release of Kubernetes that the package knows, and the oldest. Strict schemas know no unknown fields.
const RELEASES: [&str; 2] = ["v1.37.0-local-strict", "v1.25.0-local-strict"];

/// The folder with a folder for each release.
pub(super) fn schemas(workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    let tools = workspace.tools();
    let folder = tools.join(format!("kubernetes-schemas-{VERSION}"));
    if folder.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&tools).with_context(|| format!("failed to make {}", tools.display()))?;
    eprintln!("xtask: Kubernetes: downloading the schemas from PyPI (23 MB) ...");
    let download = tempfile::tempdir_in(&tools).context("failed to make a folder for the download")?;
    let package = format!("kubernetes-validate=={VERSION}");
    let wheel = download_wheel(&package, "any", WHEEL, download.path(), processes)?;
    // Renamed at the end: a folder of this name is complete.
    let unpacked = tempfile::tempdir_in(&tools).context("failed to make a folder for the schemas")?;
    for release in RELEASES {
        unpack(&wheel, release, unpacked.path())?;
    }
    fs::rename(unpacked.keep(), &folder).with_context(|| format!("failed to make {}", folder.display()))?;
    Ok(folder)
}

fn unpack(wheel: &Path, release: &str, to: &Path) -> Result<()> {
    let file = File::open(wheel).with_context(|| format!("failed to open {}", wheel.display()))?;
    let mut archive = zip::ZipArchive::new(file).context("failed to read the wheel")?;
    let prefix = format!("kubernetes_validate/kubernetes-json-schema/{release}/");
    fs::create_dir_all(to.join(release)).context("failed to make a folder for a release")?;
    for index in 0..archive.len() {
        let mut schema = archive.by_index(index).context("failed to read the wheel")?;
        let name = schema
            .name()
            .context("failed to read a name in the wheel")?
            .into_owned();
        let Some(file) = name.strip_prefix(&prefix).filter(|file| file.ends_with(".json")) else {
            continue;
        };
        let place = to.join(release).join(file);
        let mut written =
            File::create(&place).with_context(|| format!("failed to write {}", place.display()))?;
        io::copy(&mut schema, &mut written).with_context(|| format!("failed to unpack {name}"))?;
    }
    Ok(())
}
