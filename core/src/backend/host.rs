//! Events of the host of a backend, each routed to the part that it concerns.

use super::Backend;
use crate::base::time::Now;
use crate::io::{BackendEvent, HostEvent, Intent};
use crate::link::LinkId;
use alloc::vec::Vec;

impl Backend {
    /// Routes an event of the host.
    pub(super) fn host_event(&mut self, now: Now, event: HostEvent, out: &mut Vec<Intent>) {
        match event {
            HostEvent::Backend(BackendEvent::JournalWritten) => self.writer.written(now.mono, out),
            HostEvent::Backend(BackendEvent::LicencesRead(containers)) => {
                self.replace(now, containers, out);
            }
            HostEvent::AdminAccess(entrance) => self.entrance(*entrance, out),
            HostEvent::Misplaced { place, found } => {
                if self.admin.misplace(place, found) {
                    let links: Vec<LinkId> = self.fronts.links.keys().copied().collect();
                    links.into_iter().for_each(|link| self.tell_lost(link, out));
                }
            }
            HostEvent::Probe | HostEvent::Stopping | HostEvent::Front(_) => {}
        }
    }
}
