//! The command line: every flag, its environment twin, and what it means.

mod ctl;
mod fleet;
mod run;
mod simulate;
mod trace;

use std::path::PathBuf;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use program::environment::without_empty_variables;
use program::manual::{self, Shell};
use program::nats::Nats;
use program::usage::invalid_value;
use program::{Exit, LogFormat};
use protocol::text::causes;

use crate::control::counted;
use crate::record::RecordArgs;
use crate::scenario::{Scenario, profile_help};
use crate::simulate::Play;
use crate::verify::VerifyArgs;
use protocol::EndpointPath;

pub use ctl::{Call, CtlArgs};
pub use run::{ClockArg, Config, EngineArg};

pub(crate) use fleet::some_time;
use run::{RunArgs, RunFlags};
use simulate::SimulateArgs;
use trace::DescribeArgs;

const EXAMPLES: &str = "Examples:
  mock-worker
      one worker of dynamo/my_component/my_endpoint on nats://127.0.0.1:4222
  mock-worker run spike --seed 7 --truth truth.jsonl
      workers whose queue rises and falls, and a record of what they truly did
  mock-worker run steady --set traffic.rate=12 --workers 100
      a scenario with other numbers
  mock-worker simulate kv-cliff --duration 60s
      the same offline, as JSON Lines
  mock-worker verify --metrics http://127.0.0.1:9091/metrics --truth truth.jsonl
      does a collector show the truth?
  mock-worker ctl fault kind=late delay=3s select.first=1
      something goes wrong while the workers run
  nats request SUBJECT hello --replies 6
      the worker of that subject (the log names some) sends the characters back at the pace of its engine,
      and an empty message at the end";

fn exits() -> String {
    let all = Exit::ALL.into_iter().filter(|exit| *exit != Exit::NoWorkers);
    Exit::table(&all.collect::<Vec<_>>())
}

/// A simulator of inference workers on NATS, to try collectors, routers and dashboards with.
///
/// Each worker answers statistics and requests as a Dynamo worker does, and publishes events. The load obeys the laws
/// of a serving engine, is the same for the same seed, and can go wrong on purpose. Without a command it is `run
/// steady` with one worker.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 110,
    args_conflicts_with_subcommands = true,
    after_help = format!("{EXAMPLES}\n\n{}", exits())
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<CommandArgs>,
    #[command(flatten)]
    run: RunFlags,
}

#[derive(Debug, Subcommand)]
enum CommandArgs {
    /// Puts the workers of a scenario on NATS.
    Run(Box<RunArgs>),
    /// Plays a scenario offline: JSON Lines to stdout, progress to stderr.
    Simulate(SimulateArgs),
    /// How the rate of requests changes with time: every profile with an example.
    #[command(hide = true, help_template = "{about}\n", about = profile_help(), long_about = profile_help())]
    Profile,
    /// Describes a trace before it is played: rows, rates, lengths, and what a prefix cache would find.
    Trace(DescribeArgs),
    /// Lists the shipped scenarios.
    List {
        /// List the kinds of faults instead.
        #[arg(long)]
        faults: bool,
    },
    /// Prints a shipped scenario, to read or to use as a template.
    #[command(after_help = "Example:\n  mock-worker show spike > my.toml")]
    Show {
        /// Its name.
        name: String,
    },
    /// Checks whether a scenario can be run, and says why not.
    #[command(after_help = "Example:\n  mock-worker check my.toml")]
    Check {
        /// A file, or the name of a shipped scenario.
        file: String,
    },
    /// Compares a collector's page with the truth, and says what differs. Exit code 1 where something does.
    #[command(after_help = "Example:
  mock-worker verify --metrics http://127.0.0.1:9091/metrics --truth truth.jsonl --scenario spike")]
    Verify {
        #[command(flatten)]
        verify: VerifyArgs,
        /// Check what this scenario promises, too: a name or a file
        #[arg(long, value_name = "SCENARIO")]
        scenario: Option<String>,
    },
    /// Records a fleet that a collector watches, and prints it as a scenario.
    ///
    /// Workers, capacities, the rate of requests and how it changes, absences and restarts are as they were seen. Lengths of
    /// prompts and answers are fitted.
    #[command(after_help = "Examples:
  mock-worker record --url http://collector:9091 --duration 10m > incident.toml
  mock-worker run incident.toml")]
    Record(RecordArgs),
    /// Controls running workers over NATS.
    Ctl(Box<CtlArgs>),
    /// Prints the script by which a shell completes the flags and commands of this program.
    #[command(
        after_help = "Example:\n  mock-worker completions bash > /usr/share/bash-completion/completions/mock-worker"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Writes a manual page for each command.
    #[command(hide = true)]
    Man {
        /// The folder, which is made if need be.
        folder: PathBuf,
    },
}

/// What the program is to do.
#[derive(Debug)]
pub enum Command {
    /// Put workers on NATS.
    Run(Vec<Config>),
    /// Play offline.
    Simulate(Box<Play>, EndpointPath),
    /// Print this.
    Print(String),
    /// Write the manual pages into this folder.
    Manual(PathBuf),
    /// Compare a page with a truth and a scenario.
    Verify(VerifyArgs, Option<Box<Scenario>>),
    /// Record a fleet as a scenario.
    Record(RecordArgs),
    /// Call workers that run.
    Ctl(Box<Nats>, Call),
}

/// A file that the command line or the scenario names cannot be used. The program ends as with a wrong flag.
#[derive(Debug, thiserror::Error)]
#[error("{}", causes(.0.as_ref()))]
pub struct InvalidInput(pub anyhow::Error);

impl Command {
    /// Reads the environment and a command line, of which the first part is the program's name.
    ///
    /// # Errors
    /// [`clap::Error`] says which flag is wrong and how to put it right.
    pub fn parse_from<T>(args: impl IntoIterator<Item = T>) -> Result<Self, clap::Error>
    where
        T: Into<std::ffi::OsString> + Clone,
    {
        let mut command = without_empty_variables(Cli::command());
        let matches = command.try_get_matches_from_mut(args)?;
        let cli = Cli::from_arg_matches(&matches)?;
        cli.resolve(&matches)
            .map_err(|message| invalid_value(&message, &command))
    }

    /// The connection that it needs, if any.
    pub fn nats(&self) -> Option<&Nats> {
        match self {
            Self::Run(configs) => configs.first().map(|config| &config.nats),
            Self::Ctl(nats, _) => Some(nats),
            _ => None,
        }
    }

    /// How the log is written.
    pub fn log_format(&self) -> LogFormat {
        match self {
            Self::Run(configs) => configs
                .first()
                .map_or(LogFormat::Text, |config| config.log_format),
            _ => LogFormat::Text,
        }
    }
}

impl Cli {
    fn resolve(self, matches: &ArgMatches) -> Result<Command, String> {
        let load = |name: &str| Scenario::load(name, &[]).map_err(|error| error.to_string());
        Ok(match self.command {
            None => Command::Run(self.run.resolve("steady", Some(1), matches)?),
            Some(CommandArgs::Run(args)) => {
                Command::Run(args.flags.resolve(&args.scenario, None, matches)?)
            }
            Some(CommandArgs::Simulate(args)) => {
                let (play, path) = args.resolve()?;
                Command::Simulate(Box::new(play), path)
            }
            Some(CommandArgs::Profile) => Command::Print(profile_help()),
            Some(CommandArgs::Trace(args)) => Command::Print(args.describe()?),
            Some(CommandArgs::List { faults: true }) => Command::Print(list_faults()),
            Some(CommandArgs::List { faults: false }) => Command::Print(list_scenarios()?),
            Some(CommandArgs::Show { name }) => {
                load(&name)?;
                let shipped = crate::scenario::SHIPPED
                    .iter()
                    .find(|(shipped, _)| *shipped == name);
                let (_, text) =
                    shipped.ok_or_else(|| format!("{name} is a file; only shipped scenarios are shown"))?;
                Command::Print((*text).to_owned())
            }
            Some(CommandArgs::Check { file }) => {
                let scenario = load(&file)?;
                let checked = check(&scenario).map_err(|reason| format!("{file}: {reason}"))?;
                Command::Print(format!("{file} can be run:{checked}"))
            }
            Some(CommandArgs::Completions { shell }) => {
                Command::Print(manual::completions(Self::command(), shell))
            }
            Some(CommandArgs::Man { folder }) => Command::Manual(folder),
            Some(CommandArgs::Verify { verify, scenario }) => {
                let scenario = scenario.as_deref().map(load).transpose()?;
                Command::Verify(verify, scenario.map(Box::new))
            }
            Some(CommandArgs::Record(args)) => Command::Record(args),
            Some(CommandArgs::Ctl(args)) => {
                let (nats, call) = args.resolve(matches)?;
                Command::Ctl(Box::new(nats), call)
            }
        })
    }
}

/// What is in a scenario that can be run. Its traces are read here, so that their errors are reported too.
fn check(scenario: &Scenario) -> Result<String, String> {
    let mut text = String::new();
    for (path, pool) in scenario.pools()? {
        let traffic = pool.traffic().map_err(|error| causes(error.as_ref()))?;
        let workers = counted(pool.workers as usize, "worker");
        let faults = counted(pool.fault.len(), "fault");
        let path = path.map_or_else(|| " ".to_owned(), |path| format!("\n  {path}: "));
        text.push_str(&format!("{path}{workers}, {faults}"));
        let readings = traffic.replay.iter().map(|replay| replay.trace.reading());
        for line in readings.flat_map(trace::lines) {
            text.push_str(&format!("\n  trace: {line}"));
        }
    }
    Ok(text + "\n")
}

fn list_scenarios() -> Result<String, String> {
    let mut list = String::new();
    for (name, _) in crate::scenario::SHIPPED {
        let scenario = Scenario::load(name, &[]).map_err(|error| error.to_string())?;
        list.push_str(&format!("{name:<16}  {}\n", scenario.description));
    }
    Ok(list)
}

fn list_faults() -> String {
    let line = |kind: &crate::faults::Kind| format!("{:<18}  {}\n", kind.as_str(), kind.about().trim());
    crate::faults::Kind::ALL.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
