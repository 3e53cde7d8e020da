//! Clients and their links: who is here, what each has asked, and what its end leaves behind.

use super::LicenceService;
use super::call_stats::Asked;
use super::client_list::Told;
use crate::base::time::{Mono, Now, Wall};
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::log::{Handle, State};
use crate::wire::Request;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) from: SocketAddr,
    pub(super) heard: Mono,
    /// A handle whose number may still be on its way to the client.
    pub(super) fresh: Option<Handle>,
    /// The call that waits for a reply.
    pub(super) asks: Option<Asked>,
    /// It has asked for a handle, or used one.
    pub(super) works: bool,
    pub(super) since: Wall,
    pub(super) calls: u64,
    pub(super) told: Option<Box<Told>>,
    /// Its call has waited: for its wrong handles, or for accesses that took no seat.
    pub(super) waited: bool,
    /// Its call has given its turn up to one that named no wrong handle.
    pub(super) away: bool,
    /// It has named wrong handles.
    pub(super) slipped: bool,
    /// When its call has to have an answer, whatever it waits for.
    pub(super) until: Mono,
}

impl LicenceService {
    /// A client came in.
    pub fn accepted(&mut self, now: Now, link: LinkId, from: SocketAddr) {
        let session = Session {
            from,
            heard: now.mono,
            fresh: None,
            asks: None,
            works: false,
            since: now.wall,
            calls: 0,
            told: None,
            waited: false,
            away: false,
            slipped: false,
            until: Mono(u64::MAX),
        };
        self.sessions.insert(link, session);
    }

    /// Whether a link is a client's.
    #[must_use]
    pub fn knows(&self, link: LinkId) -> bool {
        self.sessions.contains_key(&link)
    }

    /// Where a client is.
    #[must_use]
    pub fn whereabouts(&self, link: LinkId) -> Option<SocketAddr> {
        self.sessions.get(&link).map(|session| session.from)
    }

    /// A link is no client's, or is closed by this end.
    pub fn dismiss(&mut self, link: LinkId) {
        if let Some(session) = self.sessions.remove(&link) {
            self.unlinked(link, session.heard);
        }
    }

    /// Something came from a client: it is there, and has had the last reply.
    pub fn heard(&mut self, now: Mono, link: LinkId) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.heard = now;
            session.fresh = None;
            session.asks = Some(Asked::at(now));
            session.calls = session.calls.saturating_add(1);
        }
    }

    /// A call names a handle: whoever holds it is there, whatever becomes of the call. A seat that
    /// only lingers is nobody's, and no call makes it linger longer.
    pub fn named(&mut self, now: Mono, link: LinkId, request: &Request, state: &State) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.tell(request, &self.policy);
            session.works |= !Self::is_timeless(request);
            if let Some(asked) = &mut session.asks {
                asked.understood(request);
            }
        }
        if let Some(handle) = request.handle().map(Handle) {
            if self.is_own(link, handle, state) {
                self.watches.heard(now, handle, link);
            }
        }
    }

    /// A client's link is gone; its handles live on. Returns the handle whose number did not
    /// reach it; its clean-up time goes on.
    pub fn closed(&mut self, link: LinkId, unsent: bool) -> Option<Handle> {
        let session = self.sessions.remove(&link)?;
        self.unlinked(link, session.heard);
        let fresh = session.fresh.filter(|_| unsent);
        self.gone(session);
        fresh
    }

    /// The links by which handles that are held were taken, or used last. `elsewhere`: another front
    /// decides and knows them; then all that have ever asked for anything about handles.
    #[must_use]
    pub fn holding(&self, elsewhere: bool) -> BTreeSet<LinkId> {
        if !elsewhere {
            return self.watches.links();
        }
        let works = self.sessions.iter().filter(|(_, session)| session.works);
        works.map(|(link, _)| *link).collect()
    }

    /// Closes every client's link. Handles live on.
    pub fn drop_clients(&mut self, reason: CloseReason, out: &mut Vec<Intent>) {
        self.close_links(|_, _| true, &reason, out);
    }

    /// Closes the links of some clients: those that `ends` says, told whether they wait for a
    /// reply. Handles live on.
    pub fn close_links(
        &mut self,
        ends: impl Fn(LinkId, bool) -> bool,
        reason: &CloseReason,
        out: &mut Vec<Intent>,
    ) {
        let mut gone = Vec::new();
        self.sessions.retain(|&link, session| {
            let ends = ends(link, session.asks.is_some());
            if ends {
                out.push(Intent::Close { link, reason: reason.clone() });
                gone.push((link, session.heard));
            }
            !ends
        });
        for (link, spoke) in gone {
            self.unlinked(link, spoke);
        }
    }

    /// How many clients there are.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.sessions.len()
    }
}
