//! What a claim waits for: the twin's first hello, which says how far the twin knows the log to be
//! chosen. A front that has just started knows only its files, and its twin may know of slots that
//! two backends together have lost (one disk went back in time, the other one was behind). So this
//! front waits a moment for that hello before it claims, and does not lead with fewer slots.
//!
//! What never lives here: what follows from a missing slot (that is `claim`).

use super::Twin;
use crate::base::time::Mono;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::log::{GroupId, Slot};

impl Twin {
    /// Returns when this front may claim, as far as the twin is concerned. A front that has just
    /// started waits a moment for its twin's first hello, which reports what the twin knows to be
    /// chosen. In unfenced mode there is no other copy than the twin's: a claim waits until it is
    /// known whether the twin leads, and until its log is here, but no longer than the time-outs of
    /// the link.
    pub(in crate::front) fn awaited(&self, log: &ReplicatedLog) -> Mono {
        let unreachable = self.sender.link.trouble.text().is_some();
        if self.kind.keeps_log() {
            return if unreachable { Mono(0) } else { self.hellos.first_word_awaited() };
        }
        let silent = self.receiver.silent(self.config.transfer_timeout);
        match (self.receiver.link(), self.receiver.standing()) {
            (None, _) if !unreachable => self.hellos.waited_for(self.config.connect_timeout),
            (Some(_), None) => silent,
            (Some(_), Some(_)) if self.receiver.owes(log) => silent,
            _ => Mono(0),
        }
    }

    /// Returns the last slot of a group that the twin has reported as chosen.
    pub(in crate::front) fn chosen_of(&self, group: GroupId) -> Slot {
        if self.kind.keeps_log() { self.hellos.chosen_of(group) } else { Slot(0) }
    }
}
