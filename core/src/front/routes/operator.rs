//! Routes between an operator and the rest of the front: commands of the admin pages, what these
//! show, and the configuration that both fronts keep alike.

use crate::admin::Command;
use crate::base::credentials::Rights;
use crate::base::time::{Mono, Now};
use crate::front::Front;
use crate::front::leadership::phase::Phase;
use crate::front::operator::{At, Compared, Observed, Surroundings, holder};
use crate::front::replication::backend_link::BackendLink;
use crate::front::twin::{self, Twin};
use crate::io::{Intent, VipRequest};
use crate::link::LinkId;
use crate::log::Handle;
use crate::messages::twin::{TwinMessage, Version};
use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;

impl Front {
    /// Takes a request to the admin pages. `checked`: the rights of the password that came with it.
    pub(in crate::front) fn http(
        &mut self,
        now: Now,
        link: LinkId,
        request: &[u8],
        checked: Option<Rights>,
        out: &mut Vec<Intent>,
    ) {
        let Some(asked) = self.operator.admit(now, link, request, checked, out) else { return };
        let reply = At { front: self, now }.answer(&asked);
        match self.operator.reply(now, &asked, reply, out) {
            Some(Command::Activate) => {
                self.leadership.order(now.mono);
                self.timers(now.mono, out);
            }
            Some(Command::Failover) => {
                let (leadership, mut context) = self.with_leadership();
                leadership.begin_failover(now.mono, &mut context);
            }
            Some(Command::Notify(notice)) => {
                self.operator.notified(now.mono, notice);
                out.push(VipRequest::Look.into());
            }
            Some(Command::Release(handle)) => self.take_back(now, handle),
            Some(Command::ReleaseFrom(address)) => self.take_all_back(now, address),
            Some(Command::Recover) => {
                let (leadership, mut context) = self.with_leadership();
                leadership.recover(now, link, &mut context, out);
            }
            Some(Command::Store(text)) => self.operator.store(link, text, out),
            None => {}
        }
    }

    /// Continues with a request whose password was checked.
    pub(in crate::front) fn verified(
        &mut self,
        now: Now,
        link: LinkId,
        granted: Option<Rights>,
        out: &mut Vec<Intent>,
    ) {
        if let Some(request) = self.operator.verified(now, link, granted, out) {
            self.http(now, link, &request, granted, out);
        }
    }

    /// Takes back all handles of an address by an operator's order. That is one event for any
    /// number of handles.
    fn take_all_back(&mut self, now: Now, address: IpAddr) {
        let handles =
            self.calls.service().held_from(address, self.replication.log().speculative_state());
        let text = format!("all {} handles of {address} taken back", handles.len());
        self.operator.note(now.wall, "seat", text);
        for handle in handles {
            self.give_back(handle, "an operator took back all of its address");
        }
    }

    /// Takes back a handle by an operator's order.
    fn take_back(&mut self, now: Now, handle: Handle) {
        let Some(seat) = self.replication.log().speculative_state().seat(handle) else { return };
        let text = format!("handle {handle} ({}) taken back from {}", seat.held, holder(seat));
        self.operator.note(now.wall, "seat", text);
        self.give_back(handle, "an operator took it back");
    }

    /// Records, at the end of a step, what has changed for an operator.
    pub(in crate::front) fn observe(&mut self, now: Now) {
        let observed = Observed {
            part: self.leadership.part(now.mono, self.view()),
            backends: self.replication.backends().each_ref().map(BackendLink::is_up),
            twin: self.twin.as_ref().map(Twin::is_connected),
            address: self.leadership.role().address(),
        };
        let leader = match *self.leadership.phase() {
            Phase::Leading { epoch } => Some(epoch),
            _ => self.leadership.twin_epoch(self.view()),
        };
        let epoch = self.leadership.epoch().unwrap_or_else(|| self.leadership.highest()).round;
        let Self { operator, replication, twin, .. } = self;
        let backends = replication.backends();
        let surroundings = Surroundings { backends, twin: twin.as_ref(), epoch };
        operator.observe(now, observed, leader, &surroundings);
    }

    /// Sends the twin the part of this configuration that both fronts must have alike.
    pub(in crate::front) fn tell_settings(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Some(twin) = &mut self.twin else { return };
        let tell = self.operator.told_configuration().filter(|_| twin.speaks(Version::SETTINGS));
        twin.send(
            now,
            &tell.unwrap_or_else(|| TwinMessage::Shared(twin::shared(&self.config))),
            out,
        );
    }

    /// Follows the twin if its configuration was changed later, or has the twin follow; and keeps
    /// the differences between the two.
    pub(in crate::front) fn compare_configurations(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Some(Compared { differs, tells }) = self.operator.compare_configurations(out) else {
            return;
        };
        if let Some(twin) = &mut self.twin {
            twin.differ(differs);
        }
        if tells {
            self.tell_settings(now, out);
        }
    }
}
