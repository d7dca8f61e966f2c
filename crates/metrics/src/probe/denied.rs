//! [`Denied`]: what this user may not do, what is missing for that, and the lines of the server's configuration that
//! allow it.

use std::fmt;

use link::{Denials, Grants};
use protocol::ServicePrefix;
use protocol::subject::ServiceRequest;
use protocol::text::Shown;
use serde::Serialize;

/// Denied subscriptions that are named.
const NAMED: usize = 3;

/// What NATS denies to this user, by what it is for.
#[derive(Debug, Default, Serialize)]
pub(super) struct Denied {
    /// Requests for statistics.
    pub(super) stats: bool,
    /// Requests for descriptions.
    pub(super) info: bool,
    /// Subjects of events.
    pub(super) events: Vec<String>,
    /// The lines of the server's configuration that allow all of it.
    pub(super) remedy: Vec<String>,
    /// Under which services are asked.
    #[serde(skip)]
    prefix: ServicePrefix,
}

impl Denied {
    pub(super) fn new(denials: &Denials, grants: &Grants, prefix: &ServicePrefix) -> Self {
        let asked = || {
            let publish = denials.publish.iter();
            publish.filter_map(|denied| ServiceRequest::read(denied, prefix))
        };
        Self {
            stats: asked().any(|request| request.verb == "STATS"),
            info: asked().any(|request| request.verb == "INFO"),
            events: denials.subscribe.iter().cloned().collect(),
            remedy: grants.lines().into(),
            prefix: prefix.clone(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.stats && !self.info && self.events.is_empty()
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        if self.stats {
            writeln!(
                f,
                "NATS does not let this user publish to {}: single instances cannot be asked for their statistics.",
                self.prefix.stats_of_any()
            )?;
        }
        if self.info {
            writeln!(
                f,
                "NATS does not let this user publish to {}: services cannot be asked what they are, so workers may be missing here.",
                self.prefix.info_of_any()
            )?;
        }
        if !self.events.is_empty() {
            let named: Vec<String> = self
                .events
                .iter()
                .take(NAMED)
                .map(|denied| Shown(denied).to_string())
                .collect();
            let more = self.events.len().saturating_sub(NAMED);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            writeln!(
                f,
                "NATS does not let this user subscribe to {}{more}: workers that are known by their events alone are missing here.",
                named.join(", ")
            )?;
        }
        let lines = self.remedy.join("\n  ");
        writeln!(
            f,
            "Give it these permissions in the server's configuration:\n  {lines}\n"
        )
    }
}
