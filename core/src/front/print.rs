//! The bytes that fingerprints of fronts are made of, for an exhaustive check (feature `model`).

use alloc::vec::Vec;
use serde::Serialize;

/// The bytes of a fingerprint.
pub(super) struct Print(Vec<u8>);

impl Print {
    /// Returns an empty fingerprint with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Adds bytes.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Adds a value.
    pub(super) fn add(&mut self, what: &impl Serialize) {
        let bytes = core::mem::take(&mut self.0);
        self.0 = postcard::to_extend(what, bytes).expect("what is in memory always encodes");
    }

    /// Returns all bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
