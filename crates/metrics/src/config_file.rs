//! The configuration file, put together with flags and environment: flag before environment before file before default.
//!
//! A file's values become the defaults of the flags of the same names, so each value has one parser, one range and one
//! meaning. What is wrong with a file is shown in the file.

mod builtin;
mod check;
mod example;
mod keys;
mod masked;
mod read;
mod schema;
mod show;
mod source;
mod tables;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};
use fleet::{Given, Plan};
use program::environment::without_empty_variables;
use program::nats::Nats;
use program::source::{Problem, line_of};
use program::usage::invalid_value;
use tracing_subscriber::EnvFilter;

use self::keys::Key;
use self::masked::{mask_places, masked};
use self::read::Entries;
use crate::args::{Cli, ListArgs, TopArgs};
use crate::config::{self, Config, Wrong};

pub use check::check;
pub use example::example;
pub use schema::schema;
pub use source::{FileError, FileText, ReadError, Text, read_text};

/// A file whose values are valid, each for itself.
#[derive(Debug)]
pub struct ConfigFile {
    text: Text,
    entries: Entries,
    secrets: Vec<Range<usize>>,
}

/// Flags, environment and file, put together.
#[derive(Debug)]
pub struct Loaded {
    /// The values, as clap has them.
    pub cli: Cli,
    /// Each key's value, and where it comes from.
    pub settings: Vec<Setting>,
    /// The file, where there is one.
    pub file: Option<ConfigFile>,
    /// What clap found.
    pub(crate) matches: ArgMatches,
}

/// The value of one key.
#[derive(Debug, Clone)]
pub struct Setting {
    key: Key,
    values: Vec<String>,
    source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag.
    Flag,
    /// An environment variable.
    Environment(String),
    /// A line of the file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// It is set nowhere.
    Default,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum LoadError {
    /// The command line or the environment is wrong, or asks for help.
    Usage(Box<clap::Error>),
    /// The file is wrong.
    File(FileError),
}

impl LoadError {
    /// What is wrong, without colours.
    pub fn text(&self) -> String {
        match self {
            Self::Usage(error) => error.render().to_string(),
            Self::File(error) => error.render(false),
        }
    }
}

impl From<clap::Error> for LoadError {
    fn from(error: clap::Error) -> Self {
        Self::Usage(Box::new(error))
    }
}

impl From<FileError> for LoadError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

/// Puts these arguments, the environment, and the file that they name together.
///
/// # Errors
/// What is wrong with them, or the help that they ask for.
pub fn load(arguments: &[OsString]) -> Result<Loaded, LoadError> {
    let command = without_empty_variables(Cli::command());
    // What is wrong with the flags is reported below, where the file's values are known too.
    let first = command
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(arguments)?;
    let file = path_in(&first).map(|path| ConfigFile::read(&path)).transpose()?;
    let is_set = |id: &str| {
        let source = first.value_source(id);
        source.is_some_and(|source| source != ValueSource::DefaultValue)
    };
    put_together(command, arguments, file, is_set)
}

/// The file that flags or environment name, unless the command reads none.
fn path_in(matches: &ArgMatches) -> Option<PathBuf> {
    match matches.subcommand() {
        Some(("config", config)) if config.subcommand_name() != Some("show") => return None,
        Some(("completions" | "man", _)) => return None,
        _ => {}
    }
    matches.get_one::<PathBuf>("config").cloned()
}

fn put_together(
    command: Command,
    arguments: &[OsString],
    file: Option<ConfigFile>,
    is_set: impl Fn(&str) -> bool,
) -> Result<Loaded, LoadError> {
    let keys = keys::all();
    let entries = file.iter().flat_map(|file| &file.entries);
    let with_key =
        entries.filter_map(|(name, entry)| Some((keys.iter().find(|key| key.name == *name)?, entry)));
    let unset = with_key.filter(|(key, _)| !is_set(key.id()));
    let command = unset.fold(command, |command, (key, entry)| {
        let values = entry.values.clone();
        // A file's list has its own separators.
        command.mut_arg(key.id(), |arg| arg.value_delimiter(None).default_values(values))
    });
    let matches = command.try_get_matches_from(arguments)?;
    let settings = keys
        .into_iter()
        .map(|key| setting(key, &matches, file.as_ref()))
        .collect();
    Ok(Loaded {
        cli: Cli::from_arg_matches(&matches)?,
        settings,
        file,
        matches,
    })
}

fn setting(key: Key, matches: &ArgMatches, file: Option<&ConfigFile>) -> Setting {
    let raw = matches.get_raw(key.id()).into_iter().flatten();
    let mut values: Vec<String> = raw.map(|value| value.to_string_lossy().into_owned()).collect();
    if key.form == keys::Form::Switch {
        // A variable may spell it in other ways.
        values = vec![matches.get_flag(key.id()).to_string()];
    }
    let source = match matches.value_source(key.id()) {
        Some(ValueSource::CommandLine) => Source::Flag,
        Some(ValueSource::EnvVariable) => Source::Environment(key.variable().unwrap_or_default()),
        _ => match file.and_then(|file| Some((file, file.entries.get(&key.name)?))) {
            Some((file, entry)) => Source::File {
                path: file.text.path.clone(),
                line: line_of(&file.text.text, entry.key.start),
            },
            None => Source::Default,
        },
    };
    Setting { key, values, source }
}

impl ConfigFile {
    /// Reads a file, and checks each of its values.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = read_text(path).map_err(FileError::Unreadable)?;
        let (file, problems) = Self::recover(text);
        match problems.is_empty() {
            true => Ok(file),
            false => Err(file.error(problems)),
        }
    }

    /// Whether the values of a key are written as tables, each under `[[key]]`.
    fn has_tables(&self, key: &str) -> bool {
        let place = self.entries.get(key).map(|entry| entry.key.start);
        let before = place.and_then(|place| self.text.text.get(..place));
        before.is_some_and(|before| before.trim_end().ends_with("[["))
    }

    /// What can be used of a text, and what is wrong with the rest.
    fn recover(text: Text) -> (Self, Vec<Problem>) {
        let keys = keys::all();
        let mut outcome = read::read(&text.text, &keys);
        let shown = masked(&text.text, &keys, &mut outcome);
        let text = Text { shown, ..text };
        let file = Self {
            text,
            entries: outcome.entries,
            secrets: outcome.secrets,
        };
        (file, outcome.problems)
    }

    fn error(&self, mut problems: Vec<Problem>) -> FileError {
        mask_places(&mut problems, &self.secrets);
        problems.sort_by_key(Problem::start);
        FileError::Wrong {
            text: self.text.clone(),
            problems,
        }
    }
}

impl Loaded {
    /// Where the file is.
    pub(crate) fn path(&self) -> Option<&Path> {
        Some(&self.file.as_ref()?.text.path)
    }

    /// What is in it.
    pub(crate) fn text(&self) -> Option<FileText> {
        let Text { path, text, .. } = &self.file.as_ref()?.text;
        Some(Ok(Text::new(path, text.clone())))
    }

    /// The keys that have another value here than at the start, and that a running collector does not change.
    pub(crate) fn waits_for_restart(&self, now: &Self) -> Vec<&str> {
        let both = self.settings.iter().zip(&now.settings);
        let changed = both.filter(|(start, now)| start.values != now.values);
        let names = changed.map(|(start, _)| start.key.name.as_str());
        names.filter(|name| !keys::LIVE.contains(name)).collect()
    }

    /// Which log lines are written. What commands show needs no lines about the same, and a list that replaces itself on a
    /// terminal is not to be torn.
    ///
    /// # Errors
    /// Where that is not a filter.
    pub fn filter(&self, command: Option<&crate::args::Command>) -> Result<EnvFilter, LoadError> {
        let default = match command {
            None => "info,async_nats=off",
            Some(crate::args::Command::List(ListArgs { watch: Some(_), .. })) => "error",
            // Nor is a screen.
            Some(crate::args::Command::Top(TopArgs { once: false, .. })) => "off",
            Some(crate::args::Command::Doctor(_) | crate::args::Command::Conform(_)) => "error,link=off",
            Some(_) => "warn",
        };
        let filter = self.cli.shared.log.as_deref().unwrap_or(default);
        EnvFilter::try_new(filter).map_err(|error| {
            let message =
                format!("--log {filter:?} is not a filter: {error}; write e.g. info or metrics=debug");
            self.blame(vec![Wrong::new(["log"], message)])
        })
    }

    /// How to connect to NATS.
    ///
    /// # Errors
    /// Where flags, environment, file and context do not fit together.
    pub fn nats(&self) -> Result<Nats, LoadError> {
        let args = self.cli.shared.nats.0.clone();
        let resolved = args.resolve(&self.matches);
        resolved.map_err(|message| {
            let is_named = |setting: &&Setting| message.contains(&setting.key.flag());
            let ids = self
                .settings
                .iter()
                .filter(is_named)
                .map(|setting| setting.key.id().to_owned());
            self.blame(vec![Wrong {
                ids: ids.collect(),
                message: message.clone(),
            }])
        })
    }

    /// What the collector is to do.
    ///
    /// # Errors
    /// Where values contradict each other, or name nothing to watch.
    pub fn config(&self) -> Result<Config, LoadError> {
        let Cli { collect, shared, .. } = &self.cli;
        let given = |id: &str| self.given(id);
        Config::resolve(collect.clone(), shared, self.nats()?, given).map_err(|wrong| self.blame(wrong))
    }

    /// By which rules a command that looks once reads what is there: those of the collector.
    ///
    /// # Errors
    /// Where they contradict each other.
    pub fn rules(&self) -> Result<Plan, LoadError> {
        let Cli { collect, shared, .. } = &self.cli;
        let wrong = config::contradictions_of_rules(collect, shared);
        match wrong.is_empty() {
            true => Ok(config::rules(collect, shared)),
            false => Err(self.blame(wrong)),
        }
    }

    /// Where the value of a flag was given.
    fn given(&self, id: &str) -> Given {
        let setting = self.settings.iter().find(|setting| setting.key.id() == id);
        let Some(setting) = setting else {
            return Given::Flag;
        };
        match setting.source {
            Source::Flag | Source::Default => Given::Flag,
            Source::Environment(_) => Given::Variable,
            Source::File { .. } => match self.file.as_ref() {
                Some(file) if file.has_tables(&setting.key.name) => Given::Table,
                _ => Given::Key,
            },
        }
    }

    /// Values that contradict each other, shown in the file where it is the file's.
    pub fn blame(&self, wrong: Vec<Wrong>) -> LoadError {
        let Some(file) = &self.file else {
            return usage(&wrong).into();
        };
        let (problems, others): (Vec<_>, Vec<_>) = wrong
            .into_iter()
            .map(|wrong| self.in_the_file(file, &wrong).ok_or(wrong))
            .partition(Result::is_ok);
        let problems: Vec<Problem> = problems.into_iter().flatten().collect();
        match problems.is_empty() {
            true => usage(&others.into_iter().filter_map(Result::err).collect::<Vec<_>>()).into(),
            false => file.error(problems).into(),
        }
    }

    fn in_the_file(&self, file: &ConfigFile, wrong: &Wrong) -> Option<Problem> {
        let settings = self
            .settings
            .iter()
            .filter(|setting| wrong.ids.iter().any(|id| id == setting.key.id()));
        let from_file = settings.filter(|setting| matches!(setting.source, Source::File { .. }));
        let mut problem = Problem {
            message: wrong.message.clone(),
            places: Vec::new(),
            help: None,
        };
        if wrong.ids.is_empty() {
            return Some(problem);
        }
        for setting in from_file {
            let entry = file.entries.get(&setting.key.name)?;
            let (flag, name) = (setting.key.flag(), &setting.key.name);
            let in_usage = format!("'{flag} <{}>'", setting.key.value_name());
            problem.message = problem.message.replace(&in_usage, name).replace(&flag, name);
            problem.places.push((entry.value.clone(), String::new()));
        }
        (!problem.places.is_empty()).then_some(problem)
    }
}

/// The same as an error of the command line.
fn usage(wrong: &[Wrong]) -> clap::Error {
    let messages: Vec<&str> = wrong.iter().map(|wrong| wrong.message.as_str()).collect();
    invalid_value(&messages.join("\nerror: "), &Cli::command())
}
