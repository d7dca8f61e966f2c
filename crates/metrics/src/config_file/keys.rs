//! The keys of the file. They follow from the flags: each is a flag's long name with `_` for `-`, with the flag's type,
//! parser, help and default.

use std::any::TypeId;
use std::error::Error;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, CommandFactory};
use program::source::nearest;

use crate::args::Cli;

/// Flags that no file holds, and why.
pub(super) const NOT_IN_THE_FILE: [(&str, &str); 3] = [
    ("config", "it gives the path of the file"),
    ("help", "it prints a text and exits"),
    ("version", "it prints a text and exits"),
];

/// Keys whose change takes effect without a restart.
pub(super) const LIVE: [&str; 31] = [
    "mapping",
    "component",
    "endpoint",
    "namespace",
    "target",
    "exclude",
    "service",
    "all_services",
    "exclude_service",
    "metadata_labels",
    "instance_series",
    "poll_interval",
    "stale_after",
    "gone_after",
    "queue_target",
    "kv_target",
    "event_max_age",
    "event_gone_after",
    "event_idle_gone_after",
    "capacity",
    "request_trace_subject",
    "buckets",
    "kv_events",
    "active_sequences",
    "compat",
    "worker_series",
    "max_series",
    "grace",
    "subject_pattern",
    "round_timeout",
    "log",
];

/// What a value is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `true` or `false`.
    Switch,
    /// A whole number that fits into 16, 32 or 64 bits.
    Whole(u8),
    /// A number.
    Number,
    /// A number of seconds, or a text with a unit.
    Time,
    /// A text.
    Text,
}

/// One key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// Its name.
    pub(super) name: String,
    /// What each value is written as.
    pub(super) form: Form,
    /// Whether it has a list of values.
    pub(super) is_list: bool,
    /// Whether a value may hold a secret.
    pub(super) is_secret: bool,
    arg: Arg,
}

/// All keys, in the order of `--help`.
pub(super) fn all() -> Vec<Key> {
    let mut command = Cli::command();
    command.build();
    of(&command)
}

fn of(command: &Command) -> Vec<Key> {
    let is_key = |arg: &&Arg| !NOT_IN_THE_FILE.iter().any(|(id, _)| arg.get_id() == id);
    let args = command.get_arguments().filter(is_key);
    args.filter_map(|arg| Some((arg.get_long()?, arg)))
        .map(|(long, arg)| Key {
            name: long.replace('-', "_"),
            form: form_of(arg),
            is_list: matches!(arg.get_action(), ArgAction::Append),
            is_secret: arg.is_hide_env_values_set(),
            arg: arg.clone(),
        })
        .collect()
}

fn form_of(arg: &Arg) -> Form {
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return Form::Switch;
    }
    let value = arg.get_value_parser().type_id();
    let forms = [
        (TypeId::of::<bool>(), Form::Switch),
        (TypeId::of::<u16>(), Form::Whole(16)),
        (TypeId::of::<u32>(), Form::Whole(32)),
        (TypeId::of::<u64>(), Form::Whole(64)),
        (TypeId::of::<f64>(), Form::Number),
        (TypeId::of::<Duration>(), Form::Time),
    ];
    let known = forms.into_iter().find(|(known, _)| value == *known);
    known.map_or(Form::Text, |(_, form)| form)
}

impl Key {
    /// The name of its flag in clap.
    pub(super) fn id(&self) -> &str {
        self.arg.get_id().as_str()
    }

    /// The flag, as people write it.
    pub(super) fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// The environment variable.
    pub(super) fn variable(&self) -> Option<String> {
        Some(self.arg.get_env()?.to_string_lossy().into_owned())
    }

    /// What it means.
    pub(super) fn help(&self) -> String {
        let help = self.arg.get_long_help().or(self.arg.get_help());
        let mut help = help.map(ToString::to_string).unwrap_or_default();
        // clap takes the full stop away where there is one sentence.
        if !help.ends_with('.') {
            help.push('.');
        }
        help
    }

    /// The placeholder of a value in `--help`.
    pub(super) fn value_name(&self) -> &str {
        let names = self.arg.get_value_names().unwrap_or_default();
        names.first().map_or("VALUE", |name| name.as_str())
    }

    /// The default, as a flag's text; none where the key is not set by default.
    pub(super) fn default(&self) -> Option<String> {
        let value = self.arg.get_default_values().first()?;
        Some(value.to_string_lossy().into_owned())
    }

    /// The words that it takes, if it takes no others.
    pub(super) fn words(&self) -> Vec<String> {
        let values = self.arg.get_possible_values();
        values.iter().map(|value| value.get_name().to_owned()).collect()
    }

    /// Reads a value as the flag does.
    ///
    /// # Errors
    /// What is wrong with it, and what may have been meant.
    pub(super) fn check(&self, value: &str) -> Result<(), (String, Option<String>)> {
        if self.form == Form::Switch {
            return Ok(());
        }
        let arg = Arg::new("value")
            .long("value")
            .value_parser(self.arg.get_value_parser().clone());
        let command = Command::new("file").no_binary_name(true).arg(arg);
        let Err(error) = command.try_get_matches_from([format!("--value={value}")]) else {
            return Ok(());
        };
        if error.kind() == ErrorKind::InvalidValue
            && let Some(ContextValue::Strings(words)) = error.get(ContextKind::ValidValue)
        {
            let near = nearest(value, words.iter().map(String::as_str));
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            return Err((format!("write one of {}", words.join(", ")), hint));
        }
        let reason = error
            .source()
            .map_or_else(|| "it cannot be read".to_owned(), ToString::to_string);
        Err((reason, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_a_key_unless_it_is_listed_as_an_exception() {
        let mut command = Cli::command();
        command.build();
        let keys = of(&command);
        for arg in command.get_arguments() {
            let is_exception = NOT_IN_THE_FILE.iter().any(|(id, _)| arg.get_id() == id);
            let is_key = keys.iter().any(|key| key.id() == arg.get_id().as_str());
            assert_ne!(is_exception, is_key, "{}", arg.get_id());
        }
        for (id, _) in NOT_IN_THE_FILE {
            assert!(
                command.get_arguments().any(|arg| arg.get_id() == id),
                "{id} is no flag"
            );
        }
    }

    /// Keys whose change needs another connection, another address, or another log.
    const WITH_A_RESTART: [&str; 49] = [
        "server",
        "user",
        "password",
        "password_file",
        "token",
        "token_file",
        "creds",
        "nkey",
        "jwt",
        "seed",
        "seed_file",
        "tlscert",
        "tlskey",
        "tlsca",
        "tlsfirst",
        "inbox_prefix",
        "service_prefix",
        "timeout",
        "context",
        "no_context",
        "auth_patience",
        "etcd",
        "publish",
        "push",
        "push_url",
        "push_interval",
        "push_job",
        "push_grouping",
        "push_delete",
        "remote_write_url",
        "remote_write_interval",
        "remote_write_label",
        "remote_write_bearer_token_file",
        "otlp_endpoint",
        "otlp_interval",
        "otlp_attribute",
        "otlp_bearer_token_file",
        "push_tlsca",
        "host",
        "metrics_port",
        "listen",
        "web_config_file",
        "history",
        "web_external_url",
        "http_header_timeout",
        "http_idle_timeout",
        "http_response_timeout",
        "http_max_connections",
        "log_format",
    ];

    #[test]
    fn of_every_key_it_is_decided_whether_a_change_needs_a_restart() {
        for key in all() {
            let (is_live, is_not) = (LIVE.contains(&&*key.name), WITH_A_RESTART.contains(&&*key.name));
            assert_ne!(is_live, is_not, "add {} to one of the two lists", key.name);
        }
    }

    #[test]
    fn every_action_of_a_flag_is_one_that_a_file_can_express() {
        for key in all() {
            let action = key.arg.get_action();
            let is_known = matches!(action, ArgAction::Set | ArgAction::Append | ArgAction::SetTrue);
            assert!(is_known, "{}: {action:?}", key.name);
        }
    }
}
