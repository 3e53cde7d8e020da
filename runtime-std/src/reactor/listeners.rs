//! The open listeners, which a runtime watches beside its links. They open and close while the node
//! runs.
//!
//! What never lives here: how a runtime watches, where to listen (that is `listen`), and what
//! happens on a connection.

use crate::exit::{Failure, words};
use crate::reactor::listen::{self, ListenAt};
use crate::reactor::machine_listener::MachineListener;
use crate::reactor::net::{Socket, prepare};
use crate::sync::lock;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tmr_core::base::limits::TROUBLE_LOGGED;
use tmr_core::link::{Listener, ListenerId};

/// The bit that is set in the ids of listeners, and never in those of links.
const MARK: u64 = 1 << 62;

/// Starts (`true`) or stops watching a listener; called by any thread.
pub type Watch = Box<dyn Fn(&Open, bool) -> io::Result<()> + Send + Sync>;

/// The listeners that are open.
pub struct Listeners {
    watch: Watch,
    open: Mutex<Table>,
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners").field("open", &self.open).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    open: BTreeMap<ListenerId, Arc<Open>>,
}

/// An open listener.
#[derive(Debug)]
pub struct Open {
    /// Its id, a number above any that a link ever has.
    pub name: ListenerId,
    /// The kind of listener.
    pub kind: Listener,
    listener: ListeningSocket,
    /// When it was last logged that it cannot accept.
    complained: Mutex<Option<Instant>>,
}

/// A socket that accepts connections.
#[derive(Debug)]
pub enum ListeningSocket {
    /// A TCP port.
    Tcp(TcpListener),
    /// The Unix socket of this machine.
    Machine(MachineListener),
}

impl From<TcpListener> for ListeningSocket {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<MachineListener> for ListeningSocket {
    fn from(machine: MachineListener) -> Self {
        Self::Machine(machine)
    }
}

impl ListeningSocket {
    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Machine(machine) => machine.listener.set_nonblocking(true),
        }
    }

    fn port(&self) -> Option<&TcpListener> {
        if let Self::Tcp(listener) = self { Some(listener) } else { None }
    }

    /// Accepts a connection; `None`: it was refused.
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

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Machine(machine) => machine.listener.as_fd(),
        }
    }
}

/// The result of one attempt to accept.
#[derive(Debug)]
pub enum Accepted {
    /// A connection.
    In(Socket, SocketAddr),
    /// A connection that is gone already, or was refused.
    Gone,
    /// No connection waits.
    Nobody,
    /// The system has no file descriptor or memory for a connection now.
    Refused,
}

impl Listeners {
    /// Makes an empty set; `watch`: how the runtime watches a listener.
    #[must_use]
    pub fn new(watch: Watch) -> Self {
        Self { watch, open: Mutex::default() }
    }

    /// Opens a listener beside those that are open.
    ///
    /// # Errors
    /// A system error.
    pub fn open(&self, kind: Listener, listener: impl Into<ListeningSocket>) -> io::Result<()> {
        let listener = listener.into();
        listener.set_nonblocking()?;
        let mut table = lock(&self.open);
        table.last += 1;
        let name = ListenerId(MARK | table.last);
        let open = Arc::new(Open { name, kind, listener, complained: Mutex::default() });
        (self.watch)(&open, true)?;
        table.open.insert(name, open);
        Ok(())
    }

    /// Listens at new addresses for some listeners, while those that are open stay open.
    ///
    /// # Errors
    /// One of the addresses cannot be listened at.
    pub fn prepare(&self, listen_at: &[ListenAt]) -> Result<Vec<(Listener, TcpListener)>, Failure> {
        let own: Vec<Arc<Open>> = lock(&self.open).open.values().cloned().collect();
        let goes = |open: &&Arc<Open>| listen_at.iter().any(|spot| spot.kind == open.kind);
        let beside: Vec<&TcpListener> =
            own.iter().filter(goes).filter_map(|it| it.listener.port()).collect();
        listen_at.iter().map(|spot| Ok((spot.kind, listen::listen(spot, &beside)?))).collect()
    }

    /// Opens these in the place of the open ones of the same kind. Connections that wait to be
    /// accepted there are lost; accepted ones are not affected.
    ///
    /// # Errors
    /// A system error.
    pub fn swap(&self, opened: Vec<(Listener, impl Into<ListeningSocket>)>) -> io::Result<()> {
        let old: Vec<Arc<Open>> = lock(&self.open).open.values().cloned().collect();
        for (kind, listener) in opened {
            self.open(kind, listener)?;
            for old in old.iter().filter(|old| old.kind == kind) {
                lock(&self.open).open.remove(&old.name);
                // It is closed as soon as no thread uses it any more.
                (self.watch)(old, false)?;
            }
        }
        Ok(())
    }

    /// Returns the listener that an event names; `None`: it is closed, or the event is of a link.
    #[must_use]
    pub fn of(&self, event: u64) -> Option<Arc<Open>> {
        if event & MARK == 0 {
            None
        } else {
            lock(&self.open).open.get(&ListenerId(event)).cloned()
        }
    }

    /// Watches a listener again, or stops watching it for a while.
    ///
    /// # Errors
    /// A system error.
    pub fn watch(&self, name: ListenerId, watched: bool) -> io::Result<()> {
        // Under the table's lock, so that it is not closed meanwhile.
        let table = lock(&self.open);
        let Some(open) = table.open.get(&name) else { return Ok(()) };
        (self.watch)(open, false)?;
        if watched { (self.watch)(open, true) } else { Ok(()) }
    }
}

impl AsFd for Open {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Open {
    /// Accepts the next connection, and makes it ready for use and non-blocking.
    pub fn accept(&self) -> Accepted {
        match self.listener.accept() {
            Ok(Some((socket, from))) => match prepared(&socket) {
                Ok(()) => {
                    let admin = self.kind == Listener::Admin;
                    let from = if admin { seen_from(&socket, from) } else { from };
                    Accepted::In(socket, from)
                }
                Err(error) => {
                    tracing::debug!(
                        target: "tmr_runtime_std::daemon::links",
                        %from, "gone before it was served: {}", words(&error)
                    );
                    Accepted::Gone
                }
            },
            Ok(None) => Accepted::Gone,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => Accepted::Nobody,
                ErrorKind::Interrupted
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset => Accepted::Gone,
                _ => {
                    self.complain(&error);
                    Accepted::Refused
                }
            },
        }
    }

    fn complain(&self, error: &io::Error) {
        let mut last = lock(&self.complained);
        if last.is_none_or(|at| at.elapsed() >= TROUBLE_LOGGED) {
            *last = Some(Instant::now());
            let kind = listen::name(self.kind);
            tracing::warn!(
                target: "tmr_runtime_std::daemon::listeners",
                "nobody can come in by the {kind} port: {}", words(error)
            );
        }
    }
}

fn prepared(socket: &Socket) -> io::Result<()> {
    if let Socket::Tcp(socket) = socket {
        prepare(socket)?;
    }
    socket.set_nonblocking(true)
}

/// Returns where an admin connection comes from: a peer with this machine's own address counts as
/// local.
fn seen_from(socket: &Socket, from: SocketAddr) -> SocketAddr {
    let Socket::Tcp(socket) = socket else { return from };
    let here = socket.local_addr().is_ok_and(|own| own.ip() == from.ip());
    if here { SocketAddr::new(Ipv4Addr::LOCALHOST.into(), from.port()) } else { from }
}
