//! [`Exit`]: how a program ends, as one table for both.

use std::error::Error;
use std::process::ExitCode;

use link::{CauseKind, ConnectError, Violation};

/// How a program ends. `--help` and the documentation print [`Exit::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is done.
    Done,
    /// Something else failed.
    Failed,
    /// The command line, or a file that it names, is wrong.
    Wrong,
    /// There are no workers.
    NoWorkers,
    /// NATS does not accept this user.
    Refused,
    /// Certificates or TLS.
    Tls,
    /// NATS denies this user a permission that is needed.
    Denied,
    /// NATS cannot be reached.
    Unreachable,
    /// The server or the account accepts no more connections.
    Limit,
    /// `doctor` or `conform` has found something to fix.
    Unwell,
}

impl Exit {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::Failed,
        Self::Wrong,
        Self::NoWorkers,
        Self::Refused,
        Self::Tls,
        Self::Denied,
        Self::Unreachable,
        Self::Limit,
        Self::Unwell,
    ];

    /// The exit code.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed for another reason",
            Self::Wrong => "wrong flags, or a file that they name cannot be used",
            Self::NoWorkers => "no workers",
            Self::Refused => "NATS refuses this user",
            Self::Tls => "certificate or TLS problem",
            Self::Denied => "NATS denies a permission",
            Self::Unreachable => "NATS cannot be reached",
            Self::Limit => "NATS accepts no more connections",
            Self::Unwell => "`doctor` or `conform` found something to fix",
        }
    }

    /// What an error comes to, from what it was caused by: `anyhow::Error::chain` gives the argument.
    pub fn of<'a>(mut chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> Self {
        let of_one = |error: &(dyn Error + 'static)| {
            let connect = error.downcast_ref::<ConnectError>();
            connect
                .map(|error| Self::from(error.kind()))
                .or(error.is::<Violation>().then_some(Self::Denied))
        };
        chain.find_map(of_one).unwrap_or(Self::Failed)
    }

    /// The table of the codes in `exits`, for `--help`.
    pub fn table(exits: &[Self]) -> String {
        let line = |exit: &Self| format!("  {}  {}", exit.code(), exit.meaning());
        let lines: Vec<String> = exits.iter().map(line).collect();
        format!("Exit codes:\n{}", lines.join("\n"))
    }
}

impl From<CauseKind> for Exit {
    fn from(kind: CauseKind) -> Self {
        match kind {
            CauseKind::File => Self::Wrong,
            CauseKind::Refused => Self::Refused,
            CauseKind::Tls => Self::Tls,
            CauseKind::Limit => Self::Limit,
            CauseKind::Unreachable => Self::Unreachable,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_table() {
        let codes: Vec<u8> = Exit::ALL.map(Exit::code).into();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let table = Exit::table(&[Exit::Done, Exit::Refused]);
        assert_eq!(table, "Exit codes:\n  0  done\n  4  NATS refuses this user");
    }

    #[test]
    fn an_error_that_is_not_about_nats_is_a_failure() {
        let error = std::io::Error::other("disk full");
        let chain = std::iter::once(&error as &(dyn Error + 'static));
        assert_eq!(Exit::of(chain), Exit::Failed);
    }
}
