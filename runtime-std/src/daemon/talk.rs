//! One link's conversation, outside of the hub's lock: its socket, which never blocks, its stream,
//! the bytes to write, and whether it is its turn to be read.

use super::net::{Socket, read_some, write_some};
use super::tls::Cover;
use rustix::event::epoll::EventFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::borrow::Cow;
use tmr_core::limits::CALLS_AHEAD;
use tmr_core::link::channel::Stream;
use tmr_core::link::{Frame, Why};
use tmr_core::node::hub::Outbox;

/// A link's conversation.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) socket: Socket,
    stream: Stream,
    /// Between the socket and the stream.
    pub(super) cover: Option<Cover>,
    /// Sealed bytes that the system has not taken yet.
    wire: Vec<u8>,
    /// A client's requests without a reply.
    owed: usize,
    /// They are calls.
    client: bool,
    /// It ends when `wire` is written.
    close: Option<Why>,
    /// A request waits at the hub until `wire` is written; then the poll names this link, so that it
    /// gets on by one request a turn, as the others do.
    waits: bool,
    /// It came in, and its key agreement or TLS handshake is not over: it is watched where those are
    /// served.
    greets: bool,
    /// It has ended: nothing is taken for it any more.
    over: bool,
    /// What it was last watched for.
    watched: EventFlags,
    /// The peer is waited for: the system has not taken all that was to be written, or has no room
    /// for what a request that waits will be told.
    blocked: bool,
}

/// What became of the bytes that waited for the peer to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// As before.
    Same,
    /// Some wait, and others went on just now: the time of its patience begins.
    Begun,
    /// None are left.
    Over,
}

impl Talk {
    /// What a link is watched for at first.
    pub(super) const FIRST_WATCH: EventFlags = EventFlags::IN;
    /// And for this besides while its key agreement or TLS handshake is not over: whoever has hung up
    /// is not worth what those take.
    pub(super) const HUNG_UP: EventFlags = EventFlags::RDHUP;

    /// Begins; what a dialled link has to say first goes out with the first [`flush`](Self::flush).
    /// `cover`: between the socket and the stream of one that came in.
    pub(super) fn new(
        socket: Socket,
        mut stream: Stream,
        cover: Option<Cover>,
        came: bool,
    ) -> Self {
        let (mut wire, watched) = (Vec::new(), Self::FIRST_WATCH);
        stream.greet(&mut wire);
        let (owed, client, close, over) = (0, false, None, false);
        let (waits, blocked) = (false, false);
        let greets = came && !(stream.greeted() && cover.is_none());
        Self {
            socket,
            stream,
            cover,
            wire,
            owed,
            client,
            close,
            waits,
            greets,
            over,
            watched,
            blocked,
        }
    }

    /// Reads once what there is, if it is to be read; `broken`: in any case. Whole frames go to
    /// `frames`; what the handshake answers goes out with the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// The peer ended it, or broke it or the protocol. Frames that were whole are to be delivered
    /// all the same.
    pub(super) fn hear(
        &mut self,
        broken: bool,
        buffer: &mut [u8],
        frames: &mut Vec<Frame>,
    ) -> Result<(), Why> {
        if self.over || !(broken || self.reads()) {
            return Ok(());
        }
        let Some(count) = read_some(&self.socket, buffer)? else { return Ok(()) };
        if count == 0 {
            return Err(Why::Eof);
        }
        let bytes = match &mut self.cover {
            Some(cover) => cover.open(&buffer[..count], &mut self.wire)?,
            None => Cow::Borrowed(&buffer[..count]),
        };
        let opened = self.stream.open(&bytes, &mut self.wire, frames);
        if !self.stream.duplex() {
            self.owed += frames.len();
            self.client |= matches!(frames.first(), Some(Frame::Call(_)));
        }
        opened
    }

    /// The peer has ended the connection, or its sending half. What was read before that may be very
    /// old: a process that was stopped finds it when it goes on.
    pub(super) fn hung_up(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// All that was to be written has left, and a request waits for that; says so once.
    pub(super) fn has_left(&mut self) -> bool {
        self.wire.is_empty() && std::mem::take(&mut self.waits)
    }

    /// It is with the machine itself, or with who has proved the group key.
    pub(super) fn comes_first(&self) -> bool {
        !matches!(self.socket, Socket::Tcp(_)) || self.stream.duplex()
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
        let over = self.stream.greeted() && self.cover.as_ref().is_none_or(Cover::settled);
        if !self.greets || !over || self.over {
            return None;
        }
        self.greets = false;
        Some(self.watched)
    }

    /// Bytes of an unfinished frame are waiting.
    pub(super) fn partial(&self) -> bool {
        self.stream.partial()
    }

    /// Bytes of memory that its peer makes us keep; 0 for one that has proved the group key, and for
    /// one that has ended.
    pub(super) fn held(&self) -> usize {
        let free = self.over || self.stream.duplex();
        if free { 0 } else { self.stream.held() + self.wire.capacity() }
    }

    /// The handshake has something to say.
    pub(super) fn answers(&self) -> bool {
        !self.wire.is_empty()
    }

    /// Writes what waits, then what `outbox` gives, as far as there is room.
    ///
    /// # Errors
    /// It is to be closed now: broken, or all is written and the hub is done with it.
    pub(super) fn flush(&mut self, outbox: impl FnOnce() -> Outbox) -> Result<Waiting, Why> {
        if self.over {
            return Ok(Waiting::Same);
        }
        // What came first goes first; what comes later stays with the hub, which counts it.
        let waited = self.blocked;
        let before = self.wire.len();
        if !write_some(&self.socket, &mut self.wire)? {
            let more = !waited || self.wire.len() < before;
            return Ok(if more { Waiting::Begun } else { Waiting::Same });
        }
        let mut told = false;
        if self.close.is_none() {
            let taken = outbox();
            told = !taken.frames.is_empty();
            self.owed = self.owed.saturating_sub(taken.frames.len());
            if let Some(cover) = &mut self.cover {
                let mut plain = Vec::new();
                self.stream.seal(&taken.frames, &mut plain);
                cover.seal(&plain, taken.close.is_some(), &mut self.wire);
            } else if !taken.frames.is_empty() {
                self.stream.seal(&taken.frames, &mut self.wire);
            }
            self.close = taken.close;
            self.waits = taken.waits;
            if !write_some(&self.socket, &mut self.wire)? {
                return Ok(Waiting::Begun);
            }
        }
        self.close.take().map_or(Ok(()), Err)?;
        Ok(match (self.waits, waited) {
            (true, _) if told => Waiting::Begun,
            (true, _) | (false, false) => Waiting::Same,
            (false, true) => Waiting::Over,
        })
    }

    /// Ends it, after a last try to say why; `true`: there are bytes that the system did not take.
    pub(super) fn end(&mut self, why: &Why) -> bool {
        if *why != Why::Eof {
            // On a link that is broken this fails, and nobody is there to be told.
            let _ = write_some(&self.socket, &mut self.wire);
        }
        self.over = true;
        !self.wire.is_empty()
    }

    /// What is to be watched for now, if that has changed.
    pub(super) fn watch(&mut self) -> Option<EventFlags> {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.reads());
        self.blocked = !self.wire.is_empty() || self.waits;
        flags.set(EventFlags::OUT, self.blocked);
        (std::mem::replace(&mut self.watched, flags) != flags).then_some(flags)
    }

    /// It is to be read: a client that asks on and on without listening fills its own buffers, not
    /// ours.
    fn reads(&self) -> bool {
        let most = if self.client { CALLS_AHEAD } else { 1 };
        self.close.is_none() && (self.stream.duplex() || (self.wire.is_empty() && self.owed < most))
    }
}
