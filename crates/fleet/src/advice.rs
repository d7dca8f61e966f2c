//! What to type, or to fix, so that a near miss becomes a match.

use std::borrow::Cow;

use protocol::{EndpointPath, ServicePrefix};

use crate::matching::{NearMiss, Reason};
use crate::{Form, Given};

/// Near misses that one message names.
const NAMED_MISSES: usize = 3;

/// The flags that decide which services are asked, as far as they are worth a check where none answers.
pub fn flags_to_check(prefix: &ServicePrefix) -> &'static str {
    match *prefix == ServicePrefix::default() {
        true => "--server",
        false => "--server and --service-prefix",
    }
}

/// How many endpoints miss a path in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NearMissCount {
    pub(crate) miss: NearMiss,
    pub(crate) count: u64,
}

/// A key that is the same for all that is the same to a reader, and the text.
pub(crate) fn describe_misses(
    wanted: &EndpointPath,
    form: Form,
    misses: &[NearMissCount],
) -> (String, String) {
    let named = &misses[..misses.len().min(NAMED_MISSES)];
    let texts: Vec<String> = named
        .iter()
        .map(|miss| describe_miss(wanted, form, miss))
        .collect();
    let mut text = texts.join("; ");
    if misses.len() > named.len() {
        text.push_str(&format!(
            "; and {} more kinds, which `metrics explain {}` shows",
            misses.len() - named.len(),
            quoted(&wanted.to_string())
        ));
    }
    let key = named.iter().map(|miss| key(&miss.miss)).collect();
    (key, text)
}

/// What a worker sends anew each time does not count.
fn key(miss: &NearMiss) -> String {
    let reason = match &miss.reason {
        Reason::DataUndecodable { .. } => "data".to_owned(),
        Reason::BadId { .. } => "id".to_owned(),
        reason => format!("{reason:?}"),
    };
    format!("{reason} {:?} {:?};", miss.part, miss.found)
}

fn describe_miss(wanted: &EndpointPath, form: Form, NearMissCount { miss, count }: &NearMissCount) -> String {
    let subject = match (&miss.found, count) {
        (Some(found), 1) => format!("1 worker of {found} did"),
        (Some(found), n) => format!("{n} workers of {found} did"),
        (None, 1) => "1 similar service answered".to_owned(),
        (None, n) => format!("{n} similar services answered"),
    };
    match remedy(wanted, form, miss) {
        Some(remedy) => format!("{subject} ({miss}): {remedy}"),
        None => format!("{subject} ({miss})"),
    }
}

/// A name as a shell takes it: advice is copied into a terminal, and names come from outside.
fn quoted(name: &str) -> Cow<'_, str> {
    shlex::try_quote(name).unwrap_or_else(|_| "''".into())
}

/// What to type, or to fix, so that the near miss becomes a match, in the form in which the path was asked for. Names in
/// it are quoted for a shell.
pub(crate) fn remedy(wanted: &EndpointPath, form: Form, miss: &NearMiss) -> Option<String> {
    match (&miss.reason, &miss.found) {
        (Reason::DataUndecodable { .. }, _) => {
            Some("correct what the worker puts into its statistics".to_owned())
        }
        (Reason::NoId | Reason::BadId { .. }, _) => Some(
            "the id must be lower-case hexadecimal, or decimal where a template says so, without padding"
                .to_owned(),
        ),
        (Reason::NoEndpoint, _) => Some("it may be starting, or offers its endpoint elsewhere".to_owned()),
        (Reason::HashDiffers, _) => Some(
            "the hash belongs to other names or to another runtime; `metrics list` shows which".to_owned(),
        ),
        (Reason::UnknownLayout, _) => Some("describe its subject with --subject-pattern".to_owned()),
        (_, None) => Some("`metrics list` shows the exact names".to_owned()),
        (_, Some(found)) => (found != wanted).then(|| ask_for(wanted, form, found)),
    }
}

/// How to ask for another path.
fn ask_for(wanted: &EndpointPath, form: Form, found: &EndpointPath) -> String {
    let path = found.to_string();
    match form {
        Form::Argument => format!("use {}", quoted(&path)),
        Form::Target(Given::Table) => {
            format!("write path = {path:?} in [[target]] of the configuration file")
        }
        Form::Target(given) => ask_by(given, &[("target", &path)]),
        Form::Names(given) => {
            let names = [
                ("namespace", found.namespace.as_str(), wanted.namespace.as_str()),
                ("component", found.component.as_str(), wanted.component.as_str()),
                ("endpoint", found.endpoint.as_str(), wanted.endpoint.as_str()),
            ];
            let other = names.into_iter().filter(|(_, found, wanted)| found != wanted);
            let other: Vec<_> = other.map(|(key, found, _)| (key, found)).collect();
            ask_by(given, &other)
        }
    }
}

/// How to ask for another service.
pub(crate) fn ask_for_service(given: Given, found: &str) -> String {
    ask_by(given, &[("service", found)])
}

/// How to give these keys other values.
fn ask_by(given: Given, values: &[(&str, &str)]) -> String {
    let joined = |each: &dyn Fn(&str, &str) -> String, between: &str| -> String {
        let texts: Vec<String> = values.iter().map(|(key, value)| each(key, value)).collect();
        texts.join(between)
    };
    match given {
        Given::Flag => {
            let flags = joined(&|key, value| format!("--{key} {}", quoted(value)), " ");
            format!("use {flags}")
        }
        Given::Variable => {
            let variable =
                |key: &str, value: &str| format!("METRICS_{}={}", key.to_uppercase(), quoted(value));
            format!("set {}", joined(&variable, " "))
        }
        Given::Key | Given::Table => match values {
            [(key @ ("target" | "service"), value)] => {
                format!("write {value:?} in the list `{key}` of the configuration file")
            }
            _ => {
                let keys = joined(&|key, value| format!("{key} = {value:?}"), " and ");
                format!("write {keys} in the configuration file")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::Part;

    fn advice(form: Form, found: &str) -> String {
        let wanted: EndpointPath = "dynamo/my_component/my_endpoint".parse().expect("a path");
        let miss = NearMiss {
            reason: Reason::OtherComponent,
            part: Some(Part::Component),
            found: Some(found.parse().expect("a path")),
        };
        remedy(&wanted, form, &miss).expect("a remedy")
    }

    #[test]
    fn advice_can_be_pasted_into_a_shell_whatever_the_names_are() {
        fn check(component: &str, expected: &str) {
            let advice = advice(
                Form::Names(Given::Flag),
                &format!("dynamo/{component}/my_endpoint"),
            );
            assert_eq!(advice, expected);
            let words = shlex::split(&advice).expect("words");
            assert_eq!(words, ["use", "--component", component]);
        }
        check("planner", "use --component planner");
        check("x;reboot", "use --component 'x;reboot'");
        check("$(reboot)", "use --component '$(reboot)'");
        check("it's", "use --component \"it's\"");
        check("`id`", "use --component '`id`'");
    }

    #[test]
    fn advice_has_the_form_in_which_the_path_was_asked_for() {
        let found = "prod/my component/my_endpoint";
        for (form, expected) in [
            (
                Form::Names(Given::Flag),
                "use --namespace prod --component 'my component'",
            ),
            (
                Form::Names(Given::Variable),
                "set METRICS_NAMESPACE=prod METRICS_COMPONENT='my component'",
            ),
            (
                Form::Names(Given::Key),
                r#"write namespace = "prod" and component = "my component" in the configuration file"#,
            ),
            (
                Form::Target(Given::Flag),
                "use --target 'prod/my component/my_endpoint'",
            ),
            (
                Form::Target(Given::Variable),
                "set METRICS_TARGET='prod/my component/my_endpoint'",
            ),
            (
                Form::Target(Given::Key),
                r#"write "prod/my component/my_endpoint" in the list `target` of the configuration file"#,
            ),
            (
                Form::Target(Given::Table),
                r#"write path = "prod/my component/my_endpoint" in [[target]] of the configuration file"#,
            ),
            (Form::Argument, "use 'prod/my component/my_endpoint'"),
        ] {
            assert_eq!(advice(form, found), expected);
        }
    }
}
