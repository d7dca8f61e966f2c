//! The collector itself.

use super::Kind::{Lines, Stat, Table};
use super::{Dashboard, Panel, Row};

const INSTANCE: &str = "{{instance}}";
const POOL: &str =
    "{{dynamo_namespace}}/{{dynamo_component}}/{{dynamo_endpoint}}{{nats_service}} {{nats_endpoint}}";

pub(super) const COLLECTOR: Dashboard = Dashboard {
    uid: "collector",
    title: "Collector of NATS metrics",
    variables: &[],
    rows: &[
        Row {
            title: "Health",
            panels: &[
                Panel {
                    title: "Connected to NATS",
                    about: "1 while it is.",
                    kind: Stat,
                    unit: "short",
                    queries: &[("llm_collector_nats_connected{instance=\"$collector\"}", "")],
                },
                Panel {
                    title: "Pools that are up",
                    about: "Share of pools and services whose last round was recent and answered.",
                    kind: Stat,
                    unit: "percentunit",
                    queries: &[("avg(llm_collector_up{instance=\"$collector\"})", "")],
                },
                Panel {
                    title: "Snapshot, oldest",
                    about: "Time since the last successful round, when the page was scraped.",
                    kind: Stat,
                    unit: "s",
                    queries: &[(
                        "max(timestamp(llm_collector_snapshot_timestamp_seconds{instance=\"$collector\"}) - llm_collector_snapshot_timestamp_seconds{instance=\"$collector\"})",
                        "",
                    )],
                },
                Panel {
                    title: "Reconnects",
                    about: "Times that the connection to NATS was restored.",
                    kind: Stat,
                    unit: "short",
                    queries: &[("llm_collector_nats_reconnects_total{instance=\"$collector\"}", "")],
                },
                Panel {
                    title: "Permission violations",
                    about: "What the NATS server refused; metrics doctor shows what to grant.",
                    kind: Stat,
                    unit: "short",
                    queries: &[(
                        "llm_collector_permission_violations_total{instance=\"$collector\"}",
                        "",
                    )],
                },
                Panel {
                    title: "Series left out",
                    about: "Series that are not on the page because of --max-series.",
                    kind: Stat,
                    unit: "short",
                    queries: &[("llm_collector_series_left_out{instance=\"$collector\"}", "")],
                },
                Panel {
                    title: "Running for",
                    about: "Time since the start.",
                    kind: Stat,
                    unit: "s",
                    queries: &[("time() - process_start_time_seconds{instance=\"$collector\"}", "")],
                },
                Panel {
                    title: "Version",
                    about: "Version and commit.",
                    kind: Stat,
                    unit: "short",
                    queries: &[(
                        "llm_collector_build_info{instance=\"$collector\"}",
                        "{{version}} {{revision}}",
                    )],
                },
            ],
        },
        Row {
            title: "Rounds",
            panels: &[
                Panel {
                    title: "Rounds by end",
                    about: "Rounds a second by the reason why they ended.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "sum by (finish) (rate(llm_collector_rounds_total{instance=\"$collector\"}[$__rate_interval]))",
                        "{{finish}}",
                    )],
                },
                Panel {
                    title: "Duration of rounds",
                    about: "Median and 99th percentile, from the request to the snapshot.",
                    kind: Lines,
                    unit: "s",
                    queries: &[
                        (
                            "histogram_quantile(0.5, sum by (le) (rate(llm_collector_round_duration_seconds_bucket{instance=\"$collector\"}[$__rate_interval])))",
                            "median",
                        ),
                        (
                            "histogram_quantile(0.99, sum by (le) (rate(llm_collector_round_duration_seconds_bucket{instance=\"$collector\"}[$__rate_interval])))",
                            "99 %",
                        ),
                    ],
                },
                Panel {
                    title: "Rounds skipped",
                    about: "Rounds a second that were skipped because the previous one had not ended.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "rate(llm_collector_rounds_skipped_total{instance=\"$collector\"}[$__rate_interval])",
                        INSTANCE,
                    )],
                },
                Panel {
                    title: "Replies by result",
                    about: "Replies a second; only ok is good.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "sum by (result) (rate(llm_collector_replies_total{instance=\"$collector\"}[$__rate_interval]))",
                        "{{result}}",
                    )],
                },
                Panel {
                    title: "Workers missing",
                    about: "Workers and instances that were expected in the last round and did not answer it.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "topk(20, llm_collector_workers_missing{instance=\"$collector\"})",
                        POOL,
                    )],
                },
                Panel {
                    title: "Dropped messages and server errors",
                    about: "Messages that the collector did not take in time, and errors that the server reported.",
                    kind: Lines,
                    unit: "short",
                    queries: &[
                        (
                            "rate(llm_collector_dropped_messages_total{instance=\"$collector\"}[$__rate_interval])",
                            "dropped",
                        ),
                        (
                            "rate(llm_collector_server_errors_total{instance=\"$collector\"}[$__rate_interval])",
                            "errors",
                        ),
                    ],
                },
            ],
        },
        Row {
            title: "Events",
            panels: &[
                Panel {
                    title: "Events by result",
                    about: "Events a second.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "sum by (result) (rate(llm_collector_events_total{instance=\"$collector\"}[$__rate_interval]))",
                        "{{result}}",
                    )],
                },
                Panel {
                    title: "Events that did not come",
                    about: "Gaps a second in the numbers that publishers give them.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "rate(llm_collector_event_gaps_total{instance=\"$collector\"}[$__rate_interval])",
                        "{{topic}}",
                    )],
                },
                Panel {
                    title: "Delay of events",
                    about: "99th percentile from publication to arrival, by the publisher's clock.",
                    kind: Lines,
                    unit: "s",
                    queries: &[(
                        "histogram_quantile(0.99, sum by (topic, le) (rate(llm_collector_event_delay_seconds_bucket{instance=\"$collector\"}[$__rate_interval])))",
                        "{{topic}}",
                    )],
                },
            ],
        },
        Row {
            title: "Process",
            panels: &[
                Panel {
                    title: "Processor time",
                    about: "Processors in use.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "rate(process_cpu_seconds_total{instance=\"$collector\"}[$__rate_interval])",
                        INSTANCE,
                    )],
                },
                Panel {
                    title: "Memory",
                    about: "Resident memory.",
                    kind: Lines,
                    unit: "bytes",
                    queries: &[("process_resident_memory_bytes{instance=\"$collector\"}", INSTANCE)],
                },
                Panel {
                    title: "File descriptors",
                    about: "Open, and how many there may be.",
                    kind: Lines,
                    unit: "short",
                    queries: &[
                        ("process_open_fds{instance=\"$collector\"}", "open"),
                        ("process_max_fds{instance=\"$collector\"}", "limit"),
                    ],
                },
                Panel {
                    title: "Connections closed",
                    about: "Connections to the page that the collector closed, in 10 minutes by reason.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "increase(llm_collector_http_connections_closed_total{instance=\"$collector\"}[10m])",
                        "{{reason}}",
                    )],
                },
                Panel {
                    title: "Log lines dropped",
                    about: "Lines a second that the reader of the log did not take.",
                    kind: Lines,
                    unit: "short",
                    queries: &[(
                        "rate(llm_collector_log_lines_dropped_total{instance=\"$collector\"}[$__rate_interval])",
                        INSTANCE,
                    )],
                },
                Panel {
                    title: "All collectors",
                    about: "Every collector that is scraped.",
                    kind: Table,
                    unit: "short",
                    queries: &[("llm_collector_build_info", "")],
                },
            ],
        },
    ],
};
