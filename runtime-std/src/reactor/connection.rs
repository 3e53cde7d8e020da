//! One link outside of the hub's lock: its protocol state, its non-blocking socket, and the events
//! that the socket is watched for.

use crate::reactor::net::{Socket, put, read_some};
use rustix::event::epoll::EventFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tmr_core::link::{CloseReason, Connection, Flow, Frame, Outbox};

/// A link's protocol state with its socket.
#[derive(Debug)]
pub(super) struct SocketConnection {
    pub(super) socket: Socket,
    pub(super) protocol: Connection,
    /// Whether it was accepted and its key agreement or TLS handshake is not over. Until then it is
    /// watched by the poll of links that are not greeted.
    greets: bool,
    /// The events that it was last watched for.
    watched: EventFlags,
}

impl SocketConnection {
    /// The events that a link is watched for at first.
    pub(super) const FIRST_WATCH: EventFlags = EventFlags::IN;
    /// The event that is watched besides until the key agreement or TLS handshake is over: neither
    /// is computed for a peer that has hung up.
    pub(super) const HUNG_UP: EventFlags = EventFlags::RDHUP;

    /// Begins a link. What a dialled link sends first goes out with the first
    /// [`flush`](Self::flush). `came`: the link was accepted.
    pub(super) fn new(socket: Socket, protocol: Connection, came: bool) -> Self {
        let greets = came && !protocol.greeted();
        Self { socket, protocol, greets, watched: Self::FIRST_WATCH }
    }

    /// Reads once, if the protocol wants bytes or the link is `broken`. Whole frames are appended
    /// to `frames`; what the handshake replies goes out with the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// The peer has closed or broken the connection, or violated the protocol. Frames that were
    /// whole are to be delivered all the same.
    pub(super) fn read(
        &mut self,
        broken: bool,
        buffer: &mut [u8],
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        if self.protocol.is_over() || !(broken || self.protocol.wants_read()) {
            return Ok(());
        }
        match read_some(&self.socket, buffer)? {
            None => Ok(()),
            Some(0) => Err(CloseReason::Eof),
            Some(count) => self.protocol.received(&buffer[..count], frames),
        }
    }

    /// Returns whether the peer has closed the connection, or its sending half. What was read
    /// before may then be very old: a process that was stopped finds it when it continues.
    pub(super) fn hung_up(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// Returns whether the peer is a program of this machine or has proved the group key.
    pub(super) fn comes_first(&self) -> bool {
        !matches!(self.socket, Socket::Tcp(_)) || self.protocol.duplex()
    }

    /// Returns whether the key agreement or TLS handshake of an accepted link is not over.
    pub(super) fn greets(&self) -> bool {
        self.greets
    }

    /// Returns the events that are watched beside reading and writing.
    pub(super) fn ended_early(&self) -> EventFlags {
        if self.greets { Self::HUNG_UP } else { EventFlags::empty() }
    }

    /// Returns, once, when the key agreement or TLS handshake is over, the events that the link is
    /// watched for.
    pub(super) fn greeted(&mut self) -> Option<EventFlags> {
        if !self.greets || !self.protocol.greeted() || self.protocol.is_over() {
            return None;
        }
        self.greets = false;
        Some(self.watched)
    }

    /// Writes what waits, then what `outbox` gives, as far as the socket takes it.
    ///
    /// # Errors
    /// The link is to be closed now: it is broken, or all is written and the hub is done with it.
    pub(super) fn flush(&mut self, outbox: impl FnOnce() -> Outbox) -> Result<Flow, CloseReason> {
        if self.protocol.is_over() {
            return Ok(Flow::Same);
        }
        self.write()?;
        if self.protocol.wants_frames() {
            self.protocol.send(outbox());
            self.write()?;
        }
        self.protocol.closes().cloned().map_or(Ok(()), Err)?;
        Ok(self.protocol.flow())
    }

    fn write(&mut self) -> Result<(), CloseReason> {
        let (written, ended) = put(&self.socket, self.protocol.unsent());
        self.protocol.sent(written);
        ended
    }

    /// Ends the link, after one attempt to send the reason. Returns whether bytes are left that the
    /// system did not take.
    pub(super) fn end(&mut self, reason: &CloseReason) -> bool {
        if *reason != CloseReason::Eof {
            // On a broken link this fails, which nothing depends on.
            let _ = self.write();
        }
        self.protocol.end()
    }

    /// Returns the events to watch for from now on, if they have changed.
    pub(super) fn watch(&mut self) -> Option<EventFlags> {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.protocol.wants_read());
        flags.set(EventFlags::OUT, self.protocol.wants_write());
        (std::mem::replace(&mut self.watched, flags) != flags).then_some(flags)
    }
}
