//! Request traces as frontends write them.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::WorkerId;

/// The end of a request, as JSON. Times are in milliseconds, as on the wire; what is `None` is left out, as Dynamo 1.4
/// leaves out most of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestEnd {
    /// When the request ended, in milliseconds since the Unix epoch.
    pub event_time_unix_ms: u64,
    /// The request.
    pub request: TracedRequest,
}

/// What one request took.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TracedRequest {
    /// Identifies the request.
    pub request_id: String,
    /// Tokens of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens that were generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Tokens of the prompt that a prefix cache had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// When the request came, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_received_ms: Option<u64>,
    /// From the request's arrival to the start of its prefill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_wait_time_ms: Option<f64>,
    /// From the start of the prefill to the first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_time_ms: Option<f64>,
    /// From the request's arrival to its first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    /// From the request's arrival to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_time_ms: Option<f64>,
    /// The mean time between two tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_itl_ms: Option<f64>,
    /// Share of the prompt's blocks that the worker's cache had, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_hit_rate: Option<f64>,
    /// An estimate of the transfer of KV blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_transfer_estimated_latency_ms: Option<f64>,
    /// Requests in the router's queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_depth: Option<u64>,
    /// The workers that had the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<TraceWorkers>,
    /// What is needed to replay the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

/// The workers that had a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TraceWorkers {
    /// The worker of the prefill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_worker_id: Option<WorkerId>,
    /// Its rank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_dp_rank: Option<u64>,
    /// The worker that generated the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_worker_id: Option<WorkerId>,
    /// Its rank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_dp_rank: Option<u64>,
}

/// What is needed to replay a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// Tokens of a block.
    pub trace_block_size: u64,
    /// Tokens of the prompt.
    pub input_length: u64,
    /// One hash for each block of the prompt.
    pub input_sequence_hashes: Vec<u64>,
}

impl Serialize for RequestEnd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("schema", "dynamo.request.trace.v1")?;
        map.serialize_entry("event_type", "request_end")?;
        map.serialize_entry("event_time_unix_ms", &self.event_time_unix_ms)?;
        map.serialize_entry("request", &self.request)?;
        map.end()
    }
}
