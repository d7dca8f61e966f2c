//! Every metric on the page, once: name, type, labels and the text that people read.
//!
//! Counters stand here without `_total`, as OpenMetrics names their families.

/// What kind of values a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up.
    Counter,
    /// Counts observations in buckets.
    Histogram,
    /// Only goes up, under a name without `_total`, which OpenMetrics allows to no counter. Classic text calls it a
    /// counter, as upstream does; its name is the same in both, so that a dashboard finds it.
    Unknown,
}

/// One metric family.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name; for a counter, without `_total`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels, without the `le` of histograms.
    pub labels: &'static [&'static str],
    /// What it means, with its unit.
    pub help: &'static str,
}

/// Labels of one worker.
const W: &[&str] = &["namespace", "component", "endpoint", "worker_id"];
/// Labels of one pool.
const P: &[&str] = &["namespace", "component", "endpoint"];
/// Labels of one worker, upstream.
const UPSTREAM_W: &[&str] = &["component", "endpoint", "worker_id"];
/// Labels of one pool, upstream.
const UPSTREAM_P: &[&str] = &["component", "endpoint"];

macro_rules! families {
    ($($name:ident = $metric:literal, $kind:ident, $labels:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $name: Family =
                Family { name: $metric, kind: Kind::$kind, labels: $labels, help: $help };
        )*

        /// Every family, in the order of the page.
        pub const ALL: &[&Family] = &[$(&$name),*];
    };
}

families! {
    SLOTS_ACTIVE = "llm_worker_request_slots_active", Gauge, W,
        "Requests that the worker is running.";
    SLOTS_CAPACITY = "llm_worker_request_slots_capacity", Gauge, W,
        "Requests that the worker can run at once.";
    WAITING = "llm_worker_requests_waiting", Gauge, W,
        "Requests that are queued in the worker.";
    KV_ACTIVE = "llm_worker_kv_blocks_active", Gauge, W,
        "KV-cache blocks that the worker holds.";
    KV_CAPACITY = "llm_worker_kv_blocks_capacity", Gauge, W,
        "KV-cache blocks that the worker has in total.";
    KV_USAGE = "llm_worker_kv_usage_ratio", Gauge, W,
        "KV-cache use as the worker reports it, 0 to 1.";
    PREFIX_HITS = "llm_worker_prefix_cache_hit_ratio", Gauge, W,
        "Share of looked-up prefix blocks that were cached, as the worker reports it, 0 to 1.";
    SATURATION = "llm_worker_saturation_ratio", Gauge, W,
        "Larger of waiting requests by queue target and KV-cache use by KV target; above 1 is oversubscribed.";
    LAST_SEEN = "llm_worker_last_seen_timestamp_seconds", Gauge, W,
        "When the worker last gave valid statistics, in Unix time.";
    INFO = "llm_worker_info", Gauge, &["namespace", "component", "endpoint", "worker_id", "worker_hex", "service_id", "version", "layout", "schema"],
        "Identity of the worker; always 1.";
    RESTARTS = "llm_worker_restarts", Counter, W,
        "Restarts of the worker: new instance, new start time, or counters that went back.";
    REQUESTS = "nats_service_requests", Counter, W,
        "Requests to the endpoint, over all restarts.";
    ERRORS = "nats_service_errors", Counter, W,
        "Requests to the endpoint that failed, over all restarts.";
    PROCESSING = "nats_service_processing_seconds", Counter, W,
        "Time that the endpoint spent on requests, over all restarts.";
    STARTED = "nats_service_start_time_seconds", Gauge, W,
        "When the service instance started, in Unix time.";
    LOOKUPS = "llm_kv_lookup_blocks", Counter, W,
        "KV blocks that were looked up in the prefix cache, by events.";
    HITS = "llm_kv_hit_blocks", Counter, W,
        "KV blocks that the prefix cache had, by events.";
    HIT_RATIO = "llm_kv_hit_ratio", Histogram, P,
        "Share of blocks found, of each hit-rate event.";
    POOL_WORKERS = "llm_pool_workers", Gauge, &["namespace", "component", "endpoint", "state"],
        "Workers of the pool by state.";
    POOL_SLOTS_ACTIVE = "llm_pool_request_slots_active", Gauge, P,
        "Running requests, summed over fresh workers.";
    POOL_SLOTS_CAPACITY = "llm_pool_request_slots_capacity", Gauge, P,
        "Requests that can run at once, summed over fresh workers.";
    POOL_WAITING = "llm_pool_requests_waiting", Gauge, P,
        "Queued requests, summed over fresh workers.";
    POOL_KV_ACTIVE = "llm_pool_kv_blocks_active", Gauge, P,
        "Held KV-cache blocks, summed over fresh workers.";
    POOL_KV_CAPACITY = "llm_pool_kv_blocks_capacity", Gauge, P,
        "KV-cache blocks in total, summed over fresh workers.";
    POOL_UTILIZATION = "llm_pool_utilization_ratio", Gauge, &["namespace", "component", "endpoint", "resource"],
        "Sum of what is in use by sum of what there is, over fresh workers.";
    POOL_QUANTILE = "llm_pool_worker_quantile", Gauge, &["namespace", "component", "endpoint", "resource", "quantile"],
        "Spread of a resource over fresh workers: use ratio for slots and kv, requests for waiting.";
    POOL_STDDEV = "llm_pool_worker_stddev", Gauge, &["namespace", "component", "endpoint", "resource"],
        "Population standard deviation of a resource over fresh workers.";
    POOL_IMBALANCE = "llm_pool_imbalance_ratio", Gauge, &["namespace", "component", "endpoint", "resource"],
        "Largest by mean of a resource over fresh workers; 1 is even.";
    POOL_SATURATION = "llm_pool_saturation_ratio", Gauge, P,
        "Mean saturation of fresh workers, not clamped.";
    POOL_SATURATED = "llm_pool_saturated_workers", Gauge, P,
        "Fresh workers whose saturation is 1 or more.";
    UP = "llm_collector_up", Gauge, P,
        "1 if the last round got a valid reply or a definite answer that there is nobody.";
    ROUND_DURATION = "llm_collector_round_duration_seconds", Histogram, P,
        "Time from a round's request to its snapshot.";
    ROUNDS = "llm_collector_rounds", Counter, &["namespace", "component", "endpoint", "finish"],
        "Rounds by the reason why they ended.";
    REPLIES = "llm_collector_replies", Counter, &["namespace", "component", "endpoint", "result"],
        "Replies by what became of them; each has exactly one result.";
    MISSING = "llm_collector_workers_missing", Gauge, P,
        "Workers that were expected in the last round and did not answer.";
    SNAPSHOT_AT = "llm_collector_snapshot_timestamp_seconds", Gauge, P,
        "When the last round ended that did not fail, in Unix time.";
    EVENTS = "llm_collector_events", Counter, &["namespace", "component", "endpoint", "result"],
        "Events by what became of them; each has exactly one result.";
    IGNORED = "llm_collector_workers_ignored", Counter, &["namespace", "component", "endpoint", "reason"],
        "Sightings of workers that were left out, by reason.";
    VIOLATIONS = "llm_collector_permission_violations", Counter, &[],
        "Publishes and subscriptions that the NATS server refused.";
    CONNECTED = "llm_collector_nats_connected", Gauge, &[],
        "1 while the connection to NATS stands.";
    RECONNECTS = "llm_collector_nats_reconnects", Counter, &[],
        "Times that the connection to NATS was restored.";
    BUILD_INFO = "llm_collector_build_info", Gauge, &["version", "revision"],
        "Version of the collector; always 1.";
    UP_KV_ACTIVE = "llm_kv_blocks_active", Gauge, UPSTREAM_W,
        "compatibility alias of llm_worker_kv_blocks_active.";
    UP_KV_TOTAL = "llm_kv_blocks_total", Gauge, UPSTREAM_W,
        "compatibility alias of llm_worker_kv_blocks_capacity.";
    UP_SLOTS_ACTIVE = "llm_requests_active_slots", Gauge, UPSTREAM_W,
        "compatibility alias of llm_worker_request_slots_active.";
    UP_SLOTS_TOTAL = "llm_requests_total_slots", Gauge, UPSTREAM_W,
        "compatibility alias of llm_worker_request_slots_capacity.";
    UP_HIT_RATE = "llm_kv_hit_rate_percent", Gauge, UPSTREAM_W,
        "compatibility alias of llm_worker_prefix_cache_hit_ratio, 0 to 1 despite its name.";
    UP_LOAD_AVG = "llm_load_avg", Gauge, UPSTREAM_P,
        "compatibility alias of the mean of llm_worker_kv_blocks_active over fresh workers.";
    UP_LOAD_STD = "llm_load_std", Gauge, UPSTREAM_P,
        "compatibility alias of the population standard deviation of llm_worker_kv_blocks_active over fresh workers.";
    UP_LOOKUPS = "llm_kv_hit_rate_isl_blocks", Unknown, UPSTREAM_W,
        "compatibility alias of llm_kv_lookup_blocks_total.";
    UP_HITS = "llm_kv_hit_rate_overlap_blocks", Unknown, UPSTREAM_W,
        "compatibility alias of llm_kv_hit_blocks_total.";
}

/// Whether a family bears a name that upstream gave it.
pub fn is_upstream(name: &str) -> bool {
    ALL.iter()
        .any(|family| family.name == name && family.help.starts_with("compatibility alias of "))
}

/// Whether a family's samples are quantiles.
pub fn has_quantiles(name: &str) -> bool {
    ALL.iter()
        .any(|family| family.name == name && family.labels.contains(&"quantile"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_text_is_a_sentence() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), ALL.len());
        for family in ALL {
            assert!(family.help.ends_with('.'), "{}", family.name);
            assert!(
                !family.name.ends_with("_total") || is_upstream(family.name),
                "{}",
                family.name
            );
        }
    }
}
