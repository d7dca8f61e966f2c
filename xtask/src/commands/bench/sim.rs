//! `cargo xtask bench sim`: the simulation's own bench, which prints its own table.

mod against;

use anyhow::Result;

use super::super::parts::{Parts, Programs};
use crate::process::Processes;
use crate::provision::nats_server::{self, Server};
use crate::workspace::Workspace;

/// The package and its bench, as cargo calls them.
const TARGET: [&str; 4] = ["--package", "mock-worker", "--bench", "sim"];

/// Measure how fast mock-worker simulates and answers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also measure an earlier revision, taking turns with it, and print the ratios: a tag, a branch or a commit
    #[arg(long, value_name = "REVISION", conflicts_with = "args")]
    against: Option<String>,

    /// Arguments for the bench
    #[arg(last = true, value_name = "ARG")]
    args: Vec<String>,
}

pub(super) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    if let Some(revision) = &args.against {
        return against::run(revision, workspace, processes);
    }
    let server = nats_server::server(workspace, processes)?;
    let mut parts = Parts::new(workspace.bench(), Programs::Built)?;
    let outcome = bench(args, &server, workspace, processes, &mut parts);
    eprintln!("xtask: stopping ...");
    outcome.and(parts.stop())
}

fn bench(
    args: &Args,
    server: &Server,
    workspace: &Workspace,
    processes: &Processes,
    parts: &mut Parts,
) -> Result<()> {
    // Building takes far longer than starting a server; it is done first, so that no server idles meanwhile.
    let mut build = workspace.cargo(["bench", "--no-run"]);
    processes.run(build.args(TARGET))?;
    let url = parts.start_nats(server, processes)?;
    let mut bench = workspace.cargo(["bench"]);
    bench.args(TARGET).arg("--").args(&args.args);
    processes.run(bench.env("NATS_URL", url))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Name;
    use crate::cli::{Cli, Command};

    #[test]
    fn arguments_after_two_dashes_go_to_the_bench() {
        let cli = Cli::parse_from(["xtask", "bench", "sim", "--", "--workers", "1000"]);
        let Command::Bench(super::super::Args {
            name: Name::Sim(args),
        }) = cli.command
        else {
            panic!("not bench sim: {cli:?}")
        };
        assert_eq!(args.args, ["--workers", "1000"]);
    }
}
