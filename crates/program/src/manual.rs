//! What a command line says of itself to shells and to `man`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
pub use clap_complete::Shell;

/// Why the manual pages could not be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write manual pages to {folder}: {source}")]
pub struct ManualError {
    folder: PathBuf,
    source: io::Error,
}

/// The script that makes a shell complete the flags and commands of this program.
pub fn completions(mut command: Command, shell: Shell) -> String {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes a manual page for the program and for each of its commands, such as `metrics.1` and `metrics-list.1`. The folder
/// is made if need be.
///
/// # Errors
/// [`ManualError`] where the folder or a page cannot be written.
pub fn write_manual(command: Command, folder: &Path) -> Result<(), ManualError> {
    let written = fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command.disable_help_subcommand(true), folder));
    written.map_err(|source| ManualError {
        folder: folder.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn command() -> Command {
        let level = Arg::new("level").long("level").env("LEVEL").default_value("7");
        Command::new("pump")
            .arg(level)
            .subcommand(Command::new("drain"))
            .subcommand(Command::new("secret").hide(true))
    }

    #[test]
    fn each_shell_is_taught_the_flags_and_commands() {
        for shell in [
            Shell::Bash,
            Shell::Elvish,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Zsh,
        ] {
            let script = completions(command(), shell);
            for word in ["pump", "level", "drain"] {
                assert!(script.contains(word), "{shell} lacks {word}: {script}");
            }
        }
    }

    #[test]
    fn each_command_has_a_page_that_names_its_variables() {
        let folder = tempfile::tempdir().unwrap();
        write_manual(command(), &folder.path().join("man")).unwrap();
        let page = |name: &str| fs::read_to_string(folder.path().join("man").join(name));
        let pump = page("pump.1").unwrap();
        assert!(pump.contains("LEVEL") && pump.contains("drain"), "{pump}");
        assert!(page("pump-drain.1").is_ok());
        assert!(page("pump-help.1").is_err(), "help has no page of its own");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = write_manual(command(), Path::new("/dev/null/man")).unwrap_err();
        assert!(error.to_string().contains("/dev/null/man"), "{error}");
    }
}
