//! The glue of the smol runtime: accept, dial, read, write, wait, append. It decides nothing.

use async_io::{Async, Timer};
use smol::channel::{Receiver, Sender, bounded, unbounded};
use smol::future::{or, poll_fn, yield_now};
use smol::{LocalExecutor, unblock};
use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::{cell::RefCell, convert::Infallible, io, rc::Rc, time::Instant};
use tmr_core::channel::Stream;
use tmr_core::hub::{Act, Hub};
use tmr_core::io::{Door, Link, Why};
use tmr_core::limits::WRITE_TIMEOUT;
use tmr_core::time::Now;
use tmr_runtime_std::daemon::net::{BREATH, broken, dial_within, prepare, read_some, write_some};
use tmr_runtime_std::daemon::{Outcome, Plan, Streams, Talk, TimedHub, Todo};

/// Bytes read at once, into the one buffer that all links share.
const CHUNK: usize = 64 * 1024;

struct Site {
    hub: RefCell<TimedHub>,
    /// Tells the timer's task that a deadline came nearer.
    timer: Sender<()>,
    /// Tells a link's task that the hub has something for it.
    bells: RefCell<BTreeMap<Link, Sender<()>>>,
    buffer: RefCell<Vec<u8>>,
    streams: Streams,
    tasks: LocalExecutor<'static>,
}

/// A link as its task sees it.
struct Peer {
    link: Link,
    socket: Async<TcpStream>,
    rung: Receiver<()>,
}

/// What a link's task can do now: take what the hub has for it, read, or write.
enum Turn {
    Take,
    Read,
    Write,
}

/// Serves until the process ends.
///
/// # Errors
/// The system does not give what every node needs.
pub fn run(plan: Plan) -> Outcome {
    let (hub, writes) = TimedHub::new(plan.hub);
    let (hub, buffer) = (RefCell::new(hub), RefCell::new(vec![0; CHUNK]));
    let ((timer, rung), bells, tasks) = (bounded(1), RefCell::default(), LocalExecutor::new());
    let site = &Rc::new(Site { hub, timer, bells, buffer, streams: plan.streams, tasks });
    site.step(Hub::tick);
    let (tell, told) = unbounded();
    plan.sources.start(writes, move |input| drop(tell.try_send(input)))?;
    site.spawn(async move |site| {
        while let Ok(input) = told.recv().await {
            site.step(|hub, now, acts| hub.told(now, input, acts));
        }
    });
    for (door, listener) in plan.doors {
        let listener = Async::new(listener).map_err(|error| broken(&error))?;
        site.spawn(async move |site| site.accept(door, &listener).await);
    }
    smol::block_on(site.tasks.run(site.keep_time(&rung)))
}

impl Site {
    fn spawn(self: &Rc<Self>, work: impl AsyncFnOnce(&Rc<Self>) + 'static) {
        let site = Rc::clone(self);
        self.tasks.spawn(async move { work(&site).await }).detach();
    }

    fn step<T>(self: &Rc<Self>, step: impl FnOnce(&mut Hub, Now, &mut Vec<Act>) -> T) -> T {
        let (out, todo) = self.hub.borrow_mut().step(step);
        self.perform(todo);
        out
    }

    fn perform(self: &Rc<Self>, todo: Todo) {
        let bells = self.bells.borrow();
        let links = todo.wake.iter().chain(&todo.end).filter_map(|link| bells.get(link));
        // A full bell has rung and was not heard yet.
        for bell in links.chain(todo.sooner.then_some(&self.timer)) {
            let _ = bell.try_send(());
        }
        for (link, to, callee) in todo.dial {
            self.spawn(async move |site| {
                let socket = unblock(move || dial_within(&to, callee.within())).await;
                match socket.and_then(|it| Async::new(it).map_err(|error| broken(&error))) {
                    Ok(socket) => site.serve(link, socket, site.streams.dialled(callee)).await,
                    Err(why) => site.closed(link, why, false),
                }
            });
        }
    }

    fn closed(self: &Rc<Self>, link: Link, why: Why, unsent: bool) {
        self.bells.borrow_mut().remove(&link);
        let todo = self.hub.borrow_mut().closed(link, why, unsent);
        self.perform(todo);
    }

    async fn keep_time(self: &Rc<Self>, rung: &Receiver<()>) -> ! {
        loop {
            let due = Timer::after(self.hub.borrow_mut().set_timer());
            if or(async { rung.recv().await.is_err() }, async { due.await <= Instant::now() }).await
            {
                self.step(Hub::tick);
            }
        }
    }

    async fn accept(self: &Rc<Self>, door: Door, listener: &Async<TcpListener>) {
        loop {
            let served = listener.accept().await.and_then(|(socket, from)| {
                prepare(socket.get_ref())?;
                let link = self.step(|hub, now, acts| hub.accept(now, door, from, acts));
                let Some(link) = link else { return Ok(()) };
                self.spawn(async move |it| it.serve(link, socket, it.streams.accepted(door)).await);
                Ok(())
            });
            if let Err(error) = served {
                tracing::warn!(?door, "a connection could not be served: {error}");
                Timer::after(BREATH).await;
            }
            yield_now().await;
        }
    }

    /// Serves one link from its start to its end.
    async fn serve(self: &Rc<Self>, link: Link, socket: Async<TcpStream>, stream: Stream) {
        let ((bell, rung), mut talk) = (bounded(1), Talk::new(stream));
        // What the hub had for this link before its bell hung must be looked for.
        let _ = bell.try_send(());
        self.bells.borrow_mut().insert(link, bell);
        let Err(why) = self.converse(&Peer { link, socket, rung }, &mut talk).await;
        self.closed(link, why, !talk.wire.is_empty());
    }

    /// Reads and writes, whichever is possible; the error is why it ended.
    async fn converse(self: &Rc<Self>, peer: &Peer, talk: &mut Talk) -> Result<Infallible, Why> {
        let (mut close, mut until) = (None, None);
        loop {
            let reading = close.is_none() && (talk.duplex() || until.is_none() && !talk.full());
            match peer.turn(reading, until).await.map_err(|error| broken(&error))? {
                Turn::Take => close = talk.take(self.hub.borrow_mut().hub().outbox(peer.link)),
                Turn::Read => self.read(peer, talk)?,
                Turn::Write => until = None,
            }
            if write_some(peer.socket.get_ref(), &mut talk.wire)? {
                close.take().map_or(Ok(()), Err)?;
                until = None;
            } else {
                until.get_or_insert_with(|| Instant::now() + WRITE_TIMEOUT);
            }
        }
    }

    fn read(self: &Rc<Self>, peer: &Peer, talk: &mut Talk) -> Result<(), Why> {
        let (socket, mut buffer) = (peer.socket.get_ref(), self.buffer.borrow_mut());
        let Some(count) = read_some(socket, &mut buffer)? else { return Ok(()) };
        let opened = if count == 0 { Err(Why::Eof) } else { talk.arrived(&buffer[..count]) };
        drop(buffer);
        self.step(|hub, now, acts| talk.deliver(hub, now, peer.link, acts));
        // What the handshake said last tells the peer why.
        opened.inspect_err(|_| drop(write_some(socket, &mut talk.wire)))
    }
}

impl Peer {
    /// Waits for the next turn; `until`: there are bytes that must go on by then, and before them
    /// no others.
    async fn turn(&self, reading: bool, until: Option<Instant>) -> io::Result<Turn> {
        let out = async {
            let Some(until) = until else {
                return Ok(self.rung.recv().await.map_or(Turn::Take, |()| Turn::Take));
            };
            let late =
                async { Err(Timer::at(until).await).map_err(|_| io::ErrorKind::TimedOut.into()) };
            or(async { self.socket.writable().await.map(|()| Turn::Write) }, late).await
        };
        // Polled by hand, the wait outlives this turn: one that was not over is not begun anew.
        let read = poll_fn(|cx| self.socket.poll_readable(cx).map_ok(|()| Turn::Read));
        if reading { or(out, read).await } else { out.await }
    }
}
