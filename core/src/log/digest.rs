//! A digest that shows whether two copies of the log are equal.

use super::{Entry, Slot};
use serde::{Deserialize, Serialize};

/// A checksum over the entries of the log behind one slot up to another: CRC-32 over their postcard
/// encodings, one after the other. Digests with the same base and slot are equal if the copies are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The slot behind which the entries begin.
    pub base: Slot,
    /// The last slot.
    pub slot: Slot,
    /// The checksum.
    pub crc: u32,
}

impl Digest {
    /// Returns the digest extended by the entry of the next slot.
    #[must_use]
    pub fn with(self, entry: &Entry) -> Self {
        let bytes = postcard::to_allocvec(entry).expect("an entry in memory always encodes");
        let mut crc = crc32fast::Hasher::new_with_initial(self.crc);
        crc.update(&bytes);
        Self { base: self.base, slot: self.slot.next(), crc: crc.finalize() }
    }
}
