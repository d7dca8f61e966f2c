//! The bill of materials in CycloneDX 1.5: what `cargo tree` says is built into the programs.
//!
//! It has neither a time nor a serial number, so that the same source gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::programs::PROGRAMS;
use super::release::Release;
use crate::process::Processes;
use crate::workspace::Workspace;

const ASK: Duration = Duration::from_secs(120);

pub(super) fn write(
    release: &Release,
    folder: &Path,
    workspace: &Workspace,
    processes: &Processes,
) -> Result<PathBuf> {
    let mut tree = workspace.cargo(["tree", "--locked", "--edges", "normal,build", "--prefix", "depth"]);
    tree.args(["--format", "{p}|{l}|", "--target", &release.target]);
    for program in PROGRAMS {
        tree.args(["--package", program]);
    }
    let tree = processes.capture(&mut tree, ASK)?;
    let lock =
        fs::read_to_string(workspace.root().join("Cargo.lock")).context("failed to read Cargo.lock")?;
    let document = document(&release.version, &tree, &checksums(&lock));
    let file = folder.join(format!("worker-metrics-{}.cdx.json", release.version));
    let text = serde_json::to_string_pretty(&document).context("failed to write JSON")?;
    fs::write(&file, text + "\n").with_context(|| format!("failed to write {}", file.display()))?;
    Ok(file)
}

/// A package as `name@version`, and what is known of it.
#[derive(Debug, Default)]
struct Package {
    license: String,
    needs: BTreeSet<String>,
    is_ours: bool,
}

/// Reads `0metrics v0.1.0 (/path)|Apache-2.0|` and the lines under it. What a package needs is listed where it comes first.
fn packages(tree: &str) -> BTreeMap<String, Package> {
    let mut found: BTreeMap<String, Package> = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    for line in tree.lines() {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let mut parts = line[digits..].split('|');
        let (Ok(depth), Some(package), Some(license)) =
            (line[..digits].parse::<usize>(), parts.next(), parts.next())
        else {
            continue;
        };
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            continue;
        };
        let id = format!("{name}@{}", version.trim_start_matches('v'));
        let entry = found.entry(id.clone()).or_default();
        // Some crates still write a slash for OR, which is no expression.
        entry.license = license.replace(" / ", " OR ").replace('/', " OR ");
        entry.is_ours = package.contains("(/");
        above.truncate(depth);
        if let Some(parent) = above.last().and_then(|parent| found.get_mut(parent)) {
            parent.needs.insert(id.clone());
        }
        above.push(id);
    }
    found
}

/// The checksums of Cargo.lock by `name@version`. It has one key in a line.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let value = |block: &str, key: &str| {
        let start = format!("{key} = \"");
        let line = block.lines().find_map(|line| line.strip_prefix(&start))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let entry = |block: &str| {
        let (name, version) = (value(block, "name")?, value(block, "version")?);
        Some((format!("{name}@{version}"), value(block, "checksum")?))
    };
    lock.split("[[package]]").filter_map(entry).collect()
}

fn document(version: &str, tree: &str, checksums: &BTreeMap<String, String>) -> Value {
    let packages = packages(tree);
    let reference = |id: &str| format!("pkg:cargo/{id}");
    let component = |(id, package): (&String, &Package)| {
        let (name, version) = id.split_once('@').unwrap_or((id, ""));
        let mut component = json!({
            "type": if PROGRAMS.contains(&name) { "application" } else { "library" },
            "bom-ref": reference(id),
            "name": name,
            "version": version,
        });
        if !package.license.is_empty() {
            component["licenses"] = json!([{ "expression": package.license }]);
        }
        // What is not on crates.io has no address there.
        if !package.is_ours {
            component["purl"] = json!(reference(id));
        }
        if let Some(sum) = checksums.get(id) {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
        }
        component
    };
    let needs = |(id, package): (&String, &Package)| {
        let needs: Vec<String> = package.needs.iter().map(|id| reference(id)).collect();
        json!({ "ref": reference(id), "dependsOn": needs })
    };
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "worker-metrics",
                "name": "worker-metrics",
                "version": version,
                "licenses": [{ "expression": "Apache-2.0" }],
            },
        },
        "components": packages.iter().map(component).collect::<Vec<_>>(),
        "dependencies": packages.iter().map(needs).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
0metrics v0.1.0 (/src/crates/metrics)|Apache-2.0|
1serde v1.0.1|MIT/Apache-2.0|
2serde_core v1.0.2|MIT OR Apache-2.0|
1link v0.1.0 (/src/crates/link)|Apache-2.0|
2serde v1.0.1|MIT/Apache-2.0| (*)

0mock-worker v0.1.0 (/src/crates/mock-worker)|Apache-2.0|
1derive v2.0.0 (proc-macro)|MIT|
";

    #[test]
    fn packages_have_what_they_need_their_licence_and_their_checksum() {
        let lock = "[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nsource = \"x\"\nchecksum = \"abc\"\n";
        let document = document("0.1.0", TREE, &checksums(lock));
        let components = document["components"].as_array().unwrap();
        let named = |name: &str| components.iter().find(|found| found["name"] == name).unwrap();

        assert_eq!(components.len(), 6);
        assert_eq!(named("metrics")["type"], "application");
        assert_eq!(named("link").get("purl"), None, "it is not on crates.io");
        let serde = named("serde");
        assert_eq!(serde["purl"], "pkg:cargo/serde@1.0.1");
        assert_eq!(serde["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(serde["hashes"][0]["content"], "abc");
        let needs = document["dependencies"].as_array().unwrap();
        let of = |name: &str| &needs.iter().find(|found| found["ref"] == name).unwrap()["dependsOn"];
        assert_eq!(
            of("pkg:cargo/metrics@0.1.0"),
            &json!(["pkg:cargo/link@0.1.0", "pkg:cargo/serde@1.0.1"])
        );
        assert_eq!(
            of("pkg:cargo/serde@1.0.1"),
            &json!(["pkg:cargo/serde_core@1.0.2"])
        );
    }
}
