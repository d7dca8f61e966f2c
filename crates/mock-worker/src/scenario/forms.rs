//! Values that have parameters, each with an example: what `mock-worker help profile` shows, and what is suggested where
//! such a value is written as a bare word.

use toml::{Table, Value};

/// A word that needs parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// The key whose value it is: the last part of a path.
    pub(super) key: &'static str,
    /// The word.
    pub(super) word: &'static str,
    /// What it does.
    pub(super) about: &'static str,
    /// An example, as TOML.
    pub(super) example: &'static str,
}

macro_rules! forms {
    ($($key:literal $word:literal: $about:literal, $example:literal;)*) => {
        /// All of them.
        pub(super) const FORMS: &[Form] = &[
            $(Form { key: $key, word: $word, about: $about, example: $example },)*
        ];
    };
}

forms! {
    "profile" "ramp": "linear from one factor to another, which then stays",
        "{ ramp = { from = 0.2, to = 2.0, over = \"1m\" } }";
    "profile" "steps": "factors that hold from a time on; 1 before the first",
        "{ steps = [{ at = \"20s\", factor = 2.0 }, { at = \"40s\", factor = 0.5 }] }";
    "profile" "diurnal": "1 + amplitude · sin(2π · t / period); amplitude is 0 to 1",
        "{ diurnal = { period = \"24h\", amplitude = 0.5 } }";
    "profile" "spike": "another factor for a while, once or at every interval",
        "{ spike = { at = \"15s\", for = \"12s\", factor = 5.0, every = \"1m\" } }";
    "profile" "drain": "linear down to 0",
        "{ drain = { at = \"30s\", over = \"20s\" } }";
    "process" "gamma": "gamma-distributed gaps with this coefficient of variation",
        "{ gamma = { cv = 2.0 } }";
    "process" "weibull": "Weibull-distributed gaps with this coefficient of variation",
        "{ weibull = { cv = 2.0 } }";
    "process" "onoff": "two rates in turn, each for an exponential time",
        "{ onoff = { rate_on = 20.0, rate_off = 1.0, mean_on = \"5s\", mean_off = \"20s\" } }";
    "process" "closed": "users who wait for each answer and think",
        "{ closed = { users = 8, think = \"2s\" } }";
    "input" "fixed": "always the same number of tokens", "{ fixed = 1000 }";
    "input" "uniform": "any number of tokens between two", "{ uniform = { min = 100, max = 2000 } }";
    "input" "lognormal": "a long tail", "{ lognormal = { mean = 1155.0, cv = 0.96, max = 16384 } }";
    "input" "empirical": "one of these lengths", "{ empirical = [100, 200, 1500] }";
    "output" "fixed": "always the same number of tokens", "{ fixed = 200 }";
    "output" "uniform": "any number of tokens between two", "{ uniform = { min = 10, max = 400 } }";
    "output" "lognormal": "a long tail", "{ lognormal = { mean = 211.0, cv = 0.77, max = 4096 } }";
    "output" "empirical": "one of these lengths", "{ empirical = [10, 20, 300] }";
    "select" "first": "the first N workers", "{ first = 2 }";
    "select" "last": "the last N workers", "{ last = 2 }";
    "select" "every": "every Nth worker, including the first", "{ every = 3 }";
    "select" "fraction": "a share of the workers", "{ fraction = 0.5 }";
    "select" "places": "workers by their places, counted from 0", "{ places = [0, 3] }";
    "select" "ids": "workers by their ids", "{ ids = [7120] }";
}

/// What to write in place of a bare word, where a table has one that needs parameters.
pub(super) fn hint(table: &Table) -> Option<String> {
    fn look(key: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(word) => {
                let form = FORMS.iter().find(|form| form.key == key && form.word == word)?;
                Some(format!(
                    "{key} {word:?} has parameters; write e.g. {key} = {}",
                    form.example
                ))
            }
            Value::Table(table) => table.iter().find_map(|(key, value)| look(key, value)),
            Value::Array(values) => values.iter().find_map(|value| look(key, value)),
            _ => None,
        }
    }
    table.iter().find_map(|(key, value)| look(key, value))
}

/// The help on profiles.
pub fn profile_help() -> String {
    let mut text = "How the rate of requests changes with time: `profile` under [traffic] of a scenario, or --set \
                    traffic.profile=…\n\nThe scenario's rate is multiplied by a factor, which is 1 with \"flat\", the \
                    default. Times are 2, \"2s\" or \"500ms\".\n"
        .to_owned();
    for form in FORMS.iter().filter(|form| form.key == "profile") {
        text.push_str(&format!(
            "\n{}: {}\n  profile = {}\n",
            form.word, form.about, form.example
        ));
    }
    text.push_str(
        "\nOn a command line:\n  mock-worker run steady --set 'traffic.profile={diurnal={period=\"10m\",amplitude=0.5}}'\n  \
         mock-worker ctl set traffic.profile.spike.at=10s traffic.profile.spike.for=5s traffic.profile.spike.factor=4.0\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Select;
    use crate::scenario::TrafficSpec;

    #[test]
    fn every_example_can_be_used_as_it_is() {
        for form in FORMS {
            let text = format!("{} = {}", form.key, form.example);
            let table: Table = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(form.example.contains(form.word), "{text}");
            match form.key {
                "select" => {
                    Select::deserialize(table["select"].clone()).expect(&text);
                }
                _ => {
                    let spec = TrafficSpec::deserialize(table).expect(&text);
                    spec.profile.check().expect(&text);
                    spec.process.check().expect(&text);
                }
            }
        }
    }

    #[test]
    fn the_documentation_has_every_profile_with_its_example() {
        let docs = include_str!("../../../../docs/simulation.md");
        for form in FORMS.iter().filter(|form| form.key == "profile") {
            assert!(
                docs.contains(form.example),
                "{} is not in docs/simulation.md",
                form.example
            );
            assert!(profile_help().contains(form.example), "{}", form.word);
        }
    }

    use serde::Deserialize;
}
