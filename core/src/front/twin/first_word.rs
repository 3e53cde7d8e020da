//! The twin's first hello: how far it knows the log to be chosen. A front that has just started
//! knows only its files, and its twin may know of slots that two backends together have lost (one
//! disk went back in time, the other one was behind). So this front waits a moment for that hello
//! before it claims, and does not lead with fewer slots.
//!
//! What never lives here: what follows from a missing slot (that is `claim`).

use super::Twin;
use crate::base::limits::TWIN_FIRST_WORD;
use crate::base::time::Mono;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::{History, Mark};
use crate::log::{GroupId, Slot};
use crate::messages::twin::Hello;

/// Returns the last place that a front knows to be chosen: by its copy of the log, or by its files
/// and its twin's report if these know more of the same group, or if it has no copy yet.
pub(super) fn chosen_place(
    log: &ReplicatedLog,
    history: &History,
    told: Option<Mark>,
) -> Option<Mark> {
    let known = [log.mark(), history.covered(), told];
    known.into_iter().flatten().reduce(|best, other| {
        let more = other.is_beside(&best) && other.slot() > best.slot();
        if more { other } else { best }
    })
}

impl Twin {
    /// Takes the hello of the twin.
    pub(super) fn greeted(&mut self, hello: Hello) {
        self.program = Some(hello.program);
        let later = |chosen: &Mark| chosen.follows(self.chosen.as_ref());
        self.chosen = hello.chosen.filter(later).or(self.chosen);
    }

    /// Returns until when a front that has just started waits for the first hello of its twin.
    fn first_word_awaited(&self) -> Mono {
        if self.program.is_some() || self.sender.trouble.text.is_some() {
            return Mono(0);
        }
        self.begun.map_or(Mono(u64::MAX), |begun| begun + TWIN_FIRST_WORD)
    }

    /// Returns when this front may claim, as far as the twin is concerned. A front that has just
    /// started waits a moment for its twin's first hello, which reports what the twin knows to be
    /// chosen. In unfenced mode there is no other copy than the twin's: a claim waits until it is
    /// known whether the twin leads, and until its log is here, but no longer than the time-outs of
    /// the link.
    pub(in crate::front) fn awaited(&self, log: &ReplicatedLog) -> Mono {
        if !self.unfenced {
            return self.first_word_awaited();
        }
        let silent = self.receiver.silent(self.config.transfer_timeout);
        match (self.receiver.link(), self.receiver.standing()) {
            (None, _) if self.sender.trouble.text.is_none() => {
                self.begun.map_or(Mono(u64::MAX), |begun| begun + self.config.connect_timeout)
            }
            (Some(_), None) => silent,
            (Some(_), Some(_)) if self.receiver.owes(log) => silent,
            _ => Mono(0),
        }
    }

    /// Returns the last slot of a group that the twin has reported as chosen.
    pub(in crate::front) fn chosen_of(&self, group: GroupId) -> Slot {
        let chosen = self.chosen.filter(|mark| !self.unfenced && mark.is_of(group));
        chosen.map_or(Slot(0), |mark| mark.slot())
    }
}
