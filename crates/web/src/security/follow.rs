//! Reads a web configuration file again when it, or a file that it names, has changed.
//!
//! The files are read every second and compared: that sees renewed certificates and swapped links, too, on every file
//! system.

use std::sync::Arc;
use std::time::Duration;

use program::Settling;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::file::Sources;
use super::{ConfigError, Policy, Security};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Security {
    /// Follows the file as long as the program runs; without a file, waits.
    pub(crate) async fn follow(&self) {
        let Some(sources) = &self.sources else {
            return std::future::pending().await;
        };
        let path = sources.path.clone();
        let mut watched = Settling::new(Ok(sources.clone()));
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let read_path = path.clone();
            let Ok(seen) = spawn_blocking(move || Sources::read(&read_path)).await else {
                continue;
            };
            if !watched.is_settled(seen) {
                continue;
            }
            match watched
                .in_force()
                .as_ref()
                .map_err(Clone::clone)
                .and_then(replacement)
            {
                Ok(policy) => {
                    self.in_force.send_replace(Arc::new(policy));
                    info!(file = %path.display(), "the web configuration was reloaded; it applies to new connections and requests");
                }
                Err(error) => {
                    warn!(%error, "the web configuration was refused; the previous one stays in force");
                }
            }
        }
    }
}

/// What takes the place of the policy in force. A file that has become empty would open the page to everyone.
fn replacement(sources: &Sources) -> Result<Policy, ConfigError> {
    if sources.is_empty() {
        let reason = "it is empty; to serve without TLS and passwords, restart without --web-config-file";
        return Err(ConfigError::new(&sources.path, reason));
    }
    Policy::of(sources)
}
