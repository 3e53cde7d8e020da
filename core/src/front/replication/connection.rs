//! The connection to a backend: its state, when it is dialled again, and what both ends speak.

use super::link_state::LinkState;
use crate::base::limits::{DIAL_TIMEOUT, REDIAL_MIN};
use crate::base::log_throttle::LogThrottle;
use crate::base::network::Address;
use crate::base::time::{Duration, Mono};
use crate::io::Intent;
use crate::link::{LinkId, PeerKind};
use alloc::vec::Vec;

/// The connection to a backend.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    state: LinkState,
    /// The minor version of the protocol that both ends of the link speak.
    minor: u16,
    /// How often the backend was dialled.
    dials: u64,
    /// The pause before the backend is dialled again, if the connection is lost now.
    pause: Duration,
    /// Limits the log lines that say that the backend cannot be reached.
    unreached: LogThrottle,
}

impl Default for Connection {
    /// Returns a connection that is due to be dialled at once.
    fn default() -> Self {
        Self {
            state: LinkState::Down(Mono(0)),
            minor: 0,
            dials: 0,
            pause: REDIAL_MIN,
            unreached: LogThrottle::default(),
        }
    }
}

impl Connection {
    /// Returns the state of the connection.
    pub(super) fn state(&self) -> LinkState {
        self.state
    }

    /// Returns the minor version of the protocol that both ends of the link speak.
    pub(super) fn minor(&self) -> u16 {
        self.minor
    }

    /// Returns how often the backend was dialled.
    pub(super) fn dials(&self) -> u64 {
        self.dials
    }

    /// Returns the link, also while it is being dialled.
    pub(super) fn link(&self) -> Option<LinkId> {
        match self.state {
            LinkState::Down(_) => None,
            LinkState::Dialling(link, _) | LinkState::Up(link) => Some(link),
        }
    }

    /// Opens the connection.
    pub(super) fn dial(&mut self, now: Mono, link: LinkId, to: Address, out: &mut Vec<Intent>) {
        self.dials += 1;
        self.state = LinkState::Dialling(link, now + DIAL_TIMEOUT);
        out.push(Intent::Dial { link, to, callee: PeerKind::Backend });
    }

    /// Marks the link as up: the backend has proved the group key.
    pub(super) fn joined(&mut self, link: LinkId, minor: u16) {
        self.state = LinkState::Up(link);
        self.minor = minor;
        self.pause = REDIAL_MIN;
    }

    /// Marks the link as down. The pause before the next dial doubles up to `retry`.
    pub(super) fn lost(&mut self, now: Mono, retry: Duration) {
        self.state = LinkState::Down(now + self.pause);
        self.pause = (self.pause * 2).min(retry);
    }

    /// Logs that the backend cannot be reached, unless that was logged lately.
    pub(super) fn warn_unreached(&mut self, now: Mono, text: &str) {
        self.unreached.warn(now, text);
    }

    /// For an exhaustive check: has the backend dialled at this time. Returns `false` if the
    /// connection is not down.
    #[cfg(feature = "model")]
    pub(super) fn let_dial(&mut self, due: Mono) -> bool {
        let LinkState::Down(at) = &mut self.state else { return false };
        *at = due;
        true
    }
}
