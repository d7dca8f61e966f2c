//! Reads a web configuration file again when it, or a file that it names, has changed.
//!
//! The files are read every second and compared: that sees renewed certificates and swapped links, too, on every file
//! system.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::file::Sources;
use super::{ConfigError, Policy, Security};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type Seen = Result<Sources, ConfigError>;

/// What is known of the files.
struct Watched {
    in_force: Seen,
    changed: Option<Seen>,
}

impl Watched {
    /// What is new, once it was the same twice: a file that is being written may be empty or half there.
    fn settled(&mut self, seen: Seen) -> Option<Seen> {
        if self.in_force == seen {
            self.changed = None;
            return None;
        }
        if self.changed.as_ref() != Some(&seen) {
            self.changed = Some(seen);
            return None;
        }
        self.changed = None;
        self.in_force = seen.clone();
        Some(seen)
    }
}

impl Security {
    /// Follows the file as long as the program runs; without a file, waits.
    pub(crate) async fn follow(&self) {
        let Some(sources) = &self.sources else {
            return std::future::pending().await;
        };
        let path = sources.path.clone();
        let mut watched = Watched {
            in_force: Ok(sources.clone()),
            changed: None,
        };
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let read_path = path.clone();
            let Ok(seen) = spawn_blocking(move || Sources::read(&read_path)).await else {
                continue;
            };
            let Some(seen) = watched.settled(seen) else {
                continue;
            };
            match seen.and_then(|sources| replacement(&sources)) {
                Ok(policy) => {
                    self.in_force.send_replace(Arc::new(policy));
                    info!(file = %path.display(), "the web configuration was reloaded; it holds for new connections and requests");
                }
                Err(error) => {
                    warn!(%error, "the web configuration was refused, and the one before stays in force");
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
