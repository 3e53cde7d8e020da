//! TCP and Unix sockets with the options that servers and clients use here.

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
    /// A TCP connection, also within this machine.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Sets whether reads and writes return at once.
    ///
    /// # Errors
    /// A system error.
    pub fn set_nonblocking(&self, not: bool) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nonblocking(not),
            Self::Unix(socket) => socket.set_nonblocking(not),
        }
    }

    /// Sets how long a read waits.
    ///
    /// # Errors
    /// A system error.
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

    /// Does nothing: writes are not buffered.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sets the options of every TCP connection: small writes are not delayed, a write to a peer that
/// does not read times out, and a peer that vanished is noticed, because its place is needed.
///
/// # Errors
/// A system error.
pub fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let (idle, pause, tries) = KEEPALIVE;
    sockopt::set_tcp_keepidle(socket, idle)?;
    sockopt::set_tcp_keepintvl(socket, pause)?;
    sockopt::set_tcp_keepcnt(socket, tries)?;
    // While bytes are unacknowledged, the system sends no keep-alive and would repeat the bytes for
    // a quarter of an hour.
    let whole = idle + pause * tries;
    let millis = u32::try_from(whole.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(socket, millis)?;
    Ok(sockopt::set_socket_keepalive(socket, true)?)
}

/// Returns the close reason for a system error of an open link.
#[must_use]
pub fn broken(error: &io::Error) -> CloseReason {
    match error.kind() {
        ErrorKind::TimedOut => NOT_READING,
        ErrorKind::UnexpectedEof => CloseReason::Eof,
        _ => CloseReason::Broken(words(error)),
    }
}

/// Reads what is available. `Some(0)`: the peer has closed the link. `None`: nothing is available
/// on a non-blocking socket.
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

/// Writes as many of these bytes as the socket takes. Returns their number, and the error if the
/// link is broken. A blocking socket takes all, unless the peer has not read for [`WRITE_TIMEOUT`].
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

/// Writes all of `wire` to a blocking socket.
///
/// # Errors
/// The link is broken, or the peer does not read; what could not be written is still in `wire`.
pub fn write(socket: &TcpStream, wire: &mut Vec<u8>) -> Result<(), CloseReason> {
    let (written, ended) = put(socket, wire);
    wire.drain(..written);
    ended?;
    if wire.is_empty() { Ok(()) } else { Err(NOT_READING) }
}
