//! What the machine of a front reports, routed to the component that it concerns.

use super::Front;
use crate::base::time::Now;
use crate::io::{FrontEvent, HostEvent, Intent};
use alloc::vec::Vec;

impl Front {
    /// Takes an event that the machine reports.
    pub(super) fn host_event(&mut self, now: Now, event: HostEvent, out: &mut Vec<Intent>) {
        match event {
            HostEvent::Probe | HostEvent::Backend(_) => {}
            HostEvent::Stopping => {
                let (leadership, mut context) = self.with_leadership();
                leadership.flush_history(&mut context);
            }
            HostEvent::AdminAccess(entrance) => self.operator.set_entrance(*entrance),
            HostEvent::Misplaced { place, found } => self.operator.misplace(place, found),
            HostEvent::Front(event) => self.front_event(now, event, out),
        }
    }

    fn front_event(&mut self, now: Now, event: FrontEvent, out: &mut Vec<Intent>) {
        match event {
            FrontEvent::HistoryRead { after, lines } => self.recalled(now.mono, after, &lines, out),
            FrontEvent::VirtualAddress { here } => {
                let (leadership, mut context) = self.with_leadership();
                leadership.address(now.mono, here, &mut context);
                leadership.lead_if_nobody_does(now.mono, &context);
                self.timers(now.mono, out);
            }
            FrontEvent::VirtualAddressObstacle(obstacle) => self.operator.set_obstacle(obstacle),
            FrontEvent::PasswordVerified { link, granted } => {
                self.verified(now, link, granted, out);
            }
            FrontEvent::Configured(new) => {
                self.configured(now.mono, &new, out);
                self.operator.in_force(*new);
                self.tell_settings(now.mono, out);
                self.compare_configurations(now.mono, out);
                self.timers(now.mono, out);
            }
            FrontEvent::ConfigStored(stored) => {
                self.operator.stored(now, stored, out);
                self.compare_configurations(now.mono, out);
            }
        }
    }
}
