//! docs/cli.md: what the programs print about their commands.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Processes;

/// How long a program may take to print its help.
const HELP: Duration = Duration::from_secs(60);

/// The command line of programs, each with all its commands, in Markdown.
pub(super) fn markdown(programs: &[&Path], processes: &Processes) -> Result<String> {
    let mut text = "# Command line\n\nWhat `--help` prints; `cargo xtask docs` writes this file. Each variable after `env:` is the \
                    twin of its flag, and an empty one counts as unset.\n"
        .to_owned();
    for program in programs {
        add(&mut text, program, &[], processes)?;
    }
    Ok(text)
}

/// Adds one command, and those that it has.
fn add(text: &mut String, program: &Path, words: &[&str], processes: &Processes) -> Result<()> {
    let name = program
        .file_name()
        .context("a program has a name")?
        .to_string_lossy();
    let mut command = Command::new(program);
    // Help shows the values of variables, and is as wide as the terminal.
    command.args(words).arg("--help").env_clear().stdin(Stdio::null());
    let help = processes.capture(&mut command, HELP)?;
    let title = [&[&*name], words].concat().join(" ");
    let level = "#".repeat(words.len() + 2);
    text.push_str(&format!(
        "\n{level} `{title}`\n\n```text\n{}\n```\n",
        help.trim_end()
    ));
    for subcommand in subcommands(&help) {
        add(text, program, &[words, &[subcommand]].concat(), processes)?;
    }
    Ok(())
}

/// The commands that a help text lists.
fn subcommands(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = lines.take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| {
        let rest = line.strip_prefix("  ")?;
        let is_name = !rest.starts_with(' ');
        rest.split_whitespace().next().filter(|_| is_name)
    });
    names.filter(|name| *name != "help").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_the_help_text() {
        let help = "Usage: x\n\nCommands:\n  list     Lists\n           more about it\n  explain  Explains\n  help     Helps\n\nOptions:\n  -h  y\n";
        assert_eq!(subcommands(help), ["list", "explain"]);
        assert_eq!(subcommands("Usage: x\n\nOptions:\n  -h  y\n"), [""; 0]);
    }
}
