//! The Debian package, packed by Debian's own `dpkg-deb`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::release::Release;
use crate::process::Processes;
use crate::workspace::Workspace;

const PACK: Duration = Duration::from_secs(120);
/// What is in the package next to `control`.
const SCRIPTS: [(&str, u32); 4] = [
    ("postinst", 0o755),
    ("prerm", 0o755),
    ("postrm", 0o755),
    ("conffiles", 0o644),
];

/// Packs the tree, with the same bytes each time.
pub(super) fn pack(
    release: &Release,
    root: &Path,
    folder: &Path,
    workspace: &Workspace,
    processes: &Processes,
) -> Result<PathBuf> {
    let architecture = architecture(release.machine())?;
    let control = root.join("DEBIAN");
    fs::create_dir_all(&control).context("failed to make the folder DEBIAN")?;
    let text = description(&release.version, architecture, kibibytes(root)?);
    fs::write(control.join("control"), text).context("failed to write control")?;
    for (name, mode) in SCRIPTS {
        let place = control.join(name);
        fs::copy(workspace.root().join("deploy/debian").join(name), &place)
            .and_then(|_| fs::set_permissions(&place, fs::Permissions::from_mode(mode)))
            .with_context(|| format!("failed to copy {name}"))?;
    }
    let package = folder.join(format!("worker-metrics_{}_{architecture}.deb", release.version));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"])
        .arg(root)
        .arg(&package)
        .env("SOURCE_DATE_EPOCH", &release.epoch);
    let packed = processes.capture(&mut pack, PACK);
    // The tree is that of the archive too.
    fs::remove_dir_all(&control).context("failed to remove the folder DEBIAN")?;
    packed.context("failed to make the Debian package; `dpkg-deb` comes with the package dpkg")?;
    Ok(package)
}

fn architecture(machine: &str) -> Result<&'static str> {
    match machine {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("failed to name Debian's architecture of {other}"),
    }
}

fn description(version: &str, architecture: &str, kibibytes: u64) -> String {
    format!(
        "\
Package: worker-metrics
Version: {version}
Architecture: {architecture}
Maintainer: worker-metrics <worker-metrics@localhost>
Installed-Size: {kibibytes}
Section: net
Priority: optional
Recommends: ca-certificates, systemd
Description: Prometheus metrics of inference workers and services on NATS
 metrics finds workers that speak Dynamo's wire format, and every other micro
 service on NATS, and exports their load. mock-worker simulates workers.
 Both are static programs.
"
    )
}

fn kibibytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))? {
        let entry = entry.context("failed to list a folder")?;
        let found = entry.metadata().context("failed to look at a file")?;
        sum += match found.is_dir() {
            true => kibibytes(&entry.path())?,
            false => found.len().div_ceil(1024),
        };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dpkg_reads_the_fields_of_the_package() {
        let text = description("1.2.3", "amd64", 7);
        for field in [
            "Package: worker-metrics\n",
            "Version: 1.2.3\n",
            "Architecture: amd64\n",
        ] {
            assert!(text.contains(field), "{text}");
        }
        assert!(text.ends_with('\n'));
        let long = text.split_once("Description: ").unwrap().1;
        assert!(long.lines().skip(1).all(|line| line.starts_with(' ')), "{long}");
    }

    #[test]
    fn a_machine_that_debian_names_otherwise_is_refused_until_it_is_known() {
        assert_eq!(architecture("x86_64").unwrap(), "amd64");
        assert!(architecture("riscv64gc").is_err());
    }

    #[test]
    fn a_tree_counts_each_file_in_whole_kibibytes() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), [0; 1025]).unwrap();
        fs::write(folder.path().join("c"), [0; 1]).unwrap();
        assert_eq!(kibibytes(folder.path()).unwrap(), 3);
    }
}
