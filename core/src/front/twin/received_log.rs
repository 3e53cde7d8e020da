//! The twin's log, as this front receives it while it stands by. Committed entries go into this
//! front's log, so that a claim has little left to read; proposed ones are kept apart, and dropped
//! with the link.

use crate::base::limits::{STATE_MAX, TWIN_ENTRIES, TWIN_WINDOW};
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::link::CloseReason;
use crate::log::{Entry, Epoch, GroupId, Setting, Slot, State};
use crate::messages::twin::Answer;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A state that is not complete.
#[derive(Clone, Debug)]
struct PartialState {
    group: GroupId,
    slot: Slot,
    bytes: Vec<u8>,
}

/// A piece of a state.
#[derive(Debug)]
pub(super) struct StatePiece {
    pub(super) group: GroupId,
    pub(super) slot: Slot,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) last: bool,
}

/// What a message of the log has led to.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) answer: Answer,
    /// Whether serials of virtual containers may have changed.
    pub(super) named: bool,
}

impl From<Answer> for Progress {
    fn from(answer: Answer) -> Self {
        Self { answer, named: false }
    }
}

/// The twin's log, as far as it was received.
#[derive(Clone, Debug, Default)]
pub(super) struct ReceivedLog {
    /// Whether the log of the twin's epoch is taken.
    takes: bool,
    /// A message did not fit and that was reported: messages that were on their way then are
    /// ignored.
    gap: bool,
    /// Entries after the log's committed ones.
    entries: VecDeque<Entry>,
    state: Option<PartialState>,
    /// The last slot that the twin has reported as committed.
    mark: Slot,
}

impl ReceivedLog {
    /// Whether the log of the twin's epoch is taken.
    pub(super) fn takes(&self) -> bool {
        self.takes
    }

    /// Begins with the log of another epoch. `takes`: whether it is taken.
    pub(super) fn begin(&mut self, takes: bool) {
        self.forget();
        self.mark = Slot(0);
        self.takes = takes;
    }

    /// Takes the log from now on, or not any more.
    pub(super) fn set_takes(&mut self, takes: bool) {
        self.forget();
        self.takes = takes;
    }

    /// Forgets what is not committed.
    pub(super) fn forget(&mut self) {
        self.takes = false;
        self.gap = false;
        self.state = None;
        self.entries = VecDeque::new();
    }

    /// Returns the last slot that the twin has reported as committed.
    pub(super) fn mark(&self) -> Slot {
        self.mark
    }

    /// Whether everything that the twin has begun to send is complete.
    pub(super) fn is_whole(&self) -> bool {
        !self.gap && self.state.is_none()
    }

    /// Takes a piece of a state. A piece that does not continue the previous one is ignored: later
    /// entries do not fit then, which is reported.
    pub(super) fn take_piece(
        &mut self,
        epoch: Epoch,
        piece: StatePiece,
        log: &mut ReplicatedLog,
    ) -> Result<Progress, CloseReason> {
        let StatePiece { group, slot, offset, bytes: piece, last } = piece;
        if offset == 0 {
            self.gap = false;
            self.entries.clear();
            if log.group() == Some(group) && slot <= log.committed() {
                self.gap = true;
                return Ok(ready(epoch, log).into());
            }
            self.state = Some(PartialState { group, slot, bytes: Vec::new() });
        }
        let continues = |state: &&mut PartialState| {
            state.group == group && state.slot == slot && state.bytes.len() as u64 == offset
        };
        let Some(state) = self.state.as_mut().filter(continues) else {
            return Ok(Answer::Noted.into());
        };
        if state.bytes.len() + piece.len() > STATE_MAX {
            return Err(CloseReason::Limit("length of a twin's state"));
        }
        state.bytes.extend_from_slice(&piece);
        if !last {
            return Ok(Answer::Noted.into());
        }
        let whole = State::decode(&state.bytes)
            .ok_or(CloseReason::Protocol("a twin sent a state that is none"))?;
        tracing::info!(
            target: "tmr_core::front::twin::hear",
            %slot, seats = whole.seat_count(), "the twin's state is here"
        );
        log.load(group, slot, whole);
        self.state = None;
        Ok(Progress { answer: Answer::Have { epoch, last: slot }, named: true })
    }

    /// Takes entries from the slot `first` on.
    pub(super) fn take_entries(
        &mut self,
        epoch: Epoch,
        first: Slot,
        entries: Vec<Entry>,
        log: &mut ReplicatedLog,
    ) -> Result<Progress, CloseReason> {
        let have = Slot(log.committed().0.saturating_add(self.entries.len() as u64));
        if first > have.next() || self.state.is_some() {
            let said = core::mem::replace(&mut self.gap, true);
            self.state = None;
            self.entries.clear();
            return Ok(if said { Answer::Noted } else { ready(epoch, log) }.into());
        }
        self.gap = false;
        let known = usize::try_from(have.0 + 1 - first.0).unwrap_or(usize::MAX);
        self.entries.extend(entries.into_iter().skip(known));
        let named = self.commit_marked(log);
        if self.entries.len() as u64 > TWIN_WINDOW + TWIN_ENTRIES as u64 {
            return Err(CloseReason::Limit("entries of a twin that are not committed"));
        }
        let last = Slot(log.committed().0 + self.entries.len() as u64);
        Ok(Progress { answer: Answer::Have { epoch, last }, named })
    }

    /// Notes that the twin has committed its log up to this slot.
    pub(super) fn note_committed(&mut self, committed: Slot) {
        self.mark = self.mark.max(committed);
    }

    /// Commits in the log what is known to be committed. Returns whether serials of virtual
    /// containers may have changed.
    pub(super) fn commit_marked(&mut self, log: &mut ReplicatedLog) -> bool {
        let mut named = false;
        while log.committed() < self.mark {
            let Some(entry) = self.entries.pop_front() else { break };
            named |= matches!(entry, Entry::Configure(Setting::Virtual { .. }));
            let (slot, _) = log.propose(entry);
            log.commit(slot);
        }
        named
    }
}

/// Returns where the twin has to continue. Entries that were only proposed here are dropped.
pub(super) fn ready(epoch: Epoch, log: &mut ReplicatedLog) -> Answer {
    if log.last() > log.committed() {
        log.drop_uncommitted();
    }
    Answer::Ready { epoch, group: log.group(), committed: log.committed() }
}
