//! [`Copied`]: commands to copy. They connect as this one does.

use std::borrow::Cow;
use std::fmt;

use protocol::text::Shown;

/// Characters of a command that are shown.
const COMMAND: usize = 600;

/// Flags of this command line, for commands that are printed to be copied: how to connect, and what to read by.
#[derive(Debug, Clone, Default)]
pub struct Copied(String);

impl Copied {
    /// Flags with their values, as they were given.
    pub fn new<'a>(flags: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let written = |(flag, value): (&str, Option<&str>)| match value {
            Some(value) => format!(" --{flag} {}", quoted(value)),
            None => format!(" --{flag}"),
        };
        Self(flags.into_iter().map(written).collect())
    }

    /// A command of this program with these words.
    pub(super) fn command(&self, words: &[&str]) -> String {
        let words: String = words.iter().map(|word| format!(" {}", quoted(word))).collect();
        format!("metrics{words}{}", self.0)
    }
}

/// A word as a shell takes it: names come from outside.
pub(super) fn quoted(word: &str) -> Cow<'_, str> {
    shlex::try_quote(word).unwrap_or_else(|_| "''".into())
}

/// A command, safe to show.
pub(super) fn shown(command: &str) -> impl fmt::Display + '_ {
    Shown(command).up_to(COMMAND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_connects_as_this_one_does_and_is_quoted_for_a_shell() {
        let flags = [("server", Some("nats://nats:4222")), ("tlsfirst", None)];
        let copied = Copied::new(flags);
        assert_eq!(
            copied.command(&["--target", "a/x;reboot/c"]),
            "metrics --target 'a/x;reboot/c' --server nats://nats:4222 --tlsfirst"
        );
        assert_eq!(Copied::default().command(&["list"]), "metrics list");
    }
}
