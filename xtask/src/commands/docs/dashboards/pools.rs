//! Pools of LLM workers.

mod reported;

use super::Kind::{Heatmap, Lines, Stat, Table};
use super::{Dashboard, Panel, Row, Variable};
use reported::{FRESHNESS, REQUESTS};

const POOL: &str = "{{dynamo_namespace}}/{{dynamo_component}}/{{dynamo_endpoint}}";
const WORKER: &str = "{{dynamo_component}} {{worker_id}}";

pub(super) const POOLS: Dashboard = Dashboard {
    uid: "llm-pools",
    title: "LLM pools",
    variables: &[
        Variable {
            name: "namespace",
            label: "Namespace",
            values: "label_values(llm_pool_workers, dynamo_namespace)",
            many: true,
        },
        Variable {
            name: "component",
            label: "Component",
            values: "label_values(llm_pool_workers{dynamo_namespace=~\"$namespace\"}, dynamo_component)",
            many: true,
        },
        Variable {
            name: "endpoint",
            label: "Endpoint",
            values: "label_values(llm_pool_workers{dynamo_namespace=~\"$namespace\",dynamo_component=~\"$component\"}, dynamo_endpoint)",
            many: true,
        },
    ],
    rows: &[HEALTH, UPSTREAM, SATURATION, BALANCE, CACHE, REQUESTS, FRESHNESS],
};

const HEALTH: Row = Row {
    title: "Health",
    panels: &[
        Panel {
            title: "Fresh workers",
            about: "Workers that answered the last rounds or are heard.",
            kind: Stat,
            unit: "short",
            queries: &[("sum(one(llm_pool_workers{$pool,state=\"fresh\"}))", "")],
        },
        Panel {
            title: "Stale or late workers",
            about: "Workers that are known and do not answer in time.",
            kind: Stat,
            unit: "short",
            queries: &[("sum(one(llm_pool_workers{$pool,state=~\"stale|late\"}))", "")],
        },
        Panel {
            title: "Running requests",
            about: "Over all fresh workers.",
            kind: Stat,
            unit: "short",
            queries: &[("sum(one(llm_pool_request_slots_active{$pool}))", "")],
        },
        Panel {
            title: "Waiting requests",
            about: "Over all fresh workers.",
            kind: Stat,
            unit: "short",
            queries: &[("sum(one(llm_pool_requests_waiting{$pool}))", "")],
        },
        Panel {
            title: "Slots in use",
            about: "Running requests divided by those that can run.",
            kind: Stat,
            unit: "percentunit",
            queries: &[(
                "sum(one(llm_pool_request_slots_active{$pool})) / sum(one(llm_pool_request_slots_capacity{$pool}))",
                "",
            )],
        },
        Panel {
            title: "KV cache in use",
            about: "Blocks in use divided by all blocks.",
            kind: Stat,
            unit: "percentunit",
            queries: &[(
                "sum(one(llm_pool_kv_blocks_active{$pool})) / sum(one(llm_pool_kv_blocks_capacity{$pool}))",
                "",
            )],
        },
        Panel {
            title: "Highest saturation",
            about: "Of the pools chosen above; 1 and more is too much.",
            kind: Stat,
            unit: "short",
            queries: &[("max(llm_pool_saturation_ratio{$pool})", "")],
        },
        Panel {
            title: "Oldest snapshot",
            about: "Time since the last successful round, when the page was scraped.",
            kind: Stat,
            unit: "s",
            queries: &[(
                "max(timestamp(llm_collector_snapshot_timestamp_seconds{$pool}) - llm_collector_snapshot_timestamp_seconds{$pool})",
                "",
            )],
        },
    ],
};

/// The panels of the dashboard that upstream's collector had, under the titles that they had.
const UPSTREAM: Row = Row {
    title: "Load",
    panels: &[
        Panel {
            title: "KV Cache Utilization by Worker",
            about: "The 20 fullest workers.",
            kind: Lines,
            unit: "percentunit",
            queries: &[("topk(20, one(llm_worker_kv_usage_ratio{$pool}))", WORKER)],
        },
        Panel {
            title: "Request Slot Utilization by Worker",
            about: "Running requests divided by those that can run, of the 20 busiest workers.",
            kind: Lines,
            unit: "percentunit",
            queries: &[(
                "topk(20, one(llm_worker_request_slots_active{$pool}) / one(llm_worker_request_slots_capacity{$pool}))",
                WORKER,
            )],
        },
        Panel {
            title: "KV Cache Hit Rate by Worker",
            about: "As workers report it, since they started.",
            kind: Lines,
            unit: "percentunit",
            queries: &[("topk(20, one(llm_worker_prefix_cache_hit_ratio{$pool}))", WORKER)],
        },
        Panel {
            title: "Average KV Cache Utilization",
            about: "Blocks in use divided by all blocks of the pool.",
            kind: Lines,
            unit: "percentunit",
            queries: &[("one(llm_pool_utilization_ratio{$pool,resource=\"kv\"})", POOL)],
        },
        Panel {
            title: "Average Request Slot Utilization",
            about: "Running requests divided by those that can run in the pool.",
            kind: Lines,
            unit: "percentunit",
            queries: &[("one(llm_pool_utilization_ratio{$pool,resource=\"slots\"})", POOL)],
        },
        Panel {
            title: "Load Average & Standard Deviation",
            about: "KV-cache blocks in use of a worker: mean and population standard deviation over the fresh workers of a pool.",
            kind: Lines,
            unit: "short",
            queries: &[
                (
                    "avg without (worker_id) (one(llm_worker_kv_blocks_active{$pool}))",
                    "mean {{dynamo_component}}",
                ),
                (
                    "stddev without (worker_id) (one(llm_worker_kv_blocks_active{$pool}))",
                    "deviation {{dynamo_component}}",
                ),
            ],
        },
        Panel {
            title: "Available Resources",
            about: "What is free in each pool.",
            kind: Lines,
            unit: "short",
            queries: &[
                (
                    "one(llm_pool_request_slots_capacity{$pool}) - one(llm_pool_request_slots_active{$pool})",
                    "slots {{dynamo_component}}",
                ),
                (
                    "one(llm_pool_kv_blocks_capacity{$pool}) - one(llm_pool_kv_blocks_active{$pool})",
                    "KV blocks {{dynamo_component}}",
                ),
            ],
        },
    ],
};

const SATURATION: Row = Row {
    title: "Saturation",
    panels: &[
        Panel {
            title: "Saturation by pool",
            about: "Mean over fresh workers; 1 and more is too much.",
            kind: Lines,
            unit: "short",
            queries: &[("one(llm_pool_saturation_ratio{$pool})", POOL)],
        },
        Panel {
            title: "Saturated workers",
            about: "Workers whose saturation is 1 or more.",
            kind: Lines,
            unit: "short",
            queries: &[("one(llm_pool_saturated_workers{$pool})", POOL)],
        },
        Panel {
            title: "Waiting requests by pool",
            about: "Over fresh workers, with the fullest worker's.",
            kind: Lines,
            unit: "short",
            queries: &[
                ("one(llm_pool_requests_waiting{$pool})", POOL),
                (
                    "one(llm_pool_worker_quantile{$pool,resource=\"waiting\",quantile=\"1\"})",
                    "fullest worker {{dynamo_component}}",
                ),
            ],
        },
    ],
};

const BALANCE: Row = Row {
    title: "Balance",
    panels: &[
        Panel {
            title: "KV cache over workers",
            about: "How the KV-cache use of workers is spread.",
            kind: Heatmap,
            unit: "percentunit",
            queries: &[("one(llm_worker_kv_usage_ratio{$pool})", WORKER)],
        },
        Panel {
            title: "Imbalance",
            about: "The largest value divided by the mean; 1 is even.",
            kind: Lines,
            unit: "short",
            queries: &[(
                "one(llm_pool_imbalance_ratio{$pool})",
                "{{resource}} {{dynamo_component}}",
            )],
        },
        Panel {
            title: "KV cache, quantiles over workers",
            about: "From the emptiest worker (0) to the fullest (1).",
            kind: Lines,
            unit: "percentunit",
            queries: &[(
                "one(llm_pool_worker_quantile{$pool,resource=\"kv\"})",
                "{{quantile}} {{dynamo_component}}",
            )],
        },
        Panel {
            title: "Most saturated workers",
            about: "The 10 workers whose saturation is highest now.",
            kind: Table,
            unit: "short",
            queries: &[("topk(10, one(llm_worker_saturation_ratio{$pool}))", "")],
        },
        Panel {
            title: "Longest queues",
            about: "The 10 workers in which most requests wait now.",
            kind: Table,
            unit: "short",
            queries: &[("topk(10, one(llm_worker_requests_waiting{$pool}))", "")],
        },
    ],
};

const CACHE: Row = Row {
    title: "Prefix cache",
    panels: &[
        Panel {
            title: "Prefix cache hits",
            about: "Blocks found divided by blocks looked up, as events report them.",
            kind: Lines,
            unit: "percentunit",
            queries: &[(
                "one(sum without (worker_id) (rate(llm_kv_hit_blocks_total{$pool}[$__rate_interval])) / sum without (worker_id) (rate(llm_kv_lookup_blocks_total{$pool}[$__rate_interval])))",
                POOL,
            )],
        },
        Panel {
            title: "Blocks looked up",
            about: "Blocks a second, as events report them.",
            kind: Lines,
            unit: "short",
            queries: &[(
                "one(sum without (worker_id) (rate(llm_kv_lookup_blocks_total{$pool}[$__rate_interval])))",
                POOL,
            )],
        },
        Panel {
            title: "Hit ratio of requests, median",
            about: "Half of the requests find a larger share of their blocks.",
            kind: Lines,
            unit: "percentunit",
            queries: &[(
                "histogram_quantile(0.5, one(rate(llm_kv_hit_ratio_bucket{$pool}[$__rate_interval])))",
                POOL,
            )],
        },
    ],
};
