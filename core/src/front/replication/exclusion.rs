//! Which backends are left out, and why: a disk that is reached twice, was copied, has gone back in
//! time, or belongs to another group; and how it is put right.
//!
//! The rules are those of *Consistency* 7. What never lives here: which of the other backends are
//! members (that is `membership`), and how a backend is repaired (that is `progress`).

use super::backend_link::BackendLink;
use super::eligibility::{Exclusion, Lapse};
use super::membership::is_unborn;
use super::pending_orders::OrderPurpose;
use super::{Context, Replication};
use crate::base::limits::DOUBLED_REDIAL;
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::leadership::phase::Phase;
use crate::io::Intent;
use crate::log::{Epoch, Slot};
use crate::messages::group::{Order, Standing};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Replication {
    /// Decides anew which backends are left out, and why, after one came, went, or described
    /// itself. Returns whether that has changed, so that the parts have to be merged again.
    pub(in crate::front) fn judge(
        &mut self,
        now: Mono,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) -> bool {
        let (mut again, mut changed) = (Vec::new(), false);
        for id in BackendId::all() {
            let (before, after) = (self.backends[id].exclusion(), self.exclusion(id, context));
            if before == after {
                continue;
            }
            match after {
                Some(exclusion) => {
                    self.backends[id].exclude(exclusion);
                    let (text, backend) =
                        (self.explain(id, exclusion, context), &mut self.backends[id]);
                    match exclusion {
                        // Two backends that report the name of a new group are believed. A third
                        // one that changes to that group a moment earlier or later is not logged as
                        // foreign at once.
                        Exclusion::Foreign(_) => backend.complain_later(text),
                        _ => backend.complain(text),
                    }
                }
                // The reason is gone: the backend is asked for its description again.
                None => {
                    self.backends[id].include(now);
                    if self.backends[id].known().is_some() {
                        again.push(id);
                    }
                }
            }
            changed = true;
        }
        for id in again {
            self.backends[id].ask(now, OrderPurpose::Describe, &Order::Describe, out);
        }
        self.disown(now, context, out);
        changed
    }

    fn exclusion(&self, id: BackendId, context: &Context<'_>) -> Option<Exclusion> {
        let backend = &self.backends[id];
        let standing = backend.standing()?;
        // The earlier connection counts, unless it leads to a copy that is known to be old.
        let rank = |backend: &BackendLink| (backend.lapse().is_some(), backend.link());
        let twins: Vec<BackendId> = BackendId::all()
            .filter(|&other| {
                let before = rank(&self.backends[other]) < rank(backend);
                let same = |own: &Standing| own.disk == standing.disk;
                other != id && before && self.backends[other].standing().is_some_and(same)
            })
            .collect();
        // A disk that is reached twice may have a copy as well, on either connection. An address is
        // dialled anew only once the disk is known to be reached twice.
        if let Some(&other) = twins.iter().find(|&&other| !self.are_two_processes(id, other)) {
            return Some(Exclusion::Doubled(other));
        }
        if let Some(&other) = twins.first() {
            return Some(Exclusion::Copied(other));
        }
        if let Some(group) = standing.group.filter(|&group| {
            let own = self.own_group(context);
            !is_unborn(standing) && own.is_some_and(|own| own != group)
        }) {
            return Some(Exclusion::Foreign(group));
        }
        let differs = backend.facts().is_some_and(|facts| facts.differs);
        if differs && Some(standing.promised) == context.epoch() {
            return Some(Exclusion::Differs);
        }
        if standing.group.is_none() && self.is_emptied(context) {
            return Some(Exclusion::Emptied);
        }
        backend.lapse().map(|lapse| Exclusion::WentBack { was: lapse.was, last: standing.last })
    }

    /// Whether two backends with the same disk are two processes that run at the same time. A
    /// process that was restarted differs too, as long as its old connection is not known to be
    /// dead: so each has to answer an order that was sent after both had described themselves.
    fn are_two_processes(&self, one: BackendId, other: BackendId) -> bool {
        let both = [one, other].map(|id| &self.backends[id]);
        let met = both.map(|backend| backend.reported().met()).into_iter().max();
        let process = both.map(|backend| backend.facts().map(|facts| facts.process));
        let [Some(first), Some(second)] = process else { return false };
        first != second && both.iter().all(|backend| Some(backend.reported().as_of()) > met)
    }

    /// Whether another connection to the same disk is left out.
    pub(in crate::front) fn is_doubled(&self, id: BackendId) -> bool {
        let with = |backend: &BackendLink| match backend.exclusion() {
            Some(Exclusion::Doubled(other) | Exclusion::Copied(other)) => other == id,
            _ => false,
        };
        self.backends.iter().any(with)
    }

    /// Notes at the end of a step whether one backend is reached by two addresses.
    pub(in crate::front) fn watch_doubled(&mut self, now: Mono) {
        let doubled =
            |backend: &BackendLink| matches!(backend.exclusion(), Some(Exclusion::Doubled(_)));
        let since = self.backends.iter().any(doubled).then_some(now + DOUBLED_REDIAL);
        self.doubled_until = since.map(|until| self.doubled_until.unwrap_or(until));
    }

    /// Returns the backend whose connection is due to be made anew because one backend has been
    /// reached by two addresses for a while. A name may have resolved to another address when it
    /// was dialled: the earlier connection is made anew, so that the two take turns.
    pub(in crate::front) fn take_doubled(
        &mut self,
        now: Mono,
        context: &Context<'_>,
    ) -> Option<BackendId> {
        self.redial_due(context).filter(|until| *until <= now)?;
        self.doubled_until = None;
        let ends = BackendId::all().find_map(|id| match self.backends[id].exclusion() {
            Some(Exclusion::Doubled(other)) => Some([id, other]),
            _ => None,
        });
        ends?.into_iter().min_by_key(|&it| self.backends[it].link())
    }

    /// Returns when that is due; `None` during a claim, which is not disturbed. It is done when the
    /// claim has ended, since the next claim may begin at any time.
    pub(in crate::front) fn redial_due(&self, context: &Context<'_>) -> Option<Mono> {
        let still =
            matches!(context.phase, Phase::Standby | Phase::Pausing { .. } | Phase::Leading { .. });
        self.doubled_until.filter(|_| still)
    }

    /// Explains what is wrong and what an operator can do.
    fn explain(&self, id: BackendId, exclusion: Exclusion, context: &Context<'_>) -> String {
        let address = &self.backends[id].address();
        match exclusion {
            Exclusion::Emptied => {
                "has an empty state folder, and another one has too: two backends \
                                   must hold the same log before a front can lead"
                    .into()
            }
            Exclusion::Doubled(other) => format!(
                "{address} and {} are the same disk: one backend is reached by two addresses and \
                 counts once; name each of the three backends once in CmServer.Server",
                self.backends[other].address()
            ),
            Exclusion::Copied(other) => format!(
                "{address} and {} are the same disk: the state folder of one is a copy of the \
                 other's, and counts once; it begins anew under another name as soon as two others \
                 serve, or before a group is born",
                self.backends[other].address()
            ),
            Exclusion::Foreign(group) => format!(
                "its state folder belongs to group {group}, this one is {}; start it with its own \
                 folder, or with an empty one",
                self.own_group(context).unwrap_or_default()
            ),
            Exclusion::WentBack { was, last } => format!(
                "its disk went back in time: it had slot {} and now ends at {last} (a snapshot or a \
                 backup was put back, or its last writes are gone); it is repaired under another \
                 name as soon as two others serve",
                was.slot
            ),
            Exclusion::Differs => "its copy of the log differs from that of the others; it is \
                                   repaired under another name as soon as two others serve"
                .into(),
        }
    }

    /// Checks, when a backend has promised, whether its disk has gone back in time. `before` is the
    /// epoch that it had promised until then. By now this front knows everything that the disk can
    /// have acknowledged to another front.
    pub(in crate::front) fn look_back(
        &mut self,
        id: BackendId,
        before: Epoch,
        context: &Context<'_>,
    ) {
        let Some(standing) = self.backends[id].standing().copied() else { return };
        let own = self.own_group(context);
        let was = self.witness_of(own).of(standing.disk);
        // A disk that has gone back to before the birth has another group's name, or none. A disk
        // may lack the first entry because the birth was begun again; it has lost nothing then.
        let built = was.is_some_and(|was| was.slot > Slot(1));
        let before_birth = built && is_unborn(&standing);
        if own.is_none() || standing.group != own && !before_birth {
            return;
        }
        let lost = was.filter(|was| before < was.promised || standing.last < was.slot);
        let Standing { promised, committed, .. } = standing;
        self.backends[id].set_lapse(lost.map(|was| Lapse { was, promised, committed }));
    }

    /// Clears the lapse of a backend that has described itself, if another front has claimed since,
    /// counts the disk, and has brought it up to where it had been.
    pub(in crate::front) fn forgive(&mut self, id: BackendId) {
        let backend = &mut self.backends[id];
        let Some(standing) = backend.standing().copied() else { return };
        let lapse = backend.lapse().filter(|lapse| !lapse.is_made_good(&standing));
        backend.set_lapse(lapse);
    }

    /// Orders disks that have lost their memory to begin anew, once two members serve without them
    /// and have at least as much, so that an only copy is never discarded. Before a birth there is
    /// nothing to discard.
    pub(in crate::front) fn disown(
        &mut self,
        now: Mono,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let epoch = match *context.phase {
            Phase::Leading { epoch } if self.on_two_disks() >= self.log.committed() => epoch,
            Phase::Claiming { epoch } if self.are_all_unborn() => epoch,
            _ => return,
        };
        for id in BackendId::all() {
            let backend = &self.backends[id];
            let (Some(exclusion), Some(standing)) = (backend.exclusion(), backend.standing())
            else {
                continue;
            };
            let more = standing.committed > self.log.committed();
            let leads = context.leads();
            let ends =
                leads && exclusion.ends_the_disk() || matches!(exclusion, Exclusion::Copied(_));
            if !ends || more || backend.minor() < 1 {
                continue;
            }
            let disk = standing.disk;
            if standing.promised == epoch && !backend.is_asked(OrderPurpose::Disown(epoch)) {
                let order = Order::Disown { epoch, disk };
                self.backends[id].ask(now, OrderPurpose::Disown(epoch), &order, out);
            } else if standing.promised < epoch && !backend.is_asked(OrderPurpose::Claim(epoch)) {
                let order = Order::Claim { epoch };
                self.backends[id].ask(now, OrderPurpose::Claim(epoch), &order, out);
            }
        }
    }

    /// Whether a backend knows slots to be chosen that this front, which leads, does not have: then
    /// the other backends have gone back in time, and every further answer would be wrong.
    pub(in crate::front) fn contradicts(&self, id: BackendId, context: &Context<'_>) -> bool {
        let standing = self.backends[id].standing();
        standing.is_some_and(|own| {
            own.group == self.log.group()
                && Some(own.promised) == context.epoch()
                && self.backends[id].known_chosen() > self.log.last()
        })
    }
}
