//! What the compiler cannot check of the workspace: who may import whom, where subjects are written, who owns tasks, and
//! whether the documents name what there is.

mod links;
mod literals;
pub(crate) mod messages;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The one module that may write subjects: its file, and the folder of its parts.
const SUBJECTS: [&str; 2] = ["crates/protocol/src/subject.rs", "crates/protocol/src/subject/"];

/// The document that names every crate and every top module.
const ARCHITECTURE: &str = "docs/ARCHITECTURE.md";

/// Which of the workspace's crates each crate may import. The SDK, behind a feature of `protocol`, imports none either.
const IMPORTS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("program", &["link"]),
    ("web", &["link", "program"]),
    ("link", &["protocol"]),
    ("fleet", &["protocol"]),
    ("metrics", &["protocol", "link", "fleet", "program", "web"]),
    ("mock-worker", &["protocol", "link", "program", "web"]),
];

/// What a part of the tree must not import, and why.
const BANNED: &[(&str, &[&str], &str)] = &[
    (
        "crates/fleet",
        &[
            "tokio",
            "async-nats",
            "async_nats",
            "clap",
            "axum",
            "tracing",
            "prometheus-client",
        ],
        "the state machine is pure",
    ),
    (
        "crates/metrics/src/export",
        &["clap"],
        "pages do not know the command line",
    ),
    (
        "crates/metrics/src/web",
        &["clap"],
        "the web server does not know the command line",
    ),
    (
        "crates/link",
        &["clap"],
        "a connection does not know the command line",
    ),
    (
        "crates/protocol",
        &["clap"],
        "a protocol does not know the command line",
    ),
    (
        "xtask/",
        &[
            "protocol",
            "link",
            "fleet",
            "metrics",
            "mock-worker",
            "mock_worker",
        ],
        "xtask starts processes",
    ),
];

/// Everything that is not as it should be, one line each.
///
/// # Errors
/// Where the tree cannot be read.
pub(crate) fn untidy(root: &Path) -> Result<Vec<String>> {
    let sources = files(root, "rs")?;
    if sources.len() < 50 {
        bail!(
            "only {} source files found under {}",
            sources.len(),
            root.display()
        );
    }
    let mut found = Vec::new();
    for (name, text) in &sources {
        found.extend(in_source(name, text));
    }
    for (name, text) in files(root, "toml")? {
        found.extend(in_manifest(&name, &text));
    }
    let architecture =
        fs::read_to_string(root.join(ARCHITECTURE)).context("failed to read the architecture")?;
    let names = sources.iter().map(|(name, _)| name.as_str());
    found.extend(unnamed(&architecture, names));
    found.extend(links::broken(root, &documents(root)?));
    Ok(found)
}

fn in_source(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(format!(
            "{name}:1: begin with a `//!` comment that says what the file is for"
        ));
    }
    if is_test(name) {
        return found;
    }
    if !SUBJECTS.iter().any(|part| name.starts_with(part)) && !name.starts_with("xtask/src/tidy") {
        let strays = literals::strays(text);
        let line = |(line, why)| format!("{name}:{line}: use protocol::subject instead of {why}");
        found.extend(strays.into_iter().map(line));
    }
    if name.starts_with("crates/") {
        let line = |line| {
            format!("{name}:{line}: write an error with protocol::text::causes: `{{:#}}` repeats its causes")
        };
        found.extend(literals::chains(text).into_iter().map(line));
    }
    let (_, code) = literals::lex(text);
    let tests = literals::test_items(&code);
    let code = String::from_utf8_lossy(&code).into_owned();
    let mut start = 0;
    for (number, line) in code.split_inclusive('\n').enumerate() {
        let at = start;
        start += line.len();
        if tests.iter().any(|item| item.contains(&at)) {
            continue;
        }
        let number = number + 1;
        let statement = line.trim_start();
        if ["tokio::spawn(", "tokio::task::spawn("]
            .iter()
            .any(|spawn| statement.starts_with(spawn))
        {
            found.push(format!(
                "{name}:{number}: own the task, so that its end is noticed"
            ));
        }
        for (part, names, why) in BANNED {
            let imports = |banned: &&&str| {
                let path = format!("{banned}::");
                line.match_indices(&path).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':'))
                })
            };
            if let Some(banned) = name
                .starts_with(part)
                .then(|| names.iter().find(imports))
                .flatten()
            {
                found.push(format!("{name}:{number}: do not import {banned}: {why}"));
            }
        }
    }
    found
}

fn is_test(name: &str) -> bool {
    name.starts_with("tests/") || name.contains("/tests/") || name.ends_with("/tests.rs")
}

fn in_manifest(name: &str, text: &str) -> Vec<String> {
    let crates: Vec<&str> = IMPORTS
        .iter()
        .map(|(name, _)| *name)
        .chain(["tests", "xtask"])
        .collect();
    let mut found = Vec::new();
    let mut section = "";
    for (number, line) in text.lines().enumerate() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
        }
        let dependency = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if section != "dependencies" || dependency.is_empty() {
            continue;
        }
        let number = number + 1;
        for (part, names, why) in BANNED {
            if name.starts_with(part) && names.contains(&dependency) {
                found.push(format!("{name}:{number}: do not import {dependency}: {why}"));
            }
        }
        let allowed = IMPORTS
            .iter()
            .find(|(package, _)| name == format!("crates/{package}/Cargo.toml"));
        if let Some((package, allowed)) = allowed
            && crates.contains(&dependency)
            && !allowed.contains(&dependency)
        {
            found.push(format!("{name}:{number}: {package} must not import {dependency}"));
        }
    }
    found
}

/// Crates and top modules that the architecture does not name, as `crates/NAME` and as `NAME.rs` in code.
fn unnamed<'a>(architecture: &str, sources: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found = Vec::new();
    for name in sources {
        let parts: Vec<&str> = name.split('/').collect();
        let ["crates", package, "src", file] = parts[..] else {
            continue;
        };
        if !architecture.contains(&format!("crates/{package}")) {
            found.push(format!("{ARCHITECTURE}: name crates/{package}"));
        }
        let is_root = matches!(file, "lib.rs" | "main.rs");
        if !is_root && !architecture.contains(&format!("`{file}`")) {
            found.push(format!("{ARCHITECTURE}: name `{file}` of {package}"));
        }
    }
    found
}

/// All that people read in Markdown.
pub(crate) fn documents(root: &Path) -> Result<Vec<(String, String)>> {
    let mut found = files_of(root, &["docs", "crates", "deploy"], "md")?;
    for name in ["README.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root.join(name)).with_context(|| format!("failed to read {name}"))?;
        found.push((name.to_owned(), text));
    }
    Ok(found)
}

/// The source files of the workspace that end like this, with their names from the root, in order.
fn files(root: &Path, extension: &str) -> Result<Vec<(String, String)>> {
    files_of(root, &["crates", "tests", "xtask"], extension)
}

/// The files in some folders that end like this, with their names from the root, in order. A folder may be absent.
fn files_of(root: &Path, folders: &[&str], extension: &str) -> Result<Vec<(String, String)>> {
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    folders.retain(|folder| folder.is_dir());
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("failed to read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(root)?.display().to_string();
                let text = fs::read_to_string(&path).with_context(|| format!("failed to read {name}"))?;
                found.push((name, text));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let untidy = untidy(&root).expect("the tree can be read");
        assert!(untidy.is_empty(), "\n{}", untidy.join("\n"));
    }

    #[test]
    fn what_is_untidy_in_a_source_is_found_with_its_line() {
        fn check(name: &str, text: &str, expected: &[&str]) {
            let found = in_source(name, text);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found} lacks {expected}");
            }
        }
        check("crates/a/src/b.rs", "fn a() {}", &["crates/a/src/b.rs:1: begin"]);
        check(
            "crates/a/src/b.rs",
            "//! B.\ntokio::spawn(a());",
            &[":2: own the task"],
        );
        check("crates/a/src/b.rs", "//! B.\nlet a = tokio::spawn(a());", &[]);
        check(
            "crates/a/src/b.rs",
            "//! B.\n#[cfg(test)]\nmod tests {\n    tokio::spawn(a());\n}",
            &[],
        );
        check(
            "crates/a/src/b.rs",
            "//! B.\nlet a = \"$SRV.STATS\";",
            &[":2: use protocol::subject"],
        );
        check(
            "crates/fleet/src/b.rs",
            "//! B.\nuse tokio::time;",
            &[":2: do not import tokio"],
        );
        check(
            "crates/metrics/src/web.rs",
            "//! B.\nuse clap::Args;",
            &["do not import clap"],
        );
        check(
            "crates/metrics/src/web.rs",
            "//! B.\nlet text = format!(\"{error:#}\");",
            &[":2: write an error with protocol::text::causes"],
        );
        check("crates/fleet/src/b.rs", "//! B.\nlet x = my_clap::f();", &[]);
    }

    #[test]
    fn a_crate_that_imports_another_against_the_rules_is_found() {
        let check = |name: &str, dependency: &str| {
            let manifest =
                format!("[package]\nname = \"x\"\n\n[dependencies]\n{dependency}.workspace = true\n");
            in_manifest(name, &manifest).len()
        };
        assert_eq!(check("crates/fleet/Cargo.toml", "tokio"), 1);
        assert_eq!(check("crates/fleet/Cargo.toml", "link"), 1);
        assert_eq!(check("crates/fleet/Cargo.toml", "protocol"), 0);
        assert_eq!(check("crates/mock-worker/Cargo.toml", "metrics"), 1);
        assert_eq!(check("crates/metrics/Cargo.toml", "fleet"), 0);
    }

    #[test]
    fn a_module_that_the_architecture_does_not_name_is_found() {
        let sources = ["crates/a/src/lib.rs", "crates/a/src/b.rs", "crates/a/src/c/d.rs"];
        let check = |text| unnamed(text, sources.into_iter()).len();
        assert_eq!(check("crates/a has `b.rs`"), 0);
        assert_eq!(check("crates/a has b.rs"), 1);
    }
}
