//! Key agreements and TLS handshakes with links that have just come in: all that takes long of what a stranger
//! can have done. They have a poll and two threads of their own, so that calls wait for none of them; a link
//! goes over to where calls are served when its own is done.
//!
//! Only what is computed has a low priority, and the thread that computes locks nothing but the connection of
//! the link that it is for: all calls would wait for a thread that the system puts off while it has the lock of
//! the hub or of the table.
//!
//! What never lives here: which links are greeted next (that is core's
//! [`greetings`](tmr_core::link::greetings)).

use crate::clock::Clock;
use crate::exit::halt;
use crate::reactor::clocked_hub::Effects;
use crate::reactor::connection::SocketConnection;
use crate::reactor::net::broken;
use crate::reactor::peer::{Peer, ReadyPeer};
use crate::reactor::polls::CHUNK;
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

/// How far the thread that computes stands behind those that serve calls.
const NICE: i32 = 5;
/// Links that end while the hub is locked once: a thread that takes and leaves the lock for each of a thousand
/// that hang up together leaves it to no other.
const ENDS: usize = 32;
/// Stack of the thread that computes, in bytes.
const STACK: usize = 512 * 1024;

/// What a poll says of a peer that hung up before the greeting was over.
const GONE: EventFlags = SocketConnection::HUNG_UP.union(EventFlags::HUP).union(EventFlags::ERR);

/// What the greeting thread keeps between turns.
#[derive(Debug)]
pub struct Greeter {
    poll_buffer: PollBuffer,
    greetings: Greetings,
    clock: Clock,
}

impl Greeter {
    /// For the poll of these links.
    #[must_use]
    pub fn new(reactor: &Reactor) -> Self {
        let poll_buffer = PollBuffer::new(reactor.polls.greeting());
        Self { poll_buffer, greetings: Greetings::default(), clock: Clock::start() }
    }

    /// Returns the links that are greeted in this turn.
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
    /// Greets who waits for it, for as long as the process lives; `perform` does what is the runtime's
    /// to do.
    pub fn greet(&self, perform: impl Fn(Actions)) -> ! {
        let mut greeter = Greeter::new(self);
        let (ask, asked) = mpsc::channel::<Vec<ReadyPeer>>();
        let (tell, told) = mpsc::channel();
        let compute = move || {
            // Where it may not, it does without.
            let _ = nice(NICE);
            let mut buffer = vec![0; CHUNK];
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

    /// Waits until somebody wants to be greeted, and greets some of them; `agree` reads them, which
    /// takes long, and nothing is written to them meanwhile. `None`: nobody's turn has come.
    pub(super) fn greet_some(
        &self,
        greeter: &mut Greeter,
        agree: impl FnOnce(Vec<ReadyPeer>) -> (Vec<ReadyPeer>, LinksRead),
    ) -> Option<Actions> {
        if !self.polls.wait(&mut greeter.poll_buffer, true) {
            return None;
        }
        let mut actions = Actions::default();
        // Whoever hung up needs no answer: no turn, and no place.
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
        // Whom somebody writes to is found again; to the others nobody does now, but leaves word.
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

    /// These links have hung up.
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

    /// A link that was greeted is served where calls are from now on.
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

    /// How many links have not been greeted.
    #[cfg(test)]
    pub(super) fn ungreeted(&self) -> usize {
        lock(&self.peers).values().filter(|peer| lock(&peer.connection).greets()).count()
    }
}
