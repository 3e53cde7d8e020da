//! What an exhaustive check needs of a front beside steps (feature `model`): fingerprints that tell
//! which fronts are alike, timers that fire on demand, and values to compare.
//!
//! A check steps fronts at one time that never moves. So no timer is due by itself, and a check can
//! try every order in which timers could fire on machines of any speed.

use super::Front;
use super::leadership::phase::Phase;
use super::print::Print;
use crate::base::time::{Mono, Now};
use crate::front::BackendId;
use crate::front::replication::eligibility::Exclusion;
use crate::front::replication::link_state::LinkState;
use crate::front::replication::pending_orders::{OrderPurpose, PendingOrder};
use crate::front::replication::rounds::Confirmation;
use crate::link::LinkId;
use crate::log::{Acked, DiskId, Entry, Epoch, Handle, Slot, State};
use crate::messages::group::{Facts, Standing};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A timer of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// To dial this backend again.
    Dial(BackendId),
    /// To ask the backends for their confirmation.
    Heartbeat,
    /// To claim after a pause, or to give up a claim without progress.
    Claim,
    /// To give up the oldest call that waits for its slot.
    Call,
    /// To end this handle, because its client is silent.
    Silence(Handle),
}

#[doc(hidden)]
impl Front {
    /// Makes a timer due at the next step. Returns `false` if it does not run.
    pub fn let_fire(&mut self, timer: Timer) -> bool {
        let due = Mono(0);
        match timer {
            Timer::Dial(id) => return self.replication.backend_mut(id).let_dial(due),
            Timer::Heartbeat => self.leadership.ask_at(due),
            Timer::Claim => return self.leadership.let_claim_fire(due),
            Timer::Call => {
                return self.calls.let_fire(due);
            }
            Timer::Silence(handle) => return self.calls.let_end(handle),
        }
        true
    }

    /// Returns the fingerprint of this front: fronts with equal fingerprints behave alike from here
    /// on, whatever their inputs. `name` returns what tells a disk from others: disks with one name
    /// are members of the same sets.
    #[must_use]
    pub fn fingerprint(&self, now: Now, name: &dyn Fn(DiskId) -> u8) -> Fingerprint {
        // Taken apart, so that a new field has to be considered here. Left out are: what is
        // configured alike for all; times, since only `now` and a constant later occur; numbers of
        // links, which are names; random values, which are pauses and names; what follows from the
        // rest.
        let Self {
            config,
            replication,
            leadership,
            twin,
            reported_handles,
            calls,
            usage: _,
            // This only concerns people and counters; there is no keepalived.
            operator,
            numbers: _,
            unfenced,
            random: _,
        } = self;
        assert!(
            twin.is_none()
                && unfenced.is_none()
                && reported_handles.is_none()
                && operator.knows_no_configuration()
        );
        let (log, backends) = (replication.log(), replication.backends());
        let (witness, rounds) = (replication.witness(), replication.rounds());
        let round = rounds.round();
        let mut print = Print::with_capacity(1024);
        print.add(&config.front);
        print.add(&(log.group(), log.first(), log.committed()));
        print.add(&log.entries(log.first(), usize::MAX));
        print.add(&log.committed_state().encode());
        leadership.fingerprint(now.mono, &mut print, name);
        print.add(&replication.seems_lost());
        print.add(&(witness.group, witness.seen.known(), witness.seen.date()));
        calls.fingerprint(&mut print);
        // Reports arrive in the order of their orders, so the numbers add nothing.
        let asked = backends.each_ref().map(|backend| {
            let present = |pending: &PendingOrder| (pending.what, pending.round == round);
            format!("{:?}", backend.orders().values().map(present).collect::<Vec<_>>())
        });
        let mut disks: Vec<(DiskId, Vec<u8>)> = witness.seen.acked().iter().map(told_of).collect();
        let present = |last: &Confirmation| alloc::vec![u8::from(last.round == round)];
        disks.extend(rounds.confirmations().iter().map(|(&disk, last)| (disk, present(last))));
        let told = backends.each_ref().map(|backend| {
            let facts = backend.facts();
            facts.map_or(Vec::new(), |facts| facts.acked.iter().map(told_of).collect())
        });
        let peers = BackendId::ALL.map(|id| self.backend_print(id, name));
        Fingerprint { own: print.into_bytes(), peers, asked, disks, told }
    }

    fn backend_print(&self, id: BackendId, name: &dyn Fn(DiskId) -> u8) -> Vec<u8> {
        let (mut print, backend) = (Print::with_capacity(128), self.replication.backend(id));
        // Silence, pauses and load only affect timers; a tmrd backend has no seats here.
        let wire = match backend.link_state() {
            LinkState::Down(_) => 0u8,
            LinkState::Dialling(..) => 1,
            LinkState::Up(_) => 2,
        };
        // Its parts never change in a check.
        let standing = backend.reported().description().map(|known| {
            let Standing { disk, group, promised, base, committed, last } = known.standing;
            (name(disk), group, promised, base, committed, last, known.led)
        });
        print.add(&(wire, standing, backend.trouble().is_some(), self.has_confirmed(id)));
        print.add(&(backend.follower().was_here(), backend.follower().was_read()));
        // The name of the disk is known already.
        let had = |was: Acked| (was.promised, was.slot);
        let exclusion = match backend.exclusion() {
            Some(Exclusion::WentBack { was, last }) => format!("{:?} {last}", had(was)),
            other => format!("{other:?}"),
        };
        let lapse = backend.lapse().map(|lapse| (had(lapse.was), lapse.promised, lapse.committed));
        print.add(&(format!("{:?}", backend.progress()), exclusion, lapse));
        let facts = backend.facts().map(|facts| {
            // The acknowledgements that it knows of are added separately; names and clocks make no
            // difference.
            let Facts { process: _, before, known, digest, differs, acked: _, .. } = facts;
            (before, known, digest, differs)
        });
        print.add(&(backend.minor(), self.replication.is_sure_of(id), facts));
        self.calls.backend_print(id, &mut print);
        if let Phase::Reading(reading) = self.leadership.phase() {
            print.add(&reading.turn(id));
        }
        print.into_bytes()
    }

    /// Returns the epoch under which it leads, or assumes to.
    #[must_use]
    pub fn leads(&self) -> Option<Epoch> {
        if let Phase::Leading { epoch } = *self.leadership.phase() { Some(epoch) } else { None }
    }

    /// Whether it is to lead, and claims as soon as its pause is over.
    #[must_use]
    pub fn pauses(&self) -> bool {
        matches!(self.leadership.phase(), Phase::Pausing { .. })
            && self.leadership.could_claim(self.view())
    }

    /// Whether a claim could succeed.
    #[must_use]
    pub fn may_claim(&self) -> bool {
        self.leadership.could_claim(self.view())
    }

    /// Whether it is taking the lead.
    #[must_use]
    pub fn claims(&self) -> bool {
        self.leadership.epoch().is_some() && self.leads().is_none()
    }

    /// Whether it stands by.
    #[must_use]
    pub fn stands_by(&self) -> bool {
        !self.leadership.role().is_to_lead()
    }

    /// Returns what it knows to be committed.
    #[must_use]
    pub fn committed_log(&self) -> CommittedLog<'_> {
        let first = self.replication.log().first();
        let known = self.replication.log().committed().0 + 1 - first.0;
        let entries =
            self.replication.log().entries(first, usize::try_from(known).unwrap_or(usize::MAX));
        CommittedLog {
            base: Slot(first.0 - 1),
            entries: entries.unwrap_or_default(),
            state: self.replication.log().committed_state(),
        }
    }

    /// Returns the link to a backend, if there is one.
    #[must_use]
    pub fn link_to(&self, id: BackendId) -> Option<LinkId> {
        self.replication.backend(id).link()
    }

    /// Returns the highest epoch that it has seen.
    #[must_use]
    pub fn highest(&self) -> Epoch {
        self.leadership.highest()
    }

    /// Whether the oldest order that a backend has not answered is void: it is of a claim that is
    /// over, or it asks for a confirmation that this round has already or that would come too late.
    #[must_use]
    pub fn is_past(&self, id: BackendId) -> bool {
        let oldest = self.replication.backend(id).orders().values().next();
        oldest.is_some_and(|pending| match &pending.what {
            OrderPurpose::Describe | OrderPurpose::Perform(_) => false,
            OrderPurpose::Confirm(_) if self.has_confirmed(id) => true,
            OrderPurpose::Confirm(_)
                if pending.round != self.replication.rounds().round()
                    && self.is_confirmed_by(id) =>
            {
                true
            }
            OrderPurpose::Claim(epoch)
            | OrderPurpose::Fetch(epoch)
            | OrderPurpose::Found(epoch)
            | OrderPurpose::Append(epoch)
            | OrderPurpose::Install(epoch, _)
            | OrderPurpose::Confirm(epoch)
            | OrderPurpose::Witness(epoch)
            | OrderPurpose::Disown(epoch)
            | OrderPurpose::Recover(epoch) => Some(*epoch) != self.leadership.epoch(),
        })
    }

    fn has_confirmed(&self, id: BackendId) -> bool {
        let standing = self.replication.backend(id).standing();
        standing.is_some_and(|own| self.replication.in_this_round(&own.disk))
    }

    /// Whether the backend has confirmed this front, in any round.
    fn is_confirmed_by(&self, id: BackendId) -> bool {
        let standing = self.replication.backend(id).standing();
        standing
            .is_some_and(|own| self.replication.rounds().confirmations().contains_key(&own.disk))
    }

    /// Returns the number of the oldest order that a backend has not answered.
    #[must_use]
    pub fn oldest_order(&self, id: BackendId) -> Option<u32> {
        self.replication.backend(id).orders().keys().next().copied()
    }
}

/// What a front knows to be committed.
#[derive(Debug)]
pub struct CommittedLog<'a> {
    /// The slot before the first entry.
    pub base: Slot,
    /// The entries that are kept.
    pub entries: Vec<Entry>,
    /// The state after them.
    pub state: &'a State,
}

/// The fingerprint of a front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Everything apart from the backends.
    pub own: Vec<u8>,
    /// What it knows of each backend.
    pub peers: [Vec<u8>; 3],
    /// The orders that each backend has not answered.
    pub asked: [String; 3],
    /// What it knows of disks beyond the reports of the backends.
    pub disks: Vec<(DiskId, Vec<u8>)>,
    /// What each backend has reported of disks.
    pub told: [Vec<(DiskId, Vec<u8>)>; 3],
}

/// How far a disk has come, with its id apart.
fn told_of(acked: &Acked) -> (DiskId, Vec<u8>) {
    let mut print = Print::with_capacity(0);
    print.add(&(acked.promised, acked.slot));
    (acked.disk, print.into_bytes())
}
