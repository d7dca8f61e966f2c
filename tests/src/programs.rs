//! Where the programs under test are, and how `metrics` is called.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tokio::process::Command;

/// Variables by which the user's own environment would change what the programs do.
const FOREIGN_PREFIXES: [&str; 4] = ["METRICS_", "MOCK_WORKER_", "NATS_", "RUST_LOG"];

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the repository")
}

/// A program of the workspace, e.g. `mock-worker` or `examples/full_worker`, in an environment without the
/// user's own settings; it ends with the test.
///
/// # Panics
/// When the programs are not there and cannot be built.
pub fn built(program: &str) -> Command {
    let path = folder().join(program);
    assert!(
        path.exists(),
        "{} is not built; run `cargo xtask e2e`",
        path.display()
    );
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        if FOREIGN_PREFIXES
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(&name);
        }
    }
    command.kill_on_drop(true);
    command
}

/// The collector's program with `arguments`.
pub fn metrics(arguments: &[&str]) -> Command {
    let mut command = built("metrics");
    command.args(arguments);
    command
}

/// Where cargo puts what it builds: next to the folder of the test program.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().expect("the test program has a path");
        let folder = test
            .parent()
            .and_then(Path::parent)
            .expect("target/<profile>/deps/<test>")
            .to_owned();
        let wanted = ["metrics", "mock-worker", "examples/full_worker"];
        if wanted.iter().any(|program| !folder.join(program).exists()) {
            build();
        }
        folder
    })
}

fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let selection = [
        "--bin",
        "metrics",
        "--bin",
        "mock-worker",
        "--example",
        "full_worker",
    ];
    let status = std::process::Command::new(cargo)
        .current_dir(repository())
        .args(["build", "--quiet", "--workspace", "--all-features"])
        .args(selection)
        .status()
        .expect("cargo starts");
    assert!(status.success(), "failed to build the programs under test");
}
