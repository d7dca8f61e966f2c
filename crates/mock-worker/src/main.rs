//! `mock-worker`: inference workers with simulated load. See `mock-worker --help`.

use std::process::ExitCode;

use mock_worker::args::{Command, InvalidInput};
use mock_worker::{commands, logging};
use program::{Log, usage};

#[tokio::main]
async fn main() -> ExitCode {
    // It lives until the last word is written.
    let log = Log::open();
    let command = match Command::parse_from(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => return usage::end(&error, &log),
    };
    logging::start(&log, command.log_format());
    match commands::run(command, &log.lines()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            logging::write_end(&log, &reason);
            match reason.is::<InvalidInput>() {
                true => ExitCode::from(usage::WRONG),
                false => ExitCode::FAILURE,
            }
        }
    }
}
