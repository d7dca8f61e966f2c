//! `mock-worker`: inference workers with simulated load. See `mock-worker --help`.

use anyhow::Context;
use mock_worker::args::Config;
use mock_worker::{app, logging};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::from_env();
    logging::start(config.log_format);
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
