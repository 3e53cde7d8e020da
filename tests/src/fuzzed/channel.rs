//! Two honest ends of a connection, and a third party between them that splits, changes or adds
//! bytes. Property: only sent frames arrive, in their order. With the group key the property holds
//! even if the third party changes bytes; on a client link (protocol facts 2.3) it holds only if no
//! byte was changed.

use super::{byte, piece};
use arbitrary::Unstructured;
use tmr_core::base::limits::TWIN_FRAME_MAX;
use tmr_core::link::Frame;
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::messages::group::HELLO;

/// One end of the connection.
struct End {
    stream: SecureChannel,
    /// The bytes on their way to the other end.
    wire: Vec<u8>,
    sent: Vec<u8>,
    got: Vec<u8>,
    /// Whether a frame has arrived at this end, or the peer has proved the group key.
    met: bool,
    over: bool,
}

impl End {
    fn new(mut stream: SecureChannel) -> Self {
        let mut wire = Vec::new();
        stream.greet(&mut wire);
        Self { stream, wire, sent: Vec::new(), got: Vec::new(), met: false, over: false }
    }

    fn send(&mut self, frame: &[u8], cut: bool) {
        self.stream.seal(&[frame.to_vec()], &mut self.wire);
        mark(&mut self.sent, frame, cut);
    }

    fn receive(&mut self, bytes: &[u8], cut: bool) {
        let mut frames = Vec::new();
        self.over |= self.stream.open(bytes, &mut self.wire, &mut frames).is_err();
        self.met |= !frames.is_empty();
        for frame in frames {
            match frame {
                Frame::Joined { front, minor } => assert_eq!((front, minor), (FRONT, 3)),
                Frame::Call(bytes)
                | Frame::Reply(bytes)
                | Frame::Batch(bytes)
                | Frame::Twin(bytes)
                | Frame::Http(bytes)
                | Frame::Unheard(bytes) => {
                    assert!(bytes.len() <= TWIN_FRAME_MAX);
                    mark(&mut self.got, &bytes, cut);
                }
            }
        }
    }
}

/// Appends a frame to `all`. With `cut` the length of the frame comes first, for links that keep
/// the boundaries of frames.
fn mark(all: &mut Vec<u8>, frame: &[u8], cut: bool) {
    if cut {
        all.extend(u64::try_from(frame.len()).expect("a length").to_le_bytes());
    }
    all.extend(frame);
}

const FRONT: u32 = 0x0102_0304;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let (key, other) = (GroupKey::new([9; 32]), GroupKey::new([8; 32]));
    let kind = byte(&mut input) % 6;
    let (dialled, accepted) = match kind {
        0 => (SecureChannel::dial_server([3; 32]), SecureChannel::licence([7; 32], None)),
        1 => (SecureChannel::dial_server([3; 32]), SecureChannel::licence([7; 32], Some(key))),
        2 => (SecureChannel::dial_backend([3; 32], key.clone(), FRONT), {
            SecureChannel::licence([7; 32], Some(key))
        }),
        3 => (
            SecureChannel::dial_backend([3; 32], other, FRONT),
            SecureChannel::licence([7; 32], Some(key)),
        ),
        4 => (SecureChannel::twin_dial([3; 32], &key), SecureChannel::twin_accept([7; 32], &key)),
        _ => (SecureChannel::twin_dial([3; 32], &other), SecureChannel::twin_accept([7; 32], &key)),
    };
    let (proved, foreign) = (matches!(kind, 2 | 4), matches!(kind, 3 | 5));
    // Links with batches do not keep the boundaries of frames; all other links do.
    let cut = !matches!(kind, 2 | 3);
    let mut ends = [End::new(dialled), End::new(accepted)];
    let mut meddled = false;
    // Whether a client's call looks like the hello of a front. The backend refuses such a call with
    // a reply of its own, which differs from all sent frames.
    let mut turned = false;
    while !input.is_empty() {
        let what = byte(&mut input);
        let side = usize::from(what >> 7);
        match what % 8 {
            0..3 => {
                let frame = piece(&mut input).to_vec();
                // A server sends no frame before a call has arrived or the front has proved the
                // group key.
                if side == 0 || kind > 3 || ends[side].met {
                    turned |= kind == 1 && side == 0 && frame.starts_with(&HELLO.to_le_bytes());
                    ends[side].send(&frame, cut);
                }
            }
            3..6 => {
                let count = input.arbitrary::<u16>().map_or(0, usize::from);
                deliver(&mut ends, side, count, cut);
            }
            6 => {
                let (place, by) =
                    (input.arbitrary::<u16>().map_or(0, usize::from), byte(&mut input));
                if let Some(byte) = ends[side].wire.get_mut(place) {
                    *byte ^= by;
                    meddled |= by != 0;
                }
            }
            _ => {
                let bytes = piece(&mut input);
                ends[side].wire.extend(bytes);
                meddled |= !bytes.is_empty();
            }
        }
    }
    while ends.iter().any(|end| !end.wire.is_empty()) {
        for side in [0, 1] {
            deliver(&mut ends, side, usize::MAX, cut);
        }
    }
    let [one, two] = &ends;
    for (from, to, others) in [(one, two, false), (two, one, turned)] {
        if foreign {
            assert!(to.got.is_empty(), "something came in without the group key");
        }
        if (proved || !meddled) && !others {
            assert!(from.sent.starts_with(&to.got), "other bytes arrived than were sent");
        }
        if !meddled && !foreign && !one.over && !two.over {
            assert_eq!(from.sent.len(), to.got.len(), "not all bytes arrived");
        }
    }
    if !meddled && proved {
        assert!(!one.over && !two.over, "a link broke by itself");
    }
}

/// Moves at most `count` bytes that one end has sent to the other end.
fn deliver(ends: &mut [End; 2], side: usize, count: usize, cut: bool) {
    let count = count.min(ends[side].wire.len());
    let bytes: Vec<u8> = ends[side].wire.drain(..count).collect();
    if !bytes.is_empty() {
        ends[1 - side].receive(&bytes, cut);
    }
}
