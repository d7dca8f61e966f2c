//! The collector's command line: flags to configuration, configuration to a run, a run to an exit code.

use std::process::ExitCode;

use metrics::args::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    metrics::cli::run(Cli::from_env()).await
}
