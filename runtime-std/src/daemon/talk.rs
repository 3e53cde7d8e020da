//! One link's conversation, as both runtimes hold it outside of the hub's lock: its stream, the
//! bytes to write, and whether it is its turn to read.

use tmr_core::channel::{Sealer, Stream};
use tmr_core::hub::{Act, Hub, Outbox};
use tmr_core::io::{Frame, Link, Why};
use tmr_core::limits::CALLS_AHEAD;
use tmr_core::time::Now;

/// A link's conversation.
#[derive(Debug)]
pub struct Talk {
    stream: Stream,
    /// Bytes to write.
    pub wire: Vec<u8>,
    frames: Vec<Frame>,
    /// Requests without a reply.
    owed: usize,
    /// They are a client's calls.
    client: bool,
}

impl Talk {
    /// Begins; what a dialled link has to say first is in `wire`.
    #[must_use]
    pub fn new(mut stream: Stream) -> Self {
        let mut wire = Vec::new();
        stream.greet(&mut wire);
        Self { stream, wire, frames: Vec::new(), owed: 0, client: false }
    }

    /// Frames may go either way at any time. Else it is strictly request and reply.
    #[must_use]
    pub fn duplex(&self) -> bool {
        self.stream.duplex()
    }

    /// A request has no reply yet.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.owed > 0 && !self.stream.duplex()
    }

    /// A client's call has no reply yet. If its link ends now, the reply is for nobody; one who
    /// asks for a page may end its side and still wait for the page.
    #[must_use]
    pub fn owes_client(&self) -> bool {
        self.owes() && self.client
    }

    /// So many requests have no reply yet that nothing more is to be read: a client that asks on
    /// and on without listening fills its own buffers, not ours.
    #[must_use]
    pub fn full(&self) -> bool {
        self.owed >= if self.client { CALLS_AHEAD } else { 1 } && !self.stream.duplex()
    }

    /// Takes bytes in. What the handshake answers is in `wire` then.
    ///
    /// # Errors
    /// The peer broke the protocol. Frames that were whole are to be delivered all the same.
    pub fn arrived(&mut self, bytes: &[u8]) -> Result<(), Why> {
        let before = self.frames.len();
        let opened = self.stream.open(bytes, &mut self.wire, &mut self.frames);
        self.owed += self.frames.len() - before;
        self.client |= matches!(self.frames.get(before), Some(Frame::Call(_)));
        opened
    }

    /// Hands the frames that have arrived to the hub.
    pub fn deliver(&mut self, hub: &mut Hub, now: Now, link: Link, acts: &mut Vec<Act>) {
        hub.received(now, link, &mut self.frames, self.stream.partial(), acts);
    }

    /// Seals what the hub has for this link into `wire`; with a reason if it is to be closed when
    /// that is written.
    pub fn take(&mut self, outbox: Outbox) -> Option<Why> {
        self.owed = self.owed.saturating_sub(outbox.frames.len());
        if !outbox.frames.is_empty() {
            self.stream.seal(&outbox.frames, &mut self.wire);
        }
        outbox.close
    }

    /// The sending half of a duplex conversation, once.
    pub fn split(&mut self) -> Option<Sealer> {
        if self.stream.duplex() { self.stream.split() } else { None }
    }
}
