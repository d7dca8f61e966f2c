//! [`Everywhere`]: flags that a command and all below it take. [`NatsSeed`]: flags next to another `--seed`. Both end the
//! heading of their flags, which clap would give to every flag that follows.

use clap::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// Flags that may be given before and after the names of subcommands.
#[derive(Debug, Clone)]
pub struct Everywhere<A>(pub A);

impl<A: Args> Args for Everywhere<A> {
    fn augment_args(command: Command) -> Command {
        everywhere::<A>(A::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        everywhere::<A>(A::augment_args_for_update(command))
    }
}

impl<A: Args> FromArgMatches for Everywhere<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        A::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

fn everywhere<A: Args>(command: Command) -> Command {
    let own = A::augment_args(Command::new("own"));
    own.get_arguments()
        .map(clap::Arg::get_id)
        .cloned()
        .fold(command, |command, id| command.mut_arg(id, |arg| arg.global(true)))
        .next_help_heading(None)
}

/// The flags of a connection for a program in which `--seed` is something else: the seed of the nkey is `--nats-seed`.
#[derive(Debug, Clone)]
pub struct NatsSeed<A>(pub A);

impl<A: Args> Args for NatsSeed<A> {
    fn augment_args(command: Command) -> Command {
        renamed(A::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        renamed(A::augment_args_for_update(command))
    }
}

impl<A: Args> FromArgMatches for NatsSeed<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        A::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

fn renamed(command: Command) -> Command {
    command
        .mut_arg("nats_seed", |arg| arg.long("nats-seed"))
        .next_help_heading(None)
}

#[cfg(test)]
mod tests {
    use clap::{Arg, CommandFactory, Parser};

    use super::*;
    use crate::nats::NatsArgs;

    #[derive(Parser)]
    struct Global {
        #[command(flatten)]
        _nats: Everywhere<NatsArgs>,
        #[arg(long)]
        _later: bool,
    }

    #[derive(Parser)]
    struct Seeded {
        #[command(flatten)]
        _nats: NatsSeed<NatsArgs>,
        #[arg(long)]
        _later: bool,
    }

    #[test]
    fn the_heading_of_the_connection_ends_with_its_flags() {
        for command in [Global::command(), Seeded::command()] {
            let heading = |id: &str| {
                let mut found = command.get_arguments().filter(|arg| arg.get_id() == id);
                found.next().and_then(Arg::get_help_heading)
            };
            assert_eq!(heading("server"), Some("NATS"));
            assert_eq!(heading("auth_patience"), Some("NATS"));
            assert_eq!(heading("_later"), None);
        }
    }
}
