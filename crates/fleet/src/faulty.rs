//! [`Worst`]: the instances with the most replies that could not be used as they came.

use std::sync::Arc;

use crate::outcome::ReplyCounts;
use crate::roster::InstanceKey;
use crate::snapshot::{Identity, PoolName};

/// Instances that are named.
pub const WORST_SENDERS: usize = 20;

/// An instance whose replies were late, repeated or refused, all or some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faulty {
    /// The service's name.
    pub service: Arc<str>,
    /// The instance's id.
    pub instance: Arc<str>,
    /// A worker that it reports, with its pool, if there is one.
    pub member: Option<(PoolName, Arc<Identity>)>,
    /// Those replies by result, in all of its pools. `ok` and `foreign` are not counted.
    pub replies: ReplyCounts,
}

/// The worst instances. Counts only grow, so one comparison with the best of them for each fault is enough.
#[derive(Debug, Default)]
pub(crate) struct Worst(Vec<(u64, InstanceKey)>);

impl Worst {
    /// An instance has come to so many faults.
    pub(crate) fn note(&mut self, key: InstanceKey, faults: u64) {
        if let Some(known) = self.0.iter_mut().find(|(_, known)| *known == key) {
            known.0 = faults;
        } else if self.0.len() < WORST_SENDERS {
            self.0.push((faults, key));
        } else if let Some(best) = self.0.iter_mut().min_by_key(|(faults, _)| *faults)
            && best.0 < faults
        {
            *best = (faults, key);
        }
    }

    /// Forgets instances that are gone, so that they keep no place from others.
    pub(crate) fn retain(&mut self, is_there: impl Fn(InstanceKey) -> bool) {
        self.0.retain(|(_, key)| is_there(*key));
    }

    /// The instances, the worst first.
    pub(crate) fn keys(&mut self) -> impl Iterator<Item = InstanceKey> {
        self.0.sort_by_key(|(faults, _)| std::cmp::Reverse(*faults));
        self.0.iter().map(|(_, key)| *key)
    }
}

#[cfg(test)]
mod tests {
    use slotmap::SlotMap;

    use super::*;

    #[test]
    fn the_worst_are_kept_in_order_however_many_there_are() {
        let mut instances: SlotMap<InstanceKey, ()> = SlotMap::with_key();
        let keys: Vec<InstanceKey> = (0..100).map(|_| instances.insert(())).collect();
        let mut worst = Worst::default();
        for faults in 1..=100 {
            for (place, key) in keys
                .iter()
                .enumerate()
                .filter(|(place, _)| *place >= 100 - faults)
            {
                worst.note(*key, (faults + place - 99) as u64);
            }
        }
        let expected: Vec<InstanceKey> = keys.iter().rev().take(WORST_SENDERS).copied().collect();
        assert_eq!(worst.keys().collect::<Vec<_>>(), expected);
        worst.retain(|key| key != keys[99]);
        assert_eq!(worst.keys().next(), Some(keys[98]));
    }
}
