//! A page made of what was heard, by another program than the collector.

use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::Message;
use protocol::events::{ForwardPass, RequestTrace};
use protocol::subject::REQUEST_TRACE;
use protocol::{KvMetrics, WorkerId};

use super::{passes, topic_of};

/// Fields that each worker and its pool have.
const FIELDS: [&str; 3] = ["request_slots_active", "requests_waiting", "kv_blocks_active"];

/// What a collector shows of forward passes, loads and traces that it has heard.
pub(super) fn page_of(messages: &[Message]) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs_f64();
    let pool = "dynamo_namespace=\"My-NS.x\",dynamo_component=\"Back_End\",dynamo_endpoint=\"gen-erate\"";
    let mut page = format!("llm_collector_snapshot_timestamp_seconds{{{pool}}} {now}\n");
    let mut add = |metric: &str, labels: &str, value: f64| {
        page.push_str(&format!("{metric}{{{pool}{labels}}} {value}\n"));
    };
    let passes = passes(messages);
    let real: Vec<&ForwardPass> = passes.iter().filter(|pass| !pass.is_heartbeat()).collect();
    let mut sums = [0.0; 3];
    for id in [7, 8] {
        let of_worker = || real.iter().filter(|pass| pass.worker_id == WorkerId::new(id));
        let worker = format!(",worker_id=\"{id}\"");
        let mut show =
            |metric: &str, labels: &str, value: f64| add(metric, &format!("{worker}{labels}"), value);
        let sum = |value: &dyn Fn(&ForwardPass) -> f64| of_worker().map(|pass| value(pass)).sum::<f64>();
        show("llm_worker_forward_passes_total", "", of_worker().count() as f64);
        show(
            "llm_worker_forward_pass_seconds_total",
            "",
            sum(&|pass| pass.wall_time),
        );
        show(
            "llm_worker_prefill_tokens_total",
            "",
            sum(&|pass| pass.scheduled.prefill_tokens as f64),
        );
        show(
            "llm_worker_decode_steps_total",
            "",
            sum(&|pass| pass.scheduled.decode_requests as f64),
        );
        show(
            "llm_worker_last_event_timestamp_seconds",
            ",topic=\"forward-pass-metrics\"",
            now,
        );
        let last = of_worker().next_back().expect("it works");
        for (metric, prefill, decode) in [
            (
                "llm_worker_requests_running",
                last.scheduled.prefill_requests,
                last.scheduled.decode_requests,
            ),
            (
                "llm_worker_requests_queued",
                last.queued.prefill_requests,
                last.queued.decode_requests,
            ),
            (
                "llm_worker_queued_tokens",
                last.queued.prefill_tokens,
                last.queued.decode_kv_tokens,
            ),
        ] {
            show(metric, ",phase=\"prefill\"", prefill as f64);
            show(metric, ",phase=\"decode\"", decode as f64);
        }
        show(
            "llm_worker_decode_context_tokens",
            "",
            last.scheduled.decode_kv_tokens as f64,
        );
        let deviation = last.scheduled.decode_kv_variance.sqrt();
        show("llm_worker_decode_context_stddev_tokens", "", deviation);
        let loads = messages
            .iter()
            .filter(|message| topic_of(message) == "kv_metrics");
        let loads = loads.map(|message| KvMetrics::decode(None, &message.payload).expect("a load"));
        let blocks = loads.filter(|load| load.worker_id == WorkerId::new(id)).last();
        let blocks = blocks
            .and_then(|load| load.stats.kv_blocks_active())
            .expect("it has one");
        let fields = [
            last.scheduled.prefill_requests + last.scheduled.decode_requests,
            last.queued.prefill_requests + last.queued.decode_requests,
            blocks,
        ];
        for ((name, value), sum) in FIELDS.iter().zip(fields).zip(&mut sums) {
            show(&format!("llm_worker_{name}"), "", value as f64);
            *sum += value as f64;
        }
    }
    for (name, sum) in FIELDS.iter().zip(sums) {
        add(&format!("llm_pool_{name}"), "", sum);
    }
    let mut histogram = |metric: &str, labels: &str, values: Vec<f64>| {
        add(&format!("{metric}_count"), labels, values.len() as f64);
        add(&format!("{metric}_sum"), labels, values.iter().sum());
    };
    histogram(
        "llm_forward_pass_seconds",
        "",
        real.iter().map(|pass| pass.wall_time).collect(),
    );
    let traces = messages
        .iter()
        .filter(|message| topic_of(message) == REQUEST_TRACE);
    let traces: Vec<RequestTrace> = traces
        .map(|message| {
            RequestTrace::read(&message.payload)
                .expect("JSON")
                .expect("the end of a request")
        })
        .collect();
    assert!(!traces.is_empty());
    let mut of_traces = |metric: &str, labels: &str, value: fn(&RequestTrace) -> Option<f64>| {
        histogram(metric, labels, traces.iter().filter_map(value).collect());
    };
    of_traces("llm_request_ttft_seconds", ",role=\"aggregated\"", |trace| {
        trace.ttft
    });
    of_traces("llm_request_itl_seconds", "", |trace| trace.avg_itl);
    of_traces("llm_request_duration_seconds", "", |trace| trace.total);
    of_traces("llm_request_prefill_wait_seconds", "", |trace| trace.prefill_wait);
    of_traces("llm_request_prefill_seconds", "", |trace| trace.prefill);
    of_traces("llm_request_input_tokens", "", |trace| {
        trace.input_tokens.map(|tokens| tokens as f64)
    });
    of_traces("llm_request_output_tokens", "", |trace| {
        trace.output_tokens.map(|tokens| tokens as f64)
    });
    let cached: u64 = traces.iter().filter_map(|trace| trace.cached_tokens).sum();
    add("llm_request_cached_tokens_total", "", cached as f64);
    page
}
