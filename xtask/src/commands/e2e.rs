//! `cargo xtask e2e`: the integration tests alone.

use anyhow::Result;

use super::{SCOPE, TESTED, build_programs};
use crate::process::Processes;
use crate::provision::{Requirements, TestEnvironment};
use crate::workspace::Workspace;

/// Run the integration tests alone
///
/// They run on NATS servers in containers, or, without Docker, on local ones.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask e2e                            all of them
  cargo xtask e2e --require-docker           all of them, in containers or not at all
  cargo xtask e2e -- discovery               those whose name contains `discovery`
  cargo xtask e2e -- discovery --nocapture   the same, with their output")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) requirements: Requirements,
    /// Filters and flags for the test program
    #[arg(last = true, value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let environment = TestEnvironment::provide(args.requirements, workspace, processes)?;
    build_programs(&TESTED, workspace, processes)?;
    eprintln!("xtask: running the integration tests ...");
    let mut tests = workspace.cargo(["test"]);
    tests.args(SCOPE).args(["--test", "e2e", "--"]).args(&args.filter);
    let outcome = processes.run(environment.apply(&mut tests));
    environment.remind();
    outcome
}
