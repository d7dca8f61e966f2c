//! The command line: every flag, its environment twin, and what it means.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use fleet::{Capacity, Mapping, MeasureBuckets, MetadataLabel, NameGlob, NoServiceName, PathGlob, Selector};
use program::manual::Shell;
use program::nats::{Everywhere, NatsArgs};
use program::time::{Bounds, time_within};
use program::{Exit, LogFormat};
use protocol::{Component, EndpointName, EndpointPath, Namespace, SubjectPattern};
use web::WebArgs;

use crate::export::{Compat, ExportOptions, InstanceSeries, WorkerSeries};
use crate::external::ExternalUrl;
use crate::history::Keep;
use crate::sinks::PushArgs;
use crate::target::Target;

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
    /// Say how the target's workers are known, and of every service on NATS whether it is one of them, and why; or which
    /// instances a plain service has, and what mappings find in their data.
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
    /// Check that everything is there that the collector needs: the connection, each permission, limits of the server,
    /// clocks, services, and what Dynamo's workers need to be seen.
    ///
    /// Exit code 0 when nothing has to be mended.
    #[command(after_help = "Examples:
  metrics doctor --server nats://nats:4222
  metrics doctor dynamo/my_component/my_endpoint --json")]
    Doctor(DoctorArgs),
    /// Check whether the workers of a path, in any language, keep to the protocol: discovery, statistics, load, counters, events,
    /// messages without a reply subject, and their end. Each failure has its remedy.
    ///
    /// Exit code 0 when no check fails, 9 when one does, 3 when there is no worker.
    #[command(after_help = "Examples:
  metrics conform dynamo/my_component/my_endpoint
  metrics conform dynamo/my_component/my_endpoint --without-reply --request hello --drain 30s
      send requests too, and look what becomes of them while you stop the worker
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

/// Flags of `healthcheck`.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// Ask whether what the page shows can be relied on (/readyz), and not only whether the collector is alive (/healthz).
    #[arg(long)]
    pub ready: bool,
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

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A pool of workers: namespace/component/endpoint, or with dots, or dyn://…. A text without a slash or a dot is the name
    /// of a plain NATS service. With `*`, each pool or service that it matches.
    #[arg(value_name = "PATH|SERVICE", value_parser = path_or_service, required_unless_present = "named_service")]
    pub target: Option<Selector>,
    /// A plain NATS service, by its name; `*` matches any text.
    #[arg(long = "service", id = "named_service", conflicts_with = "target", value_parser = explained_service, value_name = "NAME")]
    pub service: Option<NameGlob>,
    /// Show every instance with its subjects, and not only groups of them with counts.
    #[arg(long)]
    pub all: bool,
    /// How to look.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Pools that are to have workers: namespace/component/endpoint; `*` in a name matches any text.
    #[arg(value_name = "PATH")]
    pub target: Vec<Selector>,
    /// How to look.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Flags of `conform`.
#[derive(Debug, Args)]
pub struct ConformArgs {
    /// The pool whose workers to check: namespace/component/endpoint, or with dots, or dyn://….
    #[arg(value_name = "PATH")]
    pub target: EndpointPath,
    /// Send this to each worker as a request, and check that it is answered and counted. A worker does what the request says.
    #[arg(long, value_name = "TEXT")]
    pub request: Option<String>,
    /// Also send messages without a reply subject. They end what answers for workers of Dynamo 0.1 to 0.8 until they are started
    /// again, so try that on workers that you can do without.
    #[arg(long)]
    pub without_reply: bool,
    /// Send the request again and again, up to this long, while you stop the first worker, and check that none is lost.
    #[arg(long, value_name = "TIME", requires = "request", value_parser = time_within(LISTEN_FOR))]
    pub drain: Option<Duration>,
    /// How to look.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// How to look.
    #[command(flatten)]
    pub look: LookArgs,
    /// Show the list again after each interval, from 200ms to 1h, until Ctrl-C.
    #[arg(long, num_args = 0..=1, default_missing_value = "2s", value_parser = time_within(WATCH), value_name = "INTERVAL")]
    pub watch: Option<Duration>,
}

/// Flags of `top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// The page of a running collector, e.g. http://metrics:9091 or http://USER:PASSWORD@metrics:9091.
    #[arg(long, value_name = "URL")]
    pub attach: Option<String>,
    /// Print one table and end.
    #[arg(long)]
    pub once: bool,
    /// Print JSON in place of the table.
    #[arg(long, requires = "once")]
    pub json: bool,
    /// Time between rounds where there is no collector, from 200ms to 1h.
    #[arg(long, default_value = "2s", value_parser = time_within(WATCH), value_name = "TIME")]
    pub interval: Duration,
    /// Take the mouse: the wheel moves, a click chooses, a second one opens. The terminal selects no text then.
    #[arg(long)]
    pub mouse: bool,
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
#[derive(Debug, Clone, Args)]
pub struct CollectArgs {
    /// Component whose workers to watch; `*` as in --target.
    #[arg(
        long,
        env = "METRICS_COMPONENT",
        value_parser = name::<Component>
    )]
    pub component: Option<String>,

    /// Endpoint of the component; `*` as in --target.
    #[arg(
        long,
        env = "METRICS_ENDPOINT",
        value_parser = name::<EndpointName>
    )]
    pub endpoint: Option<String>,

    /// Namespace of the component; `*` as in --target. Dynamo's Kubernetes operator appends a hash: 'dynamo-*'.
    #[arg(long, env = "METRICS_NAMESPACE", default_value = "dynamo", value_parser = name::<Namespace>)]
    pub namespace: String,

    /// A path to watch: namespace/component/endpoint, or with dots, or dyn://…; may be repeated. `*` in a name matches any
    /// text: 'dynamo/*/generate' watches every component, '*/*/*' every pool. All its series have the labels that follow it:
    /// 'dynamo/*/generate{team="search"}'.
    #[arg(long, env = "METRICS_TARGET", value_delimiter = ',', value_name = "PATH")]
    pub target: Vec<Target>,

    /// A path not to watch, whatever selects it; `*` as in --target; may be repeated.
    #[arg(long, env = "METRICS_EXCLUDE", value_delimiter = ',', value_name = "PATH")]
    pub exclude: Vec<PathGlob>,

    /// A plain NATS service to watch: any that answers $SRV.STATS; may be repeated. `*` matches any text: 'orders-*'. One without
    /// `*` is reported even while it has no instances.
    #[arg(long, env = "METRICS_SERVICE", value_delimiter = ',', value_parser = NameGlob::of_services, value_name = "NAME")]
    pub service: Vec<NameGlob>,

    /// Watch every NATS service that answers $SRV.STATS. Workers that no --target selects are instances of services, too.
    #[arg(long, env = "METRICS_ALL_SERVICES")]
    pub all_services: bool,

    /// A plain NATS service not to watch, whatever selects it; `*` as in --service; may be repeated.
    #[arg(long, env = "METRICS_EXCLUDE_SERVICE", value_delimiter = ',', value_parser = NameGlob::of_services, value_name = "NAME")]
    pub exclude_service: Vec<NameGlob>,

    /// Keys of the metadata in INFO replies to show as labels of llm_worker_info and nats_service_info; `pod` becomes meta_pod.
    #[arg(
        long,
        env = "METRICS_METADATA_LABELS",
        value_delimiter = ',',
        value_name = "KEY"
    )]
    pub metadata_labels: Vec<MetadataLabel>,

    /// Time between rounds, from 50ms to 1h: `2`, `2s` or `500ms`.
    #[arg(long, env = "METRICS_POLL_INTERVAL", default_value = "2s", value_parser = time_within(POLL_INTERVAL), value_name = "TIME")]
    pub poll_interval: Duration,

    /// Port of the page, where --listen is not given; 0 takes a free one [default: 9091].
    #[arg(long, env = "METRICS_HTTP_PORT_NUMBER", value_name = "PORT")]
    pub metrics_port: Option<u16>,

    /// Address that the page is served on, where --listen is not given; 0.0.0.0 for all [default: 127.0.0.1].
    #[arg(long, env = "METRICS_HTTP_ADDRESS")]
    pub host: Option<String>,

    /// Where and how to serve.
    #[command(flatten)]
    pub web: WebArgs,

    /// Missed rounds after which a worker is stale and its load leaves the page.
    #[arg(long, env = "METRICS_STALE_AFTER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..), value_name = "ROUNDS")]
    pub stale_after: u32,

    /// Missed rounds after which a worker is gone and all of it leaves the page.
    #[arg(long, env = "METRICS_GONE_AFTER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..), value_name = "ROUNDS")]
    pub gone_after: u32,

    /// Waiting requests at which a worker counts as saturated.
    #[arg(long, env = "METRICS_QUEUE_TARGET", default_value_t = 5.0, value_parser = positive, value_name = "REQUESTS")]
    pub queue_target: f64,

    /// KV-cache use, above 0 and at most 1, at which a worker counts as saturated.
    #[arg(long, env = "METRICS_KV_TARGET", default_value_t = 0.8, value_parser = ratio, value_name = "RATIO")]
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

    /// Whether each instance of a plain service has series of its own; the sums of its endpoints are always shown.
    #[arg(long, env = "METRICS_INSTANCE_SERIES", default_value_t = InstanceSeries::On, value_parser = words::<InstanceSeries>(InstanceSeries::WORDS))]
    pub instance_series: InstanceSeries,

    /// Series on the page, with those of mappings, above which workers and instances are left out; the figures of pools stay
    /// exact.
    #[arg(long, env = "METRICS_MAX_SERIES", default_value_t = ExportOptions::MAX_SERIES, value_name = "N")]
    pub max_series: u64,

    /// How many workers and instances have charts of the last 15 minutes, at 4.5 KB each; pools have them as well. With `off`
    /// nothing has any.
    #[arg(
        long,
        env = "METRICS_HISTORY",
        default_value_t = Keep::default(),
        value_name = "WORKERS|off"
    )]
    pub history: Keep,

    /// The address at which a reverse proxy serves the page; a path in it is the prefix under which the page answers, too.
    /// Example: `https://ops.example.com/llm/`.
    #[arg(
        long,
        visible_alias = "web.external-url",
        env = "METRICS_WEB_EXTERNAL_URL",
        value_name = "URL"
    )]
    pub web_external_url: Option<ExternalUrl>,

    /// How long requests to the page may take to end at shutdown, from 1ms to 10m.
    #[arg(long, env = "METRICS_GRACE", default_value = "5s", value_parser = time_within(GRACE), value_name = "TIME")]
    pub grace: Duration,

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
        value_name = "TEMPLATE"
    )]
    pub subject_pattern: Vec<SubjectPattern>,

    /// A number in the `data` of a service or a worker that becomes a metric, as a table in TOML; may be repeated. Keys: service,
    /// endpoint, or target; pointer, name, type, help, unit, scale, labels, const_labels, min, max, boolean, optional, max_series.
    #[arg(long, env = "METRICS_MAPPING", value_parser = crate::mapping::parse, global = true, value_name = "TABLE")]
    pub mapping: Vec<Arc<Mapping>>,

    /// The longest that one round may take, from 10ms to 1h.
    ///
    /// The collector takes at most the poll interval, which is its default; `explain` and `list` wait 2s by default.
    #[arg(long, env = "METRICS_ROUND_TIMEOUT", value_parser = time_within(ROUND_TIMEOUT), global = true, value_name = "TIME")]
    pub round_timeout: Option<Duration>,

    /// Which log lines to write, e.g. `debug` or `metrics=debug`. The collector writes `info,async_nats=off` by default,
    /// commands that look once `warn`, `list --watch` `error`, and `top` nothing.
    #[arg(long, env = "RUST_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,

    /// How log lines are written.
    #[arg(long, env = "METRICS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
}

const POLL_INTERVAL: Bounds = (Duration::from_millis(50), Duration::from_secs(3600));
const ROUND_TIMEOUT: Bounds = (Duration::from_millis(10), Duration::from_secs(3600));
const EVENT_MAX_AGE: Bounds = (Duration::from_secs(1), Duration::from_secs(86_400));
const EVENT_IDLE: Bounds = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));
const LISTEN_FOR: Bounds = (Duration::ZERO, Duration::from_secs(3600));
const WATCH: Bounds = (Duration::from_millis(200), Duration::from_secs(3600));
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

/// Reads a path, or the name of a plain service.
fn path_or_service(text: &str) -> Result<Selector, String> {
    match text.contains(['/', '.']) {
        true => text.parse::<Selector>().map_err(|error| error.to_string()),
        false => explained_service(text).map(Selector::Services),
    }
}

/// Reads the name of a service that is to be explained.
fn explained_service(text: &str) -> Result<NameGlob, String> {
    NameGlob::of_services(text).map_err(|error| match error {
        NoServiceName::Path(_) => "it is a path of workers; write it without --service".to_owned(),
        error => error.to_string(),
    })
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

/// Reads a share of a whole, above 0 and at most 1.
fn ratio(text: &str) -> Result<f64, String> {
    const RULE: &str = "it must be a number above 0 and at most 1";
    let number = text.trim().trim_end_matches('%');
    match number.parse::<f64>() {
        Ok(ratio) if ratio > 0.0 && ratio <= 1.0 && number == text.trim() => Ok(ratio),
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Err(format!(
            "{RULE}; if {number} is a percentage, write {}",
            percent / 100.0
        )),
        _ => Err(RULE.to_owned()),
    }
}

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

    #[test]
    fn a_ratio_is_no_percentage() {
        fn check(text: &str, expected: Result<f64, &str>) {
            let read = ratio(text);
            match (&read, expected) {
                (Ok(ratio), Ok(expected)) => assert_eq!(*ratio, expected, "{text}"),
                (Err(error), Err(expected)) => assert!(error.ends_with(expected), "{text}: {error}"),
                _ => panic!("{text}: {read:?}"),
            }
        }
        check("0.8", Ok(0.8));
        check("1", Ok(1.0));
        check("80", Err("if 80 is a percentage, write 0.8"));
        check("80%", Err("if 80 is a percentage, write 0.8"));
        check("1.5", Err("if 1.5 is a percentage, write 0.015"));
        for text in ["0", "-1", "NaN", "inf", "101", "much", ""] {
            check(text, Err("above 0 and at most 1"));
        }
    }
}
