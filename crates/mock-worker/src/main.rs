//! `mock-worker`: inference workers with simulated load. See `mock-worker --help`.

use std::process::ExitCode;

use mock_worker::args::Command;
use mock_worker::{commands, logging};
use tracing::error;

#[tokio::main]
async fn main() -> ExitCode {
    let command = Command::from_env();
    // It lives until the last word is written.
    let _log = logging::start(command.log_format());
    match commands::run(command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            error!("{reason:#}");
            ExitCode::FAILURE
        }
    }
}
