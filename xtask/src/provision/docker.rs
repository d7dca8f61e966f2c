//! A NATS image: present, else pulled, else built `FROM scratch` from the pinned binary.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::nats_server;
use super::wheel::VERSION;
use crate::process::{Interrupted, Processes};
use crate::workspace::Workspace;

/// The name under which the tests find the image, wherever it came from.
const IMAGE: &str = "worker-metrics/nats-server";
/// What the daemon is given to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(20);
/// An image of 10 MB; where there is no registry, the answer comes at once.
const PULL: Duration = Duration::from_secs(60);
const BUILD: Duration = Duration::from_secs(120);

const DOCKERFILE: &str = r#"FROM scratch
COPY nats-server /nats-server
EXPOSE 4222 8222
ENTRYPOINT ["/nats-server"]
"#;

/// The image, made if need be.
pub(crate) fn image(workspace: &Workspace, processes: &Processes) -> Result<String> {
    let without_pull = match ready_image(processes) {
        Ok(name) => return Ok(name),
        Err(error) if error.is::<Interrupted>() || error.is::<NoDaemon>() => return Err(error),
        Err(error) => error,
    };
    eprintln!("xtask: Docker: {without_pull:#}; building the image ...");
    let name = name();
    let binary = nats_server::pinned_binary(workspace, processes)?;
    let context = tempfile::tempdir_in(workspace.tools()).context("failed to make a folder for the image")?;
    fs::copy(&binary, context.path().join("nats-server")).context("failed to copy nats-server")?;
    fs::write(context.path().join("Dockerfile"), DOCKERFILE).context("failed to write a Dockerfile")?;
    let mut build = docker(["build", "--tag", &name]);
    processes.capture(build.arg(context.path()), BUILD)?;
    eprintln!("xtask: Docker: built {name}");
    Ok(name)
}

/// The image, if the daemon has it or a registry gives it.
pub(crate) fn ready_image(processes: &Processes) -> Result<String> {
    let mut ask = docker(["version", "--format", "{{.Server.Version}}"]);
    let version = match processes.capture(&mut ask, ANSWER) {
        Ok(version) => version,
        Err(error) if error.is::<Interrupted>() => return Err(error),
        Err(error) => return Err(error.context(NoDaemon)),
    };
    let name = name();
    if processes
        .capture(&mut docker(["image", "inspect", &name]), ANSWER)
        .is_ok()
    {
        eprintln!("xtask: Docker: {name} is present (engine {})", version.trim());
        return Ok(name);
    }
    let official = format!("nats:{VERSION}");
    eprintln!("xtask: Docker: pulling {official} ...");
    processes.capture(&mut docker(["pull", "--quiet", &official]), PULL)?;
    processes.capture(&mut docker(["tag", &official, &name]), ANSWER)?;
    eprintln!("xtask: Docker: {name} is {official}");
    Ok(name)
}

/// A docker command.
pub(crate) fn docker<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("docker");
    command.args(args);
    command
}

fn name() -> String {
    format!("{IMAGE}:{VERSION}")
}

/// Docker is not installed, its daemon does not run, or it is not ours to use.
#[derive(Debug)]
struct NoDaemon;

impl std::fmt::Display for NoDaemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed to reach a Docker daemon")
    }
}

impl std::error::Error for NoDaemon {}
