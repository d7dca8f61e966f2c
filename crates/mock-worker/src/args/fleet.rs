//! Flags that several commands share: which workers, which scenario, which log.

use std::path::Path;

use clap::Args;
use protocol::{Component, EndpointName, EndpointPath, Namespace};
use sim::nanos::{Nanos, NanosError};
use sim::trace::{MAX_BLOCK_TOKENS, TimeUnit, TraceFormat, TraceOptions};

use crate::scenario::{Scenario, Setting};
use program::LogFormat;

/// Whose workers they are.
#[derive(Debug, Clone, Args)]
pub(super) struct PathArgs {
    /// Namespace of the workers
    #[arg(long, env = "MOCK_WORKER_NAMESPACE", default_value = "dynamo")]
    namespace: Namespace,

    /// Component of the workers
    #[arg(long, env = "MOCK_WORKER_COMPONENT", default_value = "my_component")]
    component: Component,

    /// Endpoint of the workers
    #[arg(long, env = "MOCK_WORKER_ENDPOINT", default_value = "my_endpoint")]
    endpoint: EndpointName,
}

/// What goes over the scenario.
#[derive(Debug, Clone, Args)]
pub(super) struct ScenarioArgs {
    /// Overrides a key of the scenario, e.g. traffic.rate=5; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,

    /// How many workers [default: the scenario's]
    #[arg(long, env = "MOCK_WORKER_WORKERS", value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    workers: Option<u32>,

    /// Requests that come to a worker in a second, on average; 0 for idle workers [default: the scenario's]
    #[arg(long, env = "MOCK_WORKER_REQUEST_RATE", value_name = "RATE", value_parser = rate)]
    request_rate: Option<f64>,

    /// Plays this trace in place of the scenario's requests
    #[arg(long, env = "MOCK_WORKER_TRACE", value_name = "FILE")]
    trace: Option<String>,

    #[command(flatten)]
    trace_as: TraceArgs,

    /// How many times faster than recorded the trace is played
    #[arg(long, env = "MOCK_WORKER_SPEEDUP", value_name = "FACTOR")]
    speedup: Option<f64>,

    /// Begins the trace again when it is over
    #[arg(long = "loop", env = "MOCK_WORKER_LOOP")]
    repeat: bool,
}

/// What is known of a trace before it is read.
#[derive(Debug, Clone, Args)]
pub(super) struct TraceArgs {
    /// How the trace is written [default: what its first line shows]
    #[arg(long, env = "MOCK_WORKER_TRACE_FORMAT", value_enum, value_name = "FORMAT")]
    trace_format: Option<TraceFormat>,

    /// Prompt tokens per hash id in the trace [default: what the rows show]
    #[arg(long, env = "MOCK_WORKER_TRACE_BLOCK_SIZE", value_name = "TOKENS",
          value_parser = clap::value_parser!(u64).range(1..=MAX_BLOCK_TOKENS))]
    trace_block_size: Option<u64>,

    /// Unit of the trace's times [default: ms for mooncake, s for qwen and burstgpt]
    #[arg(long, env = "MOCK_WORKER_TRACE_TIME_UNIT", value_enum, value_name = "UNIT")]
    trace_time_unit: Option<TimeUnit>,

    /// Refuses a trace with a row that cannot be played [default: such rows are left out, counted and named]
    #[arg(long, env = "MOCK_WORKER_STRICT")]
    strict: bool,
}

impl TraceArgs {
    pub(super) fn options(&self) -> TraceOptions {
        TraceOptions {
            format: self.trace_format,
            block_tokens: self.trace_block_size,
            time_unit: self.trace_time_unit,
            strict: self.strict,
        }
    }

    /// A file in place of the trace that the scenario may have. That one's format and blocks say nothing about the file;
    /// its speed and whether it begins again stay.
    fn setting(&self, scenario: &str, file: &Path) -> Setting {
        let own = Scenario::load(scenario, &[])
            .ok()
            .and_then(|scenario| scenario.traffic.trace);
        let mut trace = toml::Table::new();
        let mut put = |key: &str, value: toml::Value| trace.insert(key.to_owned(), value);
        put("file", file.display().to_string().into());
        put("strict", self.strict.into());
        if let Some(own) = own {
            put("speedup", own.speedup.into());
            put("loop", own.repeat.into());
        }
        if let Some(format) = self.trace_format {
            put("format", format.as_str().into());
        }
        if let Some(unit) = self.trace_time_unit {
            put("time_unit", unit.as_str().into());
        }
        if let Some(tokens) = self.trace_block_size {
            // At most 2 to the 20th.
            put("block_size", (tokens as i64).into());
        }
        Setting::of_table("traffic.trace", trace, &format!("--trace {}", file.display()))
    }
}

/// How much is logged, and how.
#[derive(Debug, Clone, Args)]
pub(super) struct LogArg {
    /// How the log on stderr is written; RUST_LOG says how much
    #[arg(long, env = "MOCK_WORKER_LOG_FORMAT", value_enum, default_value = "text")]
    pub(super) log_format: LogFormat,
}

impl PathArgs {
    pub(super) fn path(&self) -> EndpointPath {
        EndpointPath::new(
            self.namespace.clone(),
            self.component.clone(),
            self.endpoint.clone(),
        )
    }
}

impl ScenarioArgs {
    /// The scenario with all that goes over it; `workers` where neither says a number.
    pub(super) fn load(&self, name: &str, workers: Option<u32>) -> Result<Scenario, String> {
        let mut settings = self.set.clone();
        if let Some(workers) = self.workers.or(workers) {
            settings.push(Setting::new("workers", i64::from(workers)));
        }
        if let Some(rate) = self.request_rate {
            settings.push(Setting::new("traffic.rate", rate));
        }
        if let Some(file) = &self.trace {
            // From the folder where the user is, and not from that of the scenario.
            let file =
                std::path::absolute(file).map_err(|error| format!("failed to find {file}: {error}"))?;
            settings.push(self.trace_as.setting(name, &file));
        } else if self.trace_as.options() != TraceOptions::default() {
            return Err(
                "--trace-format, --trace-block-size, --trace-time-unit and --strict go with --trace FILE; for a \
                 scenario's own trace use e.g. --set traffic.trace.block_size=64"
                    .to_owned(),
            );
        }
        if let Some(speedup) = self.speedup {
            settings.push(Setting::new("traffic.trace.speedup", speedup));
        }
        if self.repeat {
            settings.push(Setting::new("traffic.trace.loop", true));
        }
        let load = |settings: &[Setting]| Scenario::load(name, settings).map_err(|error| error.to_string());
        match load(&settings) {
            // A trace's requests have to be dealt out, and taking turns is the plainest way.
            Err(_) if self.trace.is_some() => {
                settings.push(Setting::new("traffic.router", "round_robin".to_owned()));
                load(&settings)
            }
            other => other,
        }
    }
}

/// A time that is longer than nothing.
pub(crate) fn some_time(text: &str) -> Result<Nanos, String> {
    match text.parse().map_err(|error: NanosError| error.to_string())? {
        Nanos(0) => Err("it must be longer than 0".to_owned()),
        time => Ok(time),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("it is not a number from 0 to 1000; write e.g. 3 or 0.5".to_owned()),
    }
}
