//! One link in the hub: what waits on it in both directions, and the progress of its latest
//! request.

use crate::base::limits::{FRAME_COST, ORDER_LATE};
use crate::base::time::Mono;
use crate::link::{Frame, Listener, Outbox};
use alloc::collections::VecDeque;
use core::net::SocketAddr;

/// The progress of the reply to a link's latest request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has left, or there was no request.
    Gone,
    /// The node has not made it yet.
    Asked,
    /// It is in the outbox.
    Made,
    /// It was taken out of the outbox and is leaving the machine.
    Leaving,
}

/// What was received from a link's peer.
#[derive(Debug)]
pub(super) struct Reading {
    /// When its last frame was complete; before the first one, when the link was accepted.
    pub(super) heard: Mono,
    /// By when its next frame must be complete.
    pub(super) due: Option<Mono>,
    /// Whether its key agreement is complete.
    pub(super) greeted: bool,
    /// Whether a frame was complete.
    pub(super) whole: bool,
    /// Whether bytes of an incomplete frame wait.
    pub(super) partial: bool,
}

/// One link.
#[derive(Debug)]
pub(super) struct Port {
    /// The listener and the peer's address; `None` if it was dialled.
    pub(super) listener: Option<(Listener, SocketAddr)>,
    pub(super) outbox: Outbox,
    pub(super) woken: bool,
    /// Whether it was accepted above the cap.
    pub(super) crowded: bool,
    /// Whether the node has closed it, or never knew it.
    pub(super) forgotten: bool,
    pub(super) reading: Reading,
    pub(super) answer: Answer,
    /// Calls and pages that were requested before the reply to the previous one had left: they are
    /// served strictly one after the other, as the protocols require. Runtimes do not read on
    /// meanwhile, so a peer that sends requests without reading makes the server keep no replies.
    pub(super) requests: VecDeque<Asked>,
    /// Whether it has proved the group key, or was dialled: the bytes that it holds have other
    /// bounds.
    pub(super) proved: bool,
    /// Bytes in its outbox and of its requests, with [`FRAME_COST`] for each.
    pub(super) held: usize,
    /// Bytes that its connection keeps.
    pub(super) kept: usize,
    /// Whether it is being closed for the bytes that it held, which are no longer counted.
    pub(super) shed: bool,
}

impl Port {
    /// Returns whether its bytes are counted.
    pub(super) fn is_counted(&self) -> bool {
        !self.proved && !self.shed
    }
}

/// Returns the counted size of a waiting frame.
pub(super) fn cost(frame: &[u8]) -> usize {
    frame.len() + FRAME_COST
}

/// A request that waits for its turn.
#[derive(Debug)]
pub(super) struct Asked {
    /// When it arrived.
    pub(super) at: Mono,
    pub(super) frame: Frame,
}

impl Asked {
    /// Returns the request for the node. A page request that has waited for longer than
    /// [`ORDER_LATE`] is marked, because its sender may have given up.
    pub(super) fn handed_over(self, now: Mono) -> Frame {
        match self.frame {
            Frame::Http(bytes) if now.since(self.at) > ORDER_LATE => Frame::Unheard(bytes),
            frame => frame,
        }
    }

    /// Returns its counted size while it waits.
    pub(super) fn cost(&self) -> usize {
        match &self.frame {
            Frame::Call(bytes) | Frame::Http(bytes) | Frame::Unheard(bytes) => cost(bytes),
            _ => 0,
        }
    }
}
