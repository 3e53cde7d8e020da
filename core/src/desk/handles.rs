//! Handle numbers, and the clock of each handle: a client that is silent for its clean-up time
//! loses it.

use super::Desk;
use crate::io::Link;
use crate::log::{Handle, State};
use crate::time::{Duration, Mono};
use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::RangeInclusive;
use sha2::{Digest, Sha256};

/// Hands out handle numbers from a reserved block. A number is never handed out twice: blocks are
/// reserved in the log, and within a block it counts upwards.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    key: u128,
    block: RangeInclusive<u32>,
    /// Follows when that one is used up.
    spare: RangeInclusive<u32>,
}

impl Numbers {
    pub(super) fn none() -> Self {
        Self { key: 0, block: RangeInclusive::new(1, 0), spare: RangeInclusive::new(1, 0) }
    }

    /// Goes on with this block when what there is has been used up. `key` belongs to the group, so that its handles look alike on
    /// both fronts and unlike another group's.
    pub(super) fn take(&mut self, key: u128, block: RangeInclusive<u32>) {
        (self.key, self.spare) = (key, block);
    }

    pub(super) fn left(&self) -> u32 {
        let left = |block: &RangeInclusive<u32>| {
            if block.is_empty() { 0 } else { block.end() - block.start() + 1 }
        };
        left(&self.block) + left(&self.spare)
    }

    pub(super) fn next(&mut self) -> Option<Handle> {
        loop {
            if self.block.is_empty() {
                self.block = core::mem::replace(&mut self.spare, RangeInclusive::new(1, 0));
            }
            let handle = scramble(self.key, self.block.next()?);
            if handle.0 != 0 {
                return Some(handle);
            }
        }
    }

    /// What is left of both blocks.
    #[cfg(feature = "model")]
    pub(super) fn ranges(&self) -> [Option<(u32, u32)>; 2] {
        [&self.block, &self.spare]
            .map(|left| (!left.is_empty()).then(|| (*left.start(), *left.end())))
    }

    /// What an allocation is called in front of others: says nothing about its handle.
    pub(super) fn alias(&self, handle: Handle) -> u32 {
        let mut hash = Sha256::new_with_prefix("allocation");
        hash.update(self.key.to_le_bytes());
        hash.update(handle.0.to_le_bytes());
        let digest = hash.finalize();
        u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
    }
}

/// One handle for each number below 2^31: the low half counts, the high half looks random, as
/// clients know it (fact sheet 3.3), which keeps a client from guessing its neighbour's.
fn scramble(key: u128, number: u32) -> Handle {
    let low = number & 0xffff;
    let mut hash = Sha256::new();
    hash.update(key.to_le_bytes());
    hash.update(low.to_le_bytes());
    let digest = hash.finalize();
    let mask = u32::from(u16::from_le_bytes([digest[0], digest[1]]) & 0x7fff);
    Handle((((number >> 16) ^ mask) << 16) | low)
}

#[derive(Clone, Debug)]
struct Watch {
    heard: Mono,
    link: Option<Link>,
    cleanup: Duration,
    due: Mono,
}

/// When each handle was last heard of.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    handles: BTreeMap<Handle, Watch>,
    due: BTreeSet<(Mono, Handle)>,
}

impl Watches {
    /// Begins to watch a handle, or begins anew.
    pub(super) fn begin(
        &mut self,
        now: Mono,
        handle: Handle,
        link: Option<Link>,
        cleanup: Duration,
    ) {
        self.end(handle);
        let due = now + cleanup;
        self.handles.insert(handle, Watch { heard: now, link, cleanup, due });
        self.due.insert((due, handle));
    }

    /// The handle was used, by this link.
    pub(super) fn heard(&mut self, now: Mono, handle: Handle, link: Link) {
        if let Some(watch) = self.handles.get_mut(&handle) {
            (watch.heard, watch.link) = (now, Some(link));
        }
    }

    /// The handle was used at that time, somewhere else.
    fn used(&mut self, at: Mono, handle: Handle) {
        if let Some(watch) = self.handles.get_mut(&handle) {
            watch.heard = watch.heard.max(at);
        }
    }

    /// When it was last used, as far as is known.
    pub(super) fn last(&self, handle: Handle) -> Option<Mono> {
        self.handles.get(&handle).map(|watch| watch.heard)
    }

    pub(super) fn end(&mut self, handle: Handle) {
        if let Some(watch) = self.handles.remove(&handle) {
            self.due.remove(&(watch.due, handle));
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The clean-up time of a handle is over; `false`: it is not watched.
    #[cfg(feature = "model")]
    pub(super) fn let_end(&mut self, handle: Handle) -> bool {
        let Some(watch) = self.handles.get_mut(&handle) else { return false };
        self.due.remove(&(watch.due, handle));
        *watch = Watch { heard: Mono(0), link: None, cleanup: Duration::ZERO, due: Mono(0) };
        self.due.insert((watch.due, handle))
    }

    /// The handles that are watched.
    #[cfg(feature = "model")]
    pub(super) fn handles(&self) -> alloc::vec::Vec<Handle> {
        self.handles.keys().copied().collect()
    }

    /// When the first one has to be looked at.
    pub(super) fn next_due(&self) -> Option<Mono> {
        self.due.first().map(|&(due, _)| due)
    }

    /// A handle whose client has been silent for its clean-up time; call until there is none.
    /// `link_heard` says when something last came by a link: a client that speaks at all is there.
    pub(super) fn silent(
        &mut self,
        now: Mono,
        link_heard: impl Fn(Link) -> Option<Mono>,
    ) -> Option<Handle> {
        while let Some(&(due, handle)) = self.due.first() {
            if due > now {
                return None;
            }
            self.due.remove(&(due, handle));
            let Some(watch) = self.handles.get_mut(&handle) else { continue };
            let spoke = watch.link.and_then(&link_heard).unwrap_or_default().max(watch.heard);
            if spoke + watch.cleanup <= now {
                self.handles.remove(&handle);
                return Some(handle);
            }
            watch.due = spoke + watch.cleanup;
            self.due.insert((watch.due, handle));
        }
        None
    }
}

impl Desk {
    /// A call has named a handle at that time, and this desk could not take the call: whoever holds
    /// the handle was there then. A seat that only lingers is nobody's.
    pub(crate) fn alive(&mut self, at: Mono, handle: Handle, state: &State) {
        if state.held(handle).is_some() {
            self.watches.used(at, handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_distinct_and_fit_the_wire() {
        let mut numbers = Numbers::none();
        assert_eq!(numbers.next(), None);
        numbers.take(7, 60_000..=80_000);
        assert_eq!(numbers.left(), 20_001);
        let mut seen = BTreeSet::new();
        while let Some(handle) = numbers.next() {
            assert!(handle.0 != 0 && handle.0 < 0x8000_0000, "{handle}");
            assert!(seen.insert(handle), "{handle} came twice");
        }
        assert_eq!((seen.len(), numbers.left()), (20_001, 0));
        // A block that comes early waits for its turn.
        numbers.take(7, 80_001..=80_002);
        assert!(numbers.next().is_some_and(|handle| seen.insert(handle)));
        numbers.take(7, 80_003..=80_004);
        assert_eq!(numbers.left(), 3);
        assert!((0..3).all(|_| numbers.next().is_some_and(|handle| seen.insert(handle))));
        assert_eq!((numbers.next(), numbers.left()), (None, 0));
    }

    #[test]
    fn silence_ends_a_handle_and_any_word_of_its_link_keeps_it() {
        let (mut watches, minute) = (Watches::default(), Duration::from_secs(60));
        let at = |seconds: u64| Mono(seconds * 1_000_000);
        watches.begin(at(0), Handle(1), Some(Link(2)), minute);
        watches.begin(at(0), Handle(2), None, minute);
        assert_eq!(watches.next_due(), Some(at(60)));
        assert_eq!(watches.silent(at(59), |_| None), None);
        let heard = |link: Link| (link == Link(2)).then_some(at(30));
        assert_eq!(watches.silent(at(60), heard), Some(Handle(2)));
        assert_eq!(watches.silent(at(60), heard), None);
        assert_eq!(watches.next_due(), Some(at(90)));
        watches.heard(at(80), Handle(1), Link(4));
        assert_eq!(watches.silent(at(90), heard), None);
        assert_eq!(watches.silent(at(140), |_| None), Some(Handle(1)));
        assert_eq!(watches.next_due(), None);
    }
}
