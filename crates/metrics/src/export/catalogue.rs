//! Every metric on the page, once: name, type, unit, labels and the text that people read.
//!
//! `docs/metrics.md` is generated from this table. Counters are listed without `_total`, as OpenMetrics names their
//! families.

use std::marker::PhantomData;

use super::family::{Entry, Family, Kind, shapes};
use super::labels::{Pool, Process, UpstreamPool, UpstreamWorker, Worker, len};

/// The heading of the families that have upstream's names.
pub(super) const UPSTREAM: &str = "Upstream's names";

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
            "Rounds that were skipped because the round before had not ended in time.";
        LOG_LINES_DROPPED: Process = "llm_collector_log_lines_dropped", Counter,
            "Log lines that were dropped because the reader of the log was too slow or a write failed.";
        SERIES_LEFT_OUT: Process = "llm_collector_series_left_out", Gauge in "series",
            "Series of workers that are not on this page because it would exceed its limit on series.";
        BUILD_INFO: Process["version", "revision"] = "llm_collector_build_info", Gauge,
            "Version of the collector; always 1.";
        UP: Pool = "llm_collector_up", Gauge,
            "1 if the last round was recent and got a valid reply or a definite answer that no service is subscribed.";
        ROUND_DURATION: Pool = "llm_collector_round_duration_seconds", Histogram in "seconds",
            "Time from a round's request to its snapshot.";
        ROUNDS: Pool["finish"] = "llm_collector_rounds", Counter,
            "Rounds by the reason why they ended.";
        REPLIES: Pool["result"] = "llm_collector_replies", Counter,
            "Replies by what became of them; each has exactly one result.";
        MISSING: Pool = "llm_collector_workers_missing", Gauge in "workers",
            "Workers that were expected in the last round and did not answer it.";
        SNAPSHOT_AT: Pool = "llm_collector_snapshot_timestamp_seconds", Gauge in "seconds",
            "When the last successful round ended, in Unix time.";
        EVENTS: Pool["result"] = "llm_collector_events", Counter,
            "Events by what became of them; each has exactly one result.";
        IGNORED: Pool["reason"] = "llm_collector_workers_ignored", Counter,
            "Sightings of workers that were left out, by reason.";
    }
    "Pools" => {
        POOL_WORKERS: Pool["state"] = "llm_pool_workers", Gauge in "workers",
            "Workers of the pool by state.";
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
        REQUESTS: Worker = "nats_service_requests", Counter in "requests",
            "Requests to the endpoint, over all restarts.";
        ERRORS: Worker = "nats_service_errors", Counter in "requests",
            "Requests to the endpoint that failed, over all restarts.";
        PROCESSING: Worker = "nats_service_processing_seconds", Counter in "seconds",
            "Time that the endpoint spent on requests, over all restarts.";
        STARTED: Worker = "nats_service_start_time_seconds", Gauge in "seconds",
            "When the service instance started, in Unix time.";
        RESTARTS: Worker = "llm_worker_restarts", Counter,
            "Restarts of the worker: a new instance, a new start time, or counters that went back.";
        LAST_SEEN: Worker = "llm_worker_last_seen_timestamp_seconds", Gauge in "seconds",
            "When the worker last sent valid statistics, in Unix time.";
        LOOKUPS: Worker = "llm_kv_lookup_blocks", Counter in "blocks",
            "KV-cache blocks that were looked up in the prefix cache, as events report it.";
        HITS: Worker = "llm_kv_hit_blocks", Counter in "blocks",
            "KV-cache blocks that the prefix cache had, as events report it.";
        LAST_EVENT: Worker["topic"] = "llm_worker_last_event_timestamp_seconds", Gauge in "seconds",
            "When an event on this topic last reported the worker's load, in Unix time.";
        INFO: Worker["worker_hex", "service_id", "version", "layout", "schema"] = "llm_worker_info", Gauge,
            "Identity of the worker; always 1.";
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
            for taken in [
                "namespace",
                "endpoint",
                "service",
                "instance",
                "pod",
                "job",
                "container",
            ] {
                assert!(!entry.labels.contains(&taken), "{} has {taken}", entry.name);
            }
        }
    }
}
