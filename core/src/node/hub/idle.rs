//! The end of silent client links that hold no handle, so that peers which are still reachable do
//! not fill the table of links for good.

use super::{Answer, Hub, Port};
use crate::base::limits::{IDLE_LINK, IDLE_LOOK};
use crate::base::time::{Mono, Now};
use crate::link::{CloseReason, Limit, LinkId, Listener};
use alloc::vec::Vec;

impl Hub {
    /// Starts the search for idle links when a link is accepted.
    pub(super) fn look_for_idle_links(&mut self, now: Mono) {
        self.deadlines.idle_look.get_or_insert(now + IDLE_LINK);
    }

    /// Ends the idle links, if the search is due.
    pub(super) fn end_idle_links(&mut self, now: Now, out: &mut Vec<super::Output>) {
        if self.deadlines.idle_look.is_none_or(|at| at > now.mono) {
            return;
        }
        let idle = |port: &Port| {
            let client = matches!(port.listener, Some((Listener::Licence, _))) && !port.proved;
            let quiet = port.reading.heard + IDLE_LINK <= now.mono && port.requests.is_empty();
            client && quiet && !matches!(port.answer, Answer::Asked | Answer::Made)
        };
        let mut links: Vec<LinkId> =
            self.ports.iter().filter(|(_, port)| idle(port)).map(|(link, _)| *link).collect();
        if !links.is_empty() {
            let holding = self.node.holding();
            links.retain(|link| !holding.contains(link));
        }
        for link in links {
            self.counts.reach(Limit::IdleLink);
            self.shut(now, link, CloseReason::Timeout("a call, on a link that holds nothing"), out);
        }
        self.deadlines.idle_look = (!self.ports.is_empty()).then(|| now.mono + IDLE_LOOK);
    }
}
