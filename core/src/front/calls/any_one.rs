//! Calls that any one backend can do. Each goes to the healthy backend with the least load, and to
//! the next one if that fails or takes too long; its client does not notice.

use super::Context;
use super::virtual_containers::VirtualContainers;
use crate::base::limits::ANYONE_TIMEOUT;
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::replication::backend_link::BackendLink;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::LicenceKey;
use crate::messages::group::Order;
use crate::service::LicenceService;
use crate::wire::{CmError, Reply, Request};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// A call that one backend does, and whose first answer counts.
#[derive(Clone, Debug)]
struct AnyOneCall {
    link: LinkId,
    licence: LicenceKey,
    /// The call, as the client sent it.
    call: Vec<u8>,
    tried: [bool; 3],
    /// The backend that does it; `None` before the first one.
    at: Option<BackendId>,
    /// When the next backend is tried.
    next_at: Mono,
    until: Mono,
}

/// A call that any one backend can do, before it goes to one.
#[derive(Debug)]
pub(super) struct Performance {
    pub(super) link: LinkId,
    pub(super) licence: LicenceKey,
    /// The call, as the client sent it.
    pub(super) call: Vec<u8>,
    /// When its time ends.
    pub(super) until: Mono,
}

/// The any-one calls without an answer, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct AnyOneCalls {
    calls: BTreeMap<u64, AnyOneCall>,
    /// When each moves on to the next backend.
    next_attempts: BTreeSet<(Mono, u64)>,
    /// The number of the latest call.
    number: u64,
}

/// What these calls are lent.
#[derive(Debug)]
pub(super) struct Performers<'a> {
    pub(super) service: &'a mut LicenceService,
    pub(super) virtuals: &'a VirtualContainers,
    pub(super) backends: &'a mut [BackendLink; 3],
}

impl<'a> Performers<'a> {
    pub(super) fn new(
        service: &'a mut LicenceService,
        virtuals: &'a VirtualContainers,
        context: &'a mut Context<'_>,
    ) -> Self {
        Self { service, virtuals, backends: context.backends }
    }
}

impl AnyOneCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Returns when the first call moves on to another backend.
    pub(super) fn due(&self) -> Option<Mono> {
        self.next_attempts.first().map(|&(at, _)| at)
    }

    /// Drops every call; the caller closes their links.
    pub(super) fn clear(&mut self) {
        self.calls.clear();
        self.next_attempts.clear();
    }

    /// Sends a call to the healthy backend with the least load.
    pub(super) fn perform(
        &mut self,
        now: Mono,
        performance: Performance,
        with: &mut Performers<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Performance { link, licence, call, until } = performance;
        self.number += 1;
        let tried = [false; 3];
        let flight = AnyOneCall { link, licence, call, tried, at: None, next_at: now, until };
        self.calls.insert(self.number, flight);
        self.failover_to_next(now, self.number, with, out);
    }

    /// Moves calls to the next backend that a backend has had for too long.
    pub(super) fn move_on(&mut self, now: Mono, with: &mut Performers<'_>, out: &mut Vec<Intent>) {
        while let Some(&(at, number)) = self.next_attempts.first() {
            if at > now {
                break;
            }
            self.next_attempts.pop_first();
            self.failover_to_next(now, number, with, out);
        }
    }

    /// Tries a call at the next backend; the client does not notice.
    fn failover_to_next(
        &mut self,
        now: Mono,
        number: u64,
        with: &mut Performers<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Some(flight) = self.calls.get_mut(&number) else { return };
        self.next_attempts.remove(&(flight.next_at, number));
        let next = next_holder(with, flight, number);
        let Some(id) = next.filter(|_| now < flight.until) else {
            let Some(flight) = self.calls.remove(&number) else { return };
            return unanswered(&flight, with.service, out);
        };
        flight.tried[id] = true;
        flight.at = Some(id);
        flight.next_at = (now + ANYONE_TIMEOUT).min(flight.until);
        self.next_attempts.insert((flight.next_at, number));
        let order = Order::Perform { licence: flight.licence, call: flight.call.clone() };
        with.backends[id].begins_call();
        with.backends[id].ask(now, OrderPurpose::Perform(number), &order, out);
    }

    /// Takes a backend's answer to a call. The first answer counts; a later one finds no call. An
    /// answer of a backend whose part was removed meanwhile does not count while another part is
    /// left.
    pub(super) fn performed(
        &mut self,
        now: Mono,
        id: BackendId,
        answer: Performed,
        with: &mut Performers<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Performed { number, reply } = answer;
        with.backends[id].ends_call();
        let Some(flight) = self.calls.get(&number) else { return };
        let gone = Reply::parse(&reply).is_ok_and(|reply| reply.status == CmError::ENTRY_NOT_FOUND);
        if gone && flight.at != Some(id) {
            return;
        }
        if gone && next_holder(with, flight, number).is_some() {
            return self.failover_to_next(now, number, with, out);
        }
        if let Some(flight) = self.calls.remove(&number) {
            self.next_attempts.remove(&(flight.next_at, number));
            with.service.pass(flight.link, reply, out);
        }
    }

    /// Tries calls at another backend, because this one is gone or cannot do them.
    pub(super) fn failover_from(
        &mut self,
        now: Mono,
        id: BackendId,
        lost: Vec<OrderPurpose>,
        with: &mut Performers<'_>,
        out: &mut Vec<Intent>,
    ) {
        for purpose in lost {
            if let OrderPurpose::Perform(number) = purpose {
                if self.calls.get(&number).is_some_and(|flight| flight.at == Some(id)) {
                    self.failover_to_next(now, number, with, out);
                }
            }
        }
    }
}

/// A backend's answer to a call.
#[derive(Debug)]
pub(in crate::front) struct Performed {
    /// The number of the call.
    pub(in crate::front) number: u64,
    pub(in crate::front) reply: Vec<u8>,
}

/// Answers a call for which no backend is left.
fn unanswered(flight: &AnyOneCall, service: &mut LicenceService, out: &mut Vec<Intent>) {
    match Request::parse(&flight.call) {
        Ok(call) => {
            tracing::warn!(
                target: "tmr_core::front::flight",
                call = call.name(), "no backend has answered a call in time"
            );
            service.refuse(flight.link, &call, CmError::NETWORK_FAULT, out);
        }
        Err(malformed) => service.misread(flight.link, &malformed, out),
    }
}

/// Returns the healthy backend with the least load that holds a matching part and was not tried
/// yet.
fn next_holder(with: &Performers<'_>, flight: &AnyOneCall, number: u64) -> Option<BackendId> {
    let merged = with.virtuals.merged.get(&flight.licence)?;
    BackendId::all()
        .filter(|&i| !flight.tried[i] && merged.prints[i] == Some(merged.print))
        .filter(|&i| with.backends[i].is_up())
        // Equally loaded backends take turns.
        .min_by_key(|&i| (with.backends[i].busy(), (i.place() as u64 + number) % 3))
}
