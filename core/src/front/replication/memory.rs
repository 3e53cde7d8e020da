//! Whether the group's memory is lost: on two disks or on all, so that only an operator can say what
//! counts (*Consistency* 7).
//!
//! What backends say of themselves is as old as the question that they answer, and two of them are
//! not asked at the same time. One that has heard of a birth and one that has not look like one that
//! remembers beside one that has lost its memory. So what looks like a loss is a doubt at first, in
//! which nobody founds a group; and all three are asked once more. Who said before the doubt that it
//! is blank, and says so after it, under the same name, was blank when it began. Two of these, at a
//! moment at which the group is known to have been born, have lost their memory, whatever was on its
//! way meanwhile.
//!
//! What never lives here: what is left, and what an operator can do with it (that is `loss`).

use super::backend_link::BackendLink;
use super::membership::is_unborn;
use super::{Context, Replication};
use crate::base::time::Mono;
use crate::log::{DiskId, Slot};
use crate::messages::group::Standing;
use alloc::vec::Vec;

/// The group's memory seems to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct Doubt {
    /// When it began.
    since: Mono,
    /// The disks that it is about, by place.
    disks: [DiskId; 3],
}

impl Replication {
    /// All three backends are here, and two or all have lost what they remembered of a group.
    pub(in crate::front) fn is_emptied(&self, context: &Context<'_>) -> bool {
        let same = |doubt: Doubt| Some(doubt.disks) == self.disks();
        self.seems_emptied(context)
            && self.doubt.is_some_and(same)
            && (0..3).all(|at| self.is_sure_of(at))
    }

    /// What a backend said of itself answers a question that was asked since the doubt began.
    pub(in crate::front) fn is_sure_of(&self, index: usize) -> bool {
        self.doubt.is_none_or(|doubt| self.backends[index].as_of > doubt.since)
    }

    /// By what all three backends last said of themselves, two or all have lost their memory, and none
    /// says that another front serves.
    pub(in crate::front) fn seems_emptied(&self, context: &Context<'_>) -> bool {
        // This is asked at the end of every step: what is so nearly always comes first.
        let born = |backend: &&BackendLink| {
            let told = backend.standing().filter(|_| backend.exclusion.is_none());
            told.is_some_and(|own| own.group.is_some() && !is_unborn(own))
        };
        if self.backends.iter().filter(born).count() >= 2 {
            return false;
        }
        if context.config.unfenced || self.counted().count() < 3 || self.another_serves(context) {
            return false;
        }
        let left = self.counted().filter(|(_, standing)| self.is_of_born(standing)).count();
        left == 1 || left == 0 && self.remembers(context)
    }

    /// The end of a step: a doubt begins, or is over. Returns whether one begins: all three are to be
    /// asked then.
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

    fn disks(&self) -> Option<[DiskId; 3]> {
        let disk = |index: usize| self.backends[index].standing().map(|standing| standing.disk);
        Some([disk(0)?, disk(1)?, disk(2)?])
    }

    /// A backend has the name of a group in which one that is here has entries.
    fn is_of_born(&self, standing: &Standing) -> bool {
        let same = |other: &Standing| other.group == standing.group && !is_unborn(other);
        standing.group.is_some() && self.counted().any(|(_, other)| same(&other))
    }

    /// This front has seen a group that was born: in its copy of the log, or in its usage history.
    pub(in crate::front) fn remembers(&self, context: &Context<'_>) -> bool {
        let written = context.usage.history().covered().map_or(Slot(0), |mark| mark.slot());
        self.log.committed().max(written) > Slot(1)
    }

    /// With all three backends here: those whose disks are no members of the group. A connection to a
    /// process that has ended since looks like a backend with another disk; so each has to answer a
    /// question that was asked when all three had been heard.
    pub(in crate::front) fn strangers(&self, context: &Context<'_>) -> Vec<usize> {
        let all: Vec<(usize, Standing)> = self.counted().collect();
        if all.len() < 3 {
            return Vec::new();
        }
        let emptied = self.is_emptied(context);
        let proved = context.leads();
        // Where a change of members is not committed, the three can be two of every set, each in its own.
        let sure = (proved || context.unproved) && !self.are_voters(&[0, 1, 2]);
        let met = all.iter().map(|(index, _)| self.backends[*index].met).max();
        let stranger = |(index, standing): &&(usize, Standing)| {
            let here = Some(self.backends[*index].as_of) > met;
            let blank = !self.is_of_born(standing);
            let member = self.log.member_sets().all(|set| set.contains(&standing.disk));
            emptied && blank || here && sure && !member && !context.config.unfenced
        };
        all.iter().filter(stranger).map(|(index, _)| *index).collect()
    }

    /// A backend was told lately that another front serves.
    pub(in crate::front) fn another_serves(&self, context: &Context<'_>) -> bool {
        let another = |backend: &BackendLink| {
            let known = backend.known().filter(|known| known.led);
            known.is_some_and(|known| known.standing.promised.front != context.config.front)
        };
        self.backends.iter().any(another)
    }
}
