//! One file per command, and what several of them need.

pub(crate) mod bench;
pub(crate) mod demo;
pub(crate) mod dist;
pub(crate) mod docs;
pub(crate) mod e2e;
pub(crate) mod lint;
pub(crate) mod nats;
mod parts;
pub(crate) mod test;

use std::time::Duration;

use anyhow::Result;

use crate::process::Processes;
use crate::provision::{Dynamo, TestEnvironment};
use crate::workspace::Workspace;

/// Every build selects the same features, so that no command compiles again what another has compiled.
const SCOPE: [&str; 2] = ["--workspace", "--all-features"];

/// What the integration tests start besides the programs, and themselves, so that one build makes all of it.
const TESTED: [&str; 6] = ["--example", "full_worker", "--test", "e2e", "--test", "dynamo"];

/// Tests that write nothing for so long hang: the slowest one takes less than half of it.
const SILENCE: Duration = Duration::from_mins(15);

/// Builds the programs of the workspace, with `more` for cargo.
fn build_programs(more: &[&str], workspace: &Workspace, processes: &Processes) -> Result<()> {
    build(&["metrics", "mock-worker"], more, workspace, processes)
}

/// Builds some programs of the workspace, with `more` for cargo.
fn build(programs: &[&str], more: &[&str], workspace: &Workspace, processes: &Processes) -> Result<()> {
    eprintln!("xtask: building {} ...", programs.join(" and "));
    let mut build = workspace.cargo(["build"]);
    build.args(SCOPE);
    for program in programs {
        build.args(["--bin", program]);
    }
    processes.run(build.args(more))
}

/// Runs the tests with a real Dynamo, with one release after the other.
fn test_with(
    dynamos: &[Dynamo],
    filter: &[String],
    environment: &TestEnvironment,
    workspace: &Workspace,
    processes: &Processes,
) -> Result<()> {
    for dynamo in dynamos {
        eprintln!("xtask: running the integration tests with {} ...", dynamo.release);
        let mut tests = workspace.cargo(["test"]);
        tests.args(SCOPE).args(["--test", "dynamo", "--"]).args(filter);
        processes.run_tests(dynamo.apply(environment.apply(&mut tests)), SILENCE)?;
    }
    Ok(())
}
