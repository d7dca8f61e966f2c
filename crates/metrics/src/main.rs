//! The collector's command line: flags to configuration, configuration to a run, a run to an exit code.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    metrics::cli::main().await
}
