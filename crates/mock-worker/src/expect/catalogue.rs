//! The metrics of the collector and their labels, as its documentation lists them: neither program knows the other.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use program::source::nearest;

/// Generated from the collector's catalogue; `cargo xtask lint` fails where it is not up to date.
const DOCUMENTATION: &str = include_str!("../../../../docs/metrics.md");

/// A metric as it is on a page: of a histogram each of its three.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Metric {
    name: String,
    labels: BTreeSet<&'static str>,
}

static METRICS: LazyLock<Vec<Metric>> = LazyLock::new(|| DOCUMENTATION.lines().flat_map(read).collect());

/// The metrics of a row of one of its tables: name, type, labels.
fn read(line: &'static str) -> Vec<Metric> {
    let mut cells = line.split('|').map(str::trim).skip(1);
    let quoted = |cell: &'static str| cell.split('`').skip(1).step_by(2);
    let (Some(name), Some(kind), Some(labels)) = (cells.next(), cells.next(), cells.next()) else {
        return Vec::new();
    };
    let Some(name) = quoted(name).next().filter(|_| name.starts_with('`')) else {
        return Vec::new();
    };
    let labels: BTreeSet<&str> = quoted(labels).collect();
    let metric = |suffix: &str, more: Option<&'static str>| Metric {
        name: format!("{name}{suffix}"),
        labels: labels.iter().copied().chain(more).collect(),
    };
    match kind {
        "histogram" => vec![
            metric("_bucket", Some("le")),
            metric("_sum", None),
            metric("_count", None),
        ],
        "gauge" | "counter" | "summary" | "unknown" => vec![metric("", None)],
        _ => Vec::new(),
    }
}

/// What is nearly one of the collector's metrics, with the one that was meant. Those of mappings have names of their own.
pub(super) fn meant_metric(name: &str) -> Option<&'static str> {
    let known = || METRICS.iter().map(|metric| metric.name.as_str());
    match known().any(|known| known == name) {
        true => None,
        false => nearest(name, known()),
    }
}

/// What is nearly a label of this metric, with the one that was meant. Operators give targets labels of their own.
pub(super) fn meant_label(metric: &str, label: &str) -> Option<&'static str> {
    let metric = METRICS.iter().find(|known| known.name == metric)?;
    match metric.labels.contains(label) {
        true => None,
        false => nearest(label, metric.labels.iter().copied()),
    }
}

/// Whether a name is one of the collector's own, so that it must be known.
pub(super) fn is_unknown(name: &str) -> bool {
    let is_own = name.starts_with("llm_") || name.starts_with("nats_service_");
    is_own && METRICS.iter().all(|metric| metric.name != name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collectors_metrics_are_known_with_their_labels() {
        assert!(METRICS.len() > 60, "{}", METRICS.len());
        assert!(!is_unknown("llm_pool_workers") && is_unknown("llm_pool_wrkers"));
        assert!(!is_unknown("orders_open"), "a mapping may have named it so");
        assert_eq!(meant_metric("llm_pool_workers"), None);
        assert_eq!(meant_metric("llm_pool_wrkers"), Some("llm_pool_workers"));
        assert_eq!(meant_metric("orders_open"), None);
        assert_eq!(meant_metric("llm_collector_round_duration_seconds_sum"), None);
        assert_eq!(meant_label("llm_pool_workers", "state"), None);
        assert_eq!(meant_label("llm_pool_workers", "stat"), Some("state"));
        assert_eq!(meant_label("llm_pool_workers", "team"), None, "an operator's own");
        assert_eq!(
            meant_label("llm_collector_round_duration_seconds_bucket", "le"),
            None
        );
    }
}
