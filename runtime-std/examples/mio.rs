//! A third runtime: one thread around mio, with sockets of its own, on core and the shared parts of
//! `runtime-std`. It shows how little a runtime is: accept, dial, read, write, wait, and hand
//! requests on. It has the command line of the daemons, and is for machines of 64 bits, because a
//! link's id is its token. It serves as the daemons do, but computes key agreements on the thread
//! that serves.

use mio::{Events, Interest, Poll, Registry, Token, Waker, event::Event, unix::SourceFd};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::{io, thread};
use tmr_core::base::{limits::GREETING_PAUSE, time::Now};
use tmr_core::io::HostEvent;
use tmr_core::link::greetings::{Greetings, Ungreeted};
use tmr_core::link::{CloseReason, Connection, Flow, Frame, LinkId, PeerKind};
use tmr_core::node::hub::{Dial, Hub, Output};
use tmr_runtime_std::clock::Clock;
use tmr_runtime_std::commands;
use tmr_runtime_std::commands::startup::Runtime;
use tmr_runtime_std::exit::Outcome;
use tmr_runtime_std::host::node_setup::NodeSetup;
use tmr_runtime_std::host::workers::{self, Outboxes};
use tmr_runtime_std::reactor::Requests;
use tmr_runtime_std::reactor::connections::Connections;
use tmr_runtime_std::reactor::dial::dial_found;
use tmr_runtime_std::reactor::listeners::{Accepted, Listeners, Open};
use tmr_runtime_std::reactor::net::{Socket, broken, put, read_some};

/// The waker's token, which no link and no listener has.
const WOKEN: Token = Token(usize::MAX);

fn main() -> ExitCode {
    commands::main(Runtime { program: "tmrd-mio", name: "mio", run })
}

/// The peer address of dialled connections, which is not needed.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// What other threads have the serving thread do.
type Work = Box<dyn FnOnce(&mut Site) + Send>;
type Tell = Arc<dyn Fn(Work) + Send + Sync>;

struct Peer {
    socket: Socket,
    connection: Connection,
    from: IpAddr,
    /// Whether its key agreement or TLS handshake is not over.
    greets: bool,
}

/// A node with its links and their sockets.
struct Site {
    hub: Hub,
    clock: Clock,
    workers: Outboxes,
    connections: Connections,
    registry: Registry,
    listeners: Arc<Listeners>,
    peers: BTreeMap<LinkId, Peer>,
    greetings: Greetings,
    /// The links that wait for their greeting.
    waiting: BTreeSet<LinkId>,
    tell: Tell,
}

/// Serves until the process ends.
fn run(setup: NodeSetup) -> Outcome {
    let system = |error: io::Error| broken(&error);
    let mut poll = Poll::new().map_err(system)?;
    let registry = || poll.registry().try_clone().map_err(system);
    let waker = Waker::new(poll.registry(), WOKEN).map_err(system)?;
    let (work, told) = mpsc::channel::<Work>();
    // The receiver lives as long as the process.
    let tell: Tell = Arc::new(move |it| drop(work.send(it).map(|()| waker.wake())));
    let (workers, inboxes) = workers::boxes();
    let watched = registry()?;
    let watch = move |open: &Open, on: bool| {
        let fd = open.as_fd().as_raw_fd();
        if !on {
            // It may not be watched already.
            return watched.deregister(&mut SourceFd(&fd)).or(Ok(()));
        }
        watched.register(&mut SourceFd(&fd), Token(open.name.0 as usize), Interest::READABLE)
    };
    let mut site = Site {
        hub: setup.hub,
        clock: Clock::start(),
        workers,
        connections: setup.connections,
        registry: registry()?,
        listeners: Arc::new(Listeners::new(Box::new(watch))),
        peers: BTreeMap::new(),
        greetings: Greetings::default(),
        waiting: BTreeSet::new(),
        tell: Arc::clone(&tell),
    };
    for (kind, listener) in setup.listeners {
        site.listeners.open(kind, listener).map_err(system)?;
    }
    site.step(Hub::tick);
    let event = move |event| tell(Box::new(move |site: &mut Site| site.host_event(event)));
    setup.workers.start(inboxes, Arc::clone(&site.listeners), event)?;
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 65_536]);
    loop {
        let now = site.clock.now().mono;
        let due = site.hub.deadline().map(|due| due.at.since(now));
        let pause = (!site.waiting.is_empty()).then_some(GREETING_PAUSE);
        let due = due.into_iter().chain(pause).min();
        match poll.poll(&mut events, due) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(system(error))?,
            _ => {}
        }
        for event in &events {
            match site.listeners.of(event.token().0 as u64) {
                Some(open) => site.take_in(&open),
                None => {
                    site.ready(LinkId(event.token().0 as u64), event, &mut buffer);
                }
            }
        }
        site.greet(&mut buffer);
        told.try_iter().for_each(|work| work(&mut site));
        site.step(Hub::tick);
    }
}

impl Site {
    /// Steps the hub, and performs its outputs.
    fn step<T>(&mut self, step: impl FnOnce(&mut Hub, Now, &mut Vec<Output>) -> T) -> T {
        let mut out = Vec::new();
        let result = step(&mut self.hub, self.clock.now(), &mut out);
        for output in out {
            match output {
                Output::Wake(link) | Output::End(link) => self.flush(link),
                Output::Drop { link, reason } => self.end(link, reason),
                Output::Dial(dial) => self.dial(dial),
                Output::Listen(listener) => _ = self.listeners.watch(listener, true),
                Output::Host(request) => self.workers.hand_on(request),
            }
        }
        result
    }

    fn host_event(&mut self, event: HostEvent) {
        let stops = event == HostEvent::Stopping;
        self.step(|hub, now, out| hub.host_event(now, event, out));
        if stops {
            self.workers.all_recorded();
        }
    }

    /// Accepts connections of a listener.
    fn take_in(&mut self, open: &Open) {
        loop {
            match open.accept() {
                Accepted::In(socket, from) => {
                    let link = self.step(|hub, now, out| hub.accept(now, open.kind, from, out));
                    let Some(link) = link else { continue };
                    let connection = self.connections.accepted(open.kind, from.ip());
                    let greets = !connection.greeted();
                    self.open(link, Peer { socket, connection, from: from.ip(), greets });
                }
                Accepted::Gone => {}
                Accepted::Nobody => return,
                Accepted::Refused => {
                    let _ = self.listeners.watch(open.name, false);
                    return self.step(|hub, now, _| hub.cannot_accept(now, open.name));
                }
            }
        }
    }

    /// Dials on a thread of its own, since that may block.
    fn dial(&self, Dial { link, to, callee }: Dial) {
        let tell = Arc::clone(&self.tell);
        thread::spawn(move || {
            let found = |hosts: &[SocketAddr]| {
                let hosts: Vec<_> = hosts.iter().map(SocketAddr::ip).collect();
                if let PeerKind::Twin { .. } = callee {
                    tell(Box::new(move |site| site.hub.expect_twin(hosts)));
                }
            };
            let dialled = dial_found(&to, callee.connects_within(), found).and_then(|socket| {
                socket.set_nonblocking(true).map(|()| socket).map_err(|error| broken(&error))
            });
            tell(Box::new(move |site| match dialled {
                Ok(socket) => {
                    let (connection, from) = (site.connections.dialled(callee), NOWHERE);
                    site.open(
                        link,
                        Peer { socket: socket.into(), connection, from, greets: false },
                    );
                }
                Err(reason) => site.step(|hub, now, out| hub.closed(now, link, reason, false, out)),
            }));
        });
    }

    fn open(&mut self, link: LinkId, peer: Peer) {
        let (fd, token) = (peer.socket.as_fd().as_raw_fd(), Token(link.0 as usize));
        let watched = self.registry.register(&mut SourceFd(&fd), token, Interest::READABLE);
        self.peers.insert(link, peer);
        match watched {
            Ok(()) => self.flush(link),
            Err(error) => self.end(link, broken(&error)),
        }
    }

    /// Serves a link with events at once, or queues it for its greeting.
    fn ready(&mut self, link: LinkId, event: &Event, buffer: &mut [u8]) {
        let (closed, broken) = (event.is_read_closed(), event.is_error());
        match self.peers.get(&link).map(|peer| peer.greets) {
            Some(true) if closed || broken => self.end(link, CloseReason::Eof),
            Some(true) => _ = self.waiting.insert(link),
            Some(false) => self.serve(link, closed, broken, buffer),
            None => {}
        }
    }

    /// Greets some of the links that wait.
    fn greet(&mut self, buffer: &mut [u8]) {
        let waits = |link: &LinkId| {
            let Peer { from, ref connection, .. } = *self.peers.get(link)?;
            Some(Ungreeted { from, layered: connection.is_layered(), what: *link })
        };
        let waiting = self.waiting.iter().filter_map(waits).collect();
        for link in self.greetings.choose(self.clock.now().mono, waiting) {
            self.waiting.remove(&link);
            self.serve(link, false, false, buffer);
            let peer = self.peers.get_mut(&link).filter(|peer| peer.connection.greeted());
            if let Some(peer) = peer {
                peer.greets = false;
                self.hub.greeted(self.clock.now(), link);
            }
        }
    }

    /// Reads a link, steps the hub with its frames, and writes the results.
    fn serve(&mut self, link: LinkId, closed: bool, broken: bool, buffer: &mut [u8]) {
        let Some(Peer { socket, connection, .. }) = self.peers.get_mut(&link) else { return };
        let (mut frames, mut end) = (Vec::new(), None);
        while end.is_none() && (connection.wants_read() || broken) {
            match read_some(socket, buffer) {
                Ok(None) => break,
                Ok(Some(0)) => end = Some(CloseReason::Eof),
                Ok(Some(count)) => end = connection.received(&buffer[..count], &mut frames).err(),
                Err(reason) => end = Some(reason),
            }
        }
        if closed {
            frames = frames.into_iter().map(Frame::unheard).collect();
        }
        let (left, arrived) = (connection.has_left(), connection.arrived(link, frames));
        self.step(|hub, now, out| {
            hub.left(now, left.then_some(link), out);
            hub.received(now, [arrived], out);
        });
        match end {
            Some(reason) => self.end(link, reason),
            None => self.flush(link),
        }
    }

    /// Writes what there is for a link, and sets the events to watch for.
    fn flush(&mut self, link: LinkId) {
        let Some(Peer { socket, connection, .. }) = self.peers.get_mut(&link) else { return };
        let mut ended = write(socket, connection);
        if ended.is_ok() && connection.wants_frames() {
            connection.send(self.hub.outbox(link));
            ended = write(socket, connection);
        }
        if let Some(reason) = ended.err().or_else(|| connection.closes().cloned()) {
            return self.end(link, reason);
        }
        let (flow, held) = (connection.flow(), connection.held());
        // Without any interest, a broken connection is still reported.
        let wanted = [
            connection.wants_read().then_some(Interest::READABLE),
            connection.wants_write().then_some(Interest::WRITABLE),
        ];
        let interest = wanted.into_iter().flatten().fold(Interest::PRIORITY, Interest::add);
        let (fd, token) = (socket.as_fd().as_raw_fd(), Token(link.0 as usize));
        let watched = self.registry.reregister(&mut SourceFd(&fd), token, interest);
        if flow != Flow::Same {
            self.step(|hub, now, out| {
                hub.flow(now, link, flow);
                hub.holds(now, link, held, out);
            });
        }
        if let Err(error) = watched {
            self.end(link, broken(&error));
        }
    }

    /// Ends a link; does nothing if it has already ended.
    fn end(&mut self, link: LinkId, reason: CloseReason) {
        let Some(Peer { socket, mut connection, .. }) = self.peers.remove(&link) else { return };
        self.waiting.remove(&link);
        // One attempt to send the reason.
        let _ = write(&socket, &mut connection);
        let unsent = connection.end();
        drop(socket);
        self.step(|hub, now, out| hub.closed(now, link, reason, unsent, out));
    }
}

fn write(socket: &Socket, connection: &mut Connection) -> Result<(), CloseReason> {
    let (written, ended) = put(socket, connection.unsent());
    connection.sent(written);
    ended
}
