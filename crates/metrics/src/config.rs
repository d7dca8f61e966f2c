//! The resolved configuration: what the flags and the environment come to.

use std::time::Duration;

use clap::CommandFactory;
use clap::error::ErrorKind;
use protocol::EndpointPath;
use protocol::service::Servers;

use crate::args::{Cli, CollectArgs, Compat, SharedArgs};
use crate::fleet::FleetSettings;
use crate::matching::Target;

/// All that the collector needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to watch.
    pub targets: Vec<Target>,
    /// Where NATS is.
    pub servers: Servers,
    /// Time between rounds.
    pub poll_interval: Duration,
    /// The longest that a round may take.
    pub round_timeout: Duration,
    /// Address of the page.
    pub host: String,
    /// Port of the page.
    pub port: u16,
    /// When workers age, and what counts as full.
    pub fleet: FleetSettings,
    /// Whether upstream's metric names are written.
    pub compat: Compat,
    /// How long the page may take to end.
    pub grace: Duration,
}

impl Config {
    /// Puts flags together.
    ///
    /// # Errors
    /// A clap error, which exits with 2, where flags that are each valid contradict each other.
    pub fn resolve(collect: CollectArgs, shared: &SharedArgs, servers: Servers) -> Result<Self, clap::Error> {
        if collect.stale_after >= collect.gone_after {
            return Err(Cli::command().error(
                ErrorKind::ValueValidation,
                format!(
                    "--stale-after {} must be less than --gone-after {}",
                    collect.stale_after, collect.gone_after
                ),
            ));
        }
        let round_timeout = shared.round_timeout.unwrap_or(collect.poll_interval);
        if round_timeout > collect.poll_interval {
            return Err(Cli::command().error(
                ErrorKind::ValueValidation,
                format!(
                    "--round-timeout {} must not be longer than --poll-interval {}: a round ends before the next begins; raise --poll-interval",
                    humantime::format_duration(round_timeout),
                    humantime::format_duration(collect.poll_interval)
                ),
            ));
        }
        let flags = collect.component.zip(collect.endpoint);
        let named =
            flags.map(|(component, endpoint)| EndpointPath::new(collect.namespace, component, endpoint));
        let mut paths: Vec<EndpointPath> = named.into_iter().chain(collect.target).collect();
        let mut seen = std::collections::HashSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        Ok(Self {
            targets: paths
                .into_iter()
                .map(|path| Target::new(path, &shared.subject_pattern))
                .collect(),
            servers,
            poll_interval: collect.poll_interval,
            round_timeout,
            host: collect.host,
            port: collect.metrics_port,
            fleet: FleetSettings {
                stale_after: collect.stale_after,
                gone_after: collect.gone_after,
                queue_target: collect.queue_target,
                kv_target: collect.kv_target,
            },
            compat: collect.compat,
            grace: collect.grace,
        })
    }
}

/// Where NATS is. clap would show a wrong value, password and all, so it does not parse this flag.
///
/// # Errors
/// A clap error, which exits with 2 and shows no secret.
pub fn servers(shared: &SharedArgs) -> Result<Servers, clap::Error> {
    shared.server.parse().map_err(|error| {
        let shown = Servers::redact(&shared.server);
        let message = format!(
            "invalid value '{shown}' for '--server <URL>': {error}; write e.g. nats://127.0.0.1:4222"
        );
        Cli::command().error(ErrorKind::ValueValidation, message)
    })
}
