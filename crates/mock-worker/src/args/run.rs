//! Flags of `run`.

mod words;

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use clap::Args;
use program::nats::{Nats, NatsArgs, NatsSeed};
use protocol::events::Topic;
use protocol::{Encoding, EndpointPath, Layout, StatsShape, WorkerId};
use sim::nanos::Nanos;
use web::args::MockWorker;
use web::{Address, Limits};

use super::LogFormat;
use super::fleet::{LogArg, PathArgs, ScenarioArgs, some_time};
use crate::generation::{Generation, RequestPlane};
use crate::ids;
use crate::scenario::Scenario;
pub use words::{ClockArg, EngineArg};
use words::{EncodingArg, LayoutArg, ShapeArg};

/// Puts the workers of a scenario on NATS, until Ctrl-C or for a time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mock-worker run malformed-one --truth truth.jsonl
  mock-worker run fleet-10k --seed 42
  mock-worker run my.toml --set traffic.rate=12 --duration 2m
  mock-worker run spike --generation 1.6     workers of Dynamo 1.6 whose load comes by events alone
  mock-worker run steady --clock stepped     time passes only by `mock-worker ctl advance 10s`")]
pub(super) struct RunArgs {
    /// A shipped scenario (`mock-worker list`), or a file
    #[arg(default_value = "steady")]
    pub(super) scenario: String,
    #[command(flatten)]
    pub(super) flags: RunFlags,
}

#[derive(Debug, Args)]
pub(super) struct RunFlags {
    #[command(flatten, next_help_heading = "Workers")]
    path: PathArgs,

    /// Id of the first worker; the next ones follow it [default: ids from the seed]
    #[arg(long, env = "MOCK_WORKER_FIRST_ID", value_name = "ID")]
    first_id: Option<WorkerId>,

    /// Over how many NATS connections the workers are spread [default: the scenario's]
    #[arg(long, env = "MOCK_WORKER_CONNECTIONS", value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: Option<u32>,

    /// Replies that a connection sends in a second at most [default: the scenario's, else no limit]
    #[arg(long, env = "MOCK_WORKER_REPLIES_PER_SECOND", value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..))]
    replies_per_second: Option<u32>,

    /// Dynamo version whose protocol the workers speak [default: none; this project's own]
    ///
    /// It decides about subjects, statistics and events. Loads are published when they change.
    #[arg(long, env = "MOCK_WORKER_GENERATION", value_enum, value_name = "VERSION",
          conflicts_with_all = ["layout", "stats_shape", "encoding", "event_interval"])]
    generation: Option<Generation>,

    /// How requests reach the workers [default: nats up to generation 0.9, tcp from 1.2 on]
    #[arg(
        long,
        env = "MOCK_WORKER_REQUEST_PLANE",
        value_enum,
        value_name = "PLANE",
        requires = "generation"
    )]
    request_plane: Option<RequestPlane>,

    /// Where a frontend's request traces are published, from generation 1.4 on [default: dynamo.request_trace.v1]
    #[arg(long, env = "MOCK_WORKER_REQUEST_TRACE_SUBJECT", value_name = "SUBJECT", requires = "generation",
          value_parser = trace_subject)]
    request_trace_subject: Option<String>,

    /// How subjects are written
    #[arg(long, env = "MOCK_WORKER_LAYOUT", value_enum, default_value = "hashed")]
    layout: LayoutArg,

    /// How statistics are written
    #[arg(long, env = "MOCK_WORKER_STATS_SHAPE", value_enum, default_value = "nested")]
    stats_shape: ShapeArg,

    /// How events are encoded
    #[arg(long, env = "MOCK_WORKER_ENCODING", value_enum, default_value = "json")]
    encoding: EncodingArg,

    /// Time between a worker's load events: `2`, `2s` or `500ms`; 0 for none [default: the scenario's]
    ///
    /// A worker reports its load as a `kv_metrics` event at the end of every interval in which it changed. Hit-rate
    /// events do not wait for that: they go out as they happen, also with 0.
    #[arg(long, env = "MOCK_WORKER_EVENT_INTERVAL", value_name = "TIME")]
    event_interval: Option<Nanos>,

    #[command(flatten, next_help_heading = "Scenario")]
    scenario: ScenarioArgs,

    /// Seed of the load, the faults and the workers' ids [default: drawn, and logged]
    ///
    /// The same seed gives the same ids and load to the same path and layout, so two processes that serve one path
    /// side by side need two seeds.
    #[arg(long, env = "MOCK_WORKER_SEED")]
    seed: Option<u64>,

    /// Stops after this much simulated time [default: runs until stopped]
    #[arg(long, env = "MOCK_WORKER_DURATION", value_name = "TIME", value_parser = some_time)]
    duration: Option<Nanos>,

    /// Lets the scenario start again whenever its duration is over; workers and their ids stay
    #[arg(id = "begins_anew", long = "repeat", env = "MOCK_WORKER_REPEAT")]
    repeat: bool,

    /// How the workers' clock advances
    #[arg(long, env = "MOCK_WORKER_CLOCK", value_enum, default_value = "real")]
    clock: ClockArg,

    /// How many times faster than real time the workers' clock runs
    #[arg(long, env = "MOCK_WORKER_SPEED", default_value_t = 1.0, value_name = "FACTOR", value_parser = speed)]
    speed: f64,

    /// Writes what is true, and what was said, to this file: one JSON line for each worker and request for statistics
    #[arg(long, env = "MOCK_WORKER_TRUTH", value_name = "FILE")]
    truth: Option<PathBuf>,

    #[command(flatten, next_help_heading = "Page of the engines")]
    web: MockWorker,

    /// Port of a page in Prometheus' format with the engines' own metrics; 0 takes a free one
    /// [default: no page]
    #[arg(long, env = "MOCK_WORKER_METRICS_PORT_NUMBER", value_name = "PORT")]
    metrics_port: Option<u16>,

    /// Engine whose metric names are served
    #[arg(long, env = "MOCK_WORKER_ENGINE", value_enum, default_value = "vllm")]
    engine: EngineArg,

    /// Address that this page is served on; 0.0.0.0 for all [default: 127.0.0.1]
    #[arg(long, env = "MOCK_WORKER_METRICS_ADDRESS", value_name = "HOST")]
    metrics_host: Option<String>,

    // It ends the heading, which clap gives to every flag that follows.
    #[command(flatten)]
    pub(super) nats: NatsSeed<NatsArgs>,

    /// The name by which `mock-worker ctl` finds this process
    #[arg(long, env = "MOCK_WORKER_NAME", default_value = "default", value_parser = super::ctl::name)]
    name: String,

    /// Takes the next free name where another process has this one: NAME-2, NAME-3 and so on
    #[arg(long, env = "MOCK_WORKER_SHARE_NAME")]
    share_name: bool,

    /// Turns off periodic status output [default: a table on a terminal, otherwise a line every 10 seconds]
    #[arg(long, env = "MOCK_WORKER_QUIET")]
    quiet: bool,

    /// How long requests in flight may take at shutdown
    #[arg(long, env = "MOCK_WORKER_GRACE", default_value = "5s", value_name = "TIME")]
    grace: Nanos,

    #[command(flatten)]
    log: LogArg,
}

/// What `run` is to do.
#[derive(Debug, Clone)]
pub struct Config {
    /// The pool of the workers.
    pub path: EndpointPath,
    /// Their ids, one for each.
    pub ids: Vec<WorkerId>,
    /// The seed of everything that is drawn.
    pub seed: u64,
    /// What happens.
    pub scenario: Scenario,
    /// After how much of the workers' time it ends.
    pub duration: Option<Nanos>,
    /// Whether the scenario starts again when its duration is over.
    pub repeat: bool,
    /// How their time goes.
    pub clock: ClockArg,
    /// How many times faster than real time, where it goes by itself.
    pub speed: f64,
    /// Where the truth is written.
    pub truth: Option<PathBuf>,
    /// How subjects are written.
    pub layout: Layout,
    /// How the load in statistics is written; `None` without one.
    pub stats_shape: Option<StatsShape>,
    /// How events are encoded, where the workers are of no version of Dynamo.
    pub encoding: Encoding,
    /// The Dynamo version whose protocol the workers speak.
    pub generation: Option<Generation>,
    /// How requests reach them.
    pub request_plane: RequestPlane,
    /// Where a frontend's request traces are published.
    pub request_trace_subject: String,
    /// Where the engines' own metrics are served; nowhere if empty.
    pub listen: Vec<Address>,
    /// Whose names they have there.
    pub engine: EngineArg,
    /// Where TLS, users and headers of that page are configured.
    pub web_config: Option<PathBuf>,
    /// What clients of that page may cost.
    pub limits: Limits,
    /// The name for control.
    pub name: String,
    /// Whether it gets a number where another process has it.
    pub share_name: bool,
    /// Whether what the workers do is not reported regularly.
    pub quiet: bool,
    /// Where NATS is, and how to connect to it.
    pub nats: Nats,
    /// How long requests in flight may take at shutdown.
    pub grace: Duration,
    /// How the log is written.
    pub log_format: LogFormat,
}

impl RunFlags {
    /// What each pool of the scenario is to do. `workers` is their number where neither flag nor scenario says one.
    pub(super) fn resolve(
        self,
        scenario: &str,
        workers: Option<u32>,
        matches: &ArgMatches,
    ) -> Result<Vec<Config>, String> {
        let generation = self.generation;
        let writes_traces = generation.is_some_and(|generation| generation.trace().is_some());
        if generation.is_some() && !writes_traces && self.request_trace_subject.is_some() {
            let why = "frontends write request traces from 1.4 on; use --generation 1.4 or later";
            return Err(format!(
                "'--request-trace-subject <SUBJECT>' has no meaning here: {why}"
            ));
        }
        let mut scenario = self.scenario.load(scenario, workers)?;
        scenario.connections = self.connections.unwrap_or(scenario.connections);
        scenario.replies_per_second = self.replies_per_second.or(scenario.replies_per_second);
        scenario.event_interval = self.event_interval.unwrap_or(scenario.event_interval);
        let pools = scenario.pools()?;
        if pools.len() > 1 && self.truth.is_some() {
            return Err("--truth is of one pool, and the scenario has several".to_owned());
        }
        let MockWorker(web) = self.web;
        let limits = web.limits();
        let has_address = self.metrics_port.is_some() || self.metrics_host.is_some();
        if !web.listen.is_empty() && (has_address || pools.len() > 1) {
            return Err(match pools.len() {
                1 => "--listen takes the place of --metrics-host and --metrics-port: give one or the other".to_owned(),
                _ => "--listen is of one pool, and the scenario has several; with --metrics-port each has the next port".to_owned(),
            });
        }
        if web.listen.is_empty() && self.metrics_port.is_none() {
            let given = [
                ("--metrics-host", self.metrics_host.is_some()),
                ("--web-config-file", web.web_config_file.is_some()),
            ];
            if let Some((flag, _)) = given.iter().find(|(_, is_given)| *is_given) {
                return Err(format!(
                    "{flag} is of a page, and there is none; add --metrics-port PORT"
                ));
            }
        }
        let listen = |place: u16| match self.metrics_port {
            None => web.listen.clone(),
            Some(port) => vec![Address::Tcp {
                host: self
                    .metrics_host
                    .clone()
                    .unwrap_or_else(|| "127.0.0.1".to_owned()),
                port: if port == 0 { 0 } else { port.saturating_add(place) },
            }],
        };
        let seed = self.seed.unwrap_or_else(rand::random);
        let nats = self.nats.0.resolve(matches)?;
        let mut configs = Vec::new();
        for ((path, scenario), place) in pools.into_iter().zip(0..) {
            let path = path.unwrap_or_else(|| self.path.path());
            let layout = generation.map_or_else(|| self.layout.into(), Generation::layout);
            let pool = checked(&path, layout, generation)?;
            let seed = seed.wrapping_add(u64::from(place));
            configs.push(Config {
                ids: ids_of(self.first_id, seed, &pool, scenario.workers)?,
                path,
                seed,
                scenario,
                duration: self.duration,
                repeat: self.repeat,
                clock: self.clock,
                speed: self.speed,
                truth: self.truth.clone(),
                layout,
                stats_shape: match generation {
                    None => Some(self.stats_shape.into()),
                    Some(generation) => generation.data(),
                },
                generation,
                request_plane: request_plane(generation, self.request_plane)?,
                request_trace_subject: self
                    .request_trace_subject
                    .clone()
                    .unwrap_or_else(|| protocol::subject::REQUEST_TRACE.to_owned()),
                encoding: self.encoding.into(),
                listen: listen(place),
                engine: self.engine,
                web_config: web.web_config_file.clone(),
                limits,
                name: match place {
                    0 => self.name.clone(),
                    place => format!("{}-{}", self.name, place + 1),
                },
                share_name: self.share_name,
                quiet: self.quiet,
                nats: nats.clone(),
                grace: self.grace.duration(),
                log_format: self.log.log_format,
            });
        }
        Ok(configs)
    }
}

/// The pool's subject. A path without a name in this layout is an error of the command line and not of every worker.
fn checked(path: &EndpointPath, layout: Layout, generation: Option<Generation>) -> Result<String, String> {
    let pool = protocol::WorkerSubject::new(path, layout, None).map_err(|error| match generation {
        None => format!("invalid value '{layout}' for '--layout <LAYOUT>': {error}"),
        Some(generation) => wrong_generation(generation, &error.to_string()),
    })?;
    if let Some(generation) = generation {
        for topic in Topic::ALL {
            generation
                .subject(path, topic)
                .map_err(|error| wrong_generation(generation, &error))?;
        }
    }
    Ok(pool.to_string())
}

fn ids_of(first: Option<WorkerId>, seed: u64, pool: &str, workers: u32) -> Result<Vec<WorkerId>, String> {
    let Some(first) = first else {
        return Ok(ids::seeded(seed, pool, workers));
    };
    ids::consecutive(first, workers).ok_or_else(|| {
        let most = u64::MAX - u64::from(workers - 1);
        format!(
            "invalid value '{first}' for '--first-id <ID>': {workers} ids do not fit above it; use at most {most}"
        )
    })
}

fn wrong_generation(generation: Generation, why: &str) -> String {
    format!("invalid value '{generation}' for '--generation <VERSION>': {why}")
}

fn request_plane(
    generation: Option<Generation>,
    wanted: Option<RequestPlane>,
) -> Result<RequestPlane, String> {
    match (generation, wanted) {
        (None, wanted) => Ok(wanted.unwrap_or(RequestPlane::Nats)),
        (Some(generation), None) => Ok(generation.request_plane()),
        (Some(generation), Some(RequestPlane::Tcp)) if !generation.is_1x() => Err(format!(
            "invalid value 'tcp' for '--request-plane <PLANE>': requests reach workers of Dynamo {generation} over NATS \
             alone; use nats, or --generation 1.2 or later"
        )),
        (Some(_), Some(wanted)) => Ok(wanted),
    }
}

/// A subject to publish at.
fn trace_subject(text: &str) -> Result<String, String> {
    let is_token = |token: &str| {
        !token.is_empty()
            && !token.contains(|c: char| c.is_whitespace() || c.is_control() || "*>".contains(c))
    };
    match text.len() <= protocol::MAX_NAME_BYTES && text.split('.').all(is_token) {
        true => Ok(text.to_owned()),
        false => Err("it is not a subject to publish at; write e.g. dynamo.request_trace.v1".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.001..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("it is not a number from 0.001 to 1000; write e.g. 2 or 0.5".to_owned()),
    }
}
