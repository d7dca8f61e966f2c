//! Flags that several commands share: which workers, which scenario, which log.

use clap::Args;
use protocol::{Component, EndpointName, EndpointPath, Namespace};
use sim::nanos::{Nanos, NanosError};

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
    /// Sets a key of the scenario otherwise, e.g. traffic.rate=5; may be repeated
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

    /// How the trace is written [default: azure where the file ends in .csv, else mooncake]
    #[arg(
        long,
        env = "MOCK_WORKER_TRACE_FORMAT",
        value_enum,
        requires = "trace",
        value_name = "FORMAT"
    )]
    trace_format: Option<sim::trace::TraceFormat>,

    /// How many times faster than recorded the trace is played
    #[arg(long, env = "MOCK_WORKER_SPEEDUP", value_name = "FACTOR")]
    speedup: Option<f64>,

    /// Begins the trace again when it is over
    #[arg(long = "loop", env = "MOCK_WORKER_LOOP")]
    repeat: bool,
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
            let is_csv = file.ends_with(".csv");
            let format = self.trace_format.unwrap_or(match is_csv {
                true => sim::trace::TraceFormat::Azure,
                false => sim::trace::TraceFormat::Mooncake,
            });
            // From the folder where the user is, and not from that of the scenario.
            let file =
                std::path::absolute(file).map_err(|error| format!("failed to find {file}: {error}"))?;
            settings.push(Setting::new("traffic.trace.format", format.as_str().to_owned()));
            settings.push(Setting::new("traffic.trace.file", file.display().to_string()));
        }
        if let Some(speedup) = self.speedup {
            settings.push(Setting::new("traffic.trace.speedup", speedup));
        }
        if self.repeat {
            settings.push(Setting::new("traffic.trace.loop", true));
        }
        let load = |settings: &[Setting]| Scenario::load(name, settings).map_err(|error| error.to_string());
        match load(&settings) {
            // Somebody must deal a trace's requests out, and taking turns is the plainest way.
            Err(_) if self.trace.is_some() => {
                settings.push(Setting::new("traffic.router", "round_robin".to_owned()));
                load(&settings)
            }
            other => other,
        }
    }
}

/// A time that is longer than nothing.
pub(super) fn some_time(text: &str) -> Result<Nanos, String> {
    match text.parse().map_err(|error: NanosError| error.to_string())? {
        Nanos(0) => Err("it must be longer than nothing".to_owned()),
        time => Ok(time),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("it is no number from 0 to 1000; write e.g. 3 or 0.5".to_owned()),
    }
}
