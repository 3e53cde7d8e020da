//! The doors that stand open: each is a listener in the poll of some links, so that whoever takes
//! turns there takes up who comes in. Doors open and close while the node runs.
//!
//! What never lives here: where to listen (that is `doors`), and what becomes of a connection.

use super::doors::{self, Spot};
use super::exit::{Failure, words};
use super::links::lock;
use super::machine::Machine;
use super::net::Socket;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tmr_core::limits::TROUBLE_LOGGED;
use tmr_core::link::{Door, ListenerId};

/// The bit that a poll's events of doors have, and those of links never do.
const MARK: u64 = 1 << 62;

/// The doors that stand open.
#[derive(Debug)]
pub struct Listeners {
    polls: Arc<[OwnedFd]>,
    /// So many of them, the first ones, take in who comes.
    serving: usize,
    open: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    open: BTreeMap<ListenerId, Arc<Open>>,
}

/// One door.
#[derive(Debug)]
pub(super) struct Open {
    /// What the poll calls it.
    pub(super) name: ListenerId,
    pub(super) door: Door,
    listener: Listener,
    /// When it was last logged that nobody can come in.
    complained: Mutex<Option<Instant>>,
}

/// What takes connections in.
#[derive(Debug)]
pub enum Listener {
    /// At a port.
    Tcp(TcpListener),
    /// At the machine's own socket.
    Machine(Machine),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<Machine> for Listener {
    fn from(machine: Machine) -> Self {
        Self::Machine(machine)
    }
}

impl Listener {
    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Machine(machine) => machine.listener.set_nonblocking(true),
        }
    }

    fn port(&self) -> Option<&TcpListener> {
        if let Self::Tcp(listener) = self { Some(listener) } else { None }
    }

    /// A connection; `None`: it was refused.
    fn accept(&self) -> io::Result<Option<(Socket, SocketAddr)>> {
        match self {
            Self::Tcp(listener) => listener.accept().map(|(it, from)| Some((it.into(), from))),
            Self::Machine(machine) => {
                let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                Ok(machine.accept()?.map(|it| (it.into(), here)))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Machine(machine) => machine.listener.as_fd(),
        }
    }
}

/// What came of one try to take somebody in.
#[derive(Debug)]
pub(super) enum Came {
    /// A connection.
    In(Socket, SocketAddr),
    /// One that has gone already, or may not come in.
    Gone,
    /// Nobody waits.
    Nobody,
    /// The system cannot give a connection now: no file, no memory.
    Refused,
}

impl Listeners {
    pub(super) fn new(polls: Arc<[OwnedFd]>, serving: usize) -> Self {
        Self { polls, serving, open: Mutex::default() }
    }

    /// Opens a door beside those that stand open.
    ///
    /// # Errors
    /// The system's.
    pub fn open(&self, door: Door, listener: impl Into<Listener>) -> io::Result<()> {
        let listener = listener.into();
        listener.set_nonblocking()?;
        let mut table = lock(&self.open);
        table.last += 1;
        let name = ListenerId(MARK | table.last);
        let open = Arc::new(Open { name, door, listener, complained: Mutex::default() });
        self.watch_at(&open)?;
        table.open.insert(name, open);
        Ok(())
    }

    /// Listens at other spots for some doors, which stand open where they are meanwhile.
    ///
    /// # Errors
    /// One of them cannot be listened at.
    pub fn prepare(&self, spots: &[Spot]) -> Result<Vec<(Door, TcpListener)>, Failure> {
        let own: Vec<Arc<Open>> = lock(&self.open).open.values().cloned().collect();
        let goes = |open: &&Arc<Open>| spots.iter().any(|spot| spot.door == open.door);
        let beside: Vec<&TcpListener> =
            own.iter().filter(goes).filter_map(|it| it.listener.port()).collect();
        spots.iter().map(|spot| Ok((spot.door, doors::listen(spot, &beside)?))).collect()
    }

    /// Opens these in the place of those that their doors have. Who waited there and was not taken
    /// in has to come again; who was is not disturbed.
    ///
    /// # Errors
    /// The system's.
    pub fn swap(&self, opened: Vec<(Door, impl Into<Listener>)>) -> io::Result<()> {
        let old: Vec<Arc<Open>> = lock(&self.open).open.values().cloned().collect();
        for (door, listener) in opened {
            self.open(door, listener)?;
            for old in old.iter().filter(|old| old.door == door) {
                lock(&self.open).open.remove(&old.name);
                // It is closed as soon as nobody looks at it any more.
                self.leave(old)?;
            }
        }
        Ok(())
    }

    /// A door that an event of a poll names; `None`: it is closed, or the event is a link's.
    pub(super) fn of(&self, event: u64) -> Option<Arc<Open>> {
        if event & MARK == 0 {
            None
        } else {
            lock(&self.open).open.get(&ListenerId(event)).cloned()
        }
    }

    /// Looks at a door again, or not for a while.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn watch(&self, name: ListenerId, watched: bool) -> io::Result<()> {
        // Behind the table's lock, so that it is not closed meanwhile.
        let table = lock(&self.open);
        let Some(open) = table.open.get(&name) else { return Ok(()) };
        self.leave(open)?;
        if watched { self.watch_at(open) } else { Ok(()) }
    }

    fn watch_at(&self, open: &Open) -> io::Result<()> {
        let data = EventData::new_u64(open.name.0);
        Ok(epoll::add(self.poll_of(open.name), &open.listener, data, EventFlags::IN)?)
    }

    /// It may be left alone already.
    fn leave(&self, open: &Open) -> io::Result<()> {
        match epoll::delete(self.poll_of(open.name), &open.listener) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn poll_of(&self, name: ListenerId) -> &OwnedFd {
        let number = usize::try_from(name.0 & !MARK).unwrap_or_default();
        &self.polls[number % self.serving]
    }
}

impl Open {
    /// Takes in the next who waits.
    pub(super) fn take_in(&self) -> Came {
        match self.listener.accept() {
            Ok(Some((socket, from))) => Came::In(socket, from),
            Ok(None) => Came::Gone,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => Came::Nobody,
                ErrorKind::Interrupted
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset => Came::Gone,
                _ => {
                    self.complain(&error);
                    Came::Refused
                }
            },
        }
    }

    fn complain(&self, error: &io::Error) {
        let mut last = lock(&self.complained);
        if last.is_none_or(|at| at.elapsed() >= TROUBLE_LOGGED) {
            *last = Some(Instant::now());
            let door = doors::name(self.door);
            tracing::warn!(
                target: "tmr_runtime_std::daemon::listeners",
                "nobody can come in by the {door} port: {}", words(error)
            );
        }
    }
}
