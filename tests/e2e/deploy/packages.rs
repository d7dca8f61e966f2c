//! What `cargo xtask dist` leaves, read by those programs that install it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::{Finished, finish, tools};
use tokio::process::Command;

/// The one file of the release whose name ends so.
fn artifact(ending: &str, test: &str) -> Option<PathBuf> {
    let folder = tools::program("E2E_ARTIFACTS", test)?;
    let entries = fs::read_dir(folder).expect("a folder of files");
    let mut files = entries.map(|entry| entry.expect("an entry").path());
    let file = files.find(|path| path.to_string_lossy().ends_with(ending));
    Some(file.unwrap_or_else(|| panic!("no file ends with {ending}")))
}

/// What a command prints that succeeds.
async fn run(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).env_remove("METRICS_CONFIG");
    let Finished { code, stdout, stderr } = finish(command).await;
    assert_eq!(
        code,
        Some(0),
        "{} {arguments:?}: {stderr}",
        program.as_ref().display()
    );
    stdout
}

/// Whether an ELF program needs a loader, as each does that is linked dynamically.
fn needs_loader(program: &[u8]) -> bool {
    const INTERP: u32 = 3;
    let number = |at: usize, bytes: usize| {
        let bytes = &program[at..at + bytes];
        bytes
            .iter()
            .rev()
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    assert_eq!(&program[..5], b"\x7fELF\x02", "a program of 64 bits");
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|entry| number(start + entry * size, 4) == INTERP as usize)
}

/// Looks at the installed tree: programs that run anywhere, their manual, completions, and the service.
async fn check_tree(root: &Path) {
    for program in ["metrics", "mock-worker"] {
        let path = root.join("usr/bin").join(program);
        assert!(
            !needs_loader(&fs::read(&path).expect("a program")),
            "{program} is static"
        );
        assert!(run(&path, &["--version"]).await.starts_with(program));
        let page = root.join(format!("usr/share/man/man1/{program}.1"));
        assert!(fs::read_to_string(page).expect("a manual page").contains(".TH"));
        let completions = root.join("usr/share/bash-completion/completions").join(program);
        run("bash", &["-n", completions.to_str().expect("a path")]).await;
    }
    let page =
        fs::read_to_string(root.join("usr/share/man/man1/metrics-list.1")).expect("a page for a command");
    assert!(page.contains("NATS_URL"), "the manual names the variables");
    for file in [
        "usr/lib/systemd/system/metrics.service",
        "usr/lib/sysusers.d/metrics.conf",
        "etc/default/metrics",
    ] {
        assert!(root.join(file).is_file(), "{file}");
    }
}

#[tokio::test]
async fn dpkg_installs_what_runs_without_any_library() {
    let test = "dpkg_installs_what_runs_without_any_library";
    let Some(package) = artifact(".deb", test) else {
        return;
    };
    let package = package.to_str().expect("a path");
    let fields = run("dpkg-deb", &["--field", package]).await;
    assert!(fields.contains("Package: worker-metrics\n"), "{fields}");
    assert!(!fields.contains("\nDepends:"), "{fields}");
    let control = tempfile::tempdir().expect("a folder");
    run(
        "dpkg-deb",
        &["--control", package, control.path().to_str().expect("a path")],
    )
    .await;
    for script in ["postinst", "prerm", "postrm"] {
        run(
            "sh",
            &["-n", control.path().join(script).to_str().expect("a path")],
        )
        .await;
    }
    let configured = fs::read_to_string(control.path().join("conffiles")).expect("a list of files");
    assert_eq!(configured.trim(), "/etc/default/metrics");
    let root = tempfile::tempdir().expect("a folder");
    run(
        "dpkg-deb",
        &["--extract", package, root.path().to_str().expect("a path")],
    )
    .await;
    check_tree(root.path()).await;
}

#[tokio::test]
async fn the_archive_holds_one_folder_with_the_same() {
    let Some(archive) = artifact(".tar.gz", "the_archive_holds_one_folder_with_the_same") else {
        return;
    };
    let root = tempfile::tempdir().expect("a folder");
    let into = root.path().to_str().expect("a path");
    run(
        "tar",
        &[
            "--extract",
            "--file",
            archive.to_str().expect("a path"),
            "--directory",
            into,
        ],
    )
    .await;
    let name = archive
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .replace(".tar.gz", "");
    assert_eq!(fs::read_dir(into).expect("a folder").count(), 1);
    check_tree(&root.path().join(name)).await;
}

#[tokio::test]
async fn the_bill_of_materials_and_the_checksums_agree_with_the_files() {
    let test = "the_bill_of_materials_and_the_checksums_agree_with_the_files";
    let (Some(sums), Some(bill)) = (artifact("SHA256SUMS", test), artifact(".cdx.json", test)) else {
        return;
    };
    let mut check = Command::new("sha256sum");
    check
        .args(["--check", "--strict"])
        .arg(&sums)
        .current_dir(sums.parent().expect("a folder"));
    let checked = finish(check).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert_eq!(checked.stdout.lines().count(), 3, "{}", checked.stdout);

    let bill: Value = serde_json::from_str(&fs::read_to_string(bill).expect("a text")).expect("JSON");
    assert_eq!(
        (&bill["bomFormat"], &bill["specVersion"]),
        (&"CycloneDX".into(), &"1.5".into())
    );
    let components = bill["components"].as_array().expect("components");
    let named = |name: &str| components.iter().find(|component| component["name"] == name);
    let nats = named("async-nats").expect("the client is built in");
    assert_eq!(
        nats["hashes"][0]["content"].as_str().map(str::len),
        Some(64),
        "{nats}"
    );
    assert_eq!(named("metrics").expect("the program")["type"], "application");
    assert!(
        named("testcontainers").is_none(),
        "what only tests need is not built in"
    );
}
