//! One arm for each command.

use std::io::{self, BufWriter, Write};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Command;
use crate::simulate::simulate;
use crate::{app, control, verify};

/// Does what the command line says; false where it found a difference.
///
/// # Errors
/// Where it could not be done.
pub async fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Run(config) => app::run(*config, interrupted()?).await.map(|()| true),
        Command::Print(text) => io::stdout()
            .write_all(text.as_bytes())
            .or_else(closed)
            .map(|()| true)
            .map_err(Into::into),
        // These block, and nothing else is to be done meanwhile; a signal ends them as it ends any program.
        Command::Simulate(play, path) => {
            let work = move || {
                let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
                simulate(&play, &path, &mut out)
            };
            let outcome = tokio::task::spawn_blocking(work).await?;
            outcome.or_else(|error| match error.downcast::<io::Error>() {
                Ok(error) => closed(error).map_err(Into::into),
                Err(error) => Err(error),
            })?;
            Ok(true)
        }
        Command::Verify(args, scenario) => {
            let expect = scenario.map(|scenario| scenario.expect);
            tokio::task::spawn_blocking(move || verify::run(&args, expect.as_ref())).await?
        }
        Command::Ctl(servers, call) => control::call(&servers, &call).await.map(|()| true),
    }
}

/// Whoever reads no further, as `head` does, has what it wants.
fn closed(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}

fn interrupted() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
