//! [`Release`]: what names and dates everything that is packed.

use std::env;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::Processes;
use crate::workspace::Workspace;

const ANSWER: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Release {
    pub(super) version: String,
    /// The target that the programs are for, such as `x86_64-unknown-linux-gnu`.
    pub(super) target: String,
    /// Seconds since 1970 of the commit: the time of everything that is packed, so that it has the same bytes again.
    pub(super) epoch: String,
    /// The commit, or `unknown`.
    pub(super) revision: String,
}

impl Release {
    /// What is built here. `SOURCE_DATE_EPOCH` and `GIT_REVISION` come before what the repository says.
    ///
    /// # Errors
    /// Where rustc or the manifest cannot be asked.
    pub(super) fn of(workspace: &Workspace, processes: &Processes) -> Result<Self> {
        let id = processes.capture(&mut workspace.cargo(["pkgid", "--package", "metrics"]), ANSWER)?;
        let version = id.trim().rsplit(['#', '@']).next().unwrap_or_default().to_owned();
        let rustc = processes.capture(
            Command::new("rustc").arg("-vV").current_dir(workspace.root()),
            ANSWER,
        )?;
        let target = rustc.lines().find_map(|line| line.strip_prefix("host: "));
        let target = target
            .context("failed to find the host in what `rustc -vV` prints")?
            .to_owned();
        if !target.contains("linux") {
            bail!("failed to build for {target}: static programs are made for Linux only");
        }
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.current_dir(workspace.root()).args(args);
            let answer = processes.capture(&mut git, ANSWER).ok()?;
            Some(answer.trim().to_owned())
        };
        let given = |name| env::var(name).ok().filter(|given| !given.is_empty());
        let epoch = given("SOURCE_DATE_EPOCH").or_else(|| git(&["log", "-1", "--format=%ct"]));
        let revision = given("GIT_REVISION").or_else(|| git(&["rev-parse", "HEAD"]));
        Ok(Self {
            version,
            target,
            epoch: epoch.unwrap_or_else(|| "0".into()),
            revision: revision.unwrap_or_else(|| "unknown".into()),
        })
    }

    /// The first part of the target, such as `x86_64`.
    pub(super) fn machine(&self) -> &str {
        self.target.split('-').next().unwrap_or(&self.target)
    }
}
