//! Events as the releases of Dynamo write them, byte by byte, for programs that stand in for its processes.
//!
//! Except for [`RequestEnd`], which is JSON, what is written depends on the [`Release`]: `event.of(release)` is what is
//! encoded, and it goes into an [`Envelope`](crate::Envelope). A [`ForwardPass`](super::ForwardPass) is the same in all
//! releases that have it, and is encoded as it is.
//!
//! ```
//! use protocol::codec::{Encoding, Envelope, Publisher, open};
//! use protocol::events::{KvMetrics, LoadSource, Topic, write::{LoadCounts, Release}};
//!
//! let load = LoadCounts { worker_id: 7.into(), kv_used_blocks: Some(42), ..LoadCounts::default() };
//! let publisher = Publisher { id: 4554217106899504, sequence: 0, published_at_ms: 1795578043641 };
//! let envelope = Envelope::around(publisher, Topic::KvMetrics, &load.of(Release::V1_5))?;
//! let message = Encoding::MessagePack.encode(&envelope)?;
//!
//! let read = KvMetrics::read(&open(None, &message)?)?;
//! assert_eq!((read.stats.kv_blocks_active(), read.source), (Some(42), LoadSource::Engine));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod kv_event;
mod load;
mod sequence;
mod trace;

pub use kv_event::{KvChange, KvEvent, KvEvents, ResidencyDomain, StoredBlock};
pub use load::LoadCounts;
pub use sequence::{AddRequest, PrefillLoadHint, SequenceChange, SequenceEvent};
pub use trace::{Replay, RequestEnd, TraceWorkers, TracedRequest};

/// A release of Dynamo from which on something is written in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// 1.0: loads at the scope of the namespace, other events at that of the component, with raw names.
    V1_0,
    /// 1.1: forward passes, the blocks in use, and the storage tier.
    V1_1,
    /// 1.2: what a router adds says the tokens to compute in place of those it has.
    V1_2,
    /// 1.3: the publisher's id is a random number.
    V1_3,
    /// 1.4: all events at the scope of the endpoint, with encoded names, and events of the KV cache in arrays.
    V1_4,
    /// 1.5: the residency domain; routers no longer publish loads. 1.6 is the same.
    V1_5,
}

/// An event with the release as which it is written.
#[derive(Debug)]
pub struct Of<'a, T: ?Sized> {
    event: &'a T,
    release: Release,
}

impl<T: ?Sized> Clone for Of<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Of<'_, T> {}

impl Release {
    /// All releases, the oldest first.
    pub const ALL: [Self; 6] = [
        Self::V1_0,
        Self::V1_1,
        Self::V1_2,
        Self::V1_3,
        Self::V1_4,
        Self::V1_5,
    ];
}
