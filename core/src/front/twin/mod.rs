//! The other front. Each front dials the other; the one that dialled sends, and the other one
//! answers. So there are two links: `sender` has the one that this front dialled, `receiver` the
//! one that the twin dialled. While a front leads, its sender keeps the twin's copy of the log up
//! to date.
//!
//! Clients of the front that stands by are served by the one that leads: their calls go over the
//! link that the first one dialled (`forward_out`), and are calls of remote clients at the other
//! (`forward_in`). If that is not possible, the front that leads at least learns that they have
//! called (`signs_of_life`).
//!
//! What lives here: the parts, and the routing between them. What never lives here: the rest of the
//! front, which is lent ([`Context`]) or takes an [`Event`]; and a decision. The backends decide
//! who leads and what is committed; a report of the twin saves reading, and is checked where it
//! matters. Only with stock servers there is nothing else to go by (`core/docs/consistency.md`,
//! section 10).
//!
//! Tests: `front/tests/` (`twin.rs`, `forward.rs`, `first_word.rs`, `signs_of_life.rs`,
//! `failover.rs`, `history.rs`), `receiver_test` and `sender_test` beside the code.

mod connections;
mod context;
mod differences;
mod failover;
mod first_word;
mod forward_in;
mod forward_out;
mod hello;
mod history_sync;
mod log_sender;
mod received_log;
mod receiver;
#[cfg(test)]
mod receiver_test;
mod sender;
mod sender_link;
#[cfg(test)]
mod sender_test;
mod signs_of_life;
mod status;
mod strangers;
mod subject;
mod timers;
mod trouble;

use super::backend_kind::BackendKind;
use crate::base::network::Address;
use crate::base::time::{Mono, Now};
use crate::config;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Epoch, Slot};
use crate::messages::twin::{MachineReport, RemoteHandle, Shared, TwinMessage, Version};
use crate::status::TwinDifference;
use alloc::vec::Vec;
pub(super) use connections::{Closed, Event};
pub(super) use context::Context;
use differences::Differences;
pub(super) use differences::shared;
use forward_in::Incoming;
pub(super) use forward_in::{GoneClient, IncomingCall, LostClient};
use forward_out::Outgoing;
pub(super) use forward_out::{CallOutcome, CallToPass, DroppedCall, Passing};
use hello::Hellos;
pub(super) use history_sync::Recalled;
use receiver::Receiver;
pub(super) use receiver::{ClientGone, ForwardedCall, Received, RemoteHandles, Settings};
use sender::Sender;
use signs_of_life::Signs;
pub(super) use signs_of_life::{UndecidedCall, undecided_calls};
use strangers::Strangers;
pub(super) use subject::OwnRole;
use subject::Subject;
pub(super) use timers::LateLink;
use trouble::Trouble;

/// The other front, as known to this one.
#[derive(Clone, Debug)]
pub(super) struct Twin {
    config: config::Twin,
    kind: BackendKind,
    hellos: Hellos,
    strangers: Strangers,
    sender: Sender,
    receiver: Receiver,
    differences: Differences,
    outgoing: Outgoing,
    incoming: Incoming,
    signs: Signs,
}

impl Twin {
    /// Returns a twin as configured, for the front with this id.
    pub(super) fn new(config: config::Twin, front: u32, kind: BackendKind) -> Self {
        Self {
            config,
            kind,
            hellos: Hellos::new(front),
            strangers: Strangers::default(),
            sender: Sender::new(kind),
            receiver: Receiver::new(kind),
            differences: Differences::default(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            signs: Signs::default(),
        }
    }

    /// Returns the configured address of the twin.
    pub(super) fn address(&self) -> &Address {
        &self.config.address
    }

    /// Changes the configuration; a twin that has `moved` is dialled at once.
    pub(super) fn configure(&mut self, now: Mono, config: config::Twin, moved: bool) {
        self.config = config;
        if moved {
            self.sender.link.moved(now);
            // This front may have been configured as its own twin, and have reported that at both
            // ends.
            self.receiver.trouble = Trouble::default();
        }
    }

    /// Sets another version than [`Version::OWN`], to simulate an older or newer program.
    pub(super) fn speak(&mut self, version: Version) {
        self.hellos.speak(version);
    }

    /// Returns whether the link that this front dialled is up with this minor version or a later
    /// one.
    pub(super) fn speaks(&self, minor: u16) -> bool {
        self.sender.link.has_version(minor)
    }

    /// Sends a message, if the link is up and its version has that message.
    pub(super) fn send(&mut self, now: Mono, message: &TwinMessage, out: &mut Vec<Intent>) {
        self.sender.link.send(now, message, out);
    }

    /// Finds the differences between the two configurations, for a twin that reports only these
    /// keys.
    pub(super) fn compare(&mut self, own: &Shared, theirs: &Shared) {
        self.differences.compare(own, theirs);
    }

    /// Keeps the differences between the two configurations.
    pub(super) fn differ(&mut self, rows: Vec<TwinDifference>) {
        self.differences.set(rows);
    }

    /// Sends the twin what is new, and acknowledgements of what has changed here, at the end of a
    /// step. `seats`: handles at stock servers that have changed, or all of them if
    /// [`wants_all`](Self::wants_all).
    pub(super) fn settle(
        &mut self,
        now: Now,
        own: OwnRole,
        machine: MachineReport,
        seats: Vec<RemoteHandle>,
        context: Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Context { stands_by, log, history } = context;
        let lent = Context { stands_by, log: &mut *log, history: &mut *history };
        self.receiver.settle(lent, out);
        let subject = Subject { own, log, history };
        self.sender.settle(now, &subject, seats, out);
        self.sender.send_machine(now.mono, machine, out);
    }

    /// Takes lines of the usage history that the twin lacks, read from disk. `epoch` is that under
    /// which this front writes.
    pub(super) fn recalled(
        &mut self,
        now: Mono,
        epoch: Epoch,
        recalled: Recalled<'_>,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.sender.recalled(now, epoch, recalled, context, out);
    }

    /// Returns whether all handles at stock servers have to be sent.
    pub(super) fn wants_all(&self) -> bool {
        self.sender.wants_all()
    }

    /// Returns the epoch under which the twin reports that it leads.
    pub(super) fn leads(&self) -> Option<Epoch> {
        self.receiver.leads()
    }

    /// Returns the twin's report on its machine, as of now; `None` if there is none.
    pub(super) fn machine(&self, now: Mono) -> Option<MachineReport> {
        self.receiver.machine(now)
    }

    /// Returns whether the twin sends its log, but no usage history, because it is an older
    /// version.
    pub(super) fn sends_no_history(&self) -> bool {
        self.receiver.sends_no_history()
    }

    /// Returns until when the reply for a slot waits for the twin: in unfenced mode a client is
    /// sent what is committed only when the twin has it too. `None`: no wait, because the twin has
    /// the slot, or cannot be waited for now, or backends keep the log.
    pub(super) fn holds_back(&self, now: Mono, slot: Slot) -> Option<Mono> {
        let holds = !self.kind.keeps_log() && self.sender.holds_back(slot);
        holds.then(|| now + self.config.transfer_timeout)
    }

    /// Notes that a reply has waited for the twin long enough: until the twin has every slot up to
    /// `last`, no reply waits for it.
    pub(super) fn is_late(&mut self, last: Slot) {
        self.sender.give_up(last);
    }

    /// Returns the last slot up to which the twin has every entry in memory under the epoch of this
    /// front; in unfenced mode it also knows that they are committed.
    pub(super) fn copy(&self) -> Slot {
        self.sender.copy()
    }

    /// Ends a step: sends replies for the twin's clients to the twin, and reports clients of this
    /// front whose links it has closed.
    pub(super) fn forward(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Self { receiver, outgoing, incoming, .. } = self;
        if outgoing.len() + incoming.len() == 0 {
            return;
        }
        out.retain_mut(|intent| incoming.translate(intent, |answer| receiver.answer(answer)));
        let closed = |intent: &Intent| match intent {
            Intent::Close { link, .. } => Some(*link),
            _ => None,
        };
        for link in out.iter().filter_map(closed).collect::<Vec<LinkId>>() {
            self.client_gone(now, link, false, out);
        }
    }
}
