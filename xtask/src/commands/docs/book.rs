//! `cargo xtask docs --serve`: the documents as a book in a browser.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::Processes;
use crate::workspace::Workspace;

/// The version of mdbook, which crates.io has.
const MDBOOK: &str = "0.5.4";

/// Serves the book on this machine until Ctrl-C, and shows each change.
pub(super) fn serve(workspace: &Workspace, processes: &Processes) -> Result<()> {
    let mdbook = mdbook(workspace, processes).context("failed to provide mdbook")?;
    eprintln!("xtask: the book is on http://127.0.0.1:3000; Ctrl-C ends it");
    let mut serve = Command::new(mdbook);
    serve
        .args(["serve", "--hostname", "127.0.0.1", "--port", "3000"])
        .arg(workspace.root());
    processes.run(&mut serve)
}

/// The program, which is built once and kept next to the other tools.
fn mdbook(workspace: &Workspace, processes: &Processes) -> Result<PathBuf> {
    let folder = workspace.tools().join(format!("mdbook-{MDBOOK}"));
    let program = folder.join("bin/mdbook");
    if !program.exists() {
        eprintln!("xtask: building mdbook {MDBOOK} from crates.io, which takes some minutes ...");
        let mut install = workspace.cargo(["install", "--locked", "mdbook", "--version", MDBOOK, "--root"]);
        install.arg(&folder);
        processes.run(&mut install)?;
    }
    Ok(program)
}
