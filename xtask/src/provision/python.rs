//! A Python that has `nats-py` and `u-msgpack-python`.

use std::path::PathBuf;

use anyhow::Result;

use super::venv::Environment;
use crate::process::Processes;
use crate::workspace::Workspace;

/// What is installed, and the only files that may be installed under these names.
const REQUIREMENTS: &str = "nats-py==2.16.0 --hash=sha256:aeb1ff123966c05833d26c7df7e1d54c1c6d32b612428b21677a2e921f1fecae\n\
    u-msgpack-python==2.8.0 --hash=sha256:1d853d33e78b72c4228a2025b4db28cda81214076e5b0422ed0ae1b1b2bb586a\n";

/// The interpreter of an environment with both, which is made if need be.
pub(crate) fn interpreter(workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    let environment = Environment {
        name: "nats-py and u-msgpack-python".into(),
        base: "python3",
        folder: workspace.tools().join("venv"),
        pins: REQUIREMENTS.into(),
        proof: "import nats.micro, umsgpack",
        megabytes: 1,
    };
    environment.python(processes)
}
