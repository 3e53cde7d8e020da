//! The first word of the twin: how far it knows the log to be chosen. A front that has just started has
//! nothing but its files, and its twin may know of slots that two backends together have lost (one's
//! disk went back in time, the other one was behind). So it waits a moment for that word before it
//! claims, and does not lead with less.
//!
//! What never lives here: what follows from a slot that is missing (that is `claim`).

use super::Twin;
use crate::base::limits::TWIN_FIRST_WORD;
use crate::base::time::Mono;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::{History, Mark};
use crate::log::{GroupId, Slot};
use crate::messages::twin::Hello;

/// The last place that a front knows to be chosen: by its copy of the log, or by its files and its
/// twin's word where these know more of the same group, or where it has no copy yet.
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
    /// It has said hello.
    pub(super) fn greeted(&mut self, hello: Hello) {
        self.program = Some(hello.program);
        let later = |chosen: &Mark| chosen.follows(self.chosen.as_ref());
        self.chosen = hello.chosen.filter(later).or(self.chosen);
    }

    /// When a front that has just started waits no longer for a first word of this one.
    fn first_word_awaited(&self) -> Mono {
        if self.program.is_some() || self.sender.trouble.text.is_some() {
            return Mono(0);
        }
        self.begun.map_or(Mono(u64::MAX), |begun| begun + TWIN_FIRST_WORD)
    }

    /// Returns when this front may claim as far as its twin goes. One that has just started waits a
    /// moment for its twin's first word, which says what it knows to be chosen. In unfenced mode what
    /// the twin has is all there is, so a claim waits until it is known whether it leads, and until its
    /// log is here; no longer than its link has time for either.
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

    /// Returns the last slot of a group that the twin has said to be chosen.
    pub(in crate::front) fn chosen_of(&self, group: GroupId) -> Slot {
        let chosen = self.chosen.filter(|mark| !self.unfenced && mark.is_of(group));
        chosen.map_or(Slot(0), |mark| mark.slot())
    }
}
