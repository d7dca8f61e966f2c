//! Flags that say how to read what workers and frontends report.

use clap::Args;
use fleet::{Capacity, MeasureBuckets, MetadataLabel};

/// Heading of these flags, and of those that other commands have too.
pub(super) const HEADING: &str = "What workers report";

/// How to read what workers and frontends report.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = HEADING)]
pub struct ReportArgs {
    /// Keys of the metadata in INFO replies to show as labels of llm_worker_info and nats_service_info; `pod` becomes meta_pod.
    #[arg(
        long,
        env = "METRICS_METADATA_LABELS",
        value_delimiter = ',',
        value_name = "KEY"
    )]
    pub metadata_labels: Vec<MetadataLabel>,

    /// What the workers of some pools can hold, where they do not report it; may be repeated; the first match applies.
    ///
    /// Dynamo 1.x reports no capacity on NATS. Example: 'dynamo/*/generate:slots=256,kv_blocks=8192'.
    #[arg(
        long,
        env = "METRICS_CAPACITY",
        value_delimiter = ';',
        value_name = "PATH:slots=N,kv_blocks=N"
    )]
    pub capacity: Vec<Capacity>,

    /// etcd server, or several separated by commas, in which Dynamo's workers register; how much each of them can hold is
    /// read there. Example: http://etcd:2379 or http://USER:PASSWORD@etcd:2379.
    ///
    /// Used only if neither the worker nor --capacity gives a value. Dynamo registers
    /// in etcd unless DYN_DISCOVERY_BACKEND names another place.
    #[arg(long, env = "METRICS_ETCD", hide_env_values = true, value_name = "URL")]
    pub etcd: Option<String>,

    /// A subject on which frontends publish a record for each request, in place of dynamo.request_trace.v1; may be repeated.
    #[arg(long, env = "METRICS_REQUEST_TRACE_SUBJECT", value_delimiter = ',', value_parser = exact_subject, value_name = "SUBJECT")]
    pub request_trace_subject: Vec<String>,

    /// Upper bounds of the buckets of one measure of requests; may be repeated. Example: ttft=0.1,0.5,1.
    ///
    /// Measures: ttft, itl, duration, prefill_wait, prefill, kv_transfer, input_tokens, output_tokens.
    #[arg(
        long,
        env = "METRICS_BUCKETS",
        value_delimiter = ';',
        value_name = "MEASURE=BOUNDS"
    )]
    pub buckets: Vec<MeasureBuckets>,

    /// Also listen to kv-events: blocks that caches store and remove. A worker sends some tens of messages a second.
    #[arg(long, env = "METRICS_KV_EVENTS")]
    pub kv_events: bool,

    /// Also listen to active_sequences_events: requests that routers assign to workers. There are several messages for each
    /// request.
    #[arg(long, env = "METRICS_ACTIVE_SEQUENCES")]
    pub active_sequences: bool,

    /// Waiting requests at which a worker counts as saturated.
    #[arg(long, env = "METRICS_QUEUE_TARGET", default_value_t = 5.0, value_parser = positive, value_name = "REQUESTS")]
    pub queue_target: f64,

    /// KV-cache use, above 0 and at most 1, at which a worker counts as saturated.
    #[arg(long, env = "METRICS_KV_TARGET", default_value_t = 0.8, value_parser = ratio, value_name = "RATIO")]
    pub kv_target: f64,
}

fn exact_subject(text: &str) -> Result<String, String> {
    match protocol::subject::is_exact(text) {
        true => Ok(text.to_owned()),
        false => Err("it must be a subject without wildcards".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

/// Reads a share of a whole, above 0 and at most 1.
fn ratio(text: &str) -> Result<f64, String> {
    const RULE: &str = "it must be a number above 0 and at most 1";
    let number = text.trim().trim_end_matches('%');
    match number.parse::<f64>() {
        Ok(ratio) if ratio > 0.0 && ratio <= 1.0 && number == text.trim() => Ok(ratio),
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Err(format!(
            "{RULE}; if {number} is a percentage, write {}",
            percent / 100.0
        )),
        _ => Err(RULE.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_no_percentage() {
        fn check(text: &str, expected: Result<f64, &str>) {
            let read = ratio(text);
            match (&read, expected) {
                (Ok(ratio), Ok(expected)) => assert_eq!(*ratio, expected, "{text}"),
                (Err(error), Err(expected)) => assert!(error.ends_with(expected), "{text}: {error}"),
                _ => panic!("{text}: {read:?}"),
            }
        }
        check("0.8", Ok(0.8));
        check("1", Ok(1.0));
        check("80", Err("if 80 is a percentage, write 0.8"));
        check("80%", Err("if 80 is a percentage, write 0.8"));
        check("1.5", Err("if 1.5 is a percentage, write 0.015"));
        for text in ["0", "-1", "NaN", "inf", "101", "much", ""] {
            check(text, Err("above 0 and at most 1"));
        }
    }
}
