//! Handle numbers: 31 bits that look random without the group key, and none of which is given
//! twice.
//!
//! A counter, whose blocks are reserved in the log, goes through a permutation of all numbers of 31
//! bits: distinct counts give distinct numbers, and many known numbers do not reveal the others.
//! The key of the permutation comes from the group key and the name of the group, so both fronts
//! have the same one, a recovered group continues with it, and no journal, snapshot or message
//! contains it.
//!
//! Older programs made numbers that could be guessed ([`legacy`]). Numbers that they may have given
//! are never used again.

use crate::base::limits::{HANDLE_BITS, HANDLE_ROUNDS};
use crate::link::channel::GroupKey;
use crate::log::Handle;
use aes::Aes256;
use aes::cipher::{BlockEncrypt, KeyInit};
use core::ops::RangeInclusive;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The key of a group's handle numbers. It is derived from the group key, and reveals nothing about
/// other derived keys.
#[derive(Clone, Default)]
pub struct HandleKey(Zeroizing<[u8; 32]>);

impl core::fmt::Debug for HandleKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HandleKey(..)")
    }
}

impl HandleKey {
    /// Returns the key derived from the group key, so that both fronts have the same one.
    #[must_use]
    pub fn of_group(key: &GroupKey) -> Self {
        Self::new(key.derive(b"tmr handle numbers"))
    }

    /// Returns the key with these 32 bytes, which must be unpredictable.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the 32 bytes of a key derived for `purpose` and `owner`.
    fn derive(&self, purpose: &[u8; 8], owner: u128) -> [u8; 32] {
        let digest = Sha256::new().chain_update(*self.0).chain_update(purpose);
        digest.chain_update(owner.to_le_bytes()).finalize().into()
    }
}

/// Gives handle numbers from a reserved block, none of them twice: blocks are reserved in the log,
/// and within a block the counter only rises.
#[derive(Clone, Debug)]
pub(super) struct HandleAllocator {
    /// The owner of the numbers: a group, or a backend's disk.
    owner: u128,
    permutation: Permutation,
    block: RangeInclusive<u32>,
    /// The block that follows the current one.
    spare: RangeInclusive<u32>,
}

impl HandleAllocator {
    pub(super) fn none() -> Self {
        Self {
            owner: 0,
            permutation: Permutation::new(&Zeroizing::default()),
            block: RangeInclusive::new(1, 0),
            spare: RangeInclusive::new(1, 0),
        }
    }

    /// Adds a block that is used after the current one. `owner`: the group, whose numbers are the
    /// same on both fronts and differ from another group's.
    pub(super) fn take(&mut self, key: &HandleKey, owner: u128, block: RangeInclusive<u32>) {
        self.permutation = Permutation::new(&Zeroizing::new(key.derive(b"numbers.", owner)));
        self.owner = owner;
        self.spare = block;
    }

    pub(super) fn left(&self) -> u32 {
        let left = |block: &RangeInclusive<u32>| {
            if block.is_empty() { 0 } else { block.end() - block.start() + 1 }
        };
        left(&self.block) + left(&self.spare)
    }

    /// Returns the next number; `None` if another block must be reserved first.
    pub(super) fn next(&mut self) -> Option<Handle> {
        loop {
            if self.block.is_empty() {
                self.block = core::mem::replace(&mut self.spare, RangeInclusive::new(1, 0));
            }
            let count = self.block.next()?;
            let handle = self.permutation.of(count);
            // An older program that led in between had counts below this one.
            let old = legacy::count_of(self.owner, handle) <= count;
            if handle.0 != 0 && !old {
                return Some(handle);
            }
        }
    }

    /// Returns the remaining ranges of both blocks.
    #[cfg(feature = "model")]
    pub(super) fn ranges(&self) -> [Option<(u32, u32)>; 2] {
        [&self.block, &self.spare]
            .map(|left| (!left.is_empty()).then(|| (*left.start(), *left.end())))
    }
}

/// Returns the number that other clients see for an allocation; it does not reveal the handle.
pub(super) fn alias(key: &HandleKey, handle: Handle) -> u32 {
    let digest = key.derive(b"aliases.", u128::from(handle.0));
    u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// A permutation of the numbers below 2^31: a Feistel network whose halves of 15 and 16 bits are
/// changed in turn, by AES-256 of the round and the other half. It needs no walk through a larger
/// domain, and a number costs little compared with an access. The cipher wipes its key when it is
/// dropped.
#[derive(Clone)]
struct Permutation(Aes256);

impl core::fmt::Debug for Permutation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Permutation(..)")
    }
}

impl Permutation {
    const HIGH: u32 = HANDLE_BITS / 2;
    const LOW: u32 = HANDLE_BITS - Self::HIGH;

    fn new(key: &[u8; 32]) -> Self {
        Self(Aes256::new(key.into()))
    }

    fn of(&self, count: u32) -> Handle {
        let mut low = count & ((1 << Self::LOW) - 1);
        let mut high = count >> Self::LOW;
        for round in 0..HANDLE_ROUNDS {
            if round % 2 == 0 {
                high ^= self.round(round, low) & ((1 << Self::HIGH) - 1);
            } else {
                low ^= self.round(round, high) & ((1 << Self::LOW) - 1);
            }
        }
        Handle((high << Self::LOW) | low)
    }

    fn round(&self, round: u8, half: u32) -> u32 {
        let mut block = [0; 16];
        block[0] = round;
        block[1..5].copy_from_slice(&half.to_le_bytes());
        self.0.encrypt_block((&mut block).into());
        u32::from_le_bytes([block[0], block[1], block[2], block[3]])
    }
}

/// The handle numbers of older programs: the low half counts, the high half is keyed by the name of
/// the group, which is public.
mod legacy {
    use crate::log::Handle;
    use sha2::{Digest, Sha256};

    /// Returns the count from which an older program made this number.
    pub(super) fn count_of(owner: u128, handle: Handle) -> u32 {
        let low = handle.0 & 0xffff;
        let mut hash = Sha256::new();
        hash.update(owner.to_le_bytes());
        hash.update(low.to_le_bytes());
        let digest = hash.finalize();
        let mask = u32::from(u16::from_le_bytes([digest[0], digest[1]]) & 0x7fff);
        (((handle.0 >> 16) ^ mask) << 16) | low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    fn key(byte: u8) -> HandleKey {
        HandleKey::new([byte; 32])
    }

    #[test]
    fn handles_are_distinct_and_fit_the_wire() {
        let mut numbers = HandleAllocator::none();
        assert_eq!(numbers.next(), None);
        numbers.take(&key(3), 7, 60_000..=80_000);
        assert_eq!(numbers.left(), 20_001);
        let mut seen = BTreeSet::new();
        while let Some(handle) = numbers.next() {
            assert!(handle.0 != 0 && handle.0 < 0x8000_0000, "{handle}");
            assert!(seen.insert(handle), "{handle} came twice");
        }
        // A few are left out, because an older program may have given them.
        assert!(seen.len() > 19_980, "{}", seen.len());
        assert_eq!(numbers.left(), 0);
        // A block that is added early is used after the current one.
        numbers.take(&key(3), 7, 80_001..=80_002);
        assert!(numbers.next().is_some_and(|handle| seen.insert(handle)));
        numbers.take(&key(3), 7, 80_003..=80_004);
        assert_eq!(numbers.left(), 3);
        assert!((0..3).all(|_| numbers.next().is_some_and(|handle| seen.insert(handle))));
        assert_eq!((numbers.next(), numbers.left()), (None, 0));
    }

    #[test]
    fn the_numbers_are_a_permutation_that_looks_random() {
        let permutation = Permutation::new(&key(5).derive(b"numbers.", 9));
        let count = 1 << 14;
        let all: BTreeSet<u32> = (0..count).map(|count| permutation.of(count).0).collect();
        assert_eq!(all.len(), count as usize);
        // Each bit is set in half of them; neighbours differ in half of their bits.
        for bit in 0..31 {
            let set = all.iter().filter(|number| *number >> bit & 1 == 1).count();
            assert!(set.abs_diff(count as usize / 2) < 400, "bit {bit}: {set}");
        }
        let apart = |count| (permutation.of(count).0 ^ permutation.of(count + 1).0).count_ones();
        let apart: u32 = (0..2_048).map(apart).sum();
        assert!(apart.abs_diff(2_048 * 31 / 2) < 700, "{apart}");
    }

    #[test]
    fn who_has_not_the_key_cannot_tell_the_next_number() {
        let of = |key: &HandleKey| {
            let mut numbers = HandleAllocator::none();
            numbers.take(key, 7, 1..=1_000);
            core::iter::from_fn(move || numbers.next()).collect::<Vec<_>>()
        };
        let (right, wrong) = (of(&key(1)), of(&key(2)));
        assert_eq!(of(&key(1)), right, "both fronts make the same");
        assert!(!right.iter().any(|handle| wrong.contains(handle)));
        // The old scheme counted in the low half, which made its numbers easy to guess.
        let counts = right.windows(2).filter(|two| two[1].0 & 0xffff == (two[0].0 + 1) & 0xffff);
        assert!(counts.count() < 5);
        assert_ne!(alias(&key(1), right[0]), alias(&key(2), right[0]));
    }

    #[test]
    fn what_an_older_program_has_handed_out_never_comes_again() {
        // The count is so far ahead that every other number may be one of an older program.
        let (first, last) = (1 << 30, (1 << 30) + 2_000);
        let mut numbers = HandleAllocator::none();
        numbers.take(&key(4), 11, first..=last);
        let mut given = 0;
        while let Some(handle) = numbers.next() {
            let count = legacy::count_of(11, handle);
            assert!(count > first, "an older program made {handle} from {count}");
            given += 1;
        }
        assert!((800..1_200).contains(&given), "{given}");
    }
}
