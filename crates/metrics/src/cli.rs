//! What the binary does with its command line: logs, signals, exit codes.

use std::process::ExitCode;

use anyhow::Context;
use program::{Log, log};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Command, SharedArgs};
use crate::config::{self, Config};
use crate::connect::ConnectError;
use crate::{app, probe};

/// No workers were found; only `explain` and `list` end with it.
const NO_WORKERS: u8 = 3;

/// NATS does not accept this user; trying again is in vain until that is mended.
const REFUSED: u8 = 4;

/// Runs the command and says how it ended: 0 done, 1 failed, 2 wrong flags, 3 no workers, 4 refused by NATS.
pub async fn run(cli: Cli) -> ExitCode {
    let log = match start_logs(&cli.shared) {
        Ok(log) => log,
        Err(error) => error.exit(),
    };
    let servers = match config::servers(&cli.shared) {
        Ok(servers) => servers,
        Err(error) => wrong(&error, log),
    };
    let result = match cli.command {
        None => match Config::resolve(cli.collect, &cli.shared, servers) {
            Ok(config) => collect(config).await.map(|()| ExitCode::SUCCESS),
            Err(error) => wrong(&error, log),
        },
        Some(Command::Explain { target, json }) => {
            code(probe::explain(target, &servers, &cli.shared, json).await)
        }
        Some(Command::List { json }) => code(probe::list(&servers, &cli.shared, json).await),
    };
    result.unwrap_or_else(|error| {
        log.write_line(&format!("error: {error:#}"));
        match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::Refused { .. }) => ExitCode::from(REFUSED),
            _ => ExitCode::FAILURE,
        }
    })
}

/// Ends the process as clap does, after what is logged is written.
fn wrong(error: &clap::Error, log: Log) -> ! {
    drop(log);
    error.exit()
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

async fn collect(config: Config) -> anyhow::Result<()> {
    let app = app::bind(config).await?;
    let shutdown = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to watch for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to watch for SIGTERM")?;
    let on_signal = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        on_signal.cancel();
    });
    app.run(shutdown).await
}

fn start_logs(shared: &SharedArgs) -> Result<Log, clap::Error> {
    let filter = EnvFilter::try_new(&shared.log).map_err(|error| {
        let message = format!(
            "--log {:?} is no filter: {error}; write e.g. info or metrics=debug",
            shared.log
        );
        <Cli as clap::CommandFactory>::command().error(clap::error::ErrorKind::ValueValidation, message)
    })?;
    Ok(log::start(filter, shared.log_format))
}
