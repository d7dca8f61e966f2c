//! Events that workers, routers and frontends publish, each with a reader of its own.
//!
//! A message is [opened](crate::codec::open) first, which takes it out of its envelope; then the reader of its
//! [`Topic`] reads what is in it. All take every generation that Dynamo has sent: JSON without an envelope up to 0.8,
//! MessagePack maps in an envelope from 0.9 on; and MessagePack arrays too. Fields may come in any order, unknown ones
//! are ignored, and ids may be numbers or decimal text.
//!
//! [`RequestTrace`] is JSON without an envelope, so it takes the message itself.
//!
//! ```
//! use protocol::{codec, events::{ForwardPass, Topic}, subject::EventSubject};
//! # fn waiting(subject: &str, content_type: Option<&str>, message: &[u8]) -> Result<Option<u64>, protocol::EventError> {
//! let Some(about) = EventSubject::read(subject).into_iter().next() else {
//!     return Ok(None);
//! };
//! let opened = codec::open(content_type, message)?;
//! Ok(match about.topic {
//!     Topic::ForwardPass => Some(ForwardPass::read(&opened)?.queued.prefill_requests),
//!     _ => None,
//! })
//! # }
//! ```
//!
//! [`mod@write`] has the other direction: what each release of Dynamo publishes. Workers of this project publish
//! [`KvHitRate`] and [`KvMetrics`] by the SDK instead, without an envelope.

mod error;
mod fast;
mod forward_pass;
mod hit_rate;
mod kv_event;
mod load;
mod object;
mod sequence;
mod topic;
mod trace;
pub mod write;

pub use error::EventError;
pub use forward_pass::{ForwardPass, Queued, Scheduled};
pub use hit_rate::KvHitRate;
pub use kv_event::{KvChange, KvEvent, MAX_KV_EVENTS, StorageTier};
pub use load::{KvMetrics, LoadSource};
pub use sequence::{SequenceChange, SequenceEvent};
pub use topic::Topic;
pub use trace::RequestTrace;
