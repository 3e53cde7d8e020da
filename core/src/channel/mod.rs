//! A secured stream: chunks of bytes in, plaintext frames out, and back.

use crate::io::{Frame, Why};
use alloc::vec::Vec;

/// The group key: what a front proves to a backend.
#[derive(Clone)]
pub struct GroupKey([u8; 32]);

impl core::fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("GroupKey(..)")
    }
}

impl GroupKey {
    /// From the 32 bytes of the key file.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Tells one group key from another without giving it away: kept in a backend's journal.
    #[must_use]
    pub fn check(&self) -> [u8; 8] {
        let _ = self.0;
        [0; 8]
    }
}

/// One byte stream's conversation.
#[derive(Debug)]
pub struct Stream;

/// The sending half of a stream whose handshake is over.
#[derive(Debug)]
pub struct Sealer;

impl Stream {
    /// A connection that came in on the licence door. `group`: on a backend, the key that a front
    /// must prove; `None` on a front, where a hello breaks the protocol.
    #[must_use]
    pub fn licence(_entropy: [u8; 32], _group: Option<GroupKey>) -> Self {
        Self
    }
    /// A connection that came in on the admin door.
    #[must_use]
    pub fn admin() -> Self {
        Self
    }
    /// A connection that front `front` dialled to a backend.
    #[must_use]
    pub fn dial_backend(_entropy: [u8; 32], _group: GroupKey, _front: u32) -> Self {
        Self
    }
    /// A connection that a client dialled to a server.
    #[must_use]
    pub fn dial_server(_entropy: [u8; 32]) -> Self {
        Self
    }
    /// What is to be written as soon as the connection stands; empty on accepted ones.
    pub fn greet(&mut self, _wire: &mut Vec<u8>) {}
    /// Takes bytes that arrived, in any chunking. What the handshake has to answer is appended to
    /// `wire`, whole frames to `frames`.
    ///
    /// # Errors
    /// The peer broke the protocol: close the connection. Frames that were whole before are in
    /// `frames`.
    pub fn open(
        &mut self,
        _bytes: &[u8],
        _wire: &mut Vec<u8>,
        _frames: &mut Vec<Frame>,
    ) -> Result<(), Why> {
        Ok(())
    }
    /// Bytes of an unfinished frame are waiting.
    #[must_use]
    pub fn partial(&self) -> bool {
        false
    }
    /// Frames may be sent at any time from now on, not only one reply per request: the link needs
    /// reader and writer at once.
    #[must_use]
    pub fn duplex(&self) -> bool {
        false
    }
    /// Appends to `wire` the bytes that carry `frames`: an envelope for each on a client link, as
    /// few as possible for a batch, the frame itself on the admin door.
    pub fn seal(&mut self, _frames: &[Vec<u8>], _wire: &mut Vec<u8>) {}
    /// Takes the sending half out, for a second thread; `seal` must not be called here afterwards.
    /// `None` before the handshake is over.
    pub fn split(&mut self) -> Option<Sealer> {
        None
    }
}

impl Sealer {
    /// As [`Stream::seal`].
    pub fn seal(&mut self, _frames: &[Vec<u8>], _wire: &mut Vec<u8>) {}
}
