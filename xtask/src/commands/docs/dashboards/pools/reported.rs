//! What workers and frontends report of requests, and how good reports are.

use super::super::Kind::{Lines, Table};
use super::super::{Panel, Row};

/// What workers and frontends of Dynamo 1.x report.
pub(super) const REQUESTS: Row = Row {
    title: "Requests (Dynamo 1.x)",
    panels: &[
        Panel {
            title: "Time to first token",
            about: "Median and 99th percentile, as frontends report it.",
            kind: Lines,
            unit: "s",
            queries: &[
                (
                    "histogram_quantile(0.5, one(rate(llm_request_ttft_seconds_bucket{$pool}[$__rate_interval])))",
                    "median {{dynamo_component}} {{role}}",
                ),
                (
                    "histogram_quantile(0.99, one(rate(llm_request_ttft_seconds_bucket{$pool}[$__rate_interval])))",
                    "99 % {{dynamo_component}} {{role}}",
                ),
            ],
        },
        Panel {
            title: "Time between tokens",
            about: "Median and 99th percentile of a request's mean.",
            kind: Lines,
            unit: "s",
            queries: &[
                (
                    "histogram_quantile(0.5, one(rate(llm_request_itl_seconds_bucket{$pool}[$__rate_interval])))",
                    "median {{dynamo_component}}",
                ),
                (
                    "histogram_quantile(0.99, one(rate(llm_request_itl_seconds_bucket{$pool}[$__rate_interval])))",
                    "99 % {{dynamo_component}}",
                ),
            ],
        },
        Panel {
            title: "Forward passes",
            about: "Median and 99th percentile of their duration.",
            kind: Lines,
            unit: "s",
            queries: &[
                (
                    "histogram_quantile(0.5, one(rate(llm_forward_pass_seconds_bucket{$pool}[$__rate_interval])))",
                    "median {{dynamo_component}}",
                ),
                (
                    "histogram_quantile(0.99, one(rate(llm_forward_pass_seconds_bucket{$pool}[$__rate_interval])))",
                    "99 % {{dynamo_component}}",
                ),
            ],
        },
    ],
};

pub(super) const FRESHNESS: Row = Row {
    title: "Freshness and data quality",
    panels: &[
        Panel {
            title: "Workers by state",
            about: "Fresh, late and stale.",
            kind: Lines,
            unit: "short",
            queries: &[("one(llm_pool_workers{$pool})", "{{state}} {{dynamo_component}}")],
        },
        Panel {
            title: "Changes of workers",
            about: "In 10 minutes: joined, left, restarted and so on.",
            kind: Lines,
            unit: "short",
            queries: &[(
                "one(increase(llm_pool_worker_changes_total{$pool}[10m]))",
                "{{change}} {{dynamo_component}}",
            )],
        },
        Panel {
            title: "Replies by result",
            about: "Replies a second, with those that were refused.",
            kind: Lines,
            unit: "short",
            queries: &[(
                "one(rate(llm_collector_replies_total{$pool}[$__rate_interval]))",
                "{{result}} {{dynamo_component}}",
            )],
        },
        Panel {
            title: "Silent the longest",
            about: "The 10 workers whose last valid statistics are the oldest.",
            kind: Table,
            unit: "s",
            queries: &[(
                "topk(10, min without (instance, pod, node) (time() - llm_worker_last_seen_timestamp_seconds{$pool}))",
                "",
            )],
        },
        Panel {
            title: "What workers are",
            about: "Version, layout of subjects and source of the load.",
            kind: Table,
            unit: "short",
            queries: &[(
                "count by (dynamo_namespace, dynamo_component, dynamo_endpoint, version, layout, source) (one(llm_worker_info{$pool}))",
                "",
            )],
        },
    ],
};
