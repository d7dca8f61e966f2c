//! The metrics and labels that a query in Prometheus' language names, as far as the queries of deploy/ go.

use std::collections::BTreeSet;

/// What a query names.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Words {
    pub(super) metrics: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
}

/// Words before a list of labels in parentheses.
const LISTS: [&str; 4] = ["by", "without", "on", "ignoring"];
const OPERATORS: [&str; 6] = ["and", "or", "unless", "bool", "offset", "group_left"];

pub(super) fn words(query: &str) -> Words {
    let mut found = Words::default();
    let mut rest = query;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_alphanumeric() || "_{[\"".contains(c)) {
        rest = &rest[begin..];
        match rest.as_bytes()[0] {
            b'{' => {
                let (matchers, after) = rest[1..].split_once('}').expect("it ends");
                let names = matchers
                    .split("\",")
                    .filter_map(|matcher| matcher.split(['=', '!']).next());
                let names = names.map(str::trim).filter(|name| !name.is_empty());
                found.labels.extend(names.map(str::to_owned));
                rest = after;
            }
            // A range of time.
            b'[' => rest = rest.split_once(']').expect("it ends").1,
            b'"' => rest = rest[1..].split_once('"').expect("it ends").1,
            _ => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_:.".contains(c));
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                rest = after.trim_start();
                let is_number = word.starts_with(|c: char| c.is_ascii_digit());
                if LISTS.contains(&word) {
                    let (list, after) = rest.trim_start_matches('(').split_once(')').expect("it ends");
                    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
                    found.labels.extend(names.map(str::to_owned));
                    rest = after;
                } else if !is_number && !OPERATORS.contains(&word) && !is_function(word, rest) {
                    found.metrics.insert(word.to_owned());
                }
            }
        }
    }
    found
}

/// A function or an aggregation: a parenthesis follows, or the labels that it keeps.
fn is_function(word: &str, rest: &str) -> bool {
    let keeps = LISTS.iter().any(|list| rest.starts_with(&format!("{list} (")));
    rest.starts_with('(') || (keeps && ["sum", "max", "min", "avg", "count", "stddev"].contains(&word))
}

/// The labels in the name of a series, such as `{{worker_id}}`.
pub(super) fn legend(text: &str) -> Vec<String> {
    let parts = text
        .split("{{")
        .skip(1)
        .filter_map(|part| part.split("}}").next());
    parts.map(str::to_owned).collect()
}

#[test]
fn metrics_and_labels_are_distinguished_from_functions_numbers_and_values() {
    fn check(query: &str, metrics: &[&str], labels: &[&str]) {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected = Words {
            metrics: set(metrics),
            labels: set(labels),
        };
        assert_eq!(words(query), expected, "{query}");
    }
    check("up", &["up"], &[]);
    check("topk(20, a{b=~\"x,y\",c!=\"z\"}) > 0.5", &["a"], &["b", "c"]);
    check(
        "sum by (le, x) (rate(a_bucket[5m] offset 1h))",
        &["a_bucket"],
        &["le", "x"],
    );
    check("p:a:max == 0 and on () max(b) == bool 1", &["p:a:max", "b"], &[]);
    check("max without (i) (time() - a)", &["a"], &["i"]);
    assert_eq!(legend("mean {{a}}/{{b}}"), ["a", "b"]);
}
