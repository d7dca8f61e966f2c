//! [`RequestTrace`]: what one request took, as a frontend writes it when the request ends.

mod read;
#[cfg(test)]
mod tests;

use super::EventError;
use crate::{StatsError, WorkerId};

/// What one request took; a frontend of Dynamo 1.4 or later publishes it as JSON, without an envelope, at
/// [`subject::REQUEST_TRACE`](crate::subject::REQUEST_TRACE). Dynamo 1.4 has the output tokens alone for most requests.
///
/// Times are in seconds. A field is `None` where it is missing or refused.
///
/// ```
/// use protocol::{events::RequestTrace, WorkerId};
/// let record = br#"{"schema": "dynamo.request.trace.v1", "event_type": "request_end", "request":
///     {"input_tokens": 37, "output_tokens": 20, "ttft_ms": 23.5, "worker": {"decode_worker_id": 15705145118167495750}}}"#;
/// let trace = RequestTrace::read(record)?.expect("the end of a request");
/// assert_eq!((trace.input_tokens, trace.ttft), (Some(37), Some(0.0235)));
/// assert_eq!(trace.decode_worker, Some(WorkerId::new(15705145118167495750)));
///
/// let prompt = br#"{"event_type": "request_payload", "request": {"prompt": "secret"}}"#;
/// assert_eq!(RequestTrace::read(prompt)?, None);
/// # Ok::<(), protocol::EventError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestTrace {
    /// Tokens of the prompt.
    pub input_tokens: Option<u64>,
    /// Tokens that were generated.
    pub output_tokens: Option<u64>,
    /// Tokens of the prompt that a prefix cache had; at most `input_tokens`.
    pub cached_tokens: Option<u64>,
    /// From the request's arrival to the start of its prefill.
    pub prefill_wait: Option<f64>,
    /// From the start of the prefill to the first token.
    pub prefill: Option<f64>,
    /// From the request's arrival to its first token.
    pub ttft: Option<f64>,
    /// From the request's arrival to its end.
    pub total: Option<f64>,
    /// The mean time between two tokens of this request.
    pub avg_itl: Option<f64>,
    /// An estimate of the transfer of KV blocks; where prefill and decode are different workers.
    pub kv_transfer: Option<f64>,
    /// Share of the prompt's blocks that the chosen worker's cache had, 0 to 1, as the router knew it.
    pub kv_hit_rate: Option<f64>,
    /// Requests in the router's queue.
    pub queue_depth: Option<u64>,
    /// The worker of the prefill.
    pub prefill_worker: Option<WorkerId>,
    /// The worker that generated the tokens; the same one without disaggregation.
    pub decode_worker: Option<WorkerId>,
    /// Fields that were refused, with their names on the wire.
    pub refused: Vec<StatsError>,
}

impl RequestTrace {
    /// The longest time that is taken, in seconds: 30 days.
    pub const MAX_SECONDS: f64 = 2_592_000.0;

    /// The largest count of tokens or of requests that is taken.
    pub const MAX_COUNT: u64 = 1_000_000_000;

    /// Reads a record; `None` where it is no `request_end`. Other records may hold prompts: of these only the type is
    /// read, and no text of theirs is kept or gets into an error.
    ///
    /// # Errors
    /// [`EventError::Codec`] where the record is not JSON, [`EventError::NotAnObject`], [`EventError::Text`] without an
    /// `event_type`, and [`EventError::Section`] without a `request`.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, EventError> {
        read::read(bytes)
    }
}
