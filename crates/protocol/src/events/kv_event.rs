//! [`KvEvent`]: what a worker's KV cache stored and removed.

mod read;
#[cfg(test)]
mod tests;

use std::fmt;

use super::EventError;
use crate::WorkerId;
use crate::codec::Opened;

/// The topic `kv-events`: what changed in a worker's KV cache, in counts; the blocks' hashes are skipped.
///
/// ```
/// use protocol::{codec, events::{KvChange, KvEvent, StorageTier}};
/// let payload = br#"[{"worker_id": 7, "storage_tier": "device", "residency_domain": "worker",
///     "event": {"event_id": 2, "data": {"removed": {"block_hashes": [111]}}, "dp_rank": 1}}]"#;
/// let events = KvEvent::read_all(&codec::open(None, payload)?)?;
/// assert_eq!((events[0].event_id, events[0].tier), (2, Some(StorageTier::Device)));
/// assert_eq!(events[0].change, KvChange::Removed(1));
/// # Ok::<(), protocol::EventError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvEvent {
    /// Whose cache it is.
    pub worker_id: WorkerId,
    /// The rank within a data-parallel group; 0 without one.
    pub dp_rank: u64,
    /// Counts the events of this worker and rank, from 0 in Dynamo 1.0 and from 1 later: a gap is a loss.
    pub event_id: u64,
    /// Where the blocks are; `None` in Dynamo 1.0, which does not say it.
    pub tier: Option<StorageTier>,
    /// What changed.
    pub change: KvChange,
}

/// Where KV blocks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageTier {
    /// `device`: the accelerator's memory.
    Device,
    /// `host_pinned`: pinned memory of the host.
    HostPinned,
    /// `disk`.
    Disk,
    /// `external`: a store outside the machine.
    External,
    /// A tier that this version does not know.
    Other,
}

/// What changed in a KV cache. A publisher drops what it repeats, so *stored* minus *removed* is the number of cached
/// blocks since the start of listening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvChange {
    /// So many blocks were stored.
    Stored(u64),
    /// So many blocks were removed.
    Removed(u64),
    /// All blocks were removed.
    Cleared,
}

/// The most events that one message may hold; Dynamo writes no more.
pub const MAX_KV_EVENTS: usize = 128;

impl KvEvent {
    /// Reads a message: one event up to Dynamo 1.3, an array of them from 1.4 on.
    ///
    /// # Errors
    /// [`EventError`] names what is missing or wrong; one bad event refuses the message.
    /// [`EventError::TooMany`] above [`MAX_KV_EVENTS`].
    pub fn read_all(opened: &Opened<'_>) -> Result<Vec<Self>, EventError> {
        read::all(opened)
    }
}

impl StorageTier {
    /// The tier as it is on the wire; `other` where this version does not know it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::HostPinned => "host_pinned",
            Self::Disk => "disk",
            Self::External => "external",
            Self::Other => "other",
        }
    }

    fn read(text: &str) -> Self {
        [Self::Device, Self::HostPinned, Self::Disk, Self::External]
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .unwrap_or(Self::Other)
    }
}

impl fmt::Display for StorageTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
