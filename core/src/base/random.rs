//! Pseudorandom numbers from the seed of the start: equal seeds give equal numbers.

use crate::base::time::Duration;
use sha2::{Digest, Sha256};

/// A generator for rare draws: names, pauses, serials.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Returns another generator from the same seed, with a name: its numbers are independent of
    /// those of other names.
    pub(crate) fn named(seed: [u8; 32], name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed);
        hash.update(name.as_bytes());
        Self::new(hash.finalize().into())
    }

    /// Draws 128 random bits.
    pub(crate) fn u128(&mut self) -> u128 {
        self.drawn += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.drawn.to_le_bytes());
        let digest = hash.finalize();
        u128::from_le_bytes(digest[..16].try_into().expect("16 of 32 bytes"))
    }

    /// Draws a number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        let width = u128::from(high - low) + 1;
        low + u32::try_from(self.u128() % width).expect("below the width of a u32")
    }

    /// Draws a pause in the range, in whole milliseconds.
    pub(crate) fn pause(&mut self, range: (Duration, Duration)) -> Duration {
        let millis = |span: Duration| u32::try_from(span.as_millis()).unwrap_or(u32::MAX);
        Duration::from_millis(self.between(millis(range.0), millis(range.1)).into())
    }
}
