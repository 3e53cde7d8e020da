//! The listeners that are open, which a runtime watches beside its links. They open and close while the node
//! runs.
//!
//! What never lives here: how a runtime watches, where to listen (that is `listen`), and what
//! becomes of a connection.

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

/// The bit that the names of listeners have, and those of links never do.
const MARK: u64 = 1 << 62;

/// Has a listener watched from now on (`true`), or not any more; asked by any thread.
pub type Watch = Box<dyn Fn(&Open, bool) -> io::Result<()> + Send + Sync>;

/// The listeners that stand open.
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

/// One listener.
#[derive(Debug)]
pub struct Open {
    /// What the runtime calls it: a number above any that a link ever has.
    pub name: ListenerId,
    /// Which.
    pub kind: Listener,
    listener: ListeningSocket,
    /// When it was last logged that nobody can come in.
    complained: Mutex<Option<Instant>>,
}

/// What takes connections in.
#[derive(Debug)]
pub enum ListeningSocket {
    /// At a port.
    Tcp(TcpListener),
    /// At the machine's own socket.
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

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Machine(machine) => machine.listener.as_fd(),
        }
    }
}

/// What came of one try to take somebody in.
#[derive(Debug)]
pub enum Accepted {
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
    /// None yet; `watch`: how the runtime watches one.
    #[must_use]
    pub fn new(watch: Watch) -> Self {
        Self { watch, open: Mutex::default() }
    }

    /// Opens a listener beside those that stand open.
    ///
    /// # Errors
    /// The system's.
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

    /// Listens at other listen_at for some listeners, which stand open where they are meanwhile.
    ///
    /// # Errors
    /// One of them cannot be listened at.
    pub fn prepare(&self, listen_at: &[ListenAt]) -> Result<Vec<(Listener, TcpListener)>, Failure> {
        let own: Vec<Arc<Open>> = lock(&self.open).open.values().cloned().collect();
        let goes = |open: &&Arc<Open>| listen_at.iter().any(|spot| spot.kind == open.kind);
        let beside: Vec<&TcpListener> =
            own.iter().filter(goes).filter_map(|it| it.listener.port()).collect();
        listen_at.iter().map(|spot| Ok((spot.kind, listen::listen(spot, &beside)?))).collect()
    }

    /// Opens these in the place of those that their listeners have. Who waited there and was not taken
    /// in has to come again; who was is not disturbed.
    ///
    /// # Errors
    /// The system's.
    pub fn swap(&self, opened: Vec<(Listener, impl Into<ListeningSocket>)>) -> io::Result<()> {
        let old: Vec<Arc<Open>> = lock(&self.open).open.values().cloned().collect();
        for (kind, listener) in opened {
            self.open(kind, listener)?;
            for old in old.iter().filter(|old| old.kind == kind) {
                lock(&self.open).open.remove(&old.name);
                // It is closed as soon as nobody looks at it any more.
                (self.watch)(old, false)?;
            }
        }
        Ok(())
    }

    /// Returns the listener that an event of the runtime names; `None`: it is closed, or the event is a
    /// link's.
    #[must_use]
    pub fn of(&self, event: u64) -> Option<Arc<Open>> {
        if event & MARK == 0 {
            None
        } else {
            lock(&self.open).open.get(&ListenerId(event)).cloned()
        }
    }

    /// Looks at a listener again, or not for a while.
    ///
    /// # Errors
    /// The system's.
    pub fn watch(&self, name: ListenerId, watched: bool) -> io::Result<()> {
        // Behind the table's lock, so that it is not closed meanwhile.
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
    /// Takes in the next who waits. The connection is prepared, and does not block.
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

/// Where an admin connection comes from: whoever reaches this machine from its own address is on
/// it.
fn seen_from(socket: &Socket, from: SocketAddr) -> SocketAddr {
    let Socket::Tcp(socket) = socket else { return from };
    let here = socket.local_addr().is_ok_and(|own| own.ip() == from.ip());
    if here { SocketAddr::new(Ipv4Addr::LOCALHOST.into(), from.port()) } else { from }
}
