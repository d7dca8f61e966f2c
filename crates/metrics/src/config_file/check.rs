//! `metrics config check`: everything that is wrong with a file, whatever flags and environment say.

use std::path::Path;

use clap::builder::Resettable;
use clap::{Command, CommandFactory};

use super::{ConfigFile, FileError, LoadError, put_together, read_text};
use crate::args::Cli;
use crate::config::{self, Config};

/// Checks a file, and returns what to say of it in a line.
///
/// # Errors
/// All that is wrong with it: each value, and values that contradict each other or a default.
pub fn check(path: &Path) -> Result<String, LoadError> {
    let text = read_text(path).map_err(FileError::Unreadable)?;
    let (file, mut problems) = ConfigFile::recover(text);
    let (keys, is_sound) = (file.entries.len(), problems.is_empty());
    let loaded = put_together(
        without_environment(Cli::command()),
        &["metrics".into()],
        Some(file),
        |_| false,
    )?;
    let wrong = config::contradictions(&loaded.cli.collect, &loaded.cli.shared);
    let file = loaded.file.as_ref().expect("it was given");
    // A key whose own value is refused has its default here, which contradicts nothing that the file says.
    let is_said = |id: &String| {
        loaded
            .settings
            .iter()
            .any(|setting| setting.key.id() == id && setting.is_in_file())
    };
    let wrong = wrong
        .into_iter()
        .filter(|wrong| is_sound || wrong.ids.iter().all(is_said));
    problems.extend(wrong.filter_map(|wrong| loaded.in_the_file(file, &wrong)));
    // A context that is selected on this machine is no part of the file.
    if let Err(LoadError::File(FileError::Wrong {
        problems: of_nats, ..
    })) = loaded.nats()
    {
        problems.extend(of_nats);
    }
    if !problems.is_empty() {
        return Err(file.error(problems).into());
    }
    let keys = match keys {
        1 => "1 key".to_owned(),
        keys => format!("{keys} keys"),
    };
    let rest = match Config::has_something_to_watch(&loaded.cli.collect) {
        true => "",
        false => "; it names nothing to watch, so that is left to flags or the environment",
    };
    Ok(format!("{} is valid and sets {keys}{rest}", path.display()))
}

fn without_environment(command: Command) -> Command {
    command.mut_args(|arg| arg.env(Resettable::Reset))
}
