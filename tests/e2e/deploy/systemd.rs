//! The unit, as systemd itself reads it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::{Finished, finish};
use tokio::process::Command;

use super::text;

/// What `systemd-analyze` prints; `None` where there is none.
async fn analyze(arguments: &[&str]) -> Option<Finished> {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments);
    let found = Command::new("systemd-analyze").arg("--version").output().await;
    match found {
        Ok(_) => Some(finish(command).await),
        Err(_) => {
            eprintln!("LEFT OUT: there is no systemd-analyze");
            None
        }
    }
}

/// The unit with a program that exists, in a folder of its own.
fn unit() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("metrics");
    fs::write(&program, "#!/bin/sh\n").expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it can be run");
    let text = text("systemd/metrics.service");
    let of_ours = text.replace("/usr/bin/metrics", &program.to_string_lossy());
    assert_ne!(of_ours, text, "the unit starts /usr/bin/metrics");
    let path = folder.path().join("metrics.service");
    fs::write(&path, of_ours).expect("a unit");
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

#[tokio::test]
async fn systemd_accepts_every_line_of_the_unit() {
    let (_folder, unit) = unit();
    let Some(verified) = analyze(&["verify", "--man=no", &unit]).await else {
        return;
    };
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let about_ours: Vec<&str> = verified
        .stderr
        .lines()
        .filter(|line| line.contains("metrics"))
        .collect();
    assert!(about_ours.is_empty(), "{about_ours:?}");
}

#[tokio::test]
async fn the_unit_exposes_little_of_the_system() {
    let (_folder, unit) = unit();
    // Exposure in tenths; docs/deploy.md names it.
    let Some(judged) = analyze(&[
        "security",
        "--offline=true",
        "--threshold=15",
        "--no-pager",
        &unit,
    ])
    .await
    else {
        return;
    };
    assert_eq!(judged.code, Some(0), "{}", judged.stdout);
    assert!(judged.stdout.contains("OK"), "{}", judged.stdout);
}
