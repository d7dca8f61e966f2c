//! Prometheus' text format 0.0.4, made from the OpenMetrics page.
//!
//! The two differ in the names of counters (`_total` belongs to the family here), in `# UNIT` and `# EOF`, which do
//! not exist here, and in quotes, which `# HELP` does not escape here. Upstream's counters never had `_total`. A gauge with
//! a label `quantile` is called a summary here, because Prometheus' own lint allows that label to nothing else.

use std::fmt::Write;

use super::catalogue;

pub(super) fn from_openmetrics(page: &str) -> String {
    let mut classic = String::with_capacity(page.len());
    let mut family = Family::default();
    let mut help = "";
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, text)| text);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            family = Family::new(name, kind);
            let _ = writeln!(
                classic,
                "# HELP {} {}",
                family.classic_name,
                help.replace("\\\"", "\"")
            );
            let kind = if catalogue::has_quantiles(name) {
                "summary"
            } else {
                kind
            };
            let _ = writeln!(classic, "# TYPE {} {kind}", family.classic_name);
        } else if !line.starts_with('#') {
            match line.strip_prefix(&family.sample_name) {
                Some(rest) if family.is_renamed => {
                    classic.push_str(&family.classic_name);
                    classic.push_str(rest);
                }
                _ => classic.push_str(line),
            }
            classic.push('\n');
        }
    }
    classic
}

#[derive(Default)]
struct Family {
    /// The name that samples have on the OpenMetrics page.
    sample_name: String,
    /// The name that family and samples have here.
    classic_name: String,
    /// Whether samples are called differently here.
    is_renamed: bool,
}

impl Family {
    fn new(name: &str, kind: &str) -> Self {
        let with_total = format!("{name}_total");
        match kind {
            "counter" if catalogue::is_upstream(name) => Self {
                sample_name: with_total,
                classic_name: name.to_owned(),
                is_renamed: true,
            },
            "counter" => Self {
                sample_name: with_total.clone(),
                classic_name: with_total,
                is_renamed: false,
            },
            _ => Self {
                sample_name: name.to_owned(),
                classic_name: name.to_owned(),
                is_renamed: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_gauges_and_histograms_are_written_the_classic_way() {
        let open = "# HELP a_requests Requests \\\"served\\\".\n# TYPE a_requests counter\na_requests_total{x=\"a_requests_total\"} 1\n\
                    # HELP llm_kv_hit_rate_isl_blocks B.\n# TYPE llm_kv_hit_rate_isl_blocks counter\nllm_kv_hit_rate_isl_blocks_total{c=\"d\"} 2\n\
                    # HELP g G.\n# TYPE g gauge\n# UNIT g seconds\ng 0.5\n\
                    # HELP h H.\n# TYPE h histogram\nh_sum 1.0\nh_bucket{le=\"+Inf\"} 1\n# EOF\n";
        let classic = "# HELP a_requests_total Requests \"served\".\n# TYPE a_requests_total counter\na_requests_total{x=\"a_requests_total\"} 1\n\
                       # HELP llm_kv_hit_rate_isl_blocks B.\n# TYPE llm_kv_hit_rate_isl_blocks counter\nllm_kv_hit_rate_isl_blocks{c=\"d\"} 2\n\
                       # HELP g G.\n# TYPE g gauge\ng 0.5\n\
                       # HELP h H.\n# TYPE h histogram\nh_sum 1.0\nh_bucket{le=\"+Inf\"} 1\n";
        assert_eq!(from_openmetrics(open), classic);
    }
}
