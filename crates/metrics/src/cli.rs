//! What the binary does with its command line: logs, signals, exit codes.

use std::ffi::OsString;
use std::io::stderr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory};
use link::Servers;
use program::output::print_text;
use program::{Exit, Log, LogFilter, manual, terminal, usage};
use protocol::text::causes;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use web::Security;

use crate::app::{self, App};
use crate::args::{Cli, Command, ConfigCommand, ListArgs, TopArgs};
use crate::config::{self, Config, Wrong};
use crate::config_file::{self, LoadError, Loaded};
use crate::healthcheck::{self, Question};
use crate::probe::{self, Conformity, Copied, Health, Looking};
use crate::reload::Origin;
use crate::top::{self, Attach, Top};

/// Reads the command line, runs the command, and returns how it ended; see [`Exit`].
pub async fn main() -> ExitCode {
    let log = Log::open();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match prepare(&arguments, &log) {
        Ok(task) => run(task, arguments, &log).await,
        Err(LoadError::Usage(error)) => usage::end(&error, &log),
        Err(LoadError::File(error)) => {
            let has_colours = terminal::has_colours(&stderr());
            log.lines().write_text(&error.render(has_colours));
            Exit::Wrong.into()
        }
    }
}

/// What to do.
enum Task {
    Collect(Box<(Config, Security, Loaded, LogFilter)>),
    Once(Box<Once>),
    Top(Box<Top>),
    /// Nothing is named that could be watched.
    Nothing(Box<Looking>),
    Print(String),
    /// Write the manual pages into this folder.
    Manual(PathBuf),
    Healthcheck(Question),
}

/// A command that looks once.
struct Once {
    command: Command,
    looking: Looking,
}

/// Reads flags, environment and file, and starts the log. All that can be wrong with them is found here.
fn prepare(arguments: &[OsString], log: &Log) -> Result<Task, LoadError> {
    let mut loaded = config_file::load(arguments)?;
    let command = match loaded.cli.command.take() {
        Some(Command::Config(command)) => return print_config(&command, &loaded).map(Task::Print),
        Some(Command::Completions { shell }) => {
            return Ok(Task::Print(manual::completions(Cli::command(), shell)));
        }
        Some(Command::Man { folder }) => return Ok(Task::Manual(folder)),
        Some(Command::Healthcheck(args)) => {
            return healthcheck::prepare(&args, &loaded).map(Task::Healthcheck);
        }
        command => command,
    };
    let filter = log.record(loaded.filter(command.as_ref())?, loaded.cli.shared.log_format);
    let nats = loaded.nats()?;
    nats.say_context();
    let looking = |loaded: Loaded| -> Result<Looking, LoadError> {
        Ok(Looking {
            copied: copied(&loaded.matches),
            rules: loaded.rules()?,
            published: config::published(&loaded.cli.collect),
            shared: loaded.cli.shared,
            nats: nats.clone(),
        })
    };
    Ok(match command {
        Some(Command::Top(args)) => Task::Top(Box::new(on_terminal(args, loaded, looking)?)),
        Some(command) => Task::Once(Box::new(Once {
            command,
            looking: looking(loaded)?,
        })),
        None if !Config::has_something_to_watch(&loaded.cli.collect) => {
            Task::Nothing(Box::new(looking(loaded)?))
        }
        None => {
            let config = loaded.config()?;
            let security = security(config.web_config.as_ref(), &loaded)?;
            Task::Collect(Box::new((config, security, loaded, filter)))
        }
    })
}

/// What a terminal shows, and where it comes from.
fn on_terminal(
    args: TopArgs,
    loaded: Loaded,
    looking: impl FnOnce(Loaded) -> Result<Looking, LoadError>,
) -> Result<Top, LoadError> {
    if !args.once && !top::has_screen() {
        let message = "`metrics top` needs a terminal whose cursor it can move, and stdout is not one; `metrics top --once` prints one table";
        return Err(loaded.blame(vec![Wrong::new([], message)]));
    }
    let attach = args.attach.as_deref().map(|text| {
        Attach::read(text, args.attach_tlsca.as_deref())
            .map_err(|message| loaded.blame(vec![Wrong::new([], message)]))
    });
    let attach = attach.transpose()?;
    let names_nats = ["server", "context"]
        .iter()
        .any(|id| loaded.matches.value_source(id) == Some(ValueSource::CommandLine));
    Ok(Top {
        args,
        attach,
        local: (!names_nats)
            .then(|| config::local_page(&loaded.cli.collect))
            .flatten(),
        settings: loaded.rows().into(),
        looking: looking(loaded)?,
    })
}

/// Reads the web configuration file, if there is one.
pub(crate) fn security(file: Option<&PathBuf>, loaded: &Loaded) -> Result<Security, LoadError> {
    Security::open(file).map_err(|error| {
        let message = format!("--web-config-file cannot be used: {error}");
        loaded.blame(vec![Wrong::new(["web_config_file"], message)])
    })
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

async fn run(task: Task, arguments: Vec<OsString>, log: &Log) -> ExitCode {
    let result = match task {
        Task::Print(text) => print_text(&text).map(|()| Exit::Done).map_err(Into::into),
        Task::Manual(folder) => {
            let written = manual::write_manual(Cli::command(), &folder);
            written.map(|()| Exit::Done).map_err(Into::into)
        }
        Task::Healthcheck(question) => question.ask().await,
        Task::Collect(task) => {
            let (config, security, loaded, filter) = *task;
            match app::bind(config, security).await {
                Ok(app) => collect(app, loaded, filter, arguments, log).await,
                Err(error) => Err(error.into()),
            }
            .map(|()| Exit::Done)
        }
        Task::Once(once) => look(*once).await,
        Task::Top(terminal) => found(top::top(*terminal).await),
        Task::Nothing(looking) => {
            let text = probe::nothing_to_watch(&looking).await;
            log.lines().write_text(&text);
            Ok(Exit::Wrong)
        }
    };
    let exit = result.unwrap_or_else(|error| {
        usage::write_failure(&causes(error.as_ref()), log);
        Exit::of(error.chain())
    });
    exit.into()
}

async fn look(Once { command, looking }: Once) -> anyhow::Result<Exit> {
    match command {
        Command::Explain(args) => found(probe::explain(args, &looking).await),
        Command::List(ListArgs { look, watch: None }) => found(probe::list(&looking, &look).await),
        Command::List(ListArgs {
            look,
            watch: Some(interval),
        }) => {
            let watching = probe::watch(&looking, &look, interval);
            until_interrupted(watching).await.map(|()| Exit::Done)
        }
        Command::Doctor(args) => probe::doctor(args, &looking).await.map(Exit::from),
        Command::Conform(args) => probe::conform(args, &looking).await.map(Exit::from),
        Command::Config(_)
        | Command::Healthcheck(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Top(_) => {
            unreachable!("it has a task of its own")
        }
    }
}

fn found(workers: anyhow::Result<bool>) -> anyhow::Result<Exit> {
    workers.map(|found| if found { Exit::Done } else { Exit::NoWorkers })
}

impl From<Health> for Exit {
    fn from(health: Health) -> Self {
        match health {
            Health::Clean => Self::Done,
            Health::Denied => Self::Denied,
            Health::NoWorkers => Self::NoWorkers,
            Health::Unwell => Self::Unwell,
        }
    }
}

impl From<Conformity> for Exit {
    fn from(conformity: Conformity) -> Self {
        match conformity {
            Conformity::Conforms => Self::Done,
            Conformity::Fails => Self::Unwell,
            Conformity::NoWorkers => Self::NoWorkers,
        }
    }
}

/// Ends what runs on without a result when SIGINT or SIGTERM comes.
async fn until_interrupted(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to watch for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("failed to watch for SIGTERM")?;
    tokio::select! {
        ended = task => ended,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

async fn collect(
    app: App,
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

/// Flags of every command that the next one does not need, or that hold a secret.
const NOT_COPIED: [&str; 11] = [
    "round_timeout",
    "log",
    "log_format",
    "timeout",
    "auth_patience",
    "user",
    "password",
    "token",
    "nkey",
    "jwt",
    "nats_seed",
];

/// The flags of this command line that the next command needs as well. What the environment says, it says to the next command too.
fn copied(matches: &ArgMatches) -> Copied {
    let command = Cli::command();
    let is_copied = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        let is_given = matches.value_source(id) == Some(ValueSource::CommandLine);
        arg.is_global_set() && is_given && !NOT_COPIED.contains(&id)
    };
    let mut flags: Vec<(&str, Option<String>)> = Vec::new();
    for arg in command.get_arguments().filter(is_copied) {
        let name = arg.get_long().unwrap_or_default();
        let is_address = arg.get_id() == "server";
        match arg.get_action().takes_values() {
            false => flags.push((name, None)),
            true => {
                let values = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
                let values = values.map(|value| value.to_string_lossy().into_owned());
                // An address with a password is not repeated.
                let values = values.filter(|value| !is_address || Servers::redact(value) == *value);
                flags.extend(values.map(|value| (name, Some(value))));
            }
        }
    }
    Copied::new(flags.iter().map(|(name, value)| (*name, value.as_deref())))
}
