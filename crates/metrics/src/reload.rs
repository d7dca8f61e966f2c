//! The task that reads the configuration file again, on SIGHUP and when the file has changed, and puts it into force.
//!
//! The file is read every second and compared with what is in force. That sees every kind of change, also the swap of a
//! symbolic link in a Kubernetes ConfigMap and a change on a network file system, for which notifications differ or
//! do not come.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use program::{LogFilter, Settling};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::config_file::{self, FileText, Loaded};
use crate::engine::Report;
use crate::live::Live;
use crate::view::SettingRow;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a reload needs to know of the start.
#[derive(Debug)]
pub struct Origin {
    /// The command line, which is put together with the file again.
    pub arguments: Vec<OsString>,
    /// The configuration that the program was started with.
    pub loaded: Loaded,
    /// Which events are logged.
    pub filter: LogFilter,
    /// SIGHUP.
    pub hangup: Signal,
}

/// Where a new configuration goes.
#[derive(Debug)]
pub(crate) struct Targets {
    pub(crate) engine: mpsc::Sender<Report>,
    pub(crate) live: watch::Sender<Live>,
    pub(crate) settings: watch::Sender<Arc<[SettingRow]>>,
}

/// Reloads as long as the program runs.
pub(crate) async fn run(origin: Origin, targets: Targets) -> anyhow::Result<()> {
    let path = origin.loaded.path().map(ToOwned::to_owned);
    let mut watched = Settling::new(origin.loaded.text());
    let Origin {
        arguments,
        loaded,
        filter,
        mut hangup,
    } = origin;
    let reloading = Reloading {
        arguments,
        start: loaded,
        filter,
        targets,
    };
    let Some(path) = path else {
        while hangup.recv().await.is_some() {
            warn!("SIGHUP: there is no configuration file to reload; start with --config FILE");
        }
        return Ok(());
    };
    // A pipe can be read once.
    let is_watched = path.is_file();
    if !is_watched {
        info!(file = %path.display(), "the configuration file is not a regular file, so it is not read again");
    }
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            received = hangup.recv() => {
                received.context("SIGHUP can no longer be received")?;
                if is_watched {
                    watched = Settling::new(Some(read(&path).await?));
                    reloading.reload().await?;
                } else {
                    warn!("SIGHUP: the configuration file is not a regular file, so it is not read again");
                }
            }
            _ = looks.tick(), if is_watched => {
                if watched.is_settled(Some(read(&path).await?)) {
                    reloading.reload().await?;
                }
            }
        }
    }
}

/// The file is read by a thread that may wait: a network file system does not always answer.
async fn read(path: &Path) -> anyhow::Result<FileText> {
    let path: PathBuf = path.to_owned();
    let text = spawn_blocking(move || config_file::read_text(&path)).await;
    text.context("failed to read the configuration file")
}

struct Reloading {
    arguments: Vec<OsString>,
    start: Loaded,
    filter: LogFilter,
    targets: Targets,
}

impl Reloading {
    async fn reload(&self) -> anyhow::Result<()> {
        let arguments = self.arguments.clone();
        let loaded = spawn_blocking(move || {
            let loaded = config_file::load(&arguments)?;
            Ok((loaded.config()?, loaded.filter(None)?, loaded))
        });
        let file = self.start.path().unwrap_or(Path::new(""));
        let file = file.display();
        match loaded.await.context("failed to read the configuration")? {
            Ok((config, filter, loaded)) => {
                self.targets
                    .live
                    .send_modify(|live| *live = live.after_success(&config));
                let plan = Report::Plan(Box::new(config.plan));
                self.targets
                    .engine
                    .send(plan)
                    .await
                    .context("nothing takes plans")?;
                self.filter.set(filter);
                info!(%file, "the configuration was reloaded");
                let waiting = self.start.waits_for_restart(&loaded);
                self.targets
                    .settings
                    .send_replace(self.in_force(&loaded, &waiting));
                if !waiting.is_empty() {
                    let keys = waiting.join(", ");
                    warn!(%file, "some values change only with a restart; restart to apply: {keys}");
                }
            }
            Err(error) => {
                self.targets.live.send_modify(|live| *live = live.after_failure());
                let reason = config_file::LoadError::text(&error);
                warn!(%file, "the configuration was refused; the previous one stays in force:\n{}", reason.trim_end());
            }
        }
        Ok(())
    }

    /// What is in force: of what waits for a restart, what the program was started with.
    fn in_force(&self, loaded: &Loaded, waiting: &[&str]) -> Arc<[SettingRow]> {
        let start = self.start.rows();
        let rows = loaded.rows().into_iter().map(|row| {
            let before = || start.iter().find(|known| known.key == row.key).cloned();
            match waiting.contains(&row.key.as_str()) {
                true => before().unwrap_or(row),
                false => row,
            }
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_reloaded_when_it_has_changed_and_changes_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("my.toml");
        let write = |text: &str| std::fs::write(&path, text).expect("written");
        let read = |path: &Path| Some(config_file::read_text(path));
        write("stale_after = 1\n");
        let mut watched = Settling::new(read(&path));
        assert!(!watched.is_settled(read(&path)), "it is in force");
        write("");
        assert!(!watched.is_settled(read(&path)), "it may be half written");
        write("stale_after = 3\n");
        assert!(!watched.is_settled(read(&path)), "it still changes");
        assert!(watched.is_settled(read(&path)));
        assert!(!watched.is_settled(read(&path)), "it is in force");
        std::fs::remove_file(&path).expect("removed");
        assert!(!watched.is_settled(read(&path)));
        assert!(
            watched.is_settled(read(&path)),
            "that it is gone is reported once"
        );
        assert!(!watched.is_settled(read(&path)));
    }
}
