//! The service: calls of clients, and their replies.
//!
//! Fronts and backends have one each; a front's service offers virtual licences, a backend's its
//! own ordinary ones. What lives here: sessions, handle numbers, access decisions, calls that are
//! answered at once, clean-up. What never lives here: who holds what (that is the log), how an
//! entry becomes durable, and keys.

mod access;
mod access_request;
mod binding;
#[cfg(test)]
mod binding_test;
pub(crate) mod call_stats;
mod catalogue;
mod client_list;
mod container;
mod entry;
mod handle_allocator;
mod handles;
mod info;
mod lists;
mod netinfo;
mod options;
#[cfg(test)]
mod options_test;
mod rate_limits;
#[cfg(test)]
mod rights_test;
mod service_handles;
#[cfg(test)]
mod service_test;
mod sessions;
#[cfg(test)]
mod stations_test;
mod strangers;

pub use catalogue::{Catalogue, ContainerInfo, Offer};

use crate::base::time::{Duration, Mono, Now, Wall};
use crate::config::Policy;
use crate::crypt::cipher::simulate;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Entry, Grant, Handle, LicenceKey, State};
use crate::wire::{CmError, Malformed, Reply, Request};
use access_request::AccessRequest;
use sessions::Session;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use binding::Gate;
use call_stats::{CallStats, Kind};
use client_list::RejectedClients;
use core::net::IpAddr;
use core::ops::RangeInclusive;
use handle_allocator::HandleAllocator;
pub use handle_allocator::HandleKey;
use handles::{IdleTimers, Watched};
use rate_limits::Paces;
use strangers::Strangers;

/// The identity that this server reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Host name.
    pub name: String,
    /// `smol` or `threads`.
    pub runtime: &'static str,
    /// The address at which clients reach it, as far as it knows.
    pub address: IpAddr,
}

/// The values on which a decision is based.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// The time.
    pub now: Now,
    /// The state after all proposed entries.
    pub state: &'a State,
    /// The licences and containers.
    pub catalogue: &'a Catalogue,
}

/// What the caller has to do after a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallAction {
    /// Nothing: the call was answered.
    Done,
    /// Nothing: the call was answered with this error.
    Refused(CmError),
    /// Append this entry to the log, and answer when it is durable, or at once
    /// ([`Grant::waits_for_disk`]).
    Commit(Entry),
    /// Execute the call with the keys of this licence.
    Perform(LicenceKey),
    /// Append this entry for units, and execute the call with the keys of this licence when it is
    /// durable.
    Spend(Entry, LicenceKey),
}

/// Returns the reply to any call that is rejected because the server is full.
#[must_use]
pub fn overloaded(call: &[u8]) -> Vec<u8> {
    let error = CmError::REQUEST_OVERLOAD_REJECTED;
    Request::parse(call)
        .map_or_else(|_| Reply::error(error), |request| Reply::error_for(&request, error))
        .encode()
}

/// The sessions of clients, their handles, and the decisions about their calls.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct LicenceService {
    identity: Identity,
    cleanup: Duration,
    policy: Policy,
    now: Mono,
    started: Option<Wall>,
    sessions: BTreeMap<LinkId, Session>,
    watches: IdleTimers,
    handle_key: HandleKey,
    numbers: HandleAllocator,
    call_stats: CallStats,
    too_old: RejectedClients,
    limits: CallLimits,
}

/// The limits that delay calls of an address.
#[derive(Clone, Debug, Default)]
struct CallLimits {
    /// Calls that name handles of others.
    strangers: Strangers,
    /// Accesses that take no seat.
    paces: Paces,
}

impl LicenceService {
    /// Returns a service without clients. `cleanup`: the clean-up time of clients that ask for
    /// none.
    #[must_use]
    pub fn new(identity: Identity, cleanup: Duration, handle_key: HandleKey) -> Self {
        Self {
            identity,
            cleanup,
            policy: Policy::default(),
            now: Mono(0),
            started: None,
            sessions: BTreeMap::new(),
            watches: IdleTimers::default(),
            handle_key,
            numbers: HandleAllocator::none(),
            call_stats: CallStats::default(),
            too_old: RejectedClients::default(),
            limits: CallLimits::default(),
        }
    }

    /// Sets the rules for later accesses; handles that were granted stay.
    pub fn obey(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Starts a step; the first one is the start of the service.
    pub fn start(&mut self, now: Now) {
        self.now = now.mono;
        self.started.get_or_insert(now.wall);
    }

    /// Returns the identity that it reports.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Sets the address that it reports, and the clean-up time of clients that ask for none.
    /// Handles that were granted keep theirs.
    pub fn configure(&mut self, address: IpAddr, cleanup: Duration) {
        self.identity.address = address;
        self.cleanup = cleanup;
    }

    /// Whether a call needs no majority, no role and no handle: version and server list.
    #[must_use]
    pub fn is_timeless(request: &Request) -> bool {
        matches!(request, Request::GetServers { .. } | Request::GetVersion { handle: 0 })
    }

    /// Takes a call: answers it, or returns what the caller has to do.
    pub fn call(
        &mut self,
        link: LinkId,
        request: &Request,
        context: &CallContext<'_>,
        out: &mut Vec<Intent>,
    ) -> CallAction {
        match self.gate(link, request, context) {
            Gate::Open => {}
            Gate::Waits => return CallAction::Done,
            Gate::Refused(error) => {
                self.refuse(link, request, error, out);
                return CallAction::Refused(error);
            }
        }
        let decided = self.decide(link, request, context);
        self.count_vain(context.now.mono, link, request, &decided);
        match decided {
            Ok(Decision::Reply(reply)) => self.send(link, &reply, out),
            Ok(Decision::CallAction(made)) => {
                let alone = matches!(made, CallAction::Perform(_));
                self.needs(link, if alone { Kind::AnyOne } else { Kind::Quorum });
                return made;
            }
            Err(error) => {
                self.refuse(link, request, error, out);
                return CallAction::Refused(error);
            }
        }
        CallAction::Done
    }

    fn decide(
        &mut self,
        link: LinkId,
        request: &Request,
        context: &CallContext<'_>,
    ) -> Result<Decision, CmError> {
        let Some(from) = self.sessions.get(&link).map(|session| session.from.ip()) else {
            return Err(CmError::INTERNAL_ORGANISATION);
        };
        if request.changes_container() {
            return Err(CmError::COMMAND_NOT_SUPPORTED_BY_TMR);
        }
        match request {
            Request::Access { access, .. } => {
                self.access(&AccessRequest::of_access(access, from), context)
            }
            Request::Access2 { access, .. } => {
                self.access(&AccessRequest::of_access2(access, from), context)
            }
            Request::Release { handle } => self.release(Handle(*handle), context.state),
            Request::GetServers { ctrl, size } => Ok(Decision::Reply(self.servers(*ctrl, *size))),
            Request::GetVersion { handle: 0 } => Ok(Decision::Reply(service_handles::version())),
            Request::GetVersion { handle } => {
                held(*handle, context)?;
                Ok(Decision::Reply(service_handles::version()))
            }
            Request::GetInfo { handle, ctrl, size } => {
                let holder = held(*handle, context)?;
                self.info(holder, *ctrl, *size, context).map(Decision::Reply)
            }
            Request::GetBoxes { handle, port, number } => {
                held(*handle, context)?;
                Ok(Decision::Reply(lists::containers(*port, *number, context)))
            }
            Request::GetBoxContents { handle, ctrl, firm_code, box_info, number } => {
                held(*handle, context)?;
                let reply = lists::contents(*ctrl, *firm_code, box_info, *number, context)?;
                Ok(Decision::Reply(reply))
            }
            Request::GetLicenseInfo { handle, .. } => {
                held(*handle, context)?;
                // The call lists a licensor's own licences in a firm security box; there is none.
                Err(CmError::NO_FSB_FUNCTIONALITY)
            }
            Request::GetSecureData { handle, secure, .. } => {
                let holder = held(*handle, context)?;
                Err(lists::secure_data(holder, secure))
            }
            Request::ValidateEntry { handle, ctrl, box_info, proof } => {
                let holder = held(*handle, context)?;
                Err(lists::validate(holder, *ctrl, box_info, &proof.bytes, context))
            }
            Request::CryptSim { handle, .. } | Request::CryptSim2 { handle, .. } => {
                held(*handle, context)?;
                Ok(Decision::Reply(simulate(request)))
            }
            Request::Crypt { handle, .. }
            | Request::Crypt2 { handle, .. }
            | Request::CalculateSignature { handle, .. }
            | Request::GetPublicKey { handle, .. } => {
                let holder = held(*handle, context)?;
                Ok(Decision::CallAction(match options::licence(holder, request, context)? {
                    (licence, Some(entry)) => CallAction::Spend(entry, licence),
                    (licence, None) => CallAction::Perform(licence),
                }))
            }
            Request::Unknown { .. } => Err(CmError::FUNCTION_NOT_SUPPORTED),
            // The other requests change a container, and were refused above.
            _ => Err(CmError::COMMAND_NOT_SUPPORTED_BY_TMR),
        }
    }

    fn release(&mut self, handle: Handle, state: &State) -> Result<Decision, CmError> {
        state.held(handle).ok_or(CmError::INVALID_HANDLE)?;
        self.watches.end(handle);
        Ok(Decision::CallAction(CallAction::Commit(Entry::Release(handle))))
    }

    /// Sends a client its granted handle, and starts the handle's timer.
    pub fn granted(&mut self, now: Mono, link: LinkId, grant: &Grant, out: &mut Vec<Intent>) {
        let cleanup = Duration::from_secs(grant.cleanup_seconds.into());
        let seatless = grant.takes() == 0;
        // A host with several addresses is counted under the first of them.
        let home = self.whereabouts(link).map_or(grant.client.address, |from| from.ip());
        let home = home.to_canonical();
        let link_there = self.knows(link).then_some(link);
        self.watches.begin(
            now,
            grant.handle,
            Watched { home, link: link_there, cleanup, seatless },
        );
        if let Some(session) = self.sessions.get_mut(&link) {
            session.fresh = Some(grant.handle);
        }
        self.send(link, &Reply::ok(grant.handle.0), out);
    }

    /// Answers the client that waits for a release, which is durable now.
    pub fn released(&mut self, link: LinkId, out: &mut Vec<Intent>) {
        self.send(link, &Reply::ok(0), out);
    }

    /// Answers a call with an error, in the form of a reply that belongs to the call.
    pub fn refuse(
        &mut self,
        link: LinkId,
        request: &Request,
        error: CmError,
        out: &mut Vec<Intent>,
    ) {
        self.send(link, &Reply::error_for(request, error), out);
    }

    /// Answers a call that could not be parsed with an error; the link stays open.
    pub fn misread(&mut self, link: LinkId, malformed: &Malformed, out: &mut Vec<Intent>) {
        tracing::debug!(target: "tmr_core::desk", %malformed, "a call that cannot be read");
        self.send(link, &Reply::error(CmError::INVALID_PARAMETER), out);
    }

    /// Sends a reply to a client that is still connected.
    pub fn send(&mut self, link: LinkId, reply: &Reply, out: &mut Vec<Intent>) {
        self.pass(link, reply.encode(), out);
    }

    /// Sends the encoded reply of a backend.
    pub fn pass(&mut self, link: LinkId, frame: Vec<u8>, out: &mut Vec<Intent>) {
        if let Some(session) = self.sessions.get_mut(&link) {
            if let Some(asked) = session.asks.take() {
                self.call_stats.answered(asked, self.now, &frame);
            }
            out.push(Intent::Send { link, frame });
        }
    }

    /// Starts the timers of all seats: a new leader measures silence from its beginning.
    pub fn take_over(&mut self, now: Mono, state: &State) {
        for seat in state.seats() {
            self.watch(now, seat, state);
        }
    }

    /// Starts the linger time of a released seat.
    pub fn linger(&mut self, now: Mono, handle: Handle, state: &State) {
        if let Some(seat) = state.seat(handle).filter(|_| state.lingers(handle)) {
            self.watch(now, seat, state);
        }
    }

    /// Watches a seat that no open link has used: for its clean-up time, or its linger time.
    fn watch(&mut self, now: Mono, seat: &Grant, state: &State) {
        let lingers = state.lingers(seat.handle);
        let seconds = if lingers { seat.linger_seconds } else { seat.cleanup_seconds };
        let cleanup = Duration::from_secs(seconds.into());
        let seatless = seat.takes() == 0;
        let home = self.watches.home(seat.handle).unwrap_or(seat.client.address).to_canonical();
        self.watches.begin(now, seat.handle, Watched { home, link: None, cleanup, seatless });
    }

    /// Adds a block of handle numbers of the group or disk `owner`.
    pub fn take_numbers(&mut self, owner: u128, block: RangeInclusive<u32>) {
        self.numbers.take(&self.handle_key, owner, block);
    }

    /// Returns how many reserved handle numbers are left.
    #[must_use]
    pub fn numbers_left(&self) -> u32 {
        self.numbers.left()
    }

    /// Ends the handles whose clients have been silent; returns the entries.
    pub fn ended(&mut self, now: Mono, state: &State) -> Vec<Entry> {
        let mut entries = Vec::new();
        let sessions = &self.sessions;
        let heard = |link: LinkId| sessions.get(&link).map(|session| session.heard);
        while let Some(handle) = self.watches.silent(now, heard) {
            if let Some(seat) = state.seat(handle) {
                let (held, client) = (&seat.held, &seat.client.address);
                tracing::info!(
                    target: "tmr_core::desk",
                    %handle, %held, %client, "handle ended: its client is silent"
                );
                self.call_stats.expired();
                entries.push(Entry::Expire(handle));
            }
        }
        entries
    }

    /// Returns when the first timer of a handle is due; delayed calls are not included.
    #[must_use]
    pub fn due(&self) -> Option<Mono> {
        self.watches.next_due()
    }

    /// Returns the number that other clients see for an allocation; it does not reveal the handle.
    #[must_use]
    pub(crate) fn alias(&self, handle: Handle) -> u32 {
        handle_allocator::alias(&self.handle_key, handle)
    }

    /// Removes all timers of handles: another front leads, and the log has the handles.
    pub fn forget_handles(&mut self) {
        self.watches.clear();
        self.numbers = HandleAllocator::none();
    }

    /// For an exhaustive check: lets the clean-up time of a handle end; `false` if it is not
    /// watched.
    #[cfg(feature = "model")]
    pub(crate) fn let_end(&mut self, handle: Handle) -> bool {
        self.watches.let_end(handle)
    }

    /// Returns a value that is equal for services with the same future behaviour while time stands
    /// still.
    #[cfg(feature = "model")]
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        let fresh = |(link, session): (&LinkId, &Session)| (link.0, session.fresh);
        let sessions: Vec<_> = self.sessions.iter().map(fresh).collect();
        let parts = (sessions, self.watches.handles(), self.numbers.ranges());
        postcard::to_allocvec(&parts).expect("what is in memory always encodes")
    }
}

#[expect(clippy::large_enum_variant, reason = "it lives for one call, on the stack")]
#[derive(Debug)]
enum Decision {
    Reply(Reply),
    CallAction(CallAction),
}

/// Returns the grant of a handle.
///
/// # Errors
/// 106 for a handle that has no holder; a seat that only lingers has none.
fn held<'a>(handle: u32, context: &CallContext<'a>) -> Result<&'a Grant, CmError> {
    context.state.held(Handle(handle)).ok_or(CmError::INVALID_HANDLE)
}
