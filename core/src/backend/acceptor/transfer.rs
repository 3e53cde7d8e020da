//! Transfers of copies: pieces of the log or of the state that a front reads, and a state that it
//! installs.

use super::{Acceptor, Anew, OrderEffects};
use crate::base::limits::{PIECE_BYTES, STATE_MAX};
use crate::log::{Epoch, GroupId, Slot, State, Witness};
use crate::messages::group::{Piece, Report};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// The result of one piece of a state.
pub(super) enum Staged {
    /// The piece does not follow the one before it, or the pieces are not a valid state.
    Misfit,
    /// More pieces are to come.
    Part,
    /// The state is complete.
    Whole(Box<State>),
}

impl Acceptor {
    pub(super) fn fetch(&mut self, piece: Piece) -> Report {
        match piece {
            Piece::State { offset } => {
                let made = self.transfers.reading.take().filter(|_| offset > 0);
                let (slot, state) = made.unwrap_or_else(|| (self.committed, self.settled.encode()));
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(state.len());
                let end = state.len().min(start + PIECE_BYTES);
                let (bytes, last) = (state[start..end].to_vec(), end == state.len());
                if !last {
                    self.transfers.reading = Some((slot, state));
                }
                Report::State { slot, bytes, last }
            }
            Piece::Log { from } if from <= self.base => Report::Gap { committed: self.committed },
            Piece::Log { from } => {
                let mut size = 0;
                let entries = self.log.iter().skip(self.index(from));
                let entries = entries.take_while(|stored| {
                    size += stored.entry.weight();
                    size <= PIECE_BYTES
                });
                Report::Log { entries: entries.cloned().collect() }
            }
        }
    }

    pub(super) fn install(
        &mut self,
        group: GroupId,
        slot: Slot,
        offset: u64,
        bytes: &[u8],
        last: bool,
        taken: &mut OrderEffects,
    ) -> Report {
        if slot <= self.committed && self.group == Some(group) {
            return Report::Stored { last: self.matched, differing: vec![] };
        }
        let gap = Report::Gap { committed: self.committed };
        let state = match self.stage(slot, offset, bytes, last) {
            Staged::Misfit => return gap,
            Staged::Part => return Report::Stored { last: self.matched, differing: vec![] },
            Staged::Whole(state) => state,
        };
        if self.group.replace(group) != Some(group) {
            self.clear_log();
            self.witness = Witness::default();
        }
        // Entries above the state may be chosen with this acceptor's vote.
        let held = usize::try_from(slot.0.saturating_sub(self.base.0)).unwrap_or(usize::MAX);
        let behind = self.log.split_off(held.min(self.log.len()));
        self.settle(slot, *state);
        self.log = behind;
        taken.rewrite = true;
        Report::Stored { last: self.matched, differing: vec![] }
    }

    /// Appends the next piece of a state to those that came before it.
    pub(super) fn stage(&mut self, slot: Slot, offset: u64, bytes: &[u8], last: bool) -> Staged {
        if offset == 0 {
            self.transfers.installing = Some((slot, Vec::new()));
        }
        let Some((staged, mut state)) = self.transfers.installing.take() else {
            return Staged::Misfit;
        };
        let long = state.len().saturating_add(bytes.len()) > STATE_MAX;
        if staged != slot || state.len() as u64 != offset || long {
            return Staged::Misfit;
        }
        state.extend_from_slice(bytes);
        if !last {
            self.transfers.installing = Some((staged, state));
            return Staged::Part;
        }
        State::decode(&state).map_or(Staged::Misfit, |state| Staged::Whole(Box::new(state)))
    }

    /// Takes a piece of the state that replaces lost memory ([`Order::Recover`]). Returns, with the
    /// last piece, the acceptor that replaces this one and keeps its promise. It is a member of a
    /// group of its own.
    ///
    /// # Errors
    /// Returns the report if more pieces are to come, or if the piece does not fit.
    pub(crate) fn recover(&mut self, epoch: Epoch, anew: &Anew<'_>) -> Result<Self, Box<Report>> {
        if epoch != self.promised || epoch == Epoch::default() {
            return Err(Box::new(Report::Refused { promised: self.promised }));
        }
        let gap = Box::new(Report::Gap { committed: self.committed });
        let state = match self.stage(anew.slot, anew.offset, anew.bytes, anew.last) {
            Staged::Misfit => return Err(gap),
            Staged::Part => {
                let more = Report::Stored { last: self.matched, differing: vec![] };
                return Err(Box::new(more));
            }
            Staged::Whole(state) => state,
        };
        let member = state.members().is_some_and(|members| members.contains(&anew.disk));
        if anew.slot == Slot(0) || !member {
            return Err(gap);
        }
        let mut acceptor = self.anew(anew.disk);
        acceptor.group = Some(anew.group);
        acceptor.settle(anew.slot, *state);
        Ok(acceptor)
    }
}
