//! Connections that carry bytes: in some seeds every frame goes through the real connections with
//! key agreement and cipher, and the bytes arrive in pieces of any length at any time.

use super::check::Decided;
use super::check::handles::Answer;
use super::net::{End, Load};
use super::rng::Rng;
use super::world::{SECOND, World};
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::link::{CloseReason, Connection, Frame, Listener, Outbox};

/// The most pieces of one write.
const PIECES: usize = 5;

/// The two ends of a connection.
#[derive(Debug)]
pub(super) struct Cable([Connection; 2]);

impl Cable {
    /// Makes a connection that side 0 has dialled; `host`: side 0 is a server.
    pub(super) fn new(rng: &mut Rng, listener: Listener, host: bool) -> Self {
        let key = GroupKey::new([7; 32]);
        let (one, other) = (rng.seed(), rng.seed());
        let streams = match (listener, host) {
            (Listener::Twin, _) => {
                [SecureChannel::twin_dial(one, &key), SecureChannel::twin_accept(other, &key)]
            }
            (_, true) => [
                SecureChannel::dial_backend(one, key.clone(), 1),
                SecureChannel::licence(other, Some(key)),
            ],
            (_, false) => [SecureChannel::dial_server(one), SecureChannel::licence(other, None)],
        };
        Self(streams.map(|stream| Connection::new(stream, None)))
    }
}

/// Takes the bytes that an end has to send.
fn unsent(end: &mut Connection) -> Vec<u8> {
    let bytes = end.unsent().to_vec();
    end.sent(bytes.len());
    bytes
}

/// Returns the pieces in which bytes arrive, each with its delay after the one before.
fn pieces(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<(u64, Vec<u8>)> {
    let mut pieces = Vec::new();
    while pieces.len() + 1 < PIECES && bytes.len() > 1 && rng.chance(40) {
        let rest = bytes.split_off(1 + rng.index(bytes.len() - 1));
        pieces.push(bytes);
        bytes = rest;
    }
    pieces.push(bytes);
    let gap = |rng: &mut Rng| if rng.chance(2) { rng.span(0, SECOND) } else { rng.span(0, 2_000) };
    pieces.into_iter().map(|piece| (gap(rng), piece)).collect()
}

impl World {
    /// Handles an established connection; if it carries bytes, the handshake begins.
    pub(super) fn lay_cable(&mut self, conn: u64) {
        let Some(rng) = &mut self.net.pieces else { return };
        let Some(known) = self.net.conns.get_mut(&conn) else { return };
        let host = matches!(known.ends[0], End::Host { .. });
        let mut cable = Box::new(Cable::new(rng, known.listener, host));
        let wire = unsent(&mut cable.0[0]);
        known.cable = Some(cable);
        self.send_bytes(conn, 0, Decided::at(self.now), None, wire);
    }

    /// Sends frames as bytes if the connection carries bytes; otherwise returns them.
    pub(super) fn seal(
        &mut self,
        conn: u64,
        side: usize,
        sent: Decided,
        load: Load,
    ) -> Option<Load> {
        let open = self.net.conns.get_mut(&conn).filter(|conn| conn.open && !conn.cut);
        let (Some(cable), Load::Frames(frames, answer)) =
            (open.and_then(|conn| conn.cable.as_mut()), &load)
        else {
            return Some(load);
        };
        let bytes = |frame: &Frame| match frame {
            Frame::Call(bytes) | Frame::Reply(bytes) | Frame::Batch(bytes) | Frame::Twin(bytes) => {
                bytes.clone()
            }
            Frame::Joined { .. } | Frame::Http(_) | Frame::Unheard(_) => Vec::new(),
        };
        let frames: Vec<_> = frames.iter().map(bytes).collect();
        cable.0[side].send(Outbox { frames, ..Outbox::default() });
        let wire = unsent(&mut cable.0[side]);
        self.send_bytes(conn, side, sent, *answer, wire);
        None
    }

    fn send_bytes(
        &mut self,
        conn: u64,
        side: usize,
        sent: Decided,
        answer: Option<Answer>,
        bytes: Vec<u8>,
    ) {
        let Some(rng) = self.net.pieces.as_mut().filter(|_| !bytes.is_empty()) else { return };
        let mut late = 0;
        for (gap, piece) in pieces(rng, bytes) {
            late += gap;
            self.put(conn, side, sent, late, Load::Bytes(piece, answer));
        }
    }

    /// Handles bytes that arrive.
    pub(super) fn take_bytes(
        &mut self,
        conn: u64,
        side: usize,
        sent: Decided,
        answer: Option<Answer>,
        bytes: &[u8],
    ) {
        let cable = self.net.conns.get_mut(&conn).and_then(|conn| conn.cable.as_mut());
        let Some(end) = cable.map(|cable| &mut cable.0[side]) else { return };
        let mut frames = Vec::new();
        let opened = end.received(bytes, &mut frames);
        let (wire, partial) = (unsent(end), end.partial());
        let hole = self.net.conns.get(&conn).is_some_and(|conn| conn.holes[side]);
        match opened {
            // The stream has noticed the loss: its owner closes the link.
            Err(reason) if hole => return self.over(conn, side, reason),
            Ok(()) if hole && !frames.is_empty() => {
                let found = Err(format!("{} frames behind bytes that were lost", frames.len()));
                self.checks.note(self.now, "channel", found);
            }
            opened => {
                self.checks.note(
                    self.now,
                    "channel",
                    opened.map_err(|reason: CloseReason| reason.to_string()),
                );
            }
        }
        self.send_bytes(conn, side, Decided::at(self.now), None, wire);
        self.take_in(conn, side, sent, answer, frames, partial);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn pieces_make_up_what_was_cut() {
        let mut rng = Rng::new(1);
        let whole: Vec<u8> = (0..200).collect();
        let mut counts = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let pieces = pieces(&mut rng, whole.clone());
            assert!(pieces.iter().all(|(_, piece)| !piece.is_empty()));
            counts.insert(pieces.len());
            let pieces: Vec<_> = pieces.into_iter().map(|(_, piece)| piece).collect();
            assert_eq!(pieces.concat(), whole);
        }
        assert_eq!(counts, (1..=PIECES).collect());
    }
}
