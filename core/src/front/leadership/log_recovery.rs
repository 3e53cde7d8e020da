//! What a claim has read of the copies of the backends that promised. The rules are those of
//! *Consistency* 5.
//!
//! What never lives here: orders and reports, and what follows when all is read (that is
//! `reading`).

use crate::base::limits::STATE_MAX;
use crate::front::BackendId;
use crate::front::usage::Backfill;
use crate::log::{AcceptedEntry, DiskId, Epoch, GroupId, Slot, State};
use crate::messages::group::{Piece, Standing};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a claim has read so far.
#[derive(Clone, Debug)]
pub(in crate::front) struct LogRecovery {
    epoch: Epoch,
    group: GroupId,
    /// The backends that promised, the one with the most committed slots first.
    from: Vec<BackendId>,
    /// The place in `from` of the one that is being read.
    at: usize,
    /// Its state, while that is being read.
    state: Option<PartialState>,
    /// The next slot to read.
    next: Slot,
    /// For each slot the entry of the highest epoch.
    read: BTreeMap<Slot, AcceptedEntry>,
    /// Every slot up to here is known to be chosen.
    chosen: Slot,
    /// The entries before the state, as far as the usage history has not recorded them.
    backfill: Option<Backfill>,
}

/// The copy with the most committed slots.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct BestCopy {
    pub(in crate::front) group: GroupId,
    pub(in crate::front) standing: Standing,
    /// The process of its backend.
    pub(in crate::front) process: u128,
}

/// A state that is read piece by piece. It outlives the claim that began to read it: after a slow
/// or broken connection, only the rest has to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::front) struct PartialState {
    group: GroupId,
    disk: DiskId,
    /// The process of that disk's backend; reading never continues from another process.
    process: u128,
    /// The slot of the state; `None` before the first piece.
    slot: Option<Slot>,
    bytes: Vec<u8>,
}

/// The next piece of the copies that a claim reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct NextPiece {
    /// The backend that has it.
    pub(super) from: BackendId,
    pub(super) piece: Piece,
}

/// What came of a piece of a state.
#[derive(Debug)]
pub(super) enum StateRead {
    /// No state is being read.
    Unexpected,
    /// More pieces follow, or all of them again.
    Unfinished,
    /// The state is longer than any can be.
    TooLong,
    /// The bytes are no state.
    Malformed,
    /// The state of this backend is read.
    Whole { from: BackendId, state: Box<State> },
}

/// What a claim has read when no piece is left.
#[derive(Debug)]
pub(super) struct CopiesRead {
    /// The backends whose copies were read.
    pub(super) from: Vec<BackendId>,
    /// For each slot the entry of the highest epoch.
    pub(super) entries: BTreeMap<Slot, AcceptedEntry>,
    /// Every slot up to here is known to be chosen.
    pub(super) chosen: Slot,
}

impl LogRecovery {
    /// Returns a reading of the copies of `from`, the best one first. With `whole` its state is
    /// read, otherwise only the entries from `next` on.
    pub(in crate::front) fn new(
        epoch: Epoch,
        best: BestCopy,
        from: Vec<BackendId>,
        whole: bool,
        next: Slot,
    ) -> Self {
        let BestCopy { group, standing, process } = best;
        let disk = standing.disk;
        let fresh = PartialState { group, disk, process, slot: None, bytes: Vec::new() };
        Self {
            epoch,
            group,
            from,
            at: 0,
            state: whole.then_some(fresh),
            next,
            read: BTreeMap::new(),
            chosen: standing.committed,
            backfill: None,
        }
    }

    /// Continues with what an earlier claim has read, if that was of the same copy.
    pub(super) fn go_on_with(&mut self, partial: Option<PartialState>) {
        let of = |partial: &PartialState| (partial.group, partial.disk, partial.process);
        if let (Some(state), Some(partial)) = (&mut self.state, partial) {
            if of(state) == of(&partial) {
                *state = partial;
            }
        }
    }

    /// Returns the epoch of the claim that reads.
    pub(in crate::front) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the group whose log is read.
    pub(super) fn group(&self) -> GroupId {
        self.group
    }

    /// Takes the part of a state that was read so far.
    pub(super) fn take_state(&mut self) -> Option<PartialState> {
        self.state.take()
    }

    /// Returns the next piece to read; `None` if all copies are read. `last_of` returns the last
    /// slot of a backend, and `committed` is the last slot that this front knows to be chosen.
    pub(super) fn next_piece(
        &mut self,
        last_of: impl Fn(BackendId) -> Slot,
        committed: Slot,
    ) -> Option<NextPiece> {
        loop {
            let from = *self.from.get(self.at)?;
            if let Some(state) = &self.state {
                let piece = Piece::State { offset: state.bytes.len() as u64 };
                return Some(NextPiece { from, piece });
            }
            if let Some(first) = self.backfill.as_ref().and_then(Backfill::next) {
                return Some(NextPiece { from, piece: Piece::Log { from: first } });
            }
            if self.next <= last_of(from) {
                return Some(NextPiece { from, piece: Piece::Log { from: self.next } });
            }
            self.at += 1;
            self.next = self.chosen.max(committed).next();
        }
    }

    /// Takes a piece of a state. `last`: it is the last one.
    pub(super) fn add_state(&mut self, slot: Slot, bytes: &[u8], last: bool) -> StateRead {
        let Some(state) = &mut self.state else { return StateRead::Unexpected };
        if state.slot.is_some_and(|begun| begun != slot) {
            // The backend's state has changed since the claim that began to read it.
            state.slot = None;
            state.bytes.clear();
            return StateRead::Unfinished;
        }
        state.slot = Some(slot);
        if state.bytes.len() + bytes.len() > STATE_MAX {
            self.state = None;
            return StateRead::TooLong;
        }
        state.bytes.extend_from_slice(bytes);
        if !last {
            return StateRead::Unfinished;
        }
        let decoded = State::decode(&state.bytes);
        self.state = None;
        let (Some(state), Some(&from)) = (decoded, self.from.get(self.at)) else {
            return StateRead::Malformed;
        };
        self.next = slot.next();
        StateRead::Whole { from, state: Box::new(state) }
    }

    /// Sets the entries before the state that the usage history lacks.
    pub(super) fn set_backfill(&mut self, backfill: Option<Backfill>) {
        self.backfill = backfill;
    }

    /// Takes entries. Returns those before the state that the usage history lacks, once all of
    /// these are read.
    pub(super) fn add_entries(&mut self, entries: Vec<AcceptedEntry>) -> Option<Backfill> {
        if let Some(backfill) = self.backfill.take() {
            let backfill = backfill.and(entries);
            if backfill.next().is_none() {
                return Some(backfill);
            }
            self.backfill = Some(backfill);
            return None;
        }
        for stored in entries {
            let slot = self.next;
            self.next = slot.next();
            let newer = self.read.get(&slot).is_none_or(|had| had.epoch < stored.epoch);
            if newer {
                self.read.insert(slot, stored);
            }
        }
        None
    }

    /// Takes what was read.
    pub(super) fn take_copies(&mut self) -> CopiesRead {
        CopiesRead {
            from: core::mem::take(&mut self.from),
            entries: core::mem::take(&mut self.read),
            chosen: self.chosen,
        }
    }

    /// Returns whether a backend's copy is part of this reading.
    pub(in crate::front) fn reads(&self, id: BackendId) -> bool {
        self.from.contains(&id)
    }

    /// For an exhaustive check: adds what was read, apart from the order of the backends.
    #[cfg(feature = "model")]
    pub(in crate::front) fn fingerprint(
        &self,
        print: &mut crate::front::print::Print,
        name: &dyn Fn(DiskId) -> u8,
    ) {
        // Entries that are filled in later change no decision.
        let Self { epoch, group, from: _, at, state, next, read, chosen, backfill: _ } = self;
        let state = state.as_ref().map(|state| state.fingerprint(name));
        print.add(&(epoch, group, at, state, next, read, chosen));
    }

    /// For an exhaustive check: returns when a backend's copy is read.
    #[cfg(feature = "model")]
    pub(in crate::front) fn turn(&self, id: BackendId) -> Option<usize> {
        self.from.iter().position(|&read| read == id)
    }
}

/// For an exhaustive check: what was read of a state, with the name of the disk in the check.
#[cfg(feature = "model")]
#[derive(Debug, serde::Serialize)]
pub(in crate::front) struct PartialPrint {
    group: GroupId,
    disk: u8,
    slot: Option<Slot>,
    bytes: Vec<u8>,
}

#[cfg(feature = "model")]
impl PartialState {
    /// For an exhaustive check: returns whether a part is read, so that reading can continue.
    pub(in crate::front) fn is_begun(&self) -> bool {
        self.slot.is_some()
    }

    /// For an exhaustive check: returns what was read, with the name of the disk in the check.
    pub(in crate::front) fn fingerprint(&self, name: &dyn Fn(DiskId) -> u8) -> PartialPrint {
        // The name of a process is random, and each disk has one process here.
        let Self { group, disk, process: _, slot, bytes } = self;
        PartialPrint { group: *group, disk: name(*disk), slot: *slot, bytes: bytes.clone() }
    }
}
