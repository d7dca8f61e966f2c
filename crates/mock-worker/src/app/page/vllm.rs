//! The names of vLLM's page, as of its version 0.32, from the simulated requests. What depends on features that are off unless asked for
//! (LoRA, speculative decoding, sampled lifetimes of blocks) is left out, and so is `request_params_n`.

use super::family::{Family, Group, MODEL, Samples};
use super::text::Unit;

pub(super) const GROUPS: &[Group] = &[Group {
    families: FAMILIES,
    labels: |engine, _| {
        let (place, id) = (engine.place, engine.id.get());
        format!("engine=\"{place}\",model_name=\"{MODEL}\",worker_id=\"{id}\"")
    },
}];

const FAMILIES: &[Family] = &[
    Family {
        name: "vllm:num_requests_running",
        help: "Number of requests in model execution batches.",
        samples: Samples::Gauge(|engine| engine.view.load.map(|load| load.request_active_slots as f64)),
    },
    Family {
        name: "vllm:num_requests_waiting",
        help: "Number of requests waiting to be processed.",
        samples: Samples::Gauge(|engine| engine.view.load.map(|load| load.num_requests_waiting as f64)),
    },
    Family {
        name: "vllm:num_requests_waiting_by_reason",
        help: "Number of waiting requests by reason: for capacity, or deferred by transient constraints.",
        samples: Samples::Gauges(
            "reason",
            &[
                ("capacity", |engine| {
                    engine.view.load.map(|load| load.num_requests_waiting as f64)
                }),
                ("deferred", |engine| engine.view.load.map(|_| 0.0)),
            ],
        ),
    },
    Family {
        name: "vllm:engine_sleep_state",
        help: "Engine sleep state; awake = 1 means engine is awake.",
        samples: Samples::Gauges(
            "sleep_state",
            &[
                ("awake", |engine| engine.view.load.map(|_| 1.0)),
                ("weights_offloaded", |engine| engine.view.load.map(|_| 0.0)),
                ("discard_all", |engine| engine.view.load.map(|_| 0.0)),
            ],
        ),
    },
    Family {
        name: "vllm:kv_cache_usage_perc",
        help: "KV-cache usage. 1 means 100 percent usage.",
        samples: Samples::Gauge(|engine| engine.view.load.map(|load| load.gpu_cache_usage_perc)),
    },
    Family {
        name: "vllm:cache_config_info",
        help: "Information of the LLMEngine CacheConfig",
        samples: Samples::Info(|engine| {
            let blocks = engine.view.load?.kv_total_blocks;
            let size = engine.block_size;
            Some(format!("block_size=\"{size}\",num_gpu_blocks=\"{blocks}\""))
        }),
    },
    Family {
        name: "vllm:prefix_cache_queries",
        help: "Prefix cache queries, in terms of number of queried tokens.",
        samples: Samples::Counter(|engine| engine.view.counters.lookup_blocks * engine.block_size),
    },
    Family {
        name: "vllm:prefix_cache_hits",
        help: "Prefix cache hits, in terms of number of cached tokens.",
        samples: Samples::Counter(|engine| engine.view.counters.hit_blocks * engine.block_size),
    },
    Family {
        name: "vllm:external_prefix_cache_queries",
        help: "Prefix cache queries to other instances, in terms of number of queried tokens.",
        samples: Samples::Counter(|_| 0),
    },
    Family {
        name: "vllm:external_prefix_cache_hits",
        help: "Prefix cache hits of other instances, in terms of number of cached tokens.",
        samples: Samples::Counter(|_| 0),
    },
    Family {
        name: "vllm:mm_cache_queries",
        help: "Multi-modal cache queries, in terms of number of queried items.",
        samples: Samples::Counter(|_| 0),
    },
    Family {
        name: "vllm:mm_cache_hits",
        help: "Multi-modal cache hits, in terms of number of cached items.",
        samples: Samples::Counter(|_| 0),
    },
    Family {
        name: "vllm:num_preemptions",
        help: "Cumulative number of preemption from the engine.",
        samples: Samples::Counter(|engine| engine.view.counters.preemptions),
    },
    Family {
        name: "vllm:prompt_tokens",
        help: "Number of prefill tokens processed.",
        samples: Samples::Counter(|engine| engine.latencies.prompt_tokens_total),
    },
    Family {
        name: "vllm:prompt_tokens_by_source",
        help: "Number of prompt tokens by source.",
        samples: Samples::Counters(
            "source",
            &[
                ("local_compute", |engine| {
                    engine.latencies.prompt_tokens_total - engine.latencies.cached_tokens_total
                }),
                ("local_cache_hit", |engine| engine.latencies.cached_tokens_total),
                ("external_kv_transfer", |_| 0),
            ],
        ),
    },
    Family {
        name: "vllm:prompt_tokens_cached",
        help: "Number of cached prompt tokens (local + external).",
        samples: Samples::Counter(|engine| engine.latencies.cached_tokens_total),
    },
    Family {
        name: "vllm:generation_tokens",
        help: "Number of generation tokens processed.",
        samples: Samples::Counter(|engine| engine.view.counters.output_tokens),
    },
    // Answers of the simulation have the length that was drawn, and end as if the model had ended them.
    Family {
        name: "vllm:request_success",
        help: "Count of successfully processed requests.",
        samples: Samples::Counters(
            "finished_reason",
            &[
                ("stop", |engine| engine.view.counters.finished),
                ("length", |_| 0),
                ("abort", |engine| engine.view.counters.cancelled),
                ("error", |_| 0),
            ],
        ),
    },
    Family {
        name: "vllm:request_prompt_tokens",
        help: "Number of prefill tokens processed.",
        samples: Samples::Histogram(Unit::Tokens, |of| &of.prompt_tokens),
    },
    Family {
        name: "vllm:request_generation_tokens",
        help: "Number of generation tokens processed.",
        samples: Samples::Histogram(Unit::Tokens, |of| &of.generation_tokens),
    },
    Family {
        name: "vllm:request_prefill_kv_computed_tokens",
        help: "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
        samples: Samples::Histogram(Unit::Tokens, |of| &of.computed_tokens),
    },
    Family {
        name: "vllm:iteration_tokens_total",
        help: "Histogram of number of tokens per engine_step.",
        samples: Samples::Histogram(Unit::Tokens, |of| &of.iteration_tokens),
    },
    Family {
        name: "vllm:request_max_num_generation_tokens",
        help: "Histogram of maximum number of requested generation tokens.",
        samples: Samples::Histogram(Unit::Tokens, |of| &of.generation_tokens),
    },
    Family {
        name: "vllm:request_params_max_tokens",
        help: "Histogram of the max_tokens request parameter.",
        samples: Samples::Histogram(Unit::Tokens, |of| &of.generation_tokens),
    },
    Family {
        name: "vllm:time_to_first_token_seconds",
        help: "Histogram of time to first token in seconds.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.first_token),
    },
    Family {
        name: "vllm:inter_token_latency_seconds",
        help: "Histogram of inter-token latency in seconds.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.inter_token),
    },
    Family {
        name: "vllm:request_time_per_output_token_seconds",
        help: "Histogram of time_per_output_token_seconds per request.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.per_output_token),
    },
    Family {
        name: "vllm:e2e_request_latency_seconds",
        help: "Histogram of e2e request latency in seconds.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.end_to_end),
    },
    Family {
        name: "vllm:request_queue_time_seconds",
        help: "Histogram of time spent in WAITING phase for request.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.queue),
    },
    Family {
        name: "vllm:request_inference_time_seconds",
        help: "Histogram of time spent in RUNNING phase for request.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.inference),
    },
    Family {
        name: "vllm:request_prefill_time_seconds",
        help: "Histogram of time spent in PREFILL phase for request.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.prefill),
    },
    Family {
        name: "vllm:request_decode_time_seconds",
        help: "Histogram of time spent in DECODE phase for request.",
        samples: Samples::Histogram(Unit::Seconds, |of| &of.decode),
    },
];
