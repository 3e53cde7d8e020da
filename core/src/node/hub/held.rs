//! Bytes that links make the server keep, as far as the hub has them: counted for each link and for
//! all of them together.

use super::Hub;
use crate::base::time::Now;
use crate::link::{Limit, LinkId};
use alloc::format;

impl Hub {
    /// Bytes that all links hold here that have not proved the group key.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// What one of them holds; 0 for one that has proved the key.
    #[must_use]
    pub fn held_by(&self, link: LinkId) -> usize {
        self.ports.get(&link).map_or(0, |port| port.held)
    }

    /// So many links are closed, because all together made the server keep `held` bytes. Counted and
    /// logged here, closed by the runtime.
    pub fn shed(&mut self, now: Now, links: usize, held: usize) {
        self.counts.reach(Limit::LinksHeld);
        let text =
            format!("{links} links are closed: all together made the server keep {held} bytes");
        self.sheds.warn(now.mono, &text);
    }

    pub(super) fn hold(&mut self, link: LinkId, more: usize) {
        if let Some(port) = self.ports.get_mut(&link).filter(|port| !port.proved) {
            port.held += more;
            self.held += more;
        }
    }
}
