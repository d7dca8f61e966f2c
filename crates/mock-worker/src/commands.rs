//! One arm for each command.

use anyhow::Context;
use clap::CommandFactory;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use program::log::Lines;
use program::manual::write_manual;
use program::output::{print, print_text};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Board};
use crate::args::{Cli, Command, Config};
use crate::simulate::simulate;
use crate::{control, record, verify};

/// Does what the command line says; false where it found a difference. What is not for stdout goes to `log`.
///
/// # Errors
/// Where it could not be done.
pub async fn run(command: Command, log: &Lines) -> anyhow::Result<bool> {
    let lines = log.clone();
    let report_line = move |text: &str| lines.write_text(text);
    match command {
        Command::Run(configs) => run_pools(configs, log).await.map(|()| true),
        Command::Print(text) => Ok(print_text(&text).map(|()| true)?),
        Command::Manual(folder) => {
            write_manual(Cli::command(), &folder)?;
            Ok(true)
        }
        // These block, and nothing else is to be done meanwhile; a signal ends them as it ends any program.
        Command::Simulate(play, path) => {
            spawn_blocking(move || print(|out| simulate(&play, &path, out, &report_line))).await??;
            Ok(true)
        }
        Command::Verify(args, scenario) => {
            let expect = scenario.map(|scenario| scenario.expect);
            spawn_blocking(move || verify::run(&args, expect.as_ref(), &report_line)).await?
        }
        Command::Record(args) => spawn_blocking(move || record::run(&args, &report_line)).await?,
        Command::Ctl(nats, call) => {
            print_text(&control::call(&nats, &call).await?)?;
            Ok(true)
        }
    }
}

/// Runs all pools side by side, until they are over, one fails, or a signal comes.
async fn run_pools(configs: Vec<Config>, log: &Lines) -> anyhow::Result<()> {
    let board = configs
        .first()
        .and_then(|config| Board::new(config, log, configs.len()));
    // Before signals are listened to: a named pipe without a reader holds this up until a signal ends it.
    let mut apps = Vec::new();
    for (place, config) in configs.into_iter().enumerate() {
        apps.push(App::open(config, board.clone().map(|board| (board, place))).await?);
    }
    let interrupted = interrupted()?;
    let shutdown = CancellationToken::new();
    let mut running: FuturesUnordered<_> = apps
        .into_iter()
        .map(|app| app.run(shutdown.clone().cancelled_owned()))
        .collect();
    tokio::pin!(interrupted);
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            () = &mut interrupted, if !shutdown.is_cancelled() => shutdown.cancel(),
            ended = running.next() => match ended {
                None => return outcome,
                Some(ended) => {
                    if ended.is_err() {
                        shutdown.cancel();
                    }
                    outcome = outcome.and(ended);
                }
            }
        }
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
