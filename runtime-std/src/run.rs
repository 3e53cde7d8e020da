//! The glue of the thread runtime: accept, dial, read, write, wait, append. It decides nothing.

use crate::daemon::net::{broken, dial, prepare, read, write};
use crate::daemon::{Outcome, Plan, Streams, Talk, TimedHub, Todo};
use crate::peer::Peer;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc::Receiver};
use std::{collections::BTreeMap, convert::Infallible, io, thread};
use tmr_core::channel::Stream;
use tmr_core::hub::{Act, Hub};
use tmr_core::io::{Address, Door, Link, Why};
use tmr_core::time::{Duration, Now};

/// Stack of a client link's thread, in bytes: there may be thousands.
const CLIENT_STACK: usize = 128 * 1024;
/// Stack of every other thread, in bytes: looking up a host name needs the most.
const STACK: usize = 512 * 1024;
/// Bytes read at once: of a client; of a front or backend.
const CHUNK: (usize, usize) = (4 * 1024, 64 * 1024);
/// Pause after a connection for which there was no file or no thread.
const BREATH: Duration = Duration::from_millis(100);

struct Site {
    hub: Mutex<TimedHub>,
    timer: Condvar,
    peers: Mutex<BTreeMap<Link, Arc<Peer>>>,
    streams: Streams,
}

/// Serves until the process ends.
///
/// # Errors
/// The system does not give the threads that every node needs.
pub fn run(plan: Plan) -> Outcome {
    let (hub, writes) = TimedHub::new(plan.hub);
    let (hub, timer, peers) = (Mutex::new(hub), Condvar::new(), Mutex::default());
    let site = Arc::new(Site { hub, timer, peers, streams: plan.streams });
    site.step(Hub::tick);
    if let Some(journal) = plan.journal {
        let site = Arc::clone(&site);
        spawn("disk", STACK, move || journal.serve(&writes, || site.step(Hub::written)))?;
    }
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

fn spawn(name: &str, stack: usize, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(work).map(drop)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a panic ends the process")
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
        for link in todo.wake {
            if let Some(peer) = lock(&self.peers).get(&link) {
                peer.ring();
            }
        }
        for (link, to) in todo.dial {
            let site = Arc::clone(self);
            if let Err(error) = spawn("backend", STACK, move || site.dial(link, &to)) {
                self.closed(link, broken(&error), false);
            }
        }
    }

    fn closed(self: &Arc<Self>, link: Link, why: Why, unsent: bool) {
        lock(&self.peers).remove(&link);
        let todo = lock(&self.hub).closed(link, why, unsent);
        self.perform(todo);
    }

    fn accept(self: &Arc<Self>, door: Door, listener: &TcpListener) {
        loop {
            let served = listener.accept().and_then(|(socket, from)| {
                prepare(&socket)?;
                let link = self.step(|hub, now, acts| hub.accept(now, door, from, acts));
                let (Some(link), site) = (link, Arc::clone(self)) else { return Ok(()) };
                let work = move || site.serve(link, socket, site.streams.accepted(door));
                spawn("client", CLIENT_STACK, work)
                    .inspect_err(|error| self.closed(link, broken(error), false))
            });
            if let Err(error) = served {
                tracing::warn!(?door, "a connection could not be served: {error}");
                thread::sleep(BREATH);
            }
        }
    }

    fn dial(self: &Arc<Self>, link: Link, to: &Address) {
        match dial(to) {
            Ok(socket) => self.serve(link, socket, self.streams.dialled()),
            Err(why) => self.closed(link, why, false),
        }
    }

    /// Serves one link from its start to its end.
    fn serve(self: &Arc<Self>, link: Link, socket: TcpStream, stream: Stream) {
        let ((peer, rung), mut talk) = (Peer::new(link, socket), Talk::new(stream));
        lock(&self.peers).insert(link, Arc::clone(&peer));
        let Err(why) = self.converse(&peer, rung, &mut talk);
        let _ = peer.socket.shutdown(Shutdown::Both);
        self.closed(link, why, !talk.wire.is_empty());
    }

    /// Reads, and writes unless a second thread does; the error is why it ended.
    fn converse(
        self: &Arc<Self>,
        peer: &Peer,
        rung: Receiver<()>,
        talk: &mut Talk,
    ) -> Result<Infallible, Why> {
        let (mut rung, mut buffer) = (Some(rung), vec![0; CHUNK.0]);
        loop {
            if rung.as_ref().is_some_and(|rung| peer.called(rung, talk.owes())) {
                self.flush(peer.link, &peer.socket, talk)?;
                continue;
            }
            let count = read(&peer.socket, &mut buffer)?;
            peer.busy();
            if count == 0 {
                // The peer ended it, or the bell cut it short.
                rung.map_or(Ok(()), |_| self.flush(peer.link, &peer.socket, talk))?;
                return Err(Why::Eof);
            }
            let opened = talk.arrived(&buffer[..count]);
            write(&peer.socket, &mut talk.wire)?;
            if let (Some(mut voice), Some(rung)) = (talk.split(), rung.take_if(|_| talk.duplex())) {
                buffer.resize(CHUNK.1, 0);
                let (site, link, socket) = (Arc::clone(self), peer.link, peer.socket.try_clone());
                let write = |socket| move || {
                    while rung.recv().is_ok() && site.flush(link, &socket, &mut voice).is_ok() {}
                    let _ = socket.shutdown(Shutdown::Both);
                };
                socket.and_then(|socket| spawn("writer", STACK, write(socket))).map_err(|error| broken(&error))?;
            }
            self.step(|hub, now, acts| talk.deliver(hub, now, peer.link, acts));
            opened?;
        }
    }

    /// Writes what the hub has for a link; the error is why it is to be closed then.
    fn flush(&self, link: Link, socket: &TcpStream, talk: &mut Talk) -> Result<(), Why> {
        let close = talk.take(lock(&self.hub).hub().outbox(link));
        write(socket, &mut talk.wire)?;
        close.map_or(Ok(()), Err)
    }
}
