//! One link as the hub keeps it: what waits on it, both ways, and how far its latest request is.

use crate::base::limits::{FRAME_COST, ORDER_LATE};
use crate::base::time::Mono;
use crate::link::{Frame, Listener, Outbox};
use alloc::collections::VecDeque;
use core::net::SocketAddr;

/// Where the reply to a link's latest request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has left, or nothing was asked.
    Gone,
    /// The node has yet to make it.
    Asked,
    /// In the outbox.
    Made,
    /// Out of the outbox, on its way out of the machine.
    Leaving,
}

/// How far a link's peer is with what it says.
#[derive(Debug)]
pub(super) struct Reading {
    /// When a frame of it was whole last; when it came in, before the first one.
    pub(super) heard: Mono,
    /// When its next frame has to be whole.
    pub(super) due: Option<Mono>,
    /// Its key agreement is over.
    pub(super) greeted: bool,
    /// A frame of it was whole.
    pub(super) whole: bool,
    /// Bytes of an unfinished frame are waiting.
    pub(super) partial: bool,
}

/// One link.
#[derive(Debug)]
pub(super) struct Port {
    /// Where it came in, and from whom; `None`: it was dialled.
    pub(super) listener: Option<(Listener, SocketAddr)>,
    pub(super) outbox: Outbox,
    pub(super) woken: bool,
    /// It came in beyond the cap.
    pub(super) crowded: bool,
    /// The node has closed it, or never knew it.
    pub(super) forgotten: bool,
    pub(super) reading: Reading,
    pub(super) answer: Answer,
    /// Calls and pages that were asked for before the reply to the one before them had left:
    /// strictly one after the other, as the protocols have it, whoever sends them. Runtimes do not
    /// read on meanwhile, so who asks on without listening makes nobody keep its replies.
    pub(super) requests: VecDeque<Asked>,
    /// It has proved the group key, or was dialled: what it holds has bounds of its own.
    pub(super) proved: bool,
    /// Bytes in its outbox and of its requests, with [`FRAME_COST`] for each.
    pub(super) held: usize,
    /// Bytes that its connection keeps.
    pub(super) kept: usize,
    /// It is being closed for what it held, which is not counted any more.
    pub(super) shed: bool,
}

impl Port {
    /// Returns whether what it holds is counted.
    pub(super) fn is_counted(&self) -> bool {
        !self.proved && !self.shed
    }
}

/// What a frame that waits costs.
pub(super) fn cost(frame: &[u8]) -> usize {
    frame.len() + FRAME_COST
}

/// A request that waits for its turn.
#[derive(Debug)]
pub(super) struct Asked {
    /// When it came in.
    pub(super) at: Mono,
    pub(super) frame: Frame,
}

impl Asked {
    /// Returns the request for the node. A page that has waited for longer than [`ORDER_LATE`] is one
    /// whose sender may have given up.
    pub(super) fn handed_over(self, now: Mono) -> Frame {
        match self.frame {
            Frame::Http(bytes) if now.since(self.at) > ORDER_LATE => Frame::Unheard(bytes),
            frame => frame,
        }
    }

    /// What it costs while it waits.
    pub(super) fn cost(&self) -> usize {
        match &self.frame {
            Frame::Call(bytes) | Frame::Http(bytes) | Frame::Unheard(bytes) => cost(bytes),
            _ => 0,
        }
    }
}
