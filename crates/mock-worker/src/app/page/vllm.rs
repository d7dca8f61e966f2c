//! The metrics of vLLM's page, from the simulated requests.

use std::fmt::Write as _;

use sim::{Histogram, Latencies};

use super::text::{Format, Unit, Writer};
use crate::stage::Engine;

/// The name of the model that the workers pretend to serve.
const MODEL: &str = "simulated";

type Value = fn(&Engine) -> Option<f64>;
type Of = fn(&Latencies) -> &Histogram;

/// Those whose load is known: workers that are down have none.
const GAUGES: [(&str, &str, Value); 3] = [
    (
        "vllm:num_requests_running",
        "Number of requests in model execution batches.",
        |engine| engine.view.load.map(|load| load.request_active_slots as f64),
    ),
    (
        "vllm:num_requests_waiting",
        "Number of requests waiting to be processed.",
        |engine| engine.view.load.map(|load| load.num_requests_waiting as f64),
    ),
    (
        "vllm:kv_cache_usage_perc",
        "KV-cache usage. 1 means 100 percent usage.",
        |engine| engine.view.load.map(|load| load.gpu_cache_usage_perc),
    ),
];

const COUNTERS: [(&str, &str, Value); 5] = [
    (
        "vllm:prefix_cache_queries",
        "Prefix cache queries, in terms of number of queried tokens.",
        |engine| Some((engine.view.counters.lookup_blocks * engine.block_size) as f64),
    ),
    (
        "vllm:prefix_cache_hits",
        "Prefix cache hits, in terms of number of cached tokens.",
        |engine| Some((engine.view.counters.hit_blocks * engine.block_size) as f64),
    ),
    (
        "vllm:num_preemptions",
        "Cumulative number of preemption from the engine.",
        |engine| Some(engine.view.counters.preemptions as f64),
    ),
    (
        "vllm:prompt_tokens",
        "Number of prefill tokens processed.",
        |engine| Some(engine.latencies.prompt_tokens_total as f64),
    ),
    (
        "vllm:generation_tokens",
        "Number of generation tokens processed.",
        |engine| Some(engine.view.counters.output_tokens as f64),
    ),
];

/// Why requests end. Answers of the simulation have the length that was drawn, and end as if the model had ended them.
const REASONS: [(&str, Value); 4] = [
    ("stop", |engine| Some(engine.view.counters.finished as f64)),
    ("length", |_| Some(0.0)),
    ("abort", |engine| Some(engine.view.counters.cancelled as f64)),
    ("error", |_| Some(0.0)),
];

const HISTOGRAMS: [(&str, &str, Unit, Of); 12] = [
    (
        "vllm:request_prompt_tokens",
        "Number of prefill tokens processed.",
        Unit::Tokens,
        |of| &of.prompt_tokens,
    ),
    (
        "vllm:request_generation_tokens",
        "Number of generation tokens processed.",
        Unit::Tokens,
        |of| &of.generation_tokens,
    ),
    (
        "vllm:iteration_tokens_total",
        "Histogram of number of tokens per engine_step.",
        Unit::Tokens,
        |of| &of.iteration_tokens,
    ),
    (
        "vllm:request_max_num_generation_tokens",
        "Histogram of maximum number of requested generation tokens.",
        Unit::Tokens,
        |of| &of.generation_tokens,
    ),
    (
        "vllm:time_to_first_token_seconds",
        "Histogram of time to first token in seconds.",
        Unit::Seconds,
        |of| &of.first_token,
    ),
    (
        "vllm:inter_token_latency_seconds",
        "Histogram of inter-token latency in seconds.",
        Unit::Seconds,
        |of| &of.inter_token,
    ),
    (
        "vllm:request_time_per_output_token_seconds",
        "Histogram of time_per_output_token_seconds per request.",
        Unit::Seconds,
        |of| &of.per_output_token,
    ),
    (
        "vllm:e2e_request_latency_seconds",
        "Histogram of e2e request latency in seconds.",
        Unit::Seconds,
        |of| &of.end_to_end,
    ),
    (
        "vllm:request_queue_time_seconds",
        "Histogram of time spent in WAITING phase for request.",
        Unit::Seconds,
        |of| &of.queue,
    ),
    (
        "vllm:request_inference_time_seconds",
        "Histogram of time spent in RUNNING phase for request.",
        Unit::Seconds,
        |of| &of.inference,
    ),
    (
        "vllm:request_prefill_time_seconds",
        "Histogram of time spent in PREFILL phase for request.",
        Unit::Seconds,
        |of| &of.prefill,
    ),
    (
        "vllm:request_decode_time_seconds",
        "Histogram of time spent in DECODE phase for request.",
        Unit::Seconds,
        |of| &of.decode,
    ),
];

/// Writes the page of these workers.
pub(in crate::app) fn render(engines: &[Engine], format: Format) -> String {
    let mut page = Writer::new(format);
    let labels = |engine: &Engine| {
        let (place, id) = (engine.place, engine.id.get());
        format!("engine=\"{place}\",model_name=\"{MODEL}\",worker_id=\"{id}\"")
    };
    let labelled: Vec<(&Engine, String)> = engines.iter().map(|engine| (engine, labels(engine))).collect();
    for (name, help, value) in GAUGES {
        page.gauge(name, help);
        for (engine, labels) in &labelled {
            if let Some(value) = value(engine) {
                page.sample(name, labels, value);
            }
        }
    }
    let name = "vllm:cache_config_info";
    page.gauge(name, "Information of the LLMEngine CacheConfig");
    for (engine, labels) in &labelled {
        if let Some(load) = engine.view.load {
            let mut labels = labels.clone();
            // Writing to a string cannot fail.
            let _ = write!(
                labels,
                ",block_size=\"{}\",num_gpu_blocks=\"{}\"",
                engine.block_size, load.kv_total_blocks
            );
            page.sample(name, &labels, 1.0);
        }
    }
    for (name, help, value) in COUNTERS {
        page.counter(name, help);
        for (engine, labels) in &labelled {
            page.sample(
                &format!("{name}_total"),
                labels,
                value(engine).unwrap_or_default(),
            );
        }
    }
    page.counter(
        "vllm:request_success",
        "Count of successfully processed requests.",
    );
    for (engine, labels) in &labelled {
        for (reason, value) in REASONS {
            let labels = format!("{labels},finished_reason=\"{reason}\"");
            page.sample(
                "vllm:request_success_total",
                &labels,
                value(engine).unwrap_or_default(),
            );
        }
    }
    for (name, help, unit, of) in HISTOGRAMS {
        page.histogram(name, help);
        for (engine, labels) in &labelled {
            page.buckets(name, labels, unit, of(&engine.latencies));
        }
    }
    page.finish()
}
