//! What is in a message, and the message itself.

use protocol::codec::{Envelope, Publisher};
use protocol::events::write::{LoadCounts, Release, RequestEnd, SequenceEvent};
use protocol::events::{ForwardPass, Topic};
use protocol::{Encoding, KvMetrics, StatsShape, WorkerId};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// What is in a message, without its envelope.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A look-up in a prefix cache.
    HitRate(HitRate),
    /// The whole load of a worker.
    Data(Data),
    /// The load of a worker in counts, as a release has it.
    Load(LoadCounts, Release),
    /// A forward pass, or a heartbeat.
    Pass(ForwardPass),
    /// What became of a request that a router assigned, as a release has it.
    Sequence(SequenceEvent, Release),
    /// The end of a request.
    Trace(RequestEnd),
}

/// `kv-hit-rate` of Dynamo up to 0.9.
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

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::HitRate(event) => event.serialize(serializer),
            Self::Data(event) => event.serialize(serializer),
            Self::Load(event, release) => event.of(*release).serialize(serializer),
            Self::Pass(event) => event.serialize(serializer),
            Self::Sequence(event, release) => event.of(*release).serialize(serializer),
            Self::Trace(event) => event.serialize(serializer),
        }
    }
}

impl Data {
    /// The whole load of a worker.
    pub fn new(event: &KvMetrics) -> Self {
        Self {
            worker_id: event.worker_id,
            data: event.stats.to_data(StatsShape::Nested),
        }
    }
}

/// An event in an envelope.
pub fn envelope(publisher: Publisher, topic: Topic, event: &Event) -> Vec<u8> {
    Envelope::around(publisher, topic, event)
        .and_then(|envelope| Encoding::MessagePack.encode(&envelope))
        .expect("events have numbers and text alone")
}

/// An event as JSON.
pub fn json(event: &Event) -> Vec<u8> {
    Encoding::Json
        .encode(event)
        .expect("events have numbers and text alone")
}

#[cfg(test)]
mod tests;
