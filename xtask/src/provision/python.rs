//! A Python that has `nats-py`.

use std::path::PathBuf;

use anyhow::Result;

use super::venv::Environment;
use crate::process::Processes;
use crate::workspace::Workspace;

/// What is installed, and the only file that may be installed under that name.
const REQUIREMENTS: &str =
    "nats-py==2.16.0 --hash=sha256:aeb1ff123966c05833d26c7df7e1d54c1c6d32b612428b21677a2e921f1fecae\n";

/// The interpreter of an environment with `nats-py`, which is made if need be.
pub(crate) fn interpreter(workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    let environment = Environment {
        name: "nats-py".into(),
        base: "python3",
        folder: workspace.tools().join("venv"),
        pins: REQUIREMENTS.into(),
        proof: "import nats.micro",
        megabytes: 1,
    };
    environment.python(processes)
}
