//! One file per command.

pub(crate) mod demo;
pub(crate) mod e2e;
pub(crate) mod lint;
pub(crate) mod nats;
pub(crate) mod test;

use anyhow::Result;

use crate::process::Processes;
use crate::workspace::Workspace;

/// Every build selects the same features, so that no command compiles again what another has compiled.
const SCOPE: [&str; 2] = ["--workspace", "--all-features"];

/// What the integration tests start besides the programs, and themselves, so that one build makes all of it.
const TESTED: [&str; 4] = ["--example", "minimal_worker", "--test", "e2e"];

/// Builds the programs of the workspace, with `more` for cargo.
fn build_programs(more: &[&str], workspace: &Workspace, processes: &Processes) -> Result<()> {
    eprintln!("xtask: building metrics and mock-worker ...");
    let mut build = workspace.cargo(["build"]);
    build
        .args(SCOPE)
        .args(["--bin", "metrics", "--bin", "mock-worker"])
        .args(more);
    processes.run(&mut build)
}
