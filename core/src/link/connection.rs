//! One connection without its socket: everything that is unfinished between the two ends.
//!
//! A runtime reads the socket while the connection [wants that](Connection::wants_read), and hands
//! in the bytes ([`received`](Connection::received)). It writes the [unsent](Connection::unsent)
//! bytes as far as the network takes them, and reports how many that were
//! ([`sent`](Connection::sent)). When all are written and the connection [wants
//! frames](Connection::wants_frames), the runtime takes the link's outbox out of the hub and hands
//! it in ([`send`](Connection::send)). After that it passes the result of
//! [`flow`](Connection::flow) to the hub, which has the deadlines.
//!
//! What lives here: an incomplete frame, requests without a reply, sealed bytes that the network
//! has not taken, and what is left to do before the connection closes. What never lives here: a
//! socket, time, and TLS, whose library does not belong in this crate: it is a [`Layer`] in
//! between.

use super::channel::SecureChannel;
use super::{CloseReason, Frame, LinkId};
use crate::base::limits::CALLS_AHEAD;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// The contents of a link's outbox, as its hub returns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Seal and write these, in order.
    pub frames: Vec<Vec<u8>>,
    /// Then close the connection.
    pub close: Option<CloseReason>,
    /// Whether a request waits until these have left the machine, together with the rest of an
    /// earlier one; the runtime reports that with [`Hub::left`](crate::node::hub::Hub::left).
    pub waits: bool,
}

/// What was read from a link, as its hub takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The link.
    pub link: LinkId,
    /// The complete frames.
    pub frames: Vec<Frame>,
    /// Whether bytes of an incomplete frame wait.
    pub partial: bool,
    /// The number of bytes that are kept for it.
    pub held: usize,
}

/// A layer between a connection's stream and the network: TLS at the admin port.
pub trait Layer: fmt::Debug + Send {
    /// Takes bytes that arrived, and returns their plaintext; answers of the layer itself are
    /// appended to `wire`.
    ///
    /// # Errors
    /// The peer broke the layer's protocol.
    fn open<'a>(
        &mut self,
        bytes: &'a [u8],
        wire: &mut Vec<u8>,
    ) -> Result<Cow<'a, [u8]>, CloseReason>;

    /// Seals bytes to be sent; `last`: nothing follows them.
    fn seal(&mut self, plain: &[u8], last: bool, wire: &mut Vec<u8>);

    /// Returns whether the handshake is complete, or there is none.
    fn settled(&self) -> bool;
}

/// A change in whether the peer takes what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// No change.
    Same,
    /// Something waits for the peer, and something was sent just now: its time limit starts.
    Begun,
    /// Nothing waits for the peer any more.
    Over,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: SecureChannel,
    layer: Option<Box<dyn Layer>>,
    /// Sealed bytes that the network has not taken yet.
    wire: Vec<u8>,
    /// The number of a client's requests without a reply.
    owed: usize,
    /// Whether the requests are calls.
    client: bool,
    /// The reason for closing when `wire` is written.
    close: Option<CloseReason>,
    /// Whether a request waits at the hub until `wire` is written.
    waits: bool,
    /// Whether something waited for the peer at the last call of [`flow`](Self::flow).
    stalled: bool,
    /// Whether something was sent since.
    moved: bool,
    /// Whether the connection has ended; nothing more is taken for it.
    over: bool,
}

impl Connection {
    /// Starts a connection; the first bytes of a dialled link are to be sent at once. `layer`:
    /// between the stream and the network.
    #[must_use]
    pub fn new(mut stream: SecureChannel, layer: Option<Box<dyn Layer>>) -> Self {
        let mut wire = Vec::new();
        stream.greet(&mut wire);
        Self {
            stream,
            layer,
            wire,
            owed: 0,
            client: false,
            close: None,
            waits: false,
            stalled: false,
            moved: false,
            over: false,
        }
    }

    /// Takes bytes that arrived, in any chunks. Complete frames are appended to `frames`; answers
    /// of the handshake are to be sent.
    ///
    /// # Errors
    /// The peer broke the protocol. Frames that were completed before are to be delivered all the
    /// same.
    pub fn received(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), CloseReason> {
        if self.over {
            return Ok(());
        }
        let bytes = match &mut self.layer {
            Some(layer) => layer.open(bytes, &mut self.wire)?,
            None => Cow::Borrowed(bytes),
        };
        let before = frames.len();
        let opened = self.stream.open(&bytes, &mut self.wire, frames);
        if !self.stream.duplex() {
            self.owed += frames.len() - before;
            self.client |= matches!(frames.get(before), Some(Frame::Call(_)));
        }
        opened
    }

    /// Returns whether the socket is to be read: a client that keeps sending requests without
    /// reading the replies fills its own buffers, not those of this server.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        let most = if self.client { CALLS_AHEAD } else { 1 };
        let listens = self.stream.duplex() || (self.wire.is_empty() && self.owed < most);
        !self.over && self.close.is_none() && listens
    }

    /// Returns whether the runtime has to watch for room in the network: bytes wait for it, or a
    /// request waits until what was written has left.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.over && (!self.wire.is_empty() || self.waits)
    }

    /// Returns the bytes to be written next.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.wire
    }

    /// Records that the network has taken this many of the [unsent](Self::unsent) bytes.
    pub fn sent(&mut self, count: usize) {
        self.moved |= count > 0;
        if count >= self.wire.len() {
            // No memory is kept for a link that may be silent for hours.
            self.wire = Vec::new();
        } else {
            self.wire.drain(..count);
        }
    }

    /// Returns whether the link's outbox is to be taken out of the hub. Until earlier bytes are
    /// written, later frames stay with the hub, which counts them.
    #[must_use]
    pub fn wants_frames(&self) -> bool {
        !self.over && self.wire.is_empty() && self.close.is_none()
    }

    /// Seals the frames of an outbox, to be written.
    pub fn send(&mut self, outbox: Outbox) {
        let Outbox { frames, close, waits } = outbox;
        self.moved |= !frames.is_empty();
        self.owed = self.owed.saturating_sub(frames.len());
        if let Some(layer) = &mut self.layer {
            let mut plain = Vec::new();
            self.stream.seal(&frames, &mut plain);
            layer.seal(&plain, close.is_some(), &mut self.wire);
        } else if !frames.is_empty() {
            self.stream.seal(&frames, &mut self.wire);
        }
        self.close = close;
        self.waits = waits;
    }

    /// Returns the reason for closing if everything is written and the hub has ended the link.
    #[must_use]
    pub fn closes(&self) -> Option<&CloseReason> {
        self.close.as_ref().filter(|_| self.wire.is_empty())
    }

    /// Returns how the peer's progress has changed since the last call.
    ///
    /// The peer's time limit starts again with every byte that it takes, also with the last ones
    /// while a request waits for them: only a peer that takes nothing is considered not to read. An
    /// outbox without frames is no progress.
    pub fn flow(&mut self) -> Flow {
        let stalled = self.wants_write();
        let before = core::mem::replace(&mut self.stalled, stalled);
        let moved = core::mem::take(&mut self.moved);
        match (before, stalled) {
            (true, true) if !moved => Flow::Same,
            (_, true) => Flow::Begun,
            (true, false) => Flow::Over,
            (false, false) => Flow::Same,
        }
    }

    /// Returns, once, whether everything has left for which a request waits; to be called when the
    /// network has room again.
    pub fn has_left(&mut self) -> bool {
        self.wire.is_empty() && core::mem::take(&mut self.waits)
    }

    /// Returns whether key agreement and TLS handshake are complete, or there are none: later bytes
    /// are cheap to process.
    #[must_use]
    pub fn greeted(&self) -> bool {
        self.stream.greeted() && self.layer.as_ref().is_none_or(|layer| layer.settled())
    }

    /// Returns whether there is a layer between the stream and the network.
    #[must_use]
    pub fn is_layered(&self) -> bool {
        self.layer.is_some()
    }

    /// Returns whether both ends may send at any time: servers that have proved the group key to
    /// each other.
    #[must_use]
    pub fn duplex(&self) -> bool {
        self.stream.duplex()
    }

    /// Returns whether bytes of an incomplete frame wait.
    #[must_use]
    pub fn partial(&self) -> bool {
        self.stream.partial()
    }

    /// Returns what the hub has to know after bytes were [received](Self::received) that completed
    /// these frames.
    #[must_use]
    pub fn arrived(&self, link: LinkId, frames: Vec<Frame>) -> Arrived {
        let held = if self.over { 0 } else { self.stream.held() };
        Arrived { link, frames, partial: self.stream.partial(), held }
    }

    /// Returns the bytes of memory that the peer makes this server keep; 0 for a peer that has
    /// proved the group key, and after the end of the connection.
    #[must_use]
    pub fn held(&self) -> usize {
        let free = self.over || self.stream.duplex();
        if free { 0 } else { self.stream.held() + self.wire.capacity() }
    }

    /// Ends the connection. Returns whether there are bytes that the network did not take.
    pub fn end(&mut self) -> bool {
        self.over = true;
        !self.wire.is_empty()
    }

    /// Returns whether it has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
#[path = "connection_test.rs"]
mod tests;
