//! What the binary does with its command line: logs, signals, exit codes.

use std::ffi::OsString;
use std::io::stderr;
use std::process::ExitCode;

use anyhow::Context;
use link::{ConnectError, Servers};
use program::output::print_text;
use program::{Log, LogFilter, usage};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::{Command, ConfigCommand, SharedArgs};
use crate::config::{self, Config};
use crate::config_file::{self, LoadError, Loaded};
use crate::reload::Origin;
use crate::{app, probe};

/// No workers were found; only `explain` and `list` end with this code.
const NO_WORKERS: u8 = 3;

/// NATS does not accept this user; trying again does not help until that is corrected.
const REFUSED: u8 = 4;

/// Reads the command line, runs the command, and returns how it ended: 0 done, 1 failed, 2 wrong flags or file, 3 no
/// workers, 4 refused by NATS.
pub async fn main() -> ExitCode {
    let log = Log::open();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match prepare(&arguments, &log) {
        Ok(Task::Print(text)) => print(&text, &log),
        Ok(Task::Collect(collect)) => {
            let (config, loaded, filter) = *collect;
            let collected = self::collect(config, loaded, filter, arguments, &log).await;
            end(collected.map(|()| ExitCode::SUCCESS), &log)
        }
        Ok(Task::Once(once)) => end(look(*once).await, &log),
        Err(LoadError::Usage(error)) => usage::end(&error, &log),
        Err(LoadError::File(error)) => {
            log.lines()
                .write_text(&error.render(usage::has_colours(&stderr())));
            ExitCode::from(usage::WRONG)
        }
    }
}

/// What to do.
enum Task {
    Collect(Box<(Config, Loaded, LogFilter)>),
    Once(Box<Once>),
    Print(String),
}

/// What to look for, and where.
struct Once {
    command: Command,
    shared: SharedArgs,
    servers: Servers,
}

/// Reads flags, environment and file, and starts the log. All that can be wrong with them is found here.
fn prepare(arguments: &[OsString], log: &Log) -> Result<Task, LoadError> {
    let mut loaded = config_file::load(arguments)?;
    let command = match loaded.cli.command.take() {
        Some(Command::Config(command)) => return print_config(&command, &loaded).map(Task::Print),
        command => command,
    };
    let filter = log.record(loaded.filter()?, loaded.cli.shared.log_format);
    match command {
        Some(command) => {
            let servers = config::servers(&loaded.cli.shared).map_err(|wrong| loaded.blame(vec![wrong]))?;
            let shared = loaded.cli.shared;
            Ok(Task::Once(Box::new(Once {
                command,
                shared,
                servers,
            })))
        }
        None => Ok(Task::Collect(Box::new((loaded.config()?, loaded, filter)))),
    }
}

fn print_config(command: &ConfigCommand, loaded: &Loaded) -> Result<String, LoadError> {
    match command {
        ConfigCommand::Check { file } => config_file::check(file).map(|summary| format!("{summary}\n")),
        ConfigCommand::Show { json: false } => Ok(loaded.show()),
        ConfigCommand::Show { json: true } => Ok(loaded.show_json()),
        ConfigCommand::Schema => Ok(config_file::schema()),
        ConfigCommand::Example => Ok(config_file::example()),
    }
}

fn print(text: &str, log: &Log) -> ExitCode {
    end(
        print_text(text).map(|()| ExitCode::SUCCESS).map_err(Into::into),
        log,
    )
}

async fn look(once: Once) -> anyhow::Result<ExitCode> {
    let Once {
        command,
        shared,
        servers,
    } = once;
    match command {
        Command::Explain { target, look } => code(probe::explain(target, &servers, &shared, &look).await),
        Command::List { look } => code(probe::list(&servers, &shared, &look).await),
        Command::Config(_) => unreachable!("it is printed before a log is there"),
    }
}

fn end(result: anyhow::Result<ExitCode>, log: &Log) -> ExitCode {
    result.unwrap_or_else(|error| {
        log.write_line(&format!("error: {error:#}"));
        match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::Refused { .. }) => ExitCode::from(REFUSED),
            _ => ExitCode::FAILURE,
        }
    })
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

async fn collect(
    config: Config,
    loaded: Loaded,
    filter: LogFilter,
    arguments: Vec<OsString>,
    log: &Log,
) -> anyhow::Result<()> {
    let origin = Origin {
        arguments,
        loaded,
        filter,
        hangup: signal(SignalKind::hangup()).context("failed to watch for SIGHUP")?,
    };
    let app = app::bind(config).await?;
    let shutdown = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to watch for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to watch for SIGTERM")?;
    let on_signal = async {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        shutdown.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = app.run(shutdown.clone(), origin, log) => ended,
        () = on_signal => Ok(()),
    }
}
