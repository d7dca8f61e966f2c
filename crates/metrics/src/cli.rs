//! What the binary does with its command line: logs, signals, exit codes.

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap::error::ErrorKind;
use link::{ConnectError, Servers};
use program::{Log, usage};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Command, SharedArgs};
use crate::config::{self, Config};
use crate::{app, probe};

/// No workers were found; only `explain` and `list` end with this code.
const NO_WORKERS: u8 = 3;

/// NATS does not accept this user; trying again does not help until that is corrected.
const REFUSED: u8 = 4;

/// Reads the command line, runs the command, and returns how it ended: 0 done, 1 failed, 2 wrong flags, 3 no workers, 4
/// refused by NATS.
pub async fn main() -> ExitCode {
    let log = Log::open();
    match prepare(&log) {
        Ok((task, shared, servers)) => run(task, &shared, &servers, &log).await,
        Err(error) => usage::end(&error, &log),
    }
}

/// What to do.
enum Task {
    Collect(Box<Config>),
    Once(Command),
}

/// Reads flags and environment, and starts the log. All that can be wrong with them is found here.
fn prepare(log: &Log) -> Result<(Task, SharedArgs, Servers), clap::Error> {
    let Cli {
        command,
        collect,
        shared,
    } = Cli::from_env()?;
    log.record(filter(&shared)?, shared.log_format);
    let servers = config::servers(&shared)?;
    let task = match command {
        Some(command) => Task::Once(command),
        None => Task::Collect(Box::new(Config::resolve(collect, &shared, servers.clone())?)),
    };
    Ok((task, shared, servers))
}

async fn run(task: Task, shared: &SharedArgs, servers: &Servers, log: &Log) -> ExitCode {
    let result = match task {
        Task::Collect(config) => collect(*config, log).await.map(|()| ExitCode::SUCCESS),
        Task::Once(Command::Explain { target, look }) => {
            code(probe::explain(target, servers, shared, &look).await)
        }
        Task::Once(Command::List { look }) => code(probe::list(servers, shared, &look).await),
    };
    result.unwrap_or_else(|error| {
        log.write_line(&format!("error: {error:#}"));
        match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::Refused { .. }) => ExitCode::from(REFUSED),
            _ => ExitCode::FAILURE,
        }
    })
}

fn code(found: anyhow::Result<bool>) -> anyhow::Result<ExitCode> {
    found.map(|found| {
        if found {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(NO_WORKERS)
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
