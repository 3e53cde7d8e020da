//! The random numbers of a run: the same seed gives the same draws on every machine.

use std::collections::VecDeque;

/// SplitMix64, with draws that may be chosen by bytes.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
    chosen: VecDeque<u8>,
    /// Chosen values are drawn while there are any.
    follows: bool,
}

impl Rng {
    /// Returns the generator of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = seed ^ 0x6a09_e667_f3bc_c908;
        Self { state, chosen: VecDeque::new(), follows: false }
    }

    /// Returns the generator of the seed in the first eight bytes. While it [follows](Self::follow)
    /// the other bytes, each draw takes two of them.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let (seed, chosen) = bytes.split_at(bytes.len().min(8));
        let seed = seed.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
        Self { chosen: chosen.iter().copied().collect(), ..Self::new(seed) }
    }

    /// Sets whether it draws chosen values.
    pub fn follow(&mut self, follows: bool) {
        self.follows = follows;
    }

    /// Draws 64 random bits.
    pub fn bits(&mut self) -> u64 {
        if let (true, Some(low)) = (self.follows, self.chosen.pop_front()) {
            let high = self.chosen.pop_front().unwrap_or_default();
            // A chosen value is widened to 64 bits, because spans may exceed two bytes.
            return u64::from(u16::from_le_bytes([low, high])) * 0x0001_0001_0001_0001;
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws a number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.bits() % (high - low + 1)
    }

    /// Draws an index below `count`.
    pub fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.bits() % count as u64).expect("below a usize")
    }

    /// Draws `true` in this percentage of cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.bits() % 100 < percent
    }

    /// Draws a span whose length varies over orders of magnitude, up to `high`.
    pub fn span(&mut self, low: u64, high: u64) -> u64 {
        let top = self.between(low, high);
        self.between(low, top)
    }

    /// Draws 32 bytes of entropy for a node.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes());
        }
        bytes
    }
}
