//! [`CacheCounts`]: what KV caches store and remove, added up within a batch and kept for each worker.

use protocol::events::{KvChange, KvEvent, StorageTier};

use crate::heard::MAX_RANKS;
use crate::passes::loss;

/// The tiers of [`CacheCounts`] as labels have them. Dynamo 1.0 does not report where blocks are: `unknown`.
pub const CACHE_TIERS: [&str; 6] = ["unknown", "device", "host_pinned", "disk", "external", "other"];

/// What a worker's KV cache reports, added up; it only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Blocks that were stored, by tier.
    pub stored: [u64; CACHE_TIERS.len()],
    /// Blocks that were removed.
    pub removed: [u64; CACHE_TIERS.len()],
    /// Times that the whole cache was cleared.
    pub clears: u64,
}

/// Events of one rank's cache within a batch.
#[derive(Debug)]
pub(crate) struct CacheSum {
    pub(crate) messages: u64,
    pub(crate) counts: CacheCounts,
    pub(crate) lost: u64,
    first_id: u64,
    last_id: u64,
}

/// The cache of one worker.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    pub(crate) counts: CacheCounts,
    /// The last number of each rank's events.
    last_ids: Vec<(u64, u64)>,
}

fn place(tier: Option<StorageTier>) -> usize {
    tier.map_or(0, |tier| 1 + tier as usize)
}

impl CacheCounts {
    fn count(&mut self, event: &KvEvent) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        match event.change {
            KvChange::Stored(blocks) => add(&mut self.stored[place(event.tier)], blocks),
            KvChange::Removed(blocks) => add(&mut self.removed[place(event.tier)], blocks),
            KvChange::Cleared => add(&mut self.clears, 1),
        }
    }

    fn add(&mut self, more: &Self) {
        let sums = self.stored.iter_mut().chain(&mut self.removed);
        for (sum, more) in sums.zip(more.stored.iter().chain(&more.removed)) {
            *sum = sum.saturating_add(*more);
        }
        self.clears = self.clears.saturating_add(more.clears);
    }
}

impl CacheSum {
    pub(crate) fn new(event_id: u64) -> Self {
        Self {
            messages: 0,
            counts: CacheCounts::default(),
            lost: 0,
            first_id: event_id,
            last_id: event_id.wrapping_sub(1),
        }
    }

    pub(crate) fn add(&mut self, event: &KvEvent) {
        self.lost = self.lost.saturating_add(loss(self.last_id, event.event_id));
        self.last_id = event.event_id;
        self.counts.count(event);
    }
}

impl Cache {
    /// Takes in what a batch brought of one rank, and returns how many events were lost.
    pub(crate) fn take_in(&mut self, rank: u64, sum: &CacheSum) -> u64 {
        self.counts.add(&sum.counts);
        let known = self.last_ids.iter_mut().find(|(known, _)| *known == rank);
        let before = match known {
            Some((_, last)) => loss(std::mem::replace(last, sum.last_id), sum.first_id),
            None => {
                if self.last_ids.len() < MAX_RANKS {
                    self.last_ids.push((rank, sum.last_id));
                }
                0
            }
        };
        sum.lost.saturating_add(before)
    }

    /// Forgets the numbers of an engine that has been replaced.
    pub(crate) fn restarted(&mut self) {
        self.last_ids.clear();
    }
}

#[cfg(test)]
mod tests {
    use protocol::WorkerId;

    use super::*;

    fn sum(ids: &[u64]) -> CacheSum {
        let mut sum = CacheSum::new(ids[0]);
        for event_id in ids {
            sum.add(&KvEvent {
                worker_id: WorkerId::new(1),
                dp_rank: 0,
                event_id: *event_id,
                tier: None,
                change: KvChange::Stored(1),
            });
        }
        sum
    }

    #[test]
    fn every_tier_is_counted_under_its_name() {
        assert_eq!(CACHE_TIERS[place(None)], "unknown");
        for tier in [
            StorageTier::Device,
            StorageTier::HostPinned,
            StorageTier::Disk,
            StorageTier::External,
            StorageTier::Other,
        ] {
            assert_eq!(CACHE_TIERS[place(Some(tier))], tier.as_str());
        }
    }

    #[test]
    fn gaps_are_losses_within_a_batch_and_between_batches_for_each_rank() {
        let mut cache = Cache::default();
        assert_eq!(
            cache.take_in(0, &sum(&[40, 41, 44])),
            2,
            "what came before is not lost"
        );
        assert_eq!(cache.take_in(0, &sum(&[47])), 2);
        assert_eq!(cache.take_in(1, &sum(&[9])), 0, "another rank");
        assert_eq!(cache.take_in(0, &sum(&[0, 1])), 0, "a restart");
        assert_eq!(cache.take_in(1, &sum(&[u64::MAX])), 0, "no counter leaps so far");
        assert_eq!(cache.take_in(1, &sum(&[0])), 0, "it is full and begins anew");
        assert_eq!(cache.counts.stored[0], 9);
    }

    #[test]
    fn sums_do_not_overflow() {
        let mut cache = Cache::default();
        for _ in 0..2 {
            let mut sum = sum(&[1]);
            sum.counts.removed = [u64::MAX; CACHE_TIERS.len()];
            cache.take_in(0, &sum);
        }
        assert_eq!(cache.counts.removed, [u64::MAX; CACHE_TIERS.len()]);
    }
}
