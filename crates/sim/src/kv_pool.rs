//! The KV-cache of one worker: blocks that are free, cached, shared or private.
//!
//! Blocks that requests can share lie in *segments*: runs of chained blocks, each with a key. A segment that
//! a request holds counts as shared; one that no request holds stays cached until its room is needed, the least recently
//! used first and, within a segment, from the tail, because a block is of use only where all before it are there.
//! At all times `free + cached + shared + private = total`.

use std::collections::BTreeMap;

/// Which run of blocks a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SegmentKey {
    /// The prefix that a group of prompts shares.
    Group(u32),
    /// What a request left behind, by its number.
    Request(u64),
    /// A block that a trace names, which is so many of this pool.
    Trace(u64, u32),
}

/// A part of a prompt that may be cached: the blocks of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) key: SegmentKey,
    /// At least 1.
    pub(crate) blocks: u64,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    /// The leading blocks that are here.
    resident: u64,
    holders: u32,
    /// When it was let go, where no request holds it.
    stamp: u64,
}

/// The blocks of one worker.
#[derive(Debug, Clone)]
pub(crate) struct KvPool {
    total: u64,
    free: u64,
    cached: u64,
    shared: u64,
    private: u64,
    segments: BTreeMap<SegmentKey, Segment>,
    /// The segments that no request holds, the least recently used first.
    unused: BTreeMap<u64, SegmentKey>,
    clock: u64,
}

impl KvPool {
    pub(crate) fn new(total: u64) -> Self {
        Self {
            total,
            free: total,
            cached: 0,
            shared: 0,
            private: 0,
            segments: BTreeMap::new(),
            unused: BTreeMap::new(),
            clock: 0,
        }
    }

    /// Blocks that requests hold.
    pub(crate) fn active(&self) -> u64 {
        self.shared + self.private
    }

    /// Blocks that can be given away: free ones, and cached ones that no request holds.
    pub(crate) fn available(&self) -> u64 {
        self.free + self.cached
    }

    /// How many leading blocks of a chain are here.
    pub(crate) fn hit(&self, chain: &[Link]) -> u64 {
        let mut hit = 0;
        for link in chain {
            let resident = self.resident(link);
            hit += resident;
            if resident < link.blocks {
                break;
            }
        }
        hit
    }

    /// Gives a request its blocks: those of its chain, and as many more as make `blocks`. Returns how many leading
    /// ones were here already, or `None`, and changes nothing, where fewer than `reserve` would be left to give.
    pub(crate) fn admit(&mut self, chain: &[Link], blocks: u64, reserve: u64) -> Option<u64> {
        let (mut resident, mut unheld) = (0, 0);
        for link in chain {
            let here = self.resident(link);
            resident += here;
            if self
                .segments
                .get(&link.key)
                .is_some_and(|segment| segment.holders == 0)
            {
                unheld += here;
            }
        }
        let wanted = blocks - resident;
        if self.available() - unheld < wanted + reserve {
            return None;
        }
        let hit = self.hit(chain);
        // All that is here is taken first, so that making room for the rest does not drop it.
        for link in chain {
            if let Some(segment) = self.segments.get_mut(&link.key) {
                if segment.holders == 0 {
                    self.unused.remove(&segment.stamp);
                    self.cached -= segment.resident;
                    self.shared += segment.resident;
                }
                segment.holders += 1;
            }
        }
        for link in chain {
            let new = Segment {
                resident: 0,
                holders: 1,
                stamp: 0,
            };
            let segment = self.segments.entry(link.key).or_insert(new);
            let missing = link.blocks - segment.resident;
            segment.resident = link.blocks;
            self.take(missing);
            self.shared += missing;
        }
        self.grow(blocks - blocks_of(chain));
        Some(hit)
    }

    /// Gives running requests more blocks of their own; there must be as many to give.
    pub(crate) fn grow(&mut self, blocks: u64) {
        self.take(blocks);
        self.private += blocks;
    }

    /// Takes a request's blocks back. Its chain stays cached, and `kept` of its own blocks do so under a key.
    pub(crate) fn release(&mut self, chain: &[Link], private: u64, kept: Option<Link>) {
        self.private -= private;
        self.free += private;
        // From the tail to the head, so that the tail is the first to go.
        if let Some(kept) = kept.filter(|kept| kept.blocks > 0) {
            self.free -= kept.blocks;
            self.cached += kept.blocks;
            let stamp = self.tick();
            let segment = Segment {
                resident: kept.blocks,
                holders: 0,
                stamp,
            };
            let before = self.segments.insert(kept.key, segment);
            debug_assert!(before.is_none(), "{:?} was here already", kept.key);
            self.unused.insert(stamp, kept.key);
        }
        for link in chain.iter().rev() {
            let stamp = self.tick();
            let segment = self.segments.get_mut(&link.key).expect("it is held");
            segment.holders -= 1;
            if segment.holders == 0 {
                segment.stamp = stamp;
                self.shared -= segment.resident;
                self.cached += segment.resident;
                self.unused.insert(stamp, link.key);
            }
        }
    }

    /// Forgets all that no request holds.
    pub(crate) fn flush(&mut self) {
        for key in std::mem::take(&mut self.unused).into_values() {
            self.segments.remove(&key);
        }
        self.free += self.cached;
        self.cached = 0;
    }

    fn resident(&self, link: &Link) -> u64 {
        self.segments
            .get(&link.key)
            .map_or(0, |segment| segment.resident.min(link.blocks))
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Takes blocks from the free ones, and for want of these from the segment that was used longest ago.
    fn take(&mut self, blocks: u64) {
        while self.free < blocks {
            let oldest = self.unused.first_entry().expect("there are as many to give");
            let segment = self.segments.get_mut(oldest.get()).expect("it is listed");
            let dropped = segment.resident.min(blocks - self.free);
            segment.resident -= dropped;
            self.free += dropped;
            self.cached -= dropped;
            if segment.resident == 0 {
                self.segments.remove(&oldest.remove());
            }
        }
        self.free -= blocks;
    }

    /// Law 1 for blocks, where `holders` says who holds what.
    pub(crate) fn check<'a>(
        &self,
        private: u64,
        chains: impl Iterator<Item = &'a [Link]>,
    ) -> Result<(), String> {
        let sum = self.free + self.cached + self.shared + self.private;
        if sum != self.total {
            return Err(format!("{sum} blocks of {}: {self:?}", self.total));
        }
        if private != self.private {
            return Err(format!(
                "requests hold {private} blocks of their own, the pool counts {}",
                self.private
            ));
        }
        let mut holders: BTreeMap<SegmentKey, u32> = BTreeMap::new();
        for link in chains.flatten() {
            *holders.entry(link.key).or_default() += 1;
        }
        let (mut shared, mut cached) = (0, 0);
        for (key, segment) in &self.segments {
            if segment.holders != holders.get(key).copied().unwrap_or(0) {
                return Err(format!(
                    "{key:?} has {} holders, found {:?}",
                    segment.holders,
                    holders.get(key)
                ));
            }
            match segment.holders {
                0 if self.unused.get(&segment.stamp) != Some(key) => {
                    return Err(format!("{key:?} is not listed"));
                }
                0 => cached += segment.resident,
                _ => shared += segment.resident,
            }
        }
        match (shared, cached) == (self.shared, self.cached) {
            true => Ok(()),
            false => Err(format!("shared {shared}, cached {cached}: {self:?}")),
        }
    }
}

/// The blocks of a whole chain.
pub(crate) fn blocks_of(chain: &[Link]) -> u64 {
    chain.iter().map(|link| link.blocks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(group: u32, blocks: u64) -> Link {
        Link {
            key: SegmentKey::Group(group),
            blocks,
        }
    }

    #[test]
    fn a_prefix_is_found_again_until_its_room_is_needed() {
        let mut pool = KvPool::new(10);
        assert_eq!(pool.admit(&[group(1, 4)], 6, 0), Some(0));
        assert_eq!(pool.active(), 6);
        assert_eq!(
            pool.admit(&[group(1, 4)], 5, 0),
            Some(4),
            "while another holds it"
        );
        assert_eq!(pool.active(), 7, "its blocks are held once");
        pool.release(&[group(1, 4)], 2, None);
        pool.release(&[group(1, 4)], 1, None);
        assert_eq!((pool.active(), pool.available()), (0, 10));
        assert_eq!(pool.hit(&[group(1, 4)]), 4);

        assert_eq!(pool.admit(&[], 8, 0), Some(0));
        assert_eq!(
            pool.hit(&[group(1, 4)]),
            2,
            "the tail has gone, the head is there"
        );
        pool.release(&[], 8, None);
        assert_eq!(pool.admit(&[group(1, 4)], 4, 0), Some(2));
    }

    #[test]
    fn of_a_chain_the_tail_goes_first_and_a_gap_ends_the_hit() {
        let mut pool = KvPool::new(10);
        let chain = [group(1, 2), group(2, 2), group(3, 2)];
        pool.admit(&chain, 6, 0).expect("there is room");
        pool.release(&chain, 0, None);
        pool.admit(&[], 6, 0).expect("there is room");
        assert_eq!(pool.hit(&chain), 4);
        pool.release(&[], 6, None);
        pool.admit(&[group(4, 9)], 9, 0).expect("there is room");
        assert_eq!(pool.hit(&chain), 1);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut pool = KvPool::new(10);
        pool.admit(&[group(1, 4)], 4, 0).expect("there is room");
        pool.release(&[group(1, 4)], 0, None);
        assert_eq!(pool.admit(&[group(1, 4)], 8, 3), None, "three are reserved");
        assert_eq!(pool.admit(&[group(1, 4)], 11, 0), None);
        assert_eq!((pool.active(), pool.hit(&[group(1, 4)])), (0, 4));
        assert_eq!(pool.admit(&[group(1, 4)], 7, 3), Some(4));
    }

    #[test]
    fn what_a_request_leaves_behind_serves_the_next_turn() {
        let mut pool = KvPool::new(10);
        pool.admit(&[group(1, 2)], 6, 0).expect("there is room");
        let own = Link {
            key: SegmentKey::Request(7),
            blocks: 3,
        };
        pool.release(&[group(1, 2)], 4, Some(own));
        assert_eq!(pool.admit(&[group(1, 2), own], 7, 0), Some(5));
        pool.check(2, [[group(1, 2), own].as_slice()].into_iter())
            .expect("sound");
        pool.release(&[group(1, 2), own], 2, None);
        pool.flush();
        assert_eq!(pool.hit(&[group(1, 2), own]), 0);
        assert_eq!(pool.available(), 10);
    }

    #[test]
    fn the_check_finds_what_does_not_add_up() {
        let mut pool = KvPool::new(10);
        pool.admit(&[group(1, 2)], 6, 0).expect("there is room");
        let chain = [group(1, 2)];
        assert!(pool.check(4, [chain.as_slice()].into_iter()).is_ok());
        assert!(pool.check(3, [chain.as_slice()].into_iter()).is_err());
        assert!(pool.check(4, std::iter::empty()).is_err());
        pool.free -= 1;
        assert!(pool.check(4, [chain.as_slice()].into_iter()).is_err());
    }
}
