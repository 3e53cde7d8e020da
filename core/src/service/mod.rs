//! The service: calls of clients, and their replies.
//!
//! Fronts and backends have one each; a front's service offers virtual licences, a backend's its own
//! ordinary ones. What lives here: sessions, handle numbers, access decisions, the calls that are
//! answered on the spot, clean-up. What never lives here: who holds what (that is the log), how an
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

/// Who this server says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Host name.
    pub name: String,
    /// `smol` or `threads`.
    pub runtime: &'static str,
    /// The address clients reach it at, as far as it knows.
    pub address: IpAddr,
}

/// What a decision is made on.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// The time.
    pub now: Now,
    /// Who holds what, everything proposed included.
    pub state: &'a State,
    /// What there is.
    pub catalogue: &'a Catalogue,
}

/// What a call leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallAction {
    /// It was answered.
    Done,
    /// It was answered with this error.
    Refused(CmError),
    /// This is to be put on the log, and to be answered when it is durable, or at once
    /// ([`Grant::waits_for_disk`]).
    Commit(Entry),
    /// It is to be done with the keys of this licence.
    Perform(LicenceKey),
    /// It takes units: to be done with the keys of this licence when this entry is durable.
    Spend(Entry, LicenceKey),
}

/// The reply to any call of a client for whom there is no room.
#[must_use]
pub fn overloaded(call: &[u8]) -> Vec<u8> {
    let error = CmError::REQUEST_OVERLOAD_REJECTED;
    Request::parse(call)
        .map_or_else(|_| Reply::error(error), |request| Reply::error_for(&request, error))
        .encode()
}

/// Sessions, handles, decisions.
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

/// What makes calls of an address wait.
#[derive(Clone, Debug, Default)]
struct CallLimits {
    /// Calls that name handles of others.
    strangers: Strangers,
    /// Accesses that take no seat.
    paces: Paces,
}

impl LicenceService {
    /// A service without clients. `cleanup`: for clients that ask for none.
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

    /// From now on this stands against accesses; what was granted lives on.
    pub fn obey(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// A step begins; with the first one the service starts.
    pub fn start(&mut self, now: Now) {
        self.now = now.mono;
        self.started.get_or_insert(now.wall);
    }

    /// Who it says it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// It says something else of itself from now on, and clients that ask for none have this
    /// clean-up time. Those that hold something keep theirs.
    pub fn configure(&mut self, address: IpAddr, cleanup: Duration) {
        self.identity.address = address;
        self.cleanup = cleanup;
    }

    /// A call that needs no majority, no role and no handle: version and server list.
    #[must_use]
    pub fn is_timeless(request: &Request) -> bool {
        matches!(request, Request::GetServers { .. } | Request::GetVersion { handle: 0 })
    }

    /// Takes a call; answers it, or says what it leads to.
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
                // It lists a licensor's own licences in a firm security box; there is none.
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
            // What is left changes a container, which was refused above.
            _ => Err(CmError::COMMAND_NOT_SUPPORTED_BY_TMR),
        }
    }

    fn release(&mut self, handle: Handle, state: &State) -> Result<Decision, CmError> {
        state.held(handle).ok_or(CmError::INVALID_HANDLE)?;
        self.watches.end(handle);
        Ok(Decision::CallAction(CallAction::Commit(Entry::Release(handle))))
    }

    /// A client has its grant.
    pub fn granted(&mut self, now: Mono, link: LinkId, grant: &Grant, out: &mut Vec<Intent>) {
        let cleanup = Duration::from_secs(grant.cleanup_seconds.into());
        let seatless = grant.takes() == 0;
        // A host that comes by several addresses is counted under the first of them.
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

    /// The release that a client waits for is durable.
    pub fn released(&mut self, link: LinkId, out: &mut Vec<Intent>) {
        self.send(link, &Reply::ok(0), out);
    }

    /// A call ends in an error; the reply has the shape that belongs to the call.
    pub fn refuse(
        &mut self,
        link: LinkId,
        request: &Request,
        error: CmError,
        out: &mut Vec<Intent>,
    ) {
        self.send(link, &Reply::error_for(request, error), out);
    }

    /// A call could not be read: its sender gets one clear error and may go on.
    pub fn misread(&mut self, link: LinkId, malformed: &Malformed, out: &mut Vec<Intent>) {
        tracing::debug!(target: "tmr_core::desk", %malformed, "a call that cannot be read");
        self.send(link, &Reply::error(CmError::INVALID_PARAMETER), out);
    }

    /// Sends a reply to a client that is still there.
    pub fn send(&mut self, link: LinkId, reply: &Reply, out: &mut Vec<Intent>) {
        self.pass(link, reply.encode(), out);
    }

    /// Sends the bytes of a reply that a backend has made.
    pub fn pass(&mut self, link: LinkId, frame: Vec<u8>, out: &mut Vec<Intent>) {
        if let Some(session) = self.sessions.get_mut(&link) {
            if let Some(asked) = session.asks.take() {
                self.call_stats.answered(asked, self.now, &frame);
            }
            out.push(Intent::Send { link, frame });
        }
    }

    /// All seats are watched from now on: a new leader measures silence anew.
    pub fn take_over(&mut self, now: Mono, state: &State) {
        for seat in state.seats() {
            self.watch(now, seat, state);
        }
    }

    /// A released seat lingers from now on.
    pub fn linger(&mut self, now: Mono, handle: Handle, state: &State) {
        if let Some(seat) = state.seat(handle).filter(|_| state.lingers(handle)) {
            self.watch(now, seat, state);
        }
    }

    /// Watches a seat that no link speaks for: for its clean-up time, or its linger time.
    fn watch(&mut self, now: Mono, seat: &Grant, state: &State) {
        let lingers = state.lingers(seat.handle);
        let seconds = if lingers { seat.linger_seconds } else { seat.cleanup_seconds };
        let cleanup = Duration::from_secs(seconds.into());
        let seatless = seat.takes() == 0;
        let home = self.watches.home(seat.handle).unwrap_or(seat.client.address).to_canonical();
        self.watches.begin(now, seat.handle, Watched { home, link: None, cleanup, seatless });
    }

    /// Handle numbers to go on with, of the group or disk `owner`.
    pub fn take_numbers(&mut self, owner: u128, block: RangeInclusive<u32>) {
        self.numbers.take(&self.handle_key, owner, block);
    }

    /// How many handle numbers are left of the block.
    #[must_use]
    pub fn numbers_left(&self) -> u32 {
        self.numbers.left()
    }

    /// Ends the handles whose clients have been silent, by these entries.
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

    /// When a handle has to be looked at, beside the calls that wait.
    #[must_use]
    pub fn due(&self) -> Option<Mono> {
        self.watches.next_due()
    }

    /// What an allocation is called in front of others: says nothing about its handle.
    #[must_use]
    pub(crate) fn alias(&self, handle: Handle) -> u32 {
        handle_allocator::alias(&self.handle_key, handle)
    }

    /// Forgets all handles: another front leads, and the log knows them.
    pub fn forget_handles(&mut self) {
        self.watches.clear();
        self.numbers = HandleAllocator::none();
    }

    /// In an exhaustive check: the clean-up time of a handle is over. `false`: it is not watched.
    #[cfg(feature = "model")]
    pub(crate) fn let_end(&mut self, handle: Handle) -> bool {
        self.watches.let_end(handle)
    }

    /// Equal for desks that do the same from here on while time does not move.
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

/// What a handle was granted for.
///
/// # Errors
/// 106 for one that nobody holds; a seat that only lingers is nobody's.
fn held<'a>(handle: u32, context: &CallContext<'a>) -> Result<&'a Grant, CmError> {
    context.state.held(Handle(handle)).ok_or(CmError::INVALID_HANDLE)
}
