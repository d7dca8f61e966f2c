//! `cargo xtask docs`: the generated part of the documentation, from the programs themselves.

mod book;
mod dashboards;
mod help;
mod panel;
mod plot;
mod samples;
mod screenshots;
mod svg;
mod tables;
mod ticks;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::samples::Run;
use super::build;
use crate::process::Processes;
use crate::tidy::messages;
use crate::workspace::Workspace;

/// Scenarios that are worth a picture, and what each one shows.
const SCENARIOS: [(&str, &str); 3] = [
    ("steady", "load that stays within what the workers can do"),
    ("spike", "a queue that rises and falls"),
    ("kv-cliff", "a KV cache that runs full"),
];
/// What the JSON API can be asked for.
const RESOURCES: [&str; 9] = [
    "pools",
    "workers",
    "services",
    "snapshot",
    "overview",
    "pool",
    "worker",
    "why",
    "collector",
];
/// What other languages validate: the load, every event, and request traces.
const PAYLOADS: [&str; 7] = [
    "load",
    "kv-hit-rate",
    "kv_metrics",
    "forward-pass-metrics",
    "kv-events",
    "active_sequences_events",
    "request-trace",
];
/// Where tables of the protocol are.
const PROTOCOL: &str = "docs/protocol.md";
/// The scenario of the picture of the dashboard, for how long, and what it shows.
const DASHBOARD: (&str, &str, &str) = (
    "imbalance",
    "2m",
    "users stick to workers, and one worker is full",
);
const SEED: &str = "42";
/// How long a simulation may take, which a debug build makes slow.
const SIMULATION: Duration = Duration::from_secs(600);
/// How long the collector's catalogue may take to print itself.
const CATALOGUE: Duration = Duration::from_secs(60);

/// A generated file: its path in the repository, and its text.
type Document = (String, String);

/// Generate docs/metrics.md, docs/cli.md, docs/metrics.toml, docs/messages.txt, docs/api, docs/vectors.json, docs/schemas,
/// tables in docs/protocol.md, the plots in docs/images and deploy/grafana
///
/// The list of metrics is printed by the collector's catalogue, the command line by the programs' `--help`, the schemas of
/// the JSON API by its types. The list of messages is read from the sources. Each plot is made from `mock-worker simulate` and
/// has the same bytes every time. The dashboards are defined in xtask. The pictures of the pages have other pixels every time, so
/// only --screenshots takes them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask docs                  generate all of it anew
  cargo xtask docs --check          fail if a file is not what would be generated, as `cargo xtask test` does
  cargo xtask docs --screenshots    take the pictures of the pages anew, which needs Chromium and three minutes
  cargo xtask docs --serve          show the documentation as a book on http://127.0.0.1:3000")]
pub(crate) struct Args {
    /// Write nothing, and fail when a file on disk differs from what would be generated, or a picture of a page is absent
    #[arg(long)]
    check: bool,
    /// Generate nothing, and take the pictures of the pages in docs/images with Chromium
    #[arg(long, conflicts_with_all = ["check", "serve"])]
    screenshots: bool,
    /// Generate nothing, and serve the documentation as a book on this machine until Ctrl-C
    #[arg(long, conflicts_with = "check")]
    serve: bool,
}

impl Args {
    /// Only compares.
    pub(super) const CHECK: Self = Self {
        check: true,
        screenshots: false,
        serve: false,
    };
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    if args.serve {
        return book::serve(workspace, processes);
    }
    if args.screenshots {
        return screenshots::take(workspace, processes);
    }
    build(
        &["metrics", "mock-worker"],
        &[
            "--example",
            "catalogue",
            "--example",
            "schema",
            "--example",
            "vectors",
        ],
        workspace,
        processes,
    )?;
    let programs = ["metrics", "mock-worker"].map(|program| workspace.program(program));
    let command_line = help::markdown(&programs.each_ref().map(AsRef::as_ref), processes)?;
    let mut documents = vec![
        ("docs/metrics.md".to_owned(), metrics(workspace, processes)?),
        ("docs/cli.md".to_owned(), command_line),
        (
            "docs/metrics.toml".to_owned(),
            configuration(workspace, processes)?,
        ),
    ];
    for resource in RESOURCES {
        let name = format!("docs/api/{resource}.schema.json");
        documents.push((name, schema(resource, workspace, processes)?));
    }
    documents.push((
        "docs/vectors.json".to_owned(),
        vectors(&["vectors"], workspace, processes)?,
    ));
    for payload in PAYLOADS {
        let name = format!("docs/schemas/{payload}.schema.json");
        documents.push((name, vectors(&["schema", payload], workspace, processes)?));
    }
    let protocol = fs::read_to_string(workspace.root().join(PROTOCOL))
        .with_context(|| format!("failed to read {PROTOCOL}"))?;
    let table = |name: &str| vectors(&["table", name], workspace, processes);
    documents.push((PROTOCOL.to_owned(), tables::fill(&protocol, table)?));
    for (scenario, about) in SCENARIOS {
        documents.push((
            format!("docs/images/{scenario}.svg"),
            picture(scenario, about, workspace, processes)?,
        ));
    }
    documents.push((
        "docs/images/llm-pools.svg".to_owned(),
        dashboard(workspace, processes)?,
    ));
    documents.extend(dashboards::all());
    documents.push(("docs/messages.txt".to_owned(), messages::list(workspace.root())?));
    if args.check {
        check(&documents, workspace.root())?;
        screenshots::check(workspace.root())
    } else {
        write(&documents, workspace.root())
    }
}

/// What the collector exports. Its catalogue is printed by an example, since xtask imports no crate of the workspace.
fn metrics(workspace: &Workspace, processes: &Processes) -> Result<String> {
    processes.capture(
        &mut Command::new(workspace.program("examples/catalogue")),
        CATALOGUE,
    )
}

/// The JSON Schema of what the JSON API answers.
fn schema(resource: &str, workspace: &Workspace, processes: &Processes) -> Result<String> {
    let mut example = Command::new(workspace.program("examples/schema"));
    processes.capture(example.arg(resource), CATALOGUE)
}

/// What the crate `protocol` says to other languages.
fn vectors(arguments: &[&str], workspace: &Workspace, processes: &Processes) -> Result<String> {
    let mut example = Command::new(workspace.program("examples/vectors"));
    processes.capture(example.args(arguments), CATALOGUE)
}

/// The example of a configuration file: every key with its default.
fn configuration(workspace: &Workspace, processes: &Processes) -> Result<String> {
    let mut example = Command::new(workspace.program("metrics"));
    processes.capture(example.args(["config", "example"]), CATALOGUE)
}

fn picture(scenario: &str, about: &str, workspace: &Workspace, processes: &Processes) -> Result<String> {
    let run = simulated(scenario, &[], workspace, processes)?;
    Ok(plot::draw(
        &title(scenario, about, &run),
        run.seconds(),
        &plot::panels(&run),
    ))
}

/// What panels of the dashboard show. The simulation has the numbers that Grafana would get from Prometheus.
fn dashboard(workspace: &Workspace, processes: &Processes) -> Result<String> {
    let (scenario, duration, about) = DASHBOARD;
    let run = simulated(scenario, &["--duration", duration], workspace, processes)?;
    Ok(plot::draw(
        &title(scenario, about, &run),
        run.seconds(),
        &plot::dashboard(&run),
    ))
}

fn title(scenario: &str, about: &str, run: &Run) -> String {
    format!("{scenario}: {about} ({} workers, seed {SEED})", run.workers())
}

fn simulated(scenario: &str, more: &[&str], workspace: &Workspace, processes: &Processes) -> Result<Run> {
    eprintln!("xtask: simulating {scenario} ...");
    let mut simulate = Command::new(workspace.program("mock-worker"));
    simulate
        .args([
            "simulate",
            scenario,
            "--seed",
            SEED,
            "--interval",
            "1s",
            "--quiet",
        ])
        .args(more);
    let lines = processes.capture(&mut simulate, SIMULATION)?;
    Run::read(&lines).with_context(|| format!("failed to read what `simulate {scenario}` wrote"))
}

fn write(documents: &[Document], folder: &Path) -> Result<()> {
    for (name, text) in documents {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("failed to make {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
        eprintln!("xtask: wrote {}", path.display());
    }
    Ok(())
}

fn check(documents: &[Document], folder: &Path) -> Result<()> {
    let differs =
        |(name, text): &&Document| fs::read(folder.join(name)).ok().as_deref() != Some(text.as_bytes());
    let old: Vec<&str> = documents
        .iter()
        .filter(differs)
        .map(|(name, _)| name.as_str())
        .collect();
    if !old.is_empty() {
        bail!(
            "failed to find in {} what the programs generate: {}; `cargo xtask docs` generates it anew",
            folder.display(),
            old.join(", ")
        );
    }
    eprintln!("xtask: the generated documents are up to date");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command as Subcommand};

    #[test]
    fn documents_are_written_unless_they_are_only_to_be_checked() {
        let check = |line: &[&str], expected: bool| {
            let cli = Cli::parse_from(line);
            let Subcommand::Docs(args) = cli.command else {
                panic!("not docs: {cli:?}")
            };
            assert_eq!(args.check, expected, "{line:?}");
        };
        check(&["xtask", "docs"], false);
        check(&["xtask", "docs", "--check"], true);
    }

    #[test]
    fn a_document_that_differs_or_is_absent_is_named_with_the_remedy() {
        let documents =
            ["a.md", "images/b.svg", "images/c.svg"].map(|name| (name.to_owned(), format!("<{name}/>")));
        let folder = tempfile::tempdir().unwrap();
        write(&documents, folder.path()).unwrap();
        check(&documents, folder.path()).unwrap();

        fs::write(folder.path().join("a.md"), "<other/>").unwrap();
        fs::remove_file(folder.path().join("images/c.svg")).unwrap();
        let error = check(&documents, folder.path()).unwrap_err().to_string();
        assert!(error.contains("a.md, images/c.svg"), "{error}");
        assert!(error.contains("cargo xtask docs"), "{error}");
    }
}
