//! TCP, as both runtimes want it.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Instant;
use tmr_core::io::{Address, Why};
use tmr_core::limits::{DIAL_TIMEOUT, WRITE_TIMEOUT};

/// Sets what every connection has: no delay for small writes, and no wait without end for a peer
/// that does not read.
///
/// # Errors
/// The system's.
pub fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(WRITE_TIMEOUT))
}

/// Opens a connection: every address of the host in turn, within one time-out for all.
///
/// # Errors
/// None of them could be reached; the last one's reason.
pub fn dial(to: &Address) -> Result<TcpStream, Why> {
    let started = Instant::now();
    let mut why = Why::Broken(format!("{}: no such host", to.host));
    let hosts = (to.host.as_str(), to.port).to_socket_addrs().map_err(|error| broken(&error))?;
    for host in hosts {
        let left = DIAL_TIMEOUT.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(Why::Timeout("connecting"));
        }
        match TcpStream::connect_timeout(&host, left).and_then(|it| prepare(&it).map(|()| it)) {
            Ok(socket) => return Ok(socket),
            Err(error) if error.kind() == ErrorKind::TimedOut => why = Why::Timeout("connecting"),
            Err(error) => why = broken(&error),
        }
    }
    Err(why)
}

/// What a system error says about a link that stood.
#[must_use]
pub fn broken(error: &io::Error) -> Why {
    match error.kind() {
        // What a blocking socket says when its write time-out has passed.
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Why::Timeout("the peer does not read"),
        ErrorKind::UnexpectedEof => Why::Eof,
        _ => Why::Broken(error.to_string()),
    }
}
