//! Prometheus' text format 0.0.4, made from the OpenMetrics page.
//!
//! The two differ in the names of counters (`_total` belongs to the family here), in `# UNIT` and `# EOF`, which do
//! not exist here, and in quotes, which `# HELP` does not escape here. What is `unknown` there is a counter here:
//! upstream's counters, which never had `_total`. A gauge with a label `quantile` is called a summary here, because
//! Prometheus' own lint allows that label to nothing else.

use std::fmt::Write;

use super::catalogue;

pub(super) fn from_openmetrics(page: &str) -> String {
    let mut classic = String::with_capacity(page.len());
    let mut help = "";
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, text)| text);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let family = match kind {
                "counter" => format!("{name}_total"),
                _ => name.to_owned(),
            };
            let kind = match kind {
                "unknown" => "counter",
                _ if catalogue::has_quantiles(name) => "summary",
                kind => kind,
            };
            let _ = writeln!(classic, "# HELP {family} {}", help.replace("\\\"", "\""));
            let _ = writeln!(classic, "# TYPE {family} {kind}");
        } else if !line.starts_with('#') {
            classic.push_str(line);
            classic.push('\n');
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_gauges_and_histograms_are_written_the_classic_way() {
        let open = "# HELP a_requests Requests \\\"served\\\".\n# TYPE a_requests counter\na_requests_total{x=\"a_requests_total\"} 1\n\
                    # HELP llm_kv_hit_rate_isl_blocks B.\n# TYPE llm_kv_hit_rate_isl_blocks unknown\nllm_kv_hit_rate_isl_blocks{c=\"d\"} 2\n\
                    # HELP g G.\n# TYPE g gauge\n# UNIT g seconds\ng 0.5\n\
                    # HELP h H.\n# TYPE h histogram\nh_sum 1.0\nh_bucket{le=\"+Inf\"} 1\n# EOF\n";
        let classic = "# HELP a_requests_total Requests \"served\".\n# TYPE a_requests_total counter\na_requests_total{x=\"a_requests_total\"} 1\n\
                       # HELP llm_kv_hit_rate_isl_blocks B.\n# TYPE llm_kv_hit_rate_isl_blocks counter\nllm_kv_hit_rate_isl_blocks{c=\"d\"} 2\n\
                       # HELP g G.\n# TYPE g gauge\ng 0.5\n\
                       # HELP h H.\n# TYPE h histogram\nh_sum 1.0\nh_bucket{le=\"+Inf\"} 1\n";
        assert_eq!(from_openmetrics(open), classic);
    }
}
