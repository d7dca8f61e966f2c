//! Every metric on the page, once: name, type, unit, labels and the text that people read.
//!
//! `docs/metrics.md` is generated from this table. Counters are listed without `_total`, as OpenMetrics names their
//! families.

use std::marker::PhantomData;

use super::family::{Entry, Family, Kind, shapes};
use super::labels::{
    AnyMember, AnyPool, Pool, Process, ServiceInstance, ServicePool, UpstreamPool, UpstreamWorker, Worker,
    len,
};

/// The heading of the families that have upstream's names.
pub(super) const UPSTREAM: &str = "Upstream's names";

/// The heading of the families of plain services.
pub(super) const SERVICES: &str = "Services";

/// The families of one heading: `NAME: group [further labels] = "metric", kind in "unit", "help"`.
macro_rules! families {
    ($($section:expr => {
        $($name:ident: $group:ident $([$($more:literal),+])? = $metric:literal, $kind:ident $(in $unit:literal)?, $help:literal;)*
    })*) => {
        $($(
            #[doc = $help]
            pub(super) const $name: Family<$group, { len(&[$($($more),+)?]) }, shapes::$kind> = Family {
                name: $metric,
                kind: Kind::$kind,
                unit: first(&[$($unit)?]),
                more: [$($($more),+)?],
                help: $help,
                types: PhantomData,
            };
        )*)*

        /// Every family, in the order of the page.
        pub fn catalogue() -> Vec<Entry> {
            vec![$($($name.entry($section)),*),*]
        }
    };
}

const fn first(units: &[&'static str]) -> Option<&'static str> {
    match units {
        [] => None,
        [unit, ..] => Some(unit),
    }
}

families! {
    "The collector" => {
        CONNECTED: Process = "llm_collector_nats_connected", Gauge,
            "1 while the collector is connected to NATS.";
        RECONNECTS: Process = "llm_collector_nats_reconnects", Counter,
            "Times that the connection to NATS was restored.";
        VIOLATIONS: Process = "llm_collector_permission_violations", Counter,
            "Publishes and subscriptions that the NATS server refused.";
        SERVER_ERRORS: Process = "llm_collector_server_errors", Counter,
            "Other errors that the NATS server reported, e.g. too many subscriptions.";
        DROPPED_MESSAGES: Process = "llm_collector_dropped_messages", Counter in "messages",
            "Messages from NATS that were lost because the collector did not take them in time; at least this many.";
        ROUNDS_SKIPPED: Process = "llm_collector_rounds_skipped", Counter,
            "Rounds that were skipped because the previous round had not ended in time.";
        ETCD_CONNECTED: Process = "llm_collector_etcd_connected", Gauge,
            "1 while etcd is being read, with --etcd only; capacities stay as they are while it is not.";
        ETCD_WORKERS: Process = "llm_collector_etcd_workers", Gauge,
            "Workers whose capacity is registered in etcd.";
        ETCD_REFUSED: Process["reason"] = "llm_collector_etcd_refused", Counter,
            "Registrations in etcd that were not taken in: malformed, or over_limit.";
        LOG_LINES_DROPPED: Process = "llm_collector_log_lines_dropped", Counter,
            "Log lines that were dropped because the reader of the log was too slow or a write failed.";
        SERIES_LEFT_OUT: Process = "llm_collector_series_left_out", Gauge in "series",
            "Series of workers and of service instances that are not on this page because it would exceed its limit on series.";
        CONFIG_SUCCESSFUL: Process = "llm_collector_config_last_reload_successful", Gauge,
            "1 if the last attempt to read the configuration file succeeded, with --config only; 0 while a file was refused and the previous configuration is in force.";
        CONFIG_SUCCESS_AT: Process = "llm_collector_config_last_reload_success_timestamp_seconds", Gauge in "seconds",
            "When the configuration in force was read from its file, in Unix time.";
        CONFIG_RELOADS: Process["result"] = "llm_collector_config_reloads", Counter,
            "Reloads of the configuration file by result: success, or failure where it was refused.";
        PUSH_SUCCESS_AT: Process["sink"] = "llm_collector_push_last_success_timestamp_seconds", Gauge in "seconds",
            "When a snapshot last arrived at the receiver of a sink, in Unix time.";
        PUSHES: Process["sink", "result"] = "llm_collector_pushes", Counter,
            "Pushes of a sink by result: success counts snapshots that arrived, failure requests that are tried again, refused requests that are not.";
        PUSH_REJECTED: Process["sink"] = "llm_collector_push_rejected_points", Counter in "points",
            "Points that the receiver of a sink rejected of requests that it took, as OTLP receivers report it.";
        PUSH_QUEUE: Process["sink"] = "llm_collector_push_queue_snapshots", Gauge in "snapshots",
            "Snapshots that wait for the receiver of a sink.";
        PUSH_DROPPED: Process["sink"] = "llm_collector_push_dropped_snapshots", Counter in "snapshots",
            "Snapshots that a sink gave up, because its queue was full or its receiver was away for too long.";
        EVENT_GAPS: Process["topic"] = "llm_collector_event_gaps", Counter in "messages",
            "Events that did not come, by the numbers that publishers give them.";
        EVENT_DELAY: Process["topic"] = "llm_collector_event_delay_seconds", Histogram in "seconds",
            "Time from an event's publication, by the publisher's clock, to its arrival.";
        EVENT_SKEW: Process["topic"] = "llm_collector_event_clock_skews", Counter in "messages",
            "Events that were published later than they came, or more than a day before, by the publisher's clock: it differs from the collector's.";
        EVENTS_UNASSIGNED: Process["reason"] = "llm_collector_events_unassigned", Counter in "messages",
            "Events that belong to no pool, by reason.";
        ENDPOINTS_IGNORED: Process = "llm_collector_endpoints_ignored", Counter in "endpoints",
            "Endpoints of plain services that were left out because there are more than 10,000.";
        MAPPING_ERRORS: Process["mapping", "reason"] = "llm_collector_mapping_errors", Counter,
            "Values that a mapping did not find, or that cannot be shown, by the name of its metric and the reason.";
        HTTP_CLOSED: Process["reason"] = "llm_collector_http_connections_closed", Counter,
            "Connections to the page that the collector closed: slow_request, the request was not complete in time; idle, no further request came; slow_reader, the response was not read in time; outdated, it was still being read when newer pages needed the memory; over_limit, there were too many connections; tls, the handshake failed.";
        HTTP_ACCEPT_ERRORS: Process = "llm_collector_http_accept_errors", Counter,
            "Connections to the page that could not be accepted, most often because file descriptors ran out.";
        HTTP_UNAUTHORIZED: Process = "llm_collector_http_unauthorized", Counter,
            "Requests to the page that were refused because they had no valid user and password.";
        BUILD_INFO: Process["version", "revision"] = "llm_collector_build_info", Gauge,
            "Version of the collector and the commit of its source, or unknown where it was built outside of a repository; always 1.";
        UP: AnyPool = "llm_collector_up", Gauge,
            "1 if the last round was recent and got a valid reply or a definite answer that no service is subscribed.";
        ROUND_DURATION: AnyPool = "llm_collector_round_duration_seconds", Histogram in "seconds",
            "Time from a round's request to its snapshot.";
        ROUNDS: AnyPool["finish"] = "llm_collector_rounds", Counter,
            "Rounds by the reason why they ended.";
        REPLIES: AnyPool["result"] = "llm_collector_replies", Counter,
            "Replies by what became of them; each has exactly one result.";
        MISSING: AnyPool = "llm_collector_workers_missing", Gauge in "workers",
            "Workers, or instances of a service, that were expected in the last round and did not answer it.";
        SNAPSHOT_AT: AnyPool = "llm_collector_snapshot_timestamp_seconds", Gauge in "seconds",
            "When the last successful round ended, in Unix time.";
        EVENTS: Pool["result"] = "llm_collector_events", Counter,
            "Events by what became of them; each has exactly one result.";
        IGNORED: AnyPool["reason"] = "llm_collector_workers_ignored", Counter,
            "Sightings of workers, or of instances of a service, that were left out, by reason.";
    }
    "The process" => {
        PROCESS_CPU: Process = "process_cpu_seconds", Counter in "seconds",
            "Processor time that the collector has used, in the system and outside of it.";
        PROCESS_RESIDENT: Process = "process_resident_memory_bytes", Gauge in "bytes",
            "Memory that the collector uses.";
        PROCESS_VIRTUAL: Process = "process_virtual_memory_bytes", Gauge in "bytes",
            "Address space that the collector has.";
        PROCESS_OPEN_FDS: Process = "process_open_fds", Gauge,
            "File descriptors that are open.";
        PROCESS_MAX_FDS: Process = "process_max_fds", Gauge,
            "File descriptors that may be open at the same time; absent without a limit.";
        PROCESS_THREADS: Process = "process_threads", Gauge,
            "Threads of the collector.";
        PROCESS_STARTED: Process = "process_start_time_seconds", Gauge in "seconds",
            "When the collector started, in Unix time.";
    }
    "Pools" => {
        POOL_WORKERS: Pool["state"] = "llm_pool_workers", Gauge in "workers",
            "Workers of the pool by state.";
        POOL_CHANGES: Pool["change"] = "llm_pool_worker_changes", Counter,
            "Changes of workers: joined, a worker that was not there; left, it was silent for too long or belongs elsewhere; stale, it was fresh and is silent or too late; recovered, it is fresh again; restarted, its instance started again; replaced, another instance has its id; refused, it reports what cannot be used, after it did not. Joined minus left is the number of workers.";
        DUPLICATES: Pool["worker_id", "service_id", "duplicate_service_id"] = "llm_pool_worker_duplicate_info", Gauge,
            "Workers whose id two service instances report, of which the younger is shown as the worker and the other is not; always 1, and the first 64 of a pool.";
        POOL_SLOTS_ACTIVE: Pool = "llm_pool_request_slots_active", Gauge in "requests",
            "Running requests, summed over fresh workers.";
        POOL_SLOTS_CAPACITY: Pool = "llm_pool_request_slots_capacity", Gauge in "requests",
            "Requests that can run at once, summed over fresh workers.";
        POOL_WAITING: Pool = "llm_pool_requests_waiting", Gauge in "requests",
            "Queued requests, summed over fresh workers.";
        POOL_KV_ACTIVE: Pool = "llm_pool_kv_blocks_active", Gauge in "blocks",
            "KV-cache blocks in use, summed over fresh workers.";
        POOL_KV_CAPACITY: Pool = "llm_pool_kv_blocks_capacity", Gauge in "blocks",
            "KV-cache blocks in total, summed over fresh workers.";
        POOL_UTILIZATION: Pool["resource"] = "llm_pool_utilization_ratio", Gauge in "ratio",
            "Sum of what is in use divided by the sum of what there is, over fresh workers.";
        POOL_QUANTILE: Pool["resource", "quantile"] = "llm_pool_worker_quantile", Gauge,
            "Distribution of a resource over fresh workers: a ratio for slots, kv and saturation, requests for waiting.";
        POOL_STDDEV: Pool["resource"] = "llm_pool_worker_stddev", Gauge,
            "Population standard deviation of a resource over fresh workers.";
        POOL_IMBALANCE: Pool["resource"] = "llm_pool_imbalance_ratio", Gauge in "ratio",
            "Largest value of a resource divided by its mean, over fresh workers; 1 is even.";
        POOL_SATURATION: Pool = "llm_pool_saturation_ratio", Gauge in "ratio",
            "Mean saturation of fresh workers, not clamped.";
        POOL_SATURATED: Pool = "llm_pool_saturated_workers", Gauge in "workers",
            "Fresh workers whose saturation is 1 or more.";
        HIT_RATIO: Pool = "llm_kv_hit_ratio", Histogram in "ratio",
            "Share of blocks found, of each hit-rate event.";
        PASS_TIME: Pool = "llm_forward_pass_seconds", Histogram in "seconds",
            "Duration of each forward pass of the workers' engines.";
    }
    "Requests" => {
        TTFT: Pool["role"] = "llm_request_ttft_seconds", Histogram in "seconds",
            "Time from a request's arrival to its first token, as frontends report it, for the pools of its workers; the role says what the pool's worker did.";
        ITL: Pool = "llm_request_itl_seconds", Histogram in "seconds",
            "Mean time between two tokens of a request, for the pool of its decode worker.";
        REQUEST_TIME: Pool = "llm_request_duration_seconds", Histogram in "seconds",
            "Time from a request's arrival to its end, for the pool of its decode worker.";
        PREFILL_WAIT: Pool = "llm_request_prefill_wait_seconds", Histogram in "seconds",
            "Time from a request's arrival to the start of its prefill, for the pool of its prefill worker.";
        PREFILL_TIME: Pool = "llm_request_prefill_seconds", Histogram in "seconds",
            "Time from the start of a request's prefill to its first token, for the pool of its prefill worker.";
        KV_TRANSFER: Pool = "llm_request_kv_transfer_seconds", Histogram in "seconds",
            "Estimate of the time that KV-cache blocks of a request take from its prefill worker to its decode worker, for the pool of the latter.";
        INPUT_TOKENS: Pool = "llm_request_input_tokens", Histogram in "tokens",
            "Tokens of a request's prompt, for the pool of its prefill worker.";
        OUTPUT_TOKENS: Pool = "llm_request_output_tokens", Histogram in "tokens",
            "Tokens that were generated for a request, for the pool of its decode worker.";
        CACHED_TOKENS: Pool = "llm_request_cached_tokens", Counter in "tokens",
            "Tokens of prompts that the prefix cache had, for the pool of the prefill worker.";
        QUEUE_DEPTH: Pool = "llm_router_queue_depth", Gauge in "requests",
            "Requests in the router's queue, as the last record of a request has it.";
        FRONTEND_REQUESTS: Process["joined"] = "llm_frontend_requests", Counter in "requests",
            "Requests that frontends reported, by whether they are counted for a pool: their worker is a known one.";
        FRONTEND_RECORDS: Process["result"] = "llm_frontend_records", Counter,
            "Records that frontends sent, by what became of them; those that are not about the end of a request are ignored.";
        FRONTEND_TTFT: Process = "llm_frontend_request_ttft_seconds", Histogram in "seconds",
            "Time from a request's arrival to its first token, over all frontends.";
        FRONTEND_ITL: Process = "llm_frontend_request_itl_seconds", Histogram in "seconds",
            "Mean time between two tokens of a request, over all frontends.";
        FRONTEND_REQUEST_TIME: Process = "llm_frontend_request_duration_seconds", Histogram in "seconds",
            "Time from a request's arrival to its end, over all frontends.";
        FRONTEND_PREFILL_WAIT: Process = "llm_frontend_request_prefill_wait_seconds", Histogram in "seconds",
            "Time from a request's arrival to the start of its prefill, over all frontends.";
        FRONTEND_PREFILL_TIME: Process = "llm_frontend_request_prefill_seconds", Histogram in "seconds",
            "Time from the start of a request's prefill to its first token, over all frontends.";
        FRONTEND_KV_TRANSFER: Process = "llm_frontend_request_kv_transfer_seconds", Histogram in "seconds",
            "Estimate of the time that KV-cache blocks of a request take from worker to worker, over all frontends.";
        FRONTEND_INPUT_TOKENS: Process = "llm_frontend_request_input_tokens", Histogram in "tokens",
            "Tokens of a request's prompt, over all frontends.";
        FRONTEND_OUTPUT_TOKENS: Process = "llm_frontend_request_output_tokens", Histogram in "tokens",
            "Tokens that were generated for a request, over all frontends.";
        FRONTEND_CACHED_TOKENS: Process = "llm_frontend_request_cached_tokens", Counter in "tokens",
            "Tokens of prompts that prefix caches had, over all frontends.";
        FRONTEND_QUEUE_DEPTH: Process = "llm_frontend_router_queue_depth", Gauge in "requests",
            "Requests in a router's queue, as the last record of any frontend has it.";
    }
    "Workers" => {
        SLOTS_ACTIVE: Worker = "llm_worker_request_slots_active", Gauge in "requests",
            "Requests that the worker is running.";
        SLOTS_CAPACITY: Worker = "llm_worker_request_slots_capacity", Gauge in "requests",
            "Requests that the worker can run at once.";
        WAITING: Worker = "llm_worker_requests_waiting", Gauge in "requests",
            "Requests that are queued in the worker.";
        KV_ACTIVE: Worker = "llm_worker_kv_blocks_active", Gauge in "blocks",
            "KV-cache blocks that are in use.";
        KV_CAPACITY: Worker = "llm_worker_kv_blocks_capacity", Gauge in "blocks",
            "KV-cache blocks that the worker has in total.";
        KV_USAGE: Worker = "llm_worker_kv_usage_ratio", Gauge in "ratio",
            "KV-cache use as the worker reports it, 0 to 1.";
        PREFIX_HITS: Worker = "llm_worker_prefix_cache_hit_ratio", Gauge in "ratio",
            "Share of looked-up prefix blocks that were cached, as the worker reports it, 0 to 1.";
        SATURATION: Worker = "llm_worker_saturation_ratio", Gauge in "ratio",
            "The larger of waiting requests divided by the queue target and KV-cache use divided by the KV target; above 1 is oversubscribed.";
        REQUESTS: AnyMember = "nats_service_requests", Counter in "requests",
            "Requests to the endpoint, over all restarts.";
        ERRORS: AnyMember = "nats_service_errors", Counter in "requests",
            "Requests to the endpoint that failed, over all restarts.";
        PROCESSING: AnyMember = "nats_service_processing_seconds", Counter in "seconds",
            "Time that the endpoint spent on requests, over all restarts; absent for workers of version 1.0 or later without `data`, because Dynamo 1.x reports the time to acknowledge a request.";
        STARTED: AnyMember = "nats_service_start_time_seconds", Gauge in "seconds",
            "When the service instance started, in Unix time.";
        RESTARTS: Worker = "llm_worker_restarts", Counter,
            "Restarts of the worker: a new instance, a new start time, or counters that went back.";
        LAST_SEEN: Worker = "llm_worker_last_seen_timestamp_seconds", Gauge in "seconds",
            "When the worker last sent valid statistics, in Unix time.";
        LOOKUPS: Worker = "llm_kv_lookup_blocks", Counter in "blocks",
            "KV-cache blocks that were looked up in the prefix cache, as events report it.";
        HITS: Worker = "llm_kv_hit_blocks", Counter in "blocks",
            "KV-cache blocks that the prefix cache had, as events report it.";
        CONTEXT_TOKENS: Worker = "llm_worker_decode_context_tokens", Gauge in "tokens",
            "Length of the context of all requests in decode, as the engine's last pass reports it.";
        CONTEXT_STDDEV: Worker = "llm_worker_decode_context_stddev_tokens", Gauge in "tokens",
            "Population standard deviation of the context length of requests in decode.";
        PASSES: Worker = "llm_worker_forward_passes", Counter,
            "Forward passes of the engine, without heartbeats, summed over its ranks.";
        PASS_SECONDS: Worker = "llm_worker_forward_pass_seconds", Counter in "seconds",
            "Time that forward passes took, summed over ranks; its rate divided by the number of ranks is the share of time in which the engine is busy.";
        PREFILL_TOKENS: Worker = "llm_worker_prefill_tokens", Counter in "tokens",
            "Prompt tokens that forward passes computed, without cached ones.";
        DECODE_STEPS: Worker = "llm_worker_decode_steps", Counter,
            "Requests in decode, summed over forward passes: output tokens without the first of each request, where nothing is decoded speculatively.";
        PREFILL_LOAD: Worker = "llm_worker_prefill_load_tokens", Gauge in "tokens",
            "Prompt tokens that routers have assigned to the worker and that it has not computed, as routers up to Dynamo 1.4 estimate it.";
        RUNNING: Worker["phase"] = "llm_worker_requests_running", Gauge in "requests",
            "Requests in the engine's last pass, by phase.";
        QUEUED: Worker["phase"] = "llm_worker_requests_queued", Gauge in "requests",
            "Requests that waited during the engine's last pass: for their first pass, or to go on with decode.";
        QUEUED_TOKENS: Worker["phase"] = "llm_worker_queued_tokens", Gauge in "tokens",
            "Tokens of the requests that waited.";
        MESSAGES_LOST: Worker["topic"] = "llm_worker_messages_lost", Counter in "messages",
            "Messages of the worker that did not come, by the numbers that it gives them.";
        LAST_EVENT: Worker["topic"] = "llm_worker_last_event_timestamp_seconds", Gauge in "seconds",
            "When an event on this topic last came about the worker, in Unix time.";
        INFO: Worker["worker_hex", "service_id", "version", "layout", "schema", "source", "capacity_source"] = "llm_worker_info", Gauge,
            "Identity of the worker, with a label `meta_…` for each key of `--metadata-labels`; always 1.";
        KV_STORED: Worker["tier"] = "llm_worker_kv_blocks_stored", Counter in "blocks",
            "Blocks that the worker's KV cache stored, by where they are kept, as its kv-events report it; `unknown` up to Dynamo 1.0. With `--kv-events`.";
        KV_REMOVED: Worker["tier"] = "llm_worker_kv_blocks_removed", Counter in "blocks",
            "Blocks that were removed from the worker's KV cache, by where they were kept, without those of a cleared cache. With `--kv-events`.";
        KV_CLEARS: Worker = "llm_worker_kv_cache_clears", Counter,
            "Times that the worker's whole KV cache was cleared. With `--kv-events`.";
        ASSIGNED: Worker = "llm_worker_requests_assigned", Gauge in "requests",
            "Requests that routers have assigned to the worker and that are not done, if routers report it; one of which nothing more is heard counts for 10 minutes. With `--active-sequences`.";
        LORA_ASSIGNED: Worker["lora"] = "llm_worker_lora_requests_assigned", Gauge in "requests",
            "Assigned requests of each LoRA adapter; of more than 64 adapters of a worker the others are `other`. With `--active-sequences`.";
        FIRST_TOKENS: Worker = "llm_worker_first_tokens", Counter in "requests",
            "Requests that got their first token, each counted once, although its router and its worker may both report it. With `--active-sequences`.";
    }
    SERVICES => {
        SERVICE_INSTANCES: ServicePool["state"] = "nats_service_instances", Gauge in "instances",
            "Instances of the service that serve the endpoint, by state. A service that is watched by its exact name and has never answered has an empty `nats_endpoint`.";
        SERVICE_REQUESTS: ServicePool = "nats_service_endpoint_requests", Counter in "requests",
            "Requests to the endpoint, over all instances that there were.";
        SERVICE_ERRORS: ServicePool = "nats_service_endpoint_errors", Counter in "requests",
            "Requests to the endpoint that failed, over all instances that there were.";
        SERVICE_PROCESSING: ServicePool = "nats_service_endpoint_processing_seconds", Counter in "seconds",
            "Time spent on requests to the endpoint, over all instances that there were.";
        SERVICE_RESTARTS: ServiceInstance = "nats_service_restarts", Counter,
            "Restarts under one instance id: a new start time, or counters that went back. Most services take a new id when they start.";
        SERVICE_INFO: ServiceInstance["version", "description", "queue_group"] = "nats_service_info", Gauge,
            "What the instance reports about itself, with a label `meta_…` for each key of `--metadata-labels`; always 1.";
    }
    UPSTREAM => {
        UP_KV_ACTIVE: UpstreamWorker = "llm_kv_blocks_active", Gauge in "blocks",
            "compatibility alias of llm_worker_kv_blocks_active.";
        UP_KV_TOTAL: UpstreamWorker = "llm_kv_blocks_total", Gauge in "blocks",
            "compatibility alias of llm_worker_kv_blocks_capacity.";
        UP_SLOTS_ACTIVE: UpstreamWorker = "llm_requests_active_slots", Gauge in "requests",
            "compatibility alias of llm_worker_request_slots_active.";
        UP_SLOTS_TOTAL: UpstreamWorker = "llm_requests_total_slots", Gauge in "requests",
            "compatibility alias of llm_worker_request_slots_capacity.";
        UP_HIT_RATE: UpstreamWorker = "llm_kv_hit_rate_percent", Gauge in "ratio",
            "compatibility alias of llm_worker_prefix_cache_hit_ratio, 0 to 1 despite its name.";
        UP_LOOKUPS: UpstreamWorker = "llm_kv_hit_rate_isl_blocks", Unknown in "blocks",
            "compatibility alias of llm_kv_lookup_blocks_total.";
        UP_HITS: UpstreamWorker = "llm_kv_hit_rate_overlap_blocks", Unknown in "blocks",
            "compatibility alias of llm_kv_hit_blocks_total.";
        UP_LOAD_AVG: UpstreamPool = "llm_load_avg", Gauge in "blocks",
            "compatibility alias of the mean of llm_worker_kv_blocks_active over fresh workers.";
        UP_LOAD_STD: UpstreamPool = "llm_load_std", Gauge in "blocks",
            "compatibility alias of the population standard deviation of llm_worker_kv_blocks_active over fresh workers.";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_text_is_a_sentence() {
        let all = catalogue();
        let names: BTreeSet<_> = all
            .iter()
            .flat_map(|entry| [entry.name.to_owned(), entry.shown_name()])
            .collect();
        let counters = all.iter().filter(|entry| entry.kind == Kind::Counter).count();
        assert_eq!(names.len(), all.len() + counters);
        for entry in all {
            let name = entry.name;
            assert!(entry.help.ends_with('.'), "{name}");
            assert!(!name.ends_with("_total") || entry.section == UPSTREAM, "{name}");
            assert!(
                entry.section != UPSTREAM || entry.help.starts_with("compatibility alias of "),
                "{name}"
            );
        }
    }

    #[test]
    fn no_family_of_ours_has_a_label_that_prometheus_or_its_operator_adds() {
        for entry in catalogue().into_iter().filter(|entry| entry.section != UPSTREAM) {
            let added = [
                "namespace",
                "endpoint",
                "service",
                "instance",
                "pod",
                "job",
                "container",
                "node",
                "cluster",
                "prometheus",
            ];
            for label in entry.labels.concat() {
                let is_ours = !added.contains(&label)
                    && ["exported_", "meta_", "__"]
                        .iter()
                        .all(|prefix| !label.starts_with(prefix));
                assert!(is_ours, "{} has {label}", entry.name);
            }
        }
    }
}
