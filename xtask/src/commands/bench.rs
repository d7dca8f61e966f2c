//! `cargo xtask bench`: the benches of the workspace, each with the server that it needs.

mod collector;
mod events;
mod figure;
mod page;
mod report;
mod sim;
mod sinks;
mod stage;
mod table;
mod usage;
mod web;

use anyhow::Result;
use clap::Subcommand;

use crate::process::Processes;
use crate::workspace::Workspace;

/// Run a bench, with the NATS server that it needs
///
/// What is measured is built as for a release. With NATS_URL set, that server is used instead of one of our own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench collector        the collector, next to programs that only count
  cargo xtask bench events           what it uses for each event of Dynamo 1.x
  cargo xtask bench sim              how fast mock-worker simulates and answers
  cargo xtask bench sinks            what pushing costs, next to rendering the page
  cargo xtask bench web              the page of 10,000 workers in Chromium
  cargo xtask bench sim -- --help    the flags of that bench")]
pub(crate) struct Args {
    #[command(subcommand)]
    name: Name,
}

#[derive(Debug, Subcommand)]
enum Name {
    Collector(collector::Args),
    Events(events::Args),
    Sim(sim::Args),
    Sinks(sinks::Args),
    Web(web::Args),
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    match &args.name {
        Name::Collector(args) => collector::run(args, workspace, processes),
        Name::Events(args) => events::run(args, workspace, processes),
        Name::Sim(args) => sim::run(args, workspace, processes),
        Name::Sinks(args) => sinks::run(args, workspace, processes),
        Name::Web(args) => web::run(args, workspace, processes),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    #[test]
    fn an_unknown_bench_is_answered_with_the_nearest_there_is() {
        let error = Cli::try_parse_from(["xtask", "bench", "simm"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("'sim'"), "{error}");
    }
}
