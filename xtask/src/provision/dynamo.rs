//! A real Dynamo out of pinned wheels of PyPI: the few packages that its mocker and its frontend need.
//!
//! Neither loads an engine or a model, so most of what `ai-dynamo` asks for is not installed. The pins are in the
//! folder next to this file.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::venv::Environment;
use crate::process::{Interrupted, Processes};
use crate::workspace::Workspace;

/// A release that the collector is tested with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) version: &'static str,
    pins: &'static [&'static str],
    megabytes: u32,
}

const COMMON: &str = include_str!("dynamo/common.txt");
const TRANSFORMERS: &str = include_str!("dynamo/transformers.txt");

/// The newest first. The others publish in older ways: 1.4 has no latencies in its request trace, and 1.2 has neither a
/// request trace nor endpoints in its subjects.
const RELEASES: [Release; 3] = [
    Release {
        version: "1.6.1",
        pins: &[COMMON, include_str!("dynamo/1.6.1.txt")],
        megabytes: 90,
    },
    Release {
        version: "1.4.2",
        pins: &[COMMON, TRANSFORMERS, include_str!("dynamo/1.4.2.txt")],
        megabytes: 110,
    },
    Release {
        version: "1.2.1",
        pins: &[COMMON, TRANSFORMERS, include_str!("dynamo/1.2.1.txt")],
        megabytes: 90,
    },
];

/// Which releases to test with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    All,
    One(&'static Release),
}

impl Choice {
    /// The releases, the newest first.
    pub(crate) fn releases(self) -> &'static [Release] {
        match self {
            Self::All => &RELEASES,
            Self::One(release) => std::slice::from_ref(release),
        }
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = |release: &'static Release| Ok(Self::One(release));
        match text {
            "all" => Ok(Self::All),
            "newest" => one(&RELEASES[0]),
            version => RELEASES
                .iter()
                .find(|release| release.version == version)
                .map_or_else(|| Err(unknown()), one),
        }
    }
}

fn unknown() -> String {
    let versions: Vec<_> = RELEASES.iter().map(|release| release.version).collect();
    format!("write `newest`, `all` or one of {}", versions.join(", "))
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dynamo {}", self.version)
    }
}

impl Release {
    /// The interpreter of an environment with this release, which is made if need be.
    pub(crate) fn interpreter(&self, workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
        let environment = Environment {
            name: self.to_string(),
            base: base(processes)?,
            folder: workspace.tools().join(format!("dynamo-{}", self.version)),
            pins: self.pins.concat(),
            proof: "import dynamo.mocker.main, dynamo.frontend.main",
            megabytes: self.megabytes,
        };
        environment.python(processes)
    }
}

/// A Python for which wheels are pinned.
fn base(processes: &Processes) -> Result<&'static str> {
    const NAMES: [&str; 4] = ["python3", "python3.13", "python3.12", "python3.11"];
    const VERSION: &str = "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))";
    for name in NAMES {
        let mut version = Command::new(name);
        match processes.capture(version.args(["-c", VERSION]), Duration::from_secs(20)) {
            Ok(_) => return Ok(name),
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(_) => {}
        }
    }
    None.context(
        "failed to find a Python for Dynamo: wheels are pinned for Python 3.11 to 3.13, and none of them is on PATH",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_chosen_by_its_version_or_by_a_word() {
        let versions = |choice: &str| {
            let releases = choice.parse::<Choice>().map(Choice::releases);
            releases.map(|all| all.iter().map(|release| release.version).collect::<Vec<_>>())
        };
        assert_eq!(versions("newest"), Ok(vec!["1.6.1"]));
        assert_eq!(versions("1.4.2"), Ok(vec!["1.4.2"]));
        assert_eq!(versions("all"), Ok(vec!["1.6.1", "1.4.2", "1.2.1"]));
        let error = versions("0.9.0").unwrap_err();
        assert!(error.contains("1.6.1") && error.contains("all"), "{error}");
    }

    #[test]
    fn every_pin_names_a_version_and_checksums() {
        for release in &RELEASES {
            let pins = release.pins.concat().replace("\\\n", "");
            let requirements: Vec<_> = pins.lines().filter(|line| !line.starts_with('#')).collect();
            assert!(requirements.len() > 10, "{release}: {requirements:?}");
            for requirement in requirements {
                assert!(
                    requirement.contains("==") && requirement.contains("--hash=sha256:"),
                    "{release}: {requirement}"
                );
            }
        }
    }
}
