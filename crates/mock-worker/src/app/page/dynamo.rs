//! The names of the page of a worker of Dynamo, from the simulated requests. Real ones also pass on the names of their engine, which
//! are on a page of their own here.

use super::family::{Family, Group, MODEL, Pool, Samples};
use super::text::Unit;
use crate::stage::Engine;

/// The simulation counts tokens; requests from outside have one for every four characters.
const BYTES_PER_TOKEN: u64 = 4;

pub(super) const GROUPS: &[Group] = &[
    Group {
        families: HANDLER,
        labels,
    },
    Group {
        families: CACHE,
        labels: |engine, pool| format!("dp_rank=\"0\",{}", labels(engine, pool)),
    },
];

/// Ids are hexadecimal there.
fn labels(engine: &Engine, pool: &Pool) -> String {
    let Pool {
        namespace,
        component,
        endpoint,
    } = pool;
    let id = engine.id.get();
    format!(
        "dynamo_component=\"{component}\",dynamo_endpoint=\"{endpoint}\",dynamo_namespace=\"{namespace}\",model=\"{MODEL}\",\
         model_name=\"{MODEL}\",worker_id=\"{id:x}\""
    )
}

const HANDLER: &[Family] = &[
    Family {
        name: "dynamo_component_requests",
        help: "Total number of requests processed by work handler",
        samples: Samples::Counter(|engine| engine.view.counters.arrivals),
    },
    Family {
        name: "dynamo_component_inflight_requests",
        help: "Number of requests currently being processed by work handler",
        samples: Samples::Gauge(|engine| {
            Some((engine.view.counters.running + engine.view.counters.waiting) as f64)
        }),
    },
    Family {
        name: "dynamo_component_request_duration_seconds",
        help: "Time spent processing requests by work handler",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.end_to_end),
    },
    Family {
        name: "dynamo_component_request_bytes",
        help: "Total number of bytes received in requests by work handler",
        samples: Samples::Counter(|engine| engine.latencies.prompt_tokens_total * BYTES_PER_TOKEN),
    },
    Family {
        name: "dynamo_component_response_bytes",
        help: "Total number of bytes sent in responses by work handler",
        samples: Samples::Counter(|engine| engine.view.counters.output_tokens * BYTES_PER_TOKEN),
    },
    Family {
        name: "dynamo_component_errors",
        help: "Total number of errors in work handler processing",
        samples: Samples::Counters(
            "error_type",
            &[("generate", |engine| {
                engine.view.counters.rejected + engine.view.counters.unservable
            })],
        ),
    },
];

const CACHE: &[Family] = &[
    Family {
        name: "dynamo_component_total_blocks",
        help: "Total number of KV cache blocks available on the worker",
        samples: Samples::Gauge(|engine| engine.view.load.map(|load| load.kv_total_blocks as f64)),
    },
    Family {
        name: "dynamo_component_gpu_cache_usage_percent",
        help: "GPU cache usage as a percentage (0.0-1.0)",
        samples: Samples::Gauge(|engine| engine.view.load.map(|load| load.gpu_cache_usage_perc)),
    },
];
