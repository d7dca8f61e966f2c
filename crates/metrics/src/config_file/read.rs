//! Reads the text of a file, and finds all that is wrong with it in one go.

use std::collections::BTreeMap;
use std::ops::Range;

use program::source::{Problem, line_of, nearest, nearest_in_message};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Form, Key};
use super::tables;

/// What a file sets one key to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The values, as texts of the flag.
    pub(super) values: Vec<String>,
    /// Where the key is.
    pub(super) key: Range<usize>,
    /// Where the value is.
    pub(super) value: Range<usize>,
}

/// The entries of a file, by key.
pub(super) type Entries = BTreeMap<String, Entry>;

/// What a text comes to: the entries that can be used, and what is wrong.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) entries: Entries,
    pub(super) problems: Vec<Problem>,
    /// Where values are that may hold a secret.
    pub(super) secrets: Vec<Range<usize>>,
    /// Whether it is no TOML.
    pub(super) is_broken: bool,
}

/// Reads a text by these keys.
pub(super) fn read(text: &str, keys: &[Key]) -> Outcome {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut outcome = Outcome::default();
    for error in &errors {
        let place = error.span().unwrap_or(text.len()..text.len());
        outcome.problems.push(Problem::at(place, error.message(), ""));
    }
    // What the parser made of a broken line would be reported twice.
    let line = |problem: &Problem| line_of(text, problem.start());
    let broken: Vec<usize> = outcome.problems.iter().map(line).collect();
    outcome.is_broken = !broken.is_empty();
    let mut found = Vec::new();
    for (name, value) in table.into_inner() {
        let Some(key) = keys.iter().find(|key| key.name == *name.get_ref()) else {
            found.push(unknown(&name, keys));
            if is_like_a_secret(name.get_ref()) {
                outcome.secrets.push(value.span());
            }
            continue;
        };
        if key.is_secret {
            outcome.secrets.push(value.span());
        }
        let place = value.span();
        let before = found.len();
        let values = values_of(key, value, &mut found);
        if found.len() == before {
            let entry = Entry {
                values,
                key: name.span(),
                value: place,
            };
            outcome.entries.insert(key.name.clone(), entry);
        }
    }
    found.retain(|problem| !broken.contains(&line(problem)));
    outcome.problems.append(&mut found);
    outcome.problems.sort_by_key(Problem::start);
    outcome
}

fn unknown(name: &Spanned<std::borrow::Cow<'_, str>>, keys: &[Key]) -> Problem {
    let problem = Problem::at(
        name.span(),
        format!("unknown key `{}`", name.get_ref()),
        "no flag has this name",
    );
    match nearest(name.get_ref(), keys.iter().map(|key| key.name.as_str())) {
        Some(near) => problem.with_help(format!("did you mean `{near}`?")),
        None => problem.with_help("`metrics config example` shows every key"),
    }
}

/// Whether a key that is unknown may be a misspelt one whose value holds a secret.
pub(super) fn is_like_a_secret(name: &str) -> bool {
    let parts = [
        "pas", "pw", "tok", "sec", "seed", "jwt", "key", "cred", "auth", "ser", "url", "etc",
    ];
    let name = name.to_ascii_lowercase();
    parts.iter().any(|part| name.contains(part))
}

/// The values of a key, as texts that its flag takes.
fn values_of(key: &Key, value: Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> Vec<String> {
    let place = value.span();
    let mut read = |value| match value_of(key, value) {
        Ok(text) => Some(text),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    match value.into_inner() {
        DeValue::Array(values) if key.is_list => values.into_iter().filter_map(read).collect(),
        value if key.is_list => {
            let message = format!("`{}` is a list", key.name);
            let label = format!("this is {}", kind_of(&value));
            let help = format!("write {} = [\"{}\", …]", key.name, key.value_name());
            problems.push(Problem::at(place, message, label).with_help(help));
            Vec::new()
        }
        value => read(Spanned::new(place, value)).into_iter().collect(),
    }
}

fn value_of(key: &Key, value: Spanned<DeValue<'_>>) -> Result<String, Problem> {
    let place = value.span();
    let text = match (key.form, value.get_ref()) {
        (Form::Text | Form::Time, DeValue::String(text)) => text.to_string(),
        (Form::Whole(_) | Form::Number | Form::Time, DeValue::Integer(number)) => {
            match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => number.to_string(),
                Err(_) => number.to_string(),
            }
        }
        (Form::Number | Form::Time, DeValue::Float(number)) => number.as_str().to_owned(),
        (Form::Switch, DeValue::Boolean(is_on)) => is_on.to_string(),
        (_, DeValue::Table(_)) if key.is_list => match tables::text_of(&key.name, value) {
            Some(Ok(text)) => text,
            Some(Err(error)) => return Err(in_table(key, place, &error)),
            None => return Err(wrong_type(key, place, "a table")),
        },
        (_, other) => return Err(wrong_type(key, place, kind_of(other))),
    };
    match key.check(&text) {
        Ok(()) => Ok(text),
        Err((reason, hint)) => {
            let problem = Problem::at(place, format!("invalid value for `{}`", key.name), reason);
            Err(match hint {
                Some(hint) => problem.with_help(hint),
                None => problem,
            })
        }
    }
}

fn in_table(key: &Key, place: Range<usize>, error: &toml::de::Error) -> Problem {
    let place = error.span().unwrap_or(place);
    let problem = Problem::at(place, format!("invalid table of `{}`", key.name), error.message());
    match nearest_in_message(error.message()) {
        Some(near) => problem.with_help(format!("did you mean `{near}`?")),
        None => problem,
    }
}

fn wrong_type(key: &Key, place: Range<usize>, found: &str) -> Problem {
    let (expected, example) = match key.form {
        Form::Switch => ("true or false", "true".to_owned()),
        Form::Whole(_) => ("a whole number", key.default().unwrap_or_else(|| "1".to_owned())),
        Form::Number => ("a number", key.default().unwrap_or_else(|| "1.5".to_owned())),
        Form::Time => (
            "a time",
            format!("\"{}\"", key.default().unwrap_or_else(|| "2s".to_owned())),
        ),
        Form::Text => (
            "a text",
            format!(
                "\"{}\"",
                key.default().unwrap_or_else(|| key.value_name().to_owned())
            ),
        ),
    };
    let example = match key.is_list {
        true => format!("[{example}]"),
        false => example,
    };
    Problem::at(
        place,
        format!("`{}` is {expected}", key.name),
        format!("this is {found}"),
    )
    .with_help(format!("write e.g. {} = {example}", key.name))
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time of day",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
