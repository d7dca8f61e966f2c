//! Events as Dynamo's processes write them, field by field.

use protocol::codec::Envelope;
use protocol::events::{ForwardPass, Topic};
use protocol::{Encoding, KvMetrics, WorkerId};
use serde::Serialize;
use serde_json::Value;

/// Which records a frontend's traces are.
const TRACE_SCHEMA: &str = "dynamo.request.trace.v1";

/// What is in a message, without its envelope.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// A look-up in a prefix cache.
    HitRate(HitRate),
    /// The whole load of a worker.
    Data(Data),
    /// The load of a worker, in counts.
    Load(Load),
    /// A forward pass, or a heartbeat.
    Pass(ForwardPass),
    /// The end of a request.
    Trace(Trace),
}

/// `kv-hit-rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HitRate {
    /// Whose cache it is.
    pub worker_id: WorkerId,
    /// The rank; Dynamo up to 0.6.0 leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dp_rank: Option<u64>,
    /// Blocks of the prompt.
    pub isl_blocks: u64,
    /// Of these, those that the cache had.
    pub overlap_blocks: u64,
}

/// `kv_metrics` of Dynamo 0.4.1 to 0.7.1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Data {
    /// Whose load it is.
    pub worker_id: WorkerId,
    /// The load, nested.
    pub data: Value,
}

/// `kv_metrics` of Dynamo 0.8 and later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Whose load it is.
    pub worker_id: WorkerId,
    /// The rank.
    pub dp_rank: u64,
    /// Blocks in use, by a worker up to 1.0 or by a router's estimate.
    pub active_decode_blocks: Option<u64>,
    /// Prompt tokens that a router takes for not yet computed.
    pub active_prefill_tokens: Option<u64>,
    /// Blocks in use, by the engine; the field is there from 1.1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_used_blocks: Option<Option<u64>>,
}

/// A record of a request that has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    /// Which records these are.
    pub schema: &'static str,
    /// Always `request_end`.
    pub event_type: &'static str,
    /// When it ended.
    pub event_time_unix_ms: u64,
    /// The request.
    pub request: TracedRequest,
}

/// The request of a [`Trace`]. Absent fields are those that are not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TracedRequest {
    /// Its id, a UUID.
    pub request_id: String,
    /// Tokens of its prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of its answer.
    pub output_tokens: u64,
    /// Tokens of its prompt that the prefix cache had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// When it came.
    pub request_received_ms: u64,
    /// From its arrival to the start of its prefill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_wait_time_ms: Option<f64>,
    /// From there to its first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_time_ms: Option<f64>,
    /// From its arrival to its first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    /// From its arrival to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_time_ms: Option<f64>,
    /// The mean time between two tokens; a single token has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_itl_ms: Option<f64>,
    /// The share of its prompt that the worker's cache had when it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_hit_rate: Option<f64>,
    /// Requests that waited before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_depth: Option<u64>,
    /// Who served it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<TracedWorker>,
    /// What a replay of it needs.
    pub replay: Replay,
}

/// Who served a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TracedWorker {
    /// Who computed its prompt.
    pub prefill_worker_id: WorkerId,
    /// With which rank.
    pub prefill_dp_rank: u64,
    /// Who made its tokens.
    pub decode_worker_id: WorkerId,
    /// With which rank.
    pub decode_dp_rank: u64,
}

/// What a replay of a request needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// Tokens in a block.
    pub trace_block_size: u64,
    /// Tokens of its prompt.
    pub input_length: u64,
    /// A hash for each block of its prompt.
    pub input_sequence_hashes: Vec<u64>,
}

impl Data {
    /// The whole load of a worker.
    pub fn new(event: &KvMetrics) -> Self {
        Self {
            worker_id: event.worker_id,
            data: event.stats.to_data(protocol::StatsShape::Nested),
        }
    }
}

impl Trace {
    /// The record of a request that ended at this time.
    pub fn new(event_time_unix_ms: u64, request: TracedRequest) -> Self {
        Self {
            schema: TRACE_SCHEMA,
            event_type: "request_end",
            event_time_unix_ms,
            request,
        }
    }
}

/// An event in an envelope.
///
/// # Panics
/// Never: events have numbers and text alone.
pub fn envelope(publisher_id: u64, sequence: u64, published_at: u64, topic: Topic, event: &Event) -> Vec<u8> {
    let encode = |value: &Event| Encoding::MessagePack.encode(value);
    let envelope = Envelope {
        publisher_id,
        sequence,
        published_at,
        topic: topic.as_str().to_owned(),
        payload: encode(event).expect("events have numbers and text alone"),
    };
    Encoding::MessagePack
        .encode(&envelope)
        .expect("an envelope has numbers, text and bytes alone")
}

/// An event as JSON.
///
/// # Panics
/// Never: events have numbers and text alone.
pub fn json(event: &Event) -> Vec<u8> {
    serde_json::to_vec(event).expect("events have numbers and text alone")
}

#[cfg(test)]
mod tests;
