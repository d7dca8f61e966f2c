//! The names of SGLang's page, from the simulated requests: those of its scheduler, and those of its tokenizer, which have
//! fewer labels. What an engine without speculative decoding, grammars, LoRA and split prefill always has at 0 is left out.

use super::family::{Family, Group, MODEL, Samples};
use super::text::Unit;

pub(super) const GROUPS: &[Group] = &[
    Group {
        families: SCHEDULER,
        labels: |engine, _| {
            let id = engine.id.get();
            format!(
                "engine_type=\"unified\",model_name=\"{MODEL}\",moe_ep_rank=\"0\",pp_rank=\"0\",tp_rank=\"0\",worker_id=\"{id}\""
            )
        },
    },
    Group {
        families: TOKENIZER,
        labels: |engine, _| format!("model_name=\"{MODEL}\",worker_id=\"{}\"", engine.id.get()),
    },
];

const SCHEDULER: &[Family] = &[
    Family {
        name: "sglang:num_running_reqs",
        help: "The number of running requests.",
        samples: Samples::Gauge(|engine| engine.view.load.map(|load| load.request_active_slots as f64)),
    },
    Family {
        name: "sglang:num_queue_reqs",
        help: "The number of requests in the waiting queue.",
        samples: Samples::Gauge(|engine| engine.view.load.map(|load| load.num_requests_waiting as f64)),
    },
    Family {
        name: "sglang:num_grammar_queue_reqs",
        help: "The number of requests in the grammar waiting queue.",
        samples: Samples::Gauge(|engine| engine.view.load.map(|_| 0.0)),
    },
    Family {
        name: "sglang:num_used_tokens",
        help: "The number of used tokens.",
        samples: Samples::Gauge(|engine| {
            engine
                .view
                .load
                .map(|load| (load.kv_active_blocks * engine.block_size) as f64)
        }),
    },
    Family {
        name: "sglang:max_total_num_tokens",
        help: "Maximum total number of tokens in the KV cache pool.",
        samples: Samples::Gauge(|engine| {
            engine
                .view
                .load
                .map(|load| (load.kv_total_blocks * engine.block_size) as f64)
        }),
    },
    Family {
        name: "sglang:token_usage",
        help: "The token usage.",
        samples: Samples::Gauge(|engine| engine.view.load.map(|load| load.gpu_cache_usage_perc)),
    },
    Family {
        name: "sglang:cache_hit_rate",
        help: "The prefix cache hit rate.",
        samples: Samples::Gauge(|engine| Some(engine.view.load?.gpu_prefix_cache_hit_rate.unwrap_or(0.0))),
    },
    Family {
        name: "sglang:gen_throughput",
        help: "The generation throughput (token/s).",
        samples: Samples::Gauge(|engine| engine.view.load.map(|_| engine.tokens_per_second)),
    },
    Family {
        name: "sglang:num_retracted_requests",
        help: "Total number of retracted requests.",
        samples: Samples::Counter(|engine| engine.view.counters.preemptions),
    },
    Family {
        name: "sglang:queue_time_seconds",
        help: "Histogram of queueing time in seconds.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.queue),
    },
];

const TOKENIZER: &[Family] = &[
    Family {
        name: "sglang:prompt_tokens",
        help: "Number of prefill tokens processed.",
        samples: Samples::Counter(|engine| engine.latencies.prompt_tokens_total),
    },
    Family {
        name: "sglang:generation_tokens",
        help: "Number of generation tokens processed.",
        samples: Samples::Counter(|engine| engine.view.counters.output_tokens),
    },
    Family {
        name: "sglang:cached_tokens",
        help: "Number of cached prompt tokens.",
        samples: Samples::Counter(|engine| engine.latencies.cached_tokens_total),
    },
    Family {
        name: "sglang:num_requests",
        help: "Number of requests processed.",
        samples: Samples::Counter(|engine| engine.view.counters.finished),
    },
    Family {
        name: "sglang:num_so_requests",
        help: "Number of structured output requests processed.",
        samples: Samples::Counter(|_| 0),
    },
    Family {
        name: "sglang:num_aborted_requests",
        help: "Number of requests aborted.",
        samples: Samples::Counter(|engine| engine.view.counters.cancelled),
    },
    Family {
        name: "sglang:time_to_first_token_seconds",
        help: "Histogram of time to first token in seconds.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.first_token),
    },
    Family {
        name: "sglang:inter_token_latency_seconds",
        help: "Histogram of inter-token latency in seconds.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.inter_token),
    },
    Family {
        name: "sglang:e2e_request_latency_seconds",
        help: "Histogram of End-to-end request latency in seconds",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.end_to_end),
    },
];
