//! Which names of metrics and labels can be on the page: those that Prometheus takes, that its lint accepts, and that
//! nothing else on the page has.

use fleet::MappedKind;

use super::{MappingError, wrong};
use crate::export::{Kind, catalogue};

/// Labels that Prometheus, its operator and the formats set themselves.
const TAKEN_LABELS: [&str; 11] = [
    "instance",
    "job",
    "namespace",
    "pod",
    "service",
    "endpoint",
    "container",
    "node",
    "le",
    "quantile",
    "worker_hex",
];

/// Base units, which may have no prefix in a name.
const BASE_UNITS: [&str; 10] = [
    "amperes", "bytes", "celsius", "grams", "joules", "meters", "metres", "moles", "seconds", "volts",
];

/// Prefixes of units, and the scale that does without them.
const PREFIXES: [(&str, f64); 18] = [
    ("pico", 1e-12),
    ("nano", 1e-9),
    ("micro", 1e-6),
    ("milli", 1e-3),
    ("centi", 1e-2),
    ("deci", 1e-1),
    ("deca", 1e1),
    ("hecto", 1e2),
    ("kilo", 1e3),
    ("kibi", 1024.0),
    ("mega", 1e6),
    ("mebi", 1_048_576.0),
    ("giga", 1e9),
    ("gibi", 1_073_741_824.0),
    ("tera", 1e12),
    ("tebi", 1_099_511_627_776.0),
    ("peta", 1e15),
    ("pebi", 1_125_899_906_842_624.0),
];

/// Other units that Prometheus' lint refuses, what it wants instead, and the scale.
const OTHER_UNITS: [(&str, &str, f64); 5] = [
    ("minutes", "seconds", 60.0),
    ("hours", "seconds", 3600.0),
    ("days", "seconds", 86_400.0),
    ("weeks", "seconds", 604_800.0),
    ("bits", "bytes", 0.125),
];

/// Short forms of units, which the lint refuses as parts of a name.
const SHORT_UNITS: [&str; 14] = [
    "s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d",
];

/// Words of types, which the lint refuses as parts of a name.
const TYPES: [&str; 5] = ["gauge", "counter", "histogram", "summary", "untyped"];

/// Ends of names that belong to other types.
const TAKEN_ENDS: [&str; 6] = ["_count", "_sum", "_bucket", "_info", "_created", "_gcount"];

/// Checks the name of a metric, and returns its family's: of a counter without `_total`.
pub(super) fn check_metric(name: &str, kind: MappedKind, unit: Option<&str>) -> Result<String, MappingError> {
    let refuse = |reason: String| Err(wrong("name", reason));
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_plain) {
        return refuse(format!(
            "{name:?} is not a metric name: write it in snake_case, with a-z, 0-9 and _"
        ));
    }
    let family = match (kind, name.strip_suffix("_total")) {
        (MappedKind::Counter, family) => family.unwrap_or(name),
        (MappedKind::Gauge, None) => name,
        (MappedKind::Gauge, Some(_)) => {
            return refuse(format!("{name} ends with _total, which is reserved for counters"));
        }
    };
    let known = catalogue();
    if let Some(entry) = known.iter().find(|entry| clashes(family, entry.name, entry.kind)) {
        let help = entry.help;
        return refuse(format!("{name} is already a metric of this collector: {help}"));
    }
    if let Some(end) = TAKEN_ENDS.iter().find(|end| family.ends_with(**end)) {
        return refuse(format!("{name} ends with {end}, which has a meaning of its own"));
    }
    let mut words = family.split('_');
    if let Some(word) = words.clone().find(|word| TYPES.contains(word)) {
        return refuse(format!(
            "{name} has the word {word:?}: leave the type out of the name"
        ));
    }
    if let Some(short) = words.clone().find(|word| SHORT_UNITS.contains(word)) {
        return refuse(format!(
            "{name} has {short:?}, the short form of a unit: write a base unit in full, e.g. seconds or bytes, and set `scale`"
        ));
    }
    if let Some((unit, base, scale)) = words.find_map(other_unit) {
        return refuse(format!(
            "{name} is in {unit}: Prometheus' base unit is {base}; write {base}, and `scale = {scale}`"
        ));
    }
    if let Some(unit) = unit
        && !family.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
    {
        let total = if kind == MappedKind::Counter { "_total" } else { "" };
        return Err(wrong(
            "unit",
            format!(
                "the name of a metric in {unit} ends with _{unit}{total}; write e.g. {family}_{unit}{total}"
            ),
        ));
    }
    Ok(family.to_owned())
}

/// A unit that is no base unit, the base unit in its place, and the scale.
fn other_unit(word: &str) -> Option<(&str, &'static str, f64)> {
    let with_prefix = || {
        let (rest, scale) = PREFIXES
            .iter()
            .find_map(|(prefix, scale)| Some((word.strip_prefix(prefix)?, *scale)))?;
        let base = BASE_UNITS.iter().find(|base| **base == rest)?;
        Some((word, *base, scale))
    };
    let other = OTHER_UNITS.iter().find(|(unit, ..)| *unit == word);
    other
        .map(|(_, base, scale)| (word, *base, *scale))
        .or_else(with_prefix)
}

/// Whether a family's samples may have the name of the other's.
fn clashes(family: &str, known: &str, kind: Kind) -> bool {
    let rest = family.strip_prefix(known);
    family == known
        || (kind == Kind::Histogram && rest.is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest)))
}

/// Checks the name of a label that an operator chooses.
///
/// # Errors
/// What is wrong with it.
pub fn check_label(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_plain) {
        return Err(format!(
            "{name:?} is not a label name: write it in snake_case, with a-z, 0-9 and _"
        ));
    }
    if TAKEN_LABELS.contains(&name) {
        return Err(format!(
            "the label {name} is set by Prometheus, its operator or the format; choose another name"
        ));
    }
    match catalogue()
        .iter()
        .any(|entry| entry.labels.concat().contains(&name))
    {
        true => Err(format!(
            "the label {name} is already one of this collector's; choose another name"
        )),
        false => Ok(()),
    }
}
