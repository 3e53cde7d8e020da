//! Whether two copies of the log are one.

use super::{Entry, Slot};
use serde::{Deserialize, Serialize};

/// A checksum over the entries of the log behind one slot up to another: CRC-32 over their postcard
/// encodings, one after the other. Digests with the same base and slot are equal where the copies
/// are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The entries behind this slot.
    pub base: Slot,
    /// Up to this one.
    pub slot: Slot,
    /// The checksum.
    pub crc: u32,
}

impl Digest {
    /// The digest with the entry of the next slot.
    #[must_use]
    pub fn with(self, entry: &Entry) -> Self {
        let bytes = postcard::to_allocvec(entry).expect("an entry in memory always encodes");
        let mut crc = crc32fast::Hasher::new_with_initial(self.crc);
        crc.update(&bytes);
        Self { base: self.base, slot: self.slot.next(), crc: crc.finalize() }
    }
}
