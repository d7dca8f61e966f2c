//! What the binary does with its command line: logs, signals, exit codes.

use std::process::ExitCode;

use anyhow::Context;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory};
use link::Servers;
use program::nats::Nats;
use program::{Exit, Log, usage};
use protocol::text::causes;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::app;
use crate::args::{Cli, Command, ListArgs, SharedArgs};
use crate::config::Config;
use crate::probe::{self, Copied, Health};

/// Reads the command line, runs the command, and returns how it ended; see [`Exit`].
pub async fn main() -> ExitCode {
    let log = Log::open();
    match prepare(&log) {
        Ok(prepared) => run(prepared, &log).await,
        Err(error) => usage::end(&error, &log),
    }
}

/// What to do.
enum Task {
    Collect(Box<Config>),
    Once(Command),
    /// Nothing is named that could be watched.
    Nothing,
}

/// All that a task needs.
struct Prepared {
    task: Task,
    shared: SharedArgs,
    nats: Nats,
    copied: Copied,
}

/// Reads flags and environment, and starts the log. All that can be wrong with them is found here.
fn prepare(log: &Log) -> Result<Prepared, clap::Error> {
    let (cli, matches) = Cli::from_env()?;
    let Cli {
        command,
        collect,
        shared,
    } = cli;
    log.record(filter(&shared, command.as_ref())?, shared.log_format);
    let nats = shared.nats.0.clone().resolve(&matches);
    let nats = nats.map_err(|message| Cli::command().error(ErrorKind::ValueValidation, message))?;
    nats.say_context();
    let task = match command {
        Some(command) => Task::Once(command),
        None if !Config::names_any(&collect) => Task::Nothing,
        None => Task::Collect(Box::new(Config::resolve(collect, &shared, nats.clone())?)),
    };
    Ok(Prepared {
        task,
        shared,
        nats,
        copied: copied(&matches),
    })
}

async fn run(prepared: Prepared, log: &Log) -> ExitCode {
    let Prepared {
        task,
        shared,
        nats,
        copied,
    } = prepared;
    let result = match task {
        Task::Collect(config) => collect(*config, log).await.map(|()| Exit::Done),
        Task::Once(Command::Explain(args)) => found(probe::explain(args, &nats, &shared, &copied).await),
        Task::Once(Command::List(ListArgs { look, watch: None })) => {
            found(probe::list(&nats, &shared, &look).await)
        }
        Task::Once(Command::List(ListArgs {
            look,
            watch: Some(interval),
        })) => {
            let watching = probe::watch(&nats, &shared, &look, interval);
            until_interrupted(watching).await.map(|()| Exit::Done)
        }
        Task::Once(Command::Doctor(args)) => probe::doctor(args, &nats, &shared).await.map(Exit::from),
        Task::Nothing => {
            let text = probe::nothing_to_watch(&nats, &shared, &copied).await;
            log.lines().write_text(&text);
            Ok(Exit::Wrong)
        }
    };
    let exit = result.unwrap_or_else(|error| {
        log.write_line(&format!("error: {}", causes(error.as_ref())));
        Exit::of(error.chain())
    });
    exit.into()
}

fn found(workers: anyhow::Result<bool>) -> anyhow::Result<Exit> {
    workers.map(|found| if found { Exit::Done } else { Exit::NoWorkers })
}

impl From<Health> for Exit {
    fn from(health: Health) -> Self {
        match health {
            Health::Clean => Self::Done,
            Health::Denied => Self::Denied,
            Health::NoWorkers => Self::NoWorkers,
            Health::Unwell => Self::Unwell,
        }
    }
}

/// Ends what runs on without a result when SIGINT or SIGTERM comes.
async fn until_interrupted(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to watch for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to watch for SIGTERM")?;
    tokio::select! {
        ended = task => ended,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

async fn collect(config: Config, log: &Log) -> anyhow::Result<()> {
    let app = app::bind(config).await?;
    let shutdown = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to watch for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to watch for SIGTERM")?;
    let on_signal = async {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        shutdown.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = app.run(shutdown.clone(), log) => ended,
        () = on_signal => Ok(()),
    }
}

/// Flags of every command that say nothing about the connection, or hold a secret.
const NOT_COPIED: [&str; 11] = [
    "round_timeout",
    "log",
    "log_format",
    "timeout",
    "auth_patience",
    "user",
    "password",
    "token",
    "nkey",
    "jwt",
    "nats_seed",
];

/// The connection flags of this command line. What the environment says, it says to the next command too.
fn copied(matches: &ArgMatches) -> Copied {
    let command = Cli::command();
    let is_copied = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        let is_given = matches.value_source(id) == Some(ValueSource::CommandLine);
        arg.is_global_set() && is_given && !NOT_COPIED.contains(&id)
    };
    let mut flags: Vec<(&str, Option<String>)> = Vec::new();
    for arg in command.get_arguments().filter(is_copied) {
        let name = arg.get_long().unwrap_or_default();
        match arg.get_action().takes_values() {
            false => flags.push((name, None)),
            true => {
                let values = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
                let values = values.map(|value| value.to_string_lossy().into_owned());
                // An address with a password is not repeated.
                let values = values.filter(|value| Servers::redact(value) == *value);
                flags.extend(values.map(|value| (name, Some(value))));
            }
        }
    }
    Copied::new(flags.iter().map(|(name, value)| (*name, value.as_deref())))
}

/// Which log lines are written. What commands show needs no lines about the same, and a list that replaces itself on a
/// terminal is not to be torn.
fn filter(shared: &SharedArgs, command: Option<&Command>) -> Result<EnvFilter, clap::Error> {
    let default = match command {
        None => "info,async_nats=off",
        Some(Command::List(ListArgs { watch: Some(_), .. })) => "error",
        Some(Command::Doctor(_)) => "error,link=off",
        Some(_) => "warn",
    };
    let filter = shared.log.as_deref().unwrap_or(default);
    EnvFilter::try_new(filter).map_err(|error| {
        let message = format!("--log {filter:?} is no filter: {error}; write e.g. info or metrics=debug");
        Cli::command().error(ErrorKind::ValueValidation, message)
    })
}
