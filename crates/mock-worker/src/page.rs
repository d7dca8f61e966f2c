//! A metrics page, parsed and asked by name and labels.
//!
//! It reads both formats that a collector serves, classic text 0.0.4 and OpenMetrics 1.0, strictly enough to
//! notice a line that Prometheus would refuse.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

/// One sample of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name as it is on the page, `_total` and `_bucket` included.
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
    /// In the order of the page.
    samples: Vec<Sample>,
    /// Where the samples of a name are: a page of ten thousand workers has some 300,000.
    by_name: BTreeMap<String, Vec<usize>>,
}

/// Why a text is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// A line is neither a comment nor a sample.
    #[error("line {line} of the page is not a sample: {text:?}")]
    NoSample {
        /// The line, counted from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// A series has a second sample.
    #[error("line {line} of the page occurs twice: {series}")]
    StandsTwice {
        /// The line of the second one, counted from 1.
        line: usize,
        /// Name and labels.
        series: String,
    },
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// [`PageError`] names the first line that is neither a comment nor a sample, or else the first series that
    /// occurs twice.
    ///
    /// ```
    /// use mock_worker::page::Page;
    /// let page = Page::parse("# TYPE a gauge\na{x=\"1\"} 3\na{x=\"2\"} 4.5\n")?;
    /// assert_eq!(page.sum("a", &[]), 7.5);
    /// assert_eq!(page.samples("a", &[("x", "2")]).count(), 1);
    /// # Ok::<(), mock_worker::page::PageError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, PageError> {
        let mut samples = Vec::new();
        let mut lines = Vec::new();
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let sample = parse_sample(text).ok_or_else(|| PageError::NoSample {
                line,
                text: text.to_owned(),
            })?;
            match by_name.get_mut(&sample.name) {
                Some(places) => places.push(samples.len()),
                None => {
                    by_name.insert(sample.name.clone(), vec![samples.len()]);
                }
            }
            samples.push(sample);
            lines.push(line);
        }
        let twice = by_name.values().filter_map(|places| {
            let mut seen = HashSet::with_capacity(places.len());
            places
                .iter()
                .copied()
                .find(|place| !seen.insert(&samples[*place].labels))
        });
        if let Some(place) = twice.min() {
            return Err(PageError::StandsTwice {
                line: lines[place],
                series: samples[place].series(),
            });
        }
        Ok(Self {
            text: text.to_owned(),
            samples,
            by_name,
        })
    }

    /// The page as it came.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All samples, in the order of the page.
    pub fn all(&self) -> &[Sample] {
        &self.samples
    }

    /// The samples of a name whose labels include `labels`, in the order of the page.
    pub fn samples<'a>(&'a self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        let places = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        places
            .iter()
            .map(|place| &self.samples[*place])
            .filter(move |sample| {
                labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
            })
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
        self.by_name.keys().map(String::as_str).collect()
    }
}

impl Sample {
    /// Name and labels, as on a page but for escapes: `a{x="1"}`.
    pub fn series(&self) -> String {
        series(&self.name, &self.labels)
    }
}

/// Name and labels, as on a page but for escapes.
pub(crate) fn series(name: &str, labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}={value:?}"))
        .collect();
    format!("{name}{{{}}}", labels.join(","))
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
    // What follows the value is a timestamp or an exemplar; neither is needed here.
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
        a{x=\"1\",y=\"q\\\"u\\\\o\\nte, }\"} 3\na{x=\"2\"} 4.5\n\nb 1e3 1700000000\nc{le=\"+Inf\"} +Inf\n# EOF\n";

    #[test]
    fn samples_are_found_by_name_and_any_of_their_labels() {
        let page = Page::parse(PAGE).expect("it is a page");
        let values = |name, labels: &[(&str, &str)]| -> Vec<f64> {
            page.samples(name, labels).map(|sample| sample.value).collect()
        };
        assert_eq!(values("a", &[("x", "1")]), [3.0]);
        assert_eq!(values("a", &[("y", "q\"u\\o\nte, }")]), [3.0]);
        assert_eq!(values("a", &[]), [3.0, 4.5]);
        assert_eq!(values("b", &[]), [1000.0]);
        assert_eq!(values("c", &[]), [f64::INFINITY]);
        assert_eq!(page.sum("a", &[]), 7.5);
        assert!(page.absent("a", &[("x", "3")]) && page.absent("a", &[("x", "1"), ("y", "")]));
        assert_eq!(page.values_of("x", "a"), BTreeSet::from(["1", "2"]));
        assert_eq!(page.names(), BTreeSet::from(["a", "b", "c"]));
        assert_eq!(page.all().len(), 4);
        assert_eq!(page.all()[1].series(), "a{x=\"2\"}");
    }

    #[test]
    fn a_series_that_occurs_twice_is_reported_with_its_line() {
        let error = Page::parse("b 1\na{x=\"1\"} 1\n# a\na{x=\"1\"} 2\nb 2\n").expect_err("a occurs twice");
        assert_eq!(error.to_string(), "line 4 of the page occurs twice: a{x=\"1\"}");
    }

    #[test]
    fn a_line_that_prometheus_would_refuse_is_noticed() {
        fn check(line: &str) {
            let expected = PageError::NoSample {
                line: 2,
                text: line.to_owned(),
            };
            assert_eq!(Page::parse(&format!("a 1\n{line}\n")).map(|_| ()), Err(expected));
        }
        check("a");
        check("a{x=\"1\" 3");
        check("a{x=\"1} 3");
        check("a{x=\"\\q\"} 3");
        check("a x");
        check("{} 3");
        check("a{x=\"1\",x=\"2\"} 3");
    }
}
