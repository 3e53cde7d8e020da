//! Writing: entries go to every backend that follows, acknowledgements come back, slots commit.
//! And repair: one that is behind, or blank, is brought up to date while the others serve.

use super::backend_link::{BackendLink, OrderPurpose, Progress};
use super::{Context, Replication};
use crate::base::limits::{APPEND_ENTRIES, PIECE_BYTES, TROUBLE_LASTS, UNCOMMITTED_MAX};
use crate::base::time::Mono;
use crate::io::Intent;
use crate::log::{DiskId, Entry, Epoch, Setting, Slot};
use crate::messages::group::{Order, encode};
use alloc::string::String;
use alloc::vec::Vec;

impl Replication {
    /// A backend that has promised begins to follow the log from where it stands. Returns whether its parts
    /// count from now on, so that they are to be merged anew.
    pub(in crate::front) fn follow(
        &mut self,
        now: Mono,
        index: usize,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) -> bool {
        let Some(epoch) = context.epoch() else { return false };
        let Some(standing) = self.backends[index].standing().copied() else { return false };
        match standing.group {
            Some(_)
                if standing.group == self.log.group()
                    && standing.committed.next() >= self.log.first() =>
            {
                let (next, matched) = (standing.committed.next(), standing.committed);
                self.backends[index].progress = Progress::Following { next, matched };
            }
            _ => self.install(now, index, epoch, out),
        }
        // Whatever kept it from being counted before: it follows now, and its parts count.
        self.backends[index].trouble.take().is_some()
    }

    /// Sends the whole committed state.
    fn install(&mut self, now: Mono, index: usize, epoch: Epoch, out: &mut Vec<Intent>) {
        let Some(group) = self.log.group() else { return };
        let slot = self.log.committed();
        let state = self.log.committed_state().encode();
        let backend = &mut self.backends[index];
        tracing::info!(
            target: "tmr_core::front::replicate",
            backend = %backend.address, %slot, bytes = state.len(), "sending a whole state"
        );
        backend.progress = Progress::Installing { slot };
        let pieces = state.len().div_ceil(PIECE_BYTES);
        for (number, bytes) in state.chunks(PIECE_BYTES).enumerate() {
            let last = number + 1 == pieces;
            let offset = (number * PIECE_BYTES) as u64;
            let bytes = bytes.to_vec();
            let order = Order::Install { epoch, group, slot, offset, bytes, last };
            backend.ask(now, OrderPurpose::Install(epoch, last.then_some(slot)), &order, out);
        }
    }

    /// The last piece of a state is on a backend's disk: entries follow.
    pub(in crate::front) fn installed(
        &mut self,
        now: Mono,
        index: usize,
        at: Slot,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Some(epoch) = context.epoch() else { return };
        if self.backends[index].progress != (Progress::Installing { slot: at }) {
            return;
        }
        if let Some(description) = &mut self.backends[index].description {
            let standing = &mut description.standing;
            standing.group = self.log.group();
            standing.base = at;
            standing.committed = at;
            standing.last = at;
        }
        if at.next() < self.log.first() {
            return self.install(now, index, epoch, out);
        }
        self.backends[index].progress = Progress::Following { next: at.next(), matched: at };
    }

    /// An append did not join what a backend has: it says how far it is sure. Returns what
    /// [`follow`](Self::follow) does.
    pub(in crate::front) fn gap(
        &mut self,
        now: Mono,
        index: usize,
        committed: Slot,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) -> bool {
        if let Some(description) = &mut self.backends[index].description {
            description.standing.committed = committed;
        }
        self.follow(now, index, context, out)
    }

    /// Sends what is proposed and not sent, as far as each backend's window allows.
    pub(in crate::front) fn replicate(
        &mut self,
        now: Mono,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Some(epoch) = context.epoch() else { return };
        // Backends that are equally far get the same bytes.
        let mut made: Option<(Slot, Slot, Vec<u8>)> = None;
        for index in 0..3 {
            while let Progress::Following { next, matched } = self.backends[index].progress {
                let last = self.log.last();
                if next > last || next.0 - matched.0 > UNCOMMITTED_MAX {
                    break;
                }
                let same = made.take().filter(|(first, ..)| *first == next);
                let Some((first, after, order)) = same.or_else(|| self.append(epoch, next)) else {
                    self.install(now, index, epoch, out);
                    break;
                };
                self.backends[index].ask_encoded(
                    now,
                    OrderPurpose::Append(epoch),
                    order.clone(),
                    out,
                );
                self.backends[index].progress = Progress::Following { next: after, matched };
                made = Some((first, after, order));
            }
        }
    }

    /// The append that begins with a slot: with that slot, the one after it, and the bytes.
    fn append(&self, epoch: Epoch, first: Slot) -> Option<(Slot, Slot, Vec<u8>)> {
        let entries = self.log.entries(first, APPEND_ENTRIES)?;
        let after = Slot(first.0 + entries.len() as u64);
        let committed = self.log.committed();
        Some((first, after, encode(0, &Order::Append { epoch, first, entries, committed })))
    }

    /// A backend has everything up to `last` on disk. Returns whether it follows the log.
    pub(in crate::front) fn acknowledged(&mut self, index: usize, last: Slot) -> bool {
        let Progress::Following { next, matched } = self.backends[index].progress else {
            return false;
        };
        // A late report of an older link cannot come: reports are tied to this link's orders. What
        // was not sent yet cannot be there.
        let last = last.min(Slot(next.0 - 1));
        self.backends[index].progress = Progress::Following { next, matched: matched.max(last) };
        // Whoever follows since a group was born has not described itself as one of it.
        if let Some(description) = &mut self.backends[index].description {
            description.standing.last = last.max(description.standing.last);
        }
        true
    }

    /// Takes a caught-up backend with a new disk among the members, in the place of the one whose
    /// disk is not there any more. Committed by the two others: until then it does not count.
    pub(in crate::front) fn admit(&mut self, context: &Context<'_>) {
        if !context.leads() {
            return;
        }
        let settled = self.log.committed_state();
        let Some(members) = settled.members().copied() else { return };
        if self.log.speculative_state().members() != Some(&members) {
            return;
        }
        // One that is left out may still be a member, whose place is not free before it has begun
        // anew.
        let disks = self.backends.each_ref().map(|backend| backend.standing().map(|s| s.disk));
        let stranger = (0..3).find(|&index| {
            let caught_up = self.backends[index].matched() >= self.log.committed();
            let follows = matches!(self.backends[index].progress, Progress::Following { .. });
            follows && caught_up && disks[index].is_some_and(|disk| !members.contains(&disk))
        });
        let Some(index) = stranger else { return };
        let mut gone = members.iter().filter(|disk| !disks.contains(&Some(**disk)));
        let (Some(&gone), None) = (gone.next(), gone.next()) else { return };
        let Some(new) = disks[index] else { return };
        // A connection of which nobody has noticed that it is dead is no member: the place of another
        // one, which is only away, would be given to a disk that belongs into that one's.
        let here = |disk: &DiskId| *disk == gone || self.in_this_round(disk);
        if !context.config.unfenced && !members.iter().all(here) {
            return;
        }
        tracing::info!(
            target: "tmr_core::front::replicate",
            backend = %self.backends[index].address, "taking it in as a member of the group"
        );
        let members = members.map(|disk| if disk == gone { new } else { disk });
        self.log.propose(Entry::Configure(Setting::Members(members)));
    }
}

impl BackendLink {
    /// Says once what keeps this backend from being counted.
    pub(in crate::front) fn complain(&mut self, trouble: String) {
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::warn!(
                target: "tmr_core::front::replicate",
                backend = %self.address, "{trouble}"
            );
            self.trouble = Some(trouble);
        }
    }

    /// The same, but in the log only if it lasts: see [`BackendLink::log_what_lasts`].
    pub(in crate::front) fn complain_later(&mut self, trouble: String) {
        if self.trouble.as_ref() != Some(&trouble) {
            self.unlogged = Some((TROUBLE_LASTS, trouble.clone()));
            self.trouble = Some(trouble);
        }
    }

    /// A heartbeat: logs what has kept this backend from being counted for [`TROUBLE_LASTS`] of them.
    pub(in crate::front) fn log_what_lasts(&mut self) {
        let due = self.unlogged.take_if(|(beats, _)| {
            *beats = beats.saturating_sub(1);
            *beats == 0
        });
        if let Some((_, trouble)) = due.filter(|(_, text)| self.trouble.as_ref() == Some(text)) {
            tracing::warn!(
                target: "tmr_core::front::replicate",
                backend = %self.address, "{trouble}"
            );
        }
    }
}
