//! An address that never answers.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, listen, socket_with};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// A connection that is answered at all is answered within this time on this machine.
const ANSWERED: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// An address where connections are neither accepted nor refused: its queue is full, and the system
/// ignores further ones. To a client it looks like a firewall that drops packets.
#[derive(Debug)]
pub struct Hole {
    _listener: OwnedFd,
    _queued: Vec<OwnedFd>,
}

impl Hole {
    /// Opens it there.
    ///
    /// # Panics
    /// Somebody else listens there.
    #[must_use]
    pub fn at(at: SocketAddr) -> Self {
        let listener = socket(at);
        bind(&listener, &at).expect("nobody listens there");
        listen(&listener, 0).expect("it is bound");
        let mut queued = Vec::new();
        loop {
            let one = socket(at);
            match connect(&one, &at) {
                Ok(()) | Err(Errno::INPROGRESS) => {}
                Err(error) => panic!("{at}: {error}"),
            }
            let mut polled = [PollFd::new(&one, PollFlags::OUT)];
            let stands =
                poll(&mut polled, Some(&ANSWERED)).expect("a socket can be waited for") > 0;
            queued.push(one);
            if !stands {
                return Self { _listener: listener, _queued: queued };
            }
        }
    }
}

fn socket(at: SocketAddr) -> OwnedFd {
    let family = if at.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(family, SocketType::STREAM, flags, None).expect("a socket")
}
