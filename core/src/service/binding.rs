//! The owner of a handle: the address that took it, or to which it moved.
//!
//! A call from another address is refused as if the handle did not exist, with two exceptions. If
//! the last link that used a handle has closed, or none is known because another front led, the
//! handle may move once to the next address that names it: that is a client whose address has
//! changed (DHCP, another network, a VPN). And a host that connects by IPv4 and IPv6, or by several
//! addresses of one IPv6 network, is one station if its link has asked for a licence under the same
//! host name and session.
//!
//! An address other than the handle's own must also be allowed by `AccessControl`.
//!
//! What never lives here: the delay that a wrong handle costs (see `strangers`).

use super::rate_limits::Vain;
use super::strangers::{Due, Verdict};
use super::{CallAction, CallContext, Decision, LicenceService, Session};
use crate::base::network::network;
use crate::base::time::Mono;
use crate::config::{Binding, Policy};
use crate::link::LinkId;
use crate::log::{Entry, Grant, Handle, State};
use crate::status::StrangerStatus;
use crate::wire::{CmError, Request};
use alloc::vec::Vec;
use core::net::IpAddr;

/// Whether a call that names a handle is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// The call names no handle, or a handle of its sender.
    Open,
    /// The call is delayed.
    Waits,
    /// The call is refused.
    Refused(CmError),
}

/// The relation of a handle to the sender of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The sender owns it.
    Own,
    /// The sender may become its owner.
    Free,
    /// The handle does not exist, or has another owner.
    Strange,
}

impl LicenceService {
    /// Checks the handle that a call names. If it is not known to be the sender's, the call may be
    /// delayed before the handle is checked.
    pub(super) fn gate(
        &mut self,
        link: LinkId,
        request: &Request,
        context: &CallContext<'_>,
    ) -> Gate {
        if request.is_access() {
            return self.pace(link, request, context.now.mono);
        }
        // Zero means no handle: the version is available without one.
        let Some(handle) = request.handle().filter(|handle| *handle != 0).map(Handle) else {
            return Gate::Open;
        };
        let (now, state) = (context.now.mono, context.state);
        let Some(session) = self.sessions.get_mut(&link) else { return Gate::Open };
        let from = session.address();
        let (waited, until) = (core::mem::take(&mut session.waited), session.until);
        let (away, slipped) = (core::mem::take(&mut session.away), session.slipped);
        let standing = self.standing(link, handle, state);
        if standing == Standing::Own {
            self.watches.heard(now, handle, link);
            return Gate::Open;
        }
        if away {
            return Gate::Refused(CmError::REQUEST_OVERLOAD_REJECTED);
        }
        if !waited {
            let judged = self
                .limits
                .strangers
                .judge((now, until), from, (link, slipped), || request.encode());
            match judged {
                Verdict::Now => {}
                Verdict::Waits => return Gate::Waits,
                Verdict::TurnedAway => return Gate::Refused(CmError::REQUEST_OVERLOAD_REJECTED),
            }
        }
        if standing == Standing::Free {
            tracing::info!(
                target: "tmr_core::desk::binding",
                %handle, %from, "a handle has moved to another address"
            );
            self.watches.moved(now, handle, link, from);
            return Gate::Open;
        }
        self.limits.strangers.count(now, from);
        if let Some(session) = self.sessions.get_mut(&link) {
            session.slipped = true;
        }
        Gate::Refused(CmError::INVALID_HANDLE)
    }

    /// Whether a handle belongs to the sender of a call on this link.
    pub(super) fn is_own(&self, link: LinkId, handle: Handle, state: &State) -> bool {
        self.standing(link, handle, state) == Standing::Own
    }

    fn standing(&self, link: LinkId, handle: Handle, state: &State) -> Standing {
        let (Some(seat), Some(session)) = (state.held(handle), self.sessions.get(&link)) else {
            return Standing::Strange;
        };
        let from = session.address();
        let home = self.watches.home(handle).unwrap_or(seat.client.address).to_canonical();
        if home == from {
            return Standing::Own;
        }
        if !allows(&self.policy, from, seat) {
            return Standing::Strange;
        }
        if self.policy.binding == Binding::None || session.is_same_host(home, seat) {
            return Standing::Own;
        }
        let users = self.watches.users(handle);
        if users.iter().all(|user| *user != link && !self.sessions.contains_key(user)) {
            return Standing::Free;
        }
        Standing::Strange
    }

    /// Sets the time by which a client's call must be answered.
    pub(crate) fn expects(&mut self, link: LinkId, until: Mono) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.until = until;
        }
    }

    /// Returns the time by which a client's call must be answered.
    pub(crate) fn expected(&self, link: LinkId) -> Mono {
        self.sessions.get(&link).map_or(Mono(0), |session| session.until)
    }

    /// Returns the calls whose delay has ended, each with its link; they are to be served again.
    pub(crate) fn waited(&mut self, now: Mono) -> Vec<(LinkId, Vec<u8>)> {
        let mut calls = Vec::new();
        while let Some(Due { link, call, away }) = self.limits.strangers.next(now) {
            if let Some(session) = self.sessions.get_mut(&link) {
                session.waited = !away;
                session.away = away;
                calls.push((link, call));
            }
        }
        while let Some((link, call)) = self.limits.paces.next(now) {
            if let Some(session) = self.sessions.get_mut(&link) {
                session.waited = true;
                calls.push((link, call));
            }
        }
        calls
    }

    /// Delays an access if its address has made too many accesses that took no seat.
    fn pace(&mut self, link: LinkId, request: &Request, now: Mono) -> Gate {
        let Some(session) = self.sessions.get(&link).filter(|session| !session.waited) else {
            return Gate::Open;
        };
        let (until, from) = (session.until, session.address());
        let waits = self.limits.paces.waits((now, until), from, link, || request.encode());
        if waits { Gate::Waits } else { Gate::Open }
    }

    /// Counts a decided access if it took no seat.
    pub(super) fn count_vain(
        &mut self,
        now: Mono,
        link: LinkId,
        request: &Request,
        decided: &Result<Decision, CmError>,
    ) {
        if !request.is_access() {
            return;
        }
        let Some(session) = self.sessions.get_mut(&link) else { return };
        let waited = core::mem::take(&mut session.waited);
        let vain = match decided {
            Ok(Decision::CallAction(CallAction::Commit(Entry::Grant(grant))))
                if grant.takes() == 0 =>
            {
                Vain::Seatless
            }
            Err(_) => Vain::Refused,
            Ok(_) => return,
        };
        self.limits.paces.count(now, session.address(), vain, waited);
    }

    /// Returns when the first delayed call is due.
    #[must_use]
    pub(crate) fn waits_until(&self) -> Option<Mono> {
        [self.limits.strangers.due(), self.limits.paces.due()].into_iter().flatten().min()
    }

    /// Returns the addresses that are delayed for wrong handles.
    pub(crate) fn strangers(&self, now: Mono) -> Vec<StrangerStatus> {
        let shown = self.limits.strangers.shown(now).into_iter();
        shown.map(|(address, calls)| StrangerStatus::new(address, calls)).collect()
    }

    /// Returns the number of calls that named handles of others.
    pub(crate) fn strange_calls(&self) -> u64 {
        self.limits.strangers.total()
    }

    /// Returns the handles that an address took, or that moved to it, with those that only linger.
    pub(crate) fn held_from(&self, address: IpAddr, state: &State) -> Vec<Handle> {
        let address = address.to_canonical();
        let of = |seat: &&Grant| {
            let home = self.watches.home(seat.handle).unwrap_or(seat.client.address);
            home.to_canonical() == address || seat.client.address.to_canonical() == address
        };
        state.seats().filter(of).map(|seat| seat.handle).collect()
    }

    /// Removes a link: its handles may move, those without a seat end soon, and its delayed calls
    /// are dropped.
    pub(super) fn unlinked(&mut self, link: LinkId, spoke: Mono) {
        self.watches.unlinked(self.now, link, spoke);
        self.limits.strangers.forget(link);
        self.limits.paces.forget(link);
    }
}

impl Session {
    fn address(&self) -> IpAddr {
        self.from.ip().to_canonical()
    }

    /// Whether this session is of the same host as a seat: it has asked for a licence under the
    /// same host name and session, from the other address family or from another address of the
    /// same IPv6 network, which hosts change by themselves.
    fn is_same_host(&self, home: IpAddr, seat: &Grant) -> bool {
        let named = |told: &super::client_list::Told| told.is_station(&seat.client);
        let own = self.address();
        let near =
            own.is_ipv4() != home.is_ipv4() || own.is_ipv6() && network(own) == network(home);
        near && self.told.as_deref().is_some_and(named)
    }
}

/// Whether `AccessControl` allows a client at this address the licence of this seat.
fn allows(policy: &Policy, from: IpAddr, seat: &Grant) -> bool {
    let firm = seat.held.key().map(|key| key.firm_code);
    let product = seat.held.licence().map(|key| key.product_code);
    policy.permits(from, firm, product)
}
