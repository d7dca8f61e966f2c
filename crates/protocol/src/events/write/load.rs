//! The short form of [`KvMetrics`](crate::KvMetrics).

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Of, Release};
use crate::WorkerId;

/// The counts of a `kv_metrics` event. A worker of 1.0 sets `active_decode_blocks`, one of 1.1 or later
/// `kv_used_blocks`, and a router up to 1.4 the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadCounts {
    /// Whose load it is.
    pub worker_id: WorkerId,
    /// The rank within a data-parallel group.
    pub dp_rank: u64,
    /// KV blocks of the requests that are decoding.
    pub active_decode_blocks: Option<u64>,
    /// Prompt tokens that were sent to the worker and are not yet computed.
    pub active_prefill_tokens: Option<u64>,
    /// KV blocks in use in the engine; left out as of 1.0.
    pub kv_used_blocks: Option<u64>,
}

impl Default for LoadCounts {
    fn default() -> Self {
        Self {
            worker_id: WorkerId::new(0),
            dp_rank: 0,
            active_decode_blocks: None,
            active_prefill_tokens: None,
            kv_used_blocks: None,
        }
    }
}

impl LoadCounts {
    /// What a release writes: a map of 4 as of 1.0, of 5 later.
    pub fn of(&self, release: Release) -> Of<'_, Self> {
        Of { event: self, release }
    }
}

impl Serialize for Of<'_, LoadCounts> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let LoadCounts {
            worker_id,
            dp_rank,
            active_decode_blocks,
            active_prefill_tokens,
            kv_used_blocks,
        } = self.event;
        let has_used = self.release >= Release::V1_1;
        let mut map = serializer.serialize_map(Some(4 + usize::from(has_used)))?;
        map.serialize_entry("worker_id", worker_id)?;
        map.serialize_entry("dp_rank", dp_rank)?;
        map.serialize_entry("active_decode_blocks", active_decode_blocks)?;
        map.serialize_entry("active_prefill_tokens", active_prefill_tokens)?;
        if has_used {
            map.serialize_entry("kv_used_blocks", kv_used_blocks)?;
        }
        map.end()
    }
}
