//! What is passed to mock-worker: which scenario, how many workers, which seed.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::awaited::Awaited;

/// How many workers there are without a scenario, which else says how many.
const WORKERS: u32 = 4;

/// The arguments that go to mock-worker.
#[derive(Debug, clap::Args)]
pub(crate) struct Workers {
    /// What happens to the workers: the name of a scenario (`mock-worker list` names them) or a file
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<String>,
    /// How many workers [default: as many as the scenario says; without one, 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    workers: Option<u32>,
    /// Seed of the load, the faults and the ids: the same seed gives the same run [default: drawn, and logged by mock-worker]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Workers {
    /// The command line of mock-worker; a file is found from the folder `from`.
    ///
    /// # Errors
    /// When there is no such file: better before NATS runs than after.
    pub(crate) fn command_line(&self, from: &Path) -> Result<Vec<String>> {
        let mut line = Vec::new();
        if let Some(scenario) = &self.scenario {
            line.extend(["run".to_owned(), resolved(scenario, from)?]);
        }
        if let Some(workers) = self.number() {
            line.extend(["--workers".to_owned(), workers.to_string()]);
        }
        if let Some(seed) = self.seed {
            line.extend(["--seed".to_owned(), seed.to_string()]);
        }
        Ok(line)
    }

    /// When the workers are there.
    pub(crate) fn awaited(&self) -> Awaited {
        match (&self.scenario, self.number()) {
            (None, Some(workers)) => Awaited::exactly(workers),
            (_, workers) => Awaited::settled(workers),
        }
    }

    fn number(&self) -> Option<u32> {
        match self.scenario {
            Some(_) => self.workers,
            None => Some(self.workers.unwrap_or(WORKERS)),
        }
    }
}

/// The scenario as mock-worker finds it wherever it runs: a name as it is, a file by its whole path.
fn resolved(scenario: &str, from: &Path) -> Result<String> {
    if !is_file(scenario) {
        return Ok(scenario.to_owned());
    }
    let path = from.join(scenario);
    if !path.is_file() {
        bail!(
            "failed to find the scenario {}; give the path of a TOML file, or a name that `cargo run -p mock-worker -- list` prints",
            path.display()
        );
    }
    let path = path.into_os_string().into_string().ok();
    path.with_context(|| format!("failed to hand on the path of {scenario}: it is not UTF-8; move the file"))
}

fn is_file(scenario: &str) -> bool {
    scenario.contains('/') || Path::new(scenario).extension().is_some_and(|end| end == "toml")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        workers: Workers,
    }

    fn workers(line: &[&str]) -> Workers {
        Line::parse_from(["demo"].iter().chain(line)).workers
    }

    #[test]
    fn the_scenario_says_how_many_workers_unless_the_command_line_does() {
        let check = |line: &[&str], expected: &[&str]| {
            let handed_on = workers(line).command_line(Path::new("/")).unwrap();
            assert_eq!(handed_on, expected, "{line:?}");
        };
        check(&[], &["--workers", "4"]);
        check(&["--workers", "9"], &["--workers", "9"]);
        check(&["--scenario", "spike"], &["run", "spike"]);
        check(
            &["--seed", "7", "--workers", "9", "--scenario", "spike"],
            &["run", "spike", "--workers", "9", "--seed", "7"],
        );
    }

    #[test]
    fn a_file_is_found_from_the_folder_of_the_caller() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        fs::write(&path, "").unwrap();
        let whole = path.to_str().unwrap();
        for scenario in ["mine.toml", "./mine.toml", whole] {
            let line = workers(&["--scenario", scenario])
                .command_line(folder.path())
                .unwrap();
            assert_eq!(Path::new(&line[1]).canonicalize().unwrap(), path, "{scenario}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_answered_with_the_remedy() {
        for scenario in ["nowhere.toml", "some/where"] {
            let error = workers(&["--scenario", scenario])
                .command_line(Path::new("/none"))
                .unwrap_err();
            assert!(
                error.to_string().contains("/none") && error.to_string().contains("mock-worker -- list"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_name_is_handed_on_even_where_a_folder_has_it() {
        assert_eq!(resolved("tmp", Path::new("/")).unwrap(), "tmp");
    }
}
