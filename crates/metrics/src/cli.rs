//! What the binary does with its command line: logs, signals, exit codes.

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap::error::ErrorKind;
use program::nats::Nats;
use program::{Exit, Log, usage};
use protocol::text::causes;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Command, SharedArgs};
use crate::config::Config;
use crate::{app, probe};

/// Reads the command line, runs the command, and returns how it ended; see [`Exit`].
pub async fn main() -> ExitCode {
    let log = Log::open();
    match prepare(&log) {
        Ok((task, shared, nats)) => run(task, &shared, &nats, &log).await,
        Err(error) => usage::end(&error, &log),
    }
}

/// What to do.
enum Task {
    Collect(Box<Config>),
    Once(Command),
}

/// Reads flags and environment, and starts the log. All that can be wrong with them is found here.
fn prepare(log: &Log) -> Result<(Task, SharedArgs, Nats), clap::Error> {
    let (cli, matches) = Cli::from_env()?;
    let Cli {
        command,
        collect,
        shared,
    } = cli;
    log.record(filter(&shared)?, shared.log_format);
    let nats = shared.nats.0.clone().resolve(&matches);
    let nats = nats.map_err(|message| Cli::command().error(ErrorKind::ValueValidation, message))?;
    nats.say_context();
    let task = match command {
        Some(command) => Task::Once(command),
        None => Task::Collect(Box::new(Config::resolve(collect, &shared, nats.clone())?)),
    };
    Ok((task, shared, nats))
}

async fn run(task: Task, shared: &SharedArgs, nats: &Nats, log: &Log) -> ExitCode {
    let result = match task {
        Task::Collect(config) => collect(*config, log).await.map(|()| ExitCode::SUCCESS),
        Task::Once(Command::Explain { target, look }) => {
            code(probe::explain(target, nats, shared, &look).await)
        }
        Task::Once(Command::List { look }) => code(probe::list(nats, shared, &look).await),
    };
    result.unwrap_or_else(|error| {
        log.write_line(&format!("error: {}", causes(error.as_ref())));
        Exit::of(error.chain()).into()
    })
}

fn code(found: anyhow::Result<bool>) -> anyhow::Result<ExitCode> {
    found.map(|found| {
        if found {
            Exit::Done.into()
        } else {
            Exit::NoWorkers.into()
        }
    })
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

fn filter(shared: &SharedArgs) -> Result<EnvFilter, clap::Error> {
    EnvFilter::try_new(&shared.log).map_err(|error| {
        let message = format!(
            "--log {:?} is no filter: {error}; write e.g. info or metrics=debug",
            shared.log
        );
        Cli::command().error(ErrorKind::ValueValidation, message)
    })
}
