//! TCP, and sockets of the machine, as servers and clients here want them.

use crate::exit::words;
use rustix::net::sockopt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use tmr_core::base::limits::{KEEPALIVE, WRITE_TIMEOUT};
use tmr_core::base::time::Duration;
use tmr_core::link::{CloseReason, NOT_READING};

/// A connection.
#[derive(Debug)]
pub enum Socket {
    /// Over the network, or this machine's part of it.
    Tcp(TcpStream),
    /// By a socket of this machine.
    Unix(UnixStream),
}

impl Socket {
    /// Whether reading and writing do not wait.
    ///
    /// # Errors
    /// The system's.
    pub fn set_nonblocking(&self, not: bool) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nonblocking(not),
            Self::Unix(socket) => socket.set_nonblocking(not),
        }
    }

    /// How long reading waits.
    ///
    /// # Errors
    /// The system's.
    pub fn set_read_timeout(&self, patience: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_read_timeout(Some(patience)),
            Self::Unix(socket) => socket.set_read_timeout(Some(patience)),
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Self {
        Self::Tcp(socket)
    }
}

impl From<UnixStream> for Socket {
    fn from(socket: UnixStream) -> Self {
        Self::Unix(socket)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut &*socket).read(buffer),
            Socket::Unix(socket) => (&mut &*socket).read(buffer),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => (&mut &*socket).write(bytes),
            Socket::Unix(socket) => (&mut &*socket).write(bytes),
        }
    }

    /// There is nothing that waits.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sets what every connection over the network has: no delay for small writes, no wait without end for a peer that
/// does not read, and none for one that is gone without a word, whose place others need.
///
/// # Errors
/// The system's.
pub fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let (idle, pause, tries) = KEEPALIVE;
    sockopt::set_tcp_keepidle(socket, idle)?;
    sockopt::set_tcp_keepintvl(socket, pause)?;
    sockopt::set_tcp_keepcnt(socket, tries)?;
    // While bytes are on their way to it, the system asks nothing, and repeats them for a quarter of an
    // hour.
    let whole = idle + pause * tries;
    let millis = u32::try_from(whole.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(socket, millis)?;
    Ok(sockopt::set_socket_keepalive(socket, true)?)
}

/// What a system error says about a link that stood.
#[must_use]
pub fn broken(error: &io::Error) -> CloseReason {
    match error.kind() {
        ErrorKind::TimedOut => NOT_READING,
        ErrorKind::UnexpectedEof => CloseReason::Eof,
        _ => CloseReason::Broken(words(error)),
    }
}

/// Reads what there is. `Some(0)`: the peer has ended it. `None`: there is nothing, on a socket
/// that does not block.
///
/// # Errors
/// The link is broken.
pub fn read_some<S>(mut socket: &S, buffer: &mut [u8]) -> Result<Option<usize>, CloseReason>
where
    for<'a> &'a S: Read,
{
    loop {
        match socket.read(buffer) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(broken(&error)),
        }
    }
}

/// Writes as many of these bytes as there is room for. Returns how many that were, and whether the link
/// is broken. On a socket that blocks they are all, unless the peer has not read for [`WRITE_TIMEOUT`].
pub fn put<S>(mut socket: &S, bytes: &[u8]) -> (usize, Result<(), CloseReason>)
where
    for<'a> &'a S: Write,
{
    let mut written = 0;
    let ended = loop {
        if written == bytes.len() {
            break Ok(());
        }
        match socket.write(&bytes[written..]) {
            Ok(0) => break Err(CloseReason::Eof),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
            Err(error) => break Err(broken(&error)),
        }
    };
    (written, ended)
}

/// Writes all of `wire`, on a socket that blocks.
///
/// # Errors
/// The link is broken, or the peer does not read; what could not be written is still in `wire`.
pub fn write(socket: &TcpStream, wire: &mut Vec<u8>) -> Result<(), CloseReason> {
    let (written, ended) = put(socket, wire);
    wire.drain(..written);
    ended?;
    if wire.is_empty() { Ok(()) } else { Err(NOT_READING) }
}
