//! The command line: every flag, its environment twin, and what it means.

use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use protocol::service::Servers;
use protocol::{Component, Encoding, EndpointName, EndpointPath, Layout, Namespace, StatsShape, WorkerId};

use crate::ids;

/// Puts workers with simulated load on NATS, to try collectors and dashboards with.
///
/// Each worker answers statistics and requests as a Dynamo worker does, and publishes events. The load hangs
/// together and is the same for the same seed.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 110,
    after_help = "Examples:
  mock-worker
      one worker of dynamo/my_component/my_endpoint on nats://127.0.0.1:4222
  mock-worker --workers 100 --seed 7
      a hundred workers, the same ones at every start
  mock-worker --layout plain --stats-shape flat --encoding msgpack
      as other generations of Dynamo write subjects, statistics and events
  nats request SUBJECT hello --replies 6
      the worker of that subject (the log names some) sends the characters back one by one,
      and an empty message at the end

Exit codes: 0 done, 1 failed, 2 wrong flags."
)]
pub struct Args {
    /// Namespace of the workers
    #[arg(long, env = "MOCK_WORKER_NAMESPACE", default_value = "dynamo")]
    namespace: Namespace,

    /// Component of the workers
    #[arg(long, env = "MOCK_WORKER_COMPONENT", default_value = "my_component")]
    component: Component,

    /// Endpoint of the workers
    #[arg(long, env = "MOCK_WORKER_ENDPOINT", default_value = "my_endpoint")]
    endpoint: EndpointName,

    /// How many workers
    #[arg(long, env = "MOCK_WORKER_WORKERS", default_value_t = 1, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    workers: u32,

    /// Seed of the load and of the workers' ids [default: drawn, and told in the log]
    ///
    /// The same seed gives the same ids and load to the same path and layout, so two processes that serve one path
    /// side by side need two seeds.
    #[arg(long, env = "MOCK_WORKER_SEED")]
    seed: Option<u64>,

    /// Id of the first worker; the next ones follow it [default: ids from the seed]
    #[arg(long, env = "MOCK_WORKER_FIRST_ID", value_name = "ID")]
    first_id: Option<WorkerId>,

    /// Requests that come to a worker in a second, on average over the workers; 0 for idle workers
    #[arg(long, env = "MOCK_WORKER_REQUEST_RATE", default_value_t = 3.0, value_name = "RATE", value_parser = rate)]
    request_rate: f64,

    /// How subjects are written
    #[arg(long, env = "MOCK_WORKER_LAYOUT", value_enum, default_value = "hashed")]
    layout: LayoutArg,

    /// How statistics are written
    #[arg(long, env = "MOCK_WORKER_STATS_SHAPE", value_enum, default_value = "nested")]
    stats_shape: ShapeArg,

    /// How events are encoded
    #[arg(long, env = "MOCK_WORKER_ENCODING", value_enum, default_value = "json")]
    encoding: EncodingArg,

    /// Time between a worker's load events: `2`, `2s` or `500ms`; 0 for none
    ///
    /// A worker tells its load as a `kv_metrics` event at the end of every interval in which it changed, on the first
    /// tick of 100 ms that is due. Hit-rate events do not wait for that: they go out with the tick in which they
    /// happen, also with 0.
    #[arg(long, env = "MOCK_WORKER_EVENT_INTERVAL", default_value = "1s", value_name = "TIME", value_parser = duration)]
    event_interval: Duration,

    /// NATS server, e.g. nats://user:password@host:4222; several with commas between them
    #[arg(
        short,
        long,
        env = "NATS_URL",
        hide_env_values = true,
        default_value = "nats://127.0.0.1:4222",
        value_name = "URL"
    )]
    server: String,

    /// How long requests in flight may take at shutdown
    #[arg(long, env = "MOCK_WORKER_GRACE", default_value = "5s", value_name = "TIME", value_parser = duration)]
    grace: Duration,

    /// How the log on stderr is written; RUST_LOG says how much
    #[arg(long, env = "MOCK_WORKER_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
}

/// What the program is to do.
#[derive(Debug, Clone)]
pub struct Config {
    /// The pool of the workers.
    pub path: EndpointPath,
    /// Their ids, one for each.
    pub ids: Vec<WorkerId>,
    /// The seed of their load.
    pub seed: u64,
    /// Requests a second and worker.
    pub request_rate: f64,
    /// How subjects are written.
    pub layout: Layout,
    /// How statistics are written.
    pub stats_shape: StatsShape,
    /// How events are encoded.
    pub encoding: Encoding,
    /// Time between load events, or `None` for no such events.
    pub event_interval: Option<Duration>,
    /// Where NATS is.
    pub servers: Servers,
    /// How long requests in flight may take at shutdown.
    pub grace: Duration,
    /// How the log is written.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LayoutArg {
    /// namespace_component_hash: Dynamo 0.1.1 and 0.2.0, and workers built on this project
    Hashed,
    /// The same with another hash: Dynamo 0.1.0
    HashedPipe,
    /// namespace_component: Dynamo 0.2.1 and later
    Plain,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShapeArg {
    /// All fields side by side: Dynamo up to 0.3.1
    Flat,
    /// worker_stats and kv_stats: Dynamo 0.3.2 and later
    Nested,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EncodingArg {
    Json,
    Msgpack,
}

impl Config {
    /// Reads the command line and the environment. Where they are wrong, or help is asked for, this ends the process
    /// as clap does: with the flag, the value and the remedy, and exit code 2.
    pub fn from_env() -> Self {
        Self::parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads a command line, of which the first part is the program's name.
    ///
    /// # Errors
    /// [`clap::Error`] says which flag is wrong and how to put it right.
    pub fn parse_from<T>(args: impl IntoIterator<Item = T>) -> Result<Self, clap::Error>
    where
        T: Into<std::ffi::OsString> + Clone,
    {
        let mut command = Args::command();
        let matches = command.try_get_matches_from_mut(args)?;
        let args = Args::from_arg_matches(&matches)?;
        args.resolve()
            .map_err(|message| command.error(ErrorKind::ValueValidation, message))
    }
}

impl Args {
    fn resolve(self) -> Result<Config, String> {
        let path = EndpointPath::new(self.namespace, self.component, self.endpoint);
        let layout = self.layout.into();
        // Looked at here, so that a path without a name is an error of the command line and not of every worker.
        let pool = protocol::WorkerSubject::new(&path, layout, None)
            .map_err(|error| format!("invalid value '{layout}' for '--layout <LAYOUT>': {error}"))?;
        let seed = self.seed.unwrap_or_else(rand::random);
        let ids = match self.first_id {
            None => ids::seeded(seed, &pool.to_string(), self.workers),
            Some(first) => ids::consecutive(first, self.workers).ok_or_else(|| {
                let (workers, most) = (self.workers, u64::MAX - u64::from(self.workers - 1));
                format!(
                    "invalid value '{first}' for '--first-id <ID>': {workers} ids do not fit above it; use at most {most}"
                )
            })?,
        };
        // clap would show the value, password and all, so the address is not parsed by clap.
        let servers = self.server.parse().map_err(|error| {
            format!(
                "invalid value '{}' for '--server <URL>': {error}; write e.g. nats://127.0.0.1:4222",
                Servers::redact(&self.server)
            )
        })?;
        Ok(Config {
            path,
            ids,
            seed,
            request_rate: self.request_rate,
            layout,
            stats_shape: self.stats_shape.into(),
            encoding: self.encoding.into(),
            event_interval: (!self.event_interval.is_zero()).then_some(self.event_interval),
            servers,
            grace: self.grace,
            log_format: self.log_format,
        })
    }
}

impl From<LayoutArg> for Layout {
    fn from(arg: LayoutArg) -> Self {
        match arg {
            LayoutArg::Hashed => Self::Hashed,
            LayoutArg::HashedPipe => Self::HashedPipe,
            LayoutArg::Plain => Self::Plain,
        }
    }
}

impl From<ShapeArg> for StatsShape {
    fn from(arg: ShapeArg) -> Self {
        match arg {
            ShapeArg::Flat => Self::Flat,
            ShapeArg::Nested => Self::Nested,
        }
    }
}

impl From<EncodingArg> for Encoding {
    fn from(arg: EncodingArg) -> Self {
        match arg {
            EncodingArg::Json => Self::Json,
            EncodingArg::Msgpack => Self::MessagePack,
        }
    }
}

/// A number of seconds, or a number with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text),
    };
    parsed.map_err(|error| format!("{error}; write e.g. 2, 2s or 500ms"))
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("it is no number from 0 to 1000; write e.g. 3 or 0.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Config, clap::Error> {
        Config::parse_from(["mock-worker"].iter().chain(args))
    }

    #[test]
    fn without_flags_it_is_one_worker_of_the_usual_path() {
        let config = parse(&[]).expect("no flag is required");
        assert_eq!(config.path.to_string(), "dynamo/my_component/my_endpoint");
        assert_eq!(config.ids.len(), 1);
        assert_eq!(
            (config.layout, config.stats_shape),
            (Layout::Hashed, StatsShape::Nested)
        );
        assert_eq!(config.event_interval, Some(Duration::from_secs(1)));
        assert_eq!(config.servers.to_string(), "nats://127.0.0.1:4222");
    }

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        fn check(text: &str, expected: Option<u64>) {
            let config = parse(&["--event-interval", text]).expect(text);
            assert_eq!(
                config.event_interval,
                expected.map(Duration::from_millis),
                "{text}"
            );
        }
        check("2", Some(2_000));
        check("2s", Some(2_000));
        check("500ms", Some(500));
        check("0", None);
    }

    #[test]
    fn ids_come_from_the_seed_or_follow_the_first() {
        let ids = |args: &[&str]| parse(args).expect("valid").ids;
        let seeded = |workers| ids(&["--seed", "1", "--workers", workers]);
        assert_eq!(seeded("3")[..2], seeded("2"));
        assert_ne!(
            ids(&[]),
            ids(&[]),
            "processes that are given no seed do not get in each other's way"
        );
        assert_ne!(ids(&["--seed", "1"]), ids(&["--seed", "2"]));
        let expected = [7, 8, 9].map(WorkerId::new);
        assert_eq!(ids(&["--workers", "3", "--first-id", "7"]), expected);
        let last = ids(&["--first-id", "18446744073709551615"]);
        assert_eq!(last, [WorkerId::new(u64::MAX)]);
    }

    #[test]
    fn a_wrong_flag_exits_2_with_flag_value_and_remedy() {
        fn check(args: &[&str], expected: &[&str]) {
            let error = parse(args).expect_err("wrong");
            assert_eq!(error.exit_code(), 2);
            let text = error.to_string();
            for part in expected {
                assert!(text.contains(part), "{part:?} is not in {text}");
            }
        }
        check(&["--workers", "0"], &["--workers", "'0'", "1..=100000"]);
        check(&["--layout", "hash"], &["--layout", "'hash'", "hashed-pipe"]);
        check(
            &["--event-interval", "soon"],
            &["--event-interval", "'soon'", "500ms"],
        );
        check(
            &["--request-rate", "nan"],
            &["--request-rate", "'nan'", "0 to 1000"],
        );
        check(&["--component", "a b"], &["--component", "'a b'", "white space"]);
        check(
            &["--server", "http://x"],
            &["--server", "'http://x'", "nats://127.0.0.1:4222"],
        );
        check(
            &["--first-id", "18446744073709551615", "--workers", "2"],
            &["--first-id", "at most 18446744073709551614"],
        );
        check(
            &["--namespace", "日", "--component", "本", "--layout", "plain"],
            &["--layout", "'plain'", "use the hashed layout"],
        );
    }

    #[test]
    fn a_wrong_address_does_not_give_its_password_away() {
        let error = parse(&["--server", "nats://me:secret@host:port"]).expect_err("no port");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(error.to_string().contains("host:port"), "{error}");
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
