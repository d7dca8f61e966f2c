//! `cargo xtask bench`: a bench of the workspace, with the server that it needs.

use anyhow::Result;
use clap::ValueEnum;

use super::parts::Parts;
use crate::process::Processes;
use crate::provision::nats_server;
use crate::workspace::Workspace;

/// Run a bench, with a NATS server beside it
///
/// The bench is built as for a release, finds the server by NATS_URL and prints its own table. The server is stopped
/// at the end. With NATS_URL set already, that server is used.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench sim              how fast mock-worker simulates and answers
  cargo xtask bench sim -- --help    what the bench itself can be told")]
pub(crate) struct Args {
    /// Which one
    name: Name,
    /// Arguments for the bench
    #[arg(last = true, value_name = "ARG")]
    args: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The simulation of mock-worker
    Sim,
}

impl Name {
    /// The package and its bench, as cargo calls them.
    fn target(self) -> [&'static str; 4] {
        match self {
            Self::Sim => ["--package", "mock-worker", "--bench", "sim"],
        }
    }
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let server = nats_server::server(workspace, processes)?;
    let mut parts = Parts::new(workspace.bench())?;
    let outcome = bench(args, &server, workspace, processes, &mut parts);
    eprintln!("xtask: stopping ...");
    outcome.and(parts.stop())
}

fn bench(
    args: &Args,
    server: &nats_server::Server,
    workspace: &Workspace,
    processes: &Processes,
    parts: &mut Parts,
) -> Result<()> {
    // Building takes far longer than starting a server; it is done first, so that nothing idles beside it.
    let mut build = workspace.cargo(["bench", "--no-run"]);
    processes.run(build.args(args.name.target()))?;
    let url = parts.start_nats(server, processes)?;
    let mut bench = workspace.cargo(["bench"]);
    bench.args(args.name.target()).arg("--").args(&args.args);
    processes.run(bench.env("NATS_URL", url))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn arguments_after_two_dashes_go_to_the_bench() {
        let cli = Cli::parse_from(["xtask", "bench", "sim", "--", "--workers", "1000"]);
        let Command::Bench(args) = cli.command else {
            panic!("not bench: {cli:?}")
        };
        assert_eq!(args.name, Name::Sim);
        assert_eq!(args.args, ["--workers", "1000"]);
    }

    #[test]
    fn an_unknown_bench_is_answered_with_those_there_are() {
        let error = Cli::try_parse_from(["xtask", "bench", "simm"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("possible values: sim"), "{error}");
    }
}
