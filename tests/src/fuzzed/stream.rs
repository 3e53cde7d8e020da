//! A connection on the licence port, of a front and of a backend. Any bytes in any chunks give
//! frames or an error, the result is the same for every division into chunks, and no frame exceeds
//! its limit.

use super::{byte, pieces};
use arbitrary::Unstructured;
use tmr_core::base::limits::CLIENT_FRAME_MAX;
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::link::{CloseReason, Frame};

/// The result of a channel that has received bytes.
#[derive(Debug, PartialEq)]
pub(super) struct Opened {
    /// Whether the channel is still open, or the reason why it closed.
    pub(super) end: Result<(), CloseReason>,
    /// The bytes that the channel sends.
    pub(super) wire: Vec<u8>,
    /// The frames that the channel received.
    pub(super) frames: Vec<Frame>,
}

/// Passes chunks to a channel.
pub(super) fn open(mut stream: SecureChannel, chunks: &[&[u8]]) -> Opened {
    let (mut wire, mut frames) = (Vec::new(), Vec::new());
    stream.greet(&mut wire);
    let end = chunks.iter().try_for_each(|bytes| stream.open(bytes, &mut wire, &mut frames));
    Opened { end, wire, frames }
}

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let backend = byte(&mut input) % 2 == 1;
    let chunks = pieces(&mut input);
    let stream = || SecureChannel::licence([7; 32], backend.then(|| GroupKey::new([9; 32])));
    let opened = open(stream(), &chunks);
    for frame in &opened.frames {
        let Frame::Call(call) = frame else { continue };
        assert!(call.len() <= CLIENT_FRAME_MAX, "a call of {} bytes", call.len());
    }
    assert_eq!(open(stream(), &[&chunks.concat()]), opened);
}
