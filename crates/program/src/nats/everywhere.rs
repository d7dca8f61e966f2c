//! [`Everywhere`]: flags that a command and all below it take. [`NatsSeed`]: flags next to another `--seed`.

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
    command.mut_arg("nats_seed", |arg| arg.long("nats-seed"))
}
