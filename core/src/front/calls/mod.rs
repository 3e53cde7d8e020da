//! The calls of clients: which are decided, which wait, which a backend does, and the virtual
//! containers that they are decided by.
//!
//! What lives here: the clients with their handles, and every call of theirs that is on its way. What
//! never lives here: whether this front leads, and whether a call goes to the twin.

mod any_one;
mod copies;
mod dispatch;
mod gone;
mod naming;
mod parked;
mod pending;
mod virtual_containers;

use super::Config;
use super::operator::Operator;
use super::replication::backend_link::{BackendLink, OrderPurpose};
use super::replication::replicated_log::ReplicatedLog;
use super::twin::Twin;
use super::usage::{self, Usage};
use crate::base::limits::{HANDLE_BLOCK, HANDLE_LAST};
use crate::base::random::Random;
use crate::base::time::{Deadline, Mono, Wall};
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::log::{Entry, Handle, Setting, Slot};
use crate::service::LicenceService;
use crate::wire::CmError;
use alloc::vec::Vec;
pub(super) use any_one::Performed;
use any_one::{AnyOneCalls, Performers};
pub use copies::Copied;
use core::ops::RangeInclusive;
pub(super) use dispatch::Call;
pub(super) use parked::ParkedCall;
use parked::ParkedCalls;
use pending::PendingCommits;
pub(super) use virtual_containers::{MergedLicence, VirtualContainers};
pub use virtual_containers::{Review, Reviewed, review};

/// The clients of a front, and their calls.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub(super) struct Calls {
    service: LicenceService,
    /// What calls are decided by.
    virtuals: VirtualContainers,
    /// Virtual containers may have come that have no serial yet.
    unnamed: bool,
    /// Handle numbers that are this front's as soon as this slot is committed.
    block: Option<(Slot, RangeInclusive<u32>)>,
    pending: PendingCommits,
    any_one: AnyOneCalls,
    parked: ParkedCalls,
}

/// What calls are lent.
#[derive(Debug)]
pub(super) struct Context<'a> {
    /// This front leads.
    pub(super) leads: bool,
    /// The date that licences are judged by.
    pub(super) date: Wall,
    pub(super) config: &'a Config,
    pub(super) log: &'a mut ReplicatedLog,
    pub(super) backends: &'a mut [BackendLink; 3],
    pub(super) twin: Option<&'a mut Twin>,
    pub(super) usage: &'a mut Usage,
    pub(super) operator: &'a mut Operator,
    pub(super) random: &'a mut Random,
}

impl Context<'_> {
    /// Takes a handle back that nobody was told of, or whose holder is gone.
    pub(super) fn give_back(&mut self, handle: Handle, reason: &str) {
        if self.leads && self.log.speculative_state().seat(handle).is_some() {
            tracing::info!(target: "tmr_core::front::flight", %handle, reason, "handle given back");
            self.log.propose(Entry::Expire(handle));
        }
    }

    /// Returns whether at least two backends are there and counted.
    fn could_serve(&self) -> bool {
        self.backends.iter().filter(|backend| backend.counts()).count() >= 2
    }

    /// Returns how many entries are on their way.
    fn uncommitted(&self) -> u64 {
        self.log.last().0 - self.log.committed().0
    }
}

impl Calls {
    /// Nobody is here yet.
    pub(super) fn new(config: &Config) -> Self {
        let identity = config.identity.clone();
        let mut service = LicenceService::new(identity, config.cleanup, config.handle_key.clone());
        service.obey(config.policy.clone());
        Self {
            service,
            virtuals: VirtualContainers::default(),
            unnamed: false,
            block: None,
            pending: PendingCommits::default(),
            any_one: AnyOneCalls::default(),
            parked: ParkedCalls::default(),
        }
    }

    /// Returns the clients with their handles, to look at.
    pub(super) fn service(&self) -> &LicenceService {
        &self.service
    }

    /// Lends the clients with their handles.
    pub(super) fn service_mut(&mut self) -> &mut LicenceService {
        &mut self.service
    }

    /// Returns what calls are decided by.
    pub(super) fn virtuals(&self) -> &VirtualContainers {
        &self.virtuals
    }

    /// Returns whether nothing that was begun is on its way.
    pub(super) fn is_drained(&self) -> bool {
        self.pending.is_empty() && self.any_one.is_empty()
    }

    /// Returns the last slot that a call waits for.
    pub(super) fn last_awaited(&self) -> Option<Slot> {
        self.pending.last()
    }

    /// The parts of a backend differ from what the grant in this slot says.
    pub(super) fn differs(&mut self, index: usize, slot: Slot) {
        self.pending.differs(index, slot);
    }

    /// A stock server has refused a grant, which will be among those it does not hold.
    pub(super) fn refused_there(&mut self, index: usize, slot: Slot, error: CmError) {
        self.pending.refused(index, slot, error);
    }

    /// A backend has done a call.
    pub(super) fn performed(
        &mut self,
        now: Mono,
        index: usize,
        answer: Performed,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Self { service, virtuals, any_one, .. } = self;
        any_one.performed(
            now,
            index,
            answer,
            &mut Performers::new(service, virtuals, context),
            out,
        );
    }

    /// A backend is gone, or cannot do what it was asked: that is tried at another.
    pub(super) fn failover_from(
        &mut self,
        now: Mono,
        index: usize,
        lost: Vec<OrderPurpose>,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Self { service, virtuals, any_one, .. } = self;
        let mut with = Performers::new(service, virtuals, context);
        any_one.failover_from(now, index, lost, &mut with, out);
    }

    /// Ends what has waited too long.
    pub(super) fn end_late(&mut self, now: Mono, context: &mut Context<'_>, out: &mut Vec<Intent>) {
        self.end_late_commits(now, context, out);
        while let Some(ParkedCall { link, call, .. }) = self.parked.pop_late(now) {
            let up = context.backends.iter().filter(|backend| backend.known().is_some()).count();
            let error = match up {
                // It says why nothing could be decided, and nothing was begun.
                0 | 1 => CmError::REDUNDANCY_SERVER_MISSING,
                _ => CmError::SERVER_START_PENDING,
            };
            self.turn_down(link, &call, error, context, out);
        }
        let Self { service, virtuals, any_one, .. } = self;
        any_one.move_on(now, &mut Performers::new(service, virtuals, context), out);
    }

    /// Returns when something of this is due, apart from clients that are silent.
    pub(super) fn deadlines(&self) -> [Option<Deadline>; 2] {
        let flights = [self.pending.due(), self.parked.due(), self.any_one.due()];
        let call = flights.into_iter().flatten().min();
        [
            call.map(|at| Deadline { at, reason: "call" }),
            self.service.waits_until().map(|at| Deadline { at, reason: "a wrong handle" }),
        ]
    }

    /// Forgets every call on its way; the links they came by are closed by the caller. A front
    /// that leads on must not keep the seats: nobody was told of them, and nobody watches them.
    pub(super) fn drop_all(&mut self, context: &mut Context<'_>) {
        for grant in self.pending.take_grants() {
            context.give_back(grant.handle, "this front could not confirm it");
        }
        self.any_one.clear();
        self.parked.clear();
    }

    /// Keeps a call until a front leads, or its time is up.
    pub(super) fn park(&mut self, parked: ParkedCall) {
        self.parked.park(parked);
    }

    /// A client is gone, and the call that waits with it. `unsent`: the last reply did not reach it.
    /// Returns the handle that this reply had named for the first time.
    pub(super) fn client_gone(&mut self, link: LinkId, unsent: bool) -> Option<Handle> {
        self.parked.forget(link);
        self.service.closed(link, unsent)
    }

    /// Returns whether calls wait for a front to lead.
    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Takes up the calls that waited for a front to lead.
    pub(super) fn unpark(&mut self) -> Vec<ParkedCall> {
        self.parked.take()
    }

    /// Drops the calls of the twin's clients that wait: this front does not lead.
    pub(super) fn drop_passed(&mut self, out: &mut Vec<Intent>) {
        for link in self.parked.passed() {
            self.parked.forget(link);
            self.service.dismiss(link);
            out.push(Intent::Close {
                link,
                reason: CloseReason::Stepped("this front does not lead"),
            });
        }
    }

    /// The virtual address is to leave: closes the links of clients that wait for nothing that could
    /// come from here. `passes`: calls that wait will go to the twin. Returns whether none is left.
    pub(super) fn close_idle(
        &mut self,
        passes: bool,
        reason: &CloseReason,
        out: &mut Vec<Intent>,
    ) -> bool {
        let parked = &self.parked;
        let waits = |link| passes || !parked.has(link);
        self.service.close_links(|link, asks| !asks || !waits(link), reason, out);
        if !passes {
            self.parked.clear();
        }
        self.service.clients() == 0
    }

    /// Proposes that the next block of handle numbers is this front's.
    pub(super) fn reserve_handles(&mut self, log: &mut ReplicatedLog) {
        let first = log.speculative_state().handles_reserved();
        let last = first.saturating_add(HANDLE_BLOCK).min(HANDLE_LAST);
        let (slot, _) = log.propose(Entry::Configure(Setting::Handles(last)));
        self.block = Some((slot, first.saturating_add(1)..=last));
    }

    /// Reserves more handle numbers where few are left.
    pub(super) fn see_to_handles(&mut self, log: &mut ReplicatedLog) {
        let reserved = log.speculative_state().handles_reserved();
        let low = self.service.numbers_left() < HANDLE_BLOCK / 2;
        if low && self.block.is_none() && reserved < HANDLE_LAST {
            self.reserve_handles(log);
        }
    }

    /// A reserved block is used when it is committed: a handle without a seat is told of before its
    /// own entry is on any disk, so nothing else would keep a successor from handing its number out
    /// again.
    pub(super) fn take_handles(&mut self, log: &ReplicatedLog) {
        let committed = log.committed();
        if let Some((_, block)) = self.block.take_if(|(slot, _)| *slot <= committed) {
            let group = log.committed_state().numbered().or_else(|| log.group());
            self.service.take_numbers(group.unwrap_or_default().0, block);
        }
    }

    /// What was reserved and is not committed is nobody's: this front claims anew.
    pub(super) fn forget_block(&mut self) {
        self.block = None;
    }
}

/// Lends the usage history what it records by.
fn recording<'a>(
    context: &'a mut Context<'_>,
    virtuals: &'a VirtualContainers,
) -> (&'a mut Usage, usage::Context<'a>) {
    let Context { leads, log, usage, config, .. } = context;
    let catalogue = &virtuals.catalogue;
    (usage, usage::Context { leads: *leads, log, catalogue, config })
}

#[cfg(feature = "model")]
mod model {
    use super::Calls;
    use crate::base::time::Mono;
    use crate::front::model::Print;
    use crate::log::Handle;

    impl Calls {
        /// For an exhaustive check: all of it that makes a difference.
        pub(in crate::front) fn fingerprint(&self, print: &mut Print) {
            // Whose parts differ, and what each holds, is told with each backend.
            let Self { service, virtuals: _, unnamed, block, pending, any_one, parked } = self;
            assert!(any_one.is_empty() && parked.is_empty());
            print.add(&(unnamed, block));
            print.extend(&service.fingerprint());
            pending.fingerprint(print);
        }

        /// For an exhaustive check: what a backend has, and where it differs.
        pub(in crate::front) fn backend_print(&self, index: usize, print: &mut Print) {
            let merged = self.virtuals.merged.values().map(|merged| merged.prints[index]);
            print.add(&merged.collect::<alloc::vec::Vec<_>>());
            print.add(&self.pending.differing(index));
        }

        /// For an exhaustive check: makes the oldest call that waits for its slot late. Returns `false`
        /// if none does.
        pub(in crate::front) fn let_fire(&mut self, due: Mono) -> bool {
            self.pending.let_fire(due)
        }

        /// For an exhaustive check: has the client of a handle be silent for its clean-up time.
        pub(in crate::front) fn let_end(&mut self, handle: Handle) -> bool {
            self.service.let_end(handle)
        }
    }
}
