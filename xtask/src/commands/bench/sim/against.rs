//! The simulation next to that of an earlier revision: both are built, and take turns case by case, so that a machine that becomes
//! slower meanwhile slows both.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::TARGET;
use crate::process::Processes;
use crate::workspace::Workspace;

/// The bench's own names of its simulations.
const CASES: [&str; 3] = ["fleet-10k", "saturated-2k", "coalesced"];

/// How often each simulation runs; the best counts.
const TURNS: usize = 5;

/// How long a simulation may take.
const LIMIT: Duration = Duration::from_secs(300);

/// The least of the earlier speed that is no regression; turns differ by a few percent.
const LEAST: f64 = 0.9;

/// # Errors
/// Where the earlier revision cannot be built, or is faster by more than turns differ.
pub(super) fn run(revision: &str, workspace: &Workspace, processes: &Processes) -> Result<()> {
    let folder = tempfile::tempdir().context("failed to make a folder for the earlier revision")?;
    let checkout = folder.path().join("checkout");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(workspace.root()).args(arguments);
        git
    };
    let path = checkout.to_str().context("failed to write a path")?;
    processes.run(&mut git(&[
        "worktree", "add", "--detach", "--quiet", path, revision,
    ]))?;
    let compared = compare(revision, &checkout, workspace, processes);
    processes.run(&mut git(&["worktree", "remove", "--force", path]))?;
    compared
}

fn compare(revision: &str, checkout: &Path, workspace: &Workspace, processes: &Processes) -> Result<()> {
    eprintln!("xtask: building the bench; it takes some minutes ...");
    let ours = built(workspace.cargo(["bench"]), processes)?;
    eprintln!("xtask: building the bench of {revision} from nothing; it takes some minutes more ...");
    let mut cargo = workspace.cargo(["bench"]);
    cargo
        .current_dir(checkout)
        .env("CARGO_TARGET_DIR", checkout.join("target"));
    let theirs = built(cargo, processes)?;
    println!(
        "{:<14} {:>14} {:>14} {:>8}",
        "simulation", "now", revision, "ratio"
    );
    let mut slower = Vec::new();
    for case in CASES {
        eprintln!("xtask: measuring {case}, {TURNS} times each ...");
        let (mut now, mut before) = (0.0_f64, 0.0_f64);
        for _ in 0..TURNS {
            before = before.max(speed(&theirs, case, processes)?);
            now = now.max(speed(&ours, case, processes)?);
        }
        let ratio = now / before;
        println!("{case:<14} {now:>12.1} x {before:>12.1} x {ratio:>8.2}");
        if ratio < LEAST {
            slower.push(case);
        }
    }
    if !slower.is_empty() {
        bail!("slower than {revision}: {}", slower.join(", "));
    }
    Ok(())
}

/// Builds the bench, and returns where its program is.
fn built(mut cargo: Command, processes: &Processes) -> Result<PathBuf> {
    cargo.args(TARGET).args(["--no-run", "--message-format", "json"]);
    let messages = processes.capture(&mut cargo, Duration::from_secs(1800))?;
    program(&messages).context("failed to find the bench that cargo has built")
}

/// The program of the bench among cargo's messages.
fn program(messages: &str) -> Option<PathBuf> {
    let message = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
    let of_bench = |message: serde_json::Value| {
        let is_bench = message["target"]["name"] == "sim" && message["target"]["kind"][0] == "bench";
        let program = message["executable"].as_str().filter(|_| is_bench);
        program.map(PathBuf::from)
    };
    messages.lines().filter_map(message).find_map(of_bench)
}

/// Simulated seconds a second.
fn speed(program: &Path, case: &str, processes: &Processes) -> Result<f64> {
    let text = processes.capture(Command::new(program).args(["--case", case]), LIMIT)?;
    let speed = text
        .split_whitespace()
        .next()
        .and_then(|speed| speed.parse().ok());
    speed.with_context(|| format!("failed to read what the bench printed: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_the_bench_is_found_among_all_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"sim","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"sim","kind":["bench"]},"executable":"/t/sim-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(program(messages), Some(PathBuf::from("/t/sim-1")));
        assert_eq!(program("no message"), None);
    }
}
