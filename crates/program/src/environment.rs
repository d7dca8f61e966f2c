//! Environment variables as twins of flags.

use clap::builder::Resettable;
use clap::{Arg, Command};

/// Takes the variables that are set and empty from the flags of `command`: an empty variable counts as unset, because
/// compose files and Kubernetes manifests leave one out like that.
#[must_use]
pub fn without_empty_variables(command: Command) -> Command {
    let is_empty = |arg: &Arg| {
        arg.get_env()
            .is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()))
    };
    command
        .mut_args(|arg| {
            if is_empty(&arg) {
                arg.env(Resettable::Reset)
            } else {
                arg
            }
        })
        .mut_subcommands(without_empty_variables)
}

/// The flags of `command` whose variable has a name that Kubernetes sets in every pod next to a service: `…_PORT`,
/// `…_HOST`, `…_SERVICE_…`. Empty where none collides.
pub fn colliding_variables(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(Arg::get_env);
    let names = own.map(|name| name.to_string_lossy().into_owned());
    let collides =
        |name: &String| name.ends_with("_PORT") || name.ends_with("_HOST") || name.contains("_SERVICE_");
    let inner = command.get_subcommands().flat_map(colliding_variables);
    names.filter(collides).chain(inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_collides_if_kubernetes_may_set_it() {
        let flag = |name: &'static str| Arg::new(name).long(name).env(name);
        let command = Command::new("x")
            .args([flag("X_PORT"), flag("X_PORT_NUMBER"), flag("X_ADDRESS")])
            .subcommand(Command::new("y").args([flag("Y_HOST"), flag("Y_SERVICE_NAME")]));
        assert_eq!(
            colliding_variables(&command),
            ["X_PORT", "Y_HOST", "Y_SERVICE_NAME"]
        );
    }
}
