//! Routes between an operator and the rest of the front: commands of the admin pages, what these
//! show, and the configuration that both fronts keep alike.

use crate::admin::Command;
use crate::base::credentials::Rights;
use crate::base::time::{Mono, Now};
use crate::front::Front;
use crate::front::calls::Calls;
use crate::front::operator::{At, Compared, Observed, Surroundings};
use crate::front::replication::backend_link::BackendLink;
use crate::front::twin::Twin;
use crate::io::{Intent, VipRequest};
use crate::link::LinkId;
use crate::messages::twin::Version;
use alloc::vec::Vec;

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
            Some(Command::Release(handle)) => {
                let (_, mut context) = self.with_calls();
                Calls::take_back(now.wall, handle, &mut context);
            }
            Some(Command::ReleaseFrom(address)) => {
                let (calls, mut context) = self.with_calls();
                calls.take_all_back(now.wall, address, &mut context);
            }
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

    /// Records, at the end of a step, what has changed for an operator.
    pub(in crate::front) fn observe(&mut self, now: Now) {
        let observed = Observed {
            part: self.leadership.part(now.mono, self.view()),
            backends: self.replication.backends().each_ref().map(BackendLink::is_up),
            twin: self.twin.as_ref().map(Twin::is_connected),
            address: self.leadership.role().address(),
        };
        let leader = self.leadership.leader(self.view());
        let epoch = self.leadership.latest_epoch().round;
        let Self { operator, replication, twin, .. } = self;
        let backends = replication.backends();
        let surroundings = Surroundings { backends, twin: twin.as_ref(), epoch };
        operator.observe(now, observed, leader, &surroundings);
    }

    /// Sends the twin the part of this configuration that both fronts must have alike.
    pub(in crate::front) fn tell_settings(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Some(twin) = &mut self.twin else { return };
        let whole = twin.speaks(Version::SETTINGS);
        twin.send(now, &self.operator.told_configuration(whole, &self.config), out);
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
