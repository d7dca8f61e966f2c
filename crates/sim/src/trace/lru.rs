//! [`HitCurve`]: how much of its prompts a cache of any size would have had, from one pass over a trace.
//!
//! A cache that drops what was used longest ago holds, at each size, the blocks that were used last (Mattson's stack).
//! So it is enough to know for each block how many others were used since its last use: it is a hit for all caches of
//! more blocks than that. A prompt's blocks are used from the last to the first, so that the beginning, without which
//! the rest is of no use, is dropped last.

use std::collections::HashMap;

use super::Trace;

/// Hits of a cache that drops what was used longest ago, at any size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HitCurve {
    /// How many blocks a cache must hold for each hit, in order.
    needed: Vec<u64>,
    lookups: u64,
    distinct: u64,
}

impl HitCurve {
    /// Looks up the blocks of all prompts in the order of the trace. Turns that follow others come after all requests
    /// with a time.
    pub fn of(trace: &Trace) -> Self {
        let lookups: usize = trace.all().iter().map(|request| request.hash_ids.len()).sum();
        let mut used = Recent::new(lookups);
        let mut last: HashMap<u64, usize> = HashMap::new();
        let mut needed = Vec::new();
        let mut now = 0;
        for request in trace.all() {
            // A block is of use only where all before it are there.
            let mut most = 0;
            for id in &request.hash_ids {
                let Some(&at) = last.get(id) else { break };
                most = most.max(used.since(at));
                needed.push(most);
            }
            for id in request.hash_ids.iter().rev() {
                if let Some(before) = last.insert(*id, now) {
                    used.unmark(before);
                }
                used.mark(now);
                now += 1;
            }
        }
        needed.sort_unstable();
        Self {
            needed,
            lookups: lookups as u64,
            distinct: last.len() as u64,
        }
    }

    /// Blocks that were looked up.
    pub fn lookups(&self) -> u64 {
        self.lookups
    }

    /// Blocks that differ.
    pub fn distinct(&self) -> u64 {
        self.distinct
    }

    /// The share of blocks that a cache of so many blocks has, 0 to 1; `None` where none was looked up.
    pub fn hit_ratio(&self, blocks: u64) -> Option<f64> {
        let hits = self.needed.partition_point(|needed| *needed <= blocks);
        (self.lookups > 0).then(|| hits as f64 / self.lookups as f64)
    }
}

/// Counts the marks behind a place (a Fenwick tree).
struct Recent {
    sums: Vec<u32>,
    marks: u32,
}

impl Recent {
    fn new(places: usize) -> Self {
        Self {
            sums: vec![0; places + 1],
            marks: 0,
        }
    }

    fn mark(&mut self, place: usize) {
        self.marks += 1;
        let mut at = place + 1;
        while at < self.sums.len() {
            self.sums[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    fn unmark(&mut self, place: usize) {
        self.marks -= 1;
        let mut at = place + 1;
        while at < self.sums.len() {
            self.sums[at] -= 1;
            at += at & at.wrapping_neg();
        }
    }

    /// Marks at this place and behind it.
    fn since(&self, place: usize) -> u64 {
        let (mut before, mut at) = (0, place);
        while at > 0 {
            before += self.sums[at];
            at -= at & at.wrapping_neg();
        }
        u64::from(self.marks - before)
    }
}
