//! The command line: one subcommand per file of `commands`.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::commands::{bench, demo, dist, docs, e2e, lint, nats, test};
use crate::process::Processes;
use crate::workspace::Workspace;

/// The repository's commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

// What each one does is documented with its arguments, in its own file.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Args),
    Test(test::Args),
    E2e(e2e::Args),
    Lint(lint::Args),
    Bench(bench::Args),
    Docs(docs::Args),
    Nats(nats::Args),
    Dist(dist::Args),
}

impl Command {
    pub(crate) fn run(&self, workspace: &Workspace, processes: &Processes) -> Result<()> {
        match self {
            Self::Demo(args) => demo::run(args, workspace, processes),
            Self::Test(args) => test::run(args, workspace, processes),
            Self::E2e(args) => e2e::run(args, workspace, processes),
            Self::Lint(args) => lint::run(args, workspace, processes),
            Self::Bench(args) => bench::run(args, workspace, processes),
            Self::Docs(args) => docs::run(args, workspace, processes),
            Self::Nats(args) => nats::run(args, workspace, processes),
            Self::Dist(args) => dist::run(args, workspace, processes),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask demo                    mock workers and the collector, until Ctrl-C
  cargo xtask demo --scenario spike   the same, with a queue that rises and falls
  cargo xtask test                    every test
  cargo xtask e2e -- shutdown         the integration tests whose name contains `shutdown`
  cargo xtask e2e --dynamo            the integration tests with a real Dynamo from PyPI
  cargo xtask lint                    what CI checks before the tests
  cargo xtask bench sim               how fast the simulation is
  cargo xtask bench collector         what the collector costs, next to a program that only counts
  cargo xtask bench events            what it uses for each event
  cargo xtask bench web               the page of 10,000 workers in a browser, and what it costs the collector
  cargo xtask docs                    docs/metrics.md, docs/cli.md and the plots, generated anew
  cargo xtask dist                    static programs, a Debian package, an image, an SBOM

Exit status: 0 done, 1 something failed, 2 wrong usage, 130 interrupted.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_in_the_documents_is_understood() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let documents = crate::tidy::documents(&root).expect("the documents can be read");
        let lines = documents
            .iter()
            .flat_map(|(name, text)| text.lines().map(move |line| (name, line)));
        let commands = lines.filter_map(|(name, line)| Some((name, line.strip_prefix("cargo xtask ")?)));
        let mut understood = 0;
        for (name, command) in commands {
            let words = command.split('#').next().unwrap_or_default().split_whitespace();
            if let Err(error) = Cli::try_parse_from(std::iter::once("xtask").chain(words)) {
                panic!("{name}: `cargo xtask {command}`: {error}");
            }
            understood += 1;
        }
        assert!(understood > 5, "only {understood} commands were found");
    }

    #[test]
    fn arguments_after_two_dashes_go_to_the_test_binary() {
        let cli = Cli::parse_from([
            "xtask",
            "e2e",
            "--require-docker",
            "--",
            "shutdown",
            "--nocapture",
        ]);
        let Command::E2e(args) = cli.command else {
            panic!("not e2e: {cli:?}")
        };
        assert!(args.requirements.docker);
        assert_eq!(args.filter, ["shutdown", "--nocapture"]);
    }

    #[test]
    fn a_real_dynamo_is_tested_with_its_newest_release_unless_another_is_named() {
        let releases = |words: &[&str]| {
            let cli = Cli::parse_from([&["xtask", "e2e"], words].concat());
            let Command::E2e(args) = cli.command else {
                panic!("not e2e: {cli:?}")
            };
            args.only_dynamo.map(|choice| choice.releases().len())
        };
        assert_eq!(releases(&[]), None);
        assert_eq!(releases(&["--require-dynamo"]), None);
        assert_eq!(releases(&["--dynamo"]), Some(1));
        assert_eq!(releases(&["--dynamo", "--", "killed"]), Some(1));
        assert_eq!(releases(&["--dynamo=all"]), Some(3));
        assert!(Cli::try_parse_from(["xtask", "e2e", "--dynamo", "--require-dynamo"]).is_err());
    }
}
