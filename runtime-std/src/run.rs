//! The glue of the thread runtime: accept, dial, read, write, wait, append. It decides nothing.

use crate::daemon::net::{BREATH, accept, dial_within, gone, read, write};
use crate::daemon::{Outcome, Plan, Streams, Talk, TimedHub, Todo};
use crate::threads::{CLIENT_STACK, STACK, lock, spawn};
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::{convert::Infallible, thread};
use tmr_core::channel::{Sealer, Stream};
use tmr_core::hub::{Act, Hub};
use tmr_core::io::{Door, Link, Why};
use tmr_core::time::Now;

/// Bytes read at once: of a client; of a front or backend.
const CHUNK: (usize, usize) = (1024, 64 * 1024);

type Bell = (Sender<()>, Arc<TcpStream>);

struct Site {
    hub: Mutex<TimedHub>,
    timer: Condvar,
    /// By which a link's thread is told that the hub has something for it; and its socket, by
    /// which one that is blocked reading is told that there will be nothing more to read.
    bells: Mutex<BTreeMap<Link, Bell>>,
    streams: Streams,
}

/// A link as its thread sees it.
struct Peer {
    link: Link,
    socket: Arc<TcpStream>,
    /// With the first thread, until a second one does the writing.
    rung: Option<Receiver<()>>,
}

/// Serves until the process ends.
///
/// # Errors
/// The system does not give the threads that every node needs.
pub fn run(plan: Plan) -> Outcome {
    let (hub, writes) = TimedHub::new(plan.hub);
    let (hub, timer, bells) = (Mutex::new(hub), Condvar::new(), Mutex::default());
    let site = Arc::new(Site { hub, timer, bells, streams: plan.streams });
    site.step(Hub::tick);
    let told = Arc::clone(&site);
    plan.sources
        .start(writes, move |input| told.step(|hub, now, acts| hub.told(now, input, acts)))?;
    for (door, listener) in plan.doors {
        let site = Arc::clone(&site);
        spawn("accept", STACK, move || site.accept(door, &listener))?;
    }
    loop {
        let mut hub = lock(&site.hub);
        let wait = hub.set_timer();
        if wait.is_zero() {
            drop(hub);
            site.step(Hub::tick);
        } else {
            drop(site.timer.wait_timeout(hub, wait));
        }
    }
}

impl Site {
    fn step<T>(self: &Arc<Self>, step: impl FnOnce(&mut Hub, Now, &mut Vec<Act>) -> T) -> T {
        let (out, todo) = lock(&self.hub).step(step);
        self.perform(todo);
        out
    }

    fn perform(self: &Arc<Self>, todo: Todo) {
        if todo.sooner {
            self.timer.notify_one();
        }
        let bells = lock(&self.bells);
        for (bell, _) in todo.wake.iter().filter_map(|link| bells.get(link)) {
            // Whoever listened may be gone.
            let _ = bell.send(());
        }
        for (bell, socket) in todo.end.iter().filter_map(|link| bells.get(link)) {
            let _ = (bell.send(()), socket.shutdown(Shutdown::Read));
        }
        drop(bells);
        for (link, to, callee) in todo.dial {
            let site = Arc::clone(self);
            let work = move || match dial_within(&to, callee.within()) {
                Ok(socket) => site.serve(link, socket, site.streams.dialled(callee)),
                Err(why) => site.closed(link, why, false),
            };
            spawn("backend", STACK, work).unwrap_or_else(|why| self.closed(link, why, false));
        }
    }

    fn closed(self: &Arc<Self>, link: Link, why: Why, unsent: bool) {
        lock(&self.bells).remove(&link);
        let todo = lock(&self.hub).closed(link, why, unsent);
        self.perform(todo);
    }

    fn accept(self: &Arc<Self>, door: Door, listener: &TcpListener) {
        loop {
            let served = accept(listener).and_then(|(socket, from)| {
                let link = self.step(|hub, now, acts| hub.accept(now, door, from, acts));
                let (Some(link), site) = (link, Arc::clone(self)) else { return Ok(()) };
                let work = move || site.serve(link, socket, site.streams.accepted(door));
                spawn("client", CLIENT_STACK, work)
                    .inspect_err(|why| self.closed(link, why.clone(), false))
            });
            if let Err(why) = served {
                tracing::warn!(?door, "a connection could not be served: {why}");
                thread::sleep(BREATH);
            }
        }
    }

    /// Serves one link from its start to its end.
    fn serve(self: &Arc<Self>, link: Link, socket: TcpStream, stream: Stream) {
        let ((bell, rung), socket) = (channel(), Arc::new(socket));
        lock(&self.bells).insert(link, (bell, Arc::clone(&socket)));
        let mut talk = Talk::new(stream);
        let peer = Peer { link, socket, rung: Some(rung) };
        let Err(why) = self.converse(peer, &mut talk);
        self.closed(link, why, !talk.wire.is_empty());
    }

    /// Reads, and writes unless a second thread does; the error is why it ended.
    fn converse(self: &Arc<Self>, mut peer: Peer, talk: &mut Talk) -> Result<Infallible, Why> {
        let mut buffer = vec![0; CHUNK.0];
        // What the hub had before the bell hung, the end among it, must be looked for.
        self.flush(&peer, talk)?;
        loop {
            if talk.owes() && peer.rung.as_ref().is_some_and(|rung| rung.recv().is_ok()) {
                self.flush(&peer, talk)?;
                continue;
            }
            let count = read(&peer.socket, &mut buffer)?;
            if count == 0 {
                // The peer has ended it, or the hub: then it says why.
                self.flush(&peer, talk)?;
                return Err(Why::Eof);
            }
            let opened = talk.arrived(&buffer[..count]);
            write(&peer.socket, &mut talk.wire)?;
            if let Some((sealer, rung)) = talk.split().zip(peer.rung.take_if(|_| talk.duplex())) {
                buffer.resize(CHUNK.1, 0);
                let (site, link, socket) = (Arc::clone(self), peer.link, Arc::clone(&peer.socket));
                spawn("writer", STACK, move || site.write(link, &socket, &rung, sealer))?;
            }
            self.step(|hub, now, acts| talk.deliver(hub, now, peer.link, acts));
            opened?;
        }
    }

    /// Writes what the hub has for a link; the error is why it is to be closed then.
    fn flush(&self, peer: &Peer, talk: &mut Talk) -> Result<(), Why> {
        if peer.rung.is_none() {
            return Ok(());
        }
        let late = talk.owes_client() && gone(&peer.socket);
        let close = talk.take(lock(&self.hub).hub().outbox(peer.link));
        if late {
            return Err(Why::Eof);
        }
        write(&peer.socket, &mut talk.wire)?;
        close.map_or(Ok(()), Err)
    }

    /// The second thread of a front–backend link: writes until the first one is gone.
    fn write(&self, link: Link, socket: &TcpStream, rung: &Receiver<()>, mut sealer: Sealer) {
        let (mut wire, mut open) = (Vec::new(), true);
        while open && rung.recv().is_ok() {
            let outbox = lock(&self.hub).hub().outbox(link);
            sealer.seal(&outbox.frames, &mut wire);
            open = write(socket, &mut wire).is_ok() && outbox.close.is_none();
        }
        let _ = socket.shutdown(Shutdown::Both);
    }
}
