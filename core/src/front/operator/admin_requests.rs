//! What comes in at the admin pages, and what an operator has done.

use super::status;
use crate::admin::{Command, Rights};
use crate::front::Front;
use crate::io::{Intent, VipRequest};
use crate::link::Link;
use crate::log::Handle;
use crate::time::Now;
use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;

impl Front {
    /// A request at the admin pages; `checked`: the rights of the password that came with it.
    pub(in crate::front) fn http(
        &mut self,
        now: Now,
        link: Link,
        request: &[u8],
        checked: Option<Rights>,
        out: &mut Vec<Intent>,
    ) {
        let Some(asked) = self.operator.admit(now, link, request, checked, out) else { return };
        let reply = status::At { front: self, now }.answer(&asked);
        match self.operator.reply(now, &asked, reply, out) {
            Some(Command::Activate) => {
                self.order(now.mono);
                self.timers(now.mono, out);
            }
            Some(Command::Failover) => {
                self.begin_failover(now.mono);
            }
            Some(Command::Notify(notice)) => {
                self.operator.notified(now.mono, notice);
                out.push(VipRequest::Look.into());
            }
            Some(Command::Release(handle)) => self.take_back(now, handle),
            Some(Command::ReleaseFrom(address)) => self.take_all_back(now, address),
            Some(Command::Recover) => self.recover(now, link, out),
            Some(Command::Store(text)) => self.operator.store(link, text, out),
            None => {}
        }
    }

    /// A password was checked.
    pub(in crate::front) fn verified(
        &mut self,
        now: Now,
        link: Link,
        granted: Option<Rights>,
        out: &mut Vec<Intent>,
    ) {
        if let Some(request) = self.operator.verified(now, link, granted, out) {
            self.http(now, link, &request, granted, out);
        }
    }

    /// An operator takes all handles of an address back. It is one event, however many there are.
    fn take_all_back(&mut self, now: Now, address: IpAddr) {
        let handles = self.calls.desk().held_from(address, self.log.speculative_state());
        let text = format!("all {} handles of {address} taken back", handles.len());
        self.operator.note(now.wall, "seat", text);
        for handle in handles {
            self.give_back(handle, "an operator took back all of its address");
        }
    }

    /// An operator takes a handle back.
    fn take_back(&mut self, now: Now, handle: Handle) {
        let Some(seat) = self.log.speculative_state().seat(handle) else { return };
        let text =
            format!("handle {handle} ({}) taken back from {}", seat.held, status::holder(seat));
        self.operator.note(now.wall, "seat", text);
        self.give_back(handle, "an operator took it back");
    }
}
