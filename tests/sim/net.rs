//! The network: connections like TCP (in order, each direction for itself), which can be slow,
//! blocked, or cut; then each end notices in its own time, and what was on its way is lost.

use super::check::handles::Answer;
use super::rng::Rng;
use std::collections::{BTreeMap, VecDeque};
use tmr_core::io::{Door, Frame, Link};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A node; the link is not known before the connection is open.
    Host { host: usize, life: u32, link: Option<Link> },
    /// A client.
    Client(usize),
}

/// What arrives.
#[derive(Clone, Debug)]
pub(super) enum Load {
    Frames(Vec<Frame>),
    /// A reply that another front than the one that sends it has made.
    Passed(Vec<Frame>, Answer),
    Fin,
}

/// Something on its way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// When the sender decided on it.
    pub(super) sent: u64,
    pub(super) load: Load,
}

/// A connection; side 0 has dialled.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) ends: [End; 2],
    /// Where side 1 awaits it.
    pub(super) door: Door,
    pub(super) open: bool,
    /// Nothing passes any more.
    pub(super) cut: bool,
    /// The side knows that it is over.
    pub(super) gone: [bool; 2],
    /// What is on its way to each side, and when the last of it arrives.
    pub(super) lanes: [(VecDeque<Parcel>, u64); 2],
}

impl Conn {
    pub(super) fn new(from: End, to: End, door: Door) -> Self {
        Self {
            ends: [from, to],
            door,
            open: false,
            cut: false,
            gone: [false; 2],
            lanes: [(VecDeque::new(), 0), (VecDeque::new(), 0)],
        }
    }
}

/// Who can reach whom. Places are hosts, then clients.
#[derive(Debug, Default)]
pub(super) struct Net {
    pub(super) conns: BTreeMap<u64, Conn>,
    pub(super) opened: u64,
    /// Nothing passes from the first to the second until then.
    pub(super) blocked: BTreeMap<(usize, usize), u64>,
    /// What passes takes so much longer until then.
    pub(super) slow: BTreeMap<(usize, usize), (u64, u64)>,
}

impl Net {
    /// A new connection's number.
    pub(super) fn open(&mut self, conn: Conn) -> u64 {
        self.opened += 1;
        self.conns.insert(self.opened, conn);
        self.opened
    }

    /// Until when nothing passes; `None`: it passes.
    pub(super) fn blocked(&self, now: u64, from: usize, to: usize) -> Option<u64> {
        self.blocked.get(&(from, to)).copied().filter(|until| *until > now)
    }

    /// How long something takes from one place to another.
    pub(super) fn latency(&self, now: u64, from: usize, to: usize, rng: &mut Rng) -> u64 {
        let slow = self.slow.get(&(from, to)).filter(|(until, _)| *until > now);
        rng.between(80, 600) + slow.map_or(0, |(_, by)| rng.between(*by / 2, *by))
    }

    /// All is well from now on, apart from what was cut.
    pub(super) fn heal(&mut self) {
        self.blocked.clear();
        self.slow.clear();
    }
}
