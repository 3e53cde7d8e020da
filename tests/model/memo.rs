//! A memory of earlier steps: most states differ in other nodes than the one that takes a step, so
//! the same step of one node is needed again and again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Steps that are remembered; then all are forgotten. A node takes some kilobytes.
const KEPT: usize = 400_000;

#[derive(Debug)]
pub(crate) struct Memo<K, V>(Mutex<BTreeMap<K, V>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, V: Clone> Memo<K, V> {
    /// Returns the known result of this step, or makes it.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> V {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = known().get(&key) {
            return made.clone();
        }
        let made = make();
        let mut known = known();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key, made.clone());
        made
    }
}
