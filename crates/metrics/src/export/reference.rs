//! `docs/metrics.md`: the catalogue as people read it.

use std::fmt::Write;

use super::catalogue::{SERVICES, UPSTREAM, catalogue};
use super::family::{Entry, Kind};

const INTRODUCTION: &str = "\
# Metrics

Generated from the catalogue in `crates/metrics/src/export/catalogue.rs` by `cargo xtask docs`.

The page is `/metrics`. It is OpenMetrics 1.0 or Prometheus' text format 0.0.4, whichever the `Accept` header prefers.
Names, labels and values of samples are the same in both. A value that is unknown is absent, never NaN: a worker that is
not fresh has no load, and a ratio without a denominator is left out. Ratios are 0 to 1.

`--worker-series core` keeps the load gauges, saturation, requests and errors of each worker. `--worker-series off` keeps
none of its series. `--max-series` limits the series of a page, with those of mappings: pools are always shown, each pool
shows its first workers or instances by id, and `llm_collector_series_left_out` says how many series are missing.

## Names that end in `_total`

* Our counters end in `_total`. The names in `# HELP` and `# TYPE` lines end in it in the text format only, because an
  OpenMetrics family is named without it.
* Upstream's counters `llm_kv_hit_rate_isl_blocks` and `llm_kv_hit_rate_overlap_blocks` never end in `_total`. Their type is
  `unknown` in OpenMetrics, which allows no counter with such a name, and `counter` in the text format.
* Upstream's `llm_kv_blocks_total` ends in `_total` and is a gauge: the blocks that a worker has in total.

The samples of a histogram end in `_bucket`, `_sum` and `_count`. `llm_pool_worker_quantile` is a gauge in OpenMetrics and a
`summary` in the text format, because Prometheus' lint allows the label `quantile` to no other type.
";

const OF_UPSTREAM: &str = "
These are the names and labels of the collector that this one replaces, so that its dashboards keep working; `--compat off`
leaves them out. The labels have no namespace: of pools that differ in the namespace only, the first is shown.
";

const OF_SERVICES: &str = "
These exist with `--service` and `--all-services`, next to the families above that have the labels `nats_service` and
`nats_endpoint`. The sums go on when instances leave; `--instance-series off` keeps nothing else of them, apart from the values of mappings.
See [services.md](services.md).
";

/// The text of `docs/metrics.md`.
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut section = "";
    for entry in catalogue() {
        if entry.section != section {
            section = entry.section;
            let about = match section {
                UPSTREAM => OF_UPSTREAM,
                SERVICES => OF_SERVICES,
                _ => "",
            };
            let head = "| Name | Type | Labels | Unit | Meaning |\n|---|---|---|---|---|\n";
            let _ = write!(text, "\n## {section}\n{about}\n{head}");
        }
        text.push_str(&row(&entry));
    }
    text
}

fn row(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
        Kind::Histogram => "histogram",
        Kind::Unknown => "counter or unknown",
    };
    let list = |labels: &Vec<&str>| {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        labels.join(", ")
    };
    let labels: Vec<String> = entry.labels.iter().map(list).collect();
    let (labels, unit) = (labels.join("; or "), entry.unit.unwrap_or(""));
    format!(
        "| `{}` | {kind} | {labels} | {unit} | {} |\n",
        entry.shown_name(),
        entry.help
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_row_under_the_name_that_queries_use() {
        let text = markdown();
        for entry in catalogue() {
            let row = format!("| `{}` |", entry.shown_name());
            assert_eq!(text.matches(&row).count(), 1, "{row}");
        }
        assert!(text.contains("| `nats_service_errors_total` | counter | `dynamo_namespace`, "));
        assert!(text.contains("| `llm_kv_hit_rate_isl_blocks` | counter or unknown | `component`, `endpoint`, `worker_id` | blocks |"));
    }
}
