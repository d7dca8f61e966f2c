//! The flags of whatever serves HTTP.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use program::time::{Bounds, time_within};

use crate::address::Address;
use crate::limits::Limits;

/// Where and how to serve. The variables begin with `METRICS_`; see [`MockWorker`] for the other program.
#[derive(Debug, Clone, Args)]
pub struct WebArgs {
    /// Where to serve, in place of a port alone.
    #[arg(
        long,
        env = "METRICS_LISTEN",
        value_delimiter = ',',
        value_name = "ADDRESS",
        // Rustdoc would take the address in brackets for a link.
        help = "Where to serve, in place of a port alone; may be repeated: 127.0.0.1:9091, [::1]:9091, a host name with a port, \
                0.0.0.0:9091 for all addresses, or unix:/path of a socket"
    )]
    pub listen: Vec<Address>,

    /// A web configuration file of Prometheus' exporter-toolkit, for TLS, client certificates, passwords and headers. It is
    /// read again when it, or a certificate that it names, changes.
    #[arg(
        long,
        visible_alias = "web.config.file",
        env = "METRICS_WEB_CONFIG_FILE",
        value_name = "FILE"
    )]
    pub web_config_file: Option<PathBuf>,

    /// How long a client may take to send a request, TLS included, from 100ms to 10m.
    #[arg(long, env = "METRICS_HTTP_HEADER_TIMEOUT", default_value = "10s", value_parser = time_within(TIMEOUT), value_name = "TIME")]
    pub http_header_timeout: Duration,

    /// How long a connection may wait for its next request, from 100ms to 10m.
    #[arg(long, env = "METRICS_HTTP_IDLE_TIMEOUT", default_value = "2m", value_parser = time_within(TIMEOUT), value_name = "TIME")]
    pub http_idle_timeout: Duration,

    /// How long a client may take to read a response, from 100ms to 10m.
    #[arg(long, env = "METRICS_HTTP_RESPONSE_TIMEOUT", default_value = "30s", value_parser = time_within(TIMEOUT), value_name = "TIME")]
    pub http_response_timeout: Duration,

    /// Connections at the same time; fewer where the limit on open files (ulimit -n) leaves no room for NATS and files. One
    /// more connection closes the oldest half-sent request or idle connection, whichever kind there are more of.
    #[arg(long, env = "METRICS_HTTP_MAX_CONNECTIONS", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub http_max_connections: u32,
}

const TIMEOUT: Bounds = (Duration::from_millis(100), Duration::from_secs(600));

impl WebArgs {
    /// What a client may cost.
    pub fn limits(&self) -> Limits {
        Limits {
            header: self.http_header_timeout,
            idle: self.http_idle_timeout,
            response: self.http_response_timeout,
            connections: self.http_max_connections as usize,
        }
    }
}

/// The same flags for `mock-worker`, whose variables begin with `MOCK_WORKER_`.
#[derive(Debug, Clone)]
pub struct MockWorker(pub WebArgs);

impl Args for MockWorker {
    fn augment_args(command: Command) -> Command {
        renamed(WebArgs::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        renamed(WebArgs::augment_args_for_update(command))
    }
}

impl FromArgMatches for MockWorker {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        WebArgs::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

fn renamed(command: Command) -> Command {
    command.mut_args(|arg| {
        let variable = arg.get_env().and_then(|variable| variable.to_str());
        let renamed = variable
            .and_then(|variable| variable.strip_prefix("METRICS_"))
            .map(|name| format!("MOCK_WORKER_{name}"));
        match renamed {
            Some(renamed) => arg.env(renamed),
            None => arg,
        }
    })
}
