//! Whose word is fresh. What a front asks is asked in rounds, and another one begins when what was
//! answered before says nothing any more: this front has slept, or a backend has come back to it whose
//! disk may have gone back in time, or all copies are read that a claim is to be proved by. A disk
//! counts that has answered what was asked in the present round. The argument is in *Consistency* 7.
//!
//! What never lives here: how a front finds out that it has slept (that is `vigil`), and which disks
//! are members (that is `members`).

use crate::base::limits::{ASKED_ANEW, CONFIRMED, WITNESSED_MAX};
use crate::base::time::{Duration, Mono};
use crate::front::replication::backend_link::{BackendLink, PendingOrder};
use crate::front::{Front, Phase};
use crate::io::Intent;
use crate::log::{DiskId, Slot};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The latest order that a disk has answered under this front's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct Confirmation {
    /// When the order was sent.
    pub(in crate::front) sent: Mono,
    /// The round that it was sent in.
    pub(in crate::front) round: u32,
}

/// The latest confirmation of each disk.
pub(in crate::front) type Confirmations = BTreeMap<DiskId, Confirmation>;

impl Front {
    /// Begins another round: nobody counts before it has answered an order that is sent from here
    /// on.
    pub(in crate::front) fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
        for backend in &mut self.backends {
            backend.round = self.round;
        }
    }

    /// A backend that has promised is here by a link that did not stand when this front claimed: what
    /// its disk has said before may be forgotten, and all are asked once more, at once.
    pub(in crate::front) fn has_come_back(
        &mut self,
        now: Mono,
        index: usize,
        out: &mut Vec<Intent>,
    ) {
        // A stand-in has no disk.
        if self.backends[index].was_here || self.config.unfenced {
            return;
        }
        self.backends[index].was_here = true;
        self.begin_round();
        self.asked_anew = Some(now);
        self.beat(now, out);
    }

    /// Returns whether this front leads as far as people and keepalived are told. A backend that comes
    /// back has all of them asked anew, which takes a round trip: what two members had confirmed just
    /// before holds for so long. Calls wait meanwhile, and nothing is decided by this.
    pub(in crate::front) fn seems_confirmed(&self, now: Mono) -> bool {
        let asked = self.asked_anew.is_some_and(|at| now.since(at) < ASKED_ANEW);
        let heard = |at: Mono| self.vigil.horizon() <= Some(at) && now.since(at) < CONFIRMED;
        let still = || self.has_two_members() && self.confirmed_at().is_some_and(heard);
        self.is_confirmed(now) || asked && still()
    }

    /// A backend has answered an order under this front's epoch.
    pub(in crate::front) fn confirm(&mut self, index: usize, answered: PendingOrder) {
        let Some(standing) = self.backends[index].standing() else { return };
        let confirmation = Confirmation { sent: answered.sent, round: answered.round };
        let last = self.confirmations.entry(standing.disk).or_insert(confirmation);
        // Orders are answered as they were sent, but not those of two connections.
        if last.sent <= confirmation.sent {
            *last = confirmation;
        }
        while self.confirmations.len() > WITNESSED_MAX {
            let oldest =
                self.confirmations.iter().min_by_key(|(_, last)| last.sent).map(|(disk, _)| *disk);
            oldest.and_then(|disk| self.confirmations.remove(&disk));
        }
    }

    /// A disk has answered what was asked in the present round.
    pub(in crate::front) fn in_this_round(&self, disk: &DiskId) -> bool {
        self.confirmations.get(disk).is_some_and(|last| last.round == self.round)
    }

    /// The slots that count as committed now: `need` members of every set have them on disk.
    pub(in crate::front) fn reached(&self, need: usize) -> Slot {
        // A birth takes all three, whatever they have said before.
        let any = need == 3 || self.config.unfenced;
        let proving = matches!(self.phase, Phase::Reproposing { .. });
        if proving && !any && !self.are_still_promised() {
            return Slot(0);
        }
        self.reached_by_members(need, |disk| {
            let counts = any || proving || self.in_this_round(disk);
            self.backend_with(disk).filter(|_| counts).map_or(Slot(0), BackendLink::matched)
        })
    }

    /// Two members whose copies were read have said since that they hold to their promise: nothing
    /// can have joined what was read of them.
    fn are_still_promised(&self) -> bool {
        self.reached_by_members(2, |disk| {
            self.in_this_round(disk)
                && self.backend_with(disk).is_some_and(|backend| backend.was_read)
        })
    }

    /// Two members are here whose copies were read for this claim.
    pub(in crate::front) fn can_be_proved(&self) -> bool {
        let read: Vec<usize> = (0..3).filter(|&index| self.backends[index].was_read).collect();
        self.config.unfenced || self.are_voters(&read)
    }

    /// Two members have confirmed this front lately enough.
    pub(in crate::front) fn confirmed(&self, now: Mono, within: Duration) -> bool {
        self.confirmed_at().is_some_and(|at| now.since(at) < within)
    }

    /// When the latest order was sent that two members have answered under this front's epoch, in
    /// whatever round. A disk's word outlives its connection, and the address that it was reached by.
    pub(in crate::front) fn confirmed_at(&self) -> Option<Mono> {
        self.reached_by_members(2, |disk| self.confirmations.get(disk).map(|last| last.sent))
    }

    /// Two members have answered what was asked in the present round.
    pub(in crate::front) fn is_sure(&self) -> bool {
        self.reached_by_members(2, |disk| self.in_this_round(disk))
    }

    /// Two members have confirmed this front lately, by either clock, and in the present round.
    pub(in crate::front) fn is_confirmed(&self, now: Mono) -> bool {
        let lately = |at: Mono| now.since(at) < CONFIRMED && self.vigil.horizon() <= Some(at);
        self.confirmed_at().is_some_and(lately) && self.is_sure()
    }
}
