//! What the machine of a front reports: each event goes to whom it concerns.

use super::Front;
use crate::io::{FrontEvent, HostEvent, Intent};
use crate::time::Now;
use alloc::vec::Vec;

impl Front {
    /// Takes what the machine reports.
    pub(super) fn host_event(&mut self, now: Now, event: HostEvent, out: &mut Vec<Intent>) {
        match event {
            HostEvent::Probe | HostEvent::Backend(_) => {}
            HostEvent::Stopping => {
                let (usage, context) = self.recording();
                usage.flush(&context);
            }
            HostEvent::AdminAccess(entrance) => self.admin.set_entrance(*entrance),
            HostEvent::Misplaced { place, found } => _ = self.admin.misplace(place, found),
            HostEvent::Front(event) => self.front_event(now, event, out),
        }
    }

    fn front_event(&mut self, now: Now, event: FrontEvent, out: &mut Vec<Intent>) {
        match event {
            FrontEvent::HistoryRead { after, lines } => self.recalled(now, after, &lines, out),
            FrontEvent::VirtualAddress { here } => {
                self.address(now.mono, here);
                self.lead_if_nobody_does(now.mono);
                self.timers(now.mono, out);
            }
            FrontEvent::VirtualAddressObstacle(obstacle) => self.machine.set_obstacle(obstacle),
            FrontEvent::PasswordVerified { link, granted } => {
                self.verified(now, link, granted, out);
            }
            FrontEvent::Configured(new) => {
                self.configured(now.mono, &new, out);
                self.in_force(now.mono, *new, out);
                self.timers(now.mono, out);
            }
            FrontEvent::ConfigStored(stored) => self.stored(now, stored, out),
        }
    }
}
