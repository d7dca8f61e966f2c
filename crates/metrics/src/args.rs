//! The command line: every flag, its environment twin, and what it means.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use fleet::{Capacity, MeasureBuckets, PathGlob, Selector};
use program::environment::without_empty_variables;
use program::nats::{Everywhere, NatsArgs};
use program::time::{Bounds, time_within};
use program::{Exit, LogFormat};
use protocol::{Component, EndpointName, Namespace, SubjectPattern};

use crate::export::{Compat, ExportOptions, WorkerSeries};

const EXAMPLES: &str = "Examples:
  metrics --component my_component --endpoint my_endpoint
      watch dynamo/my_component/my_endpoint on nats://127.0.0.1:4222, page on http://127.0.0.1:9091/metrics
  metrics --target prod/decode/generate --target prod/prefill/generate --server nats://nats:4222 --host 0.0.0.0
  metrics --target 'dynamo/*/generate' --exclude 'dynamo/test-*/*'
      watch every component of a namespace, and not the test ones
  metrics --target 'dynamo-*/backend/generate' --capacity 'dynamo-*/*/*:slots=256,kv_blocks=8192'
      watch today's Dynamo, whose namespaces end with a hash and whose workers report no capacities
  metrics --component backend --endpoint generate --subject-pattern 'w.{namespace}.{component}.{endpoint}.{worker_id:dec}'
  metrics list
      every pool of workers that there is
  metrics explain dynamo/my_component/my_endpoint
      why each service is, or is not, a worker of it";

/// Finds inference workers on NATS, reads their load and serves it to Prometheus and to people.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    subcommand_negates_reqs = true,
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

impl Cli {
    /// Reads the command line and the environment.
    ///
    /// # Errors
    /// Where they are wrong, with the flag, the value and the remedy, or where help is asked for.
    pub fn from_env() -> Result<(Self, ArgMatches), clap::Error> {
        let matches = without_empty_variables(Self::command()).try_get_matches()?;
        Ok((Self::from_arg_matches(&matches)?, matches))
    }
}

/// Commands that look once and end.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say how the target's workers are known, and of every service on NATS whether it is one of them, and why.
    ///
    /// Exit code 0 when the target has workers, 3 when not.
    #[command(after_help = "Examples:
  metrics explain dynamo/my_component/my_endpoint --json
  metrics explain 'dynamo-*/backend/generate' --listen-for 10s")]
    Explain {
        /// The path: namespace/component/endpoint, or with dots, or dyn://…; with `*`, each pool that it matches.
        target: Selector,
        /// How to look.
        #[command(flatten)]
        look: LookArgs,
    },
    /// List every pool of workers that answers, or is heard by its events.
    ///
    /// Exit code 0 when there is one, 3 when not.
    #[command(after_help = "Example:\n  metrics list --server nats://nats:4222")]
    List {
        /// How to look.
        #[command(flatten)]
        look: LookArgs,
    },
}

/// Flags of commands that look once.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// How long to listen to events, from 0s to 1h. An idle worker of Dynamo 1.1 or later is heard once a second if its
    /// engine reports its passes, and else only when its load changes.
    #[arg(long, default_value = "3s", value_parser = time_within(LISTEN_FOR), value_name = "TIME")]
    pub listen_for: Duration,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Flags of the collector.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Component whose workers to watch; `*` as in --target.
    #[arg(
        long,
        env = "METRICS_COMPONENT",
        required_unless_present = "target",
        requires = "endpoint",
        value_parser = name::<Component>
    )]
    pub component: Option<String>,

    /// Endpoint of the component; `*` as in --target.
    #[arg(
        long,
        env = "METRICS_ENDPOINT",
        required_unless_present = "target",
        requires = "component",
        value_parser = name::<EndpointName>
    )]
    pub endpoint: Option<String>,

    /// Namespace of the component; `*` as in --target. Dynamo's Kubernetes operator appends a hash: 'dynamo-*'.
    #[arg(long, env = "METRICS_NAMESPACE", default_value = "dynamo", value_parser = name::<Namespace>)]
    pub namespace: String,

    /// A path to watch: namespace/component/endpoint, or with dots, or dyn://…; may be repeated. `*` in a name matches any
    /// text: 'dynamo/*/generate' watches every component, '*/*/*' every pool.
    #[arg(long, env = "METRICS_TARGET", value_delimiter = ',', value_name = "PATH")]
    pub target: Vec<Selector>,

    /// A path not to watch, whatever selects it; `*` as in --target; may be repeated.
    #[arg(long, env = "METRICS_EXCLUDE", value_delimiter = ',', value_name = "PATH")]
    pub exclude: Vec<PathGlob>,

    /// Time between rounds, from 50ms to 1h: `2`, `2s` or `500ms`.
    #[arg(long, env = "METRICS_POLL_INTERVAL", default_value = "2s", value_parser = time_within(POLL_INTERVAL), value_name = "TIME")]
    pub poll_interval: Duration,

    /// Port of the page; 0 takes a free one.
    #[arg(
        long,
        env = "METRICS_HTTP_PORT_NUMBER",
        default_value_t = 9091,
        value_name = "PORT"
    )]
    pub metrics_port: u16,

    /// Address that the page is served on; 0.0.0.0 for all.
    #[arg(long, env = "METRICS_HTTP_ADDRESS", default_value = "127.0.0.1")]
    pub host: String,

    /// Missed rounds after which a worker is stale and its load leaves the page.
    #[arg(long, env = "METRICS_STALE_AFTER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..), value_name = "ROUNDS")]
    pub stale_after: u32,

    /// Missed rounds after which a worker is gone and all of it leaves the page.
    #[arg(long, env = "METRICS_GONE_AFTER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..), value_name = "ROUNDS")]
    pub gone_after: u32,

    /// Waiting requests at which a worker counts as saturated.
    #[arg(long, env = "METRICS_QUEUE_TARGET", default_value_t = 5.0, value_parser = positive, value_name = "REQUESTS")]
    pub queue_target: f64,

    /// KV-cache use, 0 to 1, at which a worker counts as saturated.
    #[arg(long, env = "METRICS_KV_TARGET", default_value_t = 0.8, value_parser = positive, value_name = "RATIO")]
    pub kv_target: f64,

    /// Age at which load that a worker reported by an event is no longer shown, from 1s to 1d.
    #[arg(long, env = "METRICS_EVENT_MAX_AGE", default_value = "1m", value_parser = time_within(EVENT_MAX_AGE), value_name = "TIME")]
    pub event_max_age: Duration,

    /// Silence after which a worker that reports its forward passes, with a heartbeat each second, is gone, from 1s to 1d.
    #[arg(long, env = "METRICS_EVENT_GONE_AFTER", default_value = "10s", value_parser = time_within(EVENT_MAX_AGE), value_name = "TIME")]
    pub event_gone_after: Duration,

    /// Silence after which any other worker that is known by its events alone is gone, from 1s to 30d.
    #[arg(long, env = "METRICS_EVENT_IDLE_GONE_AFTER", default_value = "10m", value_parser = time_within(EVENT_IDLE), value_name = "TIME")]
    pub event_idle_gone_after: Duration,

    /// What the workers of some pools can hold, where they do not report it; may be repeated, the first that fits counts.
    ///
    /// Dynamo 1.x reports no capacity on NATS. Example: 'dynamo/*/generate:slots=256,kv_blocks=8192'.
    #[arg(
        long,
        env = "METRICS_CAPACITY",
        value_delimiter = ';',
        value_name = "PATH:slots=N,kv_blocks=N"
    )]
    pub capacity: Vec<Capacity>,

    /// etcd server, or several separated by commas, in which Dynamo's workers register; how much each of them can hold is
    /// read there. Example: http://etcd:2379 or http://USER:PASSWORD@etcd:2379.
    ///
    /// It counts after what a worker reports and after --capacity. Dynamo registers
    /// in etcd unless DYN_DISCOVERY_BACKEND names another place.
    #[arg(long, env = "METRICS_ETCD", hide_env_values = true, value_name = "URL")]
    pub etcd: Option<String>,

    /// A subject on which frontends publish a record for each request, in place of dynamo.request_trace.v1; may be repeated.
    #[arg(long, env = "METRICS_REQUEST_TRACE_SUBJECT", value_delimiter = ',', value_parser = exact_subject, value_name = "SUBJECT")]
    pub request_trace_subject: Vec<String>,

    /// Upper bounds of the buckets of one measure of requests; may be repeated. Example: ttft=0.1,0.5,1.
    ///
    /// Measures: ttft, itl, duration, prefill_wait, prefill, kv_transfer, input_tokens, output_tokens.
    #[arg(
        long,
        env = "METRICS_BUCKETS",
        value_delimiter = ';',
        value_name = "MEASURE=BOUNDS"
    )]
    pub buckets: Vec<MeasureBuckets>,

    /// Also listen to kv-events: blocks that caches store and remove. A worker sends some tens of messages a second.
    #[arg(long, env = "METRICS_KV_EVENTS")]
    pub kv_events: bool,

    /// Also listen to active_sequences_events: requests that routers assign to workers. There are several messages for each
    /// request.
    #[arg(long, env = "METRICS_ACTIVE_SEQUENCES")]
    pub active_sequences: bool,

    /// Whether upstream's metric names are on the page, too.
    #[arg(long, env = "METRICS_COMPAT", default_value_t = Compat::Upstream, value_parser = words::<Compat>(Compat::WORDS))]
    pub compat: Compat,

    /// Which series each worker has: all, the core (load, saturation, requests, errors), or none. Pools are always shown.
    #[arg(long, env = "METRICS_WORKER_SERIES", default_value_t = WorkerSeries::Full, value_parser = words::<WorkerSeries>(WorkerSeries::WORDS))]
    pub worker_series: WorkerSeries,

    /// Series on the page above which workers are left out; the figures of pools stay exact.
    #[arg(long, env = "METRICS_MAX_SERIES", default_value_t = ExportOptions::MAX_SERIES, value_name = "N")]
    pub max_series: u64,

    /// How long requests to the page may take to end at shutdown, from 1ms to 10m.
    #[arg(long, env = "METRICS_GRACE", default_value = "5s", value_parser = time_within(GRACE), value_name = "TIME")]
    pub grace: Duration,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct SharedArgs {
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
        value_name = "TEMPLATE"
    )]
    pub subject_pattern: Vec<SubjectPattern>,

    /// The longest that one round may take, from 10ms to 1h.
    ///
    /// The collector takes at most the poll interval, which is its default; `explain` and `list` wait 2s by default.
    #[arg(long, env = "METRICS_ROUND_TIMEOUT", value_parser = time_within(ROUND_TIMEOUT), global = true, value_name = "TIME")]
    pub round_timeout: Option<Duration>,

    /// Which log lines to write, e.g. `debug` or `metrics=debug`.
    #[arg(
        long,
        env = "RUST_LOG",
        default_value = "info,async_nats=off",
        global = true,
        value_name = "FILTER"
    )]
    pub log: String,

    /// How log lines are written.
    #[arg(long, env = "METRICS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
}

const POLL_INTERVAL: Bounds = (Duration::from_millis(50), Duration::from_secs(3600));
const ROUND_TIMEOUT: Bounds = (Duration::from_millis(10), Duration::from_secs(3600));
const EVENT_MAX_AGE: Bounds = (Duration::from_secs(1), Duration::from_secs(86_400));
const EVENT_IDLE: Bounds = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));
const LISTEN_FOR: Bounds = (Duration::ZERO, Duration::from_secs(3600));
const GRACE: Bounds = (Duration::from_millis(1), Duration::from_secs(600));

/// Reads one of a few words, which `--help` lists.
fn words<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// Reads a name of a path, or a pattern of one.
fn name<N: FromStr<Err: std::error::Error>>(text: &str) -> Result<String, String> {
    match text.replace('*', "x").parse::<N>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) if text.contains('*') => Err("with a name in place of each *, it is no name".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn exact_subject(text: &str) -> Result<String, String> {
    match protocol::subject::is_exact(text) {
        true => Ok(text.to_owned()),
        false => Err("it is no subject without wildcards".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
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
