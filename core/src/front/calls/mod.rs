//! The calls of clients: which are decided, which wait, which a backend does, and the virtual
//! containers by which they are decided.
//!
//! What lives here: the clients with their handles, and all their pending calls. What never lives
//! here: whether this front leads, and whether a call goes to the twin.

mod any_one;
mod copies;
mod dispatch;
mod gone;
mod naming;
mod parked;
mod pending;
mod taken_back;
mod virtual_containers;

use super::Config;
use super::operator::Operator;
use super::replication::backend_link::BackendLink;
use super::replication::pending_orders::OrderPurpose;
use super::replication::replicated_log::ReplicatedLog;
use super::twin::Twin;
use super::usage::{self, Usage};
use crate::base::limits::{CALL_TIMEOUT, HANDLE_BLOCK, HANDLE_LAST, PASSED_TIMEOUT};
use crate::base::random::Random;
use crate::base::time::{Deadline, Mono, Wall};
use crate::front::BackendId;
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
pub(super) use gone::{gone_in_words, handles_of};
pub(super) use parked::ParkedCall;
use parked::ParkedCalls;
use pending::PendingCommits;
pub(super) use virtual_containers::MergedLicence;
use virtual_containers::VirtualContainers;
pub use virtual_containers::{PartDifference, Review, Reviewed, review};

/// The clients of a front, and their calls.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub(super) struct Calls {
    service: LicenceService,
    /// What the calls are decided by.
    virtuals: VirtualContainers,
    /// Whether there may be new virtual containers without a serial.
    unnamed: bool,
    /// A block of handle numbers that this front may use as soon as this slot is committed.
    block: Option<(Slot, RangeInclusive<u32>)>,
    pending: PendingCommits,
    any_one: AnyOneCalls,
    parked: ParkedCalls,
}

/// What calls are lent.
#[derive(Debug)]
pub(super) struct Context<'a> {
    /// Whether this front leads.
    pub(super) leads: bool,
    /// The date by which licences are judged.
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
    /// Gives back a handle that no client knows of, or whose holder is gone.
    pub(super) fn give_back(&mut self, handle: Handle, reason: &str) {
        if self.leads && self.log.speculative_state().seat(handle).is_some() {
            tracing::info!(target: "tmr_core::front::flight", %handle, reason, "handle given back");
            self.log.propose(Entry::Expire(handle));
        }
    }

    /// Returns whether at least two backends are known and not left out.
    fn could_serve(&self) -> bool {
        self.backends.iter().filter(|backend| backend.counts()).count() >= 2
    }
}

impl Calls {
    /// Returns the calls of a front without clients.
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

    /// Returns the clients with their handles.
    pub(super) fn service(&self) -> &LicenceService {
        &self.service
    }

    /// Lends the clients with their handles.
    pub(super) fn service_mut(&mut self) -> &mut LicenceService {
        &mut self.service
    }

    /// Returns the virtual containers by which calls are decided.
    pub(super) fn virtuals(&self) -> &VirtualContainers {
        &self.virtuals
    }

    /// Returns whether no call that was begun is without an answer.
    pub(super) fn is_drained(&self) -> bool {
        self.pending.is_empty() && self.any_one.is_empty()
    }

    /// Returns the last slot that a call waits for.
    pub(super) fn last_awaited(&self) -> Option<Slot> {
        self.pending.last()
    }

    /// Notes that a backend's part differs from the grant in this slot.
    pub(super) fn differs(&mut self, id: BackendId, slot: Slot) {
        self.pending.differs(id, slot);
    }

    /// Notes that a stock server has refused the grant in this slot; its part will count as
    /// different.
    pub(super) fn refused_there(&mut self, id: BackendId, slot: Slot, error: CmError) {
        self.pending.refused(id, slot, error);
    }

    /// Takes a backend's answer to an any-one call.
    pub(super) fn performed(
        &mut self,
        now: Mono,
        id: BackendId,
        answer: Performed,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Self { service, virtuals, any_one, .. } = self;
        any_one.performed(now, id, answer, &mut Performers::new(service, virtuals, context), out);
    }

    /// Tries calls at another backend, because this one is gone or cannot do them.
    pub(super) fn failover_from(
        &mut self,
        now: Mono,
        id: BackendId,
        lost: Vec<OrderPurpose>,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Self { service, virtuals, any_one, .. } = self;
        let mut with = Performers::new(service, virtuals, context);
        any_one.failover_from(now, id, lost, &mut with, out);
    }

    /// Tries a call at another server, because this stock server cannot do it now.
    pub(super) fn unable(
        &mut self,
        now: Mono,
        id: BackendId,
        correlation: u32,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let backend = &mut context.backends[id];
        let Some(pending) = backend.answered(now, correlation) else { return };
        backend.ends_call();
        self.failover_from(now, id, alloc::vec![pending.what], context, out);
    }

    /// Returns when the time of a call ends that begins now: one deadline for everything that it
    /// waits for.
    pub(super) fn time_ends(now: Mono, link: LinkId) -> Mono {
        now + if link.is_passed() { PASSED_TIMEOUT } else { CALL_TIMEOUT }
    }

    /// Returns whether a client has been silent for its clean-up time.
    pub(super) fn has_silent(&self, now: Mono) -> bool {
        self.service.due().is_some_and(|due| due <= now)
    }

    /// Proposes the end of the handles of silent clients.
    pub(super) fn end_silent(&mut self, now: Mono, log: &mut ReplicatedLog) {
        for entry in self.service.ended(now, log.speculative_state()) {
            log.propose(entry);
        }
    }

    /// Ends calls that have waited too long.
    pub(super) fn end_late(&mut self, now: Mono, context: &mut Context<'_>, out: &mut Vec<Intent>) {
        self.end_late_commits(now, context, out);
        while let Some(ParkedCall { link, call, .. }) = self.parked.pop_late(now) {
            let up = context.backends.iter().filter(|backend| backend.known().is_some()).count();
            let error = match up {
                // The error gives the reason; the call was not begun.
                0 | 1 => CmError::REDUNDANCY_SERVER_MISSING,
                _ => CmError::SERVER_START_PENDING,
            };
            self.turn_down(link, &call, error, context, out);
        }
        let Self { service, virtuals, any_one, .. } = self;
        any_one.move_on(now, &mut Performers::new(service, virtuals, context), out);
    }

    /// Returns the next deadline of any call, except those of silent clients.
    pub(super) fn deadlines(&self) -> [Option<Deadline>; 2] {
        let flights = [self.pending.due(), self.parked.due(), self.any_one.due()];
        let call = flights.into_iter().flatten().min();
        [
            call.map(|at| Deadline { at, reason: "call" }),
            self.service.waits_until().map(|at| Deadline { at, reason: "a wrong handle" }),
        ]
    }

    /// Drops every pending call; the caller closes their links. A front that goes on leading must
    /// give back the seats of these calls, since no client knows of them and no timer watches them.
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

    /// Forgets a client and its parked call. `unsent`: the last reply did not reach it. Returns the
    /// handle that this reply had named for the first time.
    pub(super) fn client_gone(&mut self, link: LinkId, unsent: bool) -> Option<Handle> {
        self.parked.forget(link);
        self.service.closed(link, unsent)
    }

    /// Returns whether calls are parked until a front leads.
    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Takes the calls that were parked until a front led.
    pub(super) fn unpark(&mut self) -> Vec<ParkedCall> {
        self.parked.take()
    }

    /// Drops parked calls of the twin's clients, because this front does not lead.
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

    /// Closes the links of clients that wait for nothing from this front, because the virtual
    /// address is to leave. `passes`: parked calls will go to the twin. Returns whether no link is
    /// left.
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

    /// Proposes the next block of handle numbers for this front.
    pub(super) fn reserve_handles(&mut self, log: &mut ReplicatedLog) {
        let first = log.speculative_state().handles_reserved();
        let last = first.saturating_add(HANDLE_BLOCK).min(HANDLE_LAST);
        let (slot, _) = log.propose(Entry::Configure(Setting::Handles(last)));
        self.block = Some((slot, first.saturating_add(1)..=last));
    }

    /// Proposes more handle numbers if few are left.
    pub(super) fn see_to_handles(&mut self, log: &mut ReplicatedLog) {
        let reserved = log.speculative_state().handles_reserved();
        let low = self.service.numbers_left() < HANDLE_BLOCK / 2;
        if low && self.block.is_none() && reserved < HANDLE_LAST {
            self.reserve_handles(log);
        }
    }

    /// Uses a reserved block once it is committed. A handle without a seat is sent to its client
    /// before its own entry is on any disk: only the reservation keeps a successor from using that
    /// number again.
    pub(super) fn take_handles(&mut self, log: &ReplicatedLog) {
        let committed = log.committed();
        if let Some((_, block)) = self.block.take_if(|(slot, _)| *slot <= committed) {
            let group = log.committed_state().numbered().or_else(|| log.group());
            self.service.take_numbers(group.unwrap_or_default().0, block);
        }
    }

    /// Drops a reserved block that is not committed, because this front claims again.
    pub(super) fn forget_block(&mut self) {
        self.block = None;
    }
}

/// Lends the usage history what it needs to record.
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
    use crate::front::BackendId;
    use crate::front::print::Print;
    use crate::log::Handle;

    impl Calls {
        /// For an exhaustive check: adds everything that makes a difference.
        pub(in crate::front) fn fingerprint(&self, print: &mut Print) {
            // What each backend holds, and whose parts differ, is added with the backend.
            let Self { service, virtuals: _, unnamed, block, pending, any_one, parked } = self;
            assert!(any_one.is_empty() && parked.is_empty());
            print.add(&(unnamed, block));
            print.extend(&service.fingerprint());
            pending.fingerprint(print);
        }

        /// For an exhaustive check: adds a backend's parts, and where they differ.
        pub(in crate::front) fn backend_print(&self, id: BackendId, print: &mut Print) {
            let merged = self.virtuals.merged.values().map(|merged| merged.prints[id]);
            print.add(&merged.collect::<alloc::vec::Vec<_>>());
            print.add(&self.pending.differing(id));
        }

        /// For an exhaustive check: makes the oldest call that waits for its slot late. Returns
        /// `false` if there is none.
        pub(in crate::front) fn let_fire(&mut self, due: Mono) -> bool {
            self.pending.let_fire(due)
        }

        /// For an exhaustive check: makes the client of a handle silent for its clean-up time.
        pub(in crate::front) fn let_end(&mut self, handle: Handle) -> bool {
            self.service.let_end(handle)
        }
    }
}
