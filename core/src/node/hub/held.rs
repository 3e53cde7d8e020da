//! The budget of bytes that all links without a proof of the group key may make the server keep. It
//! counts what waits in the hub and what connections keep; above it, the links that hold most are
//! closed.
//!
//! What never lives here: how many bytes a connection keeps (that is
//! [`Connection::held`](crate::link::Connection::held)).

use super::port::Port;
use super::{Hub, Output};
use crate::base::limits::LINKS_HELD_MAX;
use crate::base::time::Now;
use crate::link::{CloseReason, Limit, LinkId};
use alloc::format;
use alloc::vec::Vec;

/// The reason given to the log and the node for a link that is closed for the bytes that it holds.
const TOO_MUCH: CloseReason = CloseReason::Limit("bytes that all links together hold");

impl Hub {
    /// Records the bytes that the connection of a link keeps, from
    /// [`Connection::held`](crate::link::Connection::held). To be called whenever its
    /// [flow](crate::link::Connection::flow) changes.
    pub fn holds(&mut self, now: Now, link: LinkId, bytes: usize, out: &mut Vec<Output>) {
        self.keep(link, bytes);
        self.shed(now, out);
    }

    pub(super) fn keep(&mut self, link: LinkId, bytes: usize) {
        if let Some(port) = self.ports.get_mut(&link).filter(|port| port.is_counted()) {
            let before = core::mem::replace(&mut port.kept, bytes);
            self.held = self.held + bytes - before;
        }
    }

    pub(super) fn hold(&mut self, link: LinkId, more: usize) {
        if let Some(port) = self.ports.get_mut(&link).filter(|port| port.is_counted()) {
            port.held += more;
            self.held += more;
        }
    }

    /// Closes the links that hold most if all together hold more than [`LINKS_HELD_MAX`], until a
    /// quarter of it is free.
    pub(super) fn shed(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.held <= LINKS_HELD_MAX {
            return;
        }
        let size = |port: &Port| port.held + port.kept;
        let mut largest: Vec<(usize, LinkId)> =
            self.ports.iter().map(|(link, port)| (size(port), *link)).collect();
        largest.sort_unstable_by(|one, other| other.cmp(one));
        let (all, mut links) = (self.held, 0);
        for (bytes, link) in largest {
            if self.held <= LINKS_HELD_MAX / 4 * 3 {
                break;
            }
            let Some(port) = self.ports.get_mut(&link) else { continue };
            self.held -= bytes;
            port.held = 0;
            port.kept = 0;
            port.shed = true;
            links += 1;
            out.push(Output::Drop { link, reason: TOO_MUCH });
        }
        self.counts.reach(Limit::LinksHeld);
        let text =
            format!("{links} links are closed: all together made the server keep {all} bytes");
        self.sheds.warn(now.mono, &text);
    }
}
