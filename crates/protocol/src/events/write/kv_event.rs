//! Events of the KV cache, with the hashes of their blocks.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::{Of, Release};
use crate::WorkerId;
use crate::events::{MAX_KV_EVENTS, StorageTier};

/// The most blocks of the events in one message, unless it holds a single event.
const MAX_BLOCKS: usize = 8192;

/// One event of a worker's KV cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEvent {
    /// Whose cache it is.
    pub worker_id: WorkerId,
    /// The rank within a data-parallel group.
    pub dp_rank: u64,
    /// Counts the events of this worker and rank.
    pub event_id: u64,
    /// Where the blocks are; left out as of 1.0.
    pub tier: StorageTier,
    /// Whose the blocks are; left out up to 1.4.
    pub domain: ResidencyDomain,
    /// What changed.
    pub change: KvChange,
}

/// Whose KV blocks are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResidencyDomain {
    /// The worker's.
    #[default]
    Worker,
    /// The owner of a shared cache's.
    CacheOwner,
}

/// What changed in a KV cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvChange {
    /// Blocks were stored.
    Stored {
        /// The block that they follow.
        parent_hash: Option<u64>,
        /// Where the first one begins in its sequence; left out up to 1.1.
        start_position: Option<u64>,
        /// The blocks.
        blocks: Vec<StoredBlock>,
    },
    /// Blocks were removed.
    Removed {
        /// Their hashes.
        block_hashes: Vec<u64>,
    },
    /// All blocks were removed.
    Cleared,
}

/// One stored block; without multimodal information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBlock {
    /// Identifies the block and all blocks before it.
    pub block_hash: u64,
    /// Identifies the tokens in it.
    pub tokens_hash: u64,
}

/// The events of one message.
#[derive(Debug, Clone, Copy)]
pub struct KvEvents<'a>(Of<'a, [KvEvent]>);

impl KvEvent {
    /// The messages in which a release writes these events: one for each up to 1.3, and later as few as their limits of
    /// 128 events and 8,192 blocks allow.
    pub fn messages(events: &[Self], release: Release) -> Vec<KvEvents<'_>> {
        let mut messages = Vec::new();
        let mut rest = events;
        while !rest.is_empty() {
            let mut blocks = 0;
            let most = if release < Release::V1_4 { 1 } else { MAX_KV_EVENTS };
            let fits = |event: &&Self| {
                blocks += event.blocks();
                blocks <= MAX_BLOCKS
            };
            let fitting = rest.iter().take(most).take_while(fits).count();
            let (event, later) = rest.split_at(fitting.max(1));
            messages.push(KvEvents(Of { event, release }));
            rest = later;
        }
        messages
    }

    fn blocks(&self) -> usize {
        match &self.change {
            KvChange::Stored { blocks, .. } => blocks.len(),
            KvChange::Removed { block_hashes } => block_hashes.len(),
            KvChange::Cleared => 0,
        }
    }
}

impl Serialize for KvEvents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Of { event, release } = self.0;
        match event {
            [event] if release < Release::V1_4 => Of { event, release }.serialize(serializer),
            events => {
                let mut seq = serializer.serialize_seq(Some(events.len()))?;
                for event in events {
                    seq.serialize_element(&Of { event, release })?;
                }
                seq.end()
            }
        }
    }
}

impl Serialize for Of<'_, KvEvent> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, release } = *self;
        let (has_tier, has_domain) = (release >= Release::V1_1, release >= Release::V1_5);
        let fields = 2 + usize::from(has_tier) + usize::from(has_domain);
        let mut map = serializer.serialize_map(Some(fields))?;
        map.serialize_entry("worker_id", &event.worker_id)?;
        if has_tier {
            map.serialize_entry("storage_tier", event.tier.as_str())?;
        }
        if has_domain {
            map.serialize_entry("residency_domain", &event.domain)?;
        }
        map.serialize_entry("event", &Inner(*self))?;
        map.end()
    }
}

/// The part of an event that is the same for every cache.
struct Inner<'a>(Of<'a, KvEvent>);

impl Serialize for Inner<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Of { event, release } = self.0;
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("event_id", &event.event_id)?;
        let change = &event.change;
        map.serialize_entry(
            "data",
            &Of {
                event: change,
                release,
            },
        )?;
        map.serialize_entry("dp_rank", &event.dp_rank)?;
        map.end()
    }
}

impl Serialize for Of<'_, KvChange> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "snake_case")]
        enum Change<'a> {
            Stored(Stored<'a>),
            Removed { block_hashes: &'a [u64] },
            Cleared,
        }
        match self.event {
            KvChange::Stored {
                parent_hash,
                start_position,
                blocks,
            } => Change::Stored(Stored {
                parent_hash: *parent_hash,
                start_position: (self.release >= Release::V1_2).then_some(*start_position),
                blocks,
            }),
            KvChange::Removed { block_hashes } => Change::Removed { block_hashes },
            KvChange::Cleared => Change::Cleared,
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct Stored<'a> {
    parent_hash: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_position: Option<Option<u64>>,
    blocks: &'a [StoredBlock],
}

impl Serialize for StoredBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("block_hash", &self.block_hash)?;
        map.serialize_entry("tokens_hash", &self.tokens_hash)?;
        map.serialize_entry("mm_extra_info", &())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Encoding, open};
    use crate::events;

    fn stored(event_id: u64, blocks: usize) -> KvEvent {
        let block = StoredBlock {
            block_hash: 1,
            tokens_hash: 2,
        };
        KvEvent {
            worker_id: WorkerId::new(7),
            dp_rank: 1,
            event_id,
            tier: StorageTier::Disk,
            domain: ResidencyDomain::CacheOwner,
            change: KvChange::Stored {
                parent_hash: Some(3),
                start_position: Some(16),
                blocks: vec![block; blocks],
            },
        }
    }

    /// The ids of the events in each message, as the reader finds them.
    fn ids(events: &[KvEvent], release: Release) -> Vec<Vec<u64>> {
        let read = |message: &KvEvents<'_>| {
            let packed = Encoding::MessagePack.encode(message).expect("encodes");
            let events = events::KvEvent::read_all(&open(None, &packed).expect("opens")).expect("readable");
            events.iter().map(|event| event.event_id).collect()
        };
        KvEvent::messages(events, release).iter().map(read).collect()
    }

    #[test]
    fn a_message_has_one_event_up_to_1_3_and_as_many_as_fit_later() {
        let events: Vec<KvEvent> = (0..130).map(|id| stored(id, 1)).collect();
        let one_each: Vec<Vec<u64>> = (0..130).map(|id| vec![id]).collect();
        assert_eq!(ids(&events, Release::V1_3), one_each);
        let full: Vec<u64> = (0..128).collect();
        assert_eq!(ids(&events, Release::V1_4), [full, vec![128, 129]]);
        assert!(ids(&[], Release::V1_4).is_empty());
    }

    #[test]
    fn a_message_has_no_more_blocks_than_fit_unless_one_event_has_them() {
        let events = [
            stored(0, 5000),
            stored(1, 3192),
            stored(2, 1),
            stored(3, 9000),
            stored(4, 1),
        ];
        let expected = [vec![0, 1], vec![2], vec![3], vec![4]];
        assert_eq!(ids(&events, Release::V1_5), expected);
    }

    #[test]
    fn what_a_release_does_not_have_is_left_out() {
        for (release, fields) in [
            (Release::V1_0, 2),
            (Release::V1_1, 3),
            (Release::V1_4, 3),
            (Release::V1_5, 4),
        ] {
            let event = stored(0, 1);
            let json = serde_json::to_value(Of {
                event: &event,
                release,
            });
            let json = json.expect("encodes");
            assert_eq!(json.as_object().map(serde_json::Map::len), Some(fields), "{json}");
            let start = json["event"]["data"]["stored"].get("start_position");
            assert_eq!(start.is_some(), release >= Release::V1_2, "{json}");
        }
    }
}
