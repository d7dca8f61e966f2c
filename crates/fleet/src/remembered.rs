//! [`Remembered`]: what is kept of things that are gone, for as many as there is room.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashMap;

/// A map that forgets what it has had the longest.
#[derive(Debug)]
pub(crate) struct Remembered<K, V> {
    values: HashMap<K, (u64, V)>,
    order: VecDeque<(u64, K)>,
    last: u64,
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self {
            values: HashMap::new(),
            order: VecDeque::new(),
            last: 0,
        }
    }
}

impl<K: Hash + Eq + Clone, V> Remembered<K, V> {
    /// Remembers a value, and forgets the oldest of more than `most`.
    pub(crate) fn put(&mut self, key: K, value: V, most: usize) {
        self.last += 1;
        self.values.insert(key.clone(), (self.last, value));
        self.order.push_back((self.last, key));
        // What was taken since, or put again, is in the queue still.
        while self.order.len() > most
            && let Some((number, key)) = self.order.pop_front()
        {
            if self.values.get(&key).is_some_and(|(known, _)| *known == number) {
                self.values.remove(&key);
            }
        }
    }

    /// Hands a value back, and forgets it.
    pub(crate) fn take(&mut self, key: &K) -> Option<V> {
        self.values.remove(key).map(|(_, value)| value)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_what_comes_again_is_new() {
        let mut known = Remembered::default();
        for key in ["a", "b", "a", "c"] {
            known.put(key, key.to_uppercase(), 3);
        }
        let found = ["a", "b", "c", "d"].map(|key| known.take(&key).is_some());
        assert_eq!(found, [true, true, true, false]);
        known.put("a", String::new(), 3);
        known.put("d", String::new(), 3);
        known.put("e", String::new(), 3);
        known.put("f", String::new(), 3);
        assert_eq!((known.take(&"a"), known.order.len()), (None, 3));
    }
}
