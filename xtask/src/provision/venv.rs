//! Python environments of our own: made from pinned wheels, and made again when the pins change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{Interrupted, Processes};

/// Making an environment, and each look at one.
const STEP: Duration = Duration::from_secs(300);
/// A hundred megabytes on a slow line.
const INSTALL: Duration = Duration::from_secs(1200);

/// An environment as it is to be.
#[derive(Debug)]
pub(crate) struct Environment {
    /// What it is for, in messages.
    pub(crate) name: String,
    /// The Python it is made from.
    pub(crate) base: &'static str,
    pub(crate) folder: PathBuf,
    /// The lines of a requirements file, each with the checksums of the only files that may be installed.
    pub(crate) pins: String,
    /// A line of Python that works in a finished environment.
    pub(crate) proof: &'static str,
    /// What pip has to download, in megabytes.
    pub(crate) megabytes: u32,
}

impl Environment {
    /// The interpreter of the environment, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be made: with what to do about it.
    pub(crate) fn python(&self, processes: &Processes) -> Result<PathBuf> {
        let python = self.folder.join("bin").join("python");
        if self.is_ready(&python, processes)? {
            return Ok(python);
        }
        eprintln!(
            "xtask: Python: making an environment with {}; up to {} MB come from PyPI ...",
            self.name, self.megabytes
        );
        let tools = self.folder.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(tools).context("failed to make the folder for tools")?;
        let mut make = Command::new(self.base);
        make.args(["-m", "venv", "--clear"]).arg(&self.folder);
        processes
            .capture(&mut make, STEP)
            .context("failed to make an environment for Python")?;
        let wanted = self.folder.join("wanted.txt");
        fs::write(&wanted, &self.pins).with_context(|| format!("failed to write {}", wanted.display()))?;
        self.install(&python, &wanted, processes)?;
        self.prove(&python, processes)
            .with_context(|| format!("failed to use {} after installing it", self.name))?;
        // The stamp comes last: an environment without it is not finished.
        fs::rename(&wanted, self.stamp()).context("failed to mark the environment as finished")?;
        Ok(python)
    }

    /// Installs the wheels; pip shows its progress on stderr.
    fn install(&self, python: &Path, wanted: &Path, processes: &Processes) -> Result<()> {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "--disable-pip-version-check", "--retries", "2"])
            .args(["install", "--no-deps", "--only-binary=:all:", "--require-hashes"])
            .arg("--requirement")
            .arg(wanted)
            .stdout(Stdio::from(io::stderr()));
        let mut running = processes.start("pip", &mut pip)?;
        let problem = match processes.wait(Some(INSTALL), || running.ended())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => format!("pip ended with {status}, and says why above"),
            None => format!("no end after {}", humantime::format_duration(INSTALL)),
        };
        bail!(
            "failed to install {} from PyPI: {problem}; PyPI must be within reach, or a mirror of it that PIP_INDEX_URL names",
            self.name
        )
    }

    /// Whether the environment holds what is wanted, and the Python it was made from is still there.
    fn is_ready(&self, python: &Path, processes: &Processes) -> Result<bool> {
        if fs::read_to_string(self.stamp()).ok().as_deref() != Some(&self.pins) {
            return Ok(false);
        }
        match self.prove(python, processes) {
            Ok(()) => Ok(true),
            Err(error) if error.is::<Interrupted>() => Err(error),
            Err(_) => Ok(false),
        }
    }

    fn prove(&self, python: &Path, processes: &Processes) -> Result<()> {
        let mut proof = Command::new(python);
        processes.capture(proof.args(["-c", self.proof]), STEP).map(drop)
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("installed.txt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(folder: &Path) -> Environment {
        Environment {
            name: "nothing".into(),
            base: "python3",
            folder: folder.join("venv"),
            pins: "wanted\n".into(),
            proof: "pass",
            megabytes: 0,
        }
    }

    #[test]
    fn an_environment_is_ready_only_with_its_own_pins_and_a_working_python() {
        let folder = tempfile::tempdir().unwrap();
        let processes = Processes::uninterrupted();
        let environment = environment(folder.path());
        fs::create_dir(&environment.folder).unwrap();
        let is_ready = |python: &str| environment.is_ready(Path::new(python), &processes).unwrap();

        assert!(!is_ready("true"), "without a stamp");
        fs::write(environment.stamp(), "older\n").unwrap();
        assert!(!is_ready("true"), "with the stamp of other pins");
        fs::write(environment.stamp(), "wanted\n").unwrap();
        assert!(is_ready("true"));
        assert!(!is_ready("false"), "with a Python that fails");
    }

    #[test]
    fn a_failed_installation_names_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let environment = environment(folder.path());
        let error = environment.install(
            Path::new("false"),
            Path::new("wanted.txt"),
            &Processes::uninterrupted(),
        );
        let error = format!("{:#}", error.unwrap_err());
        assert!(
            error.contains("nothing") && error.contains("PIP_INDEX_URL"),
            "{error}"
        );
    }
}
