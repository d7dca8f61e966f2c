//! Rotel, a collector of OpenTelemetry that PyPI has: the tests export metrics to it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::venv::Environment;
use crate::process::Processes;
use crate::workspace::Workspace;

/// What is installed, and the only files that may be installed under that name: one for each Python from 3.10 to 3.13.
const REQUIREMENTS: &str = "rotel==0.0.1a15 \
    --hash=sha256:797faed4ec003b0b1ab65fee25a18c991cb863c221f503d383425f0958aaa5fa \
    --hash=sha256:2f4117e58410c933e0dc042a268ef738dab2e3a5d63b5831209acdac2a6ddcb7 \
    --hash=sha256:6b1a12b2d6d52ab10574cb111053402f2bc195fa55453b19294af57c0d35bece \
    --hash=sha256:322a830deed963dd5dcc460007e917eec071c5977e51c3a06029348f39e4eec9\n";

/// The program of an environment of its own, which is made if need be.
pub(crate) fn program(workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    let environment = Environment {
        name: "rotel".into(),
        base: "python3",
        folder: workspace.tools().join("rotel"),
        pins: REQUIREMENTS.into(),
        proof: "import importlib.metadata as m; assert m.distribution('rotel').locate_file('rotel/rotel-agent').exists()",
        megabytes: 11,
    };
    environment.python(processes)?;
    within(&environment.folder)
}

fn within(folder: &Path) -> Result<PathBuf> {
    let libraries = fs::read_dir(folder.join("lib")).context("failed to look for rotel-agent")?;
    let packages = libraries.flatten().map(|python| python.path());
    let mut programs = packages.map(|python| python.join("site-packages/rotel/rotel-agent"));
    let program = programs.find(|program| program.is_file());
    program.with_context(|| format!("failed to find rotel-agent in {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_whatever_the_version_of_python_is() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("lib/python3.99/site-packages/rotel");
        fs::create_dir_all(&package).unwrap();
        assert!(within(folder.path()).is_err());
        fs::write(package.join("rotel-agent"), "").unwrap();
        assert_eq!(within(folder.path()).unwrap(), package.join("rotel-agent"));
    }
}
