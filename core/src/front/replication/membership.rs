//! Which acknowledgements count: the members of the group, as disks and not as connections.
//!
//! The rules are those of *Consistency* 7. What never lives here: which backends are left out, and
//! why (that is `exclusion`), and how promises are collected (that is `claim`).

use super::backend_link::BackendLink;
use super::eligibility::Exclusion;
use super::follower::Progress;
use super::pending_orders::OrderPurpose;
use super::vote::reached;
use super::{Context, Replication};
use crate::base::limits::DATE_STEP;
use crate::base::time::{Mono, Wall};
use crate::front::BackendId;
use crate::front::leadership::date::later;
use crate::front::leadership::phase::Phase;
use crate::io::Intent;
use crate::log::{Acked, DiskId, GroupId, Slot, Witness};
use crate::messages::group::{Facts, Order, Standing};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Replication {
    /// Returns the highest value that `need` backends of every set of members have reached; the
    /// lowest value before a group is born. `told` returns what one disk has reached.
    pub(in crate::front) fn reached_by_members<T: Copy + Ord + Default>(
        &self,
        need: usize,
        told: impl Fn(&DiskId) -> T,
    ) -> T {
        let in_set = |set: &[DiskId; 3]| {
            let mut values = [told(&set[0]), told(&set[1]), told(&set[2])];
            // A disk has one vote, even in a group that was born with the same disk twice.
            for index in 1..3 {
                if set[..index].contains(&set[index]) {
                    values[index] = T::default();
                }
            }
            reached(values, need)
        };
        self.log.member_sets().map(in_set).min().unwrap_or_default()
    }

    /// Returns the last slot that two members of every set have on disk.
    pub(in crate::front) fn on_two_disks(&self) -> Slot {
        self.reached_by_members(2, |disk| {
            self.backend_with(disk).map_or(Slot(0), BackendLink::matched)
        })
    }

    /// Returns the backend that has this disk, if it is connected and counted.
    pub(in crate::front) fn backend_with(&self, disk: &DiskId) -> Option<&BackendLink> {
        let has = |backend: &&BackendLink| {
            backend.standing().is_some_and(|standing| standing.disk == *disk)
        };
        self.backends.iter().filter(|backend| backend.exclusion().is_none()).find(has)
    }

    /// Whether these backends include two members of every set, so that one of them has whatever
    /// was chosen.
    pub(in crate::front) fn are_voters(&self, read: &[BackendId]) -> bool {
        let voter = |disk: &DiskId| {
            let has =
                |backend: &BackendLink| backend.standing().is_some_and(|own| own.disk == *disk);
            read.iter().any(|&id| has(&self.backends[id]))
        };
        self.reached_by_members(2, voter)
    }

    /// Returns the group of this front: the one that it leads or is about to lead; otherwise the
    /// one that two backends belong to, or whose log this front has.
    pub(in crate::front) fn own_group(&self, context: &Context<'_>) -> Option<GroupId> {
        let own = self.log.group();
        if matches!(context.phase, Phase::Reproposing { .. } | Phase::Leading { .. }) {
            return own;
        }
        let groups = || self.counted().filter_map(|(_, standing)| standing.group);
        let shared = |group: &GroupId| groups().filter(|other| other == group).count() >= 2;
        groups().find(shared).or(own)
    }

    /// Returns the backends that are connected and not a duplicate of another one, with their
    /// standing.
    pub(in crate::front) fn counted(&self) -> impl Iterator<Item = (BackendId, Standing)> + '_ {
        BackendId::all().filter_map(|id| {
            let backend = &self.backends[id];
            let twice =
                matches!(backend.exclusion(), Some(Exclusion::Doubled(_) | Exclusion::Copied(_)));
            backend.standing().filter(|_| !twice).map(|standing| (id, *standing))
        })
    }

    /// Whether three backends are connected and none holds anything of a group that was born.
    /// Copies of one disk count as three: they get ids of their own before the birth.
    pub(in crate::front) fn are_all_unborn(&self) -> bool {
        let unborn = |backend: &BackendLink| {
            let is_one = match backend.exclusion() {
                Some(Exclusion::Doubled(_)) => false,
                // An older program cannot be told to begin anew.
                Some(Exclusion::Copied(_)) => backend.minor() >= 1,
                _ => true,
            };
            is_one && backend.standing().is_some_and(is_unborn)
        };
        self.backends.iter().all(unborn)
    }

    /// Lists the backends that do not count, each with the reason.
    pub(in crate::front) fn missing(&self) -> String {
        let counts =
            |backend: &&BackendLink| backend.known().is_none() || backend.exclusion().is_some();
        let reason = |backend: &BackendLink| {
            let reason = backend.trouble().unwrap_or("not connected yet");
            format!("{} ({reason})", backend.address())
        };
        let missing: Vec<String> = self.backends.iter().filter(counts).map(reason).collect();
        missing.join(", ")
    }

    /// Returns what is known of a group by this front and by all connected backends that belong to
    /// it.
    pub(in crate::front) fn witness_of(&self, group: Option<GroupId>) -> Witness {
        let same = self.witness.group == group;
        let mut witness = if same { self.witness.seen.clone() } else { Witness::default() };
        for (id, _) in self.counted().filter(|(_, standing)| standing.group == group) {
            if let Some(facts) = self.backends[id].facts() {
                witness.hear(facts.known, facts.date, &facts.acked);
            }
        }
        witness
    }

    /// Returns the last slot that is known to be chosen, from the log, the backends, the twin and
    /// the usage history. A front leads with all of these slots or not at all.
    pub(in crate::front) fn known_chosen(&self, context: &Context<'_>) -> Slot {
        let Some(group) = self.log.group() else { return Slot(0) };
        let written = context.usage.told_of(group);
        let seen = self.witness_of(Some(group)).known();
        let told = context.twin.map_or(Slot(0), |twin| twin.chosen_of(group));
        written.max(seen).max(self.log.committed()).max(told)
    }

    /// Notes how far the backends have come, before a link goes down or the backends are sent the
    /// witness.
    pub(in crate::front) fn note_acked(&mut self, context: &Context<'_>) {
        let Some(epoch) = context.epoch() else { return };
        let acked = |backend: &BackendLink| {
            let disk = backend.standing().filter(|_| backend.exclusion().is_none())?.disk;
            // A backend that does not follow yet has promised nevertheless.
            let promised = (backend.progress() != Progress::NotPromised).then_some(epoch)?;
            Some(Acked { disk, promised, slot: backend.matched() })
        };
        let acked: Vec<Acked> = self.backends.iter().filter_map(acked).collect();
        if self.witness.group != self.log.group() {
            self.witness = Remembered { group: self.log.group(), seen: Witness::default() };
        }
        self.witness.seen.hear(self.log.committed(), Wall(0), &acked);
    }

    /// Whether two members of the group are connected and counted.
    pub(in crate::front) fn has_two_members(&self, context: &Context<'_>) -> bool {
        self.members_here(context) >= 2
    }

    /// Counts the members of the group that are connected and counted. A front that leads counts
    /// those that follow; another front goes by their latest descriptions.
    pub(in crate::front) fn members_here(&self, context: &Context<'_>) -> usize {
        self.backends.iter().filter(|backend| self.counts_as_member(backend, context)).count()
    }

    /// Whether a backend is connected, counted, and a member of the group.
    pub(in crate::front) fn counts_as_member(
        &self,
        backend: &BackendLink,
        context: &Context<'_>,
    ) -> bool {
        let leads = context.leads();
        let group = if leads { self.log.group() } else { self.own_group(context) };
        let Some(standing) = backend.standing().filter(|_| group.is_some()) else { return false };
        let counts = match backend.progress() {
            Progress::Following { .. } if leads => self.is_member(standing),
            _ if leads => false,
            _ => standing.group == group && !is_unborn(standing) && self.may_be_member(standing),
        };
        backend.exclusion().is_none() && counts
    }

    /// Whether a disk is a member, as far as this front knows. A copy of the log that is older than
    /// the backend's cannot tell: the disk may have been admitted since.
    fn may_be_member(&self, standing: &Standing) -> bool {
        let older = self.log.group() != standing.group
            || self.log.committed() < standing.committed
            || self.log.committed() == Slot(0);
        older || self.is_member(standing)
    }

    fn is_member(&self, standing: &Standing) -> bool {
        self.log.member_sets().all(|set| set.contains(&standing.disk))
    }

    /// Lists the backends that do not count as members, each with the reason.
    pub(in crate::front) fn not_counted(&self, context: &Context<'_>) -> String {
        let why = |backend: &BackendLink| {
            let standing = backend.standing();
            let blank = standing.is_some_and(is_blank);
            let why = match backend.trouble() {
                Some(trouble) => trouble,
                None if blank => "its state folder is empty",
                None if standing.is_none() => "not connected yet",
                None if !self.counts_as_member(backend, context) => {
                    "its disk is not one that the group is on"
                }
                None => return None,
            };
            Some(format!("{} ({why})", backend.address()))
        };
        self.backends.iter().filter_map(why).collect::<Vec<_>>().join(", ")
    }

    /// Keeps what is known of this group and drops what is known of any other, because a claim
    /// reads its log. Returns the date that the group has kept.
    pub(in crate::front) fn remember_group(&mut self, group: GroupId) -> Wall {
        let seen = self.witness_of(Some(group));
        let date = seen.date();
        self.witness = Remembered { group: Some(group), seen };
        date
    }

    /// Sends each backend the witness and the date to keep, with the heartbeat. The date advances
    /// in steps, so that journals are not written for it all the time.
    pub(in crate::front) fn tell_witness(
        &mut self,
        now: Mono,
        date: Option<Wall>,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Phase::Leading { epoch } = *context.phase else { return };
        if !context.config.backend_kind().keeps_log() {
            return;
        }
        self.disown(now, context, out);
        self.note_acked(context);
        let kept = self.witness.seen.date();
        if let Some(date) = date.filter(|&date| date >= later(kept, DATE_STEP)) {
            self.witness.seen.hear(Slot(0), date, &[]);
        }
        let order = Order::Witness {
            epoch,
            committed: self.log.committed(),
            digest: self.log.digest(),
            acked: self.witness.seen.acked(),
            date: self.witness.seen.date(),
        };
        for backend in self.backends.iter_mut().filter(|backend| {
            backend.minor() >= 1
                && backend.exclusion().is_none()
                && matches!(backend.progress(), Progress::Following { .. })
        }) {
            backend.ask(now, OrderPurpose::Witness(epoch), &order, out);
        }
    }

    /// Takes facts that a backend reports. Returns whether they may change which backends are left
    /// out.
    pub(in crate::front) fn told_facts(&mut self, now: Mono, id: BackendId, facts: Facts) -> bool {
        self.backends[id].told_facts(now, facts)
    }
}

/// Whether the group is not born yet: no grant was ever built on a first entry alone.
pub(in crate::front) fn is_unborn(standing: &Standing) -> bool {
    standing.committed == Slot(0) && standing.last <= Slot(1)
}

/// Whether the disk holds nothing of any group.
pub(in crate::front) fn is_blank(standing: &Standing) -> bool {
    standing.group.is_none() || is_unborn(standing)
}

/// What is known of one group beyond this front's copy of its log.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Remembered {
    /// The group; `None`: none yet.
    pub(in crate::front) group: Option<GroupId>,
    /// What was seen of the group.
    pub(in crate::front) seen: Witness,
}
