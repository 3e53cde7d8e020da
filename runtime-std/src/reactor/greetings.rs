//! Key agreements and TLS handshakes of links that were just accepted, which are the longest work
//! that an unauthenticated peer can cause. They have a poll and two threads of their own, so that
//! calls do not wait for them. A greeted link moves to the poll where calls are served.
//!
//! Only the thread that computes has a low priority, and it locks only the connection of the link
//! that it computes for: all calls would wait for a thread that is preempted while it holds the
//! lock of the hub or of the table.
//!
//! What never lives here: which links are greeted next (that is core's
//! [`greetings`](tmr_core::link::greetings)).

use crate::clock::Clock;
use crate::exit::halt;
use crate::reactor::clocked_hub::Effects;
use crate::reactor::connection::SocketConnection;
use crate::reactor::net::broken;
use crate::reactor::peer::{Peer, ReadyPeer};
use crate::reactor::serve::LinksRead;
use crate::reactor::{Actions, PollBuffer, Reactor, refused};
use crate::sync::lock;
use rustix::event::epoll::{self, EventFlags};
use rustix::process::nice;
use std::sync::{Arc, mpsc};
use std::thread;
use tmr_core::base::limits::GREETING_PAUSE;
use tmr_core::link::greetings::{Greetings, Ungreeted};
use tmr_core::link::{CloseReason, LinkId};

/// The niceness of the thread that computes, above that of the threads that serve calls.
const NICE: i32 = 5;
/// The number of links that end under one lock of the hub. A thread that locks and unlocks for each
/// of a thousand links that hang up together would starve the other threads.
const ENDS: usize = 32;
/// Bytes that are read from a link at once until it is greeted. A key agreement has 74; what a peer
/// sends instead is refused after the first of them, and more of it would be read in vain.
const GREETING_CHUNK: usize = 4 * 1024;
/// Stack of the thread that computes, in bytes.
const STACK: usize = 512 * 1024;

/// The events of a peer that hung up before its greeting was over.
const GONE: EventFlags = SocketConnection::HUNG_UP.union(EventFlags::HUP).union(EventFlags::ERR);

/// What the greeting thread keeps between turns: events, the order of the greetings, its clock.
#[derive(Debug)]
pub struct Greeter {
    poll_buffer: PollBuffer,
    greetings: Greetings,
    clock: Clock,
}

impl Greeter {
    /// Makes the state of the greeting thread of a reactor.
    #[must_use]
    pub fn new(reactor: &Reactor) -> Self {
        let poll_buffer = PollBuffer::new(reactor.polls.greeting());
        Self { poll_buffer, greetings: Greetings::default(), clock: Clock::start() }
    }

    /// Returns the links that are greeted in this turn, in core's order.
    fn choose(&mut self, ready: Vec<ReadyPeer>) -> Vec<ReadyPeer> {
        let ungreeted = ready.into_iter().map(|it| Ungreeted {
            from: it.peer.from,
            layered: it.peer.layered,
            what: it,
        });
        self.greetings.choose(self.clock.now().mono, ungreeted.collect())
    }
}

impl Reactor {
    /// Greets accepted links for as long as the process lives; `perform` performs what the runtime
    /// has to do.
    pub fn greet(&self, perform: impl Fn(Actions)) -> ! {
        let mut greeter = Greeter::new(self);
        let (ask, asked) = mpsc::channel::<Vec<ReadyPeer>>();
        let (tell, told) = mpsc::channel();
        let compute = move || {
            // Without the right to do so the priority stays as it is.
            let _ = nice(NICE);
            let mut buffer = vec![0; GREETING_CHUNK];
            while let Ok(chosen) = asked.recv() {
                let read = self.read_links(&chosen, &mut buffer);
                if tell.send((chosen, read)).is_err() {
                    return;
                }
            }
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("agreements".to_owned()).stack_size(STACK);
            if let Err(error) = thread.spawn_scoped(scope, compute) {
                halt(&format!("no thread for key agreements: {}", broken(&error)));
            }
            loop {
                let agree = |chosen| {
                    let asked = ask.send(chosen).is_ok();
                    let told = asked.then(|| told.recv().ok()).flatten();
                    told.unwrap_or_else(|| halt("nobody computes key agreements any more"))
                };
                let actions = self.greet_some(&mut greeter, agree).unwrap_or_default();
                if actions.sooner || !actions.dial.is_empty() {
                    perform(actions);
                }
            }
        })
    }

    /// Waits until links are ready to be greeted, and greets some of them. `agree` reads them,
    /// which takes long; nothing is written to them meanwhile. Returns `None` if none is chosen.
    pub(super) fn greet_some(
        &self,
        greeter: &mut Greeter,
        agree: impl FnOnce(Vec<ReadyPeer>) -> (Vec<ReadyPeer>, LinksRead),
    ) -> Option<Actions> {
        if !self.polls.wait(&mut greeter.poll_buffer, true) {
            return None;
        }
        let mut actions = Actions::default();
        // A peer that hung up needs no answer, so it takes no turn and no place.
        let (gone, ready): (Vec<_>, Vec<_>) = self
            .ready(&greeter.poll_buffer)
            .into_iter()
            .partition(|ready| ready.flags.intersects(GONE));
        self.end_gone(gone.iter().map(|ready| ready.peer.link), &mut actions);
        let mut chosen = greeter.choose(ready);
        if chosen.is_empty() && gone.is_empty() {
            thread::sleep(GREETING_PAUSE);
            return None;
        }
        // A link that another thread writes is left for the next turn. To the others no thread
        // writes now; it counts its request instead.
        chosen.retain(|ready| ready.peer.ask_to_write());
        if !chosen.is_empty() {
            let (chosen, read) = agree(chosen);
            self.answer(read, &mut actions);
            for ReadyPeer { peer, .. } in &chosen {
                self.perform(self.write_asked(peer).unwrap_or_default(), &mut actions);
                self.hand_over(peer);
            }
        }
        Some(actions)
    }

    /// Ends links whose peers have hung up.
    fn end_gone(&self, gone: impl Iterator<Item = LinkId>, actions: &mut Actions) {
        let gone: Vec<LinkId> = gone.collect();
        for links in gone.chunks(ENDS) {
            let peers: Vec<Arc<Peer>> = {
                let mut table = lock(&self.peers);
                links.iter().filter_map(|link| table.remove(link)).collect()
            };
            let end = |peer: &Arc<Peer>| {
                let unsent = lock(&peer.connection).end(&CloseReason::Eof);
                (peer.link, unsent)
            };
            let ended: Vec<(LinkId, bool)> = peers.iter().map(end).collect();
            let mut hub = lock(&self.hub);
            let closed =
                ended.into_iter().map(|(link, unsent)| hub.closed(link, CloseReason::Eof, unsent));
            let effects = closed.fold(Effects::default(), Effects::and);
            drop(hub);
            self.perform(effects, actions);
        }
    }

    /// Moves a link that is greeted to the poll where calls are served.
    fn hand_over(&self, peer: &Peer) {
        let mut connection = lock(&peer.connection);
        let Some(watched) = connection.greeted() else { return };
        lock(&self.hub).greeted(peer.link);
        let data = epoll::EventData::new_u64(peer.link.0);
        let moved =
            epoll::delete(self.poll(self.polls.greeting()), &connection.socket).and_then(|()| {
                epoll::add(self.polls.of(peer.link, false), &connection.socket, data, watched)
            });
        if let Err(error) = moved {
            halt(&format!("watching a link: {}", refused(error)));
        }
    }

    /// Returns how many links are not greeted.
    #[cfg(test)]
    pub(super) fn ungreeted(&self) -> usize {
        lock(&self.peers).values().filter(|peer| lock(&peer.connection).greets()).count()
    }
}
