//! The messages of the protocol, field by field.

use protocol::events::{ForwardPass, MAX_KV_EVENTS, RequestTrace};

use crate::payload::{Field, Kind, Payload};

/// A field that must be there.
const fn must(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field {
        name,
        kind,
        is_required: true,
        about,
    }
}

/// A field that may be missing.
const fn may(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field {
        name,
        kind,
        is_required: false,
        about,
    }
}

/// Variances have no limit but that they are finite.
const FINITE: Kind = Kind::Number(f64::MAX);

/// 30 days in milliseconds.
const TIME: Kind = Kind::Number(30.0 * 86_400.0 * 1000.0);

const COUNT: Kind = Kind::CountTo(RequestTrace::MAX_COUNT);

const WORKER_ID: Field = must("worker_id", Kind::Count, "the worker's id");
const DP_RANK: Field = may(
    "dp_rank",
    Kind::Count,
    "the rank within a data-parallel group; 0 where it is missing",
);

pub(crate) const PAYLOADS: [Payload; 6] = [
    Payload {
        name: "kv-hit-rate",
        title: "The event kv-hit-rate",
        list_of: None,
        fields: &[
            WORKER_ID,
            DP_RANK,
            must(
                "isl_blocks",
                Kind::Count,
                "KV blocks of the prompt, all of which were looked up",
            ),
            must(
                "overlap_blocks",
                Kind::Count,
                "those of them that the cache had; at most `isl_blocks`, or the event is refused",
            ),
        ],
    },
    Payload {
        name: "kv_metrics",
        title: "The event kv_metrics",
        list_of: None,
        fields: &[
            WORKER_ID,
            DP_RANK,
            may("data", Kind::Load, "the whole load; up to Dynamo 0.7"),
            may(
                "active_decode_blocks",
                Kind::Count,
                "KV blocks of the requests that are decoding; Dynamo 0.8 and later",
            ),
            may(
                "active_prefill_tokens",
                Kind::Count,
                "prompt tokens that a router sent to the worker and takes for not yet computed: its estimate, not the worker's \
                 load; Dynamo 0.8 to 1.4",
            ),
            may(
                "kv_used_blocks",
                Kind::Count,
                "KV blocks in use in the engine; Dynamo 1.1 and later",
            ),
        ],
    },
    Payload {
        name: "forward-pass-metrics",
        title: "The event forward-pass-metrics",
        list_of: None,
        fields: &[
            may("version", Kind::Count, "1; ignored"),
            must("worker_id", Kind::TextId, "the worker's id"),
            DP_RANK,
            must(
                "counter_id",
                Kind::Count,
                "counts the messages of this worker and rank, heartbeats too, from 0 (vLLM) or 1: a gap is a loss",
            ),
            must(
                "wall_time",
                Kind::Number(ForwardPass::MAX_WALL_TIME),
                "how long the pass took, in seconds, at most one day; 0 in a heartbeat",
            ),
            must(
                "scheduled_requests",
                Kind::Map(&[
                    may(
                        "num_prefill_requests",
                        Kind::Count,
                        "requests of whose prompts something was computed",
                    ),
                    may(
                        "sum_prefill_tokens",
                        Kind::Count,
                        "prompt tokens computed in this pass, without cached ones",
                    ),
                    may(
                        "var_prefill_length",
                        FINITE,
                        "population variance of the prompts' lengths, in tokens²",
                    ),
                    may(
                        "sum_prefill_kv_tokens",
                        Kind::Count,
                        "KV tokens that these prompts read: cache hits and earlier chunks",
                    ),
                    may("num_decode_requests", Kind::Count, "requests that decode"),
                    may(
                        "sum_decode_kv_tokens",
                        Kind::Count,
                        "the length of their contexts, in tokens",
                    ),
                    may(
                        "var_decode_kv_tokens",
                        FINITE,
                        "population variance of the contexts' lengths, in tokens²",
                    ),
                ]),
                "what the pass computed; a count or variance that is missing is 0",
            ),
            must(
                "queued_requests",
                Kind::Map(&[
                    may(
                        "num_prefill_requests",
                        Kind::Count,
                        "requests that wait for their first pass",
                    ),
                    may("sum_prefill_tokens", Kind::Count, "prompt tokens that wait"),
                    may(
                        "var_prefill_length",
                        FINITE,
                        "population variance of the prompts' lengths, in tokens²",
                    ),
                    may(
                        "num_decode_requests",
                        Kind::Count,
                        "requests that were preempted, or wait for KV blocks of a remote prefill",
                    ),
                    may(
                        "sum_decode_kv_tokens",
                        Kind::Count,
                        "the length of their contexts, in tokens",
                    ),
                    may(
                        "var_decode_kv_tokens",
                        FINITE,
                        "population variance of the contexts' lengths, in tokens²",
                    ),
                ]),
                "what waits; the same",
            ),
        ],
    },
    Payload {
        name: "kv-events",
        title: "A message of kv-events",
        list_of: Some(MAX_KV_EVENTS as u64),
        fields: &[
            WORKER_ID,
            may(
                "storage_tier",
                Kind::Words(&["device", "host_pinned", "disk", "external"]),
                "where the blocks are; Dynamo 1.1 and later",
            ),
            may(
                "residency_domain",
                Kind::Words(&["worker", "cache_owner"]),
                "ignored; Dynamo 1.5 and later",
            ),
            must(
                "event",
                Kind::Map(&[
                    must(
                        "event_id",
                        Kind::Count,
                        "counts the events of this worker and rank, from 0 (1.0) or 1: a gap is a loss",
                    ),
                    must(
                        "data",
                        Kind::Choice(&[
                            (
                                "stored",
                                Some(&[
                                    may("parent_hash", Kind::Count, "the block before them; ignored"),
                                    may("start_position", Kind::Count, "ignored; Dynamo 1.2 and later"),
                                    must("blocks", Kind::List, "the blocks; their number is read"),
                                ]),
                            ),
                            (
                                "removed",
                                Some(&[must(
                                    "block_hashes",
                                    Kind::List,
                                    "one hash for each block; their number is read",
                                )]),
                            ),
                            ("cleared", None),
                        ]),
                        "what changed",
                    ),
                    DP_RANK,
                ]),
                "the change",
            ),
        ],
    },
    Payload {
        name: "active_sequences_events",
        title: "The event active_sequences_events",
        list_of: None,
        fields: &[
            must("request_id", Kind::Text(255), "the request"),
            must(
                "worker",
                Kind::Map(&[WORKER_ID, DP_RANK]),
                "the worker that has it",
            ),
            must(
                "data",
                Kind::Choice(&[
                    (
                        "AddRequest",
                        Some(&[
                            may(
                                "token_sequence",
                                Kind::List,
                                "one hash for each block of the prompt; its length is read",
                            ),
                            may("isl", Kind::Count, "tokens of the prompt; Dynamo 1.0 and 1.1"),
                            may(
                                "overlap",
                                Kind::Count,
                                "blocks of the prompt that the worker's cache has; Dynamo 1.0 and 1.1",
                            ),
                            may(
                                "expected_output_tokens",
                                Kind::Count,
                                "tokens that are expected to be generated",
                            ),
                            may(
                                "track_prefill_tokens",
                                Kind::Bool,
                                "ignored; Dynamo 1.1 and later",
                            ),
                            may(
                                "prefill_load_hint",
                                Kind::Map(&[may(
                                    "initial_effective_prefill_tokens",
                                    Kind::Count,
                                    "prompt tokens that the worker has to compute",
                                )]),
                                "the load that the prompt is; Dynamo 1.1 and later",
                            ),
                        ]),
                    ),
                    ("MarkPrefillCompleted", None),
                    ("Free", None),
                ]),
                "the request is assigned, has its first token, or is done",
            ),
            must(
                "router_id",
                Kind::Count,
                "the router that reports it; the worker's own id where the worker does",
            ),
            may("lora_name", Kind::Text(255), "the request's LoRA adapter"),
        ],
    },
    Payload {
        name: "request-trace",
        title: "A request trace",
        list_of: None,
        fields: &[
            may("schema", Kind::Words(&["dynamo.request.trace.v1"]), "ignored"),
            must(
                "event_type",
                Kind::Words(&["request_end"]),
                "records of another type are dropped",
            ),
            may("event_time_unix_ms", Kind::Count, "when it was written; ignored"),
            must(
                "request",
                Kind::Map(&[
                    may("request_id", Kind::Text(255), "ignored"),
                    may(
                        "output_tokens",
                        COUNT,
                        "tokens generated; Dynamo 1.4 and later, all others 1.5 and later",
                    ),
                    may("input_tokens", COUNT, "tokens of the prompt"),
                    may(
                        "cached_tokens",
                        COUNT,
                        "the part of it that a prefix cache had, at most all",
                    ),
                    may(
                        "prefill_wait_time_ms",
                        TIME,
                        "milliseconds from arrival to the start of the prefill",
                    ),
                    may("prefill_time_ms", TIME, "from there to the first token"),
                    may("ttft_ms", TIME, "from arrival to the first token"),
                    may("total_time_ms", TIME, "from arrival to the end"),
                    may("avg_itl_ms", TIME, "mean time between two tokens of this request"),
                    may(
                        "kv_transfer_estimated_latency_ms",
                        TIME,
                        "an estimate of the transfer of KV blocks, with disaggregation",
                    ),
                    may(
                        "kv_hit_rate",
                        Kind::Number(1.0),
                        "share of the prompt's blocks that the worker's cache had",
                    ),
                    may("queue_depth", COUNT, "requests in the router's queue"),
                    may(
                        "worker",
                        Kind::Map(&[
                            may("prefill_worker_id", Kind::Count, "the worker of the prefill"),
                            may("prefill_dp_rank", Kind::Count, "its rank; ignored"),
                            may("decode_worker_id", Kind::Count, "the worker of the decode"),
                            may("decode_dp_rank", Kind::Count, "its rank; ignored"),
                        ]),
                        "the workers of the request",
                    ),
                ]),
                "the request",
            ),
        ],
    },
];
