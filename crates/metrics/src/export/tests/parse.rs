//! A strict reading of a page: what the formats allow, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::export::Format;

/// One line of values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

/// Families by the names in their `# TYPE` lines, in the order of the page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) families: Vec<(String, Vec<Sample>)>,
}

impl Sample {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| label == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Page {
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.iter().flat_map(|(_, samples)| samples)
    }

    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples().filter(move |sample| sample.name == name)
    }
}

/// Reads a page.
///
/// # Panics
/// Where a line is not what the format allows at its place.
pub(super) fn strict(text: &str, format: Format) -> Page {
    let text = match format {
        Format::OpenMetrics => text.strip_suffix("# EOF\n").expect("the end is marked"),
        Format::Classic => text,
    };
    let mut families: Vec<(String, Vec<Sample>)> = Vec::new();
    let (mut kinds, mut seen) = (BTreeMap::new(), BTreeSet::new());
    let mut expects_type = None;
    let lines = text.strip_suffix('\n').expect("the last line ends").split('\n');
    for line in lines {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and a text");
            assert!(
                families.last().is_none_or(|(_, samples)| !samples.is_empty()),
                "no samples before {line}"
            );
            check_help(help, format);
            expects_type = Some(name);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert_eq!(expects_type.take(), Some(name), "{line}");
            assert!(
                kinds.insert(name.to_owned(), kind.to_owned()).is_none(),
                "{name} appears twice"
            );
            families.push((name.to_owned(), Vec::new()));
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').expect("a name and a unit");
            assert_eq!(format, Format::OpenMetrics);
            let (family, samples) = families.last().expect("a type comes first");
            assert!(
                family == name && samples.is_empty() && name.ends_with(&format!("_{unit}")),
                "{line}"
            );
        } else {
            assert!(!line.starts_with('#') && expects_type.is_none(), "{line:?}");
            let sample = sample(line);
            let (family, samples) = families.last_mut().expect("a type comes first");
            let suffixes = suffixes(&kinds[family.as_str()], format);
            let suffix = sample
                .name
                .strip_prefix(family.as_str())
                .expect("samples follow their type");
            assert!(suffixes.contains(&suffix), "{suffix:?} in {line}");
            assert!(
                seen.insert((sample.name.clone(), sample.labels.clone())),
                "twice: {line}"
            );
            samples.push(sample);
        }
    }
    Page { families }
}

fn suffixes(kind: &str, format: Format) -> &'static [&'static str] {
    match (kind, format) {
        ("counter", Format::OpenMetrics) => &["_total"],
        ("histogram", _) => &["_bucket", "_sum", "_count"],
        ("gauge", _) | ("counter" | "summary", Format::Classic) | ("unknown", Format::OpenMetrics) => &[""],
        _ => panic!("{kind} in {format:?}"),
    }
}

fn check_help(help: &str, format: Format) {
    let mut characters = help.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            let escaped = characters.next().expect("something is escaped");
            assert!(
                escaped == '\\' || escaped == 'n' || (escaped == '"' && format == Format::OpenMetrics),
                "{help}"
            );
        } else {
            assert!(character != '"' || format == Format::Classic, "{help}");
        }
    }
}

fn sample(line: &str) -> Sample {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let end = line
        .find(|character| !is_name(character))
        .expect("a name and more");
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").expect("a label has a value");
            assert!(
                !label.is_empty() && label.chars().all(is_name),
                "{label:?} in {line}"
            );
            let (value, after) = unescape(after);
            labels.push((label.to_owned(), value));
            match after.strip_prefix(',') {
                Some(after) => rest = after,
                None => {
                    rest = after.strip_prefix('}').expect("braces are closed");
                    break;
                }
            }
        }
    }
    let number = rest.strip_prefix(' ').expect("a space before the value");
    let value: f64 = number.parse().expect("a number");
    assert!(value.is_finite() && !number.ends_with(".0"), "{line}");
    let name = name.to_owned();
    Sample { name, labels, value }
}

/// The value up to its closing quote, and what follows.
fn unescape(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &text[index + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('\\' | '"'))) => value.push(escaped),
                escaped => panic!("{escaped:?} is escaped in {text}"),
            },
            _ => value.push(character),
        }
    }
    panic!("no closing quote: {text}");
}
