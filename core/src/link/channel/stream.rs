//! The receiving half of a channel: bytes into frames, from the first byte of a connection to its
//! last.

use super::GroupKey;
use super::agreement::{OffCurve, POINT, Point, Secret};
use super::cipher::Cipher;
use super::envelope;
use super::group::{self, Counted, Points, Way};
use super::http;
use super::noise;
use super::sealer::{Batches, End, Kind, PROTECTED, Sealer, message};
use crate::base::limits::{CLIENT_FRAME_MAX, GROUP_FRAME_MAX};
use crate::link::{CloseReason, Frame};
use crate::messages::group::HELLO;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// First byte of the key agreement (protocol facts 1).
const AGREEMENT: u8 = 0xa2;
/// First byte of the local-only channel, which is weak and refused (protocol facts 1).
const LOCAL: u8 = 0xa0;
/// Byte 1 of the key agreement: its value is known, its meaning is not (protocol facts 2.1).
const AGREEMENT_KIND: u8 = 0x05;
/// Length of the key agreement's request: selector, kind, point.
const REQUEST: usize = 2 + POINT;
/// Bytes before the point in the key agreement's reply. Zero is the best guess (protocol facts 2.1).
const REPLY_HEAD: usize = 8;
/// Length of the key agreement's reply.
const REPLY: usize = REPLY_HEAD + POINT;

/// The channel of one connection. It takes some 150 bytes, and nothing on the heap, while a client
/// is silent.
pub struct SecureChannel {
    reader: envelope::Reader,
    phase: Phase,
    sending: Sending,
}

enum Phase {
    /// The admin port.
    Admin(http::Reader),
    /// Accepted at the licence port; awaits the key agreement.
    Accepted(Box<Accepted>),
    /// Dialled; awaits the reply of the key agreement.
    Dialled(Box<Dialled>),
    /// Requests of a client. `hello`: the values that a front's hello is checked with, until the
    /// first request.
    Serving { cipher: Cipher, hello: Option<Box<Expecting>> },
    /// Replies of a server.
    Asking(Cipher),
    /// A front has sent its hello and awaits the answer.
    Proving(Box<Proving>),
    /// Front and backend have proved the group key to each other.
    Joined(Box<Joined>),
    /// Two fronts, from the first byte on.
    Twin(Box<noise::Inward>),
    /// The peer broke the protocol.
    Over,
}

struct Accepted {
    secret: Secret,
    group: Option<GroupKey>,
}

struct Dialled {
    secret: Secret,
    point: Point,
    /// The group key, and the id of the front that is to prove it.
    front: Option<(GroupKey, u32)>,
}

struct Expecting {
    group: GroupKey,
    points: Points,
}

struct Proving {
    cipher: Cipher,
    group: GroupKey,
    points: Points,
    front: u32,
    hello: [u8; group::HELLO_LENGTH],
}

struct Joined {
    cipher: Cipher,
    end: End,
    counted: Counted,
}

enum Sending {
    /// Frames that were sent before the handshake was complete.
    Held(Vec<Vec<u8>>),
    Here(Sealer),
}

impl core::fmt::Debug for SecureChannel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self.phase {
            Phase::Admin(_) => "Stream(admin)",
            Phase::Accepted(_) => "Stream(accepted)",
            Phase::Dialled(_) => "Stream(dialled)",
            Phase::Serving { .. } => "Stream(serving)",
            Phase::Asking(_) => "Stream(asking)",
            Phase::Proving(_) => "Stream(proving)",
            Phase::Joined(_) => "Stream(joined)",
            Phase::Twin(_) => "Stream(twin)",
            Phase::Over => "Stream(over)",
        })
    }
}

impl SecureChannel {
    /// Returns the channel of a connection accepted at the licence port. `group`: on a backend, the
    /// key that a front must prove; `None` on a front, where a hello breaks the protocol.
    #[must_use]
    pub fn licence(entropy: [u8; 32], group: Option<GroupKey>) -> Self {
        Self::accepted(Secret::new(&entropy), group)
    }

    /// Returns the channel of a connection accepted at the admin port.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            reader: envelope::Reader::default(),
            phase: Phase::Admin(http::Reader::default()),
            sending: Sending::Here(Sealer(Kind::Plain)),
        }
    }

    /// Returns the channel of a connection that front `front` dialled to a backend.
    #[must_use]
    pub fn dial_backend(entropy: [u8; 32], group: GroupKey, front: u32) -> Self {
        Self::dialled(Secret::new(&entropy), Some((group, front)))
    }

    /// Returns the channel of a connection that a client dialled to a server.
    #[must_use]
    pub fn dial_server(entropy: [u8; 32]) -> Self {
        Self::dialled(Secret::new(&entropy), None)
    }

    /// Returns the channel of a connection accepted at the port for the twin.
    #[must_use]
    pub fn twin_accept(entropy: [u8; 32], group: &GroupKey) -> Self {
        Self::begin(Phase::Twin(Box::new(noise::Inward::accept(entropy, group))))
    }

    /// Returns the channel of a connection dialled to the twin.
    #[must_use]
    pub fn twin_dial(entropy: [u8; 32], group: &GroupKey) -> Self {
        Self::begin(Phase::Twin(Box::new(noise::Inward::dial(entropy, group))))
    }

    pub(super) fn accepted(secret: Secret, group: Option<GroupKey>) -> Self {
        Self::begin(Phase::Accepted(Box::new(Accepted { secret, group })))
    }

    pub(super) fn dialled(secret: Secret, front: Option<(GroupKey, u32)>) -> Self {
        let point = secret.point();
        Self::begin(Phase::Dialled(Box::new(Dialled { secret, point, front })))
    }

    fn begin(phase: Phase) -> Self {
        let reader = envelope::Reader::default();
        Self { reader, phase, sending: Sending::Held(Vec::new()) }
    }

    /// Appends what is to be written as soon as the connection is open; nothing for accepted ones.
    pub fn greet(&mut self, wire: &mut Vec<u8>) {
        if let Phase::Twin(twin) = &mut self.phase {
            twin.greet(wire);
        }
        if let Phase::Dialled(dialled) = &self.phase {
            let at = envelope::begin(wire);
            wire.extend_from_slice(&[AGREEMENT, AGREEMENT_KIND]);
            wire.extend_from_slice(&dialled.point);
            envelope::end(wire, at);
        }
    }

    /// Takes bytes that arrived, in any chunks. Answers of the handshake are appended to `wire`,
    /// complete frames to `frames`.
    ///
    /// # Errors
    /// The peer broke the protocol: the connection is to be closed after `wire` is written, which
    /// may contain the reason for the peer. Frames that were completed before are in `frames`.
    /// Every later call is an error again.
    pub fn open(
        &mut self,
        mut bytes: &[u8],
        wire: &mut Vec<u8>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        let taken = self.take(&mut bytes, wire, frames);
        if taken.is_err() {
            self.phase = Phase::Over;
        }
        taken
    }

    fn take(
        &mut self,
        bytes: &mut &[u8],
        wire: &mut Vec<u8>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        match &mut self.phase {
            Phase::Admin(reader) => return reader.read(bytes, frames),
            Phase::Twin(twin) => {
                let read = twin.read(bytes, wire, frames);
                if let Some(outward) = twin.take_outward() {
                    self.ready(Kind::Twin(Box::new(outward)), wire);
                }
                return read;
            }
            Phase::Over => return Err(OVER),
            _ => {}
        }
        while let Some(body) = self.reader.next(bytes, self.longest())? {
            self.message(body, wire, frames)?;
        }
        Ok(())
    }

    /// Returns the greatest length of the next message, in bytes.
    fn longest(&self) -> usize {
        match self.phase {
            Phase::Accepted(_) => REQUEST,
            Phase::Dialled(_) => REPLY,
            Phase::Joined(_) => GROUP_FRAME_MAX,
            _ => CLIENT_FRAME_MAX,
        }
    }

    /// Takes one complete message.
    fn message(
        &mut self,
        mut body: Vec<u8>,
        wire: &mut Vec<u8>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        match &mut self.phase {
            Phase::Accepted(accepted) => {
                let peer = agreement_request(&body)?;
                let server = accepted.secret.point();
                let cipher = accepted.secret.agree(peer).map_err(off_curve)?;
                let at = envelope::begin(wire);
                wire.extend_from_slice(&[0; REPLY_HEAD]);
                wire.extend_from_slice(&server);
                envelope::end(wire, at);
                let points = Points { client: *peer, server };
                let hello =
                    accepted.group.take().map(|group| Box::new(Expecting { group, points }));
                self.phase = Phase::Serving { cipher: cipher.clone(), hello };
                self.ready(Kind::Messages(cipher, End::Server), wire);
            }
            Phase::Dialled(_) => self.agreed(&body, wire)?,
            Phase::Serving { cipher, hello } => {
                protected(&body)?;
                cipher.open(&mut body, 1)?;
                match body.first_chunk().map_or(0, |number| u32::from_le_bytes(*number)) {
                    0..HELLO => {
                        // A link that carries requests cannot become a front's.
                        *hello = None;
                        frames.push(Frame::Call(body));
                    }
                    HELLO => {
                        let Some(expecting) = hello.take() else {
                            return Err(CloseReason::Protocol(
                                "a front's hello where none is expected",
                            ));
                        };
                        let cipher = cipher.clone();
                        self.judge(cipher, &expecting, &body, wire, frames)?;
                    }
                    _ => {
                        return Err(CloseReason::Protocol(
                            "a front's call from who has not proved to be one",
                        ));
                    }
                }
            }
            Phase::Asking(cipher) => {
                cipher.open(&mut body, 0)?;
                frames.push(Frame::Reply(body));
            }
            Phase::Proving(_) => self.welcomed(body, wire, frames)?,
            Phase::Joined(joined) => {
                let from = match joined.end {
                    End::Client => 0,
                    End::Server => protected(&body).map(|()| 1)?,
                };
                joined.cipher.open(&mut body, from)?;
                joined.counted.check(&mut body)?;
                frames.push(Frame::Batch(body));
            }
            Phase::Admin(_) | Phase::Twin(_) | Phase::Over => return Err(OVER),
        }
        Ok(())
    }

    /// Takes the server's half of the key agreement, at the end that dialled. A function apart from
    /// [`message`](Self::message), as everything that only a front's link needs, so that the code
    /// for each message stays small.
    #[inline(never)]
    fn agreed(&mut self, body: &[u8], wire: &mut Vec<u8>) -> Result<(), CloseReason> {
        let Phase::Dialled(dialled) = &mut self.phase else { return Err(OVER) };
        let Some((_, peer)) = body.split_first_chunk::<REPLY_HEAD>() else {
            return Err(NO_REPLY);
        };
        let peer = peer.try_into().map_err(|_| NO_REPLY)?;
        let cipher = dialled.secret.agree(peer).map_err(off_curve)?;
        let Some((group, front)) = dialled.front.take() else {
            self.phase = Phase::Asking(cipher.clone());
            self.ready(Kind::Messages(cipher, End::Client), wire);
            return Ok(());
        };
        let points = Points { client: dialled.point, server: *peer };
        let hello = group::hello(&group, &points, front);
        message(&cipher, End::Client, hello.len(), wire, |wire| wire.extend(hello));
        self.phase = Phase::Proving(Box::new(Proving { cipher, group, points, front, hello }));
        Ok(())
    }

    /// Takes a backend's answer to the hello.
    #[inline(never)]
    fn welcomed(
        &mut self,
        mut body: Vec<u8>,
        wire: &mut Vec<u8>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        let Phase::Proving(proving) = &self.phase else { return Err(OVER) };
        let Proving { cipher, group, points, front, hello } = &**proving;
        cipher.open(&mut body, 0)?;
        let minor = group::confirm(group, points, hello, &body)?;
        frames.push(Frame::Joined { front: *front, minor });
        let (cipher, group, points) = (cipher.clone(), group.clone(), points.clone());
        self.join(End::Client, cipher, &group, &points, wire);
        Ok(())
    }

    /// Answers a hello, at a backend.
    #[inline(never)]
    fn judge(
        &mut self,
        cipher: Cipher,
        expecting: &Expecting,
        hello: &[u8],
        wire: &mut Vec<u8>,
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        let Expecting { group, points } = expecting;
        let mut answer =
            |bytes: &[u8]| message(&cipher, End::Server, bytes.len(), wire, |w| w.extend(bytes));
        match group::welcome(group, points, hello) {
            Ok(group::Welcome { front, minor, answer: bytes }) => {
                answer(&bytes);
                frames.push(Frame::Joined { front, minor });
                self.join(End::Server, cipher, group, points, wire);
                Ok(())
            }
            Err(turned) => {
                answer(&turned.answer);
                Err(turned.reason)
            }
        }
    }

    #[inline(never)]
    fn join(
        &mut self,
        end: End,
        cipher: Cipher,
        group: &GroupKey,
        points: &Points,
        wire: &mut Vec<u8>,
    ) {
        let (inward, outward) = match end {
            End::Client => (Way::ToFront, Way::ToBackend),
            End::Server => (Way::ToBackend, Way::ToFront),
        };
        let counted = Counted::new(group, points, inward);
        self.phase = Phase::Joined(Box::new(Joined { cipher: cipher.clone(), end, counted }));
        let counted = Counted::new(group, points, outward);
        self.ready(Kind::Batches(Box::new(Batches { cipher, end, counted })), wire);
    }

    /// Completes the handshake: frames are sealed in this way, those that were held first.
    fn ready(&mut self, kind: Kind, wire: &mut Vec<u8>) {
        let mut sealer = Sealer(kind);
        if let Sending::Held(frames) = &self.sending {
            sealer.seal(frames, wire);
        }
        self.sending = Sending::Here(sealer);
    }

    /// Whether part of a frame has arrived.
    #[must_use]
    pub fn partial(&self) -> bool {
        match &self.phase {
            Phase::Admin(reader) => reader.partial(),
            Phase::Twin(twin) => twin.partial(),
            _ => self.reader.partial(),
        }
    }

    /// Returns the bytes of memory that a peer without a proof of the group key makes the channel
    /// keep for an incomplete message.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.phase {
            Phase::Admin(reader) => reader.held(),
            // At most a hundred bytes until the group key is proved.
            Phase::Twin(_) => 0,
            _ if self.duplex() => 0,
            _ => self.reader.held(),
        }
    }

    /// Whether the key agreement is complete, or there is none: later bytes are cheap to process.
    #[must_use]
    pub fn greeted(&self) -> bool {
        match &self.phase {
            Phase::Accepted(_) | Phase::Dialled(_) => false,
            Phase::Twin(twin) => twin.is_open(),
            _ => true,
        }
    }

    /// Whether frames may be sent at any time, and not only one reply per request: the link needs a
    /// reader and a writer at once.
    #[must_use]
    pub fn duplex(&self) -> bool {
        match &self.phase {
            Phase::Joined(_) | Phase::Asking(_) => true,
            Phase::Twin(twin) => twin.is_open(),
            _ => false,
        }
    }

    /// Appends to `wire` the bytes that carry `frames`: an envelope for each on a client link, as
    /// few as possible for batches, the frames themselves on the admin port. Before the handshake
    /// is complete the frames are held, and sent by the [`open`](Self::open) that completes it.
    pub fn seal(&mut self, frames: &[Vec<u8>], wire: &mut Vec<u8>) {
        match &mut self.sending {
            Sending::Held(held) => held.extend_from_slice(frames),
            Sending::Here(sealer) => sealer.seal(frames, wire),
        }
    }
}

const OVER: CloseReason = CloseReason::Protocol("bytes after what broke the protocol");
const NO_REPLY: CloseReason =
    CloseReason::Protocol("a reply to the key agreement of a wrong length");

fn off_curve(OffCurve: OffCurve) -> CloseReason {
    CloseReason::Protocol("the point of the key agreement is not on the curve")
}

/// Returns the point in the first message of a client.
fn agreement_request(body: &[u8]) -> Result<&Point, CloseReason> {
    match body {
        [AGREEMENT, AGREEMENT_KIND, point @ ..] => {
            point.try_into().map_err(|_| CloseReason::Protocol("a key agreement of a wrong length"))
        }
        [AGREEMENT, ..] => Err(CloseReason::Protocol("a key agreement of an unknown kind")),
        [PROTECTED, ..] => {
            Err(CloseReason::Protocol("a protected message before the key agreement"))
        }
        other => Err(unknown_selector(other)),
    }
}

/// Checks a client's message after the key agreement.
fn protected(body: &[u8]) -> Result<(), CloseReason> {
    match body {
        [PROTECTED, ..] => Ok(()),
        [AGREEMENT, ..] => Err(CloseReason::Protocol("a second key agreement")),
        other => Err(unknown_selector(other)),
    }
}

fn unknown_selector(body: &[u8]) -> CloseReason {
    match body {
        [LOCAL, ..] => CloseReason::Protocol("selector 0xa0: the local-only channel is refused"),
        _ => CloseReason::Protocol("an unknown selector"),
    }
}
