//! `cargo xtask test`: every test.

use anyhow::Result;

use super::{SCOPE, SILENCE, TESTED, build_programs, docs, test_with};
use crate::process::Processes;
use crate::provision::{Requirements, TestEnvironment};
use crate::workspace::Workspace;

/// Run every test: unit, doc, contract and integration tests
///
/// What the integration tests need from outside is provided first. Tests for which something is absent are left
/// out, and it is said which and why; `--require-tools` and `--require-docker` make that an error. The tests with a real
/// Dynamo, which come with about 220 MB from PyPI, run only with `--require-dynamo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                                     what this machine can test
  cargo xtask test --require-tools --require-docker    the same, or an error
  cargo xtask test --require-tools --require-docker --require-dynamo    everything, or an error")]
pub(crate) struct Args {
    #[command(flatten)]
    requirements: Requirements,
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let environment = TestEnvironment::provide(args.requirements, workspace, processes)?;
    eprintln!("xtask: checking that protocol builds without its features ...");
    processes.run(&mut workspace.cargo(["check", "--package", "protocol", "--no-default-features"]))?;
    build_programs(&TESTED, workspace, processes)?;
    // A list of metrics or a plot that these programs do not generate would mislead.
    docs::run(&docs::Args::CHECK, workspace, processes)?;
    eprintln!("xtask: running the tests ...");
    let mut tests = workspace.cargo(["test"]);
    let outcome = processes
        .run_tests(environment.apply(tests.args(SCOPE)), SILENCE)
        .and_then(|()| {
            // The newest release was among the tests of the workspace.
            let older = environment.dynamos.get(1..).unwrap_or_default();
            test_with(older, &[], &environment, workspace, processes)
        });
    environment.remind();
    outcome
}
