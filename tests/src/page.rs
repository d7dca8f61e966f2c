//! A metrics page, parsed and asked by name and labels.
//!
//! It reads both formats that a collector serves, classic text 0.0.4 and OpenMetrics 1.0, strictly enough to
//! notice a line that Prometheus would refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One sample of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name as it stands on the page, `_total` and `_bucket` included.
    pub name: String,
    /// The labels by name.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// All samples of a page.
#[derive(Debug, Clone)]
pub struct Page {
    text: String,
    samples: Vec<Sample>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Panics
    /// At a line that is neither a comment nor a sample, or a series that stands twice.
    pub fn parse(text: &str) -> Self {
        let mut seen = BTreeSet::new();
        let samples = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                let sample = parse_sample(line).unwrap_or_else(|| panic!("no sample: {line:?}"));
                assert!(
                    seen.insert((sample.name.clone(), sample.labels.clone())),
                    "stands twice: {line}"
                );
                sample
            })
            .collect();
        Self {
            text: text.to_owned(),
            samples,
        }
    }

    /// The page as it came.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The samples of a name whose labels include `labels`.
    pub fn samples<'a>(&'a self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        })
    }

    /// The value of the one sample that has these labels, or `None` where there is none.
    ///
    /// # Panics
    /// When the labels fit several samples: then the question is wrong.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut matching = self.samples(name, labels);
        let first = matching.next()?;
        if let Some(second) = matching.next() {
            panic!("{name}{labels:?} fits several samples: {first:?} and {second:?}");
        }
        Some(first.value)
    }

    /// The sum over all samples that have these labels; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).map(|sample| sample.value).sum()
    }

    /// Whether no sample has these labels.
    pub fn absent(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.samples(name, labels).next().is_none()
    }

    /// The values that a label has over all samples of a name.
    pub fn values_of<'a>(&'a self, label: &str, name: &str) -> BTreeSet<&'a str> {
        self.samples(name, &[])
            .filter_map(|sample| sample.labels.get(label))
            .map(String::as_str)
            .collect()
    }

    /// The names of all samples.
    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.iter().map(|sample| sample.name.as_str()).collect()
    }
}

impl fmt::Display for Page {
    /// Shows the samples alone, and of a very long page its beginning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 400;
        for line in self
            .text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .take(SHOWN)
        {
            writeln!(f, "{line}")?;
        }
        if self.samples.len() > SHOWN {
            writeln!(f, "... {} samples in all", self.samples.len())?;
        }
        Ok(())
    }
}

fn parse_sample(line: &str) -> Option<Sample> {
    let name_end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"")?;
            let (value, behind) = unquote(value)?;
            if labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = behind.strip_prefix(',').unwrap_or(behind);
        }
        rest = &rest[1..];
    }
    // What follows the value is a timestamp or an exemplar; the tests need neither.
    let value = rest.strip_prefix(' ')?.split(' ').next()?.parse().ok()?;
    (!name.is_empty()).then(|| Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// Reads a label's value up to its closing quote; returns it and what follows the quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other @ ('"' | '\\') => other,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP a text with {braces}\n# TYPE a gauge\n\
        a{x=\"1\",y=\"q\\\"u\\\\o\\nte, }\"} 3\na{x=\"2\"} 4.5\n\nb 1e3 1700000000\n# EOF\n";

    #[test]
    fn samples_are_found_by_name_and_any_of_their_labels() {
        let page = Page::parse(PAGE);
        assert_eq!(page.value("a", &[("x", "1")]), Some(3.0));
        assert_eq!(page.value("a", &[("y", "q\"u\\o\nte, }")]), Some(3.0));
        assert_eq!(page.value("b", &[]), Some(1000.0));
        assert_eq!(page.value("a", &[("x", "3")]), None);
        assert_eq!(page.sum("a", &[]), 7.5);
        assert!(page.absent("a", &[("x", "1"), ("y", "")]));
        assert_eq!(page.values_of("x", "a"), BTreeSet::from(["1", "2"]));
    }

    #[test]
    #[should_panic(expected = "fits several samples")]
    fn a_question_with_two_answers_is_refused() {
        Page::parse(PAGE).value("a", &[]);
    }

    #[test]
    #[should_panic(expected = "stands twice")]
    fn a_series_that_stands_twice_is_noticed() {
        Page::parse("a{x=\"1\"} 1\na{x=\"1\"} 2\n");
    }

    #[test]
    fn a_line_that_prometheus_would_refuse_is_noticed() {
        for line in [
            "a",
            "a{x=\"1\" 3",
            "a{x=\"1} 3",
            "a{x=\"\\q\"} 3",
            "a x",
            "{} 3",
            "a{x=\"1\",x=\"2\"} 3",
        ] {
            assert_eq!(parse_sample(line), None, "{line}");
        }
    }
}
