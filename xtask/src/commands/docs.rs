//! `cargo xtask docs`: the plots that the documentation shows, from the simulation itself.

mod panel;
mod plot;
mod samples;
mod svg;
mod ticks;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::samples::Run;
use super::build;
use crate::process::Processes;
use crate::workspace::Workspace;

/// Scenarios that are worth a picture, and what each one shows.
const SCENARIOS: [(&str, &str); 3] = [
    ("steady", "load that stays within what the workers can do"),
    ("spike", "a queue that rises and falls"),
    ("kv-cliff", "a KV cache that runs full"),
];
const SEED: &str = "42";
/// How long a simulation may take, which a debug build makes slow.
const SIMULATION: Duration = Duration::from_secs(600);

/// Plot scenarios of mock-worker into docs/images
///
/// Each picture is made from `mock-worker simulate` and has the same bytes every time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask docs            make the pictures anew
  cargo xtask docs --check    fail where they are not those that would be made, as `cargo xtask test` does")]
pub(crate) struct Args {
    /// Write nothing, and fail when a picture on disk differs from what would be made
    #[arg(long)]
    pub(super) check: bool,
}

pub(crate) fn run(args: &Args, workspace: &Workspace, processes: &Processes) -> Result<()> {
    build(&["mock-worker"], &[], workspace, processes)?;
    let mut pictures = Vec::new();
    for (scenario, about) in SCENARIOS {
        pictures.push((
            format!("{scenario}.svg"),
            picture(scenario, about, workspace, processes)?,
        ));
    }
    let folder = workspace.images();
    if args.check {
        check(&pictures, &folder)
    } else {
        write(&pictures, &folder)
    }
}

fn picture(scenario: &str, about: &str, workspace: &Workspace, processes: &Processes) -> Result<String> {
    eprintln!("xtask: simulating {scenario} ...");
    let mut simulate = Command::new(workspace.program("mock-worker"));
    simulate.args([
        "simulate",
        scenario,
        "--seed",
        SEED,
        "--interval",
        "1s",
        "--quiet",
    ]);
    let lines = processes.capture(&mut simulate, SIMULATION)?;
    let run =
        Run::read(&lines).with_context(|| format!("failed to read what `simulate {scenario}` wrote"))?;
    let title = format!("{scenario}: {about} ({} workers, seed {SEED})", run.workers());
    Ok(plot::draw(&title, run.seconds(), &plot::panels(&run)))
}

fn write(pictures: &[(String, String)], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    for (name, picture) in pictures {
        let path = folder.join(name);
        fs::write(&path, picture).with_context(|| format!("failed to write {}", path.display()))?;
        eprintln!("xtask: wrote {}", path.display());
    }
    Ok(())
}

fn check(pictures: &[(String, String)], folder: &Path) -> Result<()> {
    let differs = |(name, picture): &&(String, String)| {
        fs::read(folder.join(name)).ok().as_deref() != Some(picture.as_bytes())
    };
    let old: Vec<&str> = pictures
        .iter()
        .filter(differs)
        .map(|(name, _)| name.as_str())
        .collect();
    if !old.is_empty() {
        bail!(
            "failed to find in {} what the simulation draws: {}; `cargo xtask docs` makes the pictures anew",
            folder.display(),
            old.join(", ")
        );
    }
    eprintln!("xtask: the pictures are those that the simulation draws");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command as Subcommand};

    #[test]
    fn pictures_are_written_unless_they_are_only_to_be_checked() {
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
    fn a_picture_that_differs_or_is_absent_is_named_with_the_remedy() {
        let pictures = ["a", "b", "c"].map(|name| (format!("{name}.svg"), format!("<{name}/>")));
        let folder = tempfile::tempdir().unwrap();
        write(&pictures, folder.path()).unwrap();
        check(&pictures, folder.path()).unwrap();

        fs::write(folder.path().join("a.svg"), "<other/>").unwrap();
        fs::remove_file(folder.path().join("c.svg")).unwrap();
        let error = check(&pictures, folder.path()).unwrap_err().to_string();
        assert!(error.contains("a.svg, c.svg"), "{error}");
        assert!(error.contains("cargo xtask docs"), "{error}");
    }
}
