//! Which revisions are loaded in one worker, least recently used first out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use botloom_core::Sha256Hash;

/// A bounded map from revision to the handle it has in the worker.
#[derive(Debug)]
pub(super) struct Lru {
    entries: HashMap<Sha256Hash, Entry>,
    capacity: usize,
}

#[derive(Debug)]
struct Entry {
    handle: u64,
    used: Instant,
}

impl Lru {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity: capacity.max(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The handle of `key`, which counts as used.
    pub(super) fn touch(&mut self, key: &Sha256Hash, now: Instant) -> Option<u64> {
        let entry = self.entries.get_mut(key)?;
        entry.used = now;
        Some(entry.handle)
    }

    /// Adds `key`; returns the handle that had to go for it.
    pub(super) fn insert(&mut self, key: Sha256Hash, handle: u64, now: Instant) -> Option<u64> {
        let oldest = || {
            self.entries
                .iter()
                .min_by_key(|(_, entry)| entry.used)
                .map(|(key, _)| *key)
        };
        let evicted = if self.entries.len() < self.capacity {
            None
        } else {
            oldest()
        };
        let evicted = evicted.and_then(|key| self.entries.remove(&key));
        self.entries.insert(key, Entry { handle, used: now });
        evicted.map(|entry| entry.handle)
    }

    /// Forgets `key` if it still has this handle.
    pub(super) fn forget(&mut self, key: &Sha256Hash, handle: u64) {
        if self.entries.get(key).is_some_and(|entry| entry.handle == handle) {
            self.entries.remove(key);
        }
    }

    /// Forgets and returns everything that was not used for `idle`.
    pub(super) fn expire(&mut self, idle: Duration, now: Instant) -> Vec<u64> {
        let old = |entry: &Entry| now.saturating_duration_since(entry.used) >= idle;
        self.entries
            .extract_if(|_, entry| old(entry))
            .map(|(_, entry)| entry.handle)
            .collect()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let (start, key) = (Instant::now(), |n: u8| Sha256Hash::of([n]));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lru = Lru::new(2);
        assert_eq!(lru.insert(key(1), 1, at(1)), None);
        assert_eq!(lru.insert(key(2), 2, at(2)), None);
        assert_eq!(lru.touch(&key(1), at(3)), Some(1));
        assert_eq!(lru.insert(key(3), 3, at(4)), Some(2));
        assert_eq!((lru.touch(&key(2), at(5)), lru.len()), (None, 2));
        lru.forget(&key(3), 9);
        assert_eq!(lru.expire(Duration::from_secs(6), at(9)), vec![1]);
        lru.forget(&key(3), 3);
        assert_eq!(lru.len(), 0);
    }
}
