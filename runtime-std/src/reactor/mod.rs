//! All links of a node, for both daemons: each is read where the runtime waits for it, and written
//! by the thread that has stepped the hub.
//!
//! A [`turn`](Reactor::turn) reads all links that one poll names, and steps the hub with everything
//! at once. What the hub then has for a link is sealed and written by the same thread, as far as
//! the socket takes it, so that no other thread is woken. A thread that finds a link busy counts a
//! request for the thread that writes it, which then looks again; so one write may serve many
//! steps. What the socket does not take waits until the poll reports room, but no longer than
//! [`WRITE_TIMEOUT`](tmr_core::base::limits::WRITE_TIMEOUT).
//!
//! Locks are taken in this order, never in another: a link's connection, then the hub or the table of links.
//! Nothing is read, written or computed on bytes while the hub is locked.
//!
//! What never lives here: which links are served, greeted or closed first (that is core), and how the machine
//! does what the node requests (`host`).

mod clocked_hub;
mod connection;
#[cfg(test)]
mod connection_test;
pub mod connections;
pub mod dial;
pub mod greetings;
pub mod listen;
pub mod listeners;
pub mod machine_listener;
pub mod net;
mod peer;
mod polls;
#[cfg(test)]
mod reactor_test;
mod serve;
pub mod tls;
#[cfg(test)]
mod tls_test;

pub use clocked_hub::{Requests, steps_taken};
pub use polls::PollBuffer;

use crate::exit::halt;
use crate::sync::lock;
use clocked_hub::ClockedHub;
use connection::SocketConnection;
use connections::Connections;
use dial::dial_found;
use listeners::{Accepted, Listeners, Open};
use net::{Socket, broken};
use peer::{Peer, ReadyPeer};
use polls::Polls;
use rustix::event::epoll;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};
use tmr_core::base::limits::{ACCEPTS_AT_ONCE, LINKS_AT_ONCE};
use tmr_core::base::time::Duration;
use tmr_core::io::HostEvent;
use tmr_core::link::turns::Ready;
use tmr_core::link::{CloseReason, LinkId, Listener, ListenerId, PeerKind};
use tmr_core::node::hub::{Dial, Hub};

/// The links of a node, with the node behind them.
#[derive(Debug)]
pub struct Reactor {
    hub: Mutex<ClockedHub>,
    peers: Mutex<BTreeMap<LinkId, Arc<Peer>>>,
    polls: Polls,
    listeners: Arc<Listeners>,
    connections: Connections,
}

/// What the runtime has to do after a call of the reactor.
#[derive(Debug, Default)]
#[must_use]
pub struct Actions {
    /// Whether the timer is set to a time after the deadline, and must be set anew.
    pub sooner: bool,
    /// Connections to open, each where it may block.
    pub dial: Vec<Dial>,
}

/// An accepted connection.
#[derive(Debug)]
struct Incoming {
    kind: Listener,
    socket: Socket,
    from: SocketAddr,
}

impl Reactor {
    /// Makes the reactor of a hub that has not been stepped yet; `requests` takes what the node
    /// requests of its machine. The links and the listeners are spread over `polls` polls, at least
    /// one; links that are not greeted have one more.
    ///
    /// # Errors
    /// The system does not give a poll.
    pub fn new(
        hub: Hub,
        requests: impl Requests + 'static,
        connections: Connections,
        listeners: Vec<(Listener, TcpListener)>,
        polls: usize,
    ) -> Result<Self, CloseReason> {
        let polls = Polls::new(polls).map_err(refused)?;
        let open = Arc::new(Listeners::new(polls.watch_listeners()));
        for (kind, listener) in listeners {
            open.open(kind, listener).map_err(|error| broken(&error))?;
        }
        let hub = Mutex::new(ClockedHub::new(hub, Box::new(requests)));
        Ok(Self { hub, peers: Mutex::default(), polls, listeners: open, connections })
    }

    /// Returns the listeners.
    #[must_use]
    pub fn listeners(&self) -> Arc<Listeners> {
        Arc::clone(&self.listeners)
    }

    /// Returns a file that is readable when a turn of this poll would find something.
    #[must_use]
    pub fn poll(&self, poll: usize) -> BorrowedFd<'_> {
        self.polls.get(poll)
    }

    /// Serves the links of one poll that have events, then accepts at its listeners. `waits`:
    /// blocks until there is something. Returns `None` if there was nothing.
    pub fn turn(&self, poll_buffer: &mut PollBuffer, waits: bool) -> Option<Actions> {
        if !self.polls.wait(poll_buffer, waits) {
            return None;
        }
        let mut ready = self.ready(poll_buffer);
        let mut actions = Actions::default();
        if ready.len() > LINKS_AT_ONCE {
            let (first, others): (Vec<ReadyPeer>, Vec<ReadyPeer>) =
                ready.into_iter().partition(|it| it.peer.comes_first());
            self.serve(&first, &mut poll_buffer.buffer, &mut actions);
            let others = others.into_iter().map(|it| Ready {
                link: it.peer.link,
                from: it.peer.from,
                what: it,
            });
            ready = poll_buffer.turns.choose(others.collect(), LINKS_AT_ONCE);
        }
        self.serve(&ready, &mut poll_buffer.buffer, &mut actions);
        let (quiet, busy) = ACCEPTS_AT_ONCE;
        let most = if ready.is_empty() { quiet } else { busy };
        for open in poll_buffer.names().filter_map(|name| self.listeners.of(name)) {
            self.accept(&open, most, &mut actions);
        }
        Some(actions)
    }

    /// Returns the links that a poll has named.
    fn ready(&self, poll_buffer: &PollBuffer) -> Vec<ReadyPeer> {
        let peers = lock(&self.peers);
        let named = poll_buffer.events.iter().filter_map(|event| {
            let peer = Arc::clone(peers.get(&LinkId(event.data.u64()))?);
            Some(ReadyPeer { peer, flags: event.flags })
        });
        named.collect()
    }

    /// Accepts at most `most` connections of a listener. If the system cannot give connections, the
    /// listener is not watched for a moment; open links go on meanwhile.
    fn accept(&self, open: &Open, most: usize, actions: &mut Actions) {
        for _ in 0..most {
            match open.accept() {
                Accepted::In(socket, from) => {
                    self.accepted(Incoming { kind: open.kind, socket, from }, actions);
                }
                Accepted::Gone => {}
                Accepted::Nobody => return,
                Accepted::Refused => {
                    self.watch_listener(open.name, false);
                    let rests = |hub: &mut Hub, now, _: &mut _| hub.cannot_accept(now, open.name);
                    let effects = lock(&self.hub).step(rests).1;
                    return self.perform(effects, actions);
                }
            }
        }
    }

    fn watch_listener(&self, name: ListenerId, watched: bool) {
        if let Err(error) = self.listeners.watch(name, watched) {
            halt(&format!("watching a listener: {}", broken(&error)));
        }
    }

    fn accepted(&self, incoming: Incoming, actions: &mut Actions) {
        let Incoming { kind, socket, from } = incoming;
        let (link, effects) =
            lock(&self.hub).step(|hub, now, out| hub.accept(now, kind, from, out));
        if let Some(link) = link {
            let protocol = self.connections.accepted(kind, from.ip());
            let connection = SocketConnection::new(socket, protocol, true);
            self.open(link, from.ip(), connection, actions);
        }
        self.perform(effects, actions);
    }

    /// Opens a connection; may block for as long as that takes.
    pub fn dial(&self, dial: Dial) -> Actions {
        let Dial { link, to, callee } = dial;
        let mut actions = Actions::default();
        let dialled = dial_found(&to, callee.connects_within(), |hosts| {
            if let PeerKind::Twin { .. } = callee {
                // The twin most likely connects from one of these.
                lock(&self.hub).hub().expect_twin(hosts.iter().map(SocketAddr::ip));
            }
        });
        match dialled {
            Ok(socket) => {
                let connection =
                    SocketConnection::new(socket.into(), self.connections.dialled(callee), false);
                self.open(link, Ipv4Addr::UNSPECIFIED.into(), connection, &mut actions);
            }
            Err(reason) => return self.undialled(link, reason),
        }
        actions
    }

    /// Reports that a connection could not be opened.
    pub fn undialled(&self, link: LinkId, reason: CloseReason) -> Actions {
        let effects = lock(&self.hub).closed(link, reason, false);
        self.performed(effects)
    }

    /// Passes an event of the host to the node.
    pub fn host_event(&self, event: HostEvent) -> Actions {
        let stopping = event == HostEvent::Stopping;
        let effects = {
            let mut hub = lock(&self.hub);
            let effects = hub.step(|hub, now, out| hub.host_event(now, event, out)).1;
            if stopping {
                hub.all_recorded();
            }
            effects
        };
        self.performed(effects)
    }

    /// Ticks the node: when the time that [`set_timer`](Self::set_timer) gave has come, and once at
    /// the start.
    pub fn tick(&self) -> Actions {
        let effects = lock(&self.hub).step(Hub::tick).1;
        self.performed(effects)
    }

    /// Returns how long the timer has to wait before the next [`tick`](Self::tick), zero if it is
    /// due, and records the timer as set to that time.
    pub fn set_timer(&self) -> Duration {
        lock(&self.hub).set_timer()
    }

    fn open(
        &self,
        link: LinkId,
        from: IpAddr,
        connection: SocketConnection,
        actions: &mut Actions,
    ) {
        let unblocked = connection.socket.set_nonblocking(true).map_err(|error| broken(&error));
        let peer = Arc::new(Peer::new(link, from, connection));
        let watched = {
            // A thread that already finds the link waits for this lock until it is watched.
            let connection = lock(&peer.connection);
            lock(&self.peers).insert(link, Arc::clone(&peer));
            let data = epoll::EventData::new_u64(link.0);
            let flags = SocketConnection::FIRST_WATCH | connection.ended_early();
            let poll = self.polls.of(link, connection.greets());
            epoll::add(poll, &connection.socket, data, flags).map_err(refused)
        };
        let effects = match unblocked.and(watched) {
            // The hub may already have output for the link, or have ended it.
            Ok(()) => self.flush(link).unwrap_or_default(),
            Err(reason) => self.end(link, reason),
        };
        self.perform(effects, actions);
    }
}

fn refused(error: Errno) -> CloseReason {
    broken(&io::Error::from(error))
}
