//! The link between two fronts: a Noise handshake with the group key, then frames of any length in
//! Noise messages. The cryptography is that of the snow library; this module splits the stream into
//! messages, and their plaintext into frames.

use super::GroupKey;
use crate::base::limits::TWIN_FRAME_MAX;
use crate::base::noise;
use crate::link::{CloseReason, Frame};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use snow::{HandshakeState, StatelessTransportState};

/// The ends have no static keys: both must have the group key before any of their bytes is
/// accepted.
const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";
/// The purpose of this link; with another prologue the handshake fails.
const PROLOGUE: &[u8] = b"tmr twin link 1";
/// The purpose of the derived key, so that two protocols never use the same key.
const PSK: &[u8] = b"tmr twin psk v1";
/// Length of each of the two handshake messages: a point of 32 bytes, and a tag.
const HANDSHAKE: usize = 48;
/// Bytes of the length before every message.
const HEAD: usize = 2;
/// Length of the tag at the end of every message.
const TAG: usize = 16;
/// The greatest plaintext of one message (Noise, section 3).
const PLAIN_MAX: usize = 65_535 - TAG;
/// Bytes of the length before every frame.
const FRAME_HEAD: usize = 4;

const NO_TWIN: CloseReason = CloseReason::Protocol("no handshake of a twin with this group key");
const CHANGED: CloseReason =
    CloseReason::Protocol("a message of a twin was changed, lost or repeated on the way");

/// The receiving half of a link.
pub(super) struct Inward {
    phase: Phase,
    /// Bytes of an incomplete message.
    wire: Vec<u8>,
    /// Plaintext of an incomplete frame.
    plain: Vec<u8>,
    /// The sending half, from the end of the handshake until it is taken.
    outward: Option<Outward>,
}

enum Phase {
    /// This end dialled, and awaits the answer.
    Dialled(Box<HandshakeState>),
    /// The other end dialled, and its message is awaited.
    Accepted(Box<HandshakeState>),
    Open {
        keys: Arc<StatelessTransportState>,
        received: u64,
    },
    Over,
}

/// The sending half, after the handshake.
pub(super) struct Outward {
    keys: Arc<StatelessTransportState>,
    sent: u64,
}

impl Inward {
    /// Returns the half of the end that dials; its first message is appended by
    /// [`greet`](Self::greet).
    pub(super) fn dial(entropy: [u8; 32], group: &GroupKey) -> Self {
        Self::begin(Phase::Dialled(handshake(entropy, group, true)))
    }

    /// Returns the half of the end that accepts.
    pub(super) fn accept(entropy: [u8; 32], group: &GroupKey) -> Self {
        Self::begin(Phase::Accepted(handshake(entropy, group, false)))
    }

    fn begin(phase: Phase) -> Self {
        Self { phase, wire: Vec::new(), plain: Vec::new(), outward: None }
    }

    /// Appends the first message of the end that dials.
    pub(super) fn greet(&mut self, wire: &mut Vec<u8>) {
        if let Phase::Dialled(state) = &mut self.phase {
            say(state, wire);
        }
    }

    /// Takes bytes that arrived. The answer of the handshake is appended to `wire`, complete frames
    /// to `frames`.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        wire: &mut Vec<u8>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        let mut held = core::mem::take(&mut self.wire);
        held.extend_from_slice(bytes);
        let mut rest = held.as_slice();
        while let Some((head, body)) = rest.split_first_chunk::<HEAD>() {
            let length = usize::from(u16::from_le_bytes(*head));
            let open = matches!(self.phase, Phase::Open { .. });
            if (open && length <= TAG) || (!open && length != HANDSHAKE) {
                return Err(if open { CHANGED } else { NO_TWIN });
            }
            let Some((message, later)) = body.split_at_checked(length) else { break };
            self.message(message, wire, frames)?;
            rest = later;
        }
        if !rest.is_empty() {
            let from = held.len() - rest.len();
            held.drain(..from);
            self.wire = held;
        }
        Ok(())
    }

    fn message(
        &mut self,
        message: &[u8],
        wire: &mut Vec<u8>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Accepted(mut state) => {
                heard(&mut state, message)?;
                say(&mut state, wire);
                self.opened(*state);
            }
            Phase::Dialled(mut state) => {
                heard(&mut state, message)?;
                self.opened(*state);
            }
            Phase::Open { keys, received } => {
                let from = self.plain.len();
                self.plain.resize(from + message.len(), 0);
                let opened = keys.read_message(received, message, &mut self.plain[from..]);
                let length = opened.map_err(|_| CHANGED)?;
                self.plain.truncate(from + length);
                self.phase = Phase::Open { keys, received: received + 1 };
                self.cut(frames)?;
            }
            Phase::Over => return Err(CHANGED),
        }
        Ok(())
    }

    fn opened(&mut self, state: HandshakeState) {
        let keys = state.into_stateless_transport_mode().expect("both messages have been");
        let keys = Arc::new(keys);
        self.outward = Some(Outward { keys: Arc::clone(&keys), sent: 0 });
        self.phase = Phase::Open { keys, received: 0 };
    }

    /// Splits complete frames off the plaintext.
    fn cut(&mut self, frames: &mut Vec<Frame>) -> Result<(), CloseReason> {
        let mut rest = self.plain.as_slice();
        while let Some((head, body)) = rest.split_first_chunk::<FRAME_HEAD>() {
            let length = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
            if length > TWIN_FRAME_MAX {
                return Err(CloseReason::Limit("length of a twin's frame"));
            }
            let Some((frame, later)) = body.split_at_checked(length) else { break };
            frames.push(Frame::Twin(frame.to_vec()));
            rest = later;
        }
        let from = self.plain.len() - rest.len();
        self.plain.drain(..from);
        if self.plain.is_empty() {
            self.plain = Vec::new();
        }
        Ok(())
    }

    /// Returns the sending half, once.
    pub(super) fn take_outward(&mut self) -> Option<Outward> {
        self.outward.take()
    }

    /// Whether the handshake is complete.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// Whether part of a message or frame has arrived.
    pub(super) fn partial(&self) -> bool {
        !self.wire.is_empty() || !self.plain.is_empty()
    }
}

impl Outward {
    /// Appends the messages that carry `frames`, as few as possible.
    pub(super) fn seal(&mut self, frames: &[Vec<u8>], wire: &mut Vec<u8>) {
        let mut plain = Vec::new();
        for frame in frames {
            let length = u32::try_from(frame.len()).expect("frames are below their limit");
            plain.extend_from_slice(&length.to_le_bytes());
            plain.extend_from_slice(frame);
        }
        for plain in plain.chunks(PLAIN_MAX) {
            let length = u16::try_from(plain.len() + TAG).expect("the chunk's limit");
            wire.extend_from_slice(&length.to_le_bytes());
            let from = wire.len();
            wire.resize(from + usize::from(length), 0);
            let sealed = self.keys.write_message(self.sent, plain, &mut wire[from..]);
            debug_assert_eq!(sealed.ok(), Some(usize::from(length)));
            self.sent += 1;
        }
    }
}

/// Returns the state of a handshake before its first message.
fn handshake(entropy: [u8; 32], group: &GroupKey, initiator: bool) -> Box<HandshakeState> {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(group.bytes()).expect("any length is taken");
    mac.update(PSK);
    let psk = mac.finalize().into_bytes().into();
    let builder = noise::builder(PATTERN, Some(entropy));
    let builder = builder.psk(0, &psk).and_then(|it| it.prologue(PROLOGUE));
    let built = builder.and_then(|builder| {
        if initiator { builder.build_initiator() } else { builder.build_responder() }
    });
    Box::new(built.expect("the pattern needs no more than this"))
}

/// Appends this end's handshake message.
fn say(state: &mut HandshakeState, wire: &mut Vec<u8>) {
    let mut message = [0; HANDSHAKE];
    let length = state.write_message(&[], &mut message).expect("its turn, with room and entropy");
    debug_assert_eq!(length, HANDSHAKE);
    wire.extend_from_slice(&(HANDSHAKE as u16).to_le_bytes());
    wire.extend_from_slice(&message);
}

/// Reads the other end's handshake message.
fn heard(state: &mut HandshakeState, message: &[u8]) -> Result<(), CloseReason> {
    match state.read_message(message, &mut [0; HANDSHAKE]) {
        Ok(0) => Ok(()),
        _ => Err(NO_TWIN),
    }
}
