//! Connections to the twin's listener on which nobody has said a twin's hello so far.

use crate::base::log_throttle::LogThrottle;
use crate::base::time::Mono;
use crate::link::{CloseReason, LinkId};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::net::SocketAddr;

/// A connection that has ended without a hello.
#[derive(Debug)]
pub(super) struct Stranger {
    /// A text for operators, if it was not a front of the group.
    pub(super) trouble: Option<String>,
}

/// Connections without a hello so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Strangers {
    links: BTreeMap<LinkId, SocketAddr>,
    /// Limits the log of connections that are not the twin's.
    logged: LogThrottle,
}

impl Strangers {
    pub(super) fn accepted(&mut self, link: LinkId, from: SocketAddr) {
        self.links.insert(link, from);
    }

    pub(super) fn has(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// Removes a connection that has said something.
    pub(super) fn remove(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    /// Handles a closed link; `None` if it is none of these.
    pub(super) fn closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: &CloseReason,
    ) -> Option<Stranger> {
        let from = self.links.remove(&link)?;
        let CloseReason::Protocol(_) = reason else { return Some(Stranger { trouble: None }) };
        // Without the port, which differs each time.
        let text = format!("a connection from {}: {reason}", from.ip());
        self.logged.warn(now, &format!("twin: {text}"));
        Some(Stranger { trouble: Some(text) })
    }
}
