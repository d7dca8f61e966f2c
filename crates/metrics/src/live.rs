//! [`Live`]: what a reload of the configuration changes apart from the plan, and how reloads went.

use std::time::{Duration, SystemTime};

use fleet::Settings;

use crate::config::Config;
use crate::export::{ExportOptions, Reloads};
use crate::ready;

/// What holds until the next reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// What is on the page.
    pub options: ExportOptions,
    /// How long ago the last round may have ended: [`ready::round_limit`].
    pub round_limit: Duration,
    /// How long the page may take to end.
    pub grace: Duration,
    /// How reloads went, where there is a file.
    pub reloads: Option<Reloads>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            options: ExportOptions::default(),
            round_limit: ready::round_limit(&Settings::default()),
            grace: Duration::from_secs(5),
            reloads: None,
        }
    }
}

impl Live {
    /// What this configuration says, before any reload.
    pub fn new(config: &Config, has_file: bool) -> Self {
        Self {
            options: config.export,
            round_limit: ready::round_limit(&config.plan.settings),
            grace: config.grace,
            reloads: has_file.then(|| Reloads {
                is_successful: true,
                last_success: now(),
                succeeded: 0,
                failed: 0,
            }),
        }
    }

    /// What a new configuration says; its file was reloaded.
    #[must_use]
    pub(crate) fn after_success(self, config: &Config) -> Self {
        let reloads = self.reloads.map(|before| Reloads {
            is_successful: true,
            last_success: now(),
            succeeded: before.succeeded + 1,
            ..before
        });
        Self {
            reloads,
            ..Self::new(config, false)
        }
    }

    /// The same; a file was refused.
    #[must_use]
    pub(crate) fn after_failure(self) -> Self {
        let reloads = self.reloads.map(|before| Reloads {
            is_successful: false,
            failed: before.failed + 1,
            ..before
        });
        Self { reloads, ..self }
    }
}

fn now() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}
