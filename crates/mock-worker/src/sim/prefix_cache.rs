//! Which shared prompt prefixes a worker's KV cache still holds.

/// The prefixes that are resident, the least recently used at the front.
///
/// Blocks of cached prefixes are not counted as active: an engine gives them away when a request needs them.
#[derive(Debug, Clone, Default)]
pub(super) struct PrefixCache(Vec<u32>);

impl PrefixCache {
    /// Whether `prefix` is resident; afterwards it is, and the one used longest ago makes room for it.
    pub(super) fn touch(&mut self, prefix: u32, capacity: usize) -> bool {
        let held = self.0.len();
        self.0.retain(|other| *other != prefix);
        let resident = self.0.len() < held;
        self.0.push(prefix);
        if self.0.len() > capacity {
            self.0.remove(0);
        }
        resident
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_found_again_until_others_push_it_out() {
        let mut cache = PrefixCache::default();
        let found: Vec<bool> = [1, 1, 2, 1, 3, 2, 1]
            .into_iter()
            .map(|prefix| cache.touch(prefix, 2))
            .collect();
        assert_eq!(found, [false, true, false, true, false, false, false]);
    }

    #[test]
    fn a_cache_without_room_finds_nothing() {
        let mut cache = PrefixCache::default();
        assert!(!cache.touch(1, 0) && !cache.touch(1, 0));
    }
}
