//! `mock-worker`: inference workers with simulated load. See `mock-worker --help`.

use std::process::ExitCode;

use anyhow::Context;
use mock_worker::args::Config;
use mock_worker::{app, logging};
use tokio::signal::unix::{SignalKind, signal};
use tracing::error;

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::from_env();
    logging::start(config.log_format);
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            error!("{reason:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let shutdown = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    app::run(config, shutdown).await
}
