//! The log on its way to the twin: a whole state for a twin that lacks more than is in memory, then
//! entries as they are proposed; and which slots the twin has.

use super::sender_link::SenderLink;
use super::subject::Subject;
use crate::base::limits::{
    TWIN_BEHIND, TWIN_ENTRIES, TWIN_PIECE_BYTES, TWIN_PIECES, TWIN_STATE_PAUSE, TWIN_WINDOW,
};
use crate::base::time::{Duration, Mono};
use crate::front::backend_kind::BackendKind;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::io::Intent;
use crate::log::{GroupId, Slot};
use crate::messages::twin::TwinMessage;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// What is sent of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pace {
    /// Nothing: this front does not lead, or the twin has not said where to begin.
    Waiting,
    /// A whole state, as soon as one may be sent.
    Behind,
    /// Pieces of a state, from this offset on.
    State { slot: Slot, bytes: Vec<u8>, from: usize },
    /// Entries as they are proposed. `mark`: the last slot that was reported as committed.
    Following { next: Slot, mark: Slot },
}

/// A slot that was reported as committed.
#[derive(Clone, Copy, Debug)]
struct CommitReport {
    /// The number of the message.
    message: u64,
    slot: Slot,
}

/// A slot that the twin lacked when it was committed.
#[derive(Clone, Copy, Debug)]
struct Backlog {
    slot: Slot,
    since: Mono,
}

/// The value of [`LogSender::late`] until the twin has begun to take the log.
const NOT_BEGUN: Option<Slot> = Some(Slot(1));

/// The log on its way to the twin.
#[derive(Clone, Debug)]
pub(super) struct LogSender {
    kind: BackendKind,
    pace: Pace,
    /// The twin has every entry up to here.
    acked: Slot,
    /// The slots that were reported as committed, and that the twin may not know to be so.
    reports: VecDeque<CommitReport>,
    /// The twin has every entry up to here, and knows that they are committed.
    held: Slot,
    /// No reply waits for the twin until it has every slot up to this one.
    late: Option<Slot>,
    backlog: Option<Backlog>,
    /// When the next whole state may be sent.
    state_after: Mono,
}

impl LogSender {
    /// Returns the log of a front with backends of this kind, before anything was sent.
    pub(super) fn new(kind: BackendKind) -> Self {
        Self {
            kind,
            pace: Pace::Waiting,
            acked: Slot(0),
            reports: VecDeque::new(),
            held: Slot(0),
            late: NOT_BEGUN,
            backlog: None,
            state_after: Mono(0),
        }
    }

    /// Begins on a new link. A whole state is not due sooner for that.
    pub(super) fn restart(&mut self) {
        *self = Self { state_after: self.state_after, ..Self::new(self.kind) };
    }

    /// Stops sending the log until the twin reports where to begin.
    pub(super) fn wait(&mut self) {
        self.pace = Pace::Waiting;
        self.set_copy(Slot(0));
    }

    /// Notes that this front leads under another epoch, or does not lead any more: no reply waits
    /// before the twin has begun to take the log.
    pub(super) fn epoch_changed(&mut self) {
        self.late = NOT_BEGUN;
    }

    /// Notes that the twin has everything up to this slot, and nothing is on its way.
    fn set_copy(&mut self, slot: Slot) {
        self.acked = slot;
        self.held = slot;
        self.reports.clear();
    }

    /// Whether the twin has not said where to begin.
    pub(super) fn is_waiting(&self) -> bool {
        self.pace == Pace::Waiting
    }

    /// Whether the twin takes the log of this front entry by entry.
    pub(super) fn follows(&self) -> bool {
        matches!(self.pace, Pace::Following { .. })
    }

    /// Returns the last slot up to which the twin's copy counts: it has every entry, and, if no
    /// backend keeps the log, also knows that they are committed.
    pub(super) fn copy(&self) -> Slot {
        if self.kind.keeps_log() { self.acked } else { self.held }
    }

    /// In tests: the last slot up to which the twin has every entry.
    #[cfg(test)]
    pub(super) fn acked(&self) -> Slot {
        self.acked
    }

    /// Whether a reply has to wait until the twin has this slot, as long as the link is up.
    pub(super) fn holds_back(&self, slot: Slot) -> bool {
        self.late.is_none() && self.held < slot
    }

    /// Lets no reply wait until the twin has every slot up to `last`.
    pub(super) fn give_up(&mut self, last: Slot) {
        if self.late.replace(last).is_none() {
            tracing::warn!(
                target: "tmr_core::front::twin::tell",
                "the twin does not take what changes within TransferTimeoutInSeconds: clients are \
                 answered without it until it has caught up"
            );
        }
    }

    /// Returns when a whole state is due, if the twin needs one.
    pub(super) fn state_due(&self) -> Option<Mono> {
        (self.pace == Pace::Behind).then_some(self.state_after)
    }

    /// Takes the twin's report that it has this group up to this slot. Returns `false` if the twin
    /// knows of slots that this front has never proposed.
    pub(super) fn begin(
        &mut self,
        group: Option<GroupId>,
        committed: Slot,
        log: &ReplicatedLog,
    ) -> bool {
        let same = group.is_some() && group == log.group();
        if same && committed > log.last() {
            return false;
        }
        if same && committed.next() >= log.first() {
            self.set_copy(committed);
            self.pace = Pace::Following { next: committed.next(), mark: Slot(0) };
        } else {
            self.set_copy(Slot(0));
            self.pace = Pace::Behind;
        }
        true
    }

    /// Takes the twin's report that it has every entry up to `last`, after `count` messages.
    pub(super) fn acknowledged(&mut self, count: u64, last: Slot) {
        let sent = match &self.pace {
            Pace::Following { next, .. } => Slot(next.0 - 1),
            Pace::State { slot, .. } => *slot,
            _ => self.acked,
        };
        self.acked = self.acked.max(last.min(sent));
        while let Some(report) = self.reports.front().filter(|report| report.message <= count) {
            self.held = self.held.max(report.slot.min(last));
            self.reports.pop_front();
        }
    }

    /// Has replies wait for the twin again, once it has caught up.
    pub(super) fn note_caught_up(&mut self) {
        self.late = self.late.filter(|late| self.held < *late);
    }

    /// Returns for how long the twin has lacked something that is committed; [`Duration::ZERO`] if
    /// that is shorter than [`TWIN_BEHIND`], since entries are always on their way while clients
    /// work.
    pub(super) fn behind(&self, now: Mono) -> Duration {
        let span = self.backlog.map_or(Duration::ZERO, |backlog| now.since(backlog.since));
        if span < TWIN_BEHIND { Duration::ZERO } else { span }
    }

    /// Checks whether the twin has received what it lacked at the last check, and what it lacks
    /// now.
    pub(super) fn check_backlog(&mut self, now: Mono, subject: &Subject<'_>) {
        let copy = self.copy();
        let committed = subject.log.committed();
        self.backlog = match self.backlog {
            _ if !subject.own.leads || copy >= committed => None,
            Some(backlog) if copy < backlog.slot => Some(backlog),
            _ => Some(Backlog { slot: committed, since: now }),
        };
    }

    /// Makes a whole state when that is due, and sends as many pieces as may be on their way.
    pub(super) fn send_state(
        &mut self,
        now: Mono,
        subject: &Subject<'_>,
        link: &mut SenderLink,
        out: &mut Vec<Intent>,
    ) {
        let Subject { own, log, .. } = subject;
        let Some(group) = log.group() else { return };
        if self.pace == Pace::Behind && self.state_after <= now {
            let slot = log.committed();
            let bytes = log.committed_state().encode();
            tracing::info!(
                target: "tmr_core::front::twin::tell",
                %slot, bytes = bytes.len(), "sending the twin a whole state"
            );
            self.state_after = now + TWIN_STATE_PAUSE;
            self.pace = Pace::State { slot, bytes, from: 0 };
        }
        while let Pace::State { slot, bytes, from } = &mut self.pace {
            if link.waiting() >= TWIN_PIECES {
                return;
            }
            let slot = *slot;
            let offset = *from as u64;
            let to = bytes.len().min(*from + TWIN_PIECE_BYTES);
            let piece = bytes[*from..to].to_vec();
            let last = to == bytes.len();
            *from = to;
            let epoch = own.epoch;
            let message = TwinMessage::State { epoch, group, slot, offset, bytes: piece, last };
            link.send(now, &message, out);
            if last {
                self.reports.push_back(CommitReport { message: link.sent(), slot });
                self.pace = Pace::Following { next: slot.next(), mark: slot };
            }
        }
    }

    /// Sends entries as far as the window allows, and the committed slot, with them or, if nothing
    /// is on its way, alone.
    pub(super) fn send_entries(
        &mut self,
        now: Mono,
        subject: &Subject<'_>,
        link: &mut SenderLink,
        out: &mut Vec<Intent>,
    ) {
        let Subject { own, log, .. } = subject;
        let epoch = own.epoch;
        let committed = log.committed();
        // Replies wait until the twin knows what is committed.
        let at_once = !self.kind.keeps_log();
        while let Pace::Following { next, mark } = self.pace {
            let more = next <= log.last() && next.0 - self.acked.0 <= TWIN_WINDOW;
            let alone = mark < committed && (at_once || link.waiting() == 0);
            if !more && !alone {
                return;
            }
            let entries = if more { log.entries(next, TWIN_ENTRIES) } else { Some(Vec::new()) };
            let Some(entries) = entries else {
                self.pace = Pace::Behind;
                return;
            };
            let after = Slot(next.0 + entries.len() as u64);
            link.send(now, &TwinMessage::Entries { epoch, first: next, entries, committed }, out);
            self.reports.push_back(CommitReport { message: link.sent(), slot: committed });
            self.pace = Pace::Following { next: after, mark: committed };
        }
    }
}
