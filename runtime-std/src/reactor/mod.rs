//! All links of a node, as both runtimes serve them: read where the runtime waits for them, and
//! written by whoever has stepped the hub.
//!
//! A [`turn`](Reactor::turn) takes up what there is to read on all links of one poll, and steps the
//! hub with all of it at once. What the hub then has for any link is sealed and written by the same
//! thread, as much as there is room for: nobody is woken to do it. Who finds a link busy leaves
//! word with the one who is busy with it, who then looks again; so one write may serve many steps.
//! What there is no room for waits until the poll says that there is, but no longer than
//! [`WRITE_TIMEOUT`](tmr_core::base::limits::WRITE_TIMEOUT).
//!
//! Locks are taken in this order, never in another: a link's connection, then the hub or the table of
//! links. Nothing is read, written or computed on bytes while the hub is locked.

mod clocked_hub;
mod connection;
#[cfg(test)]
mod connection_test;
pub mod dial;
pub mod greetings;
pub mod listen;
pub mod listeners;
pub mod net;
#[cfg(test)]
mod reactor_test;
pub mod tls;
#[cfg(test)]
mod tls_test;
mod turns;

use crate::exit::halt;
use crate::host::node_setup::Connections;
use crate::host::workers::Inboxes;
use crate::reactor::clocked_hub::{ClockedHub, Effects};
use crate::reactor::connection::SocketConnection;
use crate::reactor::dial::dial_found;
use crate::reactor::listeners::{Accepted, Listeners, Open, Watch};
use crate::reactor::net::{Socket, broken};
use crate::reactor::turns::{TURN_LINKS, Turns};
use crate::sync::lock;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::{fmt, io};
use tmr_core::base::limits::LINKS_HELD_MAX;
use tmr_core::base::time::{Duration, Now};
use tmr_core::io::HostEvent;
use tmr_core::link::{CloseReason, Flow, Frame, LinkId, Listener, ListenerId, PeerKind};
use tmr_core::node::hub::{Arrived, Dial, Hub};

const TOO_MUCH: CloseReason = CloseReason::Limit("bytes that all links together hold");
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Links that one turn looks at; of those it serves no more than [`TURN_LINKS`] of strangers.
const EVENTS: usize = 1024;
/// Connections that one turn takes in by one listener; who is there already comes first in the next.
const ACCEPTS: usize = 16;
/// The same of a turn in which somebody had something to say: who knocks without end has calls wait for
/// these at most, and a thousand who come at once are in within a second.
const ACCEPTS_BESIDE: usize = 4;

/// A node's links, and the node behind them.
#[derive(Debug)]
pub struct Reactor {
    hub: Mutex<ClockedHub>,
    peers: Mutex<BTreeMap<LinkId, Arc<Peer>>>,
    /// Bytes that all connections keep for peers that have not proved the group key.
    held: AtomicUsize,
    polls: Arc<[OwnedFd]>,
    listeners: Arc<Listeners>,
    connections: Connections,
}

#[derive(Debug)]
struct Peer {
    link: LinkId,
    /// Where it is; nowhere in particular if it was dialled.
    from: IpAddr,
    /// It may speak TLS.
    covered: bool,
    connection: Mutex<SocketConnection>,
    /// How often it was called for to be written since whoever writes it has looked.
    rung: AtomicUsize,
    /// Its share of [`Reactor::held`].
    held: AtomicUsize,
}

impl Peer {
    /// Leaves word for who is busy with it. `true`: nobody was, and whoever asks is it now, until
    /// [`Reactor::let_go`].
    fn hold(&self) -> bool {
        self.rung.fetch_add(1, Ordering::AcqRel) == 0
    }

    /// It is the machine's, or of the group: it is served in every turn.
    fn comes_first(&self) -> bool {
        // Whoever was dialled is nowhere in particular.
        self.from.is_unspecified() || lock(&self.connection).comes_first()
    }
}

/// What one who takes turns keeps between them: its poll, and room for what it reads.
pub struct PollBuffer {
    poll: usize,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
    turns: Turns,
}

impl fmt::Debug for PollBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollBuffer").field("poll", &self.poll).finish_non_exhaustive()
    }
}

impl PollBuffer {
    /// For the links of this poll.
    #[must_use]
    pub fn new(poll: usize) -> Self {
        let (buffer, events) = (vec![0; CHUNK], Vec::with_capacity(EVENTS));
        Self { poll, buffer, events, turns: Turns::default() }
    }
}

/// What is the runtime's to do.
#[derive(Debug, Default)]
#[must_use]
pub struct Actions {
    /// The timer is set to a time after the deadline: set it anew.
    pub sooner: bool,
    /// Connections to open, each where it may block.
    pub dial: Vec<Dial>,
}

impl Reactor {
    /// Of a hub that has not been stepped yet; and what it wants done. Its links are spread over
    /// as many `polls`, at least one, and so are the listeners by which they come in; those that have not
    /// been greeted have one more for themselves.
    ///
    /// # Errors
    /// The system does not give a poll.
    pub fn new(
        hub: Hub,
        connections: Connections,
        listeners: Vec<(Listener, TcpListener)>,
        polls: usize,
    ) -> Result<(Self, Inboxes), CloseReason> {
        let (hub, inboxes) = ClockedHub::new(hub);
        let poll = |_| epoll::create(epoll::CreateFlags::CLOEXEC).map_err(refused);
        let serving = polls;
        let polls = (0..=serving).map(poll).collect::<Result<Arc<[OwnedFd]>, _>>()?;
        let open = Arc::new(Listeners::new(watched_in(Arc::clone(&polls), serving)));
        for (kind, listener) in listeners {
            open.open(kind, listener).map_err(|error| broken(&error))?;
        }
        let (hub, peers, held) = (Mutex::new(hub), Mutex::default(), 0.into());
        Ok((Self { hub, peers, held, polls, listeners: open, connections }, inboxes))
    }

    /// The listeners by which links come in.
    #[must_use]
    pub fn listeners(&self) -> Arc<Listeners> {
        Arc::clone(&self.listeners)
    }

    /// What tells that a turn of this poll would find something.
    #[must_use]
    pub fn poll(&self, poll: usize) -> BorrowedFd<'_> {
        self.polls[poll].as_fd()
    }

    /// Takes up what there is on the links of one poll, then who waits at its listeners; `waits`: and
    /// waits until there is something. `None`: there was nothing.
    pub fn turn(&self, poll_buffer: &mut PollBuffer, waits: bool) -> Option<Actions> {
        if !wait(&self.polls[poll_buffer.poll], poll_buffer, waits) {
            return None;
        }
        let (mut ready, mut actions) = (self.ready(poll_buffer), Actions::default());
        if ready.len() > TURN_LINKS {
            let (first, others) = ready.into_iter().partition::<Vec<_>, _>(|it| it.0.comes_first());
            self.serve(&first, &mut poll_buffer.buffer, &mut actions);
            let row = |it: (Arc<Peer>, _)| (it.0.link.0, it.0.from, it);
            ready = poll_buffer.turns.choose(others.into_iter().map(row).collect(), TURN_LINKS);
        }
        self.serve(&ready, &mut poll_buffer.buffer, &mut actions);
        let most = if ready.is_empty() { ACCEPTS } else { ACCEPTS_BESIDE };
        for open in
            poll_buffer.events.iter().filter_map(|event| self.listeners.of(event.data.u64()))
        {
            self.take_in(&open, most, &mut actions);
        }
        Some(actions)
    }

    /// The links that a poll has named.
    fn ready(&self, poll_buffer: &PollBuffer) -> Vec<(Arc<Peer>, epoll::EventFlags)> {
        let mut ready = Vec::with_capacity(poll_buffer.events.len());
        let peers = lock(&self.peers);
        for event in &poll_buffer.events {
            let peer = peers.get(&LinkId(event.data.u64()));
            ready.extend(peer.map(|peer| (Arc::clone(peer), event.flags)));
        }
        ready
    }

    /// Reads these links, steps the hub with what came, and writes what that leads to.
    fn serve(
        &self,
        ready: &[(Arc<Peer>, epoll::EventFlags)],
        buffer: &mut [u8],
        actions: &mut Actions,
    ) {
        let read = self.read_links(ready, buffer);
        self.answer(read, actions);
    }

    /// Reads these links. Locks their connections, one after the other, and nothing else.
    fn read_links(&self, ready: &[(Arc<Peer>, epoll::EventFlags)], buffer: &mut [u8]) -> LinksRead {
        let mut all = LinksRead::default();
        for (peer, flags) in ready {
            let mut connection = lock(&peer.connection);
            all.left.extend(connection.protocol.has_left().then_some(peer.link));
            let read = self.read_link(peer.link, &mut connection, *flags, buffer);
            self.count(peer, connection.protocol.held());
            all.writes.extend(read.writes.then_some(peer.link));
            all.ended.extend(read.end.map(|reason| (peer.link, reason)));
            all.arrived.extend(read.read);
        }
        all
    }

    /// Steps the hub with what links were read to say, and writes what that leads to.
    fn answer(&self, read: LinksRead, actions: &mut Actions) {
        let LinksRead { arrived, left, ended, writes } = read;
        let mut effects = Effects { wake: writes, ..Effects::default() };
        let mut waiting = 0;
        if !arrived.is_empty() || !left.is_empty() {
            let mut hub = lock(&self.hub);
            let received = |hub: &mut Hub, now, out: &mut _| {
                hub.left(now, left, out);
                hub.received(now, arrived, out);
                hub.held()
            };
            let (held, more) = hub.step(received);
            drop(hub);
            waiting = held;
            effects.wake.extend(&more.wake);
            effects = Effects { wake: effects.wake, ..more };
        }
        // Before anything is written: what is for who has gone does not count as sent.
        for (link, reason) in ended {
            self.perform(self.end(link, reason), actions);
        }
        self.perform(effects, actions);
        if waiting + self.held.load(Ordering::Relaxed) > LINKS_HELD_MAX {
            self.shed(actions);
        }
    }

    /// Takes in who waits at a listener. Where the system cannot give connections, it is left alone for
    /// a moment: those who are there go on meanwhile.
    fn take_in(&self, open: &Open, most: usize, actions: &mut Actions) {
        for _ in 0..most {
            match open.take_in() {
                Accepted::In(socket, from) => self.accepted(open.kind, (socket, from), actions),
                Accepted::Gone => {}
                Accepted::Nobody => return,
                Accepted::Refused => {
                    self.watch_door(open.name, false);
                    let rests = |hub: &mut Hub, now, _: &mut _| hub.cannot_accept(now, open.name);
                    let effects = lock(&self.hub).step(rests).1;
                    return self.perform(effects, actions);
                }
            }
        }
    }

    fn watch_door(&self, name: ListenerId, watched: bool) {
        if let Err(error) = self.listeners.watch(name, watched) {
            halt(&format!("watching a door: {}", broken(&error)));
        }
    }

    /// A connection came in.
    fn accepted(
        &self,
        kind: Listener,
        (socket, from): (impl Into<Socket>, SocketAddr),
        actions: &mut Actions,
    ) {
        let socket = socket.into();
        let (link, effects) =
            lock(&self.hub).step(|hub, now, out| hub.accept(now, kind, from, out));
        if let Some(link) = link {
            let connection =
                SocketConnection::new(socket, self.connections.accepted(kind, from.ip()), true);
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
                // It comes in from one of these, most likely.
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

    /// A connection could not be opened.
    pub fn undialled(&self, link: LinkId, reason: CloseReason) -> Actions {
        let effects = lock(&self.hub).closed(link, reason, false);
        self.performed(effects)
    }

    /// The node hears what its machine reports.
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

    /// The time has come that [`set_timer`](Self::set_timer) named, or the runtime starts.
    pub fn tick(&self) -> Actions {
        let effects = lock(&self.hub).step(Hub::tick).1;
        self.performed(effects)
    }

    /// How long the timer has to wait before the next [`tick`](Self::tick); zero: it is due. The
    /// timer counts as set to that time from now on.
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
        let (covered, rung, held) = (connection.protocol.is_layered(), 0.into(), 0.into());
        let peer =
            Arc::new(Peer { link, from, covered, connection: Mutex::new(connection), rung, held });
        let watched = {
            // Whoever finds it already has to wait until it is watched.
            let connection = lock(&peer.connection);
            lock(&self.peers).insert(link, Arc::clone(&peer));
            let data = epoll::EventData::new_u64(link.0);
            let flags = SocketConnection::FIRST_WATCH | connection.ended_early();
            let poll = self.poll_of(link, connection.greets());
            epoll::add(poll, &connection.socket, data, flags).map_err(refused)
        };
        let effects = match unblocked.and(watched) {
            // What the hub had before, the end among it, must be looked for.
            Ok(()) => self.flush(link).unwrap_or_default(),
            Err(reason) => self.end(link, reason),
        };
        self.perform(effects, actions);
    }

    /// Reads a link that the poll has named.
    fn read_link(
        &self,
        link: LinkId,
        connection: &mut SocketConnection,
        flags: epoll::EventFlags,
        buffer: &mut [u8],
    ) -> LinkRead {
        let (mut frames, mut end, mut read) = (Vec::new(), None, None);
        let broken = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        if broken || flags.contains(epoll::EventFlags::IN) {
            end = connection.read(broken, buffer, &mut frames).err();
            if matches!(frames.first(), Some(Frame::Http(_))) && connection.hung_up() {
                frames = frames.into_iter().map(Frame::unheard).collect();
            }
            read = Some(Arrived { link, frames, partial: connection.protocol.partial() });
        }
        // The handshake has something to say.
        let writes = !connection.protocol.unsent().is_empty();
        if !writes {
            self.watch(link, connection);
        }
        LinkRead { read, end, writes }
    }

    /// What the connection with a peer keeps has changed.
    fn count(&self, peer: &Peer, held: usize) {
        let before = peer.held.swap(held, Ordering::Relaxed);
        if held != before {
            // Wraps where it falls.
            self.held.fetch_add(held.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    /// All peers together make us keep too much: those go that hold most, until there is room again.
    fn shed(&self, actions: &mut Actions) {
        let mut held: Vec<(usize, LinkId)> = {
            let peers = lock(&self.peers);
            peers.values().map(|peer| (peer.held.load(Ordering::Relaxed), peer.link)).collect()
        };
        let mut hub = lock(&self.hub);
        held.iter_mut().for_each(|(bytes, link)| *bytes += hub.hub().held_by(*link));
        held.sort_unstable_by(|one, other| other.cmp(one));
        let all: usize = held.iter().map(|(bytes, _)| bytes).sum();
        let (mut left, mut going) = (all, Vec::new());
        for (bytes, link) in held {
            if left <= LINKS_HELD_MAX / 4 * 3 || bytes == 0 {
                break;
            }
            left -= bytes;
            going.push(link);
        }
        let told = |hub: &mut Hub, now: Now, _: &mut _| hub.shed(now, going.len(), all);
        let effects = hub.step(told).1;
        drop(hub);
        self.perform(effects, actions);
        for link in going {
            self.perform(self.end(link, TOO_MUCH), actions);
        }
    }

    /// Does what a step left to do, and what that leaves to do.
    fn perform(&self, effects: Effects, actions: &mut Actions) {
        let mut steps = vec![effects];
        while let Some(effects) = steps.pop() {
            actions.sooner |= effects.sooner;
            actions.dial.extend(effects.dial);
            effects.listen.into_iter().for_each(|name| self.watch_door(name, true));
            steps.extend(effects.drop.into_iter().map(|(link, reason)| self.end(link, reason)));
            steps.extend(effects.wake.into_iter().filter_map(|link| self.flush(link)));
        }
    }

    fn performed(&self, effects: Effects) -> Actions {
        let mut actions = Actions::default();
        self.perform(effects, &mut actions);
        actions
    }

    /// Writes what the hub has for a link, or leaves word with who is at it.
    fn flush(&self, link: LinkId) -> Option<Effects> {
        let peer = Arc::clone(lock(&self.peers).get(&link)?);
        if peer.hold() { self.let_go(&peer) } else { None }
    }

    /// Writes what the hub has for a link that was [held](Peer::hold), until nobody has left word.
    fn let_go(&self, peer: &Peer) -> Option<Effects> {
        let mut effects: Option<Effects> = None;
        loop {
            let rung = peer.rung.load(Ordering::Acquire);
            if let Some(more) = self.write(peer) {
                effects = Some(effects.unwrap_or_default().and(more));
            }
            if peer.rung.fetch_sub(rung, Ordering::AcqRel) == rung {
                return effects;
            }
        }
    }

    fn write(&self, peer: &Peer) -> Option<Effects> {
        let mut connection = lock(&peer.connection);
        let flushed = connection.flush(|| lock(&self.hub).hub().outbox(peer.link));
        self.count(peer, connection.protocol.held());
        let reason = match flushed {
            Ok(flow) => {
                self.watch(peer.link, &mut connection);
                let tell = |hub: &mut Hub, now, _: &mut _| hub.flow(now, peer.link, flow);
                return (flow != Flow::Same).then(|| lock(&self.hub).step(tell).1);
            }
            Err(reason) => reason,
        };
        drop(connection);
        Some(self.end(peer.link, reason))
    }

    /// A link ends here, once.
    fn end(&self, link: LinkId, reason: CloseReason) -> Effects {
        let peer = lock(&self.peers).remove(&link);
        let Some(peer) = peer else { return Effects::default() };
        let unsent = lock(&peer.connection).end(&reason);
        self.count(&peer, 0);
        lock(&self.hub).closed(link, reason, unsent)
    }

    fn watch(&self, link: LinkId, connection: &mut SocketConnection) {
        if let Some(flags) = connection.watch() {
            let data = epoll::EventData::new_u64(link.0);
            let (poll, flags) =
                (self.poll_of(link, connection.greets()), flags | connection.ended_early());
            if let Err(error) = epoll::modify(poll, &connection.socket, data, flags) {
                halt(&format!("watching a link: {}", refused(error)));
            }
        }
    }

    /// The poll that a link is in; `greets`: it is not greeted yet.
    fn poll_of(&self, link: LinkId, greets: bool) -> &OwnedFd {
        let serving = self.greeting_poll();
        // Of accepted links and of dialled ones each the next has the next number but one.
        let number = usize::try_from(link.0 / 2).unwrap_or_default();
        &self.polls[if greets { serving } else { number % serving }]
    }

    /// The number of the poll of those that are not greeted yet, the last one.
    fn greeting_poll(&self) -> usize {
        self.polls.len() - 1
    }
}

/// What came of reading some links.
#[derive(Debug, Default)]
struct LinksRead {
    /// What was read of each.
    arrived: Vec<Arrived>,
    /// Their last reply has left the machine.
    left: Vec<LinkId>,
    ended: Vec<(LinkId, CloseReason)>,
    /// There is something to write.
    writes: Vec<LinkId>,
}

/// What came of reading a link.
struct LinkRead {
    read: Option<Arrived>,
    end: Option<CloseReason>,
    /// There is something to write.
    writes: bool,
}

/// Watches listeners in the first so many of these polls.
fn watched_in(polls: Arc<[OwnedFd]>, serving: usize) -> Watch {
    Box::new(move |open: &Open, watched| {
        let number = usize::try_from(open.name.0 & u64::from(u32::MAX)).unwrap_or_default();
        let poll = &polls[number % serving];
        if watched {
            let data = epoll::EventData::new_u64(open.name.0);
            return Ok(epoll::add(poll, open, data, epoll::EventFlags::IN)?);
        }
        match epoll::delete(poll, open) {
            // It may be left alone already.
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    })
}

/// What a poll has; `waits`: and waits until there is something. Returns whether there is.
fn wait(poll: impl AsFd, poll_buffer: &mut PollBuffer, waits: bool) -> bool {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let patience = if waits { None } else { Some(&none) };
    poll_buffer.events.clear();
    match epoll::wait(poll, spare_capacity(&mut poll_buffer.events), patience) {
        Ok(0) | Err(Errno::INTR) => false,
        Ok(_) => true,
        Err(error) => halt(&format!("waiting for links: {}", refused(error))),
    }
}

fn refused(error: Errno) -> CloseReason {
    broken(&io::Error::from(error))
}
