//! Whose word counts: the members of the group as disks, never as connections; and what keeps a front
//! from leading.
//!
//! The rules are those of *Consistency* 7. What never lives here: who is left out, and why (that is
//! `judge`), and how promises are collected (that is `claim`).

use super::backend_link::{BackendLink, OrderPurpose, Progress};
use super::exclusion::Exclusion;
use super::vote::reached;
use crate::base::time::{Mono, Wall};
use crate::front::leadership::clocks::Reading;
use crate::front::{Front, Phase};
use crate::io::Intent;
use crate::log::{Acked, DiskId, GroupId, Slot, Witness};
use crate::messages::group::{Facts, Order, Standing};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Front {
    /// Two backends, or as many as `need` says, of every set of members have reached this: the
    /// highest value for which that is so. `told` is what one disk has reached. The lowest value
    /// before a group is born.
    pub(in crate::front) fn reached_by_members<T: Copy + Ord + Default>(
        &self,
        need: usize,
        told: impl Fn(&DiskId) -> T,
    ) -> T {
        let in_set = |set: &[DiskId; 3]| {
            let mut values = [told(&set[0]), told(&set[1]), told(&set[2])];
            // A disk has one vote, also where a group was born with one twice.
            for index in 1..3 {
                if set[..index].contains(&set[index]) {
                    values[index] = T::default();
                }
            }
            reached(values, need)
        };
        self.log.member_sets().map(in_set).min().unwrap_or_default()
    }

    /// The slots that two members of every set have on disk.
    pub(in crate::front) fn on_two_disks(&self) -> Slot {
        self.reached_by_members(2, |disk| {
            self.backend_with(disk).map_or(Slot(0), BackendLink::matched)
        })
    }

    /// The backend that has this disk, if it is connected and counted.
    pub(in crate::front) fn backend_with(&self, disk: &DiskId) -> Option<&BackendLink> {
        let has = |backend: &&BackendLink| {
            backend.standing().is_some_and(|standing| standing.disk == *disk)
        };
        self.backends.iter().filter(|backend| backend.exclusion.is_none()).find(has)
    }

    /// Those of these backends are two members of every set, so that one of them has whatever was
    /// chosen.
    pub(in crate::front) fn are_voters(&self, read: &[usize]) -> bool {
        let voter = |disk: &DiskId| {
            let has =
                |backend: &BackendLink| backend.standing().is_some_and(|own| own.disk == *disk);
            read.iter().any(|&index| has(&self.backends[index]))
        };
        self.reached_by_members(2, voter)
    }

    /// The group that this front is a front of: while it leads, the one that it leads; else the one
    /// that two backends belong to, or whose log it has.
    pub(in crate::front) fn own_group(&self) -> Option<GroupId> {
        let own = self.log.group();
        if matches!(self.phase, Phase::Reproposing { .. } | Phase::Leading { .. }) {
            return own;
        }
        let groups = || self.counted().filter_map(|(_, standing)| standing.group);
        let shared = |group: &GroupId| groups().filter(|other| other == group).count() >= 2;
        groups().find(shared).or(own)
    }

    /// Backends that are connected and not the same as another one, with how they stand.
    pub(in crate::front) fn counted(&self) -> impl Iterator<Item = (usize, Standing)> + '_ {
        (0..3).filter_map(|index| {
            let backend = &self.backends[index];
            let twice =
                matches!(backend.exclusion, Some(Exclusion::Doubled(_) | Exclusion::Copied(_)));
            backend.standing().filter(|_| !twice).map(|standing| (index, *standing))
        })
    }

    /// A claim could lead somewhere: two backends remember one group, or three are there and a
    /// group can be born. To ask fewer for a promise could only take the lead from another front,
    /// maybe of another group.
    pub(in crate::front) fn could_claim(&self) -> bool {
        if self.contradiction.is_some() {
            return false;
        }
        if self.config.unfenced {
            return self.could_serve();
        }
        let groups = || self.counted().filter_map(|(_, standing)| standing.group);
        let two = groups().any(|group| groups().filter(|other| *other == group).count() >= 2);
        two || self.are_all_unborn() && !self.seems_emptied()
    }

    /// Three backends are here, none of which holds anything of a group that was born. Copies of one
    /// disk are three as well: they get names of their own before the birth.
    pub(in crate::front) fn are_all_unborn(&self) -> bool {
        let unborn = |backend: &BackendLink| {
            let is_one = match backend.exclusion {
                Some(Exclusion::Doubled(_)) => false,
                // An older program cannot be told to begin anew.
                Some(Exclusion::Copied(_)) => backend.minor >= 1,
                _ => true,
            };
            is_one && backend.standing().is_some_and(is_unborn)
        };
        self.backends.iter().all(unborn)
    }

    /// What keeps this front from leading although it should, in words for people; `None`: nothing
    /// that it knows of.
    pub(in crate::front) fn obstacle(&self) -> Option<String> {
        if let Some(contradiction) = &self.contradiction {
            return Some(contradiction.clone());
        }
        let strangers = self.strangers();
        if strangers.len() >= 2 {
            let named = |&index: &usize| format!("{}", self.backends[index].address);
            let named: Vec<String> = strangers.iter().map(named).collect();
            return Some(format!(
                "the group's memory is lost: the disks of {} are not those that it was on; put the old \
                 ones back, or run tmrd recover",
                named.join(" and ")
            ));
        }
        let leads = matches!(self.phase, Phase::Leading { .. });
        if let Some((known, last)) = self.shortfall.filter(|_| !leads) {
            return Some(format!(
                "slots up to {known} are known to be chosen, and the backends that are here end at \
                 {last}: a disk went back in time while another one was away; start the backend that \
                 is missing, or run tmrd recover"
            ));
        }
        let counted = self.counted().count();
        let unborn = self.counted().all(|(_, standing)| is_unborn(&standing));
        // Of backends that are all away nothing is known.
        if (1..3).contains(&counted) && unborn && !self.remembers() && !self.config.unfenced {
            let missing = self.missing();
            return Some(format!("a new group needs all three backends once; missing: {missing}"));
        }
        if self.role.is_to_lead() && !leads && !self.could_serve() {
            return Some(format!("fewer than two backends count; missing: {}", self.missing()));
        }
        // Who claims is told soon how the others stand.
        let waits = matches!(self.phase, Phase::Pausing { .. }) && !self.config.unfenced;
        if self.role.is_to_lead() && waits && self.remembers() && !self.has_two_members() {
            let missing = self.not_counted();
            return Some(format!("fewer than two members of the group count; missing: {missing}"));
        }
        None
    }

    /// The backends that do not count, each with the reason.
    pub(in crate::front) fn missing(&self) -> String {
        let counts =
            |backend: &&BackendLink| backend.known().is_none() || backend.exclusion.is_some();
        let reason = |backend: &BackendLink| {
            let reason = backend.trouble.as_deref().unwrap_or("not connected yet");
            format!("{} ({reason})", backend.address)
        };
        let missing: Vec<String> = self.backends.iter().filter(counts).map(reason).collect();
        missing.join(", ")
    }

    /// Says in the log what keeps this front from leading, once for each thing that does.
    pub(in crate::front) fn log_obstacle(&mut self) {
        if !self.role.is_to_lead() {
            return;
        }
        let obstacle = self.obstacle();
        // Who is missing, and why, changes with every attempt to reach them.
        let kind = |text: &String| text.split(';').next().map(String::from);
        if obstacle.as_ref().and_then(kind) == self.said.as_ref().and_then(kind) {
            return;
        }
        match &obstacle {
            Some(text) if self.is_memory_lost() => {
                tracing::error!(
                    target: "tmr_core::front::members",
                    "this front cannot lead: {text}"
                );
            }
            Some(text) => tracing::warn!(
                target: "tmr_core::front::members",
                "this front cannot lead yet: {text}"
            ),
            None => tracing::info!(
                target: "tmr_core::front::members",
                "nothing keeps this front from leading any more"
            ),
        }
        self.said = obstacle;
    }

    /// Nobody leads before an operator has done something about it.
    fn is_memory_lost(&self) -> bool {
        self.contradiction.is_some() || self.shortfall.is_some() || self.strangers().len() >= 2
    }

    /// What is known of a group, by this front and by all who are connected and belong to it.
    pub(in crate::front) fn witness_of(&self, group: Option<GroupId>) -> Witness {
        let same = self.witness.group == group;
        let mut witness = if same { self.witness.seen.clone() } else { Witness::default() };
        for (index, _) in self.counted().filter(|(_, standing)| standing.group == group) {
            if let Some(facts) = &self.backends[index].facts {
                witness.hear(facts.known, facts.date, &facts.acked);
            }
        }
        witness
    }

    /// A claim reads the log of this group: what is known of it is kept, and of no other.
    pub(in crate::front) fn remember_group(&mut self, now: Mono, group: GroupId) {
        let seen = self.witness_of(Some(group));
        self.date.begin(seen.date(), now);
        self.witness = Remembered { group: Some(group), seen };
    }

    /// The last slot that is known to be chosen, by anything that this front has seen, is told, or
    /// has in its files: it leads with all of these or not at all.
    pub(in crate::front) fn known_chosen(&self) -> Slot {
        let Some(group) = self.log.group() else { return Slot(0) };
        let written = self.usage.told_of(group);
        let seen = self.witness_of(Some(group)).known();
        let told = self.twin.as_ref().map_or(Slot(0), |twin| twin.chosen_of(group));
        written.max(seen).max(self.log.committed()).max(told)
    }

    /// Keeps in mind how far the backends have come, before a link is gone or others are told.
    pub(in crate::front) fn note_acked(&mut self) {
        let Some(epoch) = self.phase.epoch() else { return };
        let acked = |backend: &BackendLink| {
            let disk = backend.standing().filter(|_| backend.exclusion.is_none())?.disk;
            // One that follows nothing yet has promised all the same.
            let promised = (backend.progress != Progress::NotPromised).then_some(epoch)?;
            Some(Acked { disk, promised, slot: backend.matched() })
        };
        let acked: Vec<Acked> = self.backends.iter().filter_map(acked).collect();
        if self.witness.group != self.log.group() {
            self.witness = Remembered { group: self.log.group(), seen: Witness::default() };
        }
        self.witness.seen.hear(self.log.committed(), Wall(0), &acked);
    }

    /// What each backend is told with the heartbeat.
    pub(in crate::front) fn tell_witness(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Phase::Leading { epoch } = self.phase else { return };
        if self.config.unfenced {
            return;
        }
        self.disown(now, out);
        self.note_acked();
        self.witness_date();
        let order = Order::Witness {
            epoch,
            committed: self.log.committed(),
            digest: self.log.digest(),
            acked: self.witness.seen.acked(),
            date: self.witness.seen.date(),
        };
        for backend in self.backends.iter_mut().filter(|backend| {
            backend.minor >= 1
                && backend.exclusion.is_none()
                && matches!(backend.progress, Progress::Following { .. })
        }) {
            backend.ask(now, OrderPurpose::Witness(epoch), &order, out);
        }
    }

    /// A backend has said more of itself.
    pub(in crate::front) fn told_facts(
        &mut self,
        now: Mono,
        index: usize,
        facts: Facts,
        out: &mut Vec<Intent>,
    ) {
        let differed = self.backends[index].facts.as_ref().is_some_and(|facts| facts.differs);
        let differs = facts.differs;
        self.backends[index].clock = Some(Reading { clock: facts.clock, at: now });
        self.backends[index].facts = Some(facts);
        if differed != differs {
            self.judge(now, out);
        }
    }
}

impl BackendLink {
    /// The last slot that it knows to be chosen, whether it holds that or not.
    pub(in crate::front) fn known_chosen(&self) -> Slot {
        let told = self.facts.as_ref().map_or(Slot(0), |facts| facts.known);
        self.standing().map_or(told, |standing| told.max(standing.committed))
    }
}

/// Nothing was ever built on a first entry alone: such a group is not born yet.
pub(in crate::front) fn is_unborn(standing: &Standing) -> bool {
    standing.committed == Slot(0) && standing.last <= Slot(1)
}

/// What is known of one group beyond the copy of its log.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Remembered {
    /// Whose it is; `None`: of none yet.
    pub(in crate::front) group: Option<GroupId>,
    /// What was seen of it.
    pub(in crate::front) seen: Witness,
}
