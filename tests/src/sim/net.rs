//! The network: connections like TCP. Each direction can be slow or blocked, and a connection can
//! be cut; each end then notices that at its own time.
//!
//! Within a connection no message is lost, doubled or out of order, as with TCP. That happens
//! between connections. Messages are *lost* that are under way when a connection is cut, or that
//! are sent before its end is noticed, on a half-open link. Messages come *twice* that a node
//! repeats on the next connection after the first one had arrived, and only the answer was lost.
//! Messages are *out of order* that arrive on an old connection, closed or cut, after the same two
//! nodes have communicated on a new one.

use super::cable::Cable;
use super::check::Decided;
use super::check::handles::Answer;
use super::rng::Rng;
use std::collections::{BTreeMap, VecDeque};
use tmr_core::link::{Frame, LinkId, Listener};
use tmr_core::messages::twin::{TwinMessage, Version};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A node; the link is not known before the connection is open.
    Host { host: usize, life: u32, link: Option<LinkId> },
    /// A client.
    Client(usize),
}

/// A load on a connection.
#[derive(Clone, Debug)]
pub(super) enum Load {
    /// Frames, and the process that made a reply among them, if it is not the sender.
    Frames(Vec<Frame>, Option<Answer>),
    /// The bytes of frames.
    Bytes(Vec<u8>, Option<Answer>),
    Fin,
    /// A load that was lost.
    Hole,
}

impl Load {
    /// Returns whether the nodes themselves must notice the loss of this. Frames have no numbers of
    /// their own here, so messages that only the streams protect are never lost.
    pub(super) fn may_be_lost(&self) -> bool {
        match self {
            Self::Bytes(..) => true,
            Self::Fin | Self::Hole => false,
            Self::Frames(frames, _) => frames.iter().all(|frame| match frame {
                Frame::Batch(_) => true,
                Frame::Twin(bytes) => {
                    let told = TwinMessage::decode(bytes, Version::OWN.minor);
                    matches!(told, Ok(TwinMessage::Entries { .. }))
                }
                _ => false,
            }),
        }
    }
}

/// Something on its way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// The time at which the sender decided on it.
    pub(super) sent: Decided,
    pub(super) load: Load,
}

/// A connection; side 0 has dialled.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) ends: [End; 2],
    /// The listener of side 1.
    pub(super) listener: Listener,
    pub(super) open: bool,
    /// No more is sent on it.
    pub(super) cut: bool,
    /// Loads that were on their way when it was cut still arrive.
    pub(super) lingers: bool,
    /// It is cut as soon as the current output is on its way.
    pub(super) late: bool,
    /// A load to this side was lost.
    pub(super) holes: [bool; 2],
    /// The streams of both ends, if it carries bytes.
    pub(super) cable: Option<Box<Cable>>,
    /// This side knows that it is over.
    pub(super) gone: [bool; 2],
    /// The loads on their way to each side, and the time at which the last one arrives.
    pub(super) lanes: [(VecDeque<Parcel>, u64); 2],
}

impl Conn {
    pub(super) fn new(from: End, to: End, listener: Listener) -> Self {
        Self {
            ends: [from, to],
            listener,
            open: false,
            cut: false,
            lingers: false,
            late: false,
            holes: [false; 2],
            cable: None,
            gone: [false; 2],
            lanes: [(VecDeque::new(), 0), (VecDeque::new(), 0)],
        }
    }
}

/// The network between places, which are hosts, then clients.
#[derive(Debug, Default)]
pub(super) struct Net {
    pub(super) conns: BTreeMap<u64, Conn>,
    pub(super) opened: u64,
    /// Traffic from the first to the second place is blocked until this time.
    pub(super) blocked: BTreeMap<(usize, usize), u64>,
    /// Until the first time, traffic takes longer by the second one.
    pub(super) slow: BTreeMap<(usize, usize), (u64, u64)>,
    /// Draws whether loads of a cut connection still arrive; `None`: never in this seed.
    pub(super) late: Option<Rng>,
    /// Draws the pieces in which connections carry bytes; `None`: they carry frames.
    pub(super) pieces: Option<Rng>,
}

impl Net {
    /// Adds a connection, and returns its number.
    pub(super) fn open(&mut self, conn: Conn) -> u64 {
        self.opened += 1;
        self.conns.insert(self.opened, conn);
        self.opened
    }

    /// Cuts a connection.
    pub(super) fn cut(&mut self, conn: u64) {
        let lingers = self.late.as_mut().is_some_and(|rng| rng.chance(50));
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.cut = true;
            conn.lingers = lingers;
        }
    }

    /// Cuts a connection whose last loads arrive late.
    pub(super) fn cut_late(&mut self, conn: u64) {
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.cut = true;
            conn.lingers = true;
            conn.late = false;
        }
    }

    /// Returns the time until which traffic is blocked; `None`: it is not.
    pub(super) fn blocked(&self, now: u64, from: usize, to: usize) -> Option<u64> {
        self.blocked.get(&(from, to)).copied().filter(|until| *until > now)
    }

    /// Draws the latency from one place to another.
    pub(super) fn latency(&self, now: u64, from: usize, to: usize, rng: &mut Rng) -> u64 {
        let slow = self.slow.get(&(from, to)).filter(|(until, _)| *until > now);
        rng.between(80, 600) + slow.map_or(0, |(_, by)| rng.between(*by / 2, *by))
    }

    /// Ends all blocks and delays; cut connections stay cut.
    pub(super) fn heal(&mut self) {
        self.blocked.clear();
        self.slow.clear();
    }
}
