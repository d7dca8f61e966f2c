//! `cargo xtask e2e`: the integration tests alone.

use anyhow::Result;

use super::{SCOPE, SILENCE, TESTED, build_programs, test_with};
use crate::process::Processes;
use crate::provision::dynamo::Choice;
use crate::provision::{Requirements, TestEnvironment};
use crate::workspace::Workspace;

/// Run the integration tests alone
///
/// They run on NATS servers in containers, or, without Docker, on local ones. Those with a real Dynamo, whose mocker and
/// frontend come from PyPI, run only with `--dynamo` or `--require-dynamo`; they need about 100 MB from PyPI for each
/// release, once, and no GPU, engine or model.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask e2e                            all of them, without a real Dynamo
  cargo xtask e2e --require-docker           the same, in containers or not at all
  cargo xtask e2e --dynamo                   those with a real Dynamo alone, with its newest pinned release
  cargo xtask e2e --dynamo=all               the same, with each pinned release in turn
  cargo xtask e2e -- discovery               those whose name contains `discovery`
  cargo xtask e2e -- discovery --nocapture   the same, with their output")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) requirements: Requirements,
    /// Run the tests with a real Dynamo and no others: with the release `newest` (if none is named), `1.6.1`, `1.4.2` or
    /// `1.2.1`, or with `all` of them
    #[arg(
        long = "dynamo",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "newest",
        value_name = "RELEASE",
        conflicts_with = "dynamo"
    )]
    pub(crate) only_dynamo: Option<Choice>,
    /// Filters and flags for the test program
    #[arg(last = true, value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let environment = match args.only_dynamo {
        Some(choice) => TestEnvironment::provide_for_dynamo(choice, args.requirements, workspace, processes)?,
        None => TestEnvironment::provide(args.requirements, workspace, processes)?,
    };
    build_programs(&TESTED, workspace, processes)?;
    let outcome = run_tests(args, &environment, workspace, processes);
    environment.remind();
    outcome
}

fn run_tests(
    args: &Args,
    environment: &TestEnvironment,
    workspace: &Workspace,
    processes: &Processes,
) -> Result<()> {
    if args.only_dynamo.is_none() {
        eprintln!("xtask: running the integration tests ...");
        let mut tests = workspace.cargo(["test"]);
        tests.args(SCOPE).args(["--test", "e2e", "--"]).args(&args.filter);
        processes.run_tests(environment.apply(&mut tests), SILENCE)?;
    }
    test_with(
        &environment.dynamos,
        &args.filter,
        environment,
        workspace,
        processes,
    )
}
