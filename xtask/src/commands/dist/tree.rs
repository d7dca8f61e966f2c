//! The files of a package, each where it is installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::programs::PROGRAMS;
use crate::process::Processes;
use crate::workspace::Workspace;

const ANSWER: Duration = Duration::from_secs(60);

/// Where each shell of Debian looks for completions; `*` is the program.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/*"),
    ("fish", "usr/share/fish/vendor_completions.d/*.fish"),
    ("zsh", "usr/share/zsh/vendor-completions/_*"),
];

/// Files of the repository, and where they are installed.
const COPIED: [(&str, &str); 6] = [
    (
        "deploy/systemd/metrics.service",
        "usr/lib/systemd/system/metrics.service",
    ),
    (
        "deploy/systemd/metrics.sysusers",
        "usr/lib/sysusers.d/metrics.conf",
    ),
    ("deploy/systemd/metrics.default", "etc/default/metrics"),
    ("docs/metrics.toml", "usr/share/doc/worker-metrics/metrics.toml"),
    ("README.md", "usr/share/doc/worker-metrics/README.md"),
    ("LICENSE", "usr/share/doc/worker-metrics/copyright"),
];

/// Makes the tree in the folder `root`: the programs, what they say of themselves, and what runs them.
pub(super) fn plant(root: &Path, built: &Path, workspace: &Workspace, processes: &Processes) -> Result<()> {
    for program in PROGRAMS {
        let installed = root.join("usr/bin").join(program);
        put(
            &fs::read(built.join(program)).context("failed to read a program")?,
            &installed,
            0o755,
        )?;
        for (shell, place) in SHELLS {
            let mut ask = pure(&installed);
            let script = processes.capture(ask.args(["completions", shell]), ANSWER)?;
            put(script.as_bytes(), &root.join(place.replace('*', program)), 0o644)?;
        }
        let pages = tempfile::tempdir().context("failed to make a folder for manual pages")?;
        processes.run(pure(&installed).arg("man").arg(pages.path()))?;
        for page in listed(pages.path())? {
            let name = page.file_name().unwrap_or_default();
            let place = root.join("usr/share/man/man1").join(name);
            put(
                &fs::read(&page).context("failed to read a manual page")?,
                &place,
                0o644,
            )?;
        }
    }
    for (from, to) in COPIED {
        let from = workspace.root().join(from);
        let bytes = fs::read(&from).with_context(|| format!("failed to read {}", from.display()))?;
        put(&bytes, &root.join(to), 0o644)?;
    }
    Ok(())
}

/// The program without the user's variables, which would be shown as values.
fn pure(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command
}

fn put(bytes: &[u8], place: &Path, mode: u32) -> Result<()> {
    let folder = place.parent().unwrap_or(place);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(place, bytes))
        .and_then(|()| fs::set_permissions(place, fs::Permissions::from_mode(mode)))
        .with_context(|| format!("failed to write {}", place.display()))
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?;
    entries
        .map(|entry| Ok(entry.context("failed to list a folder")?.path()))
        .collect()
}
