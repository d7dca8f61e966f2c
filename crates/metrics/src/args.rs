//! The command line: every flag, its environment twin, and what it means.

mod commands;
mod page;
mod reports;
mod rounds;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use fleet::Mapping;
use program::manual::Shell;
use program::nats::{Everywhere, NatsArgs};
use program::time::{Bounds, time_within};
use program::{Exit, LogFormat};
use protocol::SubjectPattern;

use crate::sinks::PushArgs;

pub use commands::{ConformArgs, DoctorArgs, ExplainArgs, HealthcheckArgs, ListArgs, LookArgs, TopArgs};
pub use page::PageArgs;
pub use reports::ReportArgs;
pub use rounds::RoundArgs;
pub use watch::WatchArgs;

const EXAMPLES: &str = "Examples:
  metrics --component my_component --endpoint my_endpoint
      watch dynamo/my_component/my_endpoint on nats://127.0.0.1:4222, page on http://127.0.0.1:9091/metrics
  metrics --target prod/decode/generate --target prod/prefill/generate --server nats://nats:4222 --listen 0.0.0.0:9091
  metrics --target 'dynamo/*/generate' --exclude 'dynamo/test-*/*'
      watch every component of a namespace, and not the test ones
  metrics --target 'dynamo-*/backend/generate' --capacity 'dynamo-*/*/*:slots=256,kv_blocks=8192'
      watch today's Dynamo, whose namespaces end with a hash and whose workers report no capacities
  metrics --all-services --exclude-service 'test-*' --metadata-labels host,pod
      watch every NATS service, in any language, and say where its instances run
  metrics --component backend --endpoint generate --subject-pattern 'w.{namespace}.{component}.{endpoint}.{worker_id:dec}'
  metrics list
      every pool of workers that there is
  metrics explain dynamo/my_component/my_endpoint
      why each service is, or is not, a worker of it
  metrics explain orders
      which instances and endpoints a plain service has";

/// Finds inference workers on NATS, reads their load and serves it to Prometheus and to people.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    args_conflicts_with_subcommands = false,
    after_help = format!("{EXAMPLES}\n\n{}", Exit::table(&Exit::ALL))
)]
pub struct Cli {
    /// Without a subcommand: collect and serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to collect and where to serve it.
    #[command(flatten)]
    pub collect: CollectArgs,
    /// What every command takes.
    #[command(flatten)]
    pub shared: SharedArgs,
}

/// Commands that do one thing and end.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Explain how the target's workers were found and, for each service on NATS, why it is or is not one of them; or
    /// show which instances a plain service has, and what mappings find in their data.
    ///
    /// Exit code 0 when the target has workers, or the service instances; 3 when not.
    #[command(after_help = "Examples:
  metrics explain dynamo/my_component/my_endpoint --all
  metrics explain orders --config mapping.toml
  metrics explain dynamo/my_component/my_endpoint --json
  metrics explain 'dynamo-*/backend/generate' --listen-for 10s")]
    Explain(ExplainArgs),
    /// List every pool of workers with its load, and every other service.
    ///
    /// Exit code 0 when there is a pool, 3 when not.
    #[command(after_help = "Examples:
  metrics list --server nats://nats:4222
  metrics list --watch 5s
  metrics list --watch --json     one JSON document per line")]
    List(ListArgs),
    /// Show problems, pools, workers and the collector in the terminal, live: the screens of the web page.
    ///
    /// They come from a running collector: that of --attach, or else the one whose page this configuration names. Where
    /// that does not answer, or --server or --context is given, they are gathered from NATS itself, whatever is there.
    /// `?` shows all keys. Exit code 0; with --once 3 when there is no pool and no service.
    #[command(after_help = "Examples:
  metrics top
  metrics top --attach http://metrics:9091
  metrics top --server nats://nats:4222
  metrics top --once              one table
  metrics top --once --json       what /api/v1/overview has")]
    Top(TopArgs),
    /// Check everything that the collector needs: the connection, each permission, limits of the server,
    /// clocks, services, and what Dynamo's workers need to be seen.
    ///
    /// Exit code 0 when nothing has to be fixed.
    #[command(after_help = "Examples:
  metrics doctor --server nats://nats:4222
  metrics doctor dynamo/my_component/my_endpoint --json")]
    Doctor(DoctorArgs),
    /// Check whether the workers of a path, in any language, follow the protocol: discovery, statistics, load,
    /// counters, events, messages without a reply subject, and shutdown. Each failure comes with a remedy.
    ///
    /// Exit code 0 when no check fails, 9 when one does, 3 when there is no worker.
    #[command(after_help = "Examples:
  metrics conform dynamo/my_component/my_endpoint
  metrics conform dynamo/my_component/my_endpoint --without-reply --request hello --drain 30s
      also send requests, and check that none is lost while you stop the worker
  metrics conform dynamo/my_component/my_endpoint --json")]
    Conform(ConformArgs),
    /// Check a configuration file, or show what it can hold and what is set.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask the collector that runs on this machine whether it is alive, as a container's health check does.
    ///
    /// It is asked where the page is: at the first address of --listen, or at --host and --metrics-port, as flags before the
    /// command, variables or the configuration file give them. Exit code 0 when it is alive, 1 when not.
    #[command(after_help = "Examples:
  metrics healthcheck
  metrics --listen 0.0.0.0:9091 healthcheck --ready
  METRICS_LISTEN=unix:/run/metrics/page.sock metrics healthcheck")]
    Healthcheck(HealthcheckArgs),
    /// Print the script by which a shell completes the flags and commands of this program.
    #[command(after_help = "Examples:
  metrics completions bash > /usr/share/bash-completion/completions/metrics
  metrics completions zsh > \"${fpath[1]}/_metrics\"
  metrics completions fish > ~/.config/fish/completions/metrics.fish")]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write a manual page for each command.
    #[command(hide = true)]
    Man {
        /// The folder, which is made if need be.
        folder: PathBuf,
    },
}

/// Commands about the configuration. None of them connects to NATS.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration file: exit code 0 when it is valid, 2 with every line that is not.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Show every value and where it comes from: flag, environment, line of the file, or default. Secrets are hidden.
    Show {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a JSON Schema of the file, for editors.
    Schema,
    /// Print a file of all keys with their defaults and their meaning.
    Example,
}

/// Flags of the collector.
#[derive(Debug, Clone, Args)]
pub struct CollectArgs {
    /// What to watch.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// How often workers are asked, and when a silent one is gone.
    #[command(flatten)]
    pub rounds: RoundArgs,
    /// How to read what workers and frontends report.
    #[command(flatten)]
    pub reports: ReportArgs,
    /// Where the page is served, and what is on it.
    #[command(flatten)]
    pub page: PageArgs,
    /// Where to push what the page shows.
    #[command(flatten)]
    pub push: PushArgs,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = None::<&'static str>)]
pub struct SharedArgs {
    /// A configuration file in TOML. Flags and environment variables come before its values. The collector reads it again
    /// when it changes, and on SIGHUP; `metrics config example` prints one.
    #[arg(long, env = "METRICS_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// How to connect to NATS.
    #[command(flatten)]
    pub nats: Everywhere<NatsArgs>,

    /// A subject format of your own, in addition to the built-in ones; may be repeated.
    ///
    /// Placeholders: {namespace} {component} {hash} {endpoint} {worker_id} (hexadecimal) {worker_id:dec}.
    #[arg(
        long,
        env = "METRICS_SUBJECT_PATTERN",
        value_delimiter = ',',
        global = true,
        help_heading = reports::HEADING,
        value_name = "TEMPLATE"
    )]
    pub subject_pattern: Vec<SubjectPattern>,

    /// A number in the `data` of a service or a worker that becomes a metric, as a table in TOML; may be repeated. Keys: service,
    /// endpoint, or target; pointer, name, type, help, unit, scale, labels, const_labels, min, max, boolean, optional, max_series.
    #[arg(long, env = "METRICS_MAPPING", value_parser = crate::mapping::parse, global = true, help_heading = reports::HEADING, value_name = "TABLE")]
    pub mapping: Vec<Arc<Mapping>>,

    /// The longest that one round may take, from 10ms to 1h.
    ///
    /// The collector takes at most the poll interval, which is its default; `explain` and `list` wait 2s by default.
    #[arg(long, env = "METRICS_ROUND_TIMEOUT", value_parser = time_within(ROUND_TIMEOUT), global = true, help_heading = rounds::HEADING, value_name = "TIME")]
    pub round_timeout: Option<Duration>,

    /// Which log lines to write, e.g. `debug` or `metrics=debug`. By default the collector writes
    /// `info,async_nats=off`, one-off commands `warn`, `list --watch` `error`, and `top` nothing.
    #[arg(long, env = "RUST_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,

    /// How log lines are written.
    #[arg(long, env = "METRICS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
}

const ROUND_TIMEOUT: Bounds = (Duration::from_millis(10), Duration::from_secs(3600));

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_variable_has_a_name_that_kubernetes_sets_for_a_service() {
        let colliding = program::environment::colliding_variables(&Cli::command());
        assert!(colliding.is_empty(), "{colliding:?}");
    }
}
