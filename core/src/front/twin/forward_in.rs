//! Clients of the twin, which stands by and passes their calls on while this front leads. Each is a
//! session of the service with a link that is no connection; what the service sends there goes to
//! the twin.
//!
//! Each call gets one answer: its reply, or the report that it gets none. A call that is parked
//! when this front steps back was not begun, and goes back to the twin; this front never passes it
//! on.

use super::Twin;
use crate::base::limits::PASSED_CLIENTS;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::log::Handle;
use crate::messages::twin::Answer;
use crate::service;
use crate::wire::Request;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// The state of a client's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Waits,
    Begun,
}

#[derive(Clone, Debug)]
struct RemoteClient {
    client: u64,
    call: Option<Call>,
    /// The number of replies that were sent to it.
    replies: u32,
}

/// The clients of the twin.
#[derive(Clone, Debug, Default)]
pub(super) struct Incoming {
    clients: BTreeMap<LinkId, RemoteClient>,
    /// Their links, by the twin's number for the client.
    links: BTreeMap<u64, LinkId>,
    /// The number of clients so far.
    number: u64,
    /// Handles that the last replies on the previous link named, by client, with the number of
    /// replies up to then. On the next link the twin reports which of them never arrived.
    doubtful: BTreeMap<u64, (Handle, u32)>,
    /// The id of the front whose clients they are.
    of: u32,
}

impl Incoming {
    /// Returns the number of clients.
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    fn remove(&mut self, link: LinkId) -> Option<RemoteClient> {
        let remote = self.clients.remove(&link)?;
        self.links.remove(&remote.client);
        Some(remote)
    }

    /// Takes the reply to a client's call.
    fn replied(&mut self, link: LinkId, bytes: Vec<u8>) -> Option<Answer> {
        let remote = self.clients.get_mut(&link)?;
        remote.call.take()?;
        remote.replies = remote.replies.saturating_add(1);
        Some(Answer::Reply { client: remote.client, bytes })
    }

    /// Removes a client that the service drops. The twin is informed only if the client waits for a
    /// reply; another client may call again at any time.
    fn dropped(&mut self, link: LinkId) -> Option<Answer> {
        let RemoteClient { client, call, .. } = self.remove(link)?;
        call.map(|call| Answer::Dropped { client, begun: call == Call::Begun })
    }

    /// Turns an intent for a client into one for the twin. Returns `false` if nothing is to be
    /// sent.
    pub(super) fn translate(
        &mut self,
        intent: &mut Intent,
        answer: impl Fn(Answer) -> Option<Intent>,
    ) -> bool {
        let said = match intent {
            Intent::Send { link, frame } if link.is_passed() => {
                self.replied(*link, core::mem::take(frame))
            }
            Intent::Close { link, .. } if link.is_passed() => self.dropped(*link),
            _ => return true,
        };
        match said.and_then(answer) {
            Some(said) => {
                *intent = said;
                true
            }
            None => false,
        }
    }

    /// Removes and returns all clients, because their link is gone.
    pub(super) fn lose(&mut self) -> Vec<LostClient> {
        self.links.clear();
        self.doubtful.clear();
        let lost =
            |(link, RemoteClient { client, replies, .. })| LostClient { link, client, replies };
        core::mem::take(&mut self.clients).into_iter().map(lost).collect()
    }
}

/// A client of the twin whose link to this front is gone.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct LostClient {
    pub(in crate::front) link: LinkId,
    client: u64,
    replies: u32,
}

/// The outcome of a call that the twin passes on.
#[derive(Debug)]
pub(in crate::front) enum IncomingCall {
    /// There is no room for it, and the twin was informed. The client of this handle is alive.
    Overloaded(Option<Handle>),
    /// It is a call on this link, like any other.
    Call {
        link: LinkId,
        /// The client's address, if this is its first call.
        first: Option<SocketAddr>,
    },
}

/// A client of the twin that is gone.
#[derive(Debug)]
pub(in crate::front) enum GoneClient {
    /// It had this link. `unsent`: the last reply did not reach it.
    Link { link: LinkId, unsent: bool },
    /// It was a client of the previous link, and the reply that named this handle did not reach it.
    Lost(Handle),
}

impl Twin {
    /// Sets the id of the front whose clients use the present link. A restarted front numbers its
    /// clients anew.
    pub(in crate::front) fn set_client_front(&mut self, front: u32) {
        if core::mem::replace(&mut self.incoming.of, front) != front {
            self.incoming.doubtful.clear();
        }
    }

    /// Takes a call that the twin passes on, of a client at `from`.
    ///
    /// # Errors
    /// Why the link has to be closed.
    pub(in crate::front) fn incoming_call(
        &mut self,
        client: u64,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Intent>,
    ) -> Result<IncomingCall, CloseReason> {
        let incoming = &mut self.incoming;
        // The client has received every reply that came before this call.
        incoming.doubtful.remove(&client);
        if incoming.len() >= PASSED_CLIENTS && !incoming.links.contains_key(&client) {
            let answer = Answer::Reply { client, bytes: service::overloaded(bytes) };
            out.extend(self.receiver.answer(answer));
            let handle = Request::parse(bytes).ok().and_then(|call| call.handle());
            return Ok(IncomingCall::Overloaded(handle.map(Handle)));
        }
        let mut first = None;
        let link = *incoming.links.entry(client).or_insert_with(|| {
            incoming.number += 1;
            let link = LinkId::passed(incoming.number);
            incoming.clients.insert(link, RemoteClient { client, call: None, replies: 0 });
            // An older front sends the address in the form of its socket.
            first = Some(SocketAddr::new(from.ip().to_canonical(), from.port()));
            link
        });
        let remote = incoming.clients.get_mut(&link);
        if remote.is_some_and(|remote| remote.call.replace(Call::Waits).is_some()) {
            return Err(CloseReason::Protocol(
                "a twin passed on a second call before the first had its reply",
            ));
        }
        Ok(IncomingCall::Call { link, first })
    }

    /// Marks a call as begun: from now on it may have been carried out.
    pub(in crate::front) fn incoming_call_begins(&mut self, link: LinkId) {
        if let Some(remote) = self.incoming.clients.get_mut(&link) {
            remote.call = Some(Call::Begun);
        }
    }

    /// Removes a client that is gone; `replies` is how many replies had reached it.
    pub(in crate::front) fn remote_client_gone(
        &mut self,
        client: u64,
        replies: u32,
    ) -> Option<GoneClient> {
        let doubtful = self.incoming.doubtful.remove(&client).filter(|(_, sent)| *sent > replies);
        match self.incoming.links.get(&client).copied() {
            Some(link) => {
                let remote = self.incoming.remove(link);
                let unsent = remote.is_some_and(|remote| remote.replies > replies);
                Some(GoneClient::Link { link, unsent })
            }
            None => doubtful.map(|(handle, _)| GoneClient::Lost(handle)),
        }
    }

    /// Notes that the last reply on the previous link named this handle and may not have arrived;
    /// the twin reports it on the next link.
    pub(in crate::front) fn doubt(&mut self, lost: LostClient, handle: Handle) {
        self.incoming.doubtful.insert(lost.client, (handle, lost.replies));
    }

    /// For checks: returns the links of the twin's clients; `None` if the two maps contradict each
    /// other.
    pub(in crate::front) fn remote_client_links(&self) -> Option<impl Iterator<Item = LinkId>> {
        let Incoming { clients, links, .. } = &self.incoming;
        (clients.len() == links.len()).then(|| clients.keys().copied())
    }
}
