//! Who is left out, and why: a disk that is reached twice, was copied, has gone back in time, or
//! belongs elsewhere; and what becomes of it.
//!
//! The rules are those of *Consistency* 7. What never lives here: whose word counts of those who are
//! not left out (that is `members`), and how one is repaired (that is `replicate`).

use super::backend_link::{BackendLink, OrderPurpose, Progress};
use super::membership::is_unborn;
use super::{Context, Replication};
use crate::base::limits::DOUBLED_REDIAL;
use crate::base::time::Mono;
use crate::front::leadership::phase::Phase;
use crate::io::Intent;
use crate::log::{Acked, Epoch, GroupId, Slot};
use crate::messages::group::{Order, Standing};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Why a backend that is connected is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Exclusion {
    /// It is the same process as the one at this place: one backend has two addresses.
    Doubled(usize),
    /// Its state folder is a copy of the one at this place, or the other way round.
    Copied(usize),
    /// It belongs to another group.
    Foreign(GroupId),
    /// It remembers less than it has said: its disk has gone back in time.
    WentBack {
        /// What is known of it.
        was: Acked,
        /// The last slot that it holds.
        last: Slot,
    },
    /// Its copy of the log differs from that of the others.
    Differs,
    /// It is blank, and so is another one: the group's memory is on one disk or on none.
    Emptied,
}

/// A disk was found to have gone back in time when it promised something to this front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct Lapse {
    /// What was known of it.
    pub(in crate::front) was: Acked,
    /// What it promised then.
    pub(in crate::front) promised: Epoch,
    /// What it knew to be chosen then.
    pub(in crate::front) committed: Slot,
}

impl Lapse {
    /// A front of a later epoch has the disk follow its log, and the disk has again all that it is known
    /// to have had. No front sends entries to a disk that it leaves out, so that one has read two
    /// members and found nothing to be wrong with it, and its entries stand on the disk now.
    fn is_made_good(&self, standing: &Standing) -> bool {
        standing.promised > self.promised
            && standing.committed > self.committed
            && standing.committed >= self.was.slot
    }
}

impl Exclusion {
    /// The disk has lost its memory: it is to begin anew under another name.
    fn ends_the_disk(self) -> bool {
        matches!(self, Self::Copied(_) | Self::WentBack { .. } | Self::Differs)
    }
}

impl Replication {
    /// Looks anew at who is left out, and why: a backend came, went, or said something of itself.
    /// Returns whether that has changed, so that the parts are to be merged anew.
    pub(in crate::front) fn judge(
        &mut self,
        now: Mono,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) -> bool {
        let (mut again, mut changed) = (Vec::new(), false);
        for index in 0..3 {
            let (before, after) = (self.backends[index].exclusion, self.exclusion(index, context));
            if before == after {
                continue;
            }
            self.backends[index].exclusion = after;
            match after {
                Some(exclusion) => {
                    self.backends[index].progress = Progress::NotPromised;
                    let (text, backend) =
                        (self.explain(index, exclusion, context), &mut self.backends[index]);
                    match exclusion {
                        // Two that have told their new group's name are believed; of who changes to
                        // it before or after them, that is not known for a moment.
                        Exclusion::Foreign(_) => backend.complain_later(text),
                        _ => backend.complain(text),
                    }
                }
                // What kept it out is gone: it is asked who it is once more.
                None => {
                    self.backends[index].trouble = None;
                    self.backends[index].counts_since = now;
                    if self.backends[index].known().is_some() {
                        again.push(index);
                    }
                }
            }
            changed = true;
        }
        for index in again {
            self.backends[index].ask(now, OrderPurpose::Describe, &Order::Describe, out);
        }
        self.disown(now, context, out);
        changed
    }

    fn exclusion(&self, index: usize, context: &Context<'_>) -> Option<Exclusion> {
        let backend = &self.backends[index];
        let standing = backend.standing()?;
        // The earlier connection counts, but for one to a copy that is known to be old.
        let rank = |backend: &BackendLink| (backend.went_back.is_some(), backend.link());
        let twins: Vec<usize> = (0..3)
            .filter(|&other| {
                let before = rank(&self.backends[other]) < rank(backend);
                let same = |own: &Standing| own.disk == standing.disk;
                other != index && before && self.backends[other].standing().is_some_and(same)
            })
            .collect();
        // One that is reached twice may be a copy as well, by each of its connections. As long as it
        // is not known to be reached twice, the address that should lead elsewhere is not dialled anew.
        if let Some(&other) = twins.iter().find(|&&other| !self.are_two_processes(index, other)) {
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
        let differs = backend.facts.as_ref().is_some_and(|facts| facts.differs);
        if differs && Some(standing.promised) == context.epoch() {
            return Some(Exclusion::Differs);
        }
        if standing.group.is_none() && self.is_emptied(context) {
            return Some(Exclusion::Emptied);
        }
        backend.went_back.map(|lapse| Exclusion::WentBack { was: lapse.was, last: standing.last })
    }

    /// Two backends that have one disk are two processes that run at the same time. One that was
    /// started again is another process too, while its old connection is not known to be dead: so
    /// each has to answer a question that was asked when both had been heard.
    fn are_two_processes(&self, one: usize, other: usize) -> bool {
        let both = [one, other].map(|index| &self.backends[index]);
        let met = both.map(|backend| backend.met).into_iter().max();
        let process = both.map(|backend| backend.facts.as_ref().map(|facts| facts.process));
        let [Some(first), Some(second)] = process else { return false };
        first != second && both.iter().all(|backend| Some(backend.as_of) > met)
    }

    /// A connection to the same disk as this one's is, or was, left out.
    pub(in crate::front) fn is_doubled(&self, index: usize) -> bool {
        let with = |backend: &BackendLink| match backend.exclusion {
            Some(Exclusion::Doubled(other) | Exclusion::Copied(other)) => other == index,
            _ => false,
        };
        self.backends.iter().any(with)
    }

    /// The end of a step: one backend is reached by two addresses, or is not any more.
    pub(in crate::front) fn watch_doubled(&mut self, now: Mono) {
        let doubled =
            |backend: &BackendLink| matches!(backend.exclusion, Some(Exclusion::Doubled(_)));
        let since = self.backends.iter().any(doubled).then_some(now + DOUBLED_REDIAL);
        self.doubled_until = since.map(|until| self.doubled_until.unwrap_or(until));
    }

    /// Returns the backend whose connection is to be made anew, if that is due: one backend has been reached
    /// by two addresses for a while. Names may have led elsewhere when it was dialled, so the earlier
    /// connection is made anew, and each of the two has its turn.
    pub(in crate::front) fn take_doubled(
        &mut self,
        now: Mono,
        context: &Context<'_>,
    ) -> Option<usize> {
        self.redial_due(context).filter(|until| *until <= now)?;
        self.doubled_until = None;
        let ends = (0..3).find_map(|index| match self.backends[index].exclusion {
            Some(Exclusion::Doubled(other)) => Some([index, other]),
            _ => None,
        });
        ends?.into_iter().min_by_key(|&it| self.backends[it].link())
    }

    /// When that is due. A claim is not disturbed: what comes due meanwhile is done when it has ended,
    /// for the next one may be under way at any later time as well.
    pub(in crate::front) fn redial_due(&self, context: &Context<'_>) -> Option<Mono> {
        let still =
            matches!(context.phase, Phase::Standby | Phase::Pausing { .. } | Phase::Leading { .. });
        self.doubled_until.filter(|_| still)
    }

    /// What is wrong, and what an operator can do, in words.
    fn explain(&self, index: usize, exclusion: Exclusion, context: &Context<'_>) -> String {
        let address = &self.backends[index].address;
        match exclusion {
            Exclusion::Emptied => {
                "has an empty state folder, and another one has too: two backends \
                                   must hold the same log before a front can lead"
                    .into()
            }
            Exclusion::Doubled(other) => format!(
                "{address} and {} are the same disk: one backend is reached by two addresses and \
                 counts once; name each of the three backends once in CmServer.Server",
                self.backends[other].address
            ),
            Exclusion::Copied(other) => format!(
                "{address} and {} are the same disk: the state folder of one is a copy of the \
                 other's, and counts once; it begins anew under another name as soon as two others \
                 serve, or before a group is born",
                self.backends[other].address
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

    /// A backend has promised: whether its disk has gone back in time. `before` is what it had
    /// promised until then. All that it could have said to another front, it has said by now.
    pub(in crate::front) fn look_back(
        &mut self,
        index: usize,
        before: Epoch,
        context: &Context<'_>,
    ) {
        let Some(standing) = self.backends[index].standing().copied() else { return };
        let own = self.own_group(context);
        let was = self.witness_of(own).of(standing.disk);
        // One that is back before the birth has another group's name, or none. Of a birth that was
        // begun again a disk may have forgotten the first entry, and has lost nothing.
        let built = was.is_some_and(|was| was.slot > Slot(1));
        let before_birth = built && is_unborn(&standing);
        if own.is_none() || standing.group != own && !before_birth {
            return;
        }
        let lost = was.filter(|was| before < was.promised || standing.last < was.slot);
        let Standing { promised, committed, .. } = standing;
        self.backends[index].went_back = lost.map(|was| Lapse { was, promised, committed });
    }

    /// A backend has described itself: whether another front has claimed since its disk was found to have
    /// gone back in time, counts it, and has brought it up to where it had been.
    pub(in crate::front) fn forgive(&mut self, index: usize) {
        let backend = &mut self.backends[index];
        let Some(standing) = backend.standing().copied() else { return };
        backend.went_back = backend.went_back.filter(|lapse| !lapse.is_made_good(&standing));
    }

    /// Has those whose disks have lost their memory begin anew, once two members serve without
    /// them and have at least as much: nobody's only copy is thrown away. Before a birth there is
    /// nothing to be thrown away.
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
        for index in 0..3 {
            let backend = &self.backends[index];
            let (Some(exclusion), Some(standing)) = (backend.exclusion, backend.standing()) else {
                continue;
            };
            let more = standing.committed > self.log.committed();
            let leads = context.leads();
            let ends =
                leads && exclusion.ends_the_disk() || matches!(exclusion, Exclusion::Copied(_));
            if !ends || more || backend.minor < 1 {
                continue;
            }
            let disk = standing.disk;
            let asks = |asked: &OrderPurpose| {
                backend.pending.values().any(|pending| pending.what == *asked)
            };
            if standing.promised == epoch && !asks(&OrderPurpose::Disown(epoch)) {
                let order = Order::Disown { epoch, disk };
                self.backends[index].ask(now, OrderPurpose::Disown(epoch), &order, out);
            } else if standing.promised < epoch && !asks(&OrderPurpose::Claim(epoch)) {
                let order = Order::Claim { epoch };
                self.backends[index].ask(now, OrderPurpose::Claim(epoch), &order, out);
            }
        }
    }

    /// A backend knows slots to be chosen that this front, which leads, does not have: the others
    /// have gone back in time, and whatever is served from here on would be wrong.
    pub(in crate::front) fn contradicts(&self, index: usize, context: &Context<'_>) -> bool {
        let standing = self.backends[index].standing();
        standing.is_some_and(|own| {
            own.group == self.log.group()
                && Some(own.promised) == context.epoch()
                && self.backends[index].known_chosen() > self.log.last()
        })
    }
}
