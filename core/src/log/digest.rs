//! A digest that shows whether two copies of the log are equal.

use super::{Entry, Slot};
use crc32fast::Hasher;
use postcard::ser_flavors::Flavor;
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
        let crc = postcard::serialize_with_flavor(entry, Checksum::after(self.crc))
            .expect("an entry in memory always encodes");
        Self { base: self.base, slot: self.slot.next(), crc }
    }
}

/// Bytes that are summed up at once; most entries are shorter.
const CHUNK: usize = 256;

/// Sums up what postcard encodes, and keeps none of it. Every server does this for every entry, so
/// that nothing is allocated for it.
struct Checksum {
    crc: Hasher,
    chunk: [u8; CHUNK],
    used: usize,
}

impl Checksum {
    fn after(crc: u32) -> Self {
        Self { crc: Hasher::new_with_initial(crc), chunk: [0; CHUNK], used: 0 }
    }

    fn flush(&mut self) {
        self.crc.update(&self.chunk[..self.used]);
        self.used = 0;
    }
}

impl Flavor for Checksum {
    type Output = u32;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        if self.used == CHUNK {
            self.flush();
        }
        self.chunk[self.used] = byte;
        self.used += 1;
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() > CHUNK - self.used {
            self.flush();
        }
        if bytes.len() > CHUNK {
            self.crc.update(bytes);
        } else {
            self.chunk[self.used..self.used + bytes.len()].copy_from_slice(bytes);
            self.used += bytes.len();
        }
        Ok(())
    }

    fn finalize(mut self) -> postcard::Result<u32> {
        self.flush();
        Ok(self.crc.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Checksum};
    use alloc::string::String;
    use alloc::vec::Vec;

    #[test]
    fn the_checksum_is_that_of_the_whole_encoding_however_it_is_cut() {
        for length in [0, 1, CHUNK - 3, CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let texts = (String::from("x").repeat(length), 7_u8, String::from("y").repeat(length));
            let value = (texts, Vec::from([300_u32; 40]));
            let bytes = postcard::to_allocvec(&value).unwrap();
            let mut whole = crc32fast::Hasher::new_with_initial(5);
            whole.update(&bytes);
            let cut = postcard::serialize_with_flavor(&value, Checksum::after(5)).unwrap();
            assert_eq!(cut, whole.finalize(), "{length}");
        }
    }
}
