//! `cargo xtask dist`: the programs as they are given to others: an archive, a Debian package, an image.

mod archive;
mod compare;
mod debian;
mod image;
mod programs;
mod release;
mod sbom;
mod sums;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::release::Release;
use crate::process::Processes;
use crate::workspace::Workspace;

/// Build what is given to others: static programs in an archive, a Debian package and an image, an SBOM and checksums
///
/// All of it is in target/artifacts. The programs are built as for a release, linked statically and stripped. The image is
/// `worker-metrics`, tagged with the version, where a Docker daemon answers.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask dist               all of it
  cargo xtask dist --no-image    without Docker
  cargo xtask dist --compare     the same twice, the second time in another folder, and an error where bytes differ")]
pub(crate) struct Args {
    /// Make no image
    #[arg(long)]
    no_image: bool,
    /// Build the last commit again, in another folder and from nothing, and fail where a file differs
    #[arg(long, conflicts_with = "no_image")]
    compare: bool,
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let release = Release::of(workspace, processes)?;
    let built = programs::build(&release, workspace, processes)?;
    let folder = pack(&release, &built, workspace, processes)?;
    if !args.no_image {
        image::build(&release, &built, workspace, processes)?;
    }
    if args.compare {
        compare::again(&release, &folder, workspace, processes)?;
    }
    Ok(())
}

/// All that a release has, for the tests: the folder of its files, and the name of its image.
pub(crate) fn all(workspace: &Workspace, processes: &Processes) -> Result<(PathBuf, String)> {
    let release = Release::of(workspace, processes)?;
    let built = programs::build(&release, workspace, processes)?;
    let folder = pack(&release, &built, workspace, processes)?;
    let image = image::build(&release, &built, workspace, processes)?;
    Ok((folder, image))
}

/// Builds programs and image, and gives the image's name.
pub(super) fn image(workspace: &Workspace, processes: &Processes) -> Result<String> {
    let release = Release::of(workspace, processes)?;
    let built = programs::build(&release, workspace, processes)?;
    image::build(&release, &built, workspace, processes)
}

/// Writes the files of a release, and gives their folder.
fn pack(release: &Release, built: &Path, workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    let folder = workspace.artifacts();
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("failed to empty {}", folder.display()))?;
    }
    let root = folder.join("root");
    tree::plant(&root, built, workspace, processes)?;
    let files = [
        archive::pack(release, &root, &folder, processes)?,
        debian::pack(release, &root, &folder, workspace, processes)?,
        sbom::write(release, &folder, workspace, processes)?,
    ];
    sums::write(&folder, &files)?;
    fs::remove_dir_all(&root).with_context(|| format!("failed to remove {}", root.display()))?;
    for file in &files {
        let size = fs::metadata(file).map_or(0, |found| found.len());
        eprintln!("xtask: wrote {} ({:.1} MB)", file.display(), size as f64 / 1e6);
    }
    Ok(folder)
}
