//! Clients and their links: who is connected, the call of each, and what happens when a link
//! closes.

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
    /// A handle whose number may not have reached the client yet.
    pub(super) fresh: Option<Handle>,
    /// The call that waits for a reply.
    pub(super) asks: Option<Asked>,
    /// Whether it has asked for a handle, or used one.
    pub(super) works: bool,
    pub(super) since: Wall,
    pub(super) calls: u64,
    pub(super) told: Option<Box<Told>>,
    /// Whether its call has been delayed: for its wrong handles, or for accesses that took no seat.
    pub(super) waited: bool,
    /// Whether its delayed call has given its turn up to a link that named no wrong handle.
    pub(super) away: bool,
    /// Whether it has named wrong handles.
    pub(super) slipped: bool,
    /// The time by which its call must be answered, whatever it waits for.
    pub(super) until: Mono,
}

impl LicenceService {
    /// Starts the session of a client.
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

    /// Whether a link belongs to a client.
    #[must_use]
    pub fn knows(&self, link: LinkId) -> bool {
        self.sessions.contains_key(&link)
    }

    /// Returns the address of a client.
    #[must_use]
    pub fn whereabouts(&self, link: LinkId) -> Option<SocketAddr> {
        self.sessions.get(&link).map(|session| session.from)
    }

    /// Removes a link that belongs to no client, or that this server closes.
    pub fn dismiss(&mut self, link: LinkId) {
        if let Some(session) = self.sessions.remove(&link) {
            self.unlinked(link, session.heard);
        }
    }

    /// Records a frame of a client: it is active, and has received the last reply.
    pub fn heard(&mut self, now: Mono, link: LinkId) {
        if let Some(session) = self.sessions.get_mut(&link) {
            session.heard = now;
            session.fresh = None;
            session.asks = Some(Asked::at(now));
            session.calls = session.calls.saturating_add(1);
        }
    }

    /// Records a parsed call. The owner of the handle that it names is active, whatever becomes of
    /// the call. A seat that only lingers has no owner, and no call makes it linger longer.
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

    /// Ends the session of a closed link; its handles stay, and their clean-up times run. Returns
    /// the handle whose number did not reach the client.
    pub fn closed(&mut self, link: LinkId, unsent: bool) -> Option<Handle> {
        let session = self.sessions.remove(&link)?;
        self.unlinked(link, session.heard);
        let fresh = session.fresh.filter(|_| unsent);
        self.gone(session);
        fresh
    }

    /// Returns the links by which handles that are held were taken or used. `elsewhere`: another
    /// front decides and knows them; then all links that have ever made a call about handles.
    #[must_use]
    pub fn holding(&self, elsewhere: bool) -> BTreeSet<LinkId> {
        if !elsewhere {
            return self.watches.links();
        }
        let works = self.sessions.iter().filter(|(_, session)| session.works);
        works.map(|(link, _)| *link).collect()
    }

    /// Closes the link of every client. Handles stay.
    pub fn drop_clients(&mut self, reason: CloseReason, out: &mut Vec<Intent>) {
        self.close_links(|_, _| true, &reason, out);
    }

    /// Closes the links that `ends` selects, by the link and whether a call of it waits for a
    /// reply. Handles stay.
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

    /// Returns the number of clients.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.sessions.len()
    }
}
