//! Whether the group's memory is lost on two disks or on all, so that only an operator can decide
//! which copy counts (*Consistency* 7).
//!
//! A description is as old as the order that it answers, and two backends are not asked at the same
//! time. During a birth, one backend may describe itself after the birth and another one before it:
//! that looks as if the second one had lost its memory. So an apparent loss is a doubt at first: no
//! front founds a group in that time, and all three backends are asked again. A backend that
//! describes itself as blank before and after the beginning of the doubt, with the same disk id,
//! was blank when the doubt began. If two backends were blank then, and the group is known to have
//! been born by then, they have lost their memory, whatever reports were on their way.
//!
//! What never lives here: what is left, and what an operator can do with it (that is
//! `recovery_plan`).
//!
//! Tests: `front/tests/members.rs` and `front/tests/recovery.rs`; planted bugs `lost-at-once` and
//! `lost-by-one-set`.

use super::backend_link::BackendLink;
use super::membership::is_unborn;
use super::{Context, Replication};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::log::{DiskId, Slot};
use crate::messages::group::Standing;
use alloc::vec::Vec;

/// A doubt: the group's memory seems to be lost, and not all three backends have confirmed it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct Doubt {
    /// When the doubt began.
    since: Mono,
    /// The disks of the three backends, by place.
    disks: [DiskId; 3],
}

impl Replication {
    /// Returns whether the group's memory is lost for certain: all three backends are connected,
    /// have answered since the doubt began, and two or three of them remember no group that was
    /// born.
    pub(in crate::front) fn is_emptied(&self, context: &Context<'_>) -> bool {
        let same = |doubt: Doubt| Some(doubt.disks) == self.disks();
        self.seems_emptied(context)
            && self.doubt.is_some_and(same)
            && BackendId::all().all(|at| self.is_sure_of(at))
    }

    /// Returns whether a backend's description answers an order that was sent since the doubt
    /// began; true without a doubt.
    pub(in crate::front) fn is_sure_of(&self, id: BackendId) -> bool {
        self.doubt.is_none_or(|doubt| self.backends[id].reported().as_of() > doubt.since)
    }

    /// Returns whether, by the latest descriptions of all three backends, two or three have lost
    /// their memory and none reports that another front serves.
    pub(in crate::front) fn seems_emptied(&self, context: &Context<'_>) -> bool {
        // This runs at the end of every step: the most frequent answer comes first.
        let born = |backend: &&BackendLink| {
            let told = backend.standing().filter(|_| backend.exclusion().is_none());
            told.is_some_and(|own| own.group.is_some() && !is_unborn(own))
        };
        if self.backends.iter().filter(born).count() >= 2 {
            return false;
        }
        if !context.config.backend_kind().keeps_log()
            || self.counted().count() < 3
            || self.another_serves(context)
        {
            return false;
        }
        let left = self.counted().filter(|(_, standing)| self.is_of_born(standing)).count();
        left == 1 || left == 0 && self.remembers(context)
    }

    /// Begins or ends a doubt at the end of a step. Returns whether one begins, so that all three
    /// backends have to be asked.
    pub(in crate::front) fn doubt(&mut self, now: Mono, context: &Context<'_>) -> bool {
        let disks = self.disks().filter(|_| self.seems_emptied(context));
        if disks == self.doubt.map(|doubt| doubt.disks) {
            return false;
        }
        self.doubt = disks.map(|disks| Doubt { since: now, disks });
        self.doubt.is_some()
    }

    /// Returns whether the group's memory seems to be lost.
    pub(in crate::front) fn seems_lost(&self) -> bool {
        self.doubt.is_some()
    }

    /// Returns the disk ids of the three backends, by place; `None` unless all have described
    /// themselves.
    fn disks(&self) -> Option<[DiskId; 3]> {
        let disk = |id: BackendId| self.backends[id].standing().map(|standing| standing.disk);
        let [first, second, third] = BackendId::ALL.map(disk);
        Some([first?, second?, third?])
    }

    /// Returns whether a backend has the name of a group of which a connected backend has entries.
    fn is_of_born(&self, standing: &Standing) -> bool {
        let same = |other: &Standing| other.group == standing.group && !is_unborn(other);
        standing.group.is_some() && self.counted().any(|(_, other)| same(&other))
    }

    /// Returns whether this front has seen a group that was born, in its copy of the log or in its
    /// usage history.
    pub(in crate::front) fn remembers(&self, context: &Context<'_>) -> bool {
        let written = context.usage.history().covered().map_or(Slot(0), |mark| mark.slot());
        self.log.committed().max(written) > Slot(1)
    }

    /// Returns the backends whose disks are no members of the group; none unless all three are
    /// connected. A connection to a process that has ended looks like a backend with another disk.
    /// So a backend is returned only if it has answered an order that was sent after all three had
    /// described themselves.
    pub(in crate::front) fn strangers(&self, context: &Context<'_>) -> Vec<BackendId> {
        let all: Vec<(BackendId, Standing)> = self.counted().collect();
        if all.len() < 3 {
            return Vec::new();
        }
        let emptied = self.is_emptied(context);
        let proved = context.leads();
        // While a change of members is uncommitted, the three may include two of every set, each
        // set its own two.
        let sure = (proved || context.unproved) && !self.are_voters(&BackendId::ALL);
        let met = all.iter().map(|(id, _)| self.backends[*id].reported().met()).max();
        let stranger = |(id, standing): &&(BackendId, Standing)| {
            let here = Some(self.backends[*id].reported().as_of()) > met;
            let blank = !self.is_of_born(standing);
            let member = self.log.member_sets().all(|set| set.contains(&standing.disk));
            emptied && blank || here && sure && !member && context.config.backend_kind().keeps_log()
        };
        all.iter().filter(stranger).map(|(id, _)| *id).collect()
    }

    /// Returns whether a backend has reported that another front serves.
    pub(in crate::front) fn another_serves(&self, context: &Context<'_>) -> bool {
        let another = |backend: &BackendLink| {
            let known = backend.known().filter(|known| known.led);
            known.is_some_and(|known| known.standing.promised.front != context.config.front)
        };
        self.backends.iter().any(another)
    }
}
