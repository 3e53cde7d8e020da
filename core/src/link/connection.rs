//! One connection without its socket: everything that it owes its peer, or its peer owes it.
//!
//! A runtime reads its socket while the connection [wants that](Connection::wants_read) and hands
//! over what came ([`received`](Connection::received)); it writes what is [not
//! sent](Connection::unsent) as far as there is room, and says how much that was
//! ([`sent`](Connection::sent)). When all is written and the connection [wants
//! frames](Connection::wants_frames), it takes the link's outbox out of the hub and puts it in
//! ([`send`](Connection::send)). What stands out after that says [`flow`](Connection::flow), which
//! the hub wants to know, for it has the deadlines.
//!
//! What lives here: half a frame, requests without a reply, sealed bytes that the network has not
//! taken, and what is to be done before the connection closes. What never lives here: a socket,
//! time, and TLS, whose library is not for this crate: it stands between as a [`Layer`].

use super::channel::SecureChannel;
use super::{CloseReason, Frame, LinkId};
use crate::base::limits::CALLS_AHEAD;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// What waits on a link, as its hub gives it out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Seal and write these, in order.
    pub frames: Vec<Vec<u8>>,
    /// Then close the connection.
    pub close: Option<CloseReason>,
    /// A request waits until these have left the machine, or the rest of one: say so by
    /// [`Hub::left`](crate::node::hub::Hub::left).
    pub waits: bool,
}

/// What was read of a link, as its hub takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Which.
    pub link: LinkId,
    /// Frames that are whole.
    pub frames: Vec<Frame>,
    /// Bytes of an unfinished one are waiting.
    pub partial: bool,
    /// So many bytes are kept for them.
    pub held: usize,
}

/// What stands between a connection's stream and the network: TLS at the admin port.
pub trait Layer: fmt::Debug + Send {
    /// Takes bytes that arrived, and returns what they mean to the stream; `wire` gets what is to
    /// be answered to them as they are.
    ///
    /// # Errors
    /// The peer broke it.
    fn open<'a>(
        &mut self,
        bytes: &'a [u8],
        wire: &mut Vec<u8>,
    ) -> Result<Cow<'a, [u8]>, CloseReason>;

    /// Covers bytes that go out; `last`: nothing follows them.
    fn seal(&mut self, plain: &[u8], last: bool, wire: &mut Vec<u8>);

    /// Returns whether its handshake is over, or there is none.
    fn settled(&self) -> bool;
}

/// What became of what a peer is to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// As before.
    Same,
    /// Something waits, and something else went on just now: the peer's time begins.
    Begun,
    /// Nothing waits any more.
    Over,
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: SecureChannel,
    layer: Option<Box<dyn Layer>>,
    /// Sealed bytes that the network has not taken yet.
    wire: Vec<u8>,
    /// A client's requests without a reply.
    owed: usize,
    /// They are calls.
    client: bool,
    /// It ends when `wire` is written.
    close: Option<CloseReason>,
    /// A request waits at the hub until `wire` is written.
    waits: bool,
    /// The peer was waited for when that was last looked at.
    stalled: bool,
    /// Something was sent since.
    moved: bool,
    /// It has ended: nothing is taken for it any more.
    over: bool,
}

impl Connection {
    /// Begins; what a dialled link has to say first is to be sent at once. `layer`: between the
    /// stream and the network.
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

    /// Takes bytes that arrived, in any chunking. Whole frames go to `frames`; what the handshake
    /// answers is to be sent.
    ///
    /// # Errors
    /// The peer broke the protocol. Frames that were whole before are to be delivered all the same.
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

    /// Returns whether it is to be read: a client that asks on and on without listening fills its
    /// own buffers, not ours.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        let most = if self.client { CALLS_AHEAD } else { 1 };
        let listens = self.stream.duplex() || (self.wire.is_empty() && self.owed < most);
        !self.over && self.close.is_none() && listens
    }

    /// Returns whether the runtime is to say when the network has room: bytes wait for it, or a
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

    /// The network has taken so many of the [unsent](Self::unsent) bytes.
    pub fn sent(&mut self, count: usize) {
        self.moved |= count > 0;
        if count >= self.wire.len() {
            // Nothing is kept for a link that may be silent for hours.
            self.wire = Vec::new();
        } else {
            self.wire.drain(..count);
        }
    }

    /// Returns whether the link's outbox is to be taken out of the hub. What came first goes first;
    /// what comes later stays with the hub, which counts it.
    #[must_use]
    pub fn wants_frames(&self) -> bool {
        !self.over && self.wire.is_empty() && self.close.is_none()
    }

    /// Seals what the hub had for this link, to be written.
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

    /// Returns why it is to be closed now: all is written, and the hub is done with it.
    #[must_use]
    pub fn closes(&self) -> Option<&CloseReason> {
        self.close.as_ref().filter(|_| self.wire.is_empty())
    }

    /// Says what became of what the peer is to take, since this was last asked for.
    ///
    /// The peer's time begins again with every byte that it takes, also with the last ones while a
    /// request waits for them: only a peer that takes nothing is one that does not read. An outbox
    /// without frames is no progress.
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

    /// Says once, when there is room again, that all has left which a request waits for.
    pub fn has_left(&mut self) -> bool {
        self.wire.is_empty() && core::mem::take(&mut self.waits)
    }

    /// Returns whether key agreement and TLS handshake are over, or there are none: what comes from
    /// now on is cheap to take.
    #[must_use]
    pub fn greeted(&self) -> bool {
        self.stream.greeted() && self.layer.as_ref().is_none_or(|layer| layer.settled())
    }

    /// Returns whether something stands between the stream and the network.
    #[must_use]
    pub fn is_layered(&self) -> bool {
        self.layer.is_some()
    }

    /// Returns whether both ends may send at any time: servers among themselves, which have proved
    /// the group key.
    #[must_use]
    pub fn duplex(&self) -> bool {
        self.stream.duplex()
    }

    /// Returns whether bytes of an unfinished frame are waiting.
    #[must_use]
    pub fn partial(&self) -> bool {
        self.stream.partial()
    }

    /// Returns what the hub is to be told after bytes were [received](Self::received) that made these
    /// frames whole.
    #[must_use]
    pub fn arrived(&self, link: LinkId, frames: Vec<Frame>) -> Arrived {
        let held = if self.over { 0 } else { self.stream.held() };
        Arrived { link, frames, partial: self.stream.partial(), held }
    }

    /// Returns the bytes of memory that its peer makes us keep; 0 for one that has proved the group
    /// key, and for one that has ended.
    #[must_use]
    pub fn held(&self) -> usize {
        let free = self.over || self.stream.duplex();
        if free { 0 } else { self.stream.held() + self.wire.capacity() }
    }

    /// Ends it. Returns whether there are bytes that the network did not take.
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
