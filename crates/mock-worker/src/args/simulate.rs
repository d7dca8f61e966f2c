//! Flags of `simulate`.

use clap::Args;
use protocol::EndpointPath;
use sim::nanos::Nanos;

use super::fleet::{PathArgs, ScenarioArgs, some_time};
use crate::simulate::Play;

/// Plays a scenario offline: JSON Lines to stdout, progress to stderr.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mock-worker simulate steady --seed 42 --duration 60s | sha256sum
  mock-worker simulate spike --workers 1 | jq -r '[.time_ns / 1e9, .stats.num_requests_waiting] | @tsv'
  mock-worker simulate trace-azure --trace AzureLLMInferenceTrace_conv.csv --speedup 2")]
pub(super) struct SimulateArgs {
    /// A shipped scenario (`mock-worker list`), or a file
    scenario: String,

    /// Time from one sample of all workers to the next
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = some_time)]
    interval: Nanos,

    /// How many threads share the work; the output is the same [default: one for each core]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,

    /// Takes every step by itself; the output is the same, and takes longer
    #[arg(long)]
    single_step: bool,

    /// Says nothing on stderr
    #[arg(long)]
    quiet: bool,

    #[command(flatten, next_help_heading = "Workers")]
    path: PathArgs,
    #[command(flatten, next_help_heading = "Scenario")]
    set: ScenarioArgs,

    /// Seed of the load, the faults and the workers' ids
    #[arg(long, env = "MOCK_WORKER_SEED", default_value_t = 0)]
    seed: u64,

    /// Simulated time to run for [default: the scenario's duration]
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    duration: Option<Nanos>,
}

impl SimulateArgs {
    pub(super) fn resolve(self) -> Result<(Play, EndpointPath), String> {
        let scenario = self.set.load(&self.scenario, None)?;
        if !scenario.pool.is_empty() {
            return Err(format!(
                "{} has several pools, and one is simulated: `mock-worker run` plays them all",
                self.scenario
            ));
        }
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let play = Play {
            seed: self.seed,
            duration: self.duration.unwrap_or(scenario.duration),
            interval: self.interval,
            threads: self.threads.map_or_else(cores, usize::from),
            single_step: self.single_step,
            progress: !self.quiet,
            scenario,
        };
        Ok((play, self.path.path()))
    }
}
