//! Many clients on one thread: each has one call under way, and makes the next one after the
//! answer.
//!
//! What lives here: non-blocking sockets, the order of clients, and durations. A [`Caller`] makes
//! the messages, so that another server can be measured with the same loop. The number of clients,
//! the time, and the record of each call are bounded.

use super::histogram::Histogram;
use crate::exit::Failure;
use crate::reactor::dial::dial;
use crate::reactor::net::{broken, put, read_some};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tmr_core::base::network::Address;
use tmr_core::link::CloseReason;

/// The number of clients that may be at their handshake at the same time.
const GREETING_MAX: usize = 64;
/// The time before anything is counted, so that no cache and no connection is cold.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long the calls under way at the end may take, and each handshake.
const PATIENCE: Duration = Duration::from_secs(15);
/// The number of bytes that one read takes at most.
const CHUNK: usize = 64 * 1024;
/// The number of events that one wait takes at most.
const EVENTS: usize = 256;
/// The number of different errors that are counted separately.
const ERRORS_MAX: usize = 16;

/// The meaning of bytes that arrived at a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// No complete message, or the handshake goes on.
    Nothing,
    /// The client is ready for its first call.
    Ready,
    /// The call was answered.
    Answered,
    /// The call was refused, or its answer is wrong: the error.
    Refused(String),
}

/// The client's side of a protocol with one answer for each call.
pub trait Caller {
    /// Appends the first message.
    fn greet(&mut self, wire: &mut Vec<u8>);

    /// Takes received bytes; appends the next messages of the handshake.
    ///
    /// # Errors
    /// The connection cannot be used any more.
    fn hear(&mut self, bytes: &[u8], wire: &mut Vec<u8>) -> Result<Heard, CloseReason>;

    /// Appends the next call, and returns its kind; `None` if there is no call to make. With `last`
    /// the only possible call is one that releases what the client holds.
    fn ask(&mut self, last: bool, wire: &mut Vec<u8>) -> Option<&'static str>;
}

/// The result of a measurement.
#[derive(Debug, Default)]
pub struct Counted {
    /// The durations of answered calls, by kind.
    pub kinds: BTreeMap<&'static str, Histogram>,
    /// The errors with their counts.
    pub errors: BTreeMap<String, u64>,
    /// How long was measured.
    pub lasted: Duration,
}

impl Counted {
    fn error(&mut self, what: String) {
        let known = self.errors.contains_key(&what) || self.errors.len() < ERRORS_MAX;
        *self.errors.entry(if known { what } else { "other".to_owned() }).or_default() += 1;
    }
}

/// Clients that are connected and ready.
#[derive(Debug)]
pub struct Load<C> {
    poll: OwnedFd,
    clients: Vec<Option<Client<C>>>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Client<C> {
    socket: TcpStream,
    caller: C,
    wire: Vec<u8>,
    ready: bool,
    /// The kind of the call under way, and when it was made.
    asked: Option<(&'static str, Instant)>,
}

impl<C: Caller> Load<C> {
    /// Connects `count` clients, and waits until each of them is ready.
    ///
    /// # Errors
    /// One of them cannot be served.
    pub fn open(to: &Address, count: usize, caller: impl Fn() -> C) -> Result<Self, Failure> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system)?;
        let mut load = Self { poll, clients: Vec::with_capacity(count), buffer: vec![0; CHUNK] };
        let (mut ready, mut since) = (0, Instant::now());
        while ready < count {
            while load.clients.len() < count && load.clients.len() - ready < GREETING_MAX {
                load.connect(to, caller()).map_err(|reason| unserved(to, &reason))?;
            }
            for index in load.wait(PATIENCE)? {
                match load.turn(index) {
                    Ok(Heard::Ready) => (ready, since) = (ready + 1, Instant::now()),
                    Ok(Heard::Refused(what)) => return Err(Failure::refused(what)),
                    Ok(_) => {}
                    Err(reason) => return Err(unserved(to, &reason)),
                }
            }
            if since.elapsed() > PATIENCE {
                return Err(unserved(to, &CloseReason::Timeout("the handshake")));
            }
        }
        Ok(load)
    }

    /// Returns how many clients are connected.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.clients.iter().flatten().count()
    }

    /// Has every client call repeatedly for a time, and then release what it holds.
    ///
    /// # Errors
    /// The system refuses.
    pub fn ask(&mut self, measured: Duration) -> Result<Counted, Failure> {
        let mut counted = Counted::default();
        let begin = Instant::now() + WARM_UP;
        let end = begin + measured;
        for index in 0..self.clients.len() {
            self.next(index, false, &mut counted);
        }
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            for index in self.wait(left)? {
                let now = self.hear(index, Some((begin, end)), &mut counted);
                self.next(index, now.is_some_and(|now| now >= end), &mut counted);
            }
        }
        counted.lasted = measured;
        for index in 0..self.clients.len() {
            self.next(index, true, &mut counted);
        }
        while self.clients.iter().flatten().any(|client| client.asked.is_some())
            && end.elapsed() < PATIENCE
        {
            for index in self.wait(Duration::from_millis(100))? {
                if self.hear(index, None, &mut counted).is_some() {
                    self.next(index, true, &mut counted);
                }
            }
        }
        for client in self.clients.iter().flatten().filter(|client| client.asked.is_some()) {
            let what = client.asked.map_or("", |(kind, _)| kind);
            counted.error(format!("{what}: no answer at the end"));
        }
        Ok(counted)
    }

    /// Keeps all clients idle for a time.
    ///
    /// # Errors
    /// The system refuses.
    pub fn idle(&mut self, measured: Duration) -> Result<Counted, Failure> {
        let (begin, mut counted) = (Instant::now(), Counted::default());
        while let Some(left) = measured.checked_sub(begin.elapsed()) {
            for index in self.wait(left)? {
                self.hear(index, None, &mut counted);
            }
        }
        counted.lasted = begin.elapsed();
        Ok(counted)
    }

    fn connect(&mut self, to: &Address, caller: C) -> Result<(), CloseReason> {
        let socket = dial(to)?;
        socket.set_nonblocking(true).map_err(|error| broken(&error))?;
        let data = epoll::EventData::new_u64(self.clients.len() as u64);
        let flags = epoll::EventFlags::IN;
        epoll::add(&self.poll, &socket, data, flags).map_err(|error| broken(&error.into()))?;
        let mut client = Client { socket, caller, wire: Vec::new(), ready: false, asked: None };
        client.caller.greet(&mut client.wire);
        client.write()?;
        self.clients.push(Some(client));
        Ok(())
    }

    /// Returns the clients with something to read.
    fn wait(&self, at_most: Duration) -> Result<Vec<usize>, Failure> {
        let mut events = Vec::with_capacity(EVENTS);
        let left = Timespec::try_from(at_most).unwrap_or_default();
        match epoll::wait(&self.poll, spare_capacity(&mut events), Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(system(error)),
        }
        let index = |event: &epoll::Event| usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
        Ok(events.iter().map(index).collect())
    }

    /// Reads and parses a client's bytes, and writes what the handshake replies.
    fn turn(&mut self, index: usize) -> Result<Heard, CloseReason> {
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else {
            return Ok(Heard::Nothing);
        };
        let Some(count) = read_some(&client.socket, &mut self.buffer)? else {
            return Ok(Heard::Nothing);
        };
        if count == 0 {
            return Err(CloseReason::Eof);
        }
        let heard = client.caller.hear(&self.buffer[..count], &mut client.wire)?;
        client.ready |= heard == Heard::Ready;
        client.write()?;
        Ok(heard)
    }

    /// Reads a client that has something to read, and counts its answer if the call lies within
    /// `counting`. Returns when the call ended.
    fn hear(
        &mut self,
        index: usize,
        counting: Option<(Instant, Instant)>,
        counted: &mut Counted,
    ) -> Option<Instant> {
        let heard = self.turn(index);
        let slot = self.clients.get_mut(index)?;
        let (heard, client) = match (heard, slot.as_mut()) {
            (Ok(heard), Some(client)) => (heard, client),
            (Err(reason), _) => {
                // The client does not reconnect, because that would hide the error.
                *slot = None;
                counted.error(format!("connection: {reason}"));
                return None;
            }
            (_, None) => return None,
        };
        if heard == Heard::Nothing {
            return None;
        }
        let ((kind, since), now) = (client.asked.take()?, Instant::now());
        if counting.is_some_and(|(begin, end)| since >= begin && now < end) {
            match heard {
                Heard::Refused(what) => counted.error(format!("{kind}: {what}")),
                _ => counted.kinds.entry(kind).or_default().record(now - since),
            }
        }
        Some(now)
    }

    /// Makes the next call of a client without a call under way.
    fn next(&mut self, index: usize, last: bool, counted: &mut Counted) {
        let Some(slot) = self.clients.get_mut(index) else { return };
        let Some(client) = slot.as_mut().filter(|it| it.ready && it.asked.is_none()) else {
            return;
        };
        let Some(kind) = client.caller.ask(last, &mut client.wire) else { return };
        client.asked = Some((kind, Instant::now()));
        if let Err(reason) = client.write() {
            *slot = None;
            counted.error(format!("connection: {reason}"));
        }
    }
}

impl<C> Client<C> {
    /// Writes what the client has to send. Calls are short and only one is under way, so the socket
    /// always takes all bytes.
    fn write(&mut self) -> Result<(), CloseReason> {
        let (written, ended) = put(&self.socket, &self.wire);
        self.wire.drain(..written);
        ended?;
        if self.wire.is_empty() {
            Ok(())
        } else {
            Err(CloseReason::Limit("the connection does not take a whole call"))
        }
    }
}

fn system(error: rustix::io::Errno) -> Failure {
    Failure::failed(format!("waiting for sockets: {}", io::Error::from(error)))
}

fn unserved(to: &Address, reason: &CloseReason) -> Failure {
    Failure::unreachable(format!("{to}: {reason}"))
}
