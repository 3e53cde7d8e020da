//! One link's conversation, outside of the hub's lock: its connection, its socket, which never
//! blocks, and what that is watched for.

use crate::reactor::net::{Socket, put, read_some};
use rustix::event::epoll::EventFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tmr_core::link::{CloseReason, Connection, Flow, Frame, Outbox};

/// A link's conversation.
#[derive(Debug)]
pub(super) struct SocketConnection {
    pub(super) socket: Socket,
    pub(super) protocol: Connection,
    /// It came in, and its key agreement or TLS handshake is not over: it is watched where those
    /// are served.
    greets: bool,
    /// What it was last watched for.
    watched: EventFlags,
}

impl SocketConnection {
    /// What a link is watched for at first.
    pub(super) const FIRST_WATCH: EventFlags = EventFlags::IN;
    /// And for this besides while its key agreement or TLS handshake is not over: whoever has hung
    /// up is not worth what those take.
    pub(super) const HUNG_UP: EventFlags = EventFlags::RDHUP;

    /// Begins; what a dialled link has to say first goes out with the first [`flush`](Self::flush).
    pub(super) fn new(socket: Socket, protocol: Connection, came: bool) -> Self {
        let greets = came && !protocol.greeted();
        Self { socket, protocol, greets, watched: Self::FIRST_WATCH }
    }

    /// Reads once what there is, if it is to be read; `broken`: in any case. Whole frames go to
    /// `frames`; what the handshake answers goes out with the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// The peer ended it, or broke it or the protocol. Frames that were whole are to be delivered
    /// all the same.
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

    /// The peer has ended the connection, or its sending half. What was read before that may be
    /// very old: a process that was stopped finds it when it goes on.
    pub(super) fn hung_up(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// It is with the machine itself, or with who has proved the group key.
    pub(super) fn comes_first(&self) -> bool {
        !matches!(self.socket, Socket::Tcp(_)) || self.protocol.duplex()
    }

    /// Its key agreement or TLS handshake is not over.
    pub(super) fn greets(&self) -> bool {
        self.greets
    }

    /// What it is watched for beside what is read and written.
    pub(super) fn ended_early(&self) -> EventFlags {
        if self.greets { Self::HUNG_UP } else { EventFlags::empty() }
    }

    /// Says once that these are over, and what it is watched for.
    pub(super) fn greeted(&mut self) -> Option<EventFlags> {
        if !self.greets || !self.protocol.greeted() || self.protocol.is_over() {
            return None;
        }
        self.greets = false;
        Some(self.watched)
    }

    /// Writes what waits, then what `outbox` gives, as far as there is room.
    ///
    /// # Errors
    /// It is to be closed now: broken, or all is written and the hub is done with it.
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

    /// Ends it, after a last try to say why; `true`: there are bytes that the system did not take.
    pub(super) fn end(&mut self, reason: &CloseReason) -> bool {
        if *reason != CloseReason::Eof {
            // On a link that is broken this fails, and nobody is there to be told.
            let _ = self.write();
        }
        self.protocol.end()
    }

    /// What is to be watched for now, if that has changed.
    pub(super) fn watch(&mut self) -> Option<EventFlags> {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.protocol.wants_read());
        flags.set(EventFlags::OUT, self.protocol.wants_write());
        (std::mem::replace(&mut self.watched, flags) != flags).then_some(flags)
    }
}
