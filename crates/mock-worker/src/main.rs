//! `mock-worker`: inference workers with simulated load. See `mock-worker --help`.

use std::process::ExitCode;

use mock_worker::args::{Command, InvalidInput};
use mock_worker::{commands, logging};
use program::{Exit, Log, usage};
use protocol::text::causes;

#[tokio::main]
async fn main() -> ExitCode {
    // It lives until the last word is written.
    let log = Log::open();
    let command = match Command::parse_from(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => return usage::end(&error, &log),
    };
    logging::start(&log, command.log_format());
    if let Some(nats) = command.nats() {
        nats.say_context();
    }
    match commands::run(command, &log.lines()).await {
        Ok(true) => Exit::Done.into(),
        Ok(false) => Exit::Failed.into(),
        Err(reason) => {
            usage::write_failure(&causes(reason.as_ref()), &log);
            match reason.is::<InvalidInput>() {
                true => Exit::Wrong.into(),
                false => Exit::of(reason.chain()).into(),
            }
        }
    }
}
