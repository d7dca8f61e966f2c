//! `SHA256SUMS`, as `sha256sum --check` reads it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::provision::checksum::sha256;

pub(super) const NAME: &str = "SHA256SUMS";

pub(super) fn write(folder: &Path, files: &[PathBuf]) -> Result<()> {
    let mut lines = String::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        lines.push_str(&format!("{}  {name}\n", sha256(file)?));
    }
    fs::write(folder.join(NAME), lines).context("failed to write the checksums")
}

/// The files whose checksums differ, or that only one of the two lists has.
pub(super) fn different(one: &str, other: &str) -> Vec<String> {
    let lines = one.lines().filter(|line| !other.lines().any(|its| its == *line));
    let more = other.lines().filter(|line| !one.lines().any(|its| its == *line));
    let mut names: Vec<String> = lines
        .chain(more)
        .map(|line| line.split("  ").nth(1).unwrap_or(line).to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_differ_are_named_once() {
        assert_eq!(different("1  a\n2  b\n", "1  a\n3  b\n4  c\n"), ["b", "c"]);
        assert!(different("1  a\n", "1  a\n").is_empty());
    }

    #[test]
    fn sha256sum_accepts_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        fs::write(&file, "a").unwrap();
        write(folder.path(), std::slice::from_ref(&file)).unwrap();
        let check = || {
            let mut command = std::process::Command::new("sha256sum");
            command
                .args(["--check", "--strict", NAME])
                .current_dir(folder.path());
            command.output().unwrap().status.success()
        };
        assert!(check());
        fs::write(&file, "b").unwrap();
        assert!(!check());
    }
}
