//! Writing: entries go to every backend that follows, acknowledgements return, slots commit. And
//! repair: a backend that is behind or blank is brought up to date while the others serve.

use super::follower::Progress;
use super::pending_orders::OrderPurpose;
use super::{Context, Replication};
use crate::base::limits::{APPEND_ENTRIES, PIECE_BYTES, UNCOMMITTED_MAX};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::io::Intent;
use crate::log::{DiskId, Entry, Epoch, Setting, Slot};
use crate::messages::group::{Order, encode};
use alloc::vec::Vec;

/// An append that may go to several backends.
#[derive(Debug)]
struct EncodedAppend {
    /// The slot of its first entry.
    first: Slot,
    /// The slot after its last entry.
    after: Slot,
    order: Vec<u8>,
}

impl Replication {
    /// Has a backend that has promised follow the log from where its copy ends. Returns whether its
    /// parts count from now on, so that the parts have to be merged again.
    pub(in crate::front) fn follow(
        &mut self,
        now: Mono,
        id: BackendId,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) -> bool {
        let Some(epoch) = context.epoch() else { return false };
        let Some(standing) = self.backends[id].standing().copied() else { return false };
        match standing.group {
            Some(_)
                if standing.group == self.log.group()
                    && standing.committed.next() >= self.log.first() =>
            {
                let (next, matched) = (standing.committed.next(), standing.committed);
                self.backends[id].set_progress(Progress::Following { next, matched });
            }
            _ => self.install(now, id, epoch, out),
        }
        // Whatever kept the backend from being counted is over: it follows, and its parts count.
        self.backends[id].clear_trouble()
    }

    /// Sends the whole committed state.
    fn install(&mut self, now: Mono, id: BackendId, epoch: Epoch, out: &mut Vec<Intent>) {
        let Some(group) = self.log.group() else { return };
        let slot = self.log.committed();
        let state = self.log.committed_state().encode();
        let backend = &mut self.backends[id];
        tracing::info!(
            target: "tmr_core::front::replicate",
            backend = %backend.address(), %slot, bytes = state.len(), "sending a whole state"
        );
        backend.set_progress(Progress::Installing { slot });
        let pieces = state.len().div_ceil(PIECE_BYTES);
        for (number, bytes) in state.chunks(PIECE_BYTES).enumerate() {
            let last = number + 1 == pieces;
            let offset = (number * PIECE_BYTES) as u64;
            let bytes = bytes.to_vec();
            let order = Order::Install { epoch, group, slot, offset, bytes, last };
            backend.ask(now, OrderPurpose::Install(epoch, last.then_some(slot)), &order, out);
        }
    }

    /// Continues with entries after the last piece of a state: the backend has the state on disk.
    pub(in crate::front) fn installed(
        &mut self,
        now: Mono,
        id: BackendId,
        at: Slot,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Some(epoch) = context.epoch() else { return };
        if self.backends[id].progress() != (Progress::Installing { slot: at }) {
            return;
        }
        self.backends[id].reported_mut().installed(self.log.group(), at);
        if at.next() < self.log.first() {
            return self.install(now, id, epoch, out);
        }
        self.backends[id].set_progress(Progress::Following { next: at.next(), matched: at });
    }

    /// Handles an append that did not connect to what the backend has; `committed` is how far the
    /// backend is sure of its copy. Returns the same as [`follow`](Self::follow).
    pub(in crate::front) fn gap(
        &mut self,
        now: Mono,
        id: BackendId,
        committed: Slot,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) -> bool {
        self.backends[id].reported_mut().is_sure_up_to(committed);
        self.follow(now, id, context, out)
    }

    /// Sends entries that are proposed and not sent, as far as each backend's window allows.
    pub(in crate::front) fn replicate(
        &mut self,
        now: Mono,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Some(epoch) = context.epoch() else { return };
        // Backends that are equally far get the same encoded order.
        let mut made: Option<EncodedAppend> = None;
        for id in BackendId::all() {
            while let Progress::Following { next, matched } = self.backends[id].progress() {
                let last = self.log.last();
                if next > last || next.0 - matched.0 > UNCOMMITTED_MAX {
                    break;
                }
                let same = made.take().filter(|append| append.first == next);
                let Some(append) = same.or_else(|| self.append(epoch, next)) else {
                    self.install(now, id, epoch, out);
                    break;
                };
                self.backends[id].ask_encoded(
                    now,
                    OrderPurpose::Append(epoch),
                    append.order.clone(),
                    out,
                );
                let next = append.after;
                self.backends[id].set_progress(Progress::Following { next, matched });
                made = Some(append);
            }
        }
    }

    /// Returns the append that begins with a slot.
    fn append(&self, epoch: Epoch, first: Slot) -> Option<EncodedAppend> {
        let entries = self.log.entries(first, APPEND_ENTRIES)?;
        let after = Slot(first.0 + entries.len() as u64);
        let committed = self.log.committed();
        let order = encode(0, &Order::Append { epoch, first, entries, committed });
        Some(EncodedAppend { first, after, order })
    }

    /// Notes that a backend has every slot up to `last` on disk. Returns whether it follows the
    /// log.
    pub(in crate::front) fn acknowledged(&mut self, id: BackendId, last: Slot) -> bool {
        let backend = &mut self.backends[id];
        let Some(last) = backend.follower_mut().acknowledged(last) else { return false };
        // A backend that has followed since the birth of its group has not described itself since
        // then.
        backend.reported_mut().acknowledged(last);
        true
    }

    /// Proposes a caught-up backend with a new disk as a member, in place of the member whose disk
    /// is gone. The two other members commit that entry; until then the new disk does not count.
    pub(in crate::front) fn admit(&mut self, context: &Context<'_>) {
        if !context.leads() {
            return;
        }
        let settled = self.log.committed_state();
        let Some(members) = settled.members().copied() else { return };
        if self.log.speculative_state().members() != Some(&members) {
            return;
        }
        // A backend that is left out may still be a member, and its place is not free before it has
        // begun anew.
        let disks = self.backends.each_ref().map(|backend| backend.standing().map(|s| s.disk));
        let stranger = BackendId::all().find(|&id| {
            let caught_up = self.backends[id].matched() >= self.log.committed();
            let follows = self.backends[id].follows();
            follows && caught_up && disks[id].is_some_and(|disk| !members.contains(&disk))
        });
        let Some(id) = stranger else { return };
        let mut gone = members.iter().filter(|disk| !disks.contains(&Some(**disk)));
        let (Some(&gone), None) = (gone.next(), gone.next()) else { return };
        let Some(new) = disks[id] else { return };
        // A dead connection that was not noticed yet must not count as a member. Otherwise the
        // place of a member that is only unreachable would go to a disk that belongs into the place
        // behind the dead connection.
        let here = |disk: &DiskId| *disk == gone || self.in_this_round(disk);
        if context.config.backend_kind().keeps_log() && !members.iter().all(here) {
            return;
        }
        tracing::info!(
            target: "tmr_core::front::replicate",
            backend = %self.backends[id].address(), "taking it in as a member of the group"
        );
        let members = members.map(|disk| if disk == gone { new } else { disk });
        self.log.propose(Entry::Configure(Setting::Members(members)));
    }
}
